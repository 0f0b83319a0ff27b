"""The smooth calibration error, and its interval.

The gap between accuracy and confidence is smoothed over confidence by a Gaussian whose width is the error that it finds. Its
interval needs no second width: an error falls as the width grows, so that the found error exceeds a value exactly where the gaps,
smoothed by that value, do. Smoothed by the found error, the gaps are sums over examples and jointly nearly normal: bins that
overlap, for the same test inversion as bins that do not.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property
from typing import Self

import numpy as np
from numpy.typing import NDArray

from pellucid.measures.calibration import Reliability
from pellucid.measures.calibration_intervals import Gaps, error_interval, folded
from pellucid.record.schema import Interval

Floats = NDArray[np.float64]

# Standard deviations at which a kernel is cut off.
REACH = 6.0
# Cells of equal width that are smoothed.
GRID = 600
# Terms of the covariance of absolute values.
_ORDERS = 4
# The least share of all examples at a point; beyond is the end of a kernel's tail.
_LEAST_SHARE = 1e-9
# The least chance in an answer, where confidences are 0 or 1; and the least variance of an absolute value by the value's own.
_LEAST_CHANCE = 1e-9
_LEAST_FOLDED = 1e-9


def kernel_error(bins: Reliability) -> float | None:
    """Smooth calibration error: the gap smoothed over confidence by a Gaussian whose width is the error that it finds.

    Args:
        bins: fine ones; their width limits how narrow the kernel may be.

    Source: Blasiok & Nakkiran 2023, arXiv:2309.12236, definition 5 and theorem 8: reflected Gaussian kernel.
    """
    if not bins.total:
        return None
    gaps = _in_cells(bins.correct - bins.confidences) / bins.total
    return smoothed(gaps, width_of(gaps))


def kernel_interval(bins: Reliability) -> Interval | None:
    """The 95% interval of the model's own smooth calibration error; None without examples.

    Its ends are errors under the found width. A wider kernel finds less: the true error, at a width of its own, lies between the
    found one and the true one under the found width.
    """
    if not bins.total:
        return None
    return error_interval(Smoothed.of(bins, width_of(_in_cells(bins.correct - bins.confidences) / bins.total)))


def width_of(gaps: Floats) -> float:
    """The width at which width and error meet; float64[cell] gaps times shares of the examples."""
    low, high = 1 / GRID, 1.0
    # The error falls as the width grows and the width grows with itself: they meet once.
    for _ in range(12):
        middle = (low + high) / 2
        low, high = (middle, high) if smoothed(gaps, middle) > middle else (low, middle)
    return (low + high) / 2


def smoothed(gaps: Floats, width: float) -> float:
    """Integral of |gaps * kernel|, the kernel reflected at 0 and 1."""
    number = len(gaps)
    reach = math.ceil(REACH * width * number)
    weights = np.exp(-0.5 * (np.arange(-reach, reach + 1) / number / width) ** 2)
    line = np.convolve(gaps, weights / weights.sum())
    # Position i of `line` lies at i - reach; what falls outside [0, 1) is folded back about the ends, as often as it takes.
    places = (np.arange(len(line)) - reach) % (2 * number)
    places = np.where(places < number, places, 2 * number - 1 - places)
    return float(np.abs(np.bincount(places, weights=line, minlength=number)).sum())


def _in_cells(values: NDArray[np.number]) -> Floats:
    return np.add.reduceat(values.astype(np.float64), np.arange(0, len(values), len(values) // GRID))


@dataclass(frozen=True, kw_only=True)
class Smoothed(Gaps):
    """Bins that overlap: what a kernel sees from each of some points, no farther apart than it is wide.

    A sum over points that are so near is the integral, as what is summed is smooth at the kernel's width.

    Attributes:
        counts: float64[bin], as many examples of one weight would make a mean vary as much.
        weighed: float64[bin], shares of all examples.
        examples: in all.
        correlations: float64[bin bin], of what chance adds to two bins.
    """

    weighed: Floats
    examples: float
    correlations: Floats

    @classmethod
    def of(cls, bins: Reliability, width: float) -> Self:
        """What a kernel of that width sees of fine bins."""
        counts, confidences, correct = (_in_cells(one) for one in (bins.counts, bins.confidences, bins.correct))
        kernel = _kernel(width)
        mass = kernel @ counts / bins.total
        kernel, mass = kernel[mass > _LEAST_SHARE], mass[mass > _LEAST_SHARE]
        said = confidences / np.maximum(counts, 1)
        covariance = (kernel * (counts * np.maximum(said * (1 - said), _LEAST_CHANCE))) @ kernel.T
        deviations = np.sqrt(np.diag(covariance))
        return cls(
            bins.total * mass**2 / (kernel**2 @ counts / bins.total),
            np.minimum(kernel @ confidences / bins.total / mass, 1.0),
            np.clip(kernel @ correct / bins.total / mass, 0.0, 1.0),
            weighed=mass,
            examples=float(bins.total),
            correlations=covariance / np.outer(deviations, deviations),
        )

    @property
    def shares(self) -> Floats:
        """Of all examples, float64[bin]."""
        return self.weighed

    @property
    def number(self) -> float:
        """Examples in all."""
        return self.examples

    @cached_property
    def powers(self) -> Floats:
        """Of the correlations, float64[order bin bin], over the order's factorial."""
        return np.stack([self.correlations**order / math.factorial(order) for order in range(1, _ORDERS + 1)])

    def of_sum(self, means: Floats, deviations: Floats) -> tuple[float, float, float]:
        """Mean, variance and third central moment of the sum of the absolute values of jointly normal ones.

        The covariance of |X| and |Y| is a sum over orders n of E |X|^(n) E |Y|^(n) covariance(X, Y)^n / n!, derivatives of the
        absolute value; the third moment is that of groups of bins that go up and down together, as many as the variance tells,
        times what a Gaussian of a distance summed twice has less than such a group.

        Args:
            means: float64[bin], of normal values.
            deviations: float64[bin], theirs.

        Source: Price 1958, IRE Transactions on Information Theory 4:69 (the sum).
        """
        mean, variances, thirds = folded(means, deviations)
        covariances = np.zeros_like(means)
        for power, derivative in zip(self.powers, derivatives(means, deviations), strict=True):
            covariances += derivative * (power @ derivative)
        alone = variances > _LEAST_FOLDED * deviations**2
        together = np.where(alone, np.maximum(covariances, 0.0), 0.0) / np.where(alone, variances, 1.0)
        third = 2 / math.sqrt(3) * float((thirds * together**2).sum())
        return float(mean.sum()), float(covariances.sum()), third

    def spread(self, weights: Floats) -> float:
        """Variance of the sum of so many times each gap, by `variances`."""
        deviations = weights * np.sqrt(self.variances)
        return float(deviations @ self.correlations @ deviations)

    def signed(self, sizes: Floats, level: float) -> Floats:
        """Likely sizes of the gaps with the sign of their weighted mean.

        Bins that overlap go up and down together, so that the error varies most where all gaps have one sign.
        """
        return -sizes if level < 0 else sizes


def _kernel(width: float) -> Floats:
    """How much of each cell lies at each point, float64[point cell]; a cell's shares sum to 1."""
    number = min(GRID, math.ceil(1 / width))
    points, cells = (np.arange(number) + 0.5)[:, None] / number, (np.arange(GRID) + 0.5)[None] / GRID
    found = np.zeros((number, GRID))
    # Both ends are mirrors: the images of a cell that a kernel reaches.
    images = math.ceil(REACH * width / 2) + 1
    for image in range(-images, images + 1):
        for mirrored in (cells, -cells):
            found += np.exp(-0.5 * ((points - 2 * image - mirrored) / width) ** 2)
    found /= found.sum(axis=0)
    return found


def derivatives(means: Floats, deviations: Floats) -> tuple[Floats, ...]:
    """What is expected of the first four derivatives of |X|, times the deviation to that power; float64[value] each."""
    from scipy import special  # scipy.stats takes a second to import

    safe = np.maximum(deviations, 1e-300)
    away = means / safe
    density = 2 * deviations * np.exp(-0.5 * away**2) / math.sqrt(2 * math.pi)
    return deviations * special.erf(away / math.sqrt(2)), density, -away * density, (away**2 - 1) * density
