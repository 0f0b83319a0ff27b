"""Writes a small record and kills itself with SIGKILL at chosen file operations: `python killed.py ROOT STRIDE`.

One process imports everything once and forks a child for each point; the child that is never killed counts the points.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow.parquet  # noqa: F401 - here, so that not every child has to
import safetensors.numpy  # noqa: F401

sys.path.insert(0, str(Path(__file__).parents[1]))

from pellucid.record import Writer, schema
from support.parts import examples_part

SIZE = 6


def write(root: Path) -> None:
    """Begins the record or goes on with it, from wherever it was left, to its end."""
    with Writer.create(root, schema.Manifest(title="killed", created="then"), resume=True) as writer:
        for index in range(writer.parts, 3):
            media = [writer.write_media(f"picture {index} {number % 2}".encode(), "png") for number in range(SIZE)]
            table = examples_part(index * SIZE, SIZE)
            table = table.set_column(table.schema.get_field_index("media"), "media", [media])
            writer.write_part(index, table, {"loss": ({"index": index}, {"sums": np.full(3, index * 1.5)})})
        for row in range(3):
            focus = schema.Focus(row, str(row), 0, 0, 0, 1.0, [], {})
            writer.write_focus(row, focus, {"input.gradient": np.full((2, 2), row, np.float16)})
        # The first answer is replaced by the second, as on resuming.
        for text in ("half", "whole"):
            panel = schema.CustomPanel(title=text, tables=[])
            writer.write_panel(panel, {"0.mean": np.full(4, len(text), np.float32)})
        writer.finish("complete")


def _killing(at: int, count: list[int], real: Callable[..., None]) -> Callable[..., None]:
    def operation(*arguments: object) -> None:
        for moment in ("before", "after"):
            if moment == "after":
                real(*arguments)
            count[0] += 1
            if count[0] == at:
                os.kill(os.getpid(), signal.SIGKILL)

    return operation


def run(root: Path, at: int, work: Callable[[Path], None] = write) -> int:
    """Works in a child that dies at its operation number `at`; the number of operations, 0 where it was killed."""
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        count = [0]
        for name in ("replace", "fsync", "unlink", "mkdir"):
            setattr(os, name, _killing(at, count, getattr(os, name)))
        work(root)
        os.write(writing, str(count[0]).encode())
        os._exit(0)
    os.close(writing)
    _, status = os.waitpid(child, 0)
    counted = os.read(reading, 16)
    os.close(reading)
    if os.WIFSIGNALED(status):
        return 0
    if status:
        raise SystemExit(f"the writer failed with status {status}")
    return int(counted)


def main(work: Callable[[Path], None] = write) -> None:
    root, stride = Path(sys.argv[1]), int(sys.argv[2])
    examples_part(0, 1)  # makes pyarrow import what it imports late
    total = run(root / "uninterrupted", -1, work)
    for at in range(1, total + 1, stride):
        if run(root / f"killed-{at:04d}", at, work):
            raise SystemExit(f"operation {at} of {total} did not kill the writer")
    sys.stdout.write(str(total))


if __name__ == "__main__":
    main()
