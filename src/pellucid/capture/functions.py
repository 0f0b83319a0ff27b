"""Functions that modules call directly, such as F.relu in a block's forward: captured as layers are."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Protocol

from torch.overrides import TorchFunctionMode

from pellucid.graph.dataflow import tensors_in, versions
from pellucid.graph.names import function_name, function_path, perhaps_first


class Reached(Protocol):
    """Who is told of a call."""

    @property
    def inside(self) -> str:
        """Path of the module whose forward is running."""

    def reach(self, name: str, output: Any) -> Any:
        """Hears of a call's output; returns what replaces it, or None."""


class CalledFunctions(TorchFunctionMode):
    """Tells of every call of the functions among some layers.

    Args:
        told: of each call.
        layers: their names; functions as "<path>.relu()", later calls with "#2".
    """

    def __init__(self, told: Reached, layers: Iterable[str]) -> None:
        super().__init__()
        self._told = told
        self._names = perhaps_first(name for name in layers if "()" in name)

    def __torch_function__(
        self, function: Any, types: Any, arguments: tuple[Any, ...] = (), named: dict[str, Any] | None = None
    ) -> Any:
        name = function_path(self._told.inside, function_name(function))
        if name not in self._names:
            return function(*arguments, **(named or {}))
        given = list(tensors_in((arguments, named)))
        before = versions(given)
        output = function(*arguments, **(named or {}))
        if versions(given) == before and all(any(made is one for one in given) for made in tensors_in(output)):
            return output  # it had nothing to do: such calls are not counted in the graph either
        replaced = self._told.reach(name, output)
        return output if replaced is None else replaced
