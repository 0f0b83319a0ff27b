"""Which outputs are worth capturing: those after an activation, not every step on the way to it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import replace

from pellucid.graph.structure import Edge, Node
from pellucid.types import Layer, Layout

# Activation functions by the name of the module or function, lower case.
ACTIVATIONS = {
    "relu": "relu", "relu6": "relu6", "leakyrelu": "leaky_relu", "leaky_relu": "leaky_relu", "prelu": "prelu",
    "elu": "elu", "selu": "selu", "celu": "celu", "gelu": "gelu", "geluactivation": "gelu", "quickgelu": "gelu",
    "silu": "silu", "swish": "silu", "memoryefficientswish": "silu", "mish": "mish", "sigmoid": "sigmoid", "tanh": "tanh",
    "hardtanh": "hardtanh", "hardsigmoid": "hardsigmoid", "hardswish": "hardswish", "softplus": "softplus",
    "threshold": "threshold", "softsign": "softsign",
}  # fmt: skip
PASSING = {"dropout", "dropout1d", "dropout2d", "dropout3d", "alphadropout", "identity", "droppath", "stochasticdepth",
           "flatten", "view", "reshape", "permute", "transpose", "contiguous", "squeeze", "unsqueeze", "getitem"}  # fmt: skip
ADDING = {"add", "iadd"}
_LINEAR = ("conv", "linear", "norm", "bilinear")
_OTHER = ("pool", "embedding", "lstm", "gru", "rnn", "attention")


def capture_points(nodes: Sequence[Node], edges: Sequence[Edge]) -> tuple[Layer, ...]:
    """The layers of a graph, numbered in order of execution.

    A convolution, linear map, normalisation or sum that only feeds a normalisation or an activation is left out: the
    end of that chain stands for it.
    """
    holders = {node.parent for node in nodes}
    leaves = [node for node in nodes if node.id not in holders and node.kind in ("module", "function")]
    by_id = {node.id: node for node in nodes}
    followers: dict[int, list[Node]] = defaultdict(list)
    for edge in edges:
        followers[edge.source].append(by_id[edge.target])
    kept = [node for node in leaves if _is_candidate(node) and not _leads_on(node, followers)]
    return tuple(replace(layer, index=index) for index, layer in enumerate(filter(None, map(layer_of, kept))))


def layer_of(node: Node) -> Layer | None:
    """A node's output as a layer; None where it has no floating tensor with a batch axis."""
    if not node.outputs or not node.outputs[0] or "float" not in node.dtype or node.kind not in ("module", "function"):
        return None
    shape = node.outputs[0][1:]
    layout: Layout = {3: "maps", 2: "tokens", 1: "vector"}.get(len(shape), "other")  # type: ignore[assignment]
    return Layer(node.id, node.name, node.operation, shape, layout, ACTIVATIONS.get(node.operation.lower()))


def _is_candidate(node: Node) -> bool:
    name = node.operation.lower()
    if name in ACTIVATIONS or name in ADDING:
        return True
    return node.kind == "module" and name not in PASSING and any(part in name for part in (*_LINEAR, *_OTHER))


def _leads_on(node: Node, followers: dict[int, list[Node]]) -> bool:
    """Whether all that is done with this output is to normalise or activate it."""
    name = node.operation.lower()
    if name in ACTIVATIONS or any(part in name for part in _OTHER):
        return False
    after = list(_past_passing(node, followers))
    return bool(after) and all(
        one.operation.lower() in ACTIVATIONS or ("norm" in one.operation.lower() and len(after) == 1) for one in after
    )


def _past_passing(node: Node, followers: dict[int, list[Node]]) -> Iterable[Node]:
    for follower in followers[node.id]:
        if follower.operation.lower() in PASSING:
            yield from _past_passing(follower, followers)
        else:
            yield follower
