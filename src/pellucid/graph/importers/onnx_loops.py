"""What is to be known of an ONNX Loop beyond its body: shapes that hold in every step, and whether it runs all of them."""

from __future__ import annotations

from collections import ChainMap
from collections.abc import Iterator, MutableMapping
from itertools import zip_longest
from typing import Any, TypeAlias

_Types: TypeAlias = MutableMapping[str, Any]


def settle(graph: Any) -> bool:
    """Writes the shapes of what Loops hand on where they follow, which ONNX's inference leaves open; whether there were any.

    What a state begins as and what a step makes of it have the same number of axes: then it has as many in every step and
    after the last, and an axis has the length that both have. Where they differ nothing is known.
    """
    settled = False
    for held, types in _with_types(graph, {}):
        known = {one.name: one for one in held.value_info} | {one.name: one for one in held.output}
        for node in held.node:
            if node.op_type != "Loop" or node.domain:
                continue
            body = next((one.g for one in node.attribute if one.name == "body"), None)
            if body is None:
                continue
            inside = ChainMap(_own_types(body), types)
            pairs = zip_longest(node.input[2:], body.input[2:], body.output[1:], node.output)
            for start, state, end, name in pairs:
                if start is None or state is None or end is None:
                    break  # what follows is stacked, a slice a step
                agreed = _agreed(types.get(start), inside.get(end.name))
                if agreed is None:
                    continue
                for one in (state, known.get(name) or (held.value_info.add(name=name) if name else None)):
                    if one is not None and not one.type.tensor_type.HasField("shape"):
                        one.type.CopyFrom(agreed)
                        settled = True
    return settled


def may_stop(node: Any) -> bool:
    """Whether a Loop may end before it has run all its steps: its body says by something that it works out whether to go on."""
    body = next((one.g for one in node.attribute if one.name == "body"), None)
    if node.op_type != "Loop" or body is None or len(body.input) < 2 or not body.output:
        return False
    made = {name: one for one in body.node for name in one.output}
    name = body.output[0].name
    while name in made and made[name].op_type in ("Identity", "Cast") and not made[name].domain:
        name = made[name].input[0]
    constant = name in made and made[name].op_type == "Constant"
    return not constant and name != body.input[1].name and all(one.name != name for one in body.initializer)


def _agreed(start: Any, end: Any) -> Any | None:
    """The type that both are of; None where they do not have one."""
    if start is None or end is None:
        return None
    one, other = start.tensor_type, end.tensor_type
    if not (one.HasField("shape") and other.HasField("shape")) or one.elem_type != other.elem_type:
        return None
    if len(one.shape.dim) != len(other.shape.dim):
        return None
    agreed = type(end)()
    agreed.CopyFrom(end)
    for ours, theirs in zip(agreed.tensor_type.shape.dim, one.shape.dim, strict=True):
        if ours.SerializeToString() != theirs.SerializeToString():
            ours.Clear()
    return agreed


def _with_types(graph: Any, outer: _Types) -> Iterator[tuple[Any, _Types]]:
    """A graph and those in it, each with the types of what it can read."""
    types = ChainMap(_own_types(graph), outer)
    yield graph, types
    for node in graph.node:
        for attribute in node.attribute:
            for inner in (*([attribute.g] if attribute.HasField("g") else []), *attribute.graphs):
                yield from _with_types(inner, types)


def _own_types(graph: Any) -> dict[str, Any]:
    return {one.name: one.type for part in (graph.value_info, graph.output, graph.input) for one in part}
