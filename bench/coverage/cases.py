"""What there is to trace: a model with its arguments, and what has to be true of its graph."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from torch import nn

from pellucid.graph import Graph

Fact = Callable[[Graph], bool]


@dataclass
class Case:
    """A model and what its forward takes.

    Attributes:
        model: on the meta device where it is to be traced without values.
        args, kwargs: an example.
        facts: what has to be true of the graph besides what has to be true of every graph, in words.
        constant: outputs that no input reaches, by position.
        fails: whether the forward raises half-way, so that the graph is to end there.
        twin: the same architecture, narrower and with values, where this one has none: its operators are counted instead.
        wide: the same architecture at its published widths, where this one is cut: it is timed instead. None where there is no
            room for it.
        cut: whether this one is smaller than what was published, in more than the number of its layers.
    """

    model: nn.Module
    args: tuple[Any, ...] = ()
    kwargs: dict[str, Any] = field(default_factory=dict)
    facts: Mapping[str, Fact] = field(default_factory=dict)
    constant: frozenset[int] = frozenset()
    fails: bool = False
    twin: Case | None = None
    wide: Callable[[], Case | None] | None = None
    cut: bool = False


def leaves(graph: Graph) -> list[int]:
    """Ids of the nodes that hold no others: calls, inputs, the output."""
    holding = {node.parent for node in graph.nodes}
    return [node.id for node in graph.nodes if node.id not in holding]


def flows(graph: Graph) -> set[tuple[str, str]]:
    """The edges by the names of their ends."""
    return {(graph.nodes[edge.source].name, graph.nodes[edge.target].name) for edge in graph.edges}


def flow(source: str, target: str) -> Fact:
    """An edge from one name to the other."""
    return lambda graph: (source, target) in flows(graph)


def apart(source: str, target: str) -> Fact:
    """No edge from one name to the other."""
    return lambda graph: (source, target) not in flows(graph)


def calls(operation: str, times: int) -> Fact:
    """That many calls of a class of module or of a function."""
    return lambda graph: sum(node.operation == operation for node in graph.nodes) == times


def edges(number: int) -> Fact:
    """That many edges."""
    return lambda graph: len(graph.edges) == number


def reaches(name: str) -> Fact:
    """The output depends on the node of that name."""

    def fact(graph: Graph) -> bool:
        wanted = {node.id for node in graph.nodes if node.name == name}
        return bool(wanted & upstream(graph, graph.nodes[-1].id))

    return fact


def upstream(graph: Graph, node: int) -> set[int]:
    """Ids of the nodes that a node depends on, itself among them."""
    before: dict[int, list[int]] = {}
    for edge in graph.edges:
        before.setdefault(edge.target, []).append(edge.source)
    return _closure({node}, before)


def _closure(start: set[int], before: Mapping[int, list[int]]) -> set[int]:
    seen, waiting = set(start), list(start)
    while waiting:
        for source in before.get(waiting.pop(), ()):
            if source not in seen:
                seen.add(source)
                waiting.append(source)
    return seen
