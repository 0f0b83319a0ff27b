"""Ratios of two times in one process, taken in turns, so that a machine that slows down slows both."""

from __future__ import annotations

import argparse
import json
import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

THREADS = 2


@dataclass(frozen=True)
class Ratio:
    """The median over repeats, and the range they lie in."""

    median: float
    low: float
    high: float

    @classmethod
    def of(cls, ours: Sequence[float], bare: Sequence[float]) -> Ratio:
        """Each of ours by the bare time that was taken beside it."""
        ratios = [one / other for one, other in zip(ours, bare, strict=True)]
        return cls(statistics.median(ratios), min(ratios), max(ratios))

    @property
    def range(self) -> str:
        return f"{self.low:.3g} to {self.high:.3g}"


def seconds(run: Callable[[], object]) -> float:
    begun = time.perf_counter()
    run()
    return time.perf_counter() - begun


def in_turns(*runs: Callable[[], object], repeats: int) -> list[list[float]]:
    """Seconds of every run, a list each, after one round that is not counted."""
    for run in runs:
        run()
    rounds = [[seconds(run) for run in runs] for _ in range(repeats)]
    return [list(taken) for taken in zip(*rounds, strict=True)]


def begin(purpose: str | None) -> argparse.Namespace:
    """Reads --out and puts torch on as many threads as every benchmark uses."""
    import torch

    parser = argparse.ArgumentParser(description=purpose)
    parser.add_argument("--out", type=Path)
    torch.set_num_threads(THREADS)
    torch.manual_seed(0)
    return parser.parse_args()


def finish(rows: list[dict[str, object]], out: Path | None) -> None:
    """Writes the rows where `python -m bench` looks for them, or prints them."""
    text = json.dumps(rows, indent=1)
    if out is None:
        print(text)
    else:
        out.write_text(text + "\n")
