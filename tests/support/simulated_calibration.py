"""How often the interval of each calibration error holds the model's own error, by simulation.

Models of few and many classes, sure and unsure, calibrated and not, whose true error is known, answer so many examples, again and
again; `python -m support.simulated_calibration 500` (from `tests/`) prints the tables of docs/accuracy.md.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import special

from pellucid.measures.calibration import Reliability, equal_mass, equal_width, interval_of, monotone
from pellucid.measures.calibration_kernel import kernel_interval, smoothed, width_of
from pellucid.record.schema import Interval

Floats = NDArray[np.float64]

# Confidences are the middles of so many bins: 10 and 15 bins are made of whole ones.
FINE = 600
CONFIDENCES = (np.arange(FINE) + 0.5) / FINE
NUMBERS = (500, 2000, 10_000, 100_000)
# Confidences and right answers that leave little to count: any interval of them has to be one.
FEW_OR_CERTAIN: list[tuple[Floats, NDArray[np.bool_]]] = [
    (np.array([0.7]), np.array([True])),
    (np.array([1.0]), np.array([True])),
    (np.array([1.0]), np.array([False])),
    (np.full(50, 1.0), np.arange(50) < 25),
    (np.full(400, 0.999), np.ones(400, bool)),
    (np.array([0.0, 1.0]), np.array([False, True])),
]


def _shares(classes: int, spread: float, seed: int = 0) -> Floats:
    """How often each confidence occurs where logits are normal."""
    logits = np.random.default_rng(seed).normal(0, spread, (100_000, classes))
    bins = np.minimum((special.softmax(logits, axis=1).max(axis=1) * FINE).astype(int), FINE - 1)
    found: Floats = np.bincount(bins, minlength=FINE) / len(bins)
    return found


# Spread of the logits: of two classes, of ten with most confidences near one, of a hundred with confidences of any size.
MODELS: dict[str, Floats] = {
    "2 classes": _shares(2, 2.0),
    "10 classes": _shares(10, 6.0),
    "100 classes": _shares(100, 2.6),
}


def _heated(temperature: float) -> Floats:
    found: Floats = special.expit(special.logit(CONFIDENCES) / temperature)
    return found


# How often an answer of each confidence is right.
TRUTHS: dict[str, Floats] = {
    "calibrated": CONFIDENCES,
    "slightly overconfident": _heated(1.1),
    "badly overconfident": _heated(1.8),
    "underconfident": _heated(0.77),
    "2 points too sure": np.maximum(CONFIDENCES - 0.02, 0.0),
    "off in waves": np.clip(CONFIDENCES + 0.03 * np.sin(8 * np.pi * CONFIDENCES), 0.001, 0.999),
    "3 points too sure above 0.8, else calibrated": np.where(CONFIDENCES > 0.8, CONFIDENCES - 0.03, CONFIDENCES),
}


@dataclass(frozen=True)
class Kind:
    """A way to measure the error: bins of the found answers, and whether gaps are squared."""

    bins: Callable[[Reliability], Reliability]
    squared: bool = False

    def measured(self, fine: Reliability, shares: Floats, accuracy: Floats) -> tuple[float, Interval | None]:
        """The true error and the interval of a simulated record."""
        bins = self.bins(fine)
        return true_error(bins, self, shares, accuracy), interval_of(bins, squared=self.squared)


class Kernel:
    """The smooth error: what is true has a width of its own."""

    def measured(self, fine: Reliability, shares: Floats, accuracy: Floats) -> tuple[float, Interval | None]:
        """The true error and the interval of a simulated record."""
        gaps = shares * (accuracy - CONFIDENCES)
        return smoothed(gaps, width_of(gaps)), kernel_interval(fine)


KINDS: dict[str, Kind | Kernel] = {
    "equal width": Kind(equal_width),
    "equal width, 10 bins": Kind(lambda bins: equal_width(bins, 10)),
    "equal mass": Kind(equal_mass),
    "debiased": Kind(equal_mass, squared=True),
    "monotone": Kind(monotone),
    "kernel": Kernel(),
}


def drawn(random: np.random.Generator, shares: Floats, accuracy: Floats, number: int) -> Reliability:
    """The fine bins of one simulated record."""
    counts = random.multinomial(number, shares)
    return Reliability(
        np.arange(FINE + 1) / FINE, counts, counts * CONFIDENCES, random.binomial(counts, accuracy).astype(np.int64)
    )


def true_error(bins: Reliability, kind: Kind, shares: Floats, accuracy: Floats) -> float:
    """The error of endless examples in the same bins."""
    starts = np.rint(bins.edges[:-1] * FINE).astype(int)
    gaps, weights = (np.add.reduceat(one, starts) for one in (shares * (accuracy - CONFIDENCES), shares))
    if not kind.squared:
        return float(np.abs(gaps).sum())
    there = weights > 0
    return float(np.sqrt((gaps[there] ** 2 / weights[there]).sum()))


@dataclass
class Held:
    """Simulated intervals, counted: all, those above the truth, those below it."""

    times: int = 0
    above: int = 0
    below: int = 0

    def add(self, truth: float, interval: Interval | None) -> None:
        if interval is None:
            raise ValueError("every record holds examples")
        self.times += 1
        self.above += interval.low > truth + 1e-12
        self.below += interval.high < truth - 1e-12

    @property
    def share(self) -> float:
        """That held the truth."""
        return 1 - (self.above + self.below) / self.times


def simulated(
    model: str, truth: str, number: int, kinds: Mapping[str, Kind | Kernel], times: int, seed: int = 0
) -> dict[str, Held]:
    """What became of so many simulated records of one model, by kind."""
    random = np.random.default_rng([seed, list(MODELS).index(model), list(TRUTHS).index(truth), number])
    shares, accuracy = MODELS[model], TRUTHS[truth]
    found = {name: Held() for name in kinds}
    for _ in range(times):
        fine = drawn(random, shares, accuracy, number)
        for name, kind in kinds.items():
            found[name].add(*kind.measured(fine, shares, accuracy))
    return found


def together(found: Sequence[Held]) -> Held:
    """As one simulation."""
    return Held(sum(one.times for one in found), sum(one.above for one in found), sum(one.below for one in found))


def rows(times: int) -> Iterator[str]:
    """Lines of the tables, each as soon as it is known."""
    for truth in TRUTHS:
        for name, kind in KINDS.items():
            shown = []
            for number in NUMBERS:
                cells = [simulated(model, truth, number, {name: kind}, times)[name] for model in MODELS]
                least, most = min(cells, key=lambda one: one.share), max(cells, key=lambda one: one.share)
                all_of = together(cells)
                shown.append(
                    f"{all_of.share:.1%} ({least.share:.1%} to {most.share:.1%}; {all_of.above} {all_of.below})"
                )
            yield f"| {truth} | {name} | {' | '.join(shown)} |\n"


if __name__ == "__main__":
    for line in rows(int(sys.argv[1])):
        sys.stdout.write(line)
        sys.stdout.flush()
