"""A model at hand beside its record: any example looked at closely now, in the format of a stored one."""

from __future__ import annotations

from dataclasses import replace
from functools import cached_property
from typing import TYPE_CHECKING

from pellucid.data.batching import collate
from pellucid.data.naming import under_names
from pellucid.errors import DataError, ModelError, RecordError, TargetError
from pellucid.recipe import Recipe
from pellucid.record.encoding import focus_bytes
from pellucid.types import Example, Layer

if TYPE_CHECKING:
    from torch import Tensor, nn

    from pellucid.data import Source
    from pellucid.record import Record
    from pellucid.record.schema import Preprocessing


class LiveModel:
    """Computes the closer look at an example of a record; the model is left as it was after every answer."""

    def __init__(self, record: Record, model: nn.Module, source: Source) -> None:
        """Keeps them; they are compared with the record when `reason` is first asked for.

        Args:
            record: the record.
            model: the inspected model, on the device where it is to run.
            source: the inspected data.
        """
        self._record = record
        self._model = model
        classes = record.manifest.data.classes if record.manifest.data else []
        self._source = under_names(source, classes) if classes else source
        self._layers: tuple[Layer, ...] | None = None

    @cached_property
    def reason(self) -> str:
        """Why it cannot: the model, the data or its preparation are not those of the record. Empty where it can."""
        return self._difference()

    def focus(self, row: int, explained: int | None) -> bytes:
        """A focus file, from one forward and one backward; `explained` None explains the prediction.

        Raises:
            ModelError: `reason` says why.
            RecordError: the record has no such row. DataError: the data holds another example there.
            TargetError: the model has no such output. MethodError: the model has no gradients.
        """
        from pellucid.capture import Session, unwrapped
        from pellucid.inspection.closely import observe_closely
        from pellucid.lenses.focus import focus_tensors

        if self.reason:
            raise ModelError(self.reason)
        if explained is not None and explained < 0:
            raise TargetError(f"An output is named by its index, 0 or more; got {explained}.")
        batch = replace(collate([self._example(row)], row), rows=(row,))

        def chosen(logits: Tensor, targets: Tensor | None) -> Tensor:
            predicted = logits.argmax(dim=1)
            if explained is None:
                return predicted
            if explained >= logits.shape[1]:
                raise TargetError(f"The model has {logits.shape[1]} outputs, 0 to {logits.shape[1] - 1}; there is no "
                                  f"output {explained}.")  # fmt: skip
            return predicted.new_full(predicted.shape, explained)

        layers = self._traced(batch.inputs)
        with Session(unwrapped(self._model), layers) as session:
            seen, warnings = observe_closely(session, batch, {layer.name: layer for layer in layers}, chosen, ["asked"])
        return focus_bytes(*focus_tensors(seen, 0, live=True, warnings=warnings))

    def _example(self, row: int) -> Example:
        self._record.refresh()
        ids = self._record.examples()["id"]
        if row >= len(ids):
            raise RecordError(f"The record {self._record.path} has {len(ids)} examples; there is no row {row}.")
        example, recorded = self._source.example(row), ids[row].as_py()
        if example.id != recorded:
            raise DataError(
                f"Row {row} of the record is the example {recorded!r}, but {self._source.source} holds {example.id!r} "
                "there. Open the record with the data that it was made from."
            )
        return example

    def _traced(self, inputs: object) -> tuple[Layer, ...]:
        """The layers, numbered as in the record: tracing is deterministic. Traced once."""
        if self._layers is None:
            import torch

            from pellucid.capture import as_arguments, to_device, unwrapped
            from pellucid.graph import trace

            model = unwrapped(self._model)
            first = next(model.parameters(), None)
            place = first.device if first is not None else torch.device("cpu")
            positional, named = as_arguments(to_device(inputs, place), model)  # type: ignore[arg-type]
            self._layers = trace(model, *positional, **named).layers
        return self._layers

    def _difference(self) -> str:
        """What differs from the record, in words; empty where nothing does."""
        from pellucid.models.fingerprint import fingerprint

        manifest = self._record.manifest
        if manifest.model is None:
            return "The record holds no inspection yet, so there are no examples to look at."
        if manifest.task != "classification":
            return "Only the outputs of classifiers are explained; this record is of another task."
        found = fingerprint(self._model)
        if found != manifest.model.fingerprint:
            return (
                f"The model at hand is not the inspected one: its fingerprint is {found[:12]}, the record's "
                f"{manifest.model.fingerprint[:12]}. Give the weights that were inspected (--weights)."
            )
        prepared, wanted = self._source.preprocessing, manifest.preprocessing
        if wanted is not None and prepared.fingerprint != wanted.fingerprint:
            return "The examples at hand are prepared in another way than the inspected ones (--resize, --crop, ...)."
        return ""


def recipe_of(preprocessing: Preprocessing | None) -> Recipe | None:
    """The recipe that a manifest describes, to prepare images the same way again; None where it describes none.

    Raises: RecordError: a step that this pellucid does not know.
    """
    if preprocessing is None or not preprocessing.steps or preprocessing.origin not in ("model", "flags", "default"):
        return None
    settings: dict[str, object] = {"origin": preprocessing.origin}
    for step in preprocessing.steps:
        size = step.get("size")
        pair = tuple(int(side) for side in size) if isinstance(size, list) else None
        match step.get("step"):
            case "grayscale":
                settings["grayscale"] = True
            case "resize":
                settings["interpolation"] = step.get("interpolation")
                settings.update({"size": pair} if pair else {"resize": step.get("shorter_side")})
            case "centre crop":
                settings["crop"] = pair
            case "scale":
                continue
            case "normalise":
                for name in ("mean", "std"):
                    values = step.get(name)
                    settings[name] = tuple(values) if isinstance(values, list) and values else None
            case other:
                raise RecordError(f"The record's preprocessing has a step {other!r} that this pellucid does not know.")
    return Recipe(**settings)  # type: ignore[arg-type]
