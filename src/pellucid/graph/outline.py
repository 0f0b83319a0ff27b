"""A graph as matching sees it: who holds whom, who reads whom, and numbers that are equal for equal structures."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Hashable

from pellucid.graph.structure import Graph, Node

ROOT = -1  # stands for the model itself, which is no node

_NUMBER = re.compile(r"(?<![^.])\d+(?![^.])")


class Outline:
    """One of the two graphs of a difference.

    Numbers come from tables that both outlines share, so that equal numbers mean equal structures in either graph.

    Attributes:
        nodes: of the graph, by id.
        children: ids of what each call holds, in order; `children[ROOT]` are those at the top.
        exact: equal where operation, arguments, parameters, shapes and types are, inside included.
        loose: the same without shapes and types: what a change upstream leaves as it was.
        skeleton: operations alone.
        label: name of a module inside the one that calls it, numbers out ("blocks.*"); "" for functions.
        place: the same with its numbers ("blocks.3").
        identity: equal where `exact` and `place` are.
        context: equal where what is read and what reads is the same, loosely.
        sources: per call without children, the (source, output, argument) of what it reads, by argument.
        readers: per call without children, ids of those that read it.
        size: calls in it and below, itself included.
        leaves: how many of each loose number, and of each operation, the calls without children below have.
    """

    def __init__(self, graph: Graph, tables: Tables) -> None:
        self.nodes = nodes = graph.nodes
        count = len(nodes)
        self.children: list[list[int]] = [[] for _ in range(count + 1)]
        for node in nodes:
            self.children[ROOT if node.parent is None else node.parent].append(node.id)
        self.exact, self.loose, self.skeleton = [0] * count, [0] * count, [0] * count
        self.size = [1] * count
        for node in reversed(nodes):
            self._number(node, tables)
        self.label = [_label(node, self.parent_path(node)) for node in nodes]
        self.place = [_place(node, self.parent_path(node)) for node in nodes]
        self.identity = [tables.identity[key] for key in zip(self.exact, self.place, strict=True)]
        self.sources: list[list[tuple[int, int, int]]] = [[] for _ in range(count)]
        self.readers: list[list[int]] = [[] for _ in range(count)]
        for edge in graph.edges:
            self.sources[edge.target].append((edge.source, edge.output, edge.argument))
            self.readers[edge.source].append(edge.target)
        self.context = [self._surroundings(id_, tables) for id_ in range(count)]
        self._leaves: dict[int, tuple[Counter[int], Counter[int]]] = {}
        self._operations = [tables.operation[node.operation] for node in nodes]

    def parent_path(self, node: Node) -> str:
        """Path of the module that calls it."""
        return "" if node.parent is None else self.nodes[node.parent].path

    def parent(self, id_: int) -> int:
        """The call that holds a call, ROOT at the top."""
        parent = self.nodes[id_].parent
        return ROOT if parent is None else parent

    def leaves(self, id_: int) -> tuple[Counter[int], Counter[int]]:
        """How many calls without children of each loose number, and of each operation, are below a call."""
        known = self._leaves.get(id_)
        if known is None:
            inside, operations = Counter[int](), Counter[int]()
            for child in self.children[id_]:
                if self.children[child]:
                    deeper = self.leaves(child)
                    inside.update(deeper[0])
                    operations.update(deeper[1])
                else:
                    inside[self.loose[child]] += 1
                    operations[self._operations[child]] += 1
            known = self._leaves[id_] = (inside, operations)
        return known

    def borders(self, id_: int) -> tuple[list[int], list[int]]:
        """What the first call inside reads, and what reads the last one."""
        first = last = id_
        while self.children[first]:
            first = self.children[first][0]
        while self.children[last]:
            last = self.children[last][-1]
        return [source for source, _, _ in self.sources[first]], self.readers[last]

    def holds(self, id_: int, skeleton: int) -> bool:
        """Whether a call wraps one of that skeleton: holds it, alone or among a few."""
        inside = self.children[id_]
        return any(self.skeleton[child] == skeleton or self.holds(child, skeleton) for child in inside[:8])

    def _number(self, node: Node, tables: Tables) -> None:
        inside = self.children[node.id]
        arguments = tuple(sorted(node.arguments.items()))
        own = (node.operation, node.kind, arguments, node.own_parameters if inside else node.parameters)
        full = (own, node.inputs, node.outputs, node.input_dtypes, node.output_dtypes, node.trainable)
        self.exact[node.id] = tables.exact[full, tuple([self.exact[child] for child in inside])]
        self.loose[node.id] = tables.loose[own, tuple([self.loose[child] for child in inside])]
        self.skeleton[node.id] = tables.skeleton[node.operation, tuple([self.skeleton[child] for child in inside])]
        self.size[node.id] += sum(self.size[child] for child in inside)

    def _surroundings(self, id_: int, tables: Tables) -> int:
        read = tuple([self.loose[source] for source, _, _ in self.sources[id_]])
        reads = tuple(sorted([self.loose[reader] for reader in self.readers[id_]]))
        return tables.context[read, reads]


class Tables:
    """Numbers of what both graphs hold: compared as a whole, never only by a hash."""

    def __init__(self) -> None:
        self.exact, self.loose, self.skeleton = _Numbers(), _Numbers(), _Numbers()
        self.identity, self.context, self.operation = _Numbers(), _Numbers(), _Numbers()


class _Numbers(dict[Hashable, int]):
    """A new number for each new key."""

    def __missing__(self, key: Hashable) -> int:
        number = self[key] = len(self)
        return number


def _place(node: Node, above: str) -> str:
    if node.kind == "function":
        return ""
    return node.path.removeprefix(f"{above}.") if above else node.path


def _label(node: Node, above: str) -> str:
    return _NUMBER.sub("*", _place(node, above))
