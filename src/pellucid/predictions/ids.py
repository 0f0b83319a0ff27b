"""Do ids repeat? Answered in memory that does not grow with their number."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from pellucid.errors import DataError

if TYPE_CHECKING:
    import pyarrow as pa

# Hashes that are held at once, eight bytes each: more ids are gone through several times, a share of the hashes each.
MOST_HASHES = 1 << 22
_NAMED = 3


@dataclass
class IdHashes:
    """Hashes of one share of the ids.

    Attributes:
        share, shares: those whose hash leaves `share` when divided by `shares`.
        held: int64 arrays, one a piece.
    """

    share: int
    shares: int
    held: list[NDArray[np.int64]] = field(default_factory=list)

    @classmethod
    def first_of(cls, rows: int) -> IdHashes:
        """The first share of so many ids."""
        return cls(0, max(1, -(-rows // MOST_HASHES)))

    def add(self, ids: pa.Array) -> None:
        """Takes the ids of a piece in."""
        hashes = np.fromiter(map(hash, ids.to_pylist()), np.int64, len(ids))
        self.held.append(hashes if self.shares == 1 else hashes[hashes % self.shares == self.share])

    def repeated(self) -> NDArray[np.int64]:
        """Hashes that came more than once."""
        values, counts = np.unique(np.concatenate([np.zeros(0, np.int64), *self.held]), return_counts=True)
        return values[counts > 1]


def refuse_repeated(first: IdHashes, pieces: Callable[[], Iterator[pa.Array]], source: str, column: str) -> None:
    """Refuses ids that repeat.

    Args:
        first: the first share of the hashes, already gathered.
        pieces: goes through all ids once more.
        source: the table, for the error's words.
        column: its column of ids, likewise.

    Raises: DataError: how many ids repeat, and some of them.
    """
    suspects = first.repeated()
    first.held.clear()
    for share in range(1, first.shares):
        further = IdHashes(share, first.shares)
        for ids in pieces():
            further.add(ids)
        suspects = np.concatenate([suspects, further.repeated()])
    if not len(suspects):
        return
    # Equal hashes are no equal ids yet.
    wanted = set(suspects.tolist())
    counted: Counter[str] = Counter()
    for ids in pieces():
        counted.update(one for one in ids.to_pylist() if hash(one) in wanted)
    often = [(name, count) for name, count in counted.items() if count > 1]
    if often:
        named = ", ".join(f"'{name}' stands in {count:,} rows" for name, count in often[:_NAMED])
        more = f", and {len(often) - _NAMED:,} more" if len(often) > _NAMED else ""
        raise DataError(
            f"Ids in the column '{column}' of {source} repeat: {named}{more}. An id names one example, by which records are "
            "compared. Name another column (--id-column NAME), or number the examples (--id-column row)."
        )


def ids_of(column: Any, start: int) -> pa.Array:
    """Ids as text. Raises: DataError: one is missing."""
    import pyarrow as pa
    import pyarrow.compute as pc

    if column.null_count:
        place = int(np.flatnonzero(np.asarray(column.is_null()))[0])
        raise DataError(
            f"Row {start + place:,} has no id ({column.null_count:,} such rows among {len(column):,}). Name another column "
            "(--id-column NAME), or number the examples (--id-column row)."
        )
    return pc.cast(column.dictionary_decode() if pa.types.is_dictionary(column.type) else column, pa.string())
