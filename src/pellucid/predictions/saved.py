"""Saved predictions and their labels side by side, a piece at a time, row by row in step."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from pellucid.errors import DataError
from pellucid.predictions.files import Columns
from pellucid.predictions.ids import ids_of
from pellucid.predictions.naming import without_header
from pellucid.predictions.roles import Roles
from pellucid.predictions.stepping import gathered, in_step

if TYPE_CHECKING:
    import pyarrow as pa

# Scores that are read at once, and rows where there are few scores or a picture a row.
_SCORES = 1 << 21
MOST_ROWS = 1 << 16
_PICTURES = 1 << 9


@dataclass(frozen=True)
class Piece:
    """Rows of both tables that belong together.

    Attributes:
        start: row of the first.
        columns: of the predictions, by name.
        labels: of the labels where they come from a table of their own, by name.
    """

    start: int
    columns: dict[str, Any]
    labels: dict[str, Any]

    def __len__(self) -> int:
        return len(next(iter((self.columns or self.labels).values())))


@dataclass(frozen=True)
class Saved:
    """What is imported: tables and what their columns are.

    Attributes:
        predictions, roles: the table with what the model answered.
        labels, label_roles: a table of its own for the targets, if there is one.
        matched_by: the column of ids by which labels in another order were found; empty where they are read row by row.
        unlabelled, unmatched: predictions whose id no label has, and labels whose id no prediction has.
    """

    predictions: Columns
    roles: Roles
    labels: Columns | None = None
    label_roles: Roles = field(default_factory=Roles)
    matched_by: str = ""
    unlabelled: int = 0
    unmatched: int = 0

    def __post_init__(self) -> None:
        if not self.predictions.rows:
            raise DataError(f"{self.predictions.source} holds no rows: there is nothing to import.")
        if self.labels is not None and self.labels.rows != self.predictions.rows:
            raise DataError(
                f"{self.predictions.source} has {self.predictions.rows:,} rows and {self.labels.source} has "
                f"{self.labels.rows:,}: expected one label a prediction, in the same order, or ids in both (--id-column NAME). A "
                "label that is not known is empty or -1." + without_header(self.labels.schema.names)
            )

    @property
    def rows(self) -> int:
        """Number of examples."""
        return self.predictions.rows

    @property
    def id_column(self) -> str:
        """The column of ids, of the predictions where they have one, else of the labels; empty where none has."""
        return self.roles.id or self.label_roles.id

    def ids(self, piece: Piece) -> pa.Array | None:
        """Ids of a piece, as text; None where there are none. Raises: DataError: one is missing."""
        if self.roles.id:
            return ids_of(piece.columns[self.roles.id], piece.start)
        return ids_of(piece.labels[self.label_roles.id], piece.start) if self.label_roles.id else None

    def all_ids(self) -> Iterator[pa.Array]:
        """Ids of all examples, in pieces."""
        table, name = (self.predictions, self.roles.id) if self.roles.id else (self.labels, self.label_roles.id)
        start = 0
        for piece in () if table is None else table.pieces((name,), MOST_ROWS):
            yield ids_of(piece.column(0), start)
            start += piece.num_rows

    @property
    def target_type(self) -> pa.DataType | None:
        """The type of the column of targets; None where there is none."""
        table, name = self.target_column
        return table.schema.field(name).type if name else None

    @property
    def target_column(self) -> tuple[Columns, str]:
        """The table that has the targets, and the column; "" where there is none."""
        if self.labels is not None and self.label_roles.target:
            return self.labels, self.label_roles.target
        return self.predictions, self.roles.target

    def target(self, piece: Piece) -> Any | None:
        """The column of targets of a piece; None where there is none."""
        if self.label_roles.target:
            return piece.labels[self.label_roles.target]
        return piece.columns[self.roles.target] if self.roles.target else None

    def looked_at(self) -> Iterator[Piece]:
        """Pieces of the columns that have to be looked through before anything is written."""
        return self._pieces(self.roles.looked_at, self.label_roles.looked_at, self._rows(MOST_ROWS, pictures=False))

    def whole(self, most: int | None = None) -> Iterator[Piece]:
        """Pieces of every column that is kept, of at most so many rows; MOST_ROWS where None."""
        rows = self._rows(MOST_ROWS if most is None else most, pictures=bool(self.roles.media))
        return self._pieces(self.roles.read, self.label_roles.read, rows)

    def _rows(self, most: int, *, pictures: bool) -> int:
        """How many rows are read at once."""
        width = len(self.roles.scores)
        if width == 1:
            kind = self.predictions.schema.field(self.roles.scores[0]).type
            # Lists of any length say theirs when they are read; few classes are as good as many for so many rows.
            width = getattr(kind, "list_size", 1 << 10)
        rows = max(1, min(most, _SCORES // max(width, 1)))
        return min(rows, _PICTURES) if pictures else rows

    def _pieces(self, columns: tuple[str, ...], labels: tuple[str, ...], rows: int) -> Iterator[Piece]:
        start = 0
        if self.labels is None:
            for piece in gathered(self.predictions.pieces(columns, rows), rows):
                if piece.num_rows:
                    yield Piece(start, dict(zip(piece.schema.names, piece.columns, strict=True)), {})
                start += piece.num_rows
            return
        answers = in_step(self.predictions.pieces(columns, rows), rows)
        targets = in_step(self.labels.pieces(labels, rows), rows)
        for answer, target in zip(answers, targets, strict=True):
            yield Piece(
                start,
                dict(zip(answer.schema.names, answer.columns, strict=True)),
                dict(zip(target.schema.names, target.columns, strict=True)),
            )
            start += answer.num_rows
