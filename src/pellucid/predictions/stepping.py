"""Pieces of tables of an equal number of rows, whatever pieces they were written in."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pyarrow as pa


def in_step(pieces: Iterable[pa.RecordBatch], rows: int) -> Iterator[pa.RecordBatch]:
    """The same rows in pieces of exactly so many, the last one of what is left."""
    import pyarrow as pa

    waiting: list[pa.RecordBatch] = []
    held = 0
    for piece in pieces:
        waiting.append(piece)
        held += piece.num_rows
        while held >= rows:
            table = pa.Table.from_batches(waiting)
            yield _one(table.slice(0, rows))
            waiting = table.slice(rows).to_batches()
            held -= rows
    if held:
        yield _one(pa.Table.from_batches(waiting))


def _one(table: pa.Table) -> pa.RecordBatch:
    return table.combine_chunks().to_batches(max_chunksize=table.num_rows)[0]
