"""ROC and precision-recall curves of one class against the others, exact from scores or bounded from bins.

A curve needs, for every distinct score from the highest down, how many examples of the class and how many others have it. With
one entry a distinct score everything is exact. With bins a pair inside one bin is in no known order unless all there are equal, and
of a sample of the others it is not quite known how many are ahead: the areas come with the bound that this puts on them.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Ordered:
    """Examples by score, highest first.

    Attributes:
        scores: float64[place], the (lowest) score of each place, descending.
        positives, negatives: int64[place], examples of the class and others at that score.
        weights: float64[place], how many others each of those counted stands for: 1 from the highest place down to where they are a
            sample, one number below; None where all are counted.
        mixed: bool[place], whether a place stands for scores that differ; None where none does.
    """

    scores: Floats
    positives: NDArray[np.int64]
    negatives: NDArray[np.int64]
    weights: Floats | None = None
    mixed: NDArray[np.bool_] | None = None

    @cached_property
    def others(self) -> Floats:
        """How many others there are at each place, by those counted."""
        return self.negatives.astype(np.float64) if self.weights is None else self.negatives * self.weights

    @cached_property
    def unordered(self) -> NDArray[np.bool_]:
        """`mixed`, where it is None too."""
        return np.zeros(len(self.scores), np.bool_) if self.mixed is None else self.mixed

    @cached_property
    def ahead(self) -> tuple[Floats, Floats, Floats]:
        """How many others are before each place, and after the last, float64[place + 1]: as counted, at least, and at most.

        Of a sample, the score interval of a Poisson mean; never fewer than were seen, nor more than there are.
        """
        return _ahead(self)


@dataclass(frozen=True)
class Area:
    """An area, and how far it may lie from the exact one."""

    value: float
    error: float


def ordered(scores: Floats, positive: NDArray[np.bool_]) -> Ordered:
    """Exact counts from scores: one place a distinct score.

    Args:
        scores: float[example], higher where the class is more probable; finite.
        positive: bool[example], whether the example is of the class.
    """
    distinct, place = np.unique(-scores.astype(np.float64), return_inverse=True)
    return Ordered(
        -distinct,
        np.bincount(place[positive], minlength=len(distinct)).astype(np.int64),
        np.bincount(place[~positive], minlength=len(distinct)).astype(np.int64),
    )


def roc(of: Ordered) -> tuple[Floats, Floats] | None:
    """False and true positive rates at every threshold from above the highest score, float64[place + 1]; None without both."""
    if not of.positives.any() or not of.negatives.any():
        return None
    false, true = (np.concatenate([[0], np.cumsum(counts)]) for counts in (of.others, of.positives))
    return false / false[-1], true / true[-1]


def precision_recall(of: Ordered) -> tuple[Floats, Floats] | None:
    """Precision and recall at every threshold that calls something positive, float64[place]; None without a positive."""
    positives = int(of.positives.sum())
    if not positives:
        return None
    true, called = np.cumsum(of.positives), np.cumsum(of.positives + of.others)
    something = called > 0
    return true[something] / called[something], true[something] / positives


def roc_area(of: Ordered) -> Area | None:
    """Probability that an example of the class scores higher than another, equal scores counting half; None without both.

    Where a place is mixed, or others are a sample, the exact value is at most `error` away: half of the pairs whose two examples
    share such a place, and what three standard errors of the number of others ahead allow.

    Source: Hanley & McNeil 1982, Radiology 143:29.
    """
    found, fewest, most = of.ahead
    pairs = float(of.positives.sum()) * float(found[-1])
    if not pairs:
        return None

    def area(above: Floats, through: Floats) -> float:
        return 1 - float((of.positives * (above + through) / 2).sum()) / pairs

    value = area(found[:-1], found[1:])
    high = area(fewest[:-1], np.where(of.unordered, fewest[:-1], fewest[1:]))
    low = area(np.where(of.unordered, most[1:], most[:-1]), most[1:])
    return Area(value, max(high - value, value - low, 0.0))


def average_precision(of: Ordered) -> Area | None:
    """Sum over thresholds of precision times the recall gained there; None without a positive.

    Where a place is mixed it is the middle between the best and the worst order there; `error` is how far the exact value may be
    from it, with three standard errors of the number of others ahead where those are a sample.

    Source: Manning, Raghavan & Schutze 2008, Introduction to Information Retrieval, section 8.4; no interpolation.
    """
    positives = int(of.positives.sum())
    if not positives:
        return None
    true = np.cumsum(of.positives)
    found, fewest, most = of.ahead

    def together(false: Floats) -> Floats:
        return of.positives * true / np.maximum(true + false, 1.0)

    # Best where all of the class come first with one score, worst where they come last one after the other.
    def best(false: Floats) -> float:
        return float(together(np.where(of.unordered, false[:-1], false[1:])).sum()) / positives

    def worst(false: Floats) -> float:
        last = _precisions(of.positives, true - of.positives, false[1:])
        return float(np.where(of.unordered, last, together(false[1:])).sum()) / positives

    value = (best(found) + worst(found)) / 2
    return Area(value, max(best(fewest) - value, value - worst(most), 0.0))


# Standard errors that the number of others ahead may be off where they are a sample.
_DEVIATIONS = 3.0


def _ahead(of: Ordered) -> tuple[Floats, Floats, Floats]:
    found = np.concatenate([[0.0], np.cumsum(of.others)])
    if of.weights is None or not (of.weights != 1).any():
        return found, found, found
    drawn = np.concatenate([[0.0], np.cumsum(np.where(of.weights != 1, of.negatives, 0))])
    known = np.concatenate([[0.0], np.cumsum(np.where(of.weights != 1, 0, of.negatives))])
    weight = float(of.weights[-1])
    middle, half = drawn + _DEVIATIONS**2 / 2, _DEVIATIONS * np.sqrt(drawn + _DEVIATIONS**2 / 4)
    fewest = np.clip(weight * (middle - half), drawn, weight * drawn[-1])
    most = np.minimum(weight * (middle + half), weight * drawn[-1])
    # Before the sample begins all are counted.
    before = np.concatenate([[True], of.weights == 1])
    return found, known + np.where(before, 0.0, fewest), known + np.where(before, 0.0, most)


def _precisions(positives: NDArray[np.int64], before: NDArray[np.int64], false: Floats) -> Floats:
    """Of each place the sum over its positives, one after the other, of the precision there, `false` others being ahead of all."""
    from scipy.special import digamma

    first = before + false + 1.0
    # sum over j = 1..m of (T + j) / (T + j + F) = m - F (digamma(T + F + m + 1) - digamma(T + F + 1))
    summed: Floats = positives - false * (digamma(first + positives) - digamma(first))
    return summed
