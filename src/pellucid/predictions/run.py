"""Saved predictions through the lenses that need no model, into a record."""

from __future__ import annotations

import hashlib
import platform
import time
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np

from pellucid import __version__, lenses
from pellucid.data.images import UndecodableImageError, decode, picture_of
from pellucid.errors import OptionError
from pellucid.lenses import ArrayLens, LensContext
from pellucid.lenses.parts import Part
from pellucid.measures.predictions import Columns, columns_of
from pellucid.measures.saved import columns_of_classes, columns_of_probabilities, log_probabilities
from pellucid.predictions.files import open_columns
from pellucid.predictions.kinds import Kind
from pellucid.predictions.looking import Hear, Look, look_through, scores_in
from pellucid.predictions.numbers import ArrowColumn, classes_of, floats_of
from pellucid.predictions.roles import Roles, roles_of, roles_of_labels
from pellucid.predictions.saved import Piece, Saved
from pellucid.record import Record, Writer, schema
from pellucid.types import Batch, ByColumn, Media, Observation

if TYPE_CHECKING:
    import pyarrow as pa

PART_EXAMPLES = 1 << 16


def silent(stage: str, done: int, total: int | None) -> None:
    """The progress that nobody watches."""


def import_predictions(
    predictions: object,
    labels: object = None,
    *,
    out: str | Path,
    classes: Sequence[str] | None = None,
    kind: Kind | None = None,
    column: str | None = None,
    id_column: str | None = None,
    title: str | None = None,
    overwrite: bool = False,
    progress: Hear = silent,
) -> Record:
    """Makes a record of predictions that were saved, without the model: everything that they alone can answer.

        record = pellucid.import_predictions("probabilities.npy", "labels.npy", out="net.pellucid")

    Args:
        predictions: a .parquet, .csv, .tsv or .npy file, or an array, a tensor or an Arrow table: a row of probabilities or
            logits an example, or predicted classes.
        labels: the same for the true classes, in the same order; or the name of a column of the predictions. A column
            called label or target is found where None.
        out: folder of the record.
        classes: names of the classes in order of index.
        kind: "classes", "probabilities" or "logits"; told apart where None, and refused where that is not safe.
        column: the column of predictions, where several could be it.
        id_column: the column of ids; "row" to number the examples. A column called id is found where None.
        title: of the record; the name of the predictions where None.
        overwrite: replace a record that is already there.
        progress: hears how far each stage has come.

    Returns: the sealed record.
    Raises: OptionError, DataError: nothing was written. RecordError.
    """
    if kind not in (None, "classes", "probabilities", "logits"):
        raise OptionError(f"kind must be 'classes', 'probabilities' or 'logits'; got {kind!r}.")
    saved = _opened(predictions, labels, classes, kind, column, id_column)
    look = look_through(saved, classes, kind, progress)
    manifest = _manifest(saved, look, title)
    with Writer.create(Path(out), manifest, overwrite=overwrite) as writer, writer.sealing():
        _Import(saved, look, writer, progress).run()
    return Record(out)


def _opened(
    predictions: object,
    labels: object,
    classes: Sequence[str] | None,
    kind: Kind | None,
    column: str | None,
    id_column: str | None,
) -> Saved:
    table = open_columns(predictions, "predictions")
    own = labels is None or (isinstance(labels, str) and labels in table.schema.names)
    target = (None if labels is None else str(labels)) if own else ""
    roles = roles_of(table, column=column, target=target, id_column=id_column, classes=classes)
    roles = _as_asked(roles, table.schema, kind, table.source)
    if own:
        return Saved(table, roles)
    beside = open_columns(labels, "labels")
    label_roles = roles_of_labels(beside, id_column=id_column or roles.id)
    # What comes along with both is taken from the predictions.
    along = tuple(name for name in label_roles.along if name not in table.schema.names)
    return Saved(table, roles, beside, replace(label_roles, along=along))


def _as_asked(roles: Roles, schema_: pa.Schema, kind: Kind | None, source: str) -> Roles:
    """Roles that go with the kind that was asked for: one number an example may be a score of two classes."""
    if kind == "classes" and roles.scores:
        raise OptionError(
            f"--kind classes, but {source} has scores in {roles.scores[0]}. Name the column of classes (--column NAME), or leave "
            "--kind out."
        )
    if kind in ("probabilities", "logits") and not roles.scores:
        if not str(schema_.field(roles.prediction).type).startswith(("float", "double", "half")):
            raise OptionError(
                f"--kind {kind}, but '{roles.prediction}' of {source} holds {schema_.field(roles.prediction).type}, no scores. "
                "Name the column of scores (--column NAME), or leave --kind out."
            )
        return replace(roles, scores=(roles.prediction,), prediction="", given=())
    return roles


def _manifest(saved: Saved, look: Look, title: str | None) -> schema.Manifest:
    return schema.Manifest(
        pellucid_version=__version__,
        title=title or saved.predictions.name,
        saved=schema.SavedPredictions(
            name=saved.predictions.name,
            source=saved.predictions.source,
            kind=look.kind,
            columns=list(saved.roles.scores[:1] or (saved.roles.prediction, *saved.roles.given)),
            left_out=list(saved.roles.left_out),
            unnormalised=look.unnormalised,
        ),
        data=_data_info(saved, look, ""),
        task="classification",
        versions={"python": platform.python_version(), "numpy": np.__version__, "pellucid": __version__},
    )


def _data_info(saved: Saved, look: Look, fingerprint: str) -> schema.DataInfo:
    labels = saved.labels or saved.predictions
    return schema.DataInfo(labels.name, labels.source, fingerprint, saved.rows, list(look.classes))


@dataclass
class _Import:
    """One import: pieces to lenses and to the disk."""

    saved: Saved
    look: Look
    writer: Writer
    hear: Hear
    stage: schema.StageInfo = field(default_factory=lambda: schema.StageInfo("sweep"))
    digest: hashlib._Hash = field(default_factory=hashlib.sha256)
    undecodable: int = 0

    def run(self) -> None:
        """Sweeps, then reports."""
        self.writer.manifest.stages.append(self.stage)
        begun = time.perf_counter()
        try:
            self._sweep()
        except BaseException as error:
            self.stage.state = "failed" if isinstance(error, Exception) else "interrupted"
            raise
        finally:
            self.stage.seconds = time.perf_counter() - begun
        self.stage.state = "complete"
        data = _data_info(self.saved, self.look, self.digest.hexdigest())
        origin = self.writer.manifest.saved
        if origin is not None and self.undecodable:
            origin = msgspec.structs.replace(origin, undecodable=self.undecodable)
        self.writer.update(data=data, saved=origin)

    def _sweep(self) -> None:
        context = LensContext(self.look.classes, "classification")
        totals = lenses.without_model(context)
        self.digest.update((self.saved.labels or self.saved.predictions).source.encode())
        part = Part(self.writer.parts, totals)
        for piece in self.saved.whole():
            part.add(self._observed(piece), self.writer)
            self.stage.examples += len(piece)
            self.hear("sweep", self.stage.examples, self.saved.rows)
            if len(part) >= PART_EXAMPLES:
                part = self._finish(part)
        if len(part):
            self._finish(part)
        for lens in totals:
            arrays = lens.arrays() if isinstance(lens, ArrayLens) else None
            self.writer.write_panel(lens.report(), arrays, name=lens.name)

    def _finish(self, part: Part) -> Part:
        """Puts rows on the disk; the lenses go on, for an import is not resumed and their state over one part is not asked."""
        import pyarrow as pa

        self.writer.manifest.nonfinite += part.nonfinite
        self.writer.write_part(part.index, part.table(), {})
        # Arrow keeps what it has once taken, which adds up over thousands of parts.
        pa.default_memory_pool().release_unused()
        return Part(self.writer.parts, part.lenses)

    def _observed(self, piece: Piece) -> Observation:
        """What the lenses see of a piece."""
        targets = self._targets(piece)
        outputs: Any
        if self.look.kind == "classes":
            outputs = np.broadcast_to(np.float32(np.nan), (len(piece), len(self.look.classes)))
            columns = self._of_classes(piece, targets)
        else:
            outputs = scores_in(self.saved, piece, self.look.kind)
            if self.look.kind == "logits":
                columns = columns_of(outputs, targets, task="classification")
            else:
                columns = columns_of_probabilities(outputs, targets)
                outputs = log_probabilities(outputs)
        batch = Batch(
            start=piece.start,
            ids=self._ids(piece),
            inputs=(),
            media=self._media(piece),
            columns=ByColumn(self._along(piece), len(piece)),
        )
        return Observation(stage="sweep", batch=batch, outputs=outputs, columns=columns)

    def _targets(self, piece: Piece) -> np.ndarray | None:
        column = self.saved.target(piece)
        return None if column is None else classes_of(column, self.look.by_name, "label", piece.start)

    def _of_classes(self, piece: Piece, targets: np.ndarray | None) -> Columns:
        column = piece.columns[self.saved.roles.prediction]
        given = {name: floats_of(piece.columns[name]) for name in self.saved.roles.given}
        return columns_of_classes(classes_of(column, self.look.by_name, "prediction", piece.start), targets, given)

    def _ids(self, piece: Piece) -> ArrowColumn:
        import pyarrow as pa

        ids = self.saved.ids(piece)
        if ids is not None:
            self.digest.update("\0".join(ids.to_pylist()).encode())
            return ArrowColumn(ids)
        numbers = pa.array(np.arange(piece.start, piece.start + len(piece))).cast(pa.string())
        self.digest.update(f"to {numbers[-1]}".encode())
        return ArrowColumn(numbers)

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
