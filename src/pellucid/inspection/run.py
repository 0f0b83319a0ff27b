"""The five steps over one model and one source."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Literal

import numpy as np

from pellucid import lenses
from pellucid.data import Source, collate
from pellucid.data.batching import part_of
from pellucid.data.misfit import misfit
from pellucid.data.numbers import number_targets
from pellucid.data.several import as_sets, set_targets
from pellucid.data.targets import check_scores
from pellucid.data.whole import whole_targets
from pellucid.errors import DataError, ForwardError, MethodError, OptionError, TargetError
from pellucid.inspection.answers import check_signs, scores_of, some_labels, task_of
from pellucid.inspection.closely import check_explains, chosen_rows, columns_of, observe_closely
from pellucid.inspection.describe import data_info, length_of
from pellucid.inspection.options import Options, Progress
from pellucid.inspection.steadiness import changing_inputs, changing_outputs
from pellucid.lenses import ArrayLens, Lens, LensContext
from pellucid.lenses import state as lens_state
from pellucid.lenses.again import look_again
from pellucid.lenses.parts import Part
from pellucid.measures.labels import check_fits
from pellucid.measures.losses import Loss, on_model_outputs
from pellucid.measures.saved import columns_of_scores
from pellucid.models import check_classes
from pellucid.record import Record, Writer, schema
from pellucid.types import Batch, Layer, Observation, OutputKind, Passes, Stage, Task

if TYPE_CHECKING:
    from torch import nn

    from pellucid.capture import Captured, Session
    from pellucid.graph import Graph

PART_EXAMPLES = 1024
FOCUS_BATCH = 8
NOTHING_TO_LEARN = (
    "Fewer than 4 examples have a known target and a finite loss: nothing can be said of their gradients."
)


@dataclass
class Inspection:
    """Runs the model through the stages; what the lenses find goes to the writer."""

    model: nn.Module
    source: Source
    classes: tuple[str, ...]
    options: Options
    writer: Writer
    device: str
    progress: Progress
    loss: Loss | None = None
    task: Task = "none"
    kind: OutputKind = "logits"
    changing: tuple[int, float, float] = (0, 0.0, 0.0)
    taken_from: str = ""
    unscored: str = ""
    layers: dict[str, Layer] = field(default_factory=dict)
    _at_once: int = 0
    _looked: Passes = field(default_factory=Passes)

    def run(self) -> None:
        """Traces, sweeps, chooses, focuses, learns."""
        import torch

        from pellucid.capture import Session, as_arguments, to_device, unwrapped
        from pellucid.graph import trace_timed

        model = unwrapped(self.model)
        first = collate([self.source.example(0)], 0)
        positional, named = as_arguments(to_device(first.inputs, torch.device(self.device)), model)
        graph = trace_timed(model, *positional, **named)
        if graph.error is not None:
            raise ForwardError(
                f"The model raised in its own forward: {graph.error}. It was called with the first example, "
                f"{first.ids[0]}. Check that the examples have the shape and type that the model expects. "
                f"{misfit(self.source, first.inputs, model)}".rstrip()
            ) from self._cause(first)
        self.layers = {layer.name: layer for layer in graph.layers}
        with Session(model, graph.layers, device=self.device) as session:
            self._learn_task(session, first, graph)
            self._trace(graph)
            self._sweep(session)
            self._crops(graph)
            self._focus(session)
        # Outside of the session, which has switched off what the parameters ask for.
        self._learn(model, graph)

    # --- trace ------------------------------------------------------------------------------------------------

    def _cause(self, first: Batch) -> BaseException | None:
        """The error of a model that could not be traced, which the graph tells in words only."""
        from pellucid.capture import Session

        try:
            with Session(self.model, (), device=self.device) as session:
                session.forward(first.inputs)
        except ForwardError as error:
            return error.__cause__
        return None

    def _learn_task(self, session: Session, first: Batch, graph: Graph) -> None:
        """Looks at one example's output: what kind of task is this, what are the numbers, and do the class names fit?"""
        from pellucid.capture import class_scores, is_single, kind_of, scores_in, taken_from, unscored

        output = session.forward(first.inputs).outputs
        outputs = scores_in(output, len(first))
        alone = self.options.batch_size == 1
        again = changing_outputs(session, self.source, first, outputs, alone=alone)
        self.changing = changing_inputs(self.source), *again
        self._looked, self.taken_from = replace(session.passes), taken_from(output)
        self.unscored = unscored(output, len(first))
        single, said = is_single(outputs), self.options.outputs
        labels = some_labels(self.source, first, self.options.batch_size, single=single)
        if any(one is not None for one in labels.sets):
            self.source, labels = set_targets(self.source), as_sets(labels)
        elif single and said != "numbers":
            check_signs(labels, self.source)
        self.task = task_of(outputs, labels.targets, self.classes, sets=bool(labels.sets), numbers=said == "numbers")
        check_scores(labels, tuple(outputs.shape), self.task, self.source.source)
        check_explains(self.options.target, self.task)
        if self.task == "classification":
            self.source = whole_targets(self.source)
        elif self.task == "regression":
            self.source = number_targets(self.source)
        if said == "auto":
            self.kind = kind_of(output, graph, self.task)
        elif said != "numbers" and self.task in ("classification", "multilabel"):
            self.kind = said
        if self.loss is not None:
            if self.task == "none":
                raise OptionError(
                    f"The loss {self.loss.spec} cannot be looked at: the model's outputs, of shape {tuple(outputs.shape)} for one "
                    "example, and the targets are no classes, sets of classes or one number an example. Leave --loss out."
                )
            check_fits(self.loss, self.task, soft=labels.soft is not None)
            self.loss = on_model_outputs(self.loss, self.task, self.kind, single=single)
        if self.task in ("classification", "multilabel"):
            # Of one class that is true or not there is one number; of two classes, one of which is true, there may be.
            number = outputs.shape[1] if self.task == "multilabel" else class_scores(outputs, self.kind).shape[1]
            check_classes(self.classes or None, number)
            self.classes = self.classes or tuple(str(index) for index in range(number))
        self.writer.update(task=self.task, outputs=self.kind, data=data_info(self.source, self.classes, None))

    def _trace(self, graph: Graph) -> None:
        from pellucid.graph import timed_forwards

        with self._stage("trace") as stage:
            # Those for the time of each call, and those that said what the output is: the graph needed no values.
            stage.forward = stage.forward_examples = timed_forwards(graph)
            _count(stage, Passes(), self._looked)
            self.writer.update(call_seconds=[node.seconds for node in graph.nodes])
            seen = Observation(
                stage="trace", graph=graph, layers=self.layers, parameters=dict(self.model.named_parameters())
            )
            for lens in self._lenses("trace"):
                lens.observe(seen)
                self._report(lens)

    # --- sweep ------------------------------------------------------------------------------------------------

    def _sweep(self, session: Session) -> None:
        totals = self._lenses("sweep")
        examples_a_part = max(1, PART_EXAMPLES // self.options.batch_size) * self.options.batch_size
        with self._stage("sweep") as stage:
            for index in range(self.writer.parts):
                for total in totals:
                    total.merge(self._restored(total, index))
            stage.examples = self.writer.manifest.examples
            self.progress("sweep", stage.examples, length_of(self.source))
            part = Part(self.writer.parts, self._lenses("sweep"))
            for batch in self.source.batches(self.options.batch_size, start=stage.examples):
                for piece, captured in self._captured(session, batch, part, stage):
                    part.add(self._observed(piece, captured), self.writer)
                    stage.examples += len(piece)
                self.progress("sweep", stage.examples, length_of(self.source))
                if len(part) >= examples_a_part:
                    self._finish(part, totals)
                    part = Part(self.writer.parts, self._lenses("sweep"))
            if len(part):
                self._finish(part, totals)
            if stage.examples == 0:
                raise DataError(f"No example of {self.source.source} could be read: there is nothing to inspect.")
            look_again(totals, Record(self.writer.path).example_parts())
            for total in totals:
                self._report(total)
        self.writer.update(data=data_info(self.source, self.classes, stage.examples), skipped=list(self.source.skipped))

    def _captured(
        self, session: Session, batch: Batch, part: Part, stage: schema.StageInfo
    ) -> Iterator[tuple[Batch, Captured]]:
        """A forward over a batch; over half as many examples at a time from where memory does not suffice on."""
        from pellucid.capture.memory import Batches

        def look(start: int, stop: int) -> tuple[Batch, Captured]:
            piece, before = part_of(batch, start, stop), replace(session.passes)
            try:
                return piece, session.forward(piece.inputs, part.reductions)
            finally:
                _count(stage, before, session.passes)

        pieces = Batches(len(batch), min(self._at_once or len(batch), len(batch)))
        yield from pieces.run(look)
        if pieces.note:
            self._at_once = pieces.size
            stage.note = (
                f"Memory did not suffice for {self.options.batch_size} examples at a time: {pieces.size} were used."
            )

    def _observed(self, batch: Batch, captured: Captured) -> Observation:
        """What the lenses see of a batch."""
        import torch

        targets = None if batch.targets is None else batch.targets.numpy()
        outputs, columns = columns_of_scores(
            scores_of(captured.outputs, batch, self.task, self.kind),
            self.kind,
            self.task,
            targets,
            loss=self.loss,
            soft=batch.soft,
            sets=batch.sets,
        )
        return Observation(
            stage="sweep",
            batch=batch,
            outputs=torch.from_numpy(np.asarray(outputs)),
            losses=torch.from_numpy(columns["loss"]),
            columns=columns,
            layers=self.layers,
            summaries=captured.summaries,
        )

    def _finish(self, part: Part, totals: Sequence[Lens]) -> None:
        """Puts a part on disk with the state of each lens over it alone, and counts it in."""
        states = {lens.name: lens_state.dump(lens) for lens in part.lenses}
        self.writer.manifest.nonfinite += part.nonfinite
        self.writer.manifest.skipped = list(self.source.skipped)
        self.writer.write_part(part.index, part.table(), states)
        for total, lens in zip(totals, part.lenses, strict=True):
            total.merge(lens)

    def _crops(self, graph: Graph) -> None:
        """What excited each unit most, cut to where it looked; the model is not run."""
        from pellucid.inspection.crops import write_crops

        if "activations" in self.options.lenses:
            with self._stage("features") as stage:
                stage.seconds = 0.0  # a resumed inspection cuts them anew
                stage.examples = write_crops(self.writer, self.source, graph)

    # --- focus ------------------------------------------------------------------------------------------------

    def _focus(self, session: Session) -> None:
        from pellucid.capture.memory import Batches
        from pellucid.lenses.focus import focus_tensors

        focusing = self._lenses("focus")
        if not focusing or self.task == "none":
            return
        chosen = chosen_rows(Record(self.writer.path), self.task, self.options)
        with self._stage("focus") as stage:
            # Small and quick next to the sweep: a resumed inspection does it anew rather than keeping its state.
            stage.examples = stage.forward = stage.backward = stage.forward_examples = stage.backward_examples = 0
            stage.seconds = 0.0
            batches = Batches(len(chosen), min(FOCUS_BATCH, self.options.batch_size))

            def look(start: int, stop: int) -> tuple[Observation, tuple[str, ...]]:
                rows, reasons = zip(*chosen[start:stop], strict=True)
                before = replace(session.passes)
                batch = replace(collate([self.source.example(row) for row in rows], 0), rows=rows)
                try:
                    return observe_closely(
                        session, batch, self.layers, self.options.target, reasons, self.task, self.kind
                    )
                finally:
                    _count(stage, before, session.passes)

            try:
                for seen, warnings in batches.run(look):
                    for lens in focusing:
                        lens.observe(seen)
                    rows = seen.batch.rows if seen.batch is not None else ()
                    for place, row in enumerate(rows):
                        self.writer.write_focus(row, *focus_tensors(seen, place, warnings=warnings))
                    stage.examples += len(rows)
                    self.progress("focus", stage.examples, len(chosen))
            except TargetError:
                raise
            except MethodError as error:
                # A model without gradients still has everything else; the record says why these are missing.
                for lens in focusing:
                    lens.observe(Observation(stage="focus", layers=self.layers, refusal=str(error)))
            stage.note = batches.note
            for lens in focusing:
                self._report(lens)
        self.writer.update(chosen=stage.examples)

    # --- learn ------------------------------------------------------------------------------------------------

    def _learn(self, model: nn.Module, graph: Graph) -> None:
        """Gradients of a sample's losses by the parameters."""
        from pellucid.inspection.learning import learn, rows_to_learn

        learning = self._lenses("learn")
        if not learning or self.task == "none" or self.options.learned == 0:
            return
        seed = self.options.seed
        targets, losses = columns_of(Record(self.writer.path), "target", "loss")
        rows, population = rows_to_learn(targets, losses, self.task, graph, seed, self.options.learned)
        with self._stage("learn") as stage:
            # Done anew by a resumed inspection, as the focus is.
            stage.examples = stage.forward = stage.backward = stage.forward_examples = stage.backward_examples = 0
            stage.seconds = 0.0
            refusal = "" if rows else NOTHING_TO_LEARN
            spent = Passes()
            try:
                for seen, capture in learn(
                    model,
                    self.source,
                    graph,
                    rows,
                    population,
                    self.task,
                    device=self.device,
                    seed=seed,
                    loss=self.loss,
                    kind=self.kind,
                ):
                    spent = capture.passes
                    for lens in learning:
                        lens.observe(seen)
                    stage.examples += len(seen.batch or ())
                    self.progress("learn", stage.examples, len(rows))
            except (MethodError, ForwardError) as error:
                # The record says why there is nothing, and has everything else.
                refusal = str(error)
            finally:
                _count(stage, Passes(), spent)
            for lens in learning:
                if refusal:
                    lens.observe(Observation(stage="learn", layers=self.layers, refusal=refusal))
                self._report(lens)

    # --- lenses and stages ------------------------------------------------------------------------------------

    def _lenses(self, stage: Stage) -> list[Lens]:
        """Fresh lenses that observe in a stage."""
        inputs, outputs, beside = self.changing
        context = LensContext(
            classes=self.classes, task=self.task, seed=self.options.seed, loss=self.loss,
            target_loss=self.options.target_loss, kind=None if self.options.outputs == "logits" else self.kind,
            changing_inputs=inputs, changing_outputs=outputs, batch_dependence=beside, taken_from=self.taken_from,
            unscored=self.unscored, examples=length_of(self.source),
        )  # fmt: skip
        return [lens for lens in lenses.build(self.options.lenses, context) if stage in lens.needs.stages]

    def _restored(self, total: Lens, index: int) -> Lens:
        values, arrays = self.writer.state(index, total.name)
        return lens_state.load(type(total), total.context, dict(values), dict(arrays))

    def _report(self, lens: Lens) -> None:
        arrays = lens.arrays() if isinstance(lens, ArrayLens) else None
        self.writer.write_panel(lens.report(), arrays, name=lens.name)

    @contextmanager
    def _stage(self, name: Stage | Literal["features"]) -> Iterator[schema.StageInfo]:
        """Counts what a stage spends, and says in the manifest how it ended."""
        stages = self.writer.manifest.stages
        stage = next((one for one in stages if one.name == name), None)
        if stage is None:
            stage = schema.StageInfo(name)
            stages.append(stage)
        stage.state = "running"
        begun, earlier = time.perf_counter(), stage.seconds
        try:
            yield stage
        except BaseException as error:
            stage.state = "failed" if isinstance(error, Exception) else "interrupted"
            raise
        finally:
            stage.seconds = earlier + time.perf_counter() - begun
        stage.state = "complete"
        self.writer.update()


def _count(stage: schema.StageInfo, before: Passes, after: Passes) -> None:
    """Adds what one call spent."""
    for name in ("forward", "backward", "forward_examples", "backward_examples"):
        setattr(stage, name, getattr(stage, name) + getattr(after, name) - getattr(before, name))
