"""What a factor of a product is for: a signal, a weight of it, or a function of the other factor."""

from __future__ import annotations

from collections.abc import Iterator

from pellucid.attribution.rules.way import Node

Edge = tuple[Node, int]

# Nodes with one input that leave its values as they are, or multiply them by a constant.
SCALING = frozenset(
    [
        "View",
        "UnsafeView",
        "ReshapeAlias",
        "Expand",
        "Unsqueeze",
        "Squeeze",
        "Permute",
        "Transpose",
        "T",
        "Clone",
        "ToCopy",
        "Alias",
        "Select",
        "Slice",
        "Neg",
    ]
)
_WEIGHTS = frozenset(["Rsqrt", "Reciprocal", "Sigmoid", "Hardsigmoid"])
_ELEMENTWISE = frozenset(
    [
        "Tanh",
        "Erf",
        "Sigmoid",
        "Hardsigmoid",
        "Hardtanh",
        "Clamp",
        "ClampMin",
        "ClampMax",
        "Relu",
        "Pow",
        "Exp",
        "Softplus",
        "Log1P",
        "Log",
        "Silu",
        "Gelu",
        "Abs",
    ]
)
_ARITHMETIC = frozenset(["Mul", "Div", "Add", "Sub", "Rsub"])


def kind(node: Node) -> str:
    """The name of a node without what all share: "Mul" for MulBackward0."""
    name = str(node.name()).split("::")[-1]
    return name.rstrip("0123456789").removesuffix("Backward")


def edges(node: Node) -> list[Edge]:
    """Inputs of a node that have gradients: the node that made each, and which of its outputs it is."""
    return [(before, number) for before, number in node.next_functions if before is not None]


def weighs(edge: Edge) -> bool:
    """Whether a factor is a weight of the other one: a sigmoid gate, or one over a norm or a standard deviation."""
    node = _origin(edge)[0]
    name = kind(node)
    if name == "Pow":
        return bool(getattr(node, "_saved_exponent", 1) < 0) if _is_number(node) else False
    # A constant over a quantity: the quotient has no other input.
    return name in _WEIGHTS or (name == "Div" and node.next_functions[0][0] is None)


def own_gate(factor: Edge, gate: Edge) -> bool:
    """Whether a gate is made from the very factor that it multiplies, element by element, as in x * sigmoid(x)."""
    source = _origin(factor)
    return set(_sources(gate, depth=12)) == {source} if gate != factor else False


def _origin(edge: Edge) -> Edge:
    """Through what only reshapes, casts, or multiplies by a constant."""
    while True:
        node = edge[0]
        before = edges(node)
        scaled = kind(node) in SCALING or (kind(node) in ("Mul", "Div") and node.next_functions[0][0] is not None)
        if len(before) != 1 or not scaled:
            return edge
        edge = before[0]


def _sources(edge: Edge, depth: int) -> Iterator[Edge]:
    """What an elementwise expression was made from."""
    node, _ = edge = _origin(edge)
    name = kind(node)
    if depth and name in _ELEMENTWISE | _ARITHMETIC:
        for before in edges(node):
            yield from _sources(before, depth - 1)
    else:
        yield edge


def _is_number(node: Node) -> bool:
    return isinstance(getattr(node, "_saved_exponent", None), int | float)
