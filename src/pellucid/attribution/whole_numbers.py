"""Numbers that a model reads as whole ones, cast or rounded: no gradient goes that way, and maps of gradients are 0 there."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from torch import Tensor

from pellucid.attribution.masks import of_numbers
from pellucid.attribution.methods import Maps, Method, Problem
from pellucid.attribution.positions import BY_NUMBER
from pellucid.capture import whole_graph
from pellucid.capture.trees import along
from pellucid.errors import ForwardError, MethodError, PellucidError
from pellucid.graph.dataflow import tensors_in

if TYPE_CHECKING:
    from pellucid.graph import Graph, Node

_ROUNDS = frozenset(("ceil", "fix", "floor", "floor_divide", "round", "trunc"))
_SAME = frozenset(("clone", "contiguous", "float", "half", "bfloat16", "to", "type_as"))


def unseen(problem: Problem, method: Method, maps: Maps, graph: Callable[[], Graph]) -> tuple[str, ...]:
    """A warning where a map of gradients is 0 of numbers that the model reads as whole ones; nothing elsewhere.

    Args:
        problem: of the call.
        method: whose maps they are.
        maps: what it has found.
        graph: the model's; asked for only where the map of some number is 0 for all examples that do not have 0 there.
    """
    of_layers = method.positions or method.needs_every_layer or not method.explains_layers
    if of_layers or not method.reads_gradient or maps.input is None:
        return ()
    leaves = of_numbers(problem.inputs, problem.model)
    if next(tensors_in(along(_without_map, leaves, maps.input)), None) is None:
        return ()
    try:
        calls = casts(graph())
    except PellucidError:  # it cannot be traced: nothing is known
        return ()
    if not calls:
        return ()
    return (
        f"The model reads numbers of its inputs as whole numbers, in {calls}: no gradient goes that way, and the map is 0 where "
        "all that is read of a number goes that way. occlusion and kernel_shap, which need no gradient, show what it does.",
    )


@contextmanager
def moved(problem: Problem, title: str) -> Iterator[None]:
    """Around forwards of inputs that were moved a little: says why they fail where what was moved are ids, say.

    Raises: MethodError: a forward failed, and the model reads numbers of its inputs as whole ones.
    """
    try:
        yield
    except ForwardError as error:
        calls = casts(problem.graph or whole_graph(problem.model, problem.inputs))
        if not calls:
            raise
        raise MethodError(
            f"{title} moves all numbers of the inputs, also those that the model reads as whole numbers, in {calls}, and the "
            f"model fails on what they become: {error} For such inputs: occlusion or kernel_shap."
        ) from error


def casts(graph: Graph) -> str:
    """The calls that cast numbers of an input to integers or round them, as text: "'long()' (net.py:12)"; empty if none."""
    found = [f"'{node.name}'" + (f" ({node.source})" if node.source else "") for node in _casts(graph)]
    return ", ".join(found[:3]) + (" and more" if len(found) > 3 else "")


def _casts(graph: Graph) -> Iterator[Node]:
    """Calls that make whole numbers of an input, behind views and functions number by number alone."""
    nodes = {node.id: node for node in graph.nodes}
    held = {node.id for node in graph.nodes if node.kind == "input" and any(map(_floats, node.output_dtypes))}
    for edge in sorted(graph.edges, key=lambda one: (one.target, one.argument)):
        source, node = nodes[edge.source], nodes[edge.target]
        if source.id not in held or node.id in held or not _floats(source.output_dtypes[edge.output]):
            continue
        whole = bool(node.output_dtypes) and all("int" in made for made in node.output_dtypes)
        if whole or node.operation in _ROUNDS:
            yield node
        elif node.role == "pass" or node.operation in BY_NUMBER | _SAME:
            held.add(node.id)


def _floats(dtype: str) -> bool:
    return "float" in dtype


def _without_map(leaf: Tensor, map_: Any) -> Tensor | None:
    """The input where some number's map is 0 for all examples, though the number is not; None elsewhere."""
    if map_ is None:
        return leaf
    if map_.shape != leaf.shape or bool(map_.any(0).all()):
        return None
    return leaf if bool((~map_.any(0) & leaf.to(map_.device).any(0)).any()) else None
