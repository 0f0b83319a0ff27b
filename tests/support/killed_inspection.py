"""Inspects digits and kills itself with SIGKILL at moments of its progress: `python killed_inspection.py ROOT`.

One process imports everything once and forks a child for each moment.
"""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

import torch

import pellucid
from pellucid.data import from_python
from pellucid.inspection import run
from pellucid.inspection.options import Progress, silent
from pellucid.types import Stage
from support.nets import TinyNet, digits, untrained

EXAMPLES, BATCH, PART, CHOSEN = 150, 16, 48, 20

# Sixteen examples a batch and three batches a part: before any part, in the middle of the second, with the last
# batch, after the first batch of the closer look, and among the gradients by the parameters.
MOMENTS: tuple[tuple[Stage, int], ...] = (("sweep", 16), ("sweep", 80), ("sweep", 150), ("focus", 8), ("learn", 32))


def inspect(
    out: Path, *, model: TinyNet | None = None, progress: Progress = silent, resume: bool = False
) -> pellucid.Record:
    """The one inspection that is cut short at many places."""
    images, labels = digits("test")
    run.PART_EXAMPLES = PART
    source = from_python([(images[row], int(labels[row])) for row in range(EXAMPLES)])
    return pellucid.inspect(
        model or untrained(), source, out=out, batch_size=BATCH, chosen=CHOSEN, progress=progress, resume=resume
    )


def _die(out: Path, moment: tuple[Stage, int]) -> None:
    def killing(stage: Stage, done: int, total: int | None) -> None:
        if (stage, done) == moment:
            os.kill(os.getpid(), signal.SIGKILL)

    child = os.fork()
    if child == 0:
        inspect(out, progress=killing)
        os._exit(3)
    _, status = os.waitpid(child, 0)
    if not os.WIFSIGNALED(status):
        raise SystemExit(f"{moment} did not kill the inspection: status {status}")


if __name__ == "__main__":
    torch.set_num_threads(1)
    inspect(Path(sys.argv[1]) / "uninterrupted")  # imports what is imported late, once for all children
    for stage, done in MOMENTS:
        _die(Path(sys.argv[1]) / f"{stage}-{done}", (stage, done))
