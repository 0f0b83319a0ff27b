"""What a difference must say of an edited model, and how much of it it says.

Which call is which is known by the tags of the modules. Where several modules are equal, any of them may stand for another:
changes are compared by what they say of a call and of what holds it, not by its name.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import Any, TypeAlias

import torch
from torch import nn

from pellucid.graph import Graph, trace
from pellucid.graph.difference import Difference, difference
from support.planted import Edited
from support.tagged_nets import tag_of

Said: TypeAlias = tuple[Any, ...]  # a change, in words that hold for any of several equal calls


def graph_of(model: nn.Module, shape: tuple[int, ...]) -> Graph:
    return trace(model.to("meta"), torch.zeros(shape, device="meta"))


def keys(graph: Graph, model: nn.Module) -> list[str]:
    """A name for each call that stays with it through all edits: its tag, or the function's place in its module."""
    named: list[str] = []
    seen: Counter[str] = Counter()
    for node in graph.nodes:
        if node.kind == "module":
            key = tag_of(model.get_submodule(node.path))
        else:
            above = "" if node.parent is None else named[node.parent]
            key = f"{above}:{node.operation}"
        seen[key] += 1
        named.append(key if seen[key] == 1 else f"{key} {seen[key]}")
    return named


def said(graphs: tuple[Graph, Graph], kind: str, old: int | None, new: int | None, what: str) -> Said:
    """A change, told by the calls' own settings and by what holds them."""
    return kind, what, _sketch(graphs[0], old), _sketch(graphs[1], new)


def _sketch(graph: Graph, id_: int | None) -> tuple[Any, ...] | None:
    if id_ is None:
        return None
    node = graph.nodes[id_]
    above = None if node.parent is None else graph.nodes[node.parent].operation
    return node.operation, tuple(node.arguments.items()), node.parameters, node.outputs, above


def truth(graphs: tuple[Graph, Graph], named: tuple[list[str], list[str]]) -> Counter[Said]:
    """What is added, removed, moved and changed by the tags; "inputs" for every call that reads something else directly."""
    ids = tuple({key: id_ for id_, key in enumerate(keys)} for keys in named)
    told: Counter[Said] = Counter()
    for kind, side in (("removed", 0), ("added", 1)):
        for key, id_ in ids[side].items():
            parent = graphs[side].nodes[id_].parent
            if key not in ids[1 - side] and (parent is None or named[side][parent] in ids[1 - side]):
                told[said(graphs, kind, None if side else id_, id_ if side else None, "")] += 1
    reads = tuple(_reads(graph, keys) for graph, keys in zip(graphs, named, strict=True))

    def _shared(side: int, id_: int) -> set[str]:
        return {named[side][shared] for shared in graphs[side].nodes[id_].shares} & ids[1 - side].keys()

    for key, old in ids[0].items():
        new = ids[1].get(key)
        if new is None:
            continue
        one, other = graphs[0].nodes[old], graphs[1].nodes[new]
        for what, differs in {
            "operation": one.operation != other.operation,
            "arguments": one.operation == other.operation and one.arguments != other.arguments,
            "parameters": one.own_parameters != other.own_parameters or _shared(0, old) != _shared(1, new),
            "shape": (one.outputs or one.inputs) != (other.outputs or other.inputs),
            "name": one.kind == "module" and one.path != other.path and not one.path[-1].isdigit(),
            "inputs": reads[0].get(old) != reads[1].get(new),
        }.items():
            if differs:
                told[said(graphs, "changed", old, new, what)] += 1
        if not _in_place(graphs, named, ids, old, new):
            told[said(graphs, "moved", old, new, "")] += 1
    return told


def _reads(graph: Graph, named: list[str]) -> dict[int, list[tuple[str, int, int]]]:
    reads: dict[int, list[tuple[str, int, int]]] = {}
    for edge in graph.edges:
        reads.setdefault(edge.target, []).append((named[edge.source], edge.output, edge.argument))
    return reads


def _in_place(graphs: Any, named: Any, ids: Any, old: int, new: int) -> bool:
    """Whether it has the same holder, and the same siblings before it; of swapped ones, any may have moved."""
    parents = [graphs[side].nodes[id_].parent for side, id_ in ((0, old), (1, new))]
    above = [None if parent is None else named[side][parent] for side, parent in enumerate(parents)]
    if above[0] != above[1]:
        return False
    before = [
        {
            named[side][node.id]
            for node in graphs[side].nodes
            if node.parent == parents[side] and node.id < id_ and named[side][node.id] in ids[1 - side]
        }
        for side, id_ in ((0, old), (1, new))
    ]
    return before[0] == before[1]


def told_by(found: Difference) -> Counter[Said]:
    """The changes of a difference, one for each thing that changed."""
    graphs = (found.old, found.new)
    return Counter(
        said(graphs, change.kind, change.old, change.new, what)
        for change in found.changes
        for what in change.what or ("",)
    )


@dataclass
class Score:
    """How many planted edits were found, and how many of the changes that were told are true."""

    planted: int = 0
    found: int = 0
    told: int = 0
    true: int = 0
    missed: list[str] = field(default_factory=list)

    def count(self, old: tuple[Graph, list[str]], edited: Edited, shape: tuple[int, ...]) -> None:
        """Compares an edited model with the first, and scores what the difference says."""
        new = graph_of(edited.model, shape)
        assert new.error is None, (edited.planted, new.error)
        named = (old[1], keys(new, edited.model))
        found = difference(old[0], new)
        graphs, told = (found.old, found.new), told_by(found)
        self.told += told.total()
        self.true += (told & truth(graphs, named)).total()
        for kind, key, what in edited.planted:
            ids = [tuple(_id(side, one) for side in named) for one in key.split("|")]
            wanted = [
                said(graphs, kind, None if kind == "added" else one, None if kind == "removed" else other, what)
                for one, other in ids
            ]
            hit = next((one for one in wanted if told[one]), None)
            self.planted += 1
            if hit is None:
                self.missed.append(f"{kind} {key} {what}, of {edited.planted}")
            else:
                told[hit] -= 1
                self.found += 1


def _id(named: list[str], key: str) -> int | None:
    return named.index(key) if key in named else None
