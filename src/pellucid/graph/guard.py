"""Running a model without leaving a trace in it."""

from __future__ import annotations

import contextlib
import random
import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import torch

if TYPE_CHECKING:
    from torch import Tensor, nn

_HOOKS = (
    "_forward_hooks",
    "_forward_hooks_with_kwargs",
    "_forward_hooks_always_called",
    "_forward_pre_hooks",
    "_forward_pre_hooks_with_kwargs",
    "_backward_hooks",
    "_backward_pre_hooks",
)


@contextlib.contextmanager
def untouched(model: nn.Module) -> Iterator[None]:
    """Evaluation mode inside; afterwards mode, buffers, hooks and random state are as they were, also after an error.

    Modes are set flag by flag: a model's own `train` and `eval` may do more than that. Attention's fast path, which
    hides what it computes, and compiled graphs are off inside.
    """
    modes = [(module, module.training) for module in model.modules()]
    buffers = [(module, dict(module._buffers)) for module in model.modules()]
    values = [
        (buffer, buffer.detach().clone(), _version(buffer))
        for _, held in buffers
        for buffer in held.values()
        if buffer is not None
    ]
    # A hook may take itself away once it was called; ours would be a call too many.
    hooks = [
        (held, dict(held)) for module, _ in modes for name in _HOOKS if (held := vars(module).get(name)) is not None
    ]
    fast_path = torch.backends.mha.get_fastpath_enabled()
    with _random_state(), _eager(model):
        try:
            torch.backends.mha.set_fastpath_enabled(False)
            for module, _ in modes:
                module.training = False
            yield
        finally:
            torch.backends.mha.set_fastpath_enabled(fast_path)
            for module, training in modes:
                module.training = training
            for module, held in buffers:
                module._buffers.clear()
                module._buffers.update(held)
            for buffer, value, version in values:
                if version is None or _version(buffer) != version:
                    with torch.inference_mode(buffer.is_inference()), torch.no_grad():
                        buffer.copy_(value)
            for registered, before in hooks:
                registered.clear()
                registered.update(before)


class ParameterGuard:
    """Puts back parameters that a forward writes to, without copying those that it leaves alone."""

    def __init__(self, model: nn.Module) -> None:
        self._owners: dict[int, list[Tensor]] = {}
        self._saved: list[tuple[Tensor, Tensor]] = []
        for parameter in model.parameters():
            place = storage_of(parameter)
            if place is not None:
                self._owners.setdefault(place, []).append(parameter)

    def before(self, operator: torch._ops.OpOverload, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        """Hears of an operator that is about to run; copies the parameters that it will write to."""
        if not operator._schema.is_mutable:
            return
        for value in (*args, *kwargs.values()):
            place = storage_of(value) if isinstance(value, torch.Tensor) else None
            for parameter in self._owners.pop(place, ()) if place is not None else ():
                self._saved.append((parameter, parameter.detach().clone()))

    def restore(self) -> None:
        """Puts the copied values back."""
        for parameter, value in self._saved:
            with torch.inference_mode(parameter.is_inference()), torch.no_grad():
                parameter.copy_(value)
        self._saved.clear()


def storage_of(tensor: Tensor) -> int | None:
    """Identity of the memory that a tensor looks at; None where it has none of its own (sparse, wrapped)."""
    try:
        return int(tensor.untyped_storage()._cdata)
    except (NotImplementedError, RuntimeError):
        return None


def _version(tensor: Tensor) -> int | None:
    return None if tensor.is_inference() else tensor._version


@contextlib.contextmanager
def _random_state() -> Iterator[None]:
    cpu, python = torch.get_rng_state(), random.getstate()
    started = torch.cuda.is_available() and torch.cuda.is_initialized()  # type: ignore[no-untyped-call]
    cuda = torch.cuda.get_rng_state_all() if started else None
    numpy = sys.modules.get("numpy")
    array = numpy.random.get_state() if numpy else None
    try:
        yield
    finally:
        torch.set_rng_state(cpu)
        random.setstate(python)
        if cuda is not None:
            torch.cuda.set_rng_state_all(cuda)
        if numpy:
            numpy.random.set_state(array)


def _eager(model: nn.Module) -> contextlib.AbstractContextManager[object]:
    compiled = any(
        getattr(module, "_compiled_call_impl", None) is not None or hasattr(module, "_orig_mod")
        for module in model.modules()
    )
    # The stance loads the compiler, which takes seconds: only where something is compiled.
    return torch.compiler.set_stance("force_eager") if compiled else contextlib.nullcontext()
