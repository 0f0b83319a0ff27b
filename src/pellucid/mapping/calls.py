"""One call of a graph with the boxes of its inputs, and what a rule makes of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TypeAlias

from pellucid.graph.settings import Settings
from pellucid.mapping.boxes import Boxes


@dataclass(frozen=True)
class Call:
    """One call of a graph with the boxes of its inputs.

    Attributes:
        operation: the class or function of torch whose computation it is.
        activation: whether it is an activation, which makes each value of the value at its place.
        arguments: its settings as text.
        inputs, outputs: shapes of its tensors.
        given: boxes of each input tensor.
    """

    operation: str
    activation: bool
    arguments: Mapping[str, str]
    inputs: Sequence[tuple[int, ...]]
    outputs: Sequence[tuple[int, ...]]
    given: tuple[Boxes, ...]

    @cached_property
    def settings(self) -> Settings:
        """Its settings as values."""
        return Settings(self.arguments)


Followed: TypeAlias = "list[Boxes] | None"
Rule: TypeAlias = Callable[[Call], Followed]
