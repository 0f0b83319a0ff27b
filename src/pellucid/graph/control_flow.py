"""torch's operators for control flow as plain Python: the branch that the values choose, a loop step by step.

They take functions and compile them before they run them, `torch.cond` both of its branches. As plain Python, what the
functions call is seen like all else, and so is that a tensor's value was asked for.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from torch._higher_order_ops import utils
from torch.overrides import TorchFunctionMode


def _branch(pred: Any, true_fn: Callable[..., Any], false_fn: Callable[..., Any], operands: Sequence[Any] = ()) -> Any:
    return (true_fn if pred else false_fn)(*operands)


def _loop(
    cond_fn: Callable[..., Any], body_fn: Callable[..., Any], carried: Sequence[Any], additional: Sequence[Any] = ()
) -> tuple[Any, ...]:
    held = tuple(carried)
    while cond_fn(*held, *additional):
        held = tuple(body_fn(*held, *additional))
    return held


_WRITTEN_OUT: Mapping[object, Callable[..., Any]] = {
    torch.ops.higher_order.cond: _branch,
    torch.ops.higher_order.while_loop: _loop,
}
_COMPILING = "_hop_compile_and_call"


@contextmanager
def uncompiled() -> Iterator[None]:
    """Inside, they run so."""
    before = getattr(utils, _COMPILING, None)
    if before is None:
        yield
        return
    setattr(utils, _COMPILING, _called)
    try:
        yield
    finally:
        setattr(utils, _COMPILING, before)


def _called(fn: Callable[..., Any], args: Sequence[Any], kwargs: Mapping[str, Any] | None = None) -> Any:
    with _Plainly():
        return fn(*args, **(kwargs or {}))


class _Plainly(TorchFunctionMode):
    """Hears of the operator itself; not of what the functions call, since a mode is not on while it is at work."""

    def __torch_function__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        return _WRITTEN_OUT.get(func, func)(*args, **(kwargs or {}))
