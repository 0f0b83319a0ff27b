"""How a model is called with a tree of tensors, and where its logits are in what it gives back."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

from pellucid.capture.memory import for_memory
from pellucid.errors import ForwardError, ModelError, PellucidError
from pellucid.graph.dataflow import tensors_in
from pellucid.types import Tree


def unwrapped(model: nn.Module) -> nn.Module:
    """The module that the user wrote: without torch.compile's and DataParallel's wrappers."""
    while True:
        inner = getattr(model, "_orig_mod", None)
        if inner is None and isinstance(model, nn.DataParallel | nn.parallel.DistributedDataParallel):
            inner = model.module
        if not isinstance(inner, nn.Module):
            return model
        model = inner


def as_arguments(inputs: Tree, model: nn.Module | None = None) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """Positional and named arguments of forward: a tuple's items, a dict's entries, or the one tensor.

    A dict whose keys are not parameters of `model.forward` is passed whole as the one argument.
    """
    if isinstance(inputs, tuple | list):
        return tuple(inputs), {}
    if isinstance(inputs, dict):
        return ((), inputs) if model is None or _accepts(model, inputs) else ((inputs,), {})
    return (inputs,), {}


def _accepts(model: nn.Module, names: Mapping[str, object]) -> bool:
    parameters = inspect.signature(model.forward).parameters.values()
    if any(parameter.kind is inspect.Parameter.VAR_KEYWORD for parameter in parameters):
        return True
    return set(names) <= {parameter.name for parameter in parameters}


def apply(model: nn.Module, inputs: Tree) -> Any:
    """Calls the model. A batch axis of one example that it squeezed away is put back.

    Raises: ForwardError: it raised, with the module where it did and the shapes it was given.
    """
    positional, named = as_arguments(inputs, model)
    try:
        return _with_batch(model(*positional, **named), inputs)
    except PellucidError:
        raise
    except Exception as error:
        where = _innermost(model, error)
        if for_memory(error):
            raise ForwardError(
                f"Memory does not suffice for {shapes(inputs)}, given to {where}: {error}. Take fewer examples at a time, or "
                "smaller ones."
            ) from error
        raise ForwardError(
            f"The model raised {type(error).__name__} in {where}: {error}. It was called with {shapes(inputs)}. "
            "Check that the examples have the shape and type that the model expects."
        ) from error


def _with_batch(output: Any, inputs: Tree) -> Any:
    """The output; numbers of one example, float[] or float[class], under a batch axis, as `.squeeze()` leaves them without."""
    if not isinstance(output, Tensor) or output.ndim > 1:
        return output
    first = next(tensors_in(inputs), None)
    alone = first is not None and first.ndim > 0 and len(first) == 1
    return output[None] if alone and (output.ndim == 0 or len(output) != 1) else output


def _innermost(model: nn.Module, error: Exception) -> str:
    """Names the deepest module whose forward was running when the error was raised."""
    names = {id(module): name for name, module in model.named_modules()}
    found = type(model).__name__
    trace = error.__traceback__
    while trace is not None:
        owner = trace.tb_frame.f_locals.get("self")
        if isinstance(owner, nn.Module) and names.get(id(owner)):
            found = f"{names[id(owner)]} ({type(owner).__name__})"
        trace = trace.tb_next
    return found


def shapes(tree: Tree) -> str:
    """Shapes and types of a tree's tensors, to be read in a message."""
    if isinstance(tree, Tensor):
        return f"{tuple(tree.shape)} {str(tree.dtype).removeprefix('torch.')}"
    if isinstance(tree, dict):
        return "{" + ", ".join(f"{name}: {shapes(part)}" for name, part in tree.items()) + "}"
    if isinstance(tree, tuple | list):
        return "(" + ", ".join(shapes(part) for part in tree) + ")"
    return type(tree).__name__


def to_device(tree: Tree, device: torch.device, *, copy: bool = False) -> Tree:
    """The same tree with every tensor on a device; copied even where it is there already, for a model may write to it."""
    if isinstance(tree, Tensor):
        return tree.to(device, copy=copy)
    if isinstance(tree, dict):
        return {name: to_device(part, device, copy=copy) for name, part in tree.items()}
    if isinstance(tree, tuple):
        return tuple(to_device(part, device, copy=copy) for part in tree)
    return [to_device(part, device, copy=copy) for part in tree] if isinstance(tree, list) else tree


def scores_in(output: Any, examples: int) -> Tensor:
    """As `logits_of`, and where there are none, as in the boxes of a detector, float[examples 0 0], which answer no task."""
    try:
        return logits_of(output)
    except ModelError:
        return torch.zeros(examples, 0, 0)


_NAMES = ("logits", "output", "out")


def taken_from(output: Any) -> str:
    """Which of several tensors `logits_of` takes, in words, where nothing in the output says that it holds the scores."""
    if isinstance(output, Tensor) or isinstance(getattr(output, "logits", None), Tensor):
        return ""
    if isinstance(output, Mapping):
        entries = [repr(name) for name, part in output.items() if _is_numbers(part)]
        named = any(isinstance(output.get(name), Tensor) for name in _NAMES)
        return "" if named or len(entries) < 2 else f"{entries[0]} of the entries {', '.join(entries)}"
    number = sum(map(_is_numbers, output)) if isinstance(output, tuple | list) else 0
    return "" if number < 2 else f"the first of {number} tensors"


def _is_numbers(part: object) -> bool:
    return isinstance(part, Tensor) and part.is_floating_point()


def logits_of(output: Any) -> Tensor:
    """The tensor of scores in a model's output: itself, `.logits`, ["logits"], or the first tensor of a dict or tuple.

    Raises: ModelError: there is none.
    """
    if isinstance(output, Tensor):
        return output
    named = getattr(output, "logits", None)
    if isinstance(named, Tensor):
        return named
    if isinstance(output, Mapping):
        for name in (*_NAMES, *output):
            if isinstance(output.get(name), Tensor):
                found: Tensor = output[name]
                return found
    if isinstance(output, tuple | list):
        for part in output:
            if isinstance(part, Tensor):
                return part
    raise ModelError(
        f"The model's output is a {type(output).__name__} without a tensor of logits. Expected a tensor float[batch "
        "class], an object with .logits, a dict with 'logits', or a tuple whose first tensor they are."
    )
