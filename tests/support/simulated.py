"""How often each 95% interval holds the truth, by simulation: worlds whose true value is known, drawn again and again.

A world gives one simulated record and its intervals; `python -m support.simulated 10000` (from `tests/`) prints the table of
docs/accuracy.md.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
from scipy import integrate, stats

from pellucid.measures.classification import STATISTICS, Tallies, scores, tallies
from pellucid.measures.confusion import SparseCounts
from pellucid.measures.curve_intervals import area_interval, average_precision_interval
from pellucid.measures.curves import average_precision, ordered, roc_area
from pellucid.measures.intervals import f1_interval, wilson
from pellucid.measures.regression import Moments, regression_scores
from pellucid.measures.temperature import TemperatureSums, _interval, fit
from pellucid.record.schema import Interval

Random = np.random.Generator
World = Callable[[Random], Mapping[str, tuple[float, Interval | None]]]

# Shares of true class by predicted class of an uneven three-class model.
SHARES = np.array([[0.38, 0.05, 0.02], [0.06, 0.22, 0.04], [0.03, 0.05, 0.15]])
ROWS, COLUMNS = (places.reshape(-1) for places in np.indices((3, 3)))
SEPARATION = 1.5


def shares(random: Random) -> dict[str, tuple[float, Interval | None]]:
    """A share anywhere between a half and almost all, of 200."""
    share = random.uniform(0.5, 0.98)
    return {"accuracy, top k, recall, precision (Wilson)": (share, wilson(int(random.binomial(200, share)), 200))}


def _drawn(random: Random, count: int) -> tuple[SparseCounts, Tallies, Tallies]:
    counts = random.multinomial(count, SHARES.reshape(-1))
    held = counts > 0
    cells = SparseCounts(ROWS[held], COLUMNS[held], counts[held])
    return cells, tallies(ROWS, COLUMNS, counts.astype(float), 3), tallies(ROWS, COLUMNS, SHARES.reshape(-1), 3)


METHODS = {"score": "score interval", "outer": "outer of two"}


def classes(random: Random) -> dict[str, tuple[float, Interval | None]]:
    """300 answers among three classes."""
    cells, seen, true = _drawn(random, 300)
    found = {
        f"{one.name} ({METHODS[one.interval.method]})": (float(STATISTICS[one.name](true)), one.interval)
        for one in scores(cells)
        if one.interval is not None
    }
    f1 = float(2 * true.right[1] / (true.support[1] + true.predicted[1]))
    found["F1 of a class (Wilson, mapped)"] = (
        f1, f1_interval(int(seen.right[1]), int(seen.support[1]), int(seen.predicted[1]))
    )  # fmt: skip
    return found


def _true_precision() -> float:
    """The average precision of endless examples: 30 in 100 are of the class, their scores normal and shifted."""

    def precision(recall: float) -> float:
        cut = stats.norm.isf(recall, SEPARATION)
        return 0.3 * recall / (0.3 * recall + 0.7 * float(stats.norm.sf(cut)))

    return float(integrate.quad(precision, 0, 1)[0])


PRECISION = _true_precision()


def curves(random: Random) -> dict[str, tuple[float, Interval | None]]:
    """200 examples, about 60 of a class, normal scores."""
    positive = random.random(200) < 0.3
    of = ordered(random.normal(SEPARATION * positive, 1), positive)
    area, precision = roc_area(of), average_precision(of)
    if area is None or precision is None:
        raise ValueError("both groups hold examples")
    return {
        "area under ROC (outer of two)": (
            float(stats.norm.cdf(SEPARATION / np.sqrt(2))),
            area_interval(of, area.value),
        ),
        "average precision (outer of two)": (PRECISION, average_precision_interval(of, precision.value)),
    }


def numbers(random: Random) -> dict[str, tuple[float, Interval | None]]:
    """200 targets of spread 2 and residuals of spread 1 about 0.3."""
    target, residual = random.normal(0, 2, 200), random.normal(0.3, 1, 200)
    listed = {one.name: one.interval for one in regression_scores(Moments.of(target, residual))}
    absolute = float(stats.foldnorm.mean(0.3))
    return {
        "R2 (delta method)": (1 - 1.09 / 4, listed["R2"]),
        "root mean squared error (delta method)": (np.sqrt(1.09), listed["root mean squared error"]),
        "mean absolute error (t)": (absolute, listed["mean absolute error"]),
        "bias (t)": (0.3, listed["bias"]),
    }


def temperatures(random: Random) -> dict[str, tuple[float, Interval | None]]:
    """300 answers of a calibrated model whose logits were doubled."""
    logits = random.normal(size=(300, 4)) * 1.5
    target = np.argmax(logits + random.gumbel(size=logits.shape), axis=1)
    sums = TemperatureSums.empty()
    sums.add(2 * logits, target)
    found = fit(sums.sums)
    if found is None:
        return {"temperature (sandwich)": (2.0, None)}
    from pellucid.measures.temperature import INVERSE

    place = int(np.argmin(np.abs(np.log(INVERSE / found[0]))))
    return {"temperature (sandwich)": (2.0, _interval(sums.sums, place, found[0]))}


@dataclass(frozen=True)
class Curves:
    """A class among others with normal scores: few of one kind, or uneven spreads.

    Attributes:
        count: examples.
        share: of them that are of the class.
        shift: of the scores of the class, whose spread is 1.
        spread: of the scores of the others.
    """

    count: int
    share: float
    shift: float
    spread: float = 1.0

    def area(self) -> float:
        """The true area under the ROC curve."""
        return float(stats.norm.cdf(self.shift / np.hypot(1.0, self.spread)))

    def precision(self) -> float:
        """The average precision of endless examples."""

        def at(recall: float) -> float:
            others = (1 - self.share) * float(stats.norm.sf(stats.norm.isf(recall, self.shift) / self.spread))
            return self.share * recall / (self.share * recall + others)

        return float(integrate.quad(at, 0, 1, limit=200)[0])

    def world(self) -> World:
        """Draws of it; both kinds occur in each."""
        truths = {"area": self.area(), "average precision": self.precision()}

        def drawn(random: Random) -> dict[str, tuple[float, Interval | None]]:
            positive = random.random(self.count) < self.share
            if positive.all() or not positive.any():
                return drawn(random)
            of = ordered(
                np.where(positive, self.shift, 0.0) + random.normal(0, np.where(positive, 1.0, self.spread)), positive
            )
            area, precision = roc_area(of), average_precision(of)
            if area is None or precision is None:
                raise ValueError("both groups hold examples")
            ends = (area_interval(of, area.value), average_precision_interval(of, precision.value))
            return {name: (truth, end) for (name, truth), end in zip(truths.items(), ends, strict=True)}

        return drawn


CASES = (
    Curves(300, 0.03, 1),
    Curves(300, 0.03, 2),
    Curves(1000, 0.01, 2),
    Curves(2000, 0.005, 1),
    Curves(300, 0.9, 2),
    Curves(300, 0.95, 3),
    Curves(200, 0.5, 3),
    Curves(100, 0.5, 4),
    Curves(300, 0.5, 2, 3),
    Curves(300, 0.9, 0.5, 3),
    Curves(300, 0.1, 1.5, 0.2),
    Curves(300, 0.95, 4, 3),
)

WORLDS: tuple[World, ...] = (shares, classes, curves, numbers, temperatures)


def coverage(world: World, times: int, seed: int = 0) -> dict[str, float]:
    """Share of the simulated records whose interval holds the truth, by name of the interval; one that is not there does not."""
    random = np.random.default_rng(seed)
    held: dict[str, int] = {}
    for _ in range(times):
        for name, (truth, interval) in world(random).items():
            held[name] = held.get(name, 0) + (interval is not None and interval.low <= truth <= interval.high)
    return {name: count / times for name, count in held.items()}


if __name__ == "__main__":
    for one in WORLDS:
        for name, share in coverage(one, int(sys.argv[1])).items():
            sys.stdout.write(f"| {name} | {share:.1%} |\n")
    for case in CASES:
        found = coverage(case.world(), int(sys.argv[1]))
        sys.stdout.write(
            f"| {case.count:,} | {case.share:.1%} | {case.shift:g} | {case.spread:g} | {found['area']:.1%} | "
            f"{found['average precision']:.1%} |\n"
        )
