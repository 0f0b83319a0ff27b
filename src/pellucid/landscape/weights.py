"""Running a model at weights that are not its own, and ways through the space of its weights."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

import torch
from torch import Tensor, nn
from torch.func import functional_call

from pellucid.capture import as_arguments
from pellucid.capture.call import shapes
from pellucid.capture.placing import HELD_TWICE
from pellucid.errors import ForwardError, MethodError, PellucidError, WeightsError
from pellucid.types import Tree

Normalisation: TypeAlias = Literal["filter", "layer", "none"]
Values: TypeAlias = Mapping[str, Tensor]
_TRANSPOSED = (nn.ConvTranspose1d, nn.ConvTranspose2d, nn.ConvTranspose3d)


@dataclass(frozen=True)
class Direction:
    """A way to move the weights: weights + step * change.

    Attributes:
        changes: name of a parameter -> what is added at a step of 1, of its shape; those that stay are not there.
        moved: how many values move.
        norm: L2 norm of the change.
    """

    changes: Values
    moved: int
    norm: float


def values_of(model: nn.Module) -> dict[str, Tensor]:
    """Name -> value of every parameter of floating point, each once; the values are the model's own, not copies."""
    return {name: value.detach() for name, value in model.named_parameters() if value.is_floating_point()}


def random_direction(model: nn.Module, normalisation: Normalisation, generator: torch.Generator) -> Direction:
    """A random direction, scaled so that a step of 1 is as long as the weights that it moves.

    Normal numbers for every trainable parameter. "filter" scales each filter (what one output channel or neuron looks at the
    layer below with) to the norm of that filter, "layer" each parameter to the norm of it, "none" leaves them. Biases, and the
    scales and shifts of normalisations, stay, as do frozen parameters: a step of 1 would be no measure for them.

    Args:
        model: whose weights; not written to.
        normalisation: see above.
        generator: of the numbers, on the CPU, so that they are the same on every device.

    Raises: MethodError: nothing can be moved, or a weight is not finite.
    Source: Li et al. 2018, arXiv:1712.09913, section 4.
    """
    broken = not_finite(values_of(model))
    if broken:
        raise MethodError(
            f"The weights of this model are not finite: {broken} holds NaN or infinity, and no direction can be as long as that."
        )
    axes = filter_axes(model)
    changes: dict[str, Tensor] = {}
    for name, parameter in model.named_parameters():
        if not _moves(parameter):
            continue
        drawn = torch.randn(parameter.shape, generator=generator).to(parameter.device, parameter.dtype)
        changes[name] = normalised(drawn, parameter.detach(), normalisation, axes.get(name, 0))
    if not changes:
        raise MethodError(
            "No weights can be moved: a direction is drawn for trainable parameters of two axes or more, and this model has none. "
            "Let parameters be trained (requires_grad_)."
        )
    return Direction(changes, sum(one.numel() for one in changes.values()), norm_of(changes))


def _moves(parameter: nn.Parameter) -> bool:
    return parameter.requires_grad and parameter.is_floating_point() and parameter.ndim > 1 and parameter.numel() > 0


def filter_axes(model: nn.Module) -> dict[str, int]:
    """Name of a parameter -> the axis along which its filters lie, where it is not the first."""
    return {
        f"{path}.weight" if path else "weight": 1
        for path, module in model.named_modules()
        if isinstance(module, _TRANSPOSED) and module.groups == 1
    }


def normalised(drawn: Tensor, weights: Tensor, normalisation: Normalisation, axis: int = 0) -> Tensor:
    """Scales a draw to the norms of weights of the same shape."""
    if normalisation == "none":
        return drawn
    axes = [one for one in range(weights.ndim) if normalisation == "layer" or weights.ndim < 2 or one != axis]
    own, wanted = (torch.linalg.vector_norm(one, dim=axes, keepdim=True) for one in (drawn, weights))
    return drawn * torch.where(own > 0, wanted / own, 0.0)


def norm_of(changes: Values) -> float:
    """L2 norm over all of them."""
    return math.sqrt(sum(float(one.double().square().sum()) for one in changes.values()))


def cosine(one: Direction, other: Direction) -> float:
    """Of the angle between two directions."""
    inner = sum(float((one.changes[name].double() * other.changes[name].double()).sum()) for name in one.changes)
    return inner / (one.norm * other.norm) if one.norm and other.norm else 0.0


def moved_to(values: Values, steps: Sequence[tuple[float, Direction]]) -> dict[str, Tensor]:
    """Copies of all weights, moved by some steps of some directions."""
    found = {name: value.clone() for name, value in values.items()}
    for step, direction in steps:
        for name, change in direction.changes.items():
            found[name].add_(change, alpha=step)
    return found


def between(start: Values, end: Values, step: float) -> dict[str, Tensor]:
    """Weights on the line from one to another: (1 - step) start + step end. What is no number of floating point stays."""
    return {
        name: torch.lerp(value, end[name].to(value), step) if value.is_floating_point() else value.clone()
        for name, value in start.items()
    }


def end_of_line(model: nn.Module, state: Mapping[str, Tensor], source: str) -> dict[str, Tensor]:
    """Parameters and buffers of another checkpoint, by the names of this model; what no checkpoint holds stays.

    Raises: WeightsError: they do not fit, or are not finite.
    """
    wanted, written = state_of(model), model.state_dict()
    missing = [
        name for name in wanted if name in written and name not in state and not name.endswith("num_batches_tracked")
    ]
    beyond = [name for name in state if name not in written]
    misfits = [name for name in wanted if name in state and state[name].shape != wanted[name].shape]
    if missing or misfits or beyond:
        name = (missing or misfits or beyond)[0]
        found = (
            "is missing"
            if missing
            else f"is {tuple(state[name].shape)}, not {tuple(wanted[name].shape)}"
            if misfits
            else "is not in the model"
        )
        raise WeightsError(
            f"The weights in {source} do not fit the model: {name} {found} ({len(missing)} missing, {len(misfits)} of another "
            f"shape, {len(beyond)} not in the model). A line needs two checkpoints of one architecture."
        )
    broken = not_finite({name: value for name, value in state.items() if name in wanted})
    if broken:
        raise WeightsError(
            f"The weights in {source} are not finite: {broken} holds NaN or infinity. No line leads there."
        )
    return {name: state[name].to(value) if name in state else value for name, value in wanted.items()}


def not_finite(values: Values) -> str:
    """Name of the first that holds NaN or infinity; "" where none does."""
    return next(
        (name for name, one in values.items() if one.is_floating_point() and not bool(torch.isfinite(one).all())), ""
    )


def state_of(model: nn.Module) -> dict[str, Tensor]:
    """Parameters and buffers by name, each once; the model's own values."""
    return {name: value.detach() for name, value in (*model.named_parameters(), *model.named_buffers())}


def called_at(model: nn.Module, values: Values, inputs: Tree) -> Any:
    """The model's output with these values in the place of its own, which stay as they are. Raises: ForwardError."""
    positional, named = as_arguments(inputs, model)
    try:
        return functional_call(model, at_every_place(model, values), positional, named, tie_weights=False)
    except PellucidError:
        raise
    except Exception as error:
        raise ForwardError(
            f"The model raised {type(error).__name__} when its weights were moved: {error}. It was called with "
            f"{shapes(inputs)}."
        ) from error


def at_every_place(model: nn.Module, values: Values) -> dict[str, Tensor]:
    """The same values by every name that a place for a parameter or buffer has, each place once.

    A parameter that two modules share has two places. A module that stands twice in the model has one: torch's own tying swaps it
    twice there, and leaves the model with weights that are not its own.
    """
    names: dict[int, str] = {}
    found: dict[str, Tensor] = {}
    for path, module in model.named_modules():
        for name, own in (*module._parameters.items(), *module._buffers.items()):
            if own is None:
                continue
            place = f"{path}.{name}" if path else name
            first = names.setdefault(id(own), place)
            if first in values:
                found[place] = values[first]
    return found


def repeated_modules(model: nn.Module) -> list[str]:
    """Second and later paths of modules with values of their own that stand in the model more than once."""
    once = {path for path, _ in model.named_modules()}
    return [
        path
        for path, module in model.named_modules(remove_duplicate=False)
        if path not in once
        and any(one is not None for one in (*module._parameters.values(), *module._buffers.values()))
    ]


@contextmanager
def own_parameters(model: nn.Module) -> Iterator[None]:
    """Afterwards every module holds the very parameters that it held, whatever has put others in their place.

    Recurrent layers hold them a second time, in lists that torch's `functional_call` leaves with what it was called with.
    """
    kept = [(vars(module)["_parameters"], dict(vars(module)["_parameters"])) for module in _plain_modules(model)]
    lists = [
        (module, name, one, list(one))
        for module in model.modules()
        for name in HELD_TWICE
        if isinstance(one := vars(module).get(name), list)
    ]
    # What a forward writes down, as weight normalisation does, is of the weights that it was called with.
    plain = [
        (module, name, value)
        for module in model.modules()
        for name, value in vars(module).items()
        if isinstance(value, Tensor)
    ]
    try:
        yield
    finally:
        for module, name, one, elements in lists:
            one[:] = elements
            vars(module)[name] = one
        for module, name, value in plain:
            vars(module)[name] = value
        for held, before in kept:
            if any(held.get(name) is not value for name, value in before.items()):
                held.clear()
                held.update(before)


def _plain_modules(model: nn.Module) -> list[nn.Module]:
    return [module for module in model.modules() if isinstance(vars(module).get("_parameters"), dict)]


def steps_of(span: float, resolution: int) -> list[float]:
    """From -span to span, with exactly 0 in the middle where the resolution is odd."""
    half = (resolution - 1) / 2
    return [span * (place - half) / half for place in range(resolution)]
