"""The graph of a model, and the difference of two."""

from __future__ import annotations

from typing import Literal

import msgspec
from msgspec import field

from pellucid.record.schema.basis import Panel


class Pool(msgspec.Struct, frozen=True):
    """What a pooling layer looks at and keeps, axis by axis.

    Attributes:
        kind: how a window becomes one value.
        window, stride, padding: positions along each pooled axis; of an adaptive or global pool, those it comes to.
        kept: output positions by input positions: the largest share of the input's values that a maximum lets through,
            the number of means by the number of values for an average.
        seen: share of the input's positions that lie in any window; the rest is dropped unseen.
    """

    kind: Literal["max", "average", "lp"]
    window: list[int]
    stride: list[int]
    padding: list[int]
    kept: float
    seen: float


class GraphNode(msgspec.Struct, frozen=True):
    """One module call, function or input of the traced model.

    Attributes:
        parent: id of the module call that encloses it, None at the top.
        inputs, outputs: shapes of the tensors that went in and came out; their types in input_dtypes, output_dtypes.
        parameters: unique parameters in it and below it; own_parameters: only its own.
        flops: multiply-adds counted twice, for the traced example; None where not counted.
        memory: bytes of its outputs for the traced example.
        layer: index of the captured layer whose output it is, or None.
        source: file name and line of the call, without folders.
        role: the part it plays.
        activation: name of the activation function that it is, or None.
        arguments: its settings that are no tensors, by name, as text ("kernel_size": "(3, 3)").
        operators: aten operators that ran in it and below it.
        steps: of a recurrent layer, how many steps it runs over; each step's output is fed back into the next.
        pool: what it keeps, of a pooling layer.
        error: what it raised, where the forward failed in it, or caught that it did.
        shares: ids of earlier calls of another path that read a parameter of its own: tied weights.
    """

    id: int
    path: str
    name: str
    operation: str
    kind: Literal["module", "function", "input", "output"]
    parent: int | None
    call: int
    inputs: list[list[int]]
    outputs: list[list[int]]
    input_dtypes: list[str]
    output_dtypes: list[str]
    parameters: int
    own_parameters: int
    trainable: int
    flops: int | None
    memory: int
    layer: int | None = None
    source: str | None = None
    role: Literal["compute", "norm", "activation", "pool", "join", "pass", "other"] = "other"
    activation: str | None = None
    arguments: dict[str, str] = field(default_factory=dict)
    operators: int = 0
    steps: int | None = None
    pool: Pool | None = None
    error: str | None = None
    shares: list[int] = field(default_factory=list)


class GraphEdge(msgspec.Struct, frozen=True):
    """A tensor that flows from output number `output` of `source` to argument number `argument` of `target`.

    `activation` names the activation function whose output it is, None elsewhere; `feeds_back` says that it carries the
    output of one step of a loop into the next.
    """

    source: int
    target: int
    output: int
    argument: int
    shape: list[int]
    activation: str | None = None
    feeds_back: bool = False


class Loop(msgspec.Struct, frozen=True):
    """Sibling calls that the forward made several times over, in the same order, with the same parameters.

    Attributes:
        calls: ids of the siblings of each step, a list a step, all of one length.
        feeds_back: whether a step reads what the one before it made.
    """

    calls: list[list[int]]
    feeds_back: bool


class LayerInfo(msgspec.Struct, frozen=True):
    """A captured layer, as in pellucid.types.Layer; `node` is its id in the graph, None where untraced."""

    index: int
    name: str
    operation: str
    shape: list[int]
    layout: Literal["maps", "channels", "tokens", "vector", "other"]
    units: int
    activation: str | None = None
    node: int | None = None


class GraphPanel(Panel, tag="graph"):
    """The traced model.

    `repeats` are runs of sibling calls of equal structure, as ids of nodes: each can be drawn once, with a multiplier. The
    same place inside two of them has the same distance from their ids.

    Attributes:
        unused: names of the parameters that the forward never read; uncalled: paths of the modules it never called.
        backend: how it was traced: on tensors without values (meta, fake), with values (real), or read from a file.
        backend_reason: why it was not traced without values, where that was tried, and what it could not see; "" elsewhere.
        data_dependent: where the path through the model depended on the values of its inputs ("bool() at net.py:31");
            empty where it did not.
        operators: aten operators that the forward ran, or operations that the file lists.
        error: why the trace stopped half-way; the graph then ends there.
    """

    nodes: list[GraphNode]
    edges: list[GraphEdge]
    layers: list[LayerInfo]
    parameters: int
    trainable: int
    flops: int | None
    unused: list[str]
    backend: Literal["meta", "fake", "real", "file", "none"]
    error: str | None = None
    repeats: list[list[int]] = field(default_factory=list)
    loops: list[Loop] = field(default_factory=list)
    uncalled: list[str] = field(default_factory=list)
    backend_reason: str = ""
    data_dependent: list[str] = field(default_factory=list)
    operators: int = 0


class GraphChange(msgspec.Struct, frozen=True):
    """One difference between two graphs.

    Attributes:
        kind: what happened to the call on the way from the old graph to the new.
        old, new: its id in each graph; None where it is not there.
        what: what changed ("operation", "arguments", "parameters", "trainable", "shape", "type", "name", "inputs"); empty
            for the other kinds.
    """

    kind: Literal["added", "removed", "changed", "moved"]
    old: int | None
    new: int | None
    what: list[str] = field(default_factory=list)


class GraphDifferencePanel(Panel, tag="graph_difference"):
    """What became of another graph; the record's own graph, in the panel "graph", is the new one.

    Attributes:
        name: what the old model is called.
        old: the old graph.
        matches: ids of calls that are the same, or changed or moved: [old, new].
    """

    name: str
    old: GraphPanel
    matches: list[list[int]]
    changes: list[GraphChange]
