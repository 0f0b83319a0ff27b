"""A model at hand beside its record: any example looked at closely now, and whatever questions are asked of it."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import cached_property
from typing import TYPE_CHECKING

from pellucid.data.batching import collate
from pellucid.errors import ModelError, PellucidError, RecordError, TargetError
from pellucid.inspection.again import as_inspected, inspected_example
from pellucid.inspection.live.questions import Question, Tell, read
from pellucid.record.encoding import focus_bytes
from pellucid.types import Batch, Example, Tree

if TYPE_CHECKING:
    from torch import nn

    from pellucid.data import Source
    from pellucid.graph import Graph
    from pellucid.inspection.options import Explains
    from pellucid.record import Record

_MOST_GRAPHS = 16  # inputs of so many shapes are remembered


class LiveModel:
    """Computes the closer look at an example of a record, and answers questions; the model is left as it was.

    Attributes:
        record: the record.
        model: as it was given.
        source: the inspected data.
    """

    def __init__(self, record: Record, model: nn.Module, source: Source) -> None:
        """Keeps them; they are compared with the record when `reason` is first asked for.

        Args:
            record: the record.
            model: the inspected model, on the device where it is to run.
            source: the inspected data.
        """
        self.record = record
        self.model = model
        self.source = as_inspected(record, source)
        self._graphs: dict[tuple[tuple[int, ...], ...], Graph] = {}

    @cached_property
    def reason(self) -> str:
        """Why it cannot: the model, the data or its preparation are not those of the record. Empty where it can."""
        return self._difference()

    def prepare(self) -> None:
        """Imports, traces and runs what the first map needs, so that the first click waits for none of it."""
        with contextlib.suppress(PellucidError):  # said to whoever asks
            if not self.reason and len(self.record.examples()):
                _, answer = self.inquiry("attribute", {"row": ["0"], "method": ["grad_cam"]})
                answer(lambda _: True)

    def focus(self, row: int, explained: int | None) -> bytes:
        """A focus file, from one forward and one backward; `explained` None explains the prediction.

        Raises:
            ModelError: `reason` says why.
            RecordError: the record has no such row. DataError: the data holds another example there.
            TargetError: the model has no such output. MethodError: the model has no gradients.
        """
        from pellucid.capture import Session, unwrapped
        from pellucid.inspection.closely import check_explains, observe_closely
        from pellucid.lenses.focus import focus_tensors

        if self.reason:
            raise ModelError(self.reason)
        if explained is not None and explained < 0:
            raise TargetError(f"An output is named by its index, 0 or more; got {explained}.")
        manifest = self.record.manifest
        target: Explains = "prediction" if explained is None else explained
        check_explains(target, manifest.task)
        batch = self.batch(row)
        layers = self.graph(batch.inputs).layers
        with Session(unwrapped(self.model), layers) as session:
            by_name = {layer.name: layer for layer in layers}
            seen, warnings = observe_closely(
                session, batch, by_name, target, ["asked"], manifest.task, manifest.outputs
            )
        return focus_bytes(*focus_tensors(seen, 0, live=True, warnings=warnings))

    def inquiry(self, name: str, given: Mapping[str, Sequence[str]]) -> tuple[Question, Callable[[Tell], bytes]]:
        """A question with its parameters, and what answers it: a safetensors file; partial ones go to its `tell`.

        Raises: RecordError: there is no such question. OptionError: a parameter is wrong.
        """
        asked = read(name, given)

        def answer(tell: Tell) -> bytes:
            if self.reason:
                raise ModelError(self.reason)
            return asked.packed(asked.answer(self, tell))

        return asked, answer

    def batch(self, *rows: int) -> Batch:
        """Examples of the record by row, prepared for the model. Raises: RecordError: no such row. DataError: another one."""
        examples = [self._example(row) for row in rows]
        return replace(collate(examples, rows[0]), rows=rows)

    def graph(self, inputs: Tree) -> Graph:
        """The model's graph with its layers, numbered as in the record: tracing is deterministic. Traced once a shape.

        Raises: ForwardError: the model raises on them.
        """
        from pellucid.graph.dataflow import tensors_in

        shapes = tuple(tuple(leaf.shape) for leaf in tensors_in(inputs))
        if shapes not in self._graphs:
            from pellucid.capture import place_of, to_device, unwrapped, whole_graph

            model = unwrapped(self.model)
            found = whole_graph(model, to_device(inputs, place_of(model.parameters())))
            if len(self._graphs) >= _MOST_GRAPHS:
                self._graphs.clear()
            self._graphs[shapes] = found
        return self._graphs[shapes]

    def _example(self, row: int) -> Example:
        self.record.refresh()
        rows = self.record.examples().num_rows
        if not 0 <= row < rows:
            raise RecordError(f"The record {self.record.path} has {rows} examples; there is no row {row}.")
        return inspected_example(self.record, self.source, row)

    def _difference(self) -> str:
        """What differs from the record, in words; empty where nothing does."""
        from pellucid.models.fingerprint import fingerprint

        manifest = self.record.manifest
        if manifest.saved is not None and manifest.model is not None:
            return "The record holds the outputs of a sample that pellucid fit looked at. Inspect the data to look into it."
        if manifest.saved is not None:
            return "The record is of saved predictions, without a model: there is nothing to look into."
        if manifest.model is None:
            return "The record holds no inspection yet, so there are no examples to look at."
        if manifest.task == "none":
            return (
                "The outputs of this record are no classes, sets of classes or numbers: there is no score to explain."
            )
        found = fingerprint(self.model)
        if found != manifest.model.fingerprint:
            return (
                f"The model at hand is not the inspected one: its fingerprint is {found[:12]}, the record's "
                f"{manifest.model.fingerprint[:12]}. Give the weights that were inspected (--weights)."
            )
        prepared, wanted = self.source.preprocessing, manifest.preprocessing
        if wanted is not None and prepared.fingerprint != wanted.fingerprint:
            return "The examples at hand are prepared in another way than the inspected ones (--resize, --crop, ...)."
        return ""
