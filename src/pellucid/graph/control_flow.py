"""torch's operators that take functions as plain Python: the branch that the values choose, a loop step by step.

They compile the functions before they run them, `torch.cond` both of its branches, or run them where nobody hears of it. As
plain Python, what the functions call is seen like all else, and so is that a tensor's value was asked for.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor
from torch._higher_order_ops import utils, while_loop
from torch._ops import HigherOrderOperator
from torch.utils import _pytree as pytree


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


def _over_slices(
    combine_fn: Callable[..., Any], init: Sequence[Any], xs: Sequence[Tensor], additional_inputs: Sequence[Any] = ()
) -> Any:
    """What is carried from slice to slice along the first axis, and what each step makes beside it, stacked."""
    held, made, spec = list(init), [], None
    for slices in zip(*[one.unbind() for one in xs], strict=True):
        leaves, spec = pytree.tree_flatten(combine_fn(*held, *slices, *additional_inputs))
        held = leaves[: len(init)]
        made.append(leaves[len(init) :])
    if spec is None:
        return NotImplemented
    return pytree.tree_unflatten([*held, *_stacked(made)], spec)


def _each_slice(f: Callable[..., Any], xs: Sequence[Tensor], pos_args: Sequence[Any] = ()) -> Any:
    """What a function makes of each slice along the first axis, stacked."""
    made, spec = [], None
    for slices in zip(*[one.unbind() for one in xs], strict=True):
        leaves, spec = pytree.tree_flatten(f(*slices, *pos_args))
        made.append(leaves)
    return NotImplemented if spec is None else pytree.tree_unflatten(_stacked(made), spec)


def _stacked(steps: Sequence[Sequence[Any]]) -> list[Any]:
    return [torch.stack(column) if isinstance(column[0], Tensor) else column[0] for column in zip(*steps, strict=True)]


def _called_with(fn: Callable[..., Any], operands: Sequence[Any]) -> Any:
    return fn(*operands)


# What each operator does, by its name: no version of torch has them all. NotImplemented where only torch can tell.
_WRITTEN_OUT: Mapping[str, Callable[..., Any]] = {
    "cond": _branch,
    "while_loop": _loop,
    "scan": _over_slices,
    "map_impl": _each_slice,
    "strict_mode": _called_with,
}


def _straight(fn: Callable[..., Any], *args: Any) -> Any:
    return fn(*args)


def _called(fn: Callable[..., Any], args: Sequence[Any], kwargs: Mapping[str, Any] | None = None) -> Any:
    return fn(*args, **(kwargs or {}))


_COMPILING = "_hop_compile_and_call"
# Versions of torch that have no such function let each of these compile for itself.
_THEMSELVES: Mapping[Any, Any] = {torch.cond: _branch, while_loop: _loop} | (
    {utils._maybe_compile_and_run_fn: _straight} if hasattr(utils, "_maybe_compile_and_run_fn") else {}
)


@contextmanager
def uncompiled() -> Iterator[None]:
    """Inside, they run so in this thread."""
    before = getattr(utils, _COMPILING, None)
    with _written_out():
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
def _written_out() -> Iterator[None]:
    """Inside, calling an operator runs what is written here: also one that nobody compiles, of an exported program."""
    thread = threading.get_ident()
    before: list[tuple[Any, Any]] = []

    def instead(plain: Callable[..., Any], original: Callable[..., Any]) -> Callable[..., Any]:
        def call(self: Any, *args: Any, mutated_arg_indices: str = "", **kwargs: Any) -> Any:
            if threading.get_ident() == thread:
                result = plain(*args, **kwargs)
                if result is not NotImplemented:
                    return result
            more = {"mutated_arg_indices": mutated_arg_indices} if mutated_arg_indices else {}
            return original(self, *args, **kwargs, **more)

        return call

    try:
        for name, plain in _WRITTEN_OUT.items():
            kind: Any = type(getattr(torch.ops.higher_order, name, None))
            original = vars(kind).get("__call__")
            if original is not None and issubclass(kind, HigherOrderOperator):
                before.append((kind, original))
                kind.__call__ = instead(plain, original)
        yield
    finally:
        for kind, original in before:
            kind.__call__ = original


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
