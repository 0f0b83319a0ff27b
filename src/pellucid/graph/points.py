"""Where a model is captured: after activations, at the ends of chains, at pools, joins, and the outputs of blocks."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import get_args

from pellucid.graph.names import Role
from pellucid.graph.structure import Edge, Graph, Node, begins_with_batch, layer_of
from pellucid.types import Layer

# A layer that no layout describes is taken apart into positions; beyond this many it is captured on request only.
LARGEST_OTHER = 16_384
# Who may read a node so that the chain goes on.
_CHAINS: dict[str, tuple[Role, ...]] = {
    "compute": ("norm", "activation"),
    "add": ("activation",),
    "concatenation": ("activation", "norm"),
}


def capture_points(graph: Graph) -> tuple[Layer, ...]:
    """The layers that are captured unless others are asked for, in order of execution: points that begin with the batch."""
    layers: list[Layer] = []
    for node in points(graph.nodes, graph.edges):
        if begins_with_batch(node, graph.batch):
            layer = layer_of(graph, node, len(layers))
            if not _too_large(layer):
                layers.append(layer)
    return tuple(layers)


def too_large(graph: Graph) -> tuple[Node, ...]:
    """Points that begin with the batch and are captured on request only, for no layout tells positions from channels."""
    found = (node for node in points(graph.nodes, graph.edges) if begins_with_batch(node, graph.batch))
    return tuple(node for node in found if _too_large(layer_of(graph, node, 0)))


def _too_large(layer: Layer) -> bool:
    return layer.layout == "other" and layer.units > LARGEST_OTHER


def points(nodes: tuple[Node, ...], edges: Iterable[Edge]) -> Iterator[Node]:
    """The calls after which a signal is worth a look, in order of execution.

    An activation's output is a layer. So is the output of a convolution, a linear layer, attention, a recurrent
    layer, an embedding or a normalisation, unless only normalisations or activations read it: the chain goes on.
    Pools are layers. A sum or concatenation of two signals is one unless only activations read it (for a concatenation
    also normalisations), and where it is what its block returns, the layer is named after the block. A module that multiplies by
    parameters of its own, in functions that are none of these, is a layer like a linear one.
    """
    edges = tuple(edges)
    readers = _readers(nodes, edges)
    holders: dict[int, Node] = {}
    for node in nodes:
        if node.kind == "module" and node.origin is not None and node.origin != node.id:
            holders[node.id] = node
    meetings = _meetings(nodes, edges)
    own = _layers_of_their_own(nodes)
    with_points: set[int | None] = set()
    for node in nodes:
        if node.kind not in ("module", "function") or node.origin != node.id or not _is_signal(node):
            continue
        module = own.get(node.id)
        if not _is_point(node, readers[node.id], meetings):
            if module is not None and module.id not in with_points and _ends_chain(readers[node.id]):
                yield module
            continue
        with_points.add(node.parent)
        shown = node
        if node.role == "join" and node.parent is not None:
            block = holders.get(node.parent)
            if block is not None and block.origin == node.id:
                shown = block
        yield shown


def _is_signal(node: Node) -> bool:
    return bool(node.reached and node.floating and len(node.outputs[0]) >= 2)


# Roles as bits, so that a set of them is one number.
_BITS: dict[Role, int] = {role: 1 << place for place, role in enumerate(get_args(Role))}
_ENDS = {name: sum(_BITS[role] for role in roles) for name, roles in _CHAINS.items()}


def _is_point(node: Node, readers: int, meetings: set[int]) -> bool:
    if node.role in ("activation", "pool"):
        return True
    if node.role in ("compute", "norm"):
        return _ends_chain(readers)
    if node.role == "join":
        if node.id not in meetings:
            return False  # a positional embedding or a class token, not a meeting of two signals
        return not readers or bool(readers & ~_ENDS["add" if node.operation == "add" else "concatenation"])
    return False


def _ends_chain(readers: int) -> bool:
    return not readers or bool(readers & ~_ENDS["compute"])


def _layers_of_their_own(nodes: tuple[Node, ...]) -> dict[int, Node]:
    """Modules that hold products with parameters of their own and no other modules, by the id of the call that ends them."""
    holding = {node.parent for node in nodes if node.kind == "module"}
    return {
        node.origin: node
        for node in nodes
        if node.kind == "module"
        and node.origin not in (None, node.id)
        and node.own_parameters
        and node.flops is not None
        and node.id not in holding
    }


def _readers(nodes: tuple[Node, ...], edges: tuple[Edge, ...]) -> list[int]:
    """Roles of those who read each node's output, looking through dropout, reshaping and the like."""
    after: list[list[int]] = [[] for _ in nodes]
    for edge in edges:
        after[edge.source].append(edge.target)
    readers = [0] * len(nodes)
    for source in range(len(nodes) - 1, -1, -1):  # edges point onwards, so those who read are done first
        for target in after[source]:
            role = nodes[target].role
            readers[source] |= (readers[target] if role == "pass" else 0) or _BITS[role]
    return readers


def _meetings(nodes: tuple[Node, ...], edges: tuple[Edge, ...]) -> set[int]:
    """Joins of two or more nodes that an input reaches."""
    joined: dict[int, set[int]] = {}
    for edge in edges:
        if nodes[edge.target].role == "join" and nodes[edge.source].reached:
            joined.setdefault(edge.target, set()).add(edge.source)
    return {node for node, sources in joined.items() if len(sources) >= 2}
