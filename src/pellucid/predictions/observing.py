"""From pieces of saved predictions to what the lenses see of them."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from pellucid.data.images import UndecodableImageError, decode, picture_of
from pellucid.errors import DataError
from pellucid.measures.confusion import square_counts
from pellucid.measures.losses import Loss
from pellucid.measures.predictions import Columns
from pellucid.measures.saved import (
    columns_of_classes,
    columns_of_scores,
)
from pellucid.predictions.given import check_ranks, given_of
from pellucid.predictions.looking import Look, scores_in
from pellucid.predictions.numbers import NO_CLASS, ArrowColumn, Numbered, classes_of
from pellucid.predictions.saved import Piece, Saved
from pellucid.predictions.several import Floats, Sets, majority, sets_of, soft_of
from pellucid.types import Batch, ByColumn, Media, Observation

if TYPE_CHECKING:
    import pyarrow as pa


@dataclass
class Observing:
    """What the lenses see of each piece.

    Attributes:
        loss: that was asked for; the task's own where None.
        digest: of the source of the labels and of all ids so far.
        undecodable: pictures that could not be read so far.
    """

    saved: Saved
    look: Look
    loss: Loss | None = None
    digest: hashlib._Hash = field(default_factory=hashlib.sha256)
    undecodable: int = 0

    def __post_init__(self) -> None:
        self.digest.update((self.saved.labels or self.saved.predictions).source.encode())

    def of(self, piece: Piece) -> Observation:
        """Answers and targets as the lenses take them, with what came along."""
        targets, soft, sets = self._labels(piece)
        outputs: Any
        columns: dict[str, Any]
        if self.look.kind == "classes":
            outputs = np.broadcast_to(np.float32(np.nan), (len(piece), len(self.look.classes)))
            columns = dict(self._of_classes(piece, targets))
        else:
            scores = scores_in(self.saved, piece, self.look.kind, len(self.look.classes))
            outputs, columns = columns_of_scores(
                scores, self.look.kind, self.look.task, targets, loss=self.loss, soft=soft, sets=sets
            )
        batch = Batch(
            start=piece.start,
            ids=self._ids(piece),
            inputs=(),
            media=self._media(piece),
            columns=ByColumn(self._along(piece), len(piece)),
            soft=soft,
            sets=sets,
        )
        return Observation(stage="sweep", batch=batch, outputs=outputs, columns=columns, cells=self._cells(columns))

    def _cells(self, columns: dict[str, Any]) -> np.ndarray | None:
        """The confusion of a piece that is large beside it, which several lenses count."""
        if self.look.task != "classification":
            return None
        return square_counts(columns["target"], columns["prediction"], len(self.look.classes))

    def _labels(self, piece: Piece) -> tuple[np.ndarray | None, Floats | None, Sets]:
        """One class an example, soft labels, and sets of classes, as far as there are any."""
        column, look = self.saved.target(piece), self.look
        if column is None:
            return None, None, ()
        numbers = look.by_number.get("label")
        if look.labels == "sets":
            return None, None, sets_of(column, look.by_name, len(look.classes), piece.start, numbers)
        if look.labels == "soft":
            soft = soft_of(column, len(look.classes), piece.start)
            return majority(soft), soft, ()
        return classes_of(column, look.by_name, "label", piece.start, numbers), None, ()

    def _of_classes(self, piece: Piece, targets: np.ndarray | None) -> Columns:
        column = piece.columns[self.saved.roles.prediction]
        numbers = self.look.by_number.get("prediction")
        called = classes_of(column, self.look.by_name, "prediction", piece.start, numbers)
        for what, classes in (("prediction", called), ("label", targets)):
            largest = NO_CLASS if classes is None else int(classes.max(initial=NO_CLASS))
            if largest >= len(self.look.classes):
                raise DataError(
                    f"{self.saved.predictions.source} says of its columns that there are {len(self.look.classes):,} classes, but "
                    f"a {what} from row {piece.start:,} on is {largest}. Write the file anew."
                )
        number = len(self.look.classes)
        given = {name: given_of(piece.columns[name], name, number, piece.start) for name in self.saved.roles.given}
        if targets is not None and "rank" in given:
            check_ranks(given["rank"], called, targets, piece.start)
        return columns_of_classes(called, targets, given)

    def _ids(self, piece: Piece) -> Sequence[str]:
        ids = self.saved.ids(piece)
        if ids is not None:
            self.digest.update("\0".join(ids.to_pylist()).encode())
            return ArrowColumn(ids)
        self.digest.update(f"to {piece.start + len(piece)}".encode())
        return Numbered(piece.start, len(piece))

    def _along(self, piece: Piece) -> dict[str, ArrowColumn]:
        found = {name: piece.columns[name] for name in self.saved.roles.along}
        found |= {name: piece.labels[name] for name in self.saved.label_roles.along}
        return {name: ArrowColumn(_plain(column)) for name, column in found.items()}

    def _media(self, piece: Piece) -> list[Media | None]:
        if not self.saved.roles.media:
            return []
        return [self._picture(one) for one in piece.columns[self.saved.roles.media].to_pylist()]

    def _picture(self, value: dict[str, Any] | bytes | None) -> Media | None:
        """The small picture of an encoded image; None where there is none, which is counted where it cannot be decoded."""
        content = value.get("bytes") if isinstance(value, dict) else value
        if content is None:
            return None
        try:
            return picture_of(decode(content))
        except UndecodableImageError:
            self.undecodable += 1
            return None


def _plain(column: Any) -> pa.Array:
    """A column as the examples table takes it: text, numbers, booleans; all else as text."""
    import pyarrow as pa

    if pa.types.is_dictionary(column.type):
        column = column.dictionary_decode()
    if pa.types.is_float16(column.type):
        return column.cast(pa.float32())
    if pa.types.is_integer(column.type) or pa.types.is_floating(column.type) or pa.types.is_boolean(column.type):
        return column
    return column.cast(pa.string())
