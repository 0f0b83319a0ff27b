"""A part of the examples table with the lenses that saw it: both go to the disk together."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from pellucid.lenses import Lens
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

    def __post_init__(self) -> None:
        self.reductions = {name: reduction for lens in self.lenses for name, reduction in lens.needs.reductions.items()}

    def __len__(self) -> int:
        return sum(table.num_rows for table in self.tables)

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

    def table(self) -> pa.Table:
        """All rows of the part."""
        import pyarrow as pa

        return pa.concat_tables(self.tables, promote_options="permissive")


def rows_of(batch: Batch, columns: Mapping[str, Any], media: Sequence[str | None]) -> pa.Table:
    """A batch's rows of the examples table; what is not defined is null."""
    import pyarrow as pa

    table: dict[str, Any] = {
        "row": pa.array([batch.row(place) for place in range(len(batch))], pa.int64()),
        "id": pa.array(batch.ids, pa.string()),
    }
    for name, values in columns.items():
        if isinstance(values, list):
            table[name] = pa.array(values, pa.list_(pa.int32() if name == "top_classes" else pa.float32()))
        elif values.dtype.kind == "f":
            table[name] = pa.array(values, mask=~np.isfinite(values))
        elif values.dtype.kind == "b":
            table[name] = pa.array(values)
        else:
            table[name] = pa.array(values, pa.int32(), mask=values < 0)
    table["media"] = pa.array(media, pa.string())
    names = {name: None for extra in batch.columns for name in extra}
    for name in names:
        kept = f"{name}_column" if name in table else name
        table[kept] = pa.array([extra.get(name) for extra in batch.columns])
    return pa.table(table)
