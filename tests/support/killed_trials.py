"""Answers trials and is killed with SIGKILL at every operation of the disk: `python killed_trials.py ROOT`."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from pellucid.server.trials.journal import Journal, Response

TRIALS = 5
PIECE = 61  # bytes that the disk takes at a time, so that a kill finds half a line
JOURNAL, ACKNOWLEDGED = "responses.jsonl", "acknowledged"


def response(trial: int) -> Response:
    return Response(
        observer="subject-01",
        trial=trial,
        kind="trial",
        block=1,
        example=f"example-{trial}",
        category="cat",
        condition="ü",
        response="dog",
        seconds=0.5 + trial / 7,
        by="key",
        fixation=300.0,
        shown=200.1,
        mask=200.0,
        frame=16.7,
        dropped=0,
        left=False,
    )


def answer(root: Path, said: Callable[[int], None]) -> None:
    """Answers one trial after the other, from wherever it was left, and says of each when it is kept."""
    journal = Journal(root / JOURNAL)
    for trial in range(len(journal.responses), TRIALS):
        journal.append(response(trial))
        said(trial)
    journal.close()


def run(root: Path, at: int) -> bool:
    """Answers in a child that dies at its operation number `at`; whether it did."""
    root.mkdir()
    descriptor = os.open(root / ACKNOWLEDGED, os.O_WRONLY | os.O_CREAT)
    child = os.fork()
    if child == 0:
        count = 0
        write, fsync = os.write, os.fsync

        def counted() -> None:
            nonlocal count
            count += 1
            if count == at:
                os.kill(os.getpid(), signal.SIGKILL)

        def in_pieces(file: int, content: bytes) -> int:
            counted()
            return write(file, content[:PIECE])

        def flushed(file: int) -> None:
            counted()
            fsync(file)
            counted()

        os.write, os.fsync = in_pieces, flushed  # type: ignore[assignment]
        answer(root, lambda trial: write(descriptor, f"{trial}\n".encode()) and None)
        os._exit(0)
    os.close(descriptor)
    _, status = os.waitpid(child, 0)
    return os.WIFSIGNALED(status)


if __name__ == "__main__":
    at = 1
    while run(Path(sys.argv[1]) / f"killed-{at:03d}", at):
        at += 1
