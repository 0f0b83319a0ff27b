"""Confusion counts as sparse integers: rows are true classes, columns are predicted classes."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Self

import numpy as np
from numpy.typing import NDArray

from pellucid.measures.intervals import holm, hypergeometric_tail, wilson
from pellucid.record.schema import ConfusedPair

# Cells below this many examples cannot be told from chance and are left out of the tests' listing, not of their number.
LEAST_COUNT = 3


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
        rows, columns = targets[known].astype(np.int64), predictions[known].astype(np.int64)
        return cls(*_gathered(rows, columns, np.ones(len(rows), np.int64)))

    def merge(self, other: Self) -> None:
        """Counts another's cells in; exact."""
        self.rows, self.columns, self.counts = _gathered(
            np.concatenate([self.rows, other.rows]),
            np.concatenate([self.columns, other.columns]),
            np.concatenate([self.counts, other.counts]),
        )

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


def _gathered(
    rows: NDArray[np.int64], columns: NDArray[np.int64], counts: NDArray[np.int64]
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
    width = int(columns.max(initial=0)) + 1
    codes, inverse = np.unique(rows * width + columns, return_inverse=True)
    summed = np.zeros(len(codes), np.int64)
    np.add.at(summed, inverse.reshape(-1), counts)
    return codes // width, codes % width, summed


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

    Returns: pairs off the diagonal with at least three examples; see schema.ConfusedPair for what chance means.
    """
    wrong = cells.rows != cells.columns
    rows, columns, counts = cells.rows[wrong], cells.columns[wrong], cells.counts[wrong]
    supports = cells.supports(classes)
    errors = _summed(rows, counts, classes)
    called = _summed(columns, counts, classes)
    total = int(counts.sum())
    listed = np.flatnonzero(counts >= LEAST_COUNT)
    counted = {(int(row), int(column)): int(count) for row, column, count in zip(rows, columns, counts, strict=True)}
    chances = np.empty(len(listed))
    tails = np.empty(len(listed))
    for place, cell in enumerate(listed):
        row, column = int(rows[cell]), int(columns[cell])
        # Errors of the classes beside the two, but those that name the row's class: the row itself cannot make these.
        elsewhere = int(called[column]) - int(counts[cell])
        others = total - int(errors[row]) - int(called[row]) - int(errors[column]) + counted.get((column, row), 0)
        chances[place] = (elsewhere + 1) / (others + classes - 1)
        # One error of the others is added to each class, as above: where they make none, any class is as likely.
        own, count = int(errors[row]), int(counts[cell])
        tails[place] = hypergeometric_tail(count, own, elsewhere + 1 + count, others + classes - 1 + own)
    adjusted = holm(tails, tests=max(len(listed), len(rows)))
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
                expected=float(chances[place] * errors[row]),
                p_value=float(adjusted[place]),
            )
        )
    return pairs
