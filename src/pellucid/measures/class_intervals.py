"""Intervals of one number for all classes, which have a width at the ends of their range: an error that was not seen is lent.

Without a draw, so that a selection is answered in milliseconds; `web/src/measures/classintervals.ts` is the same in TypeScript.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

from pellucid.measures.confusion import SparseCounts
from pellucid.measures.intervals import mover, outer, wilson, wilson_ends
from pellucid.record.schema import Interval

Floats = NDArray[np.float64]
Classes = NDArray[np.int64]

# Examples of a common share that are lent to each class, so that a class of one example has a spread.
LENT = 3.0


def mean_of_shares(right: Floats, counts: Floats) -> Interval | None:
    """Interval of a mean of independent shares (recalls, precisions), the outer ends of two: either alone is too narrow somewhere.

    MOVER over the shares' own intervals holds few classes of any size, but not hundreds of one or two examples; a score interval
    whose variance is that of shares drawn towards their mean holds these, but not one small class among few.

    Args:
        right: float64[class], right answers.
        counts: float64[class], of how many; classes of none are left out.
    """
    held = counts > 0
    if not held.any():
        return None
    right, counts = right[held], counts[held]
    values = right / counts
    one = mover(values, *wilson_ends(right, counts))
    drawn = (right + LENT * _common(values)) / (counts + LENT)
    variance = float((drawn * (1 - drawn) / counts).sum()) / len(drawn) ** 2
    # As many independent trials as would have that variance.
    trials = float(drawn.mean() * (1 - drawn.mean())) / variance
    return outer(one, wilson(float(values.mean()) * trials, trials))


def macro_f1_interval(cells: SparseCounts, value: float) -> Interval | None:
    """Of the mean F1, the outer ends of two, drawn up by its bias; None without a cell.

    The F1 of a class is 2J / (1 + J) of the share J of right ones among those true or called, which lies below that of the mean
    of J by 2 / (1 + J)^3 times the variance of J: little, but the same way in every class. MOVER over the classes' own intervals
    holds a small class among large ones, the score interval errors that lower two classes at once.

    Args:
        cells: a confusion.
        value: their mean F1.
    """
    lent = Lent.of(cells)
    if lent is None:
        return None
    right, either = lent.right, lent.support + lent.called - lent.right
    held = either > 0
    right, either = right[held], either[held]
    shares = right / either
    lows, highs = wilson_ends(right, either)
    one = mover(_f1(shares), _f1(lows), _f1(highs))
    if len(shares) == 1 or one is None:
        return one
    drawn = (right + _common(shares)) / (either + 1)
    bias = float((2 * drawn * (1 - drawn) / (1 + drawn) ** 3 / either).mean())
    unbiased = min(value + bias, 1.0)
    two = lent.score(unbiased, *lent.macro_f1(), low=0.0)
    # The bias is itself a guess where classes are small: it moves up the upper end only.
    moved = Interval(one.low, min(one.high + unbiased - value, 1.0), one.level, one.method)
    return _holding(value, outer(moved, two))


def weighted_f1_interval(cells: SparseCounts, value: float) -> Interval | None:
    """Of the F1 weighted by support; of one class that of its F1."""
    lent = Lent.of(cells)
    if lent is None:
        return None
    return macro_f1_interval(cells, value) if lent.classes == 1 else lent.score(value, *lent.weighted_f1(), low=0.0)


def agreement_intervals(cells: SparseCounts, kappa: float, mcc: float) -> tuple[Interval | None, Interval | None]:
    """Of kappa and of Matthews' correlation, where targets and predictions are of two classes at least, else None.

    Source: for kappa the influence is that of Fleiss, Cohen & Everitt 1969, Psychological Bulletin 72:323.
    """
    lent = Lent.of(cells)
    if lent is None or np.isnan(kappa) or np.isnan(mcc):
        return None, None
    return lent.score(kappa, *lent.kappa(), low=-1.0), lent.score(mcc, *lent.mcc(), low=-1.0)


def kappa_interval(cells: SparseCounts, kappa: float) -> Interval | None:
    """Of kappa alone: of two models' answers, where neither's are the targets, it hardly matters which of them the rows are."""
    lent = Lent.of(cells)
    return None if lent is None else lent.score(kappa, *lent.kappa(), low=-1.0)


@dataclass(frozen=True)
class Influence:
    """By how much a statistic grows with the share of a cell: row + column, and `same` more on the diagonal; float64[class]."""

    row: Floats
    column: Floats
    same: Floats


@dataclass(frozen=True)
class Lent:
    """A confusion with LENT examples lent to each class that occurs, scaled back to as many examples of it as there are.

    Of what is lent the mean recall is right and the rest is spread evenly over the other classes: a product of a row and a
    column, which is never laid out.

    Attributes:
        rows, columns, counts: the cells that were seen, counts scaled back.
        right, support, called: float64[class], as they were counted.
        own: float64[class], what is lent to the diagonal.
        other: float64[class], what is lent to each other cell of the row.
    """

    rows: Classes
    columns: Classes
    counts: Floats
    right: Floats
    support: Floats
    called: Floats
    own: Floats
    other: Floats

    @classmethod
    def of(cls, cells: SparseCounts) -> Self | None:
        """Of cells whose classes are any numbers: those that do not occur take no memory."""
        if not len(cells.counts):
            return None
        cells, classes = cells.occurring()
        right, support, called = (
            counts.astype(np.float64)
            for counts in (cells.right(classes), cells.supports(classes), cells.predicted(classes))
        )
        recalls = right[support > 0] / support[support > 0]
        kept = support / (support + LENT)
        common = _common(recalls)
        return cls(
            cells.rows,
            cells.columns,
            cells.counts * kept[cells.rows],
            right,
            support,
            called,
            kept * LENT * common,
            kept * LENT * (1 - common) / (classes - 1) if classes > 1 else np.zeros(1),
        )

    @property
    def classes(self) -> int:
        """How many occur or are called."""
        return len(self.support)

    @property
    def total(self) -> float:
        """Examples."""
        return float(self.support.sum())

    def shares(self) -> tuple[Floats, Floats, Floats]:
        """Right, of a class and called a class, as shares of all, with what is lent."""
        seen = np.bincount(self.columns, self.counts, self.classes)
        same = self.rows == self.columns
        right = np.bincount(self.rows[same], self.counts[same], self.classes)
        called = seen + self.own + self.other.sum() - self.other
        return (right + self.own) / self.total, self.support / self.total, called / self.total

    def score(self, value: float, lent_value: float, influence: Influence, low: float) -> Interval | None:
        """Score interval of a statistic between `low` and 1.

        The values that the found one would not surprise, if the statistic had the spread of a share of so many independent trials
        as give it, with what is lent, the variance of its influence.

        Source: Wilson 1927, JASA 22:209, with the delta method in place of independent trials.
        """
        width = 1.0 - low
        share = (lent_value - low) / width
        variance = self._variance(influence) / width**2
        if not 0 < share < 1 or not variance > 0:
            return None
        trials = share * (1 - share) / variance
        # Rounding must not push what lies at an end over it.
        found = wilson(min(max((value - low) / width, 0.0), 1.0) * trials, trials)
        if found is None:
            return None
        return _holding(value, Interval(low + width * found.low, low + width * found.high, found.level, "score"))

    def _variance(self, of: Influence) -> float:
        """Of the statistic over multinomial counts, from every cell's share and influence."""
        seen = of.row[self.rows] + of.column[self.columns]
        seen = seen + np.where(self.rows == self.columns, of.same[self.rows], 0.0)
        both, right = of.row + of.column, of.row + of.column + of.same
        sums, squares = float(of.column.sum()), float((of.column**2).sum())
        others = self.classes * of.row + sums - both
        squared = self.classes * of.row**2 + 2 * of.row * sums + squares - both**2
        first = float((self.counts * seen).sum() + (self.own * right).sum() + (self.other * others).sum())
        second = float((self.counts * seen**2).sum() + (self.own * right**2).sum() + (self.other * squared).sum())
        return max(second / self.total - (first / self.total) ** 2, 0.0) / self.total

    def macro_f1(self) -> tuple[float, Influence]:
        """Mean F1 with what is lent."""
        right, truth, called = self.shares()
        sums = truth + called
        pull = -2 * right / sums**2 / self.classes
        return float((2 * right / sums).mean()), Influence(pull, pull, 2 / sums / self.classes)

    def weighted_f1(self) -> tuple[float, Influence]:
        """F1 weighted by support with what is lent."""
        right, truth, called = self.shares()
        f1, weight = 2 * right / (truth + called), truth / (truth + called)
        return float((f1 * truth).sum()), Influence(f1 - f1 * weight, -f1 * weight, 2 * weight)

    def kappa(self) -> tuple[float, Influence]:
        """Cohen's kappa with what is lent."""
        right, truth, called = self.shares()
        agreed, chance = float(right.sum()), float((truth * called).sum())
        lost = -(1 - agreed) / (1 - chance) ** 2
        same = np.full(self.classes, 1 / (1 - chance))
        return (agreed - chance) / (1 - chance), Influence(lost * called, lost * truth, same)

    def mcc(self) -> tuple[float, Influence]:
        """Matthews' correlation with what is lent."""
        right, truth, called = self.shares()
        excess = float(right.sum()) - float((truth * called).sum())
        of_truth, of_called = 1 - float((truth**2).sum()), 1 - float((called**2).sum())
        size = np.sqrt(of_called * of_truth)
        row = -called / size + excess / size**3 * of_called * truth
        column = -truth / size + excess / size**3 * of_truth * called
        return excess / float(size), Influence(row, column, np.full(self.classes, 1 / size))


def _common(shares: Floats) -> float:
    """The mean share, half a class away from 0 and 1."""
    return (float(shares.sum()) + 0.5) / (len(shares) + 1)


def _f1(shares: Floats) -> Floats:
    f1: Floats = 2 * shares / (1 + shares)
    return f1


def _holding(value: float, interval: Interval | None) -> Interval | None:
    """Rounding must not push a value out of its own interval."""
    if interval is None:
        return None
    return Interval(min(interval.low, value), max(interval.high, value), interval.level, interval.method)
