"""One inspection: trace, sweep, choose, focus, seal.

The union of what the lenses need is captured once. Everything finished is on disk, so that an inspection that was cut
short is readable up to there, and `resume=True` goes on where it stopped, to the same numbers.
"""

from __future__ import annotations

import datetime
import platform
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Protocol, TypeAlias

import numpy as np

from pellucid import __version__, lenses
from pellucid.data import Source, check_targets, collate, from_python
from pellucid.errors import OptionError, RecordError
from pellucid.lenses import Lens, LensContext
from pellucid.lenses import state as lens_state
from pellucid.measures.choose import choose
from pellucid.measures.predictions import columns_of
from pellucid.models import check_classes
from pellucid.models.fingerprint import fingerprint
from pellucid.record import Record, Writer, schema
from pellucid.types import Batch, Layer, Observation, Stage, Task

if TYPE_CHECKING:
    import pyarrow as pa
    from torch import Tensor, nn

    from pellucid.capture import Session
    from pellucid.graph import Graph

Explains: TypeAlias = Literal["prediction", "label"] | int

PART_EXAMPLES = 1024
FOCUS_BATCH = 8


class Progress(Protocol):
    """Hears how far each stage has come; `total` is None where it is not known."""

    def __call__(self, stage: Stage, done: int, total: int | None) -> None:
        """Called after every batch."""


def _silent(stage: Stage, done: int, total: int | None) -> None:
    """The progress that nobody watches."""


@dataclass(frozen=True)
class Options:
    """What an inspection was asked for; a resumed one must have been asked for the same."""

    target: Explains = "prediction"
    lenses: tuple[str, ...] = ()
    batch_size: int = 32
    limit: int | None = None
    seed: int = 0
    chosen: int = 48

    def __post_init__(self) -> None:
        if self.batch_size < 1:
            raise OptionError(f"The batch size must be at least 1; got {self.batch_size}.")
        if self.chosen < 0:
            raise OptionError(f"The number of chosen examples must be 0 or more; got {self.chosen}.")
        if not (self.target in ("prediction", "label") or (isinstance(self.target, int) and self.target >= 0)):
            raise OptionError(f"target must be 'prediction', 'label' or a class index >= 0; got {self.target!r}.")

    def recorded(self) -> dict[str, str | int | float | bool | None | list[str]]:
        """The options as they stand in the manifest."""
        return {
            "target": self.target,
            "lenses": list(self.lenses),
            "batch_size": self.batch_size,
            "limit": self.limit,
            "chosen": self.chosen,
        }


def inspect(
    model: nn.Module,
    examples: object,
    *,
    out: str | Path,
    target: Explains = "prediction",
    lenses: Sequence[str] | None = None,
    classes: Sequence[str] | None = None,
    batch_size: int = 32,
    limit: int | None = None,
    seed: int = 0,
    chosen: int = 48,
    device: str | None = None,
    title: str | None = None,
    model_source: str = "",
    resume: bool = False,
    overwrite: bool = False,
    progress: Progress = _silent,
) -> Record:
    """Inspects a model on examples and keeps what every lens saw in a record.

        record = pellucid.inspect(model, validation_set, out="net.pellucid")

    Args:
        model: any module; its forward gives logits float[batch class] for classification. Left as it was.
        examples: a Dataset, DataLoader or iterable of (input, target), whose inputs are tensors, tuples or dicts of
            tensors; or a source from `pellucid.data`.
        out: folder of the record.
        target: the output whose score is explained in the focus stage: the prediction, the label or a class index.
        lenses: names of the lenses to use; all that are installed where None.
        classes: names of the classes in order of index.
        batch_size: examples a forward.
        limit: at most so many examples.
        seed: of the random choice of examples.
        chosen: how many examples get a closer look (one forward and one backward each).
        device: where to run ("cuda", "cpu"); where the model is if None. It is moved back afterwards.
        title: of the record; the model's name where None.
        model_source: how the model was named by who opened it; kept in the record.
        resume: go on with a record that was cut short.
        overwrite: replace a record that is already there.
        progress: hears how far each stage has come.

    Returns: the sealed record.
    Raises: OptionError, ModelError, DataError, RecordError; what was finished by then stays readable in `out`.
    """
    names = tuple(lenses) if lenses is not None else _all_lenses()
    options = Options(target, names, batch_size, limit, seed, chosen)
    source = examples if isinstance(examples, Source) else from_python(examples, limit=limit, classes=classes)
    known = tuple(classes) if classes is not None else source.classes or ()
    with _on_device(model, device) as place:
        manifest = _manifest(model, source, known, options, place, title, model_source)
        with Writer.create(Path(out), manifest, resume=resume, overwrite=overwrite) as writer:
            if resume:
                _check_same(writer.manifest, manifest)
                if writer.manifest.state == "complete":
                    return Record(out)
            run = Inspection(model, source, known, options, writer, place, progress)
            with writer.sealing():
                run.run()
    return Record(out)


def _all_lenses() -> tuple[str, ...]:
    return tuple(lenses.available())


@dataclass
class Inspection:
    """The five steps over one model and one source; what they find goes to the writer."""

    model: nn.Module
    source: Source
    classes: tuple[str, ...]
    options: Options
    writer: Writer
    device: str
    progress: Progress
    task: Task = "none"

    def run(self) -> None:
        """Traces, sweeps, chooses, focuses."""
        from pellucid.capture import Session
        from pellucid.graph import trace

        positional, named = as_arguments(collate([self.source.example(0)], 0).inputs)
        graph = trace(self.model, *positional, **named)
        with Session(self.model, graph.layers, device=self.device) as session:
            self._learn_task(session)
            self._trace(graph)
            self._sweep(session)
            self._focus(session)

    # --- trace ------------------------------------------------------------------------------------------------

    def _learn_task(self, session: Session) -> None:
        """Looks at one example's output: what kind of task is this, and do the class names fit?"""
        batch = collate([self.source.example(0)], 0)
        outputs = logits_of(session.forward(batch.inputs).outputs)
        self.task = task_of(outputs, batch.targets)
        if self.task == "classification":
            number = max(2, outputs.shape[-1]) if outputs.ndim == 2 else 2
            check_classes(self.classes or None, number)
            self.classes = self.classes or tuple(str(index) for index in range(number))
        self.writer.update(task=self.task, data=self._data_info())

    def _trace(self, graph: Graph) -> None:
        if graph.error is not None:
            raise ForwardError(f"The model raised in its own forward: {graph.error}")
        with self._stage("trace") as stage:
            stage.forward = stage.forward_examples = 1
            seen = Observation(
                stage="trace",
                graph=graph,
                layers={layer.name: layer for layer in graph.layers},
                parameters=dict(self.model.named_parameters()),
            )
            for lens in self._lenses("trace"):
                lens.observe(seen)
                self._report(lens)

    # --- sweep ------------------------------------------------------------------------------------------------

    def _sweep(self, session: Session) -> None:
        totals = self._lenses("sweep")
        reductions = {name: reduction for lens in totals for name, reduction in lens.needs.reductions.items()}
        examples_a_part = max(1, PART_EXAMPLES // self.options.batch_size) * self.options.batch_size
        with self._stage("sweep") as stage:
            for index in range(self.writer.parts):
                for total in totals:
                    total.merge(self._restored(total, index))
            self.progress("sweep", stage.examples, _length(self.source))
            part = Part(self.writer.parts, self._lenses("sweep"))
            for batch in self.source.batches(self.options.batch_size, start=stage.examples):
                before = replace(session.passes)
                captured = session.forward(batch.inputs, reductions)
                _count(stage, before, session.passes)
                part.add(self._observation(batch, captured), self._columns(batch, captured))
                stage.examples += len(batch)
                self.progress("sweep", stage.examples, _length(self.source))
                if len(part) >= examples_a_part:
                    self._finish(part, totals)
                    part = Part(self.writer.parts, self._lenses("sweep"))
            if len(part):
                self._finish(part, totals)
            if stage.examples == 0:
                raise DataError(f"No example of {self.source.source} could be read: there is nothing to inspect.")
            for total in totals:
                self._report(total)
        self.writer.update(data=self._data_info(stage.examples))

    def _finish(self, part: Part, totals: Sequence[Lens]) -> None:
        """Puts a part on disk with the state of each lens over it alone, and counts it in."""
        states = {lens.name: lens_state.dump(lens) for lens in part.lenses}
        self.writer.write_part(part.index, part.table(self.writer), states)
        for total, lens in zip(totals, part.lenses, strict=True):
            total.merge(lens)

    # --- focus ------------------------------------------------------------------------------------------------

    def _focus(self, session: Session) -> None:
        focusing = self._lenses("focus")
        if not focusing or self.task == "none":
            return
        chosen = self._choose()
        with self._stage("focus") as stage:
            # Small and quick next to the sweep: a resumed inspection does it anew rather than keeping its state.
            stage.examples = stage.forward = stage.backward = stage.forward_examples = stage.backward_examples = 0
            for start in range(0, len(chosen), FOCUS_BATCH):
                some = chosen[start : start + FOCUS_BATCH]
                before = replace(session.passes)
                seen = self._look_closely(session, some)
                _count(stage, before, session.passes)
                for lens in focusing:
                    lens.observe(seen)
                for place, (row, _) in enumerate(some):
                    self.writer.write_focus(row, *focus_tensors(seen, place))
                stage.examples += len(some)
                self.progress("focus", stage.examples, len(chosen))
            for lens in focusing:
                self._report(lens)
        self.writer.update(chosen=len(chosen))

    def _choose(self) -> list[tuple[int, str]]:
        table = Record(self.writer.path).examples()
        losses, targets, predictions = (
            table[name].to_numpy(zero_copy_only=False) for name in ("loss", "target", "prediction")
        )
        whole = [np.nan_to_num(values.astype(np.float64), nan=-1).astype(np.int64) for values in (targets, predictions)]
        return choose(losses.astype(np.float64), *whole, self.options.chosen, self.options.seed)

    def _look_closely(self, session: Session, chosen: Sequence[tuple[int, str]]) -> Observation:
        """One forward and one backward over some chosen examples."""
        batch = collate([self.source.example(row) for row, _ in chosen], chosen[0][0])
        explained: list[Tensor] = []

        def score(output: Any) -> Tensor:
            logits = as_logits(logits_of(output))
            explained.append(self._explained(logits, batch.targets))
            return logits.gather(1, explained[0][:, None])[:, 0]

        captured = session.explain(batch.inputs, score)
        return Observation(
            stage="focus",
            batch=replace(batch, rows=tuple(row for row, _ in chosen)),
            outputs=self._outputs(batch, captured),
            layers=self.layers,
            activations=captured.activations,
            gradients=captured.gradients,
            input_gradients=captured.input_gradients,
            explained=explained[0].cpu(),
            scores=captured.scores,
            reasons=tuple(reason for _, reason in chosen),
        )

    def _explained(self, logits: Tensor, targets: Tensor | None) -> Tensor:
        """Which output of each example is explained: int64[batch]."""
        import torch

        predicted = logits.argmax(dim=1)
        if self.options.target == "prediction":
            return predicted
        if self.options.target == "label":
            if targets is None or targets.is_floating_point():
                raise TargetError("target='label' needs examples with a class as their target; these have none.")
            there = targets.to(logits.device)
            return torch.where(there >= 0, there, predicted)
        if self.options.target >= logits.shape[1]:
            raise TargetError(f"The model has {logits.shape[1]} outputs; there is no output {self.options.target}.")
        return torch.full_like(predicted, self.options.target)

