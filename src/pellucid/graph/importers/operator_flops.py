"""Products and convolutions beneath one call of an exported program, counted by running its shapes on the meta device."""

from __future__ import annotations

from typing import Any

import torch
from torch import fx
from torch.utils._python_dispatch import TorchDispatchMode

from pellucid.graph import flops


class _UnknownSizeError(Exception):
    """A size that is not fixed."""


class _Counter(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Adds up what the operators beneath a call cost."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.total: int | None = None
        self.missed = False

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        result = func(*args, **(kwargs or {}))
        count = flops.count(func, args, kwargs or {}, result)
        if count is not None:
            self.total = (self.total or 0) + count
        elif flops.multiplies(func):
            self.missed = True
        return result


def flops_of_call(node: fx.Node, batch: str | None) -> tuple[int | None, bool]:
    """Multiply-adds counted twice, for one example where the size `batch` is open; and whether some are not counted.

    None where there are none to count. They are not counted where another size is open, where the operator does not run
    without values, or nobody knows its cost.
    """

    def plain(held: Any) -> Any:
        if isinstance(held, fx.Node):
            return plain(held.meta.get("val"))
        if isinstance(held, torch.Tensor):
            return torch.empty([plain(size) for size in held.shape], dtype=held.dtype, device="meta")
        if isinstance(held, torch.SymInt):
            if batch is not None and str(held) == batch:
                return 1
            raise _UnknownSizeError
        if isinstance(held, torch.SymFloat | torch.SymBool):
            raise _UnknownSizeError
        if isinstance(held, list | tuple):
            return type(held)(plain(one) for one in held)
        if isinstance(held, torch.device):
            return torch.device("meta")
        return held

    counter = _Counter()
    try:
        args = tuple(plain(one) for one in node.args)
        kwargs = {name: plain(one) for name, one in node.kwargs.items()}
        if not isinstance(node.target, torch._ops.OpOverload):
            counted = flops.count(node.target, args, kwargs, None)
            return counted, counted is None and flops.multiplies(node.target)
        with torch.no_grad(), counter:
            node.target(*args, **kwargs)
    except Exception:  # shapes that the sizes of one example do not fit, or an operator that needs values
        return None, flops.multiplies(node.target)
    return counter.total, counter.missed
