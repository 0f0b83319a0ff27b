"""ROC and precision-recall curves of one class against the others, exact from scores or bounded from bins.

A curve needs, for every distinct score from the highest down, how many examples of the class and how many others have it. With
one entry a distinct score everything is exact; with bins a pair inside one bin is in no known order, and the areas come
with the bound that this puts on them.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pellucid.measures.intervals import delta_interval, wilson
from pellucid.record.schema import Interval

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Ordered:
    """Examples by score, highest first.

    Attributes:
        scores: float64[place], the (lowest) score of each place, descending.
        positives, negatives: int64[place], examples of the class and others at that score.
        weight: how many others each of those counted stands for, where they are a sample.
    """

    scores: Floats
    positives: NDArray[np.int64]
    negatives: NDArray[np.int64]
    weight: float = 1.0


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
    positives, negatives = int(of.positives.sum()), int(of.negatives.sum())
    if not positives or not negatives:
        return None
    false, true = (np.concatenate([[0], np.cumsum(counts)]) for counts in (of.negatives, of.positives))
    return false / negatives, true / positives


def precision_recall(of: Ordered) -> tuple[Floats, Floats] | None:
    """Precision and recall at every threshold that calls something positive, float64[place]; None without a positive."""
    positives = int(of.positives.sum())
    if not positives:
        return None
    true, called = np.cumsum(of.positives), np.cumsum(of.positives + of.weight * of.negatives)
    something = called > 0
    return true[something] / called[something], true[something] / positives


def roc_area(of: Ordered, *, binned: bool = False) -> Area | None:
    """Probability that an example of the class scores higher than another, equal scores counting half; None without both.

    With bins the exact value is at most `error` away: half of the pairs whose two examples share a bin.

    Source: Hanley & McNeil 1982, Radiology 143:29.
    """
    pairs = float(of.positives.sum()) * float(of.negatives.sum())
    if not pairs:
        return None
    lower = float(of.negatives.sum()) - np.cumsum(of.negatives)
    ties = float((of.positives * of.negatives.astype(np.float64)).sum())
    return Area((float((of.positives * lower).sum()) + ties / 2) / pairs, ties / 2 / pairs if binned else 0.0)


def average_precision(of: Ordered, *, binned: bool = False) -> Area | None:
    """Sum over thresholds of precision times the recall gained there; None without a positive.

    With bins it is the middle between the best and the worst order of distinct scores inside each bin, and `error` half of that.

    Source: Manning, Raghavan & Schutze 2008, Introduction to Information Retrieval, section 8.4; no interpolation.
    """
    positives = int(of.positives.sum())
    if not positives:
        return None
    true, false = np.cumsum(of.positives), of.weight * np.cumsum(of.negatives)
    if not binned:
        called = np.maximum(true + false, 1.0)
        return Area(float((of.positives * (true / called)).sum()) / positives, 0.0)
    before = true - of.positives
    best = _precisions(of.positives, before, (false - of.weight * of.negatives).astype(np.float64))
    worst = _precisions(of.positives, before, false.astype(np.float64))
    return Area((best + worst) / 2 / positives, (best - worst) / 2 / positives)


def average_precision_interval(of: Ordered, value: float) -> Interval | None:
    """Interval of an average precision, on the log-odds; None without a positive, Wilson's of all positives found at exactly 1.

    The delta method: an example of the class adds its own precision and raises that of all thresholds below it, another one
    lowers them. With bins, the precision at the end of each.

    Args:
        of: the examples by score.
        value: the average precision.
    """
    positives = int(of.positives.sum())
    if not positives:
        return None
    true, false = np.cumsum(of.positives).astype(np.float64), of.weight * np.cumsum(of.negatives)
    called = np.maximum(true + false, 1.0)
    # Sums over the thresholds at and below each place.
    raised = np.cumsum((of.positives * false / called**2)[::-1])[::-1]
    lowered = np.cumsum((of.positives * true / called**2)[::-1])[::-1]
    own = (true / called - value + raised) / positives
    variance = float((of.positives * own**2).sum() + (of.negatives * (of.weight * lowered / positives) ** 2).sum())
    return delta_interval(value, float(np.sqrt(variance)), "share") or wilson(positives, positives)


def _precisions(positives: NDArray[np.int64], before: NDArray[np.int64], false: Floats) -> float:
    """Sum over the positives of each place, one after the other, of the precision there, `false` others being ahead of all."""
    from scipy.special import digamma

    first = before + false + 1.0
    # sum over j = 1..m of (T + j) / (T + j + F) = m - F (digamma(T + F + m + 1) - digamma(T + F + 1))
    return float((positives - false * (digamma(first + positives) - digamma(first))).sum())
