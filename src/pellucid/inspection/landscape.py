"""The loss around a model's weights, added to a record that is there: a plane, a line to a checkpoint, sharpness."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from pellucid.data import Source
from pellucid.errors import DataError, OptionError
from pellucid.inspection.again import as_inspected, check_again
from pellucid.inspection.labelled import LabelledExamples
from pellucid.inspection.surveyed import curved, line_of, plane_of, points_of
from pellucid.measures.labels import check_fits
from pellucid.measures.losses import NAMES, Loss, default_loss
from pellucid.models.losses import LossChoice, chosen_loss
from pellucid.record import Record, Writer, schema

if TYPE_CHECKING:
    from torch import Tensor, nn

    from pellucid.landscape import BatchNorm, Matrix, Normalisation, Objective

LIMIT, RESOLUTION, LINE = 512, 21, 21
Progress = Callable[[str, int, int | None], None]


@dataclass(frozen=True)
class Around:
    """What to look at around the weights.

    Attributes:
        resolution: points along each direction of the plane and of the line, odd; 0 leaves the plane out.
        span: how far from the weights the plane reaches, in lengths of the weights' filters.
        batch_norm: statistics of batch normalisation: the model's own ("eval"), of each batch ("train"), or recalculated at
            every point.
        normalisation: how long a step of 1 is.
        end: parameters and buffers of another checkpoint; no line where None.
        end_source: how it was named.
        matrices: whose eigenvalues, trace and spectral density are asked for.
        loss: as for `inspect`; the record's own where None.
        limit: examples, chosen at random.
        batch_size: examples a forward.
        seed: of the directions, of the choice, and of what is estimated at random.
    """

    resolution: int = RESOLUTION
    span: float = 1.0
    batch_norm: BatchNorm = "eval"
    normalisation: Normalisation = "filter"
    end: Mapping[str, Tensor] | None = None
    end_source: str = ""
    matrices: tuple[Matrix, ...] = ()
    loss: LossChoice = None
    limit: int = LIMIT
    batch_size: int = 64
    seed: int = 0

    def __post_init__(self) -> None:
        if self.resolution and (self.resolution < 3 or self.resolution % 2 == 0):
            raise OptionError(
                f"The resolution is odd, so that the weights themselves are among the points, and at least 3; got "
                f"{self.resolution}. 0 leaves the plane out."
            )
        if not self.resolution and self.end is None and not self.matrices:
            raise OptionError(
                "Nothing is asked for: give a resolution for the plane (--resolution), a second checkpoint (--to), or --sharpness."
            )
        if not 0 < self.span < float("inf"):
            raise OptionError(f"The span is a number above 0; got {self.span:g}.")
        for name, value, least in (
            ("limit", self.limit, 2),
            ("batch size", self.batch_size, 1),
            ("seed", self.seed, 0),
        ):
            if value < least:
                raise OptionError(f"The {name} must be at least {least}; got {value}.")


def add_landscape(
    record: str | Path,
    model: nn.Module,
    source: Source,
    around: Around,
    *,
    device: str | None = None,
    progress: Progress = lambda what, done, total: None,
) -> Record:
    """Adds the landscape to a complete record. What an earlier call with the same settings found stays, row by row.

    Args:
        record: its folder.
        model: the inspected model; left as it was.
        source: the inspected data.
        around: what to look at.
        device: where to run; where the model is if None.
        progress: hears how far each part has come; raise to cancel: the finished rows of the plane are kept.

    Raises: RecordError: the record is not complete, or of no model. ModelError: of another model. DataError: other data than
        the inspected. OptionError, ForwardError; MethodError: no weights to move, or no second derivatives. WeightsError.
        MissingExtraError.
    """
    from pellucid.capture import on_device, unwrapped
    from pellucid.landscape import Objective

    check_again(Record(record), model, source, "landscapes")
    inner, held = unwrapped(model), Record(record).manifest
    # The record's labels are the model's classes, the data's may be numbered otherwise.
    source = as_inspected(Record(record), source)
    loss, notes = _loss_of(Record(record), around.loss)
    with on_device(model, device) as place:
        examples = LabelledExamples(inner, source, Objective(loss, held.task, held.outputs), around, place)
        _check_inspected(Record(record), source, examples)
        with Writer.open(record) as writer:
            _Adding(writer, inner, around, examples, [*notes, *examples.notes], progress).run()
    return Record(record)


def _check_inspected(record: Record, source: Source, examples: LabelledExamples) -> None:
    """Refuses examples that the record is not of. Raises: DataError: an id is not there, or has another label."""
    table, targets = record.examples().select(["id", "target"]), examples.targets
    inspected = dict(zip(table["id"].to_pylist(), table["target"].to_pylist(), strict=True))
    strange = [one for one in targets if one not in inspected]
    if strange:
        raise DataError(
            f"{source.source} is not the inspected data: {len(strange):,} of {len(targets):,} examples of the sample, such as "
            f"{strange[0]!r}, are not in {record.path}. Give the data that was inspected (--data)."
        )
    if record.manifest.task != "classification" or len(inspected) < table.num_rows:
        return  # numbers may be rounded, sets have no target, and ids that repeat name no example
    other = next((one for one, target in targets.items() if target != inspected[one]), None)
    if other is not None:
        number = sum(target != inspected[one] for one, target in targets.items())
        raise DataError(
            f"{source.source} is not the inspected data: {number:,} of {len(targets):,} examples of the sample have other labels "
            f"than in {record.path}, such as {other!r}: {targets[other]}, there {inspected[other]}. Give the data that was "
            "inspected (--data)."
        )


@dataclass
class _Adding:
    """One record, one model, and its surroundings."""

    writer: Writer
    model: nn.Module
    around: Around
    examples: LabelledExamples
    notes: list[str]
    progress: Progress

    @property
    def objective(self) -> Objective:
        return self.examples.objective

    def run(self) -> None:
        from pellucid.landscape import batch_norms

        norms = len(batch_norms(self.model))
        with self._stage() as stage:
            panel = self._centre(stage, norms)
            before = _kept(Record(self.writer.path), panel)
            if before is not None:
                panel.plane, panel.line, panel.sharpness = before.plane, before.line, before.sharpness
            if self.around.resolution:
                rows = plane_of(self.model, self.examples, self.around, panel.plane, self._counting(stage, "plane"))
                for plane in rows:
                    panel.plane = plane
                    self._write(panel)
            if self.around.end is not None:
                panel.line = line_of(
                    self.model,
                    self.examples,
                    self.around,
                    self.around.resolution or LINE,
                    self._counting(stage, "line"),
                )
                self._write(panel)
            for matrix in self.around.matrices:
                found = curved(self.model, self.examples, self.around, matrix, self._products(stage))
                others = [one for one in panel.sharpness if one.matrix != matrix]
                panel.sharpness = sorted([*others, found], key=lambda one: one.matrix, reverse=True)
                self._write(panel)

    def _centre(self, stage: schema.StageInfo, norms: int) -> schema.LandscapePanel:
        sums = points_of(self.model, self.examples, self.around, [dict], self._counting(stage, ""))
        loss = self.objective.loss
        return schema.LandscapePanel(
            count=len(self.examples),
            loss=loss.name,
            spec=loss.spec,
            unit=loss.unit,
            batch_norm=self.around.batch_norm if norms else "none",
            batch_norms=norms,
            limit=self.around.limit,
            sample_seed=self.around.seed,
            batch_size=self.around.batch_size,
            centre=sums.mean(0),
            centre_interval=sums.interval(0),
            centre_correct=int(sums.right[0]) if sums.judged else None,
            notes=self.notes,
        )

    def _write(self, panel: schema.LandscapePanel) -> None:
        panel.findings = findings_of(panel)
        self.writer.write_panel(panel)
        self.writer.update()

    def _counting(self, stage: schema.StageInfo, what: str) -> Callable[[int, int], None]:
        """Hears of points that are finished for a batch, and of how many there will be."""
        passes = 2 if self.around.batch_norm == "recalculate" else 1

        def heard(done: int, total: int) -> None:
            stage.forward += passes
            stage.forward_examples += passes * self.around.batch_size
            if what:
                self.progress(what, done, total)

        return heard

    def _products(self, stage: schema.StageInfo) -> Callable[[int], None]:
        """Hears of products with a matrix: each is a forward and two backwards over all examples."""
        before = 0

        def heard(products: int) -> None:
            nonlocal before
            fresh, before = products - before, products
            batches = fresh * self.examples.batches
            stage.forward += batches
            stage.backward += 2 * batches
            stage.forward_examples += fresh * len(self.examples)
            stage.backward_examples += 2 * fresh * len(self.examples)
            self.progress("curvature", products, None)

        return heard

    @contextmanager
    def _stage(self) -> Iterator[schema.StageInfo]:
        stage = schema.StageInfo("landscape", examples=len(self.examples))
        stages = self.writer.manifest.stages
        stages[:] = [one for one in stages if one.name != stage.name] + [stage]
        begun = time.perf_counter()
        try:
            yield stage
        except BaseException as error:
            stage.state = "failed" if isinstance(error, Exception) else "interrupted"
            raise
        else:
            stage.state = "complete"
        finally:
            stage.seconds = time.perf_counter() - begun
            self.writer.update()


def _kept(record: Record, now: schema.LandscapePanel) -> schema.LandscapePanel | None:
    """What is there already, where it was asked of the same examples in the same way."""
    if "landscape" not in record.panels:
        return None
    before = record.panel("landscape")
    if not isinstance(before, schema.LandscapePanel):
        return None
    same = ("count", "spec", "batch_norm", "limit", "sample_seed", "batch_size")
    return before if all(getattr(before, name) == getattr(now, name) for name in same) else None


def _loss_of(record: Record, choice: LossChoice) -> tuple[Loss, list[str]]:
    """The loss that was asked for, else the record's own, else the task's; and what is to be said about it."""
    task = record.manifest.task
    asked = chosen_loss(choice)
    notes: list[str] = []
    if asked is None:
        panel = record.panel("loss") if "loss" in record.panels else None
        # Without the lens of the loss, what the inspection was asked for.
        spec = panel.spec if isinstance(panel, schema.LossPanel) else str(record.manifest.options.get("loss") or "")
        # A record names a loss; only a person may name code to run.
        named = spec.partition(":")[0] in NAMES
        asked = chosen_loss(spec) if named else default_loss(task)
        if spec and not named and asked is not None:
            notes.append(f"The record's loss is one of your own; this is the {asked.name}. Give yours with --loss.")
    if asked is None:
        raise OptionError(
            "This model's outputs and targets are no classification, sets of classes or regression of one number: there is no loss "
            "to look at. Give one with --loss."
        )
    check_fits(asked, task)
    return asked, notes


def findings_of(panel: schema.LandscapePanel) -> list[schema.Finding]:
    """What is worth a sentence on the first page."""
    found = []
    line = panel.line
    if line is not None and line.barrier is not None and line.barrier_interval and line.barrier_interval.low > 0:
        told = (
            "they do not lie in one valley"
            if panel.batch_norm != "eval"
            else "they do not lie in one valley, or the statistics of batch normalisation do not fit in between "
            "(--batch-norm recalculate tells)"
        )
        found.append(
            schema.Finding(
                kind="loss-barrier",
                severity="info",
                sentence=f"On the straight way from these weights to {line.end} the {panel.loss} rises by {line.barrier:.3g} "
                f"{panel.unit} above the line between both: {told}.",
                count=panel.count,
                page="loss",
                weight=0.2,
                interval=line.barrier_interval,
                evidence={"barrier": line.barrier, "step": line.barrier_step},
            )
        )
    return found
