"""The traced model as plain values: nodes, edges, capture points."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Literal, NamedTuple

import msgspec

from pellucid.errors import LayerError
from pellucid.graph.names import Role
from pellucid.record import schema
from pellucid.types import Layer, Layout

if TYPE_CHECKING:
    from pellucid.graph.difference import Difference
    from pellucid.graph.grids import Placed

Shape = tuple[int, ...]


class Tap(NamedTuple):
    """Where a tensor inside a leaf comes from: output number `output` of a step of it, or of what it was given (`GIVEN`)."""

    step: int
    output: int


GIVEN = -1
NO_INPUT = Tap(-2, 0)  # a parameter or a constant


class Step(msgspec.Struct, frozen=True, gc=False):
    """One function that a leaf calls: name, settings as text, what it reads, shapes of its tensors."""

    operation: str
    arguments: Mapping[str, str]
    reads: tuple[Tap, ...]
    inputs: tuple[Shape, ...]
    outputs: tuple[Shape, ...]


class Inside(msgspec.Struct, frozen=True, gc=False):
    """What a leaf computes: its steps in order, and which of what they make it returns."""

    steps: tuple[Step, ...]
    returns: tuple[Tap, ...]


class Node(msgspec.Struct, frozen=True, gc=False):
    """One module call, function call, input or output.

    Attributes:
        id: in order of the calls' beginnings.
        name: unique among modules and functions, as in docs/architecture.md ("layer1.0.relu#2").
        path: the name without its number.
        operation: class of the module or name of the function.
        parent: id of the module call that encloses it; None directly under the model.
        call: 1 for the first call of that path.
        inputs, outputs: shapes of the tensors that went in and came out, in order.
        input_dtypes, output_dtypes: types of the same tensors ("float32").
        parameters: unique ones in it and below it; own_parameters: its own; trainable: those that require a gradient.
        flops: multiply-adds counted twice, of matrix products and convolutions; None where it has neither.
        memory: bytes of its outputs.
        source: file name and line of the call, without folders.
        role: the part it plays; "other" for modules that hold nodes.
        activation: name of the activation function that it is, or None.
        origin: id of the node without children whose output it returns first; its own id for such a node.
        channel_last: whether the channels are the last axis (True), the second (False), or not known (None).
        reached: whether its output depends on an input.
        floating: whether its first output holds floating-point numbers.
        arguments: its settings that are no tensors, by name, as text.
        operators: aten operators that ran in it and below it.
        steps: of a recurrent layer, how many steps it runs over; None elsewhere.
        pool: what it keeps, of a pooling layer.
        seconds: measured time of the call, of a real run that was timed.
        error: what it raised, where the forward failed in it, or caught that it did.
        shares: ids of earlier calls of another path that read a parameter of its own: tied weights.
        computes: the class or function of torch whose computation it is; "" where it is someone's own.
        inside: what a leaf computes, where that is someone's own and could be followed.
    """

    id: int
    name: str
    path: str
    operation: str
    kind: Literal["module", "function", "input", "output"]
    parent: int | None
    call: int
    inputs: tuple[Shape, ...]
    outputs: tuple[Shape, ...]
    input_dtypes: tuple[str, ...] = ()
    output_dtypes: tuple[str, ...] = ()
    parameters: int = 0
    own_parameters: int = 0
    trainable: int = 0
    flops: int | None = None
    memory: int = 0
    source: str | None = None
    role: Role = "other"
    activation: str | None = None
    origin: int | None = None
    channel_last: bool | None = None
    reached: bool = False
    floating: bool = False
    arguments: Mapping[str, str] = msgspec.field(default_factory=dict)
    operators: int = 0
    steps: int | None = None
    pool: schema.Pool | None = None
    seconds: float | None = None
    error: str | None = None
    shares: tuple[int, ...] = ()
    computes: str = ""
    inside: Inside | None = None


class Edge(msgspec.Struct, frozen=True, gc=False):
    """A tensor of that shape that flows from output number `output` of `source` to argument `argument` of `target`.

    Both ends are nodes without children; an enclosing module's edges are those of what it holds.

    Attributes:
        activation: name of the activation function whose output it is, None elsewhere.
        feeds_back: whether it carries the output of one step of a loop into the next.
    """

    source: int
    target: int
    output: int
    argument: int
    shape: Shape
    activation: str | None = None
    feeds_back: bool = False


@dataclass(frozen=True, slots=True)
class Loop:
    """Sibling calls that the forward made several times over, in the same order, with the same parameters.

    Attributes:
        calls: ids of the siblings of each step, a tuple a step, all of one length.
        feeds_back: whether a step reads what the one before it made.
    """

    calls: tuple[tuple[int, ...], ...]
    feeds_back: bool

    @property
    def steps(self) -> int:
        """How many times over."""
        return len(self.calls)


@dataclass(frozen=True)
class Graph:
    """What a model does with one example.

    Attributes:
        nodes: in order of execution.
        parameters, trainable: unique parameters of the model, and those of them that require a gradient.
        flops: multiply-adds counted twice, of matrix products and convolutions; None where there are none.
        unused: names of the parameters that the forward never read.
        uncalled: paths of the modules that the forward never called.
        backend: "meta" or "fake" where it was traced on tensors without values, "real" where with values, "file" where
            it was read from a file that lists operations.
        backend_reason: why it was not traced without values, where that was tried, and what it could not see; ""
            elsewhere.
        data_dependent: where the path depended on the values of the inputs ("bool() at net.py:31"); empty where not.
        operators: aten operators that the forward ran, or operations that the file lists.
        error: why the trace stopped half-way, or None; the graph then ends there.
        batch: examples in the traced batch.
    """

    nodes: tuple[Node, ...]
    edges: tuple[Edge, ...]
    parameters: int
    trainable: int
    flops: int | None
    unused: tuple[str, ...]
    backend: Literal["meta", "fake", "real", "file"]
    error: str | None = None
    batch: int = 1
    uncalled: tuple[str, ...] = ()
    backend_reason: str = ""
    data_dependent: tuple[str, ...] = ()
    operators: int = 0
    loops: tuple[Loop, ...] = ()

    @cached_property
    def layers(self) -> tuple[Layer, ...]:
        """The capture points, in order of execution; none of what was read from a file, which cannot be run."""
        from pellucid.graph.points import capture_points

        if self.backend == "file":
            return ()
        return capture_points(self)

    @cached_property
    def left_out(self) -> tuple[Node, ...]:
        """Calls that would be capture points, but whose output has no batch axis in front."""
        from pellucid.graph.points import points

        if self.backend == "file":
            return ()
        return tuple(node for node in points(self.nodes, self.edges) if not begins_with_batch(node, self.batch))

    @cached_property
    def too_large(self) -> tuple[Node, ...]:
        """Calls that would be capture points, but no layout describes their output and it is large: captured on request."""
        from pellucid.graph.points import too_large

        return () if self.backend == "file" else too_large(self)

    @cached_property
    def of_image(self) -> bool:
        """Whether an input is an image: (batch, channel, height, width), of floating-point numbers or bytes."""
        return any(
            len(shape) == 4 and (dtype.startswith(("float", "bfloat")) or dtype == "uint8")
            for node in self.nodes
            if node.kind == "input"
            for shape, dtype in zip(node.outputs, node.output_dtypes, strict=False)
        )

    @cached_property
    def placed(self) -> Placed | None:
        """Where on its map everything stands that was made of an image; None where no input is one, or every map is upright."""
        from pellucid.graph.grids import Placed, all_upright

        return None if not self.of_image or all_upright(self.nodes) else Placed(self.nodes, self.edges)

    @cached_property
    def by_name(self) -> dict[str, Node]:
        """Module and function calls by name."""
        return {node.name: node for node in self.nodes if node.kind in ("module", "function")}

    @cached_property
    def repeats(self) -> tuple[tuple[int, ...], ...]:
        """Runs of sibling calls of equal structure, as ids: each can be drawn once, with a multiplier."""
        from pellucid.graph.folding import repeats

        return repeats(self.nodes, self.edges)

    def layer(self, name: str) -> Layer:
        """The layer of that name: a capture point, or any other call whose output is a batch of numbers.

        Raises: LayerError: there is no such call, or its output cannot be captured example by example.
        """
        if not isinstance(name, str):
            names = ", ".join(f"'{layer.name}'" for layer in self.layers[:5]) or "'layer4'"
            raise LayerError(f"A layer is named by a text, such as {names}; got {name!r}, a {type(name).__name__}.")
        for layer in self.layers:
            if layer.name == name:
                return layer
        node = self.by_name.get(name)
        if node is None:
            near = difflib.get_close_matches(name, self.by_name, n=5, cutoff=0.3)
            near = near or [layer.name for layer in self.layers[:5]]
            raise LayerError(f"The model calls no layer '{name}'. Nearest names: {', '.join(near)}.")
        why = self._unfit(node)
        if why:
            fitting = ", ".join(layer.name for layer in self.layers[:8])
            raise LayerError(
                f"Layer '{name}' ({node.operation}) cannot be captured: {why}. Layers that can: {fitting}."
            )
        return layer_of(self, node, len(self.layers) + node.id)

    def against(self, old: Graph) -> Difference:
        """What became of an older graph in this one, call by call, matched by structure."""
        from pellucid.graph.difference import difference

        return difference(old, self)

    def to_svg(self, *, title: str = "", depth: int | None = None) -> str:
        """The graph as an SVG document.

        Args:
            title: name of the model.
            depth: modules at this depth stay folded, 1 being what the model itself calls; chosen by size where not given.
        """
        from pellucid.graph.drawing import svg

        return svg(self, title=title, depth=depth)

    def to_panel(self) -> schema.GraphPanel:
        """The graph as the record holds it, without findings."""
        number = {layer.name: layer.index for layer in self.layers}
        nodes = [
            schema.GraphNode(
                id=node.id,
                path=node.path,
                name=_short(node),
                operation=node.operation,
                kind=node.kind,
                parent=node.parent,
                call=node.call,
                inputs=[list(shape) for shape in node.inputs],
                outputs=[list(shape) for shape in node.outputs],
                input_dtypes=list(node.input_dtypes),
                output_dtypes=list(node.output_dtypes),
                parameters=node.parameters,
                own_parameters=node.own_parameters,
                trainable=node.trainable,
                flops=node.flops,
                memory=node.memory,
                layer=number.get(node.name) if node.kind in ("module", "function") else None,
                source=node.source,
                role=node.role,
                activation=node.activation,
                arguments=dict(node.arguments),
                operators=node.operators,
                steps=node.steps,
                pool=node.pool,
                error=node.error,
                shares=list(node.shares),
            )
            for node in self.nodes
        ]
        edges = [
            schema.GraphEdge(
                edge.source, edge.target, edge.output, edge.argument, list(edge.shape), edge.activation, edge.feeds_back
            )
            for edge in self.edges
        ]
        layers = [
            schema.LayerInfo(
                layer.index, layer.name, layer.operation, list(layer.shape), layer.layout, layer.units,
                layer.activation, self.by_name[layer.name].id,
            )
            for layer in self.layers
        ]  # fmt: skip
        return schema.GraphPanel(
            count=self.batch,
            nodes=nodes,
            edges=edges,
            layers=layers,
            parameters=self.parameters,
            trainable=self.trainable,
            flops=self.flops,
            unused=list(self.unused),
            backend=self.backend,
            error=self.error,
            repeats=[list(run) for run in self.repeats],
            loops=[schema.Loop([list(step) for step in loop.calls], loop.feeds_back) for loop in self.loops],
            uncalled=list(self.uncalled),
            backend_reason=self.backend_reason,
            data_dependent=list(self.data_dependent),
            operators=self.operators,
        )

    def _unfit(self, node: Node) -> str | None:
        if not node.outputs or not node.floating:
            return "it returns no tensor of floating-point numbers"
        if not begins_with_batch(node, self.batch):
            return f"its output of shape {node.outputs[0]} has no batch axis of {self.batch} in front"
        return None


def begins_with_batch(node: Node, batch: int) -> bool:
    """Whether the first axis of a node's output has as many places as there are examples."""
    return node.outputs[0][:1] == (batch,)


def layer_of(graph: Graph, node: Node, index: int) -> Layer:
    """The layer whose output is that of a node, under that index."""
    origin = node if node.origin is None else graph.nodes[node.origin]
    shape, placed = node.outputs[0], graph.placed
    last = origin.channel_last
    if last is None and placed is not None:
        last = placed.channel_last(origin.id, shape)
    layout = layout_of(shape, last)
    layer = Layer(index, node.name, node.operation, shape[1:], layout, origin.activation, graph.of_image)
    if placed is not None and layout == "tokens":
        return replace(layer, grid=placed.grid(origin.id))
    if placed is not None and len(shape) == 4 and layout in ("maps", "other"):
        axes = (2, 3) if layout == "maps" else (1, 2)
        return replace(layer, upright=placed.upright(origin.id, shape, axes))
    return layer


def layout_of(shape: Shape, channel_last: bool | None) -> Layout:
    """How to read an output of this shape; an order of axes that no layout describes is "other"."""
    if len(shape) == 2:
        return "vector"
    if len(shape) == 3 and channel_last is not False:
        return "tokens"
    if len(shape) == 4 and not channel_last:
        return "maps"
    return "channels" if len(shape) > 2 and channel_last is False else "other"


def _short(node: Node) -> str:
    """The last piece of a name, for where the enclosing modules are shown anyway."""
    return node.name.rpartition(".")[2] or node.operation
