"""Outputs of layers that a model writes into after they were captured, as a residual block does with `out += identity`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Self

from torch import Tensor
from torch.autograd.graph import GradientEdge, get_gradient_edge
from torch.overrides import TorchFunctionMode

from pellucid.graph.dataflow import tensors_in
from pellucid.graph.guard import memory_of

_READ_BACK = frozenset(("_saved_out", "_saved_output", "_saved_result", "_saved_result0", "saved_tensors"))
"""By which a node of the gradient graph, a ReLU's say or a function's of the user, may hold what it gave."""


@dataclass
class Kept:
    """What a layer gave.

    Attributes:
        value: its numbers, with their history.
        version: how often they had been written to then.
        source: by which a gradient of them is taken.
    """

    value: Tensor
    version: int
    source: Tensor | GradientEdge

    @classmethod
    def of(cls, output: Tensor) -> Self:
        """An output as it is now."""
        return cls(output, output._version, output)

    @property
    def lost(self) -> bool:
        """Whether it was written to since."""
        return self.value._version != self.version

    def rescue(self) -> None:
        """Takes a copy, before it is written to; not where its own backward reads it, which a copy does not mend.

        Nor of a view, past whose node the gradient goes once its memory was written to.
        """
        if self.value._is_view() or _READ_BACK & set(dir(self.value.grad_fn)):
            return
        self.source = get_gradient_edge(self.value)
        self.value = self.value.clone()
        self.version = self.value._version


class Rescue(TorchFunctionMode):
    """Entered around a forward: copies what is kept right before a function writes into it, so that no second forward is due.

    Args:
        kept: by layer; filled during the forward.
    """

    def __init__(self, kept: Mapping[str, Kept]) -> None:
        super().__init__()
        self._kept = kept

    def __torch_function__(
        self, function: Any, types: Any, arguments: tuple[Any, ...] = (), named: dict[str, Any] | None = None
    ) -> Any:
        for written in _written(function, arguments, named or {}):
            place = memory_of(written)
            for one in self._kept.values() if place is not None else ():
                if one.value.requires_grad and memory_of(one.value) == place and not one.lost:
                    one.rescue()
        return function(*arguments, **(named or {}))


def _written(function: Any, arguments: tuple[Any, ...], named: Mapping[str, Any]) -> Iterator[Tensor]:
    """The tensors that a call may write into, by its name and its settings."""
    name = getattr(function, "__name__", "")
    by_name = name in ("__setitem__", "__set__") or name.startswith("__i") or (name[-1:] == "_" and name[:2] != "__")
    by_setting = named.get("inplace") is True or any(one is True for one in arguments[1:])
    if by_name or by_setting:
        yield from tensors_in(arguments[:1])
    yield from tensors_in(named.get("out"))
