"""torch's operators for control flow as plain Python: the branch that the values choose, a loop step by step.

They take functions and compile them before they run them, `torch.cond` both of its branches. As plain Python, what the
functions call is seen like all else, and so is that a tensor's value was asked for.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from torch._higher_order_ops import utils, while_loop
from torch.overrides import TorchFunctionMode


def _branch(pred: Any, true_fn: Callable[..., Any], false_fn: Callable[..., Any], operands: Sequence[Any] = ()) -> Any:
    return (true_fn if pred else false_fn)(*operands)


def _loop(
    cond_fn: Callable[..., Any],
    body_fn: Callable[..., Any],
    carried_inputs: Sequence[Any],
    additional_inputs: Sequence[Any] = (),
) -> tuple[Any, ...]:
    held = tuple(carried_inputs)
    while cond_fn(*held, *additional_inputs):
        held = tuple(body_fn(*held, *additional_inputs))
    return held


_WRITTEN_OUT: Mapping[object, Callable[..., Any]] = {
    torch.ops.higher_order.cond: _branch,
    torch.ops.higher_order.while_loop: _loop,
}
_COMPILING = "_hop_compile_and_call"
# Versions of torch that have no such function let each of these compile for itself.
_THEMSELVES: Mapping[Any, Any] = {torch.cond: _branch, while_loop: _loop}


@contextmanager
def uncompiled() -> Iterator[None]:
    """Inside, they run so."""
    before = getattr(utils, _COMPILING, None)
    if before is None:
        with _rewritten():
            yield
        return
    setattr(utils, _COMPILING, _called)
    try:
        yield
    finally:
        setattr(utils, _COMPILING, before)


@contextmanager
def _rewritten() -> Iterator[None]:
    """Inside, they are the same functions with other code: models bind them to names when they are imported."""
    before = {function: (function.__code__, function.__defaults__) for function in _THEMSELVES}
    for function, plain in _THEMSELVES.items():
        function.__code__, function.__defaults__ = plain.__code__, plain.__defaults__
    try:
        yield
    finally:
        for function, (code, defaults) in before.items():
            function.__code__, function.__defaults__ = code, defaults


def _called(fn: Callable[..., Any], args: Sequence[Any], kwargs: Mapping[str, Any] | None = None) -> Any:
    with _Plainly():
        return fn(*args, **(kwargs or {}))


class _Plainly(TorchFunctionMode):
    """Hears of the operator itself; not of what the functions call, since a mode is not on while it is at work."""

    def __torch_function__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        return _WRITTEN_OUT.get(func, func)(*args, **(kwargs or {}))
