"""Saved predictions through the lenses that need no model, into a record."""

from __future__ import annotations

import math
import platform
import time
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec
import numpy as np

from pellucid import __version__
from pellucid.errors import OptionError
from pellucid.lenses import ArrayLens, LensContext, without_model
from pellucid.lenses.again import look_again
from pellucid.lenses.parts import Part, rows_of
from pellucid.measures.labels import check_fits
from pellucid.measures.losses import Loss, on_model_outputs
from pellucid.models.losses import LossChoice, chosen_loss
from pellucid.predictions.kinds import Kind
from pellucid.predictions.looking import Hear, Look, look_through
from pellucid.predictions.naming import NumbersAre
from pellucid.predictions.observing import Observing
from pellucid.predictions.opening import opened
from pellucid.predictions.saved import Saved
from pellucid.predictions.several import LabelKind
from pellucid.record import Record, Writer, schema
from pellucid.record.replacing import made
from pellucid.types import Batch, Observation

if TYPE_CHECKING:
    import pyarrow as pa

PART_EXAMPLES = 1 << 16
# Rows that are read at once where none is kept: a square of cells is gone through once for each piece. Fewer where other
# columns come along, which may be text of any length.
MOST_AT_ONCE = 1 << 19
MOST_ALONG = 1 << 16


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
    label_kind: LabelKind | None = None,
    numbers: NumbersAre | None = None,
    loss: LossChoice = None,
    target_loss: float | None = None,
    title: str | None = None,
    overwrite: bool = False,
    progress: Hear = silent,
) -> Record:
    """Makes a record of predictions that were saved, without the model: everything that they alone can answer.

        record = pellucid.import_predictions("probabilities.npy", "labels.npy", out="net.pellucid")

    Args:
        predictions: a .parquet, .csv, .tsv or .npy file, or an array, a tensor or an Arrow table: a row of probabilities or
            logits an example, or predicted classes.
        labels: the same for the true classes, in the same order or with ids; or the name of a column of the predictions. A
            column called label or target is found where None. Lists, and columns of one class each, are soft labels or sets of
            classes.
        out: folder of the record.
        classes: names of the classes in order of index.
        kind: "classes", "probabilities" or "logits"; told apart where None, and refused where that is not safe.
        column: the column of predictions, where several could be it.
        id_column: the column of ids; "row" to number the examples. A column called id is found where None.
        label_kind: "class", "soft" or "sets": what labels are that may be one or the other; told by their form where None.
        numbers: "names" or "indices": what whole numbers are where classes are called by numbers ("10"); told where None, and
            refused where that is not safe.
        loss: the loss to look at, by name, or a function of outputs and targets; the task's own where None.
        target_loss: a loss that one wants to reach, to compare with.
        title: of the record; the name of the predictions where None.
        overwrite: replace a record that is already there.
        progress: hears how far each stage has come.

    Returns: the sealed record.
    Raises: OptionError, DataError: a record that was there is as it was, else nothing is. RecordError.
    """
    if kind not in (None, "classes", "probabilities", "logits"):
        raise OptionError(f"kind must be 'classes', 'probabilities' or 'logits'; got {kind!r}.")
    if label_kind not in (None, "class", "soft", "sets"):
        raise OptionError(f"label_kind must be 'class', 'soft' or 'sets'; got {label_kind!r}.")
    if numbers not in (None, "names", "indices"):
        raise OptionError(f"numbers must be 'names' or 'indices'; got {numbers!r}.")
    saved = opened(predictions, labels, classes, kind, column, id_column, label_kind)
    asked_loss = chosen_loss(loss)
    look = look_through(saved, classes, kind, progress, label_kind, numbers)
    chosen = _of_saved(asked_loss, look)
    context = _context(saved, look, chosen, target_loss)
    manifest = _manifest(saved, look, title, context)
    with made(Path(out), manifest, overwrite=overwrite) as writer:
        _Import(Observing(saved, look, chosen), context, writer, progress).run()
    return Record(out)


def panels_of(
    predictions: object,
    labels: object = None,
    *,
    lenses: Sequence[str] | None = None,
    classes: Sequence[str] | None = None,
    kind: Kind | None = None,
    column: str | None = None,
    label_kind: LabelKind | None = None,
    numbers: NumbersAre | None = None,
    loss: LossChoice = None,
    target_loss: float | None = None,
    progress: Hear = silent,
) -> dict[str, schema.Panel]:
    """The same answers without a record: what the lenses say, by name; nothing is written.

    Args:
        predictions: as for `import_predictions`; the others likewise.
        labels: likewise.
        lenses: names of those to ask; all that need answers alone where None.
        classes: likewise.
        kind: likewise.
        column: likewise.
        label_kind: likewise.
        numbers: likewise.
        loss: likewise.
        target_loss: likewise.
        progress: likewise.

    Raises: OptionError, DataError.
    """
    named = opened(predictions, labels, classes, kind, column, None, label_kind)
    # Ids say which label is whose; once that is known nobody asks for them but a second look.
    saved = replace(named, roles=replace(named.roles, media="", id=""), label_roles=replace(named.label_roles, id=""))
    asked_loss = chosen_loss(loss)
    look = look_through(saved, classes, kind, progress, label_kind, numbers)
    chosen = _of_saved(asked_loss, look)
    known = {lens.name: lens for lens in without_model(_context(saved, look, chosen, target_loss))}
    unknown = [name for name in lenses or () if name not in known]
    if unknown:
        raise OptionError(f"There is no lens '{unknown[0]}' that needs answers alone. There are: {', '.join(known)}.")
    asked = [known[name] for name in (known if lenses is None else lenses)]
    observing = Observing(saved, look, chosen)
    along = saved.roles.along or saved.label_roles.along
    for piece in saved.whole(MOST_ALONG if along else MOST_AT_ONCE):
        seen = observing.of(piece)
        for lens in asked:
            lens.observe(seen)
        progress("sweep", piece.start + len(piece), saved.rows)
    if observing.look.kind != "classes":
        again = Observing(replace(named, roles=replace(named.roles, media="")), look, chosen)
        look_again(asked, (_table(again.of(piece)) for piece in again.saved.whole()))
    return {lens.name: lens.report() for lens in asked}


def _of_saved(loss: Loss | None, look: Look) -> Loss | None:
    """The loss that was chosen, of one number an example where one was saved."""
    if loss is None or not look.single:
        return loss
    return on_model_outputs(loss, look.task, "logits", single=True)


def _table(seen: Observation) -> pa.Table:
    """The rows of the examples table, which is not written."""
    batch = seen.batch or Batch(0, (), ())
    return rows_of(batch, seen.columns, [None] * len(batch))


def _context(saved: Saved, look: Look, loss: Loss | None, target_loss: float | None) -> LensContext:
    """What the lenses know beforehand. Raises: OptionError: the loss does not go with what was saved."""
    if target_loss is not None and not math.isfinite(target_loss):
        raise OptionError(f"The loss to reach must be a number; got {target_loss}.")
    if loss is not None:
        check_fits(loss, look.task, soft=look.labels == "soft")
        if look.kind == "classes":
            raise OptionError(
                f"The loss {loss.spec} needs a score of every class; here only the predicted classes were saved. Leave --loss out."
            )
    scored = look.kind != "classes"
    return LensContext(look.classes, look.task, loss=loss, target_loss=target_loss, scored=scored, examples=saved.rows)


def _manifest(saved: Saved, look: Look, title: str | None, context: LensContext) -> schema.Manifest:
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
            matched_by=saved.matched_by,
            unlabelled=saved.unlabelled,
            unmatched=saved.unmatched,
            trimmed=look.trimmed,
            numbers="names" if look.by_number else "indices",
            ignored=look.ignored,
            alike=list(look.alike),
        ),
        data=_data_info(saved, look, ""),
        task=look.task,
        options={"loss": context.loss.spec if context.loss else None, "target_loss": context.target_loss},
        versions={"python": platform.python_version(), "numpy": np.__version__, "pellucid": __version__},
    )


def _data_info(saved: Saved, look: Look, fingerprint: str) -> schema.DataInfo:
    labels = saved.labels or saved.predictions
    return schema.DataInfo(labels.name, labels.source, fingerprint, saved.rows, list(look.classes))


@dataclass
class _Import:
    """One import: pieces to lenses and to the disk."""

    observing: Observing
    context: LensContext
    writer: Writer
    hear: Hear
    stage: schema.StageInfo = field(default_factory=lambda: schema.StageInfo("sweep"))

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
        observed, origin = self.observing, self.writer.manifest.saved
        if origin is not None:
            origin = msgspec.structs.replace(origin, undecodable=observed.undecodable)
        data = _data_info(observed.saved, observed.look, observed.digest.hexdigest())
        self.writer.update(data=data, saved=origin)

    def _sweep(self) -> None:
        totals = without_model(self.context)
        part = Part(self.writer.parts, totals)
        for piece in self.observing.saved.whole():
            part.add(self.observing.of(piece), self.writer)
            self.stage.examples += len(piece)
            self.hear("sweep", self.stage.examples, self.observing.saved.rows)
            if len(part) >= PART_EXAMPLES:
                part = self._finish(part)
        if len(part):
            self._finish(part)
        look_again(totals, Record(self.writer.path).example_parts())
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
