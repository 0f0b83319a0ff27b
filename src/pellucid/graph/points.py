"""Where a model is captured: after activations, at the ends of chains, at pools, joins, and the outputs of blocks."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable

from pellucid.graph.structure import Edge, Node, layer_of
from pellucid.types import Layer

# A layer that no layout describes is taken apart into positions; beyond this many it is captured on request only.
LARGEST_OTHER = 16_384


def capture_points(nodes: tuple[Node, ...], edges: Iterable[Edge], batch: int) -> tuple[Layer, ...]:
    """The layers that are captured unless others are asked for, in order of execution.

    An activation's output is a layer. So is the output of a convolution, a linear layer, attention, a recurrent
    layer, an embedding or a normalisation, unless only normalisations or activations read it: the chain goes on.
    Pools are layers. A sum or concatenation of two signals is one unless only activations read it (for a concatenation
    also normalisations), and where it is what its block returns, the layer is named after the block.
    """
    readers, sources = _readers(nodes, edges)
    holders: dict[int, Node] = {}
    for node in nodes:
        if node.kind == "module" and node.origin is not None and node.origin != node.id:
            holders[node.id] = node
    layers: list[Layer] = []
    for node in nodes:
        if node.kind not in ("module", "function") or node.origin != node.id or not _fits(node, batch):
            continue
        if not _is_point(node, readers[node.id], sources[node.id], nodes):
            continue
        shown = node
        if node.role == "join" and node.parent is not None:
            block = holders.get(node.parent)
            if block is not None and block.origin == node.id:
                shown = block
        layer = layer_of(shown, len(layers), nodes)
        if layer.layout != "other" or layer.units <= LARGEST_OTHER:
            layers.append(layer)
    return tuple(layers)


def _fits(node: Node, batch: int) -> bool:
    return bool(node.reached and node.floating and len(node.outputs[0]) >= 2 and node.outputs[0][0] == batch)


def _is_point(node: Node, readers: set[int], sources: set[int], nodes: tuple[Node, ...]) -> bool:
    roles = {nodes[reader].role for reader in readers}
    if node.role in ("activation", "pool"):
        return True
    if node.role in ("compute", "norm"):
        return not roles or not roles <= {"norm", "activation"}
    if node.role == "join":
        if sum(nodes[source].reached for source in sources) < 2:
            return False  # a positional embedding or a class token, not a meeting of two signals
        ends = {"activation"} if node.operation == "add" else {"activation", "norm"}
        return not roles or not roles <= ends
    return False


def _readers(nodes: tuple[Node, ...], edges: Iterable[Edge]) -> tuple[dict[int, set[int]], dict[int, set[int]]]:
    """Who reads each node's output, looking through dropout, reshaping and the like; and who each node reads."""
    after: dict[int, set[int]] = defaultdict(set)
    sources: dict[int, set[int]] = defaultdict(set)
    for edge in edges:
        after[edge.source].add(edge.target)
        sources[edge.target].add(edge.source)
    readers: dict[int, set[int]] = defaultdict(set)
    for node in reversed(nodes):  # edges point onwards, so those who read are done first
        for target in after[node.id]:
            through = nodes[target].role == "pass" and readers[target]
            readers[node.id] |= readers[target] if through else {target}
    return readers, sources
