"""What a leaf of the graph calls inside, where what it computes is not told by its class."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from functools import lru_cache
from types import FunctionType
from typing import TYPE_CHECKING, Any

import torch

from pellucid.graph.arguments import bound, texts
from pellucid.graph.looks import shape_of
from pellucid.graph.names import function_name
from pellucid.graph.structure import GIVEN, NO_INPUT, Inside, Step, Tap

if TYPE_CHECKING:
    from torch import Tensor, nn


class Watch:
    """Notes the functions that a module calls, and which of what it was given each of them reads.

    Args:
        parts: the modules whose parameters, buffers and constants it may read.
        inputs: the tensors that it is given.
        known: ids of the model's parameters.
    """

    def __init__(self, parts: Iterable[nn.Module], inputs: list[Tensor], known: set[int]) -> None:
        self._known = known
        self._steps: list[Step] = []
        self._lost = False
        # With the tensor, so that its id belongs to no other.
        self._taps: dict[int, tuple[Tensor, Tap]] = {}
        for part in parts:
            for held in (part._parameters, part._buffers, vars(part)):
                self._taps |= {id(one): (one, NO_INPUT) for one in held.values() if isinstance(one, torch.Tensor)}
        for place, tensor in enumerate(inputs):
            self.given(tensor, place)

    def given(self, tensor: Tensor, place: int) -> None:
        """A tensor is input number `place` of the module."""
        self._taps[id(tensor)] = tensor, Tap(GIVEN, place)

    def knows(self, tensor: Tensor) -> bool:
        """Whether it is known where this tensor comes from."""
        return id(tensor) in self._taps or id(tensor) in self._known

    def lose(self) -> None:
        """Something ran that nobody can follow."""
        self._lost = True

    def called(
        self, function: Callable[..., Any], args: tuple[Any, ...], kwargs: Mapping[str, Any],
        inputs: list[Tensor], outputs: list[Tensor],
    ) -> None:  # fmt: skip
        """A function has read these and made those, and written to nothing."""
        made = [one for one in outputs if not any(one is given for given in inputs)]
        if not made or self._lost:
            return
        if len(made) < len(outputs) or not all(map(self.knows, inputs)):
            self._lost = True
            return
        for output, tensor in enumerate(made):
            self._taps[id(tensor)] = tensor, Tap(len(self._steps), output)
        self._steps.append(
            Step(
                operation=function_name(function),
                arguments=texts(bound(function, args, kwargs)),
                reads=tuple(map(self._tap, inputs)),
                inputs=tuple(map(shape_of, inputs)),
                outputs=tuple(map(shape_of, made)),
            )
        )

    def end(self, outputs: list[Tensor]) -> Inside | None:
        """All of it, where it could be followed up to what the module returns."""
        if self._lost or not all(map(self.knows, outputs)):
            return None
        return Inside(tuple(self._steps), tuple(map(self._tap, outputs)))

    def _tap(self, tensor: Tensor) -> Tap:
        held = self._taps.get(id(tensor))
        return NO_INPUT if held is None else held[1]


def computes(module: nn.Module) -> str:
    """Name of the class of torch whose computation a module runs; "" where someone else's code has a part in it."""
    if isinstance(module, torch.jit.ScriptModule) or "forward" in vars(module):
        return ""
    if module._forward_hooks or module._forward_pre_hooks:
        return ""
    kind: type = type(module)
    return _computes(kind)


@lru_cache(maxsize=4096)
def _computes(kind: type) -> str:
    own: set[str] = set()
    for base in kind.__mro__:
        if base.__module__.startswith("torch.nn.") and not base.__name__.startswith("Parametrized"):
            used = {"forward", "__call__", "_call_impl", *_names(getattr(base, "forward", None))}
            return "" if own & used else base.__name__
        own.update(key for key, value in vars(base).items() if isinstance(value, FunctionType | property))
    return ""


def _names(function: object) -> tuple[str, ...]:
    return function.__code__.co_names if isinstance(function, FunctionType) else ()
