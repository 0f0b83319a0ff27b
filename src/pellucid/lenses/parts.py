"""A part of the examples table with the lenses that saw it: both go to the disk together."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from pellucid.lenses import Lens
from pellucid.record.tables import optional_fields
from pellucid.types import Batch, Observation, Reduction

if TYPE_CHECKING:
    import pyarrow as pa

    from pellucid.record import Writer


@dataclass
class Part:
    """Rows and fresh lenses, until they are finished."""

    index: int
    lenses: list[Lens]
    tables: list[pa.Table] = field(default_factory=list)
    nonfinite: int = 0
    reductions: dict[str, Reduction] = field(init=False)
    rows: int = 0

    def __post_init__(self) -> None:
        self.reductions = {name: reduction for lens in self.lenses for name, reduction in lens.needs.reductions.items()}

    def __len__(self) -> int:
        return self.rows

    def add(self, seen: Observation, writer: Writer) -> None:
        """Shows a batch to the lenses and keeps its rows and pictures."""
        if seen.batch is None:
            return
        for lens in self.lenses:
            lens.observe(seen)
        self.nonfinite += int(np.count_nonzero(seen.columns["nonfinite"]))
        media = [
            None if picture is None else writer.write_media(picture.content, picture.extension)
            for picture in seen.batch.media or [None] * len(seen.batch)
        ]
        self.tables.append(rows_of(seen.batch, seen.columns, media))
        self.rows += len(seen.batch)

    def table(self) -> pa.Table:
        """All rows of the part."""
        import pyarrow as pa

        return pa.concat_tables(self.tables, promote_options="permissive")


def rows_of(batch: Batch, columns: Mapping[str, Any], media: Sequence[str | None]) -> pa.Table:
    """A batch's rows of the examples table; what is not defined is null."""
    import pyarrow as pa

    rows = np.asarray(batch.rows, np.int64) if batch.rows else np.arange(batch.start, batch.start + len(batch))
    ids = batch.ids if isinstance(batch.ids, pa.Array) else pa.array(batch.ids, pa.string())
    table: dict[str, Any] = {"row": pa.array(rows, pa.int64()), "id": ids}
    taken = optional_fields()
    for name, values in columns.items():
        table[name] = pa.array(values, taken[name]) if isinstance(values, list) else _column(values)
    table["media"] = pa.array(media, pa.string())
    for name, along in batch.along().items():
        table[f"{name}_column" if name in table or name in taken else name] = pa.array(along)
    return pa.table(table)


def _column(values: np.ndarray) -> pa.Array:
    """An array with nulls where a number is not finite or an index is negative; of two axes, lists of equal length."""
    import pyarrow as pa

    if values.ndim == 2:
        defined = values[:, 0] >= 0  # not of NaN either
        ends = np.cumsum(np.where(defined, values.shape[1], 0))
        offsets = pa.array(np.concatenate([[0], ends]), pa.int32())
        return pa.ListArray.from_arrays(offsets, _column(values[defined].reshape(-1)), mask=pa.array(~defined))
    if values.dtype.kind == "f":
        return pa.array(values, mask=~np.isfinite(values))
    if values.dtype.kind == "b":
        return pa.array(values)
    return pa.array(values, pa.int32(), mask=values < 0)
