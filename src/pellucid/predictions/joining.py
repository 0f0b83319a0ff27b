"""Labels in another order than the predictions, brought beside them by id."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pellucid.errors import DataError
from pellucid.predictions.files import Columns, held
from pellucid.predictions.ids import ids_of
from pellucid.predictions.stepping import in_step

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    import pyarrow as pa

_ROWS = 1 << 16
_NAMED = 3


@dataclass(frozen=True)
class Joined:
    """Labels in the order of the predictions.

    Attributes:
        labels: a row for each prediction, nothing in it where no label has its id.
        unlabelled: predictions whose id no label has.
        unmatched: labels whose id no prediction has, which are left out.
    """

    labels: Columns
    unlabelled: int
    unmatched: int


def joined(predictions: Columns, own: str, labels: Columns, theirs: str, columns: Sequence[str]) -> Joined | None:
    """Labels beside the predictions with the same ids; None where they are that already, which is read without holding them.

    Args:
        predictions: the table whose order counts.
        own: its column of ids.
        labels: the other table; what is asked of it is held in memory.
        theirs: its column of ids.
        columns: of the labels, that are wanted.

    Raises: DataError: an id is missing, several labels have the same, or no label has the id of any prediction.
    """
    import pyarrow as pa
    import pyarrow.compute as pc

    if not predictions.rows or not labels.rows:
        return None  # which is refused where it is read
    if predictions.rows == labels.rows and _same(predictions, own, labels, theirs):
        return None
    wanted, there = _all_ids(predictions, own), _all_ids(labels, theirs)
    _refuse_repeated(there, labels.source, theirs)
    places = pc.index_in(wanted, value_set=there)
    if places.null_count == len(places):
        raise DataError(
            f"No label has the id of a prediction: the first of {predictions.source} is '{wanted[0]}', the first of "
            f"{labels.source} is '{there[0]}'. Name the column of ids in both (--id-column NAME), or read labels in the same order "
            "(--id-column row)."
        )
    table = pa.Table.from_batches(list(labels.pieces(columns, _ROWS)))
    taken = table.take(places).replace_schema_metadata(labels.schema.metadata)
    unmatched = len(there) - pc.count_distinct(places, mode="only_valid").as_py()
    return Joined(held(taken, labels), places.null_count, unmatched)


def _same(predictions: Columns, own: str, labels: Columns, theirs: str) -> bool:
    """Whether both have the same ids in the same order."""
    one, other = (
        in_step(table.pieces((name,), _ROWS), _ROWS) for table, name in ((predictions, own), (labels, theirs))
    )
    start = 0
    for here, there in zip(one, other, strict=True):
        if not ids_of(here.column(0), start).equals(ids_of(there.column(0), start)):
            return False
        start += here.num_rows
    return True


def _all_ids(table: Columns, name: str) -> pa.Array:
    import pyarrow as pa

    pieces = list(_ids(table, name))
    return pa.concat_arrays(pieces) if pieces else pa.array([], pa.string())


def _ids(table: Columns, name: str) -> Iterator[pa.Array]:
    start = 0
    for piece in table.pieces((name,), _ROWS):
        yield ids_of(piece.column(0), start)
        start += piece.num_rows


def _refuse_repeated(ids: Any, source: str, column: str) -> None:
    import pyarrow.compute as pc

    counted = ids.value_counts()
    often = counted.filter(pc.greater(counted.field("counts"), 1))
    if len(often):
        named = ", ".join(f"'{one['values']}' stands in {one['counts']:,} rows" for one in often[:_NAMED].to_pylist())
        more = f", and {len(often) - _NAMED:,} more" if len(often) > _NAMED else ""
        raise DataError(
            f"Ids in the column '{column}' of {source} repeat: {named}{more}. Labels in another order than the predictions are "
            "found by their ids, of which each must stand once."
        )
