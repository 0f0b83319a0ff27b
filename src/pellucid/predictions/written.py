"""Labels of several classes as text files write them, made the lists that a table may hold.

id,cat,dog,owl        id,label         id,label
a,1,0,1               a,cat;owl        a,"[0.7, 0.2, 0.1]"
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pellucid.predictions.files import Columns, Digits

if TYPE_CHECKING:
    import pyarrow as pa

ROWS = 1 << 16
"""That are looked through at once."""


def written(
    inner: Columns,
    made: pa.Field,
    sources: tuple[str, ...],
    make: Callable[[list[Any]], pa.Array],
    names: tuple[str, ...] = (),
    *,
    digits: Digits = "text",
) -> Columns:
    """A table with a column made of others.

    Args:
        inner: the table as it is.
        made: name and type of the column.
        sources: columns that it is made of; they are no longer there.
        make: makes it of them, a piece at a time.
        names: of the classes in order of index, where the sources are called so; else empty.
        digits: where the whole numbers of the column come from.
    """
    return _Written(inner, made, sources, make, names, digits)


@dataclass(frozen=True)
class _Written:
    inner: Columns
    made: pa.Field
    sources: tuple[str, ...]
    make: Callable[[list[Any]], pa.Array]
    names: tuple[str, ...]
    made_of: Digits

    @property
    def source(self) -> str:
        return self.inner.source

    @property
    def name(self) -> str:
        return self.inner.name

    @property
    def rows(self) -> int:
        return self.inner.rows

    @property
    def schema(self) -> pa.Schema:
        import pyarrow as pa

        kept = [entry for entry in self.inner.schema if entry.name not in self.sources]
        metadata = dict(self.inner.schema.metadata or {})
        if self.names:
            features = {"info": {"features": {self.made.name: {"names": list(self.names)}}}}
            metadata[b"huggingface"] = json.dumps(features).encode()
        return pa.schema([*kept, self.made], metadata=metadata)

    def pieces(self, columns: Sequence[str], rows: int) -> Iterator[pa.RecordBatch]:
        import pyarrow as pa

        name = self.made.name
        if name not in columns:
            yield from self.inner.pieces(columns, rows)
            return
        read = tuple(dict.fromkeys((*(one for one in columns if one != name), *self.sources)))
        for piece in self.inner.pieces(read, rows):
            held = dict(zip(piece.schema.names, piece.columns, strict=True))
            made = self.make([held[one] for one in self.sources])
            yield pa.record_batch({one: made if one == name else held[one] for one in columns})

    def digits(self, column: str) -> Digits:
        return self.made_of if column == self.made.name else self.inner.digits(column)

    def extremes(self, column: str) -> tuple[int, int] | None:
        return None if column == self.made.name else self.inner.extremes(column)
