"""A call while it is watched, before it becomes a node of the graph."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from torch import Tensor, nn

from pellucid.graph.dataflow import Source
from pellucid.graph.fake import Fake
from pellucid.graph.inside import Watch
from pellucid.graph.looks import looks_of
from pellucid.graph.names import Role
from pellucid.graph.outcomes import Ran
from pellucid.graph.structure import Inside, Shape
from pellucid.record.schema import Pool

Kind = Literal["module", "function", "input", "output"]


def in_words(raised: BaseException) -> str:
    """What was raised, on its way to a reader: "ValueError: no rows", and "ValueError" where it says nothing."""
    said = str(raised)
    return f"{type(raised).__name__}: {said}" if said.strip() else type(raised).__name__


@dataclass(slots=True)
class Frame:
    """A node that is being made; what is counted here is its own, without what runs below it.

    Attributes:
        sources: the arguments that some node made: their number, who made them, their shape.
        reads: ids of the parameters that went into it, in order.
        recalled: the call like it, where there was one.
        computes, inside: as of the node; watch: notes what a leaf calls inside while it runs.
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
    recalled: Ran | None = None
    computes: str = ""
    inside: Inside | None = None
    watch: Watch | None = None

    def went_in(self, tensors: list[Tensor]) -> None:
        """Notes the tensors among its arguments."""
        if len(tensors) == 1 and type(tensors[0]) is Fake and (look := tensors[0].looks()) is not None:
            self.inputs, self.input_dtypes = look.alone
        else:
            self.inputs, self.input_dtypes = looks_of(tensors)[:2]

    def came_out(self, tensors: list[Tensor]) -> None:
        """Notes the tensors among its results."""
        if len(tensors) == 1 and type(tensors[0]) is Fake and (look := tensors[0].looks()) is not None:
            self.outputs, self.output_dtypes = look.alone
            self.memory, self.floating = look.memory, look.floating
        else:
            self.outputs, self.output_dtypes, self.memory, self.floating = looks_of(tensors)
