"""Temperature scaling without the logits: the loss at a fixed row of temperatures is a sum, and sums merge.

Examples fall into two halves by their rows and the seed. On the first the temperature is fitted, on the second it is tried.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

from pellucid.measures.calibration import BINS, Reliability, bin_of, expected_error
from pellucid.measures.intervals import LEVEL, mean_interval, normal_quantile
from pellucid.record.schema import Interval, Temperature

Floats = NDArray[np.float64]

# Four temperatures an octave, from 1/8 to 16: their reciprocals, ascending.
OCTAVES = (-4, 3)
STEPS = 4
INVERSE = np.array([2.0 ** (OCTAVES[0] + step / STEPS) for step in range((OCTAVES[1] - OCTAVES[0]) * STEPS + 1)])
ONE = int(np.flatnonzero(INVERSE == 1.0)[0])

# With more classes than this a share of the examples is looked at, at least one in sixteen; all where they have no more scores.
MOST_CLASSES = 64
MOST_SCORES = 1 << 23

# Numbers that are held at once.
CHUNK = 1 << 18

LOSS, SLOPE, CURVATURE, SLOPES_SQUARED, GAIN, GAIN_SQUARED = range(6)


def share_of(classes: int, examples: int | None = None) -> float:
    """Share of the examples that are looked at; `examples` there are, where it is known beforehand."""
    if examples is not None and examples * classes <= MOST_SCORES:
        return 1.0
    return max(1 / 16, min(1.0, MOST_CLASSES / max(classes, 1)))


def keys(rows: NDArray[np.int64], seed: int) -> Floats:
    """A number in [0, 1) for each row, mixed with the seed. Source: the finaliser of SplitMix64, Steele et al. 2014."""
    with np.errstate(over="ignore"):
        mixed = rows.astype(np.uint64) + np.uint64(seed * 0x9E3779B97F4A7C15 % 2**64) + np.uint64(0x9E3779B97F4A7C15)
        mixed = (mixed ^ (mixed >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        mixed = (mixed ^ (mixed >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        mixed = mixed ^ (mixed >> np.uint64(31))
    return (mixed >> np.uint64(11)).astype(np.float64) / 2.0**53


@dataclass
class TemperatureSums:
    """Sums over one half at every kept temperature.

    Attributes:
        count: examples.
        sums: float64[6 temperature], of the loss, its first two derivatives by the inverse temperature, the square of the first,
            what the loss falls from temperature 1, and its square.
        counts, correct: int64[temperature bin]; confidences: float64[temperature bin].
    """

    count: int
    sums: Floats
    counts: NDArray[np.int64]
    correct: NDArray[np.int64]
    confidences: Floats

    @classmethod
    def empty(cls) -> Self:
        """Nothing yet."""
        number = len(INVERSE)
        whole = np.zeros((number, BINS), np.int64)
        return cls(0, np.zeros((6, number)), whole, whole.copy(), np.zeros((number, BINS)))

    def add(self, logits: NDArray[np.floating], targets: NDArray[np.int64]) -> None:
        """Counts examples in. `logits` is float[example class]; that of the target is finite."""
        rows = max(1, CHUNK // max(logits.shape[1], 1))
        for start in range(0, len(targets), rows):
            self._add(logits[start : start + rows].astype(np.float64), targets[start : start + rows])

    def _add(self, logits: Floats, targets: NDArray[np.int64]) -> None:
        best = logits.max(axis=1)
        # A probability of 0 stays 0 at every temperature; minus infinity times 0 would be no number.
        below = np.maximum(logits - best[:, None], -1e6)
        own = below[np.arange(len(targets)), targets]
        # numpy.argmax takes the first of equal ones, as the predictions do.
        right = logits.argmax(axis=1) == targets
        places: list[tuple[int, Floats, Floats, Floats]] = []
        for fraction in range(STEPS):
            powers = np.exp(below * INVERSE[fraction])
            for place in range(fraction, len(INVERSE), STEPS):
                places.append((place, *_expectations(powers, below)))
                powers = powers * powers
        at_one = next(np.log(sums) - own for place, sums, _, _ in places if place == ONE)
        self.count += len(targets)
        for place, sums, first, second in places:
            loss = np.log(sums) - INVERSE[place] * own
            slope = first - own
            found = (loss, slope, second - first**2, slope**2, at_one - loss, (at_one - loss) ** 2)
            self.sums[:, place] += [float(values.sum()) for values in found]
            confidence = 1.0 / sums
            bins = bin_of(confidence)
            self.counts[place] += np.bincount(bins, minlength=BINS)
            self.correct[place] += np.bincount(bins[right], minlength=BINS)
            self.confidences[place] += np.bincount(bins, weights=confidence, minlength=BINS)

    def merged(self, other: Self) -> TemperatureSums:
        """Both together."""
        return TemperatureSums(
            self.count + other.count,
            self.sums + other.sums,
            self.counts + other.counts,
            self.correct + other.correct,
            self.confidences + other.confidences,
        )

    def reliability(self, place: int) -> Reliability:
        """Equal-width bins at one kept temperature."""
        edges = np.arange(BINS + 1) / BINS
        return Reliability(edges, self.counts[place], self.confidences[place], self.correct[place])


def _expectations(powers: Floats, below: Floats) -> tuple[Floats, Floats, Floats]:
    sums = powers.sum(axis=1)
    weighted = powers * below
    first = weighted.sum(axis=1) / sums
    second = np.einsum("ij,ij->i", weighted, below) / sums
    return sums, first, second


def fit(sums: Floats) -> tuple[float, float] | None:
    """The inverse temperature of least loss, and how far interpolation may have moved its logarithm; None where none is.

    The loss is convex in the inverse temperature: its slope crosses zero once. Between two kept values the slope is the cubic that
    has its values and derivatives there, in the logarithm; the error is how far the cubic of steps twice as wide lies from it.
    """
    slopes, curvatures = sums[SLOPE], sums[CURVATURE]
    crossing = np.flatnonzero((slopes[:-1] < 0) & (slopes[1:] >= 0))
    if not len(crossing):
        return None
    low = int(crossing[0])
    found = _zero(low, low + 1, slopes, curvatures)
    wide = [(low - 1, low + 1), (low, low + 2)]
    others = [
        _zero(start, end, slopes, curvatures)
        for start, end in wide
        if start >= 0 and end < len(INVERSE) and slopes[start] < 0 <= slopes[end]
    ]
    return math.exp(found), max((abs(other - found) for other in others), default=math.log(2) / STEPS)


def _zero(low: int, high: int, slopes: Floats, curvatures: Floats) -> float:
    start, end = math.log(INVERSE[low]), math.log(INVERSE[high])
    length = end - start
    first, last = (float(curvatures[place] * INVERSE[place]) * length for place in (low, high))
    below, above = 0.0, 1.0
    for _ in range(60):
        t = (below + above) / 2
        value = (
            (1 + 2 * t) * (1 - t) ** 2 * float(slopes[low])
            + t * (1 - t) ** 2 * first
            + t * t * (3 - 2 * t) * float(slopes[high])
            + t * t * (t - 1) * last
        )
        below, above = (t, above) if value < 0 else (below, t)
    return start + length * (below + above) / 2


def temperature(fitted: TemperatureSums, tested: TemperatureSums, share: float = 1.0) -> Temperature | None:
    """What fitting on one half does on the other; None where a half is empty or its loss falls without end.

    Source: Guo et al. 2017, arXiv:1706.04599, section 4.2.
    """
    found = fit(fitted.sums) if fitted.count else None
    if found is None or not tested.count:
        return None
    inverse, moved = found
    place = int(np.argmin(np.abs(np.log(INVERSE) - math.log(inverse))))
    count = tested.count
    gain, squares = float(tested.sums[GAIN, place]), float(tested.sums[GAIN_SQUARED, place])
    before, after = tested.reliability(ONE), tested.reliability(place)
    losses = tested.sums[LOSS] / count
    return Temperature(
        temperature=1 / inverse,
        interval=_interval(fitted.sums, place, inverse),
        error=math.expm1(moved) / inverse,
        applied=float(1 / INVERSE[place]),
        fitted=fitted.count,
        tested=count,
        loss_before=float(losses[ONE]),
        loss_after=float(losses[place]),
        gain=gain / count,
        gain_interval=mean_interval(count, gain, squares - gain * gain / count),
        ece_before=expected_error(before),
        ece_after=expected_error(after),
        calibration=after.to_schema(),
        temperatures=[float(1 / value) for value in INVERSE[::-1]],
        losses=losses[::-1].tolist(),
        share=share,
    )


def _interval(sums: Floats, place: int, inverse: float) -> Interval | None:
    """Of the temperature: the sandwich of an M-estimate, on the logarithm, with the sums at the nearest kept one."""
    curvature = float(sums[CURVATURE, place]) * float(INVERSE[place])
    if curvature <= 0:
        return None
    half = normal_quantile(0.5 + LEVEL / 2) * math.sqrt(float(sums[SLOPES_SQUARED, place])) / curvature
    return Interval(math.exp(-half) / inverse, math.exp(half) / inverse, LEVEL, "sandwich")
