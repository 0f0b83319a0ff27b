"""A call while it is watched, before it becomes a node of the graph."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import Literal

import torch
from torch import Tensor, nn

from pellucid.graph.dataflow import Source
from pellucid.graph.names import Role
from pellucid.graph.recalled import Recalled
from pellucid.graph.structure import Shape
from pellucid.record.schema import Pool

Kind = Literal["module", "function", "input", "output"]


@dataclass(slots=True)
class Frame:
    """A node that is being made; what is counted here is its own, without what runs below it.

    Attributes:
        sources: the arguments that some node made: their number, who made them, their shape.
        reads: ids of the parameters that went into it, in order.
        recalled: the call like it, where it was told from one.
    """

    id: int
    name: str
    path: str
    operation: str
    kind: Kind
    parent: int | None
    call: int
    inputs: tuple[Shape, ...] = ()
    outputs: tuple[Shape, ...] = ()
    input_dtypes: tuple[str, ...] = ()
    output_dtypes: tuple[str, ...] = ()
    module: nn.Module | None = None
    flops: int | None = None
    operators: int = 0
    memory: int = 0
    source: str | None = None
    role: Role = "other"
    activation: str | None = None
    origin: int | None = None
    channel_last: bool | None = None
    reached: bool = False
    floating: bool = False
    children: int = 0
    steps: int | None = None
    pool: Pool | None = None
    arguments: Mapping[str, str] = field(default_factory=dict)
    error: str | None = None
    sources: list[tuple[int, Source, Shape]] = field(default_factory=list)
    reads: tuple[int, ...] = ()
    recalled: Recalled | None = None

    def went_in(self, tensors: list[Tensor]) -> None:
        """Notes the tensors among its arguments."""
        self.inputs = tuple([tuple(tensor.shape) for tensor in tensors])
        self.input_dtypes = tuple([_dtype(tensor) for tensor in tensors])

    def came_out(self, tensors: list[Tensor]) -> None:
        """Notes the tensors among its results."""
        self.outputs = tuple([tuple(tensor.shape) for tensor in tensors])
        self.output_dtypes = tuple([_dtype(tensor) for tensor in tensors])
        self.memory = sum([tensor.numel() * tensor.element_size() for tensor in tensors])
        self.floating = bool(tensors) and tensors[0].is_floating_point()


def _dtype(tensor: Tensor) -> str:
    return _name(tensor.dtype)


@cache
def _name(dtype: torch.dtype) -> str:
    return str(dtype).removeprefix("torch.")
