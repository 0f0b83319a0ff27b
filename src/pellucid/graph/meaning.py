"""Two graphs of different formats in one language, so that their difference is one of models and not of names.

A Linear of torch is `linear` in a program of torch.export and a Gemm, or a MatMul and an Add, in ONNX. What each format tells in
its own way is left out on both sides: settings, the numbers that an operation reads beside its inputs, constants, copies.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace

import msgspec

from pellucid.graph.structure import Edge, Graph, Node

WEIGHTS = "weights alone"
_TRACED, _EXPORTED, _ONNX = "a traced model", "a program of torch.export", "ONNX"

# What ONNX calls its commonest operators, as neither torch's modules nor its functions are called.
_OF_ONNX = frozenset((
    "Add", "AveragePool", "BatchNormalization", "Cast", "Concat", "Constant", "Conv", "ConvTranspose", "Div", "Gather",
    "Gelu", "Gemm", "GlobalAveragePool", "GlobalMaxPool", "LayerNormalization", "LeakyRelu", "MatMul", "MaxPool", "Mul",
    "Pad", "ReduceMean", "ReduceSum", "Relu", "Reshape", "Slice", "Split", "Squeeze", "Sub", "Transpose", "Unsqueeze",
))  # fmt: skip
# One name for what is called otherwise in another format; small letters without underlines and without the "2d" at the end.
_NAMES = {
    one: meaning
    for meaning, names in {
        "attention": "scaleddotproductattention multiheadattention",
        "averagepool": "avgpool adaptiveavgpool globalaveragepool",
        "batchnorm": "batchnormalization nativebatchnorm",
        "cat": "concat concatenate",
        "cast": "to tocopy castlike",
        "convtranspose": "convtransposed",
        "div": "truediv",
        "groupnorm": "groupnormalization nativegroupnorm",
        "instancenorm": "instancenormalization",
        "layernorm": "layernormalization nativelayernorm",
        "lrn": "localresponsenorm",
        "matmul": "mm bmm gemm addmm linear",
        "maxpool": "adaptivemaxpool globalmaxpool maxpoolwithindices",
        "mean": "reducemean",
        "pixelshuffle": "depthtospace",
        "pixelunshuffle": "spacetodepth",
        "reshape": "flatten unflatten view",
        "rmsnorm": "rmsnormalization",
        "select": "getitem gather gatherelements indexselect narrow slice",
        "sub": "rsub",
        "sum": "reducesum",
        "transpose": "permute t",
        "upsample": "interpolate resize upsamplebicubic upsamplebicubicaa upsamplebilinear upsamplebilinearaa upsamplelinear"
        " upsamplenearest upsamplenearestexact upsampletrilinear upsamplingbilinear upsamplingnearest",
    }.items()
    for one in names.split()
}
_SPACE = re.compile(r"[123]d$")
_LEFT_OUT = frozenset(("constant", "identity", "contiguous", "clone", "detach", "alias", "liftfreshcopy"))


def format_of(graph: Graph) -> str:
    """Where a graph is from, in words: which language its operations are told in."""
    if graph.backend != "file":
        return _TRACED
    holders = {node.parent for node in graph.nodes}
    called = {node.operation for node in graph.nodes if node.id not in holders and node.kind in ("module", "function")}
    if not graph.edges:
        return WEIGHTS
    return _ONNX if called & _OF_ONNX or any("::" in one for one in called) else _EXPORTED


@dataclass(frozen=True)
class Translated:
    """A graph in words that do not depend on its format, and the ids that its nodes have in the graph it is from."""

    graph: Graph
    ids: tuple[int, ...]


def translated(graph: Graph, other: Graph) -> Translated:
    """A graph in the words that it shares with one of another format.

    A module that holds functions alone and whose like is one operation in the other graph is one operation here; so is a
    product of a sigmoid with what that is of, which ONNX writes a SiLU as.
    """
    graph, gates = _gated(graph)
    holders = {node.parent for node in graph.nodes}
    nested = {node.parent for node in graph.nodes if not node.path.endswith(")")}
    others = {node.parent for node in other.nodes}
    single = {node.path for node in other.nodes if node.kind == "module" and node.id not in others}
    folded = {node.id for node in graph.nodes if node.id in holders - nested and node.path in single}
    within: dict[int, int] = {}  # what lies in a folded module: that module
    for node in graph.nodes:
        if node.parent is not None and (node.parent in folded or node.parent in within):
            within[node.id] = within.get(node.parent, node.parent)
    meant = {node.path: _meaning(node) for node in other.nodes if node.path in single}
    gone = {node.id for node in graph.nodes if node.id not in holders and _meaning(node) in _LEFT_OUT}
    kept = [node for node in graph.nodes if node.id not in within and node.id not in gone | gates]
    number = {node.id: place for place, node in enumerate(kept)}
    inputs = 0
    nodes = []
    for node in kept:
        if node.kind == "input":
            inputs += 1
        holds = node.id in holders and node.id not in folded
        meaning = meant[node.path] if node.id in folded else "module" if holds else _meaning(node)
        nodes.append(_node(node, number, meaning, inputs, holds=holds, folded=node.id in folded))
    return Translated(replace(graph, nodes=tuple(nodes), edges=_edges(graph, within, gone, number)), tuple(number))


def _gated(graph: Graph) -> tuple[Graph, set[int]]:
    """The graph with each such product as a SiLU of what it is given, and the ids of the sigmoids, which nothing reads now."""
    enters: dict[int, list[Edge]] = {}
    readers: dict[int, set[int]] = {}
    for edge in graph.edges:
        enters.setdefault(edge.target, []).append(edge)
        readers.setdefault(edge.source, set()).add(edge.target)
    gates: dict[int, int] = {}  # the product of each sigmoid
    for node in graph.nodes:
        read = enters.get(node.id, [])
        if node.operation.lower() != "mul" or len(read) != 2:
            continue
        for gate, given in (read, read[::-1]):
            of = enters.get(gate.source, [])
            whole = graph.nodes[gate.source].activation == "sigmoid" and readers[gate.source] == {node.id}
            if whole and [(one.source, one.output) for one in of] == [(given.source, given.output)]:
                gates[gate.source] = node.id
                break
    if not gates:
        return graph, set()
    products = set(gates.values())
    nodes = tuple(
        msgspec.structs.replace(node, operation="silu", role="activation", activation="silu")
        if node.id in products
        else node
        for node in graph.nodes
    )
    edges = tuple(edge for edge in graph.edges if edge.source not in gates and edge.target not in gates)
    return replace(graph, nodes=nodes, edges=edges), set(gates)


def _meaning(node: Node) -> str:
    """What an operation does, in one word for all formats."""
    if node.activation is not None:
        return node.activation.replace("_", "")
    plain = _SPACE.sub("", node.operation.replace("_", "").lower())
    if plain == "gather" and node.role == "compute":
        return "embedding"
    meaning = _NAMES.get(plain, plain)
    if meaning == "averagepool" and node.outputs and len(node.outputs[0]) > 2 and {*node.outputs[0][2:]} == {1}:
        return "mean"  # over all places, which formats write as either
    return meaning


def _node(node: Node, number: Mapping[int, int], meaning: str, inputs: int, *, holds: bool, folded: bool) -> Node:
    # ONNX counts the running mean and variance of a normalisation too, and the numbers that a Reshape or a division reads.
    parameters = node.parameters
    if not holds and not folded and node.role not in ("compute", "norm") and meaning != "prelu":
        parameters = 0
    if node.operation == "BatchNormalization":
        parameters //= 2
    if holds:
        parameters = 0
    kind, path = node.kind, node.path
    if kind == "input":
        path = f"input {inputs}"
    elif kind != "output":
        kind = "function" if path.endswith(")") else "module"
    return msgspec.structs.replace(
        node,
        id=number[node.id],
        parent=None if node.parent is None else number[node.parent],
        path=path,
        kind=kind,
        operation=meaning,
        arguments={},
        inputs=node.inputs if kind == "output" else (),
        input_dtypes=node.input_dtypes if kind == "output" else (),
        outputs=node.outputs[:1],
        output_dtypes=node.output_dtypes[:1],
        parameters=parameters,
        own_parameters=parameters,
        trainable=parameters,
        shares=(),
        call=1,
    )


def _edges(graph: Graph, within: Mapping[int, int], gone: set[int], number: Mapping[int, int]) -> tuple[Edge, ...]:
    """Edges between what is kept: through what is left out, between folded modules, arguments counted without holes."""
    sources: dict[int, list[Edge]] = {}
    for edge in graph.edges:
        sources.setdefault(edge.target, []).append(edge)

    def through(edge: Edge, depth: int = 0) -> list[Edge]:
        if edge.source not in gone or depth > 64:
            return [edge]
        return [one for further in sources.get(edge.source, []) for one in through(further, depth + 1)]

    found: dict[int, list[tuple[int, int, Edge]]] = {}
    for target, entering in sources.items():
        if target in gone:
            continue
        reader = within.get(target, target)
        for edge in entering:
            for one in through(edge):
                source = within.get(one.source, one.source)
                if source != reader and source in number:
                    output = 0 if one.source in within else one.output
                    found.setdefault(reader, []).append((number[source], output, edge))
    edges = []
    for reader, read in found.items():
        places = {argument: place for place, argument in enumerate(sorted({edge.argument for _, _, edge in read}))}
        edges += [
            msgspec.structs.replace(
                edge, source=source, output=output, target=number[reader], argument=places[edge.argument]
            )
            for source, output, edge in read
        ]
    return tuple(edges)
