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
        if not held and piece.num_rows == rows:
            yield piece
            continue
        waiting.append(piece)
        held += piece.num_rows
        while held >= rows:
            table = pa.Table.from_batches(waiting)
            yield _one(table.slice(0, rows))
            waiting = table.slice(rows).to_batches()
            held -= rows
    if held:
        yield _one(pa.Table.from_batches(waiting))


def gathered(pieces: Iterable[pa.RecordBatch], rows: int) -> Iterator[pa.RecordBatch]:
    """The same rows in fewer pieces: small ones put together, as long as they have no more than so many rows."""
    import pyarrow as pa

    waiting: list[pa.RecordBatch] = []
    held = 0
    for piece in pieces:
        if waiting and held + piece.num_rows > rows:
            yield waiting[0] if len(waiting) == 1 else _one(pa.Table.from_batches(waiting))
            waiting, held = [], 0
        waiting.append(piece)
        held += piece.num_rows
    if waiting:
        yield waiting[0] if len(waiting) == 1 else _one(pa.Table.from_batches(waiting))


def _one(table: pa.Table) -> pa.RecordBatch:
    return table.combine_chunks().to_batches(max_chunksize=table.num_rows)[0]
