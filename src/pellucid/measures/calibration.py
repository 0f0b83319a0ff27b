"""Calibration: does a confidence of 90% mean nine right answers in ten?

Confidences are counted in fine bins of equal width, from which every coarser kind of bin is made: equal width, equal mass,
as many as stay in order, and those of a kernel.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

from pellucid.measures.calibration_intervals import Gaps, error_interval
from pellucid.measures.intervals import normal_quantile, wilson
from pellucid.record.schema import CalibrationBin, Interval

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]

BINS = 15

# 200 fine bins in each of the 15: equal-width bins of 5, 10, 15, 20 and 30 are made of whole ones.
FINE = 3000


def bin_of(confidences: NDArray[np.floating], bins: int = BINS) -> Integers:
    """Equal-width bin of each confidence: bin i holds (i/bins, (i+1)/bins], the first one 0 too.

    A confidence of exactly 1.0 falls in the last bin, never beyond it.
    """
    index = np.ceil(confidences.astype(np.float64) * bins).astype(np.int64) - 1
    return np.clip(index, 0, bins - 1)


@dataclass(frozen=True)
class Reliability:
    """Bins of confidence, lowest first.

    Attributes:
        edges: float64[bin + 1], from 0 to 1.
        counts: int64[bin], examples.
        confidences: float64[bin], sums of their confidences.
        correct: int64[bin], right answers among them.
    """

    edges: Floats
    counts: Integers
    confidences: Floats
    correct: Integers

    @classmethod
    def empty(cls, number: int) -> Self:
        """That many bins of equal width without an example."""
        nothing = np.zeros(number, np.int64)
        return cls(np.arange(number + 1) / number, nothing, np.zeros(number), nothing)

    @property
    def total(self) -> int:
        """Examples in all."""
        return int(self.counts.sum())

    def to_schema(self) -> list[CalibrationBin]:
        """The bins of the reliability diagram."""
        rows = zip(self.edges[:-1], self.edges[1:], self.counts, self.confidences, self.correct, strict=True)
        return [
            CalibrationBin(
                low=float(low),
                high=float(high),
                count=int(count),
                confidence=float(confidence) / int(count) if count else None,
                accuracy=int(right) / int(count) if count else None,
                interval=wilson(int(right), int(count)),
            )
            for low, high, count, confidence, right in rows
        ]


def reliability(
    counts: Integers, confidence_sums: Floats, correct: Integers
) -> tuple[list[CalibrationBin], float | None]:
    """Bins of the reliability diagram and the expected calibration error.

    Args:
        counts: int64[bin] examples, bins of equal width.
        confidence_sums: float64[bin] sums of their confidences.
        correct: int64[bin] right answers among them.

    Returns: the bins, and sum over bins of count/total * |accuracy - mean confidence|; None without examples.
    Source: Naeini, Cooper & Hauskrecht 2015, AAAI; Guo et al. 2017, arXiv:1706.04599, eq. 3.
    """
    bins = Reliability(np.arange(len(counts) + 1) / len(counts), counts, confidence_sums, correct)
    return bins.to_schema(), expected_error(bins)


def expected_error(bins: Reliability) -> float | None:
    """Mean distance of accuracy from confidence over bins, weighted by their examples; None without examples."""
    total = bins.total
    return float(np.abs(bins.correct - bins.confidences).sum()) / total if total else None


def equal_width(bins: Reliability, number: int = BINS) -> Reliability:
    """Coarser bins of equal width. `number` divides that of the fine ones."""
    return grouped(bins, range(0, len(bins.counts) + 1, len(bins.counts) // number))


def equal_mass(bins: Reliability, number: int = BINS) -> Reliability:
    """Coarser bins of about as many examples each, cut between fine ones; fewer where a fine bin holds more than a share.

    A bin ends at the fine bin in which the next multiple of total / number is reached.

    Source: adaptive bins of Nixon et al. 2019, arXiv:1904.01685; Nguyen & O'Connor 2015, EMNLP.
    """
    reached = np.cumsum(bins.counts)
    wanted = np.arange(1, number) * (bins.total / number)
    cuts = np.searchsorted(reached, wanted, side="left") + 1
    return grouped(bins, np.unique(np.concatenate([[0], cuts, [len(bins.counts)]])).tolist())


def grouped(bins: Reliability, cuts: Iterable[int]) -> Reliability:
    """Neighbouring bins added up between `cuts`, which begin with 0 and end with the number of bins."""
    places = np.array(list(cuts))
    starts = places[:-1]
    return Reliability(
        bins.edges[places],
        np.add.reduceat(bins.counts, starts),
        np.add.reduceat(bins.confidences, starts),
        np.add.reduceat(bins.correct, starts),
    )


def monotone(bins: Reliability, most: int = 100) -> Reliability:
    """The most equal-mass bins whose accuracies are in order, as a calibrated model's must be: less biased than a fixed number.

    Source: Roelofs et al. 2022, AISTATS, arXiv:2012.08668, algorithm 1 (ECE_sweep).
    """
    kept = equal_mass(bins, 1)
    for number in range(2, most + 1):
        tried = equal_mass(bins, number)
        filled = tried.counts > 0
        accuracy = tried.correct[filled] / tried.counts[filled]
        if np.any(np.diff(accuracy) < 0):
            break
        kept = tried
    return kept


def debiased_error(bins: Reliability) -> float | None:
    """Root of the mean squared distance, less what chance alone puts into each bin; 0 where chance explains more than there is.

    Bins of one example are left out, their chance is not known; None without a bin of two.

    Source: Kumar, Liang & Ma 2019, NeurIPS, arXiv:1909.10155, definition 5.1.
    """
    enough = bins.counts > 1
    counts = bins.counts[enough].astype(np.float64)
    if not len(counts):
        return None
    accuracy, confidence = bins.correct[enough] / counts, bins.confidences[enough] / counts
    squares = (accuracy - confidence) ** 2 - accuracy * (1 - accuracy) / (counts - 1)
    return math.sqrt(max(0.0, float((counts * squares).sum() / counts.sum())))


def chance(bins: Reliability) -> tuple[float | None, float | None]:
    """What the expected calibration error of a perfectly calibrated model would be: on average, and at most in 19 of 20 times.

    Each bin's distance is then that of a binomial share from its mean: half normal, with variance c (1 - c) / count.

    Source: the consistency bars of Brocker & Smith 2007, Weather and Forecasting 22:651, as a sum.
    """
    total = bins.total
    if not total:
        return None, None
    filled = bins.counts > 0
    counts = bins.counts[filled]
    confidence = bins.confidences[filled] / counts
    deviations = np.sqrt(counts * np.maximum(confidence * (1 - confidence), 0.0)) / total
    mean = math.sqrt(2 / math.pi) * float(deviations.sum())
    spread = math.sqrt((1 - 2 / math.pi) * float((deviations**2).sum()))
    return mean, mean + normal_quantile(0.95) * spread


def interval_of(bins: Reliability, *, squared: bool = False) -> Interval | None:
    """The 95% interval of the model's own error in these bins; None without examples.

    Args:
        bins: whose edges do not depend on the right answers, or as those of `monotone` do: in simulations as many intervals hold.
        squared: of the root of the mean squared distance, over bins of two examples and more, rather than of the mean one.
    """
    enough = bins.counts > (1 if squared else 0)
    counts = bins.counts[enough].astype(np.float64)
    confidence, accuracy = bins.confidences[enough] / counts, bins.correct[enough] / counts
    return error_interval(Gaps(counts, np.minimum(confidence, 1.0), accuracy, squared))
