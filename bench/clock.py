"""A Watch's clock that stands still while something else runs beside the watched training."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager

from pellucid.watch import journal, watcher


class StoppedClock:
    """The time as the Watch reads it, less what was left out."""

    def __init__(self) -> None:
        self.left_out = 0.0

    def perf_counter(self) -> float:
        return time.perf_counter() - self.left_out


@contextmanager
def stopped_clock() -> Iterator[StoppedClock]:
    """Inside, every Watch reads it."""
    clock = StoppedClock()
    watcher.time = journal.time = clock  # type: ignore[assignment]
    try:
        yield clock
    finally:
        watcher.time = journal.time = time
