"""What is explained: an output, a loss, or a unit of any layer; one number an example."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

import torch
from torch import Tensor

from pellucid.capture import as_logits, explained_scores, logits_of, taken_from
from pellucid.capture.call import shapes
from pellucid.capture.trees import along
from pellucid.errors import MethodError, OptionError, TargetError
from pellucid.graph.containers import parts_of

if TYPE_CHECKING:
    from pellucid.types import Layer


@dataclass(frozen=True)
class Unit:
    """A unit of a layer as the target: `attribute(model, images, Unit("layer4", 17))`.

    Attributes:
        layer: its name, as `layers` takes it.
        channel: of maps, planes, tokens or a vector; of any other layout a position past the batch axis, counted flat.
        place: over the channel's positions: "mean", "max" (the strongest place of each example; of equal places each
            has its share of the gradient), or one position: (row, column) of maps and planes, a number of tokens.
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
        if layer.layout == "other" and not layer.is_plane:
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


@dataclass
class Found:
    """What a call's first passes say of the model and its target.

    Attributes:
        taken: which of several outputs was explained, where nothing says that it holds the scores.
        together: methods whose copies have the same scores beside others as alone.
        apart: whether a copy must be scored without others beside it.
        dependent: whether that is so because its score is another one beside others.
    """

    taken: str = ""
    together: set[str] = field(default_factory=set)
    apart: bool = False
    dependent: bool = False


class Goal:
    """The target of a call; "prediction" is settled by the first output of the whole batch and stays that class.

    Attributes:
        unit: the layer that must be captured for a target inside the model, and the unit; None for others.
        found: what all goals of one call have found out about the model.
    """

    def __init__(self, target: Target, layer: Layer | None = None, found: Found | None = None) -> None:
        self.target = target
        self.unit = (layer, target) if layer is not None and isinstance(target, Unit) else None
        self.found = found or Found()
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
        return Goal(target, None if self.unit is None else self.unit[0], self.found)

    def scores(self, output: Any, rows: Tensor | None = None, batch: int | None = None) -> Tensor:
        """One score a row.

        Args:
            output: what the model returned.
            rows: which example each row of the output is a copy of; None for the batch as it is.
            batch: how many examples the whole batch has; None where that is not certain, and no rows are given.

        Raises: TargetError: the output has no such class, or the target is not one number a row.
        """
        target = self.target
        if callable(target) and not isinstance(target, Tensor):
            return (
                _checked(target(output), batch)
                if rows is None
                else _by_copies(target, output, rows, batch or len(rows))
            )
        outputs = _class_scores(output, batch if rows is None else len(rows))
        self.found.taken = taken_from(output)
        index = self._classes(as_logits(outputs), rows)
        return explained_scores(outputs).gather(1, index[:, None])[:, 0]

    def _classes(self, logits: Tensor, rows: Tensor | None) -> Tensor:
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
    if copies == 1:
        return _checked(target(output), batch)
    if not _by_row(output, len(rows)):
        raise MethodError(
            f"The model's output, {shapes(output)}, is not made of tensors with one row an example, so that copies of the examples "
            "must be scored one at a time."
        )
    return torch.cat([_checked(target(_copy_of(output, at * batch, batch, len(rows))), batch) for at in range(copies)])


def _by_row(output: Any, rows: int) -> bool:
    """Whether an output can be cut by rows: some tensor in it has so many, and no list, which may be one of examples."""
    if isinstance(output, Tensor):
        return output.ndim > 0 and len(output) == rows
    if isinstance(output, list) and len(output) == rows:
        return False
    return any(_by_row(part, rows) for part in (parts_of(output) or {}).values())


def _copy_of(output: Any, start: int, length: int, rows: int) -> Any:
    """One copy's part of an output; None in the place of what has not one row an example: a function that reads it fails."""

    def cut(leaf: Tensor) -> Tensor | None:
        return leaf[start : start + length] if leaf.ndim and len(leaf) == rows else None

    return along(cut, output, rest=lambda leaf: leaf if isinstance(leaf, int | float | str) else None)


def _checked(scores: object, examples: int | None) -> Tensor:
    """What a function gave as scores. Raises: TargetError: it is not one number an example."""
    if not isinstance(scores, Tensor):
        raise TargetError(
            "A target that is a function returns a tensor float[batch], one score an example; this one returned "
            f"{type(scores).__name__}. Compute the score from the output with torch, and do not take it out of its tensor."
        )
    if scores.ndim != 1:
        raise TargetError(
            f"A score is one number an example, float[batch]; this one has shape {tuple(scores.shape)}. Sum or choose "
            "over all axes but the first."
        )
    if not scores.is_floating_point():
        raise TargetError(
            "A score is a real number of floating point, float[batch]; this target gives "
            f"{str(scores.dtype).removeprefix('torch.')}. Of classes explain the logits."
        )
    if examples is not None and len(scores) != examples:
        raise TargetError(_one_row(len(scores), examples))
    return scores


def _class_scores(output: Any, examples: int | None) -> Tensor:
    """The scores of classes in an output. Raises: TargetError: they are no numbers, or not one row an example. ModelError."""
    found = logits_of(output)
    if not found.is_floating_point():
        raise TargetError(
            f"The model gives {str(found.dtype).removeprefix('torch.')} of shape {tuple(found.shape)}, and a score is a number of "
            "floating point. Where these are classes already, as after an argmax, give the model without that step."
        )
    rows = len(found) if found.ndim else 1
    if examples is not None and rows != examples and found.ndim < 3:
        raise TargetError(_one_row(rows, examples))
    return found


def _one_row(scores: int, examples: int) -> str:
    return (
        f"One score an example is needed: got {scores} for {examples} example{'' if examples == 1 else 's'}, which the first axis "
        "of the inputs counts. Where a model answers once for all of them, as for the nodes of a graph, put its input under a "
        "batch axis of one; where it answers several times for each, give as target a function to one score an example."
    )
