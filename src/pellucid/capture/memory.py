"""Telling an allocation that failed from everything else that a model can raise, and how much memory there still is."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import torch

from pellucid.errors import MethodError, OptionError, PellucidError

_Made = TypeVar("_Made")
_ON_CPU = ("DefaultCPUAllocator: can't allocate memory", "DefaultCPUAllocator: not enough memory")


def for_memory(error: BaseException) -> bool:
    """Whether memory was the reason, also where the model's own error hides it."""
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, MemoryError | torch.OutOfMemoryError):
            return True
        # On the CPU torch raises a plain RuntimeError when an allocation fails; its words are those of the version.
        if isinstance(cause, RuntimeError) and any(words in str(cause) for words in _ON_CPU):
            return True
        cause = cause.__cause__
    return False


def spare(device: torch.device) -> int | None:
    """Bytes that can still be had on a device; None where nobody says."""
    if device.type == "cuda":
        free: int = torch.cuda.mem_get_info(device)[0]
        return free
    try:
        lines = Path("/proc/meminfo").read_text(encoding="ascii").splitlines() if device.type == "cpu" else []
    except OSError:
        return None
    # "MemAvailable:   12345 kB"
    return next((1024 * int(line.split()[1]) for line in lines if line.startswith("MemAvailable:")), None)


@dataclass
class Batches:
    """A row of examples or pictures in batches: from where memory does not suffice on, half as many at a time.

        batches = Batches(len(rows), 64)
        for answer in batches.run(lambda start, stop: look(rows[start:stop])):
            ...
        note = batches.note

    Attributes:
        total: how many there are.
        size: at a time.
    """

    total: int
    size: int

    def __post_init__(self) -> None:
        if self.size < 1:
            raise OptionError(f"A batch holds 1 or more; got {self.size}.")
        self._whole = self.size

    def run(self, work: Callable[[int, int], _Made]) -> Iterator[_Made]:
        """What the work makes of each batch, in order.

        Args:
            work: from a batch's first place and the one behind its last.

        Raises: MethodError: memory does not suffice for one. Whatever the work raises that has another reason.
        """
        place = 0
        while place < self.total:
            stop = min(place + self.size, self.total)
            try:
                made = work(place, stop)
            except (MemoryError, RuntimeError, PellucidError) as failure:
                if not for_memory(failure):
                    raise
                if stop - place == 1:
                    raise MethodError(
                        "Memory does not suffice for a single example. Give smaller inputs, or free memory."
                    ) from failure
                self.size = (stop - place + 1) // 2
                continue
            place = stop
            yield made

    @property
    def note(self) -> str:
        """That memory did not suffice, in words; empty where it did."""
        if self.size == self._whole:
            return ""
        return f"Memory did not suffice for {self._whole} examples at a time: {self.size} were used."
