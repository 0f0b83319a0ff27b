"""How far numbers are from their targets: R2, mean errors and bias, from moments that merge."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Self

import numpy as np
from numpy.typing import NDArray

from pellucid.measures.intervals import LEVEL, mean_interval, normal_quantile
from pellucid.record.schema import Interval, Score

Floats = NDArray[np.float64]

# Powers of target and residual that are summed: the variance of R2 needs the fourth.
ORDER = 5


@dataclass(frozen=True)
class Moments:
    """Sums over pairs of a target and a residual (output less target).

    Attributes:
        count: examples.
        means: float64[2], of targets and residuals.
        sums: float64[5 5], sums of (target - mean)^a (residual - mean)^b for a + b <= 4.
        absolute: sum of the absolute residuals.
    """

    count: int = 0
    means: Floats = field(default_factory=lambda: np.zeros(2))
    sums: Floats = field(default_factory=lambda: np.zeros((ORDER, ORDER)))
    absolute: float = 0.0

    @classmethod
    def of(cls, target: Floats, residual: Floats) -> Self:
        """Moments of finite targets and residuals, float64[example] each."""
        if not len(target):
            return cls()
        means = np.array([target.mean(), residual.mean()])
        sums = np.zeros((ORDER, ORDER))
        for a in range(ORDER):
            for b in range(ORDER - a):
                sums[a, b] = float(((target - means[0]) ** a * (residual - means[1]) ** b).sum())
        return cls(len(target), means, sums, float(np.abs(residual).sum()))

    def merged(self, other: Self) -> Moments:
        """Of both together. Source: Pebay 2008, report SAND2008-6212: the binomial theorem about the new mean."""
        if not self.count or not other.count:
            return other if other.count else self
        count = self.count + other.count
        means = (self.count * self.means + other.count * other.means) / count
        sums = _about(self.sums, self.means - means) + _about(other.sums, other.means - means)
        return Moments(count, means, sums, self.absolute + other.absolute)

    @property
    def squared(self) -> float:
        """Sum of the squared residuals."""
        return float(self.sums[0, 2]) + self.count * float(self.means[1]) ** 2

    @property
    def fourth(self) -> float:
        """Sum of the fourth powers of the residuals."""
        bias = float(self.means[1])
        return float(
            self.sums[0, 4] + 4 * bias * self.sums[0, 3] + 6 * bias**2 * self.sums[0, 2] + self.count * bias**4
        )


def _about(sums: Floats, shift: Floats) -> Floats:
    moved = np.zeros_like(sums)
    for a in range(ORDER):
        for b in range(ORDER - a):
            for i in range(a + 1):
                for j in range(b + 1):
                    weight = math.comb(a, i) * math.comb(b, j) * shift[0] ** (a - i) * shift[1] ** (b - j)
                    moved[a, b] += weight * sums[i, j]
    return moved


NAMES = ("R2", "root mean squared error", "mean absolute error", "bias")


def regression_scores(of: Moments) -> list[Score]:
    """R2, root mean squared error, mean absolute error and bias (mean residual), each with its interval.

    R2 is 1 - sum(residual^2) / sum((target - mean)^2), not defined where all targets are equal.
    """
    if not of.count:
        return [Score(name, None, None, 0, "no example has both a target and a finite output") for name in NAMES]
    total = of.count * float(of.means[1])
    absolute = mean_interval(of.count, of.absolute, of.squared - of.absolute**2 / of.count)
    if absolute is not None:
        # No mean of absolute values is negative: cut at 0 the interval holds the truth as often.
        absolute = Interval(max(0.0, absolute.low), absolute.high, absolute.level, absolute.method)
    return [
        _r2(of),
        _root(of),
        Score(NAMES[2], of.absolute / of.count, absolute, of.count),
        Score(NAMES[3], float(of.means[1]), mean_interval(of.count, total, float(of.sums[0, 2])), of.count),
    ]


def _r2(of: Moments) -> Score:
    spread = float(of.sums[2, 0])
    if spread <= 0:
        return Score(NAMES[0], None, None, of.count, "all targets are equal, so that there is no spread to explain")
    ratio = of.squared / spread
    if ratio <= 0 or of.count < 3:
        return Score(NAMES[0], 1 - ratio, None, of.count)
    # The influence of an example on the ratio is (residual^2 - ratio (target - mean)^2) / (spread / count).
    bias = float(of.means[1])
    mixed = float(of.sums[2, 2] + 2 * bias * of.sums[2, 1] + bias**2 * of.sums[2, 0])
    total = of.fourth - 2 * ratio * mixed + ratio**2 * float(of.sums[4, 0])
    # On the logarithm of the ratio, which is positive and skewed.
    half = normal_quantile(0.5 + LEVEL / 2) * math.sqrt(max(total, 0.0)) / spread / ratio
    ends = (1 - ratio * math.exp(half), 1 - ratio * math.exp(-half))
    return Score(NAMES[0], 1 - ratio, Interval(*ends, LEVEL, "delta"), of.count)


def _root(of: Moments) -> Score:
    mean = of.squared / of.count
    value = math.sqrt(mean)
    if of.count < 3 or mean <= 0:
        return Score(NAMES[1], value, None, of.count)
    variance = max(of.fourth / of.count - mean**2, 0.0) / of.count
    half = normal_quantile(0.5 + LEVEL / 2) * math.sqrt(variance) / mean / 2
    ends = (value * math.exp(-half), value * math.exp(half))
    return Score(NAMES[1], value, Interval(*ends, LEVEL, "delta"), of.count)
