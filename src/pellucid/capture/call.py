"""How a model is called with a tree of tensors."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

from pellucid.capture.memory import for_memory
from pellucid.capture.trees import along
from pellucid.errors import ForwardError, PellucidError
from pellucid.graph.containers import parts_of
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
    """Positional and named arguments of forward: a tuple's items, a mapping's entries, or the one tensor.

    A mapping whose keys are not parameters of `model.forward` is passed whole as the one argument.
    """
    if isinstance(inputs, tuple | list):
        return tuple(inputs), {}
    if isinstance(inputs, Mapping):
        return ((), dict(inputs)) if model is None or _accepts(model, inputs) else ((inputs,), {})
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
    parts = parts_of(tree)
    if parts is None:
        return type(tree).__name__
    if isinstance(tree, tuple | list):
        return "(" + ", ".join(map(shapes, parts.values())) + ")"
    return "{" + ", ".join(f"{name}: {shapes(part)}" for name, part in parts.items()) + "}"


def to_device(tree: Tree, device: torch.device, *, copy: bool = False) -> Tree:
    """The same tree with every tensor on a device; copied even where it is there already, for a model may write to it."""
    found: Tree = along(lambda tensor: tensor.to(device, copy=copy), tree, rest=lambda leaf: leaf)
    return found
