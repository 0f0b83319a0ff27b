"""What is explained: an output, a loss, or a unit of any layer; one number an example."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import torch
from torch import Tensor

from pellucid.capture import as_logits, explained_scores, logits_of
from pellucid.errors import MethodError, OptionError, TargetError
from pellucid.graph.dataflow import mapped

if TYPE_CHECKING:
    from pellucid.types import Layer


@dataclass(frozen=True)
class Unit:
    """A unit of a layer as the target: `attribute(model, images, Unit("layer4", 17))`.

    Attributes:
        layer: its name, as `layers` takes it.
        channel: of maps, tokens or a vector; of any other layout a position past the batch axis, counted flat.
        place: over the channel's positions: "mean", "max" (the strongest place of each example; of equal places each
            has its share of the gradient), or one position: (row, column) of maps, a number of tokens.
    """

    layer: str
    channel: int
    place: Literal["mean", "max"] | int | tuple[int, ...] = "mean"

    def __post_init__(self) -> None:
        if isinstance(self.place, str) and self.place not in ("mean", "max"):
            raise OptionError(f"A unit's place is 'mean', 'max' or a position; got '{self.place}'.")

    def of(self, output: Tensor, layer: Layer) -> Tensor:
        """The unit's response, float[batch], in a layer's output. Raises: TargetError: there is no such unit."""
        if not 0 <= self.channel < layer.units:
            raise TargetError(
                f"Layer '{self.layer}' has no channel {self.channel}: it has {layer.units}, 0 to {layer.units - 1}."
            )
        if layer.layout == "other":
            return output.flatten(1)[:, self.channel]
        values = output.select(layer.channel_axis, self.channel)
        if values.ndim == 1:
            return values
        if self.place == "mean":
            return values.flatten(1).mean(1)
        if self.place == "max":
            return values.flatten(1).amax(1)
        place = [self.place] if isinstance(self.place, int) else [int(at) for at in self.place]
        extents = tuple(values.shape[1:])
        if len(place) != len(extents) or any(not 0 <= at < extent for at, extent in zip(place, extents, strict=True)):
            raise TargetError(f"Layer '{self.layer}' has positions {extents}; there is no place {tuple(place)} in it.")
        for at in place:
            values = values[:, at]
        return values


Target = int | Sequence[int] | Tensor | Literal["prediction"] | Callable[[Any], Tensor] | Unit


class Goal:
    """The target of a call; "prediction" is settled by the first output of the whole batch and stays that class.

    Attributes:
        unit: the layer that must be captured for a target inside the model, and the unit; None for others.
    """

    def __init__(self, target: Target, layer: Layer | None = None) -> None:
        self.target = target
        self.unit = (layer, target) if layer is not None and isinstance(target, Unit) else None
        self._index: Tensor | None = None

    @property
    def divisible(self) -> bool:
        """Whether examples may be scored some at a time; a function of the output may know them by their place."""
        return self.unit is not None or isinstance(self.target, Tensor) or not callable(self.target)

    def of(self, rows: Tensor, batch: int) -> Goal:
        """The goal of some of the examples. Raises: TargetError: there is not one target for each of the batch."""
        target: Any = self.target
        if self.unit is None and not isinstance(target, int | str) and hasattr(target, "__len__"):
            each = torch.as_tensor(target)
            if each.ndim and len(each.reshape(-1)) != batch:
                raise TargetError(_one_each(len(each.reshape(-1)), batch))
            target = each.reshape(-1)[rows.to(each.device)] if each.ndim else each
        return Goal(target, None if self.unit is None else self.unit[0])

    def scores(self, output: Any, rows: Tensor | None = None, batch: int | None = None) -> Tensor:
        """One score a row.

        Args:
            output: what the model returned.
            rows: which example each row of the output is a copy of; None for the batch as it is.
            batch: how many examples the whole batch has, where rows are given.

        Raises: TargetError: the output has no such class.
        """
        target = self.target
        if callable(target) and not isinstance(target, Tensor):
            return target(output) if rows is None else _by_copies(target, output, rows, batch or len(rows))
        index = self._classes(output, rows)
        return explained_scores(logits_of(output)).gather(1, index[:, None])[:, 0]

    def _classes(self, output: Any, rows: Tensor | None) -> Tensor:
        logits = as_logits(logits_of(output))
        if rows is None:
            self._index = class_index(logits, self.target)
            return self._index
        if self._index is None:
            if not isinstance(self.target, int):
                raise MethodError("Copies of examples were scored before the examples; this is a fault of the method.")
            return class_index(logits, self.target)
        return self._index[rows.to(self._index.device)]


def class_index(logits: Tensor, target: Any) -> Tensor:
    """Which output of each example is meant: int64[batch]."""
    if logits.ndim != 2:
        raise TargetError(
            f"The model's output has shape {tuple(logits.shape)}, not (batch, class): give target as a function from the "
            "output to one score an example."
        )
    if isinstance(target, str):
        if target != "prediction":
            raise TargetError(
                "target must be a class index, a list of them, 'prediction', a function or a Unit of a layer; got "
                f"'{target}'."
            )
        index = logits.detach().argmax(dim=1)
    elif not _is_integral(target):
        raise TargetError(
            "target must be a class index, a list of them, 'prediction', a function or a Unit of a layer; got "
            f"{target!r} of type {type(target).__name__}. Classes are counted in integers from 0."
        )
    elif isinstance(target, int):
        # Known here: a device need not be waited for.
        _refuse_class([target], logits.shape[1])
        index = torch.full((len(logits),), target, device=logits.device)
    else:
        index = torch.as_tensor(target, device=logits.device).long()
        index = index.expand(len(logits)) if index.ndim == 0 else index.reshape(-1)
        if len(index) != len(logits):
            raise TargetError(_one_each(len(index), len(logits)))
        _refuse_class(index.tolist(), logits.shape[1])
    return index


def _refuse_class(asked: Sequence[int], outputs: int) -> None:
    """Raises: TargetError: one of them is no class of the model."""
    wrong = next((one for one in asked if not 0 <= one < outputs), None)
    if wrong is not None:
        raise TargetError(f"There is no class {wrong}: the model has {outputs} outputs, 0 to {outputs - 1}.")


def _one_each(targets: int, examples: int) -> str:
    return f"One target an example is needed: got {targets} targets for {examples} examples."


def _is_integral(target: Any) -> bool:
    """Whether it names classes: integers, no truth values, no fractions."""
    if isinstance(target, Tensor):
        return not (target.is_floating_point() or target.is_complex() or target.dtype == torch.bool)
    if isinstance(target, bool) or target is None:
        return False
    if isinstance(target, Sequence):
        return all(_is_integral(one) for one in target)
    return hasattr(target, "__index__") or str(getattr(target, "dtype", "")).startswith(("int", "uint"))


def _by_copies(target: Callable[[Any], Tensor], output: Any, rows: Tensor, batch: int) -> Tensor:
    """A function of the output may know its examples by their place: it sees whole batches, one copy after the other."""
    copies = len(rows) // batch
    if len(rows) != copies * batch or not torch.equal(rows.cpu(), torch.arange(batch).repeat(copies)):
        raise MethodError(
            f"Memory does not suffice for one copy of all {batch} examples, and a target that is a function is asked for "
            "whole batches only. Give fewer examples at a time."
        )
    return torch.cat([target(_copy_of(output, at * batch, batch)) for at in range(copies)])


def _copy_of(output: Any, start: int, length: int) -> Any:
    return mapped(output, lambda leaf: leaf[start : start + length] if leaf.ndim else leaf)
