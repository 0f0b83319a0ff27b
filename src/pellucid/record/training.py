"""The training table while it grows: rows gathered in memory, written as parts that are whole or absent."""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING

from pellucid.record import folder, tables
from pellucid.record.schema import Histogram

if TYPE_CHECKING:
    import pyarrow as pa

    from pellucid.record.writer import Writer

# Ids of the bins of values that have no octave.
ZERO, NAN, POSITIVE_INFINITE, NEGATIVE_INFINITE = -1, -2, -3, -4


class TrainingWriter:
    """Appends to the training table of a record; what is added counts when it is flushed.

    A reader that follows sees whole parts only. A process that is killed loses the rows added since the last flush.

    Attributes:
        rows: written so far, earlier runs included.
    """

    def __init__(self, writer: Writer) -> None:
        """Goes on after the parts that the record has."""
        parts = [entry for entry in folder.of_training(writer.manifest) if entry.path != folder.TRAINING_PANEL]
        self.rows = sum(entry.rows or 0 for entry in parts)
        self._writer = writer
        self._part = len(parts)
        self._columns: dict[str, list[object]] = {name: [] for name in tables.training_schema().names}

    def __len__(self) -> int:
        """Rows that wait to be flushed."""
        return len(self._columns["step"])

    def add(
        self,
        step: int,
        seconds: float,
        quantity: str,
        value: float | None = None,
        *,
        layer: str = "",
        histogram: Histogram | None = None,
    ) -> None:
        """Adds a row.

        Args:
            step: of the optimizer.
            seconds: since the Watch began.
            quantity: one of docs/architecture.md, or a name of the user's.
            value: null in the table where it is not finite.
            layer: name; "" for the whole model.
            histogram: instead of a value.
        """
        bins, counts = (None, None) if histogram is None else _bins(histogram)
        row = {
            "step": step,
            "seconds": seconds,
            "layer": layer,
            "quantity": quantity,
            "value": value if value is not None and math.isfinite(value) else None,
            "bins": bins,
            "counts": counts,
        }
        for name, cell in row.items():
            self._columns[name].append(cell)

    def flush(self) -> None:
        """Writes what waits as the next part, durably. Raises: StorageError: the rows still wait."""
        import pyarrow as pa

        if not len(self):
            return
        table = pa.table(self._columns, schema=tables.training_schema())
        self._writer.write_file(folder.training_path(self._part), tables.parquet_bytes(table), rows=table.num_rows)
        self._part += 1
        self.rows += table.num_rows
        for column in self._columns.values():
            column.clear()


def read_training(path: str | Path, cursor: int = 0) -> tuple[pa.Table, int]:
    """Rows of the training parts numbered `cursor` and above, and the next cursor.

    Called again and again with the cursor it returned, it gives every row of a live run once.

    Raises: RecordError: there is no record; DamagedError: a part is truncated or altered.
    """
    from pellucid.record.reader import Record

    return Record(path).training(cursor)


def _bins(histogram: Histogram) -> tuple[list[int], list[int]]:
    special = {
        ZERO: histogram.zero,
        NAN: histogram.nan,
        POSITIVE_INFINITE: histogram.positive_infinite,
        NEGATIVE_INFINITE: histogram.negative_infinite,
    }
    there = {bin_id: count for bin_id, count in special.items() if count}
    return [*there, *histogram.bins], [*there.values(), *histogram.counts]
