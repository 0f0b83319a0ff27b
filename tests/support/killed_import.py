"""Imports predictions and kills itself with SIGKILL at moments of its progress: `python killed_import.py ROOT`.

One process imports everything once and forks a child for each moment.
"""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

import pellucid
from pellucid.predictions import run, saved
from support.saved import answered, softmax

LOGITS, TARGETS = answered(200)
SCORES = softmax(LOGITS)
ROWS, PART = 20, 40
MOMENTS = (("read", 80), ("sweep", 20), ("sweep", 60), ("sweep", 200))


def _die(out: Path, moment: tuple[str, int]) -> None:
    def killing(stage: str, done: int, total: int | None) -> None:
        if (stage, done) == moment:
            os.kill(os.getpid(), signal.SIGKILL)

    child = os.fork()
    if child == 0:
        pellucid.import_predictions(SCORES, TARGETS, out=out, progress=killing)
        os._exit(3)
    _, status = os.waitpid(child, 0)
    if not os.WIFSIGNALED(status):
        raise SystemExit(f"{moment} did not kill the import: status {status}")


if __name__ == "__main__":
    saved.MOST_ROWS, run.PART_EXAMPLES = ROWS, PART
    for stage, done in MOMENTS:
        _die(Path(sys.argv[1]) / f"{stage}-{done}", (stage, done))
