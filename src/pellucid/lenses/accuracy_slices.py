"""Right answers by the values of the columns that came along: counts that merge, and stay small."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import Self

import numpy as np

from pellucid.measures.slices import slices_of
from pellucid.record.schema import SliceAccuracy
from pellucid.types import Batch, Scalar

# A column of more values than this is no set of slices.
MOST_VALUES = 200


@dataclass
class ValueCounts:
    """Examples and right answers of every value of every column.

    Attributes:
        values: column -> value as text -> [examples, right answers].
        left_out: columns with more than MOST_VALUES values: whatever the order, as the values only grow.
    """

    values: dict[str, dict[str, list[int]]] = field(default_factory=dict)
    left_out: list[str] = field(default_factory=list)

    def add(self, batch: Batch, known: np.ndarray, right: np.ndarray) -> None:
        """Counts a batch in.

        Args:
            batch: its examples.
            known: bool[batch], those with a target and a prediction.
            right: bool[batch], those that are right.
        """
        for column, values in batch.along().items():
            if column in self.left_out:
                continue
            found: dict[str, list[int]] = {}
            pairs = Counter(zip(values, known.tolist(), right.tolist(), strict=True))
            for (value, counted, correct), count in pairs.items():
                # Numbers with a fraction are cut into groups by the app, which sees them all.
                if counted and value is not None and not isinstance(value, float):
                    entry = found.setdefault(value_text(value), [0, 0])
                    entry[0] += count
                    entry[1] += count * correct
            self._add(column, found)

    def merge(self, other: Self) -> None:
        """Counts another's in."""
        self.left_out = sorted({*self.left_out, *other.left_out})
        self.values = {name: counts for name, counts in self.values.items() if name not in self.left_out}
        for column, found in other.values.items():
            if column not in self.left_out:
                self._add(column, found)

    def _add(self, column: str, found: dict[str, list[int]]) -> None:
        total = {value: list(counts) for value, counts in self.values.get(column, {}).items()}
        for value, (count, correct) in found.items():
            before = total.get(value, [0, 0])
            total[value] = [before[0] + count, before[1] + correct]
        if len(total) > MOST_VALUES:
            self.left_out = sorted({*self.left_out, column})
            self.values = {name: counts for name, counts in self.values.items() if name != column}
        elif total:
            self.values = {**self.values, column: total}

    def slices(self) -> list[SliceAccuracy]:
        """Every value against the others of its column."""
        counts = {
            (column, value): (found[0], found[1])
            for column, values in self.values.items()
            for value, found in values.items()
        }
        return slices_of(counts, self.totals())

    def totals(self) -> dict[str, tuple[int, int]]:
        """Examples that have a value of a column, and right answers among them, by column."""
        return {
            column: (sum(found[0] for found in values.values()), sum(found[1] for found in values.values()))
            for column, values in self.values.items()
        }


def value_text(value: Scalar) -> str:
    """A column's value as the app's URL writes it."""
    return str(value).lower() if isinstance(value, bool) else str(value)
