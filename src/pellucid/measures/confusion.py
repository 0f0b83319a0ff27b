"""Confusion counts as sparse integers: rows are true classes, columns are predicted classes."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Self

import numpy as np
from numpy.typing import NDArray

from pellucid.measures.intervals import LEAST_P, holm, hypergeometric_tail, wilson
from pellucid.record.schema import ConfusedPair

# Cells below this many examples cannot be told from chance and are left out of the tests' listing, not of their number.
LEAST_COUNT = 3

# Pairs that are tested exactly at most, which takes some tens of microseconds each.
_TESTED = 1024

# Counting cell by cell costs less than sorting where a square has no more than so many cells for each code.
_CELLS_A_CODE = 8
_SMALL_SQUARE = 1 << 12

# Squares that are kept until all is counted have at most so many cells, of eight bytes each.
_KEPT_SQUARE = 1 << 22


def _none() -> NDArray[np.int64]:
    return np.zeros(0, np.int64)


@dataclass
class SparseCounts:
    """Counts of (row, column) cells; memory grows with the cells that hold something.

    Attributes:
        rows, columns: int64[cell], sorted by row, then column.
        counts: int64[cell], each at least 1.
    """

    rows: NDArray[np.int64] = field(default_factory=_none)
    columns: NDArray[np.int64] = field(default_factory=_none)
    counts: NDArray[np.int64] = field(default_factory=_none)

    @classmethod
    def of(cls, targets: NDArray[np.integer], predictions: NDArray[np.integer]) -> Self:
        """Counts pairs; those with a negative target or prediction are not known and do not count."""
        known = (targets >= 0) & (predictions >= 0)
        if not known.all():
            targets, predictions = targets[known], predictions[known]
        width = int(predictions.max(initial=-1)) + 1
        codes = targets.astype(np.int64)
        codes *= width
        codes += predictions
        if (int(targets.max(initial=-1)) + 1) * width <= _square_for(len(codes)):
            square = np.bincount(codes)
            cells = np.flatnonzero(square != 0)
            return cls(cells // max(width, 1), cells % max(width, 1), square[cells])
        cells, counts = np.unique(codes, return_counts=True)
        return cls(cells // width, cells % width, counts)

    def merge(self, other: Self) -> None:
        """Counts another's cells in; exact."""
        if not len(other.counts):
            return
        width = int(max(self.columns.max(initial=0), other.columns.max())) + 1
        height = int(max(self.rows.max(initial=0), other.rows.max())) + 1
        if self._take(other, width):
            return
        if height * width <= _square_for(len(self.counts) + len(other.counts)):
            cells, counts = _in_a_square(self, other, height, width)
        else:
            cells, counts = _in_order(self, other, width)
        self.rows, self.columns, self.counts = cells // width, np.remainder(cells, width, out=cells), counts

    def _take(self, other: Self, width: int) -> bool:
        """Adds to cells that are there already; False, and nothing done, where one is not."""
        if len(other.counts) > len(self.counts):
            return False
        codes, more = self.rows * width + self.columns, other.rows * width + other.columns
        places = np.searchsorted(codes, more)
        if places[-1] >= len(codes) or not np.array_equal(codes[places], more):
            return False
        self.counts = self.counts.copy()
        self.counts[places] += other.counts
        return True

    def occurring(self) -> tuple[Self, int]:
        """The same cells with the classes that occur or are predicted numbered from 0, in their order; and how many they are."""
        held, places = np.unique(np.concatenate([self.rows, self.columns]), return_inverse=True)
        rows, columns = places[: len(self.rows)], places[len(self.rows) :]
        return type(self)(rows.astype(np.int64), columns.astype(np.int64), self.counts), len(held)

    def supports(self, classes: int) -> NDArray[np.int64]:
        """Examples of each true class: int64[class]."""
        return _summed(self.rows, self.counts, classes)

    def predicted(self, classes: int) -> NDArray[np.int64]:
        """Examples called each class: int64[class]."""
        return _summed(self.columns, self.counts, classes)

    def right(self, classes: int) -> NDArray[np.int64]:
        """Right answers of each class, the diagonal: int64[class]."""
        same = self.rows == self.columns
        return _summed(self.rows[same], self.counts[same], classes)


def square_counts(
    targets: NDArray[np.integer], predictions: NDArray[np.integer], classes: int
) -> NDArray[np.int64] | None:
    """Every cell of many pairs at once, which adds up without a look at where the cells are.

    Args:
        targets: int[example], true classes below `classes`; negative ones are not known and do not count.
        predictions: int[example], likewise.
        classes: number of classes.

    Returns: int64[true class, predicted class]; None where sparse cells cost less.
    """
    if not 0 < classes * classes <= min(_KEPT_SQUARE, _CELLS_A_CODE * len(targets)):
        return None
    codes = np.multiply(targets, classes, dtype=np.int64)
    codes += predictions
    if targets.min() < 0 or predictions.min() < 0:
        codes = codes[(targets >= 0) & (predictions >= 0)]
    return np.bincount(codes, minlength=classes * classes).reshape(classes, classes)


def added_square(one: NDArray[np.int64], other: NDArray[np.int64]) -> NDArray[np.int64]:
    """Both squares together; one of fewer classes has none of the others."""
    if one.shape == other.shape:
        return one + other
    small, large = sorted((one, other), key=len)
    total = large.copy()
    total[: len(small), : len(small)] += small
    return total


def of_square(counts: NDArray[np.int64]) -> SparseCounts:
    """The cells of a square that hold something."""
    rows, columns = np.nonzero(counts)
    return SparseCounts(rows, columns, counts[rows, columns])


def _in_a_square(
    one: SparseCounts, other: SparseCounts, height: int, width: int
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Codes and counts of the cells of both, by way of every cell there could be."""
    square = np.zeros(height * width, np.int64)
    square[one.rows * width + one.columns] = one.counts
    square[other.rows * width + other.columns] += other.counts
    cells = np.flatnonzero(square != 0)
    return cells, square[cells]


def _in_order(one: SparseCounts, other: SparseCounts, width: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Codes and counts of the cells of both, as two sorted runs that a stable sort merges in one pass."""
    codes = np.concatenate([one.rows * width + one.columns, other.rows * width + other.columns])
    order = np.argsort(codes, kind="stable")
    codes = codes[order]
    first = np.flatnonzero(np.diff(codes, prepend=-1))
    return codes[first], np.add.reduceat(np.concatenate([one.counts, other.counts])[order], first)


def _square_for(codes: int) -> int:
    """The most cells that are worth counting one by one for so many codes."""
    return max(_SMALL_SQUARE, _CELLS_A_CODE * codes)


def _summed(classes: NDArray[np.int64], counts: NDArray[np.int64], number: int) -> NDArray[np.int64]:
    sums = np.zeros(number, np.int64)
    np.add.at(sums, classes, counts)
    return sums


def confused_pairs(cells: SparseCounts, classes: int, most: int = 200) -> list[ConfusedPair]:
    """The confused pairs, most surprising first, each with how many chance would have put there.

    Args:
        cells: the counts.
        classes: number of classes.
        most: longest list.

    Returns: pairs off the diagonal with at least three examples; see schema.ConfusedPair for what chance means. Of more than
        _TESTED such pairs only those farthest above chance are tested exactly; all count as tests.
    """
    wrong = cells.rows != cells.columns
    rows, columns, counts = cells.rows[wrong], cells.columns[wrong], cells.counts[wrong]
    supports = cells.supports(classes)
    chance = _Chance.of(rows, columns, counts, classes)
    expected = chance.expected
    listed = np.flatnonzero(counts >= LEAST_COUNT)
    tests = max(len(listed), len(rows))
    if len(listed) > _TESTED:
        above = _deviance(counts[listed], expected[listed])
        listed = np.sort(listed[np.argpartition(-above, _TESTED)[:_TESTED]])
    adjusted = holm(chance.tails(listed), tests=tests)
    order = np.lexsort((-counts[listed], adjusted))[:most]
    pairs = []
    for place in order:
        cell = listed[place]
        row, column, count = int(rows[cell]), int(columns[cell]), int(counts[cell])
        interval = wilson(count, int(supports[row]))
        if interval is None:
            continue
        pairs.append(
            ConfusedPair(
                true=row,
                predicted=column,
                count=count,
                support=int(supports[row]),
                rate=count / int(supports[row]),
                interval=interval,
                expected=float(expected[cell]),
                p_value=float(adjusted[place]),
            )
        )
    return pairs


@dataclass(frozen=True)
class _Chance:
    """What each wrong cell would hold by chance, from the errors of the classes beside its two.

    Attributes:
        counts: int64[cell], what it holds.
        errors: int64[cell], errors of its row.
        elsewhere: int64[cell], errors of the others that name its column.
        others: int64[cell], errors of the others that could have; one more is added to each class: where they make none, any
            class is as likely.
        classes: number of classes.
    """

    counts: NDArray[np.int64]
    errors: NDArray[np.int64]
    elsewhere: NDArray[np.int64]
    others: NDArray[np.int64]
    classes: int

    @classmethod
    def of(
        cls, rows: NDArray[np.int64], columns: NDArray[np.int64], counts: NDArray[np.int64], classes: int
    ) -> _Chance:
        """From wrong cells, sorted by row, then column."""
        errors, called = _summed(rows, counts, classes), _summed(columns, counts, classes)
        codes, mirrored = rows * classes + columns, columns * classes + rows
        place = np.minimum(np.searchsorted(codes, mirrored), max(len(codes) - 1, 0))
        back = np.where(codes[place] == mirrored, counts[place], 0) if len(codes) else counts
        # Not those that name the row's class: the row itself cannot make these.
        others = counts.sum() - errors[rows] - called[rows] - errors[columns] + back
        return cls(counts, errors[rows], called[columns] - counts, others, classes)

    @property
    def expected(self) -> NDArray[np.float64]:
        """float64[cell]."""
        expected: NDArray[np.float64] = (self.elsewhere + 1) / (self.others + self.classes - 1) * self.errors
        return expected

    def tails(self, cells: NDArray[np.int64]) -> NDArray[np.float64]:
        """Probability of at least as many in these cells by chance, float64[cell].

        Fisher's exact test, one-sided; where the others make no errors there is nothing to compare with, and it is the binomial
        tail of an even spread over the classes that the row could name.
        """
        from scipy import special  # scipy.stats takes a second to import

        held, own = self.counts[cells], self.errors[cells]
        even: NDArray[np.float64] = special.bdtrc(held - 1.0, own, 1.0 / max(self.classes - 1, 1))
        tails = np.maximum(LEAST_P, even)
        for place, (count, drawn) in enumerate(zip(held.tolist(), own.tolist(), strict=True)):
            cell = cells[place]
            if not self.others[cell]:
                continue
            marked = int(self.elsewhere[cell]) + 1 + count
            tails[place] = hypergeometric_tail(count, drawn, marked, int(self.others[cell]) + self.classes - 1 + drawn)
        return tails


def _deviance(counts: NDArray[np.int64], expected: NDArray[np.float64]) -> NDArray[np.float64]:
    """How far above its expectation a count is, float64[cell]: the Poisson deviance; below it, negative."""
    distance = counts * np.log(counts / expected) - (counts - expected)
    return np.where(counts > expected, distance, -distance)
