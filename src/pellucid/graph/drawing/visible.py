"""What is to be seen of a graph: boxes inside boxes, and arrows between those that stand side by side."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from itertools import pairwise

from pellucid.graph.structure import Graph, Node

ROOT = -1  # the drawing itself, which is no node
IN, OUT = -2, -3  # ends of arrows that cross the border of an open module

FOLLOWS = "follows"  # the mark of what is another only because of something further up

_BOXES = 90  # what a drawing holds at most where nobody says how deep it goes


@dataclass
class Box:
    """One box.

    Attributes:
        id: of its node; ROOT for the drawing itself.
        children: what an open module holds; empty where it is folded.
        times: how many equal blocks it stands for, one after the other.
        steps: how many steps of a loop it stands for.
        arrows: between the children; one end may be the border.
        after: the activation function that acts on all that leaves it.
        marks: changes at it, or inside it where it is folded.
    """

    id: int
    children: list[Box] = field(default_factory=list)
    times: int = 1
    steps: int = 1
    arrows: list[Arrow] = field(default_factory=list)
    after: str | None = None
    marks: set[str] = field(default_factory=set)

    def all(self) -> Iterator[Box]:
        """It and all boxes inside, outer ones first."""
        yield self
        for child in self.children:
            yield from child.all()


@dataclass
class Arrow:
    """From one child of a box to another, as ids; `label` names the activation function on it."""

    source: int
    target: int
    label: str | None = None
    feeds_back: bool = False


def seen(graph: Graph, depth: int | None = None, marks: Mapping[int, str] | None = None) -> Box:
    """The boxes of a graph.

    Args:
        graph: what is drawn.
        depth: modules at this depth stay folded, 1 being what the model itself calls; chosen by size where not given.
        marks: what happened to a node, by id; equal blocks are drawn once only where nothing happened inside.
    """
    return _Folding(graph, marks or {}).boxes(suited_depth(graph, marks) if depth is None else depth)


def suited_depth(graph: Graph, marks: Mapping[int, str] | None = None) -> int:
    """The greatest depth at which a drawing stays readable."""
    folding, depth = _Folding(graph, marks or {}), 1
    while depth < folding.deepest and sum(1 for _ in folding.boxes(depth + 1).all()) <= _BOXES:
        depth += 1
    return depth


class _Folding:
    def __init__(self, graph: Graph, marks: Mapping[int, str]) -> None:
        self.graph, self.marks = graph, marks
        nodes = graph.nodes
        self.inside: dict[int, list[int]] = defaultdict(list)
        self.level: list[int] = []
        for node in nodes:
            self.inside[ROOT if node.parent is None else node.parent].append(node.id)
            self.level.append(1 if node.parent is None else self.level[node.parent] + 1)
        self.deepest = max(self.level, default=1)
        touched = {above for id_, mark in marks.items() if mark != FOLLOWS for above in self._upwards(id_)}
        self.run: dict[int, list[int]] = {}  # the equal siblings of a call, itself included
        for members in graph.repeats:
            for run in _cut(members, touched):
                self.run |= dict.fromkeys(run, run)
        self.first, self.steps = self._loops(touched)
        self.twin = self._twins(nodes)

    def boxes(self, depth: int) -> Box:
        by_id = {ROOT: Box(ROOT)}
        stands: list[int] = []  # the box that each node is seen as
        for node in self.graph.nodes:
            twin = self.twin[node.id]
            above = ROOT if node.parent is None else stands[node.parent]
            if twin != node.id:
                stands.append(stands[twin])
            elif above != ROOT and (above != node.parent or self.level[above] >= depth):
                stands.append(above)
            else:
                stands.append(node.id)
                box = Box(node.id, times=len(self.run.get(node.id, [0])), steps=self.steps.get(node.id, 1))
                by_id[node.id] = box
                by_id[above].children.append(box)
            if node.id in self.marks:
                by_id[stands[-1]].marks.add(self.marks[node.id])
        self._dissolve(by_id, stands)
        self._connect(by_id, stands)
        return by_id[ROOT]

    def _dissolve(self, by_id: dict[int, Box], stands: list[int]) -> None:
        """Activations that act on one box alone become a word at what leaves it."""
        readers: dict[int, set[int]] = defaultdict(set)
        sources: dict[int, set[int]] = defaultdict(set)
        for edge in self.graph.edges:
            if stands[edge.source] != stands[edge.target]:
                readers[stands[edge.source]].add(self.twin[edge.target])
                sources[self.twin[edge.target]].add(stands[edge.source])
        became: dict[int, int] = {}
        for node in self.graph.nodes:
            box = by_id.get(node.id)
            if (
                box is None
                or node.activation is None
                or box.children
                or box.marks - {FOLLOWS}
                or len(sources[node.id]) != 1
            ):
                continue
            (source,) = sources[node.id]
            giver = self.graph.nodes[source]
            alone = giver.parent == node.parent and readers[source] == {node.id} and giver.kind != "input"
            if alone and source not in became and by_id[source].after is None and not giver.activation:
                by_id[source].after = node.activation
                holder = by_id[ROOT if node.parent is None else node.parent]
                holder.children.remove(box)
                became[node.id] = source
        stands[:] = [became.get(stand, stand) for stand in stands]

    def _connect(self, by_id: dict[int, Box], stands: list[int]) -> None:
        parent = {child.id: box.id for box in by_id.values() for child in box.children}
        known: set[tuple[int, int, int, bool]] = set()

        def arrow(holder: int, source: int, target: int, label: str | None, back: bool) -> None:
            if (source != target or back) and (holder, source, target, back) not in known:
                known.add((holder, source, target, back))
                by_id[holder].arrows.append(Arrow(source, target, label, back))

        for edge in self.graph.edges:
            source, target = stands[edge.source], stands[edge.target]
            if edge.feeds_back and source in self.steps and target in self.steps:
                arrow(parent[source], source, target, None, True)
                continue
            if source == target or self._between_equals(edge.source, edge.target):
                continue
            ups, downs = [source], [target]
            while ups[-1] != ROOT:
                ups.append(parent[ups[-1]])
            while downs[-1] not in ups:
                downs.append(parent[downs[-1]])
            ups = ups[: ups.index(downs[-1]) + 1]
            if len(ups) < 2 or len(downs) < 2:
                continue
            label = edge.activation if by_id[source].after is None else None
            for child, holder in pairwise(ups[:-1]):
                arrow(holder, child, OUT, None, False)
            arrow(ups[-1], ups[-2], downs[-2], label, edge.feeds_back)
            for child, holder in pairwise(downs[:-1]):
                arrow(holder, IN, child, None, False)

    def _between_equals(self, source: int, target: int) -> bool:
        """Whether an edge leads from one of several equal blocks, drawn once, to another."""
        above = {self.graph.nodes[id_].parent: id_ for id_ in self._upwards(source)}
        for id_ in self._upwards(target):
            sibling = above.get(self.graph.nodes[id_].parent)
            if sibling is not None:
                return sibling != id_ and sibling in self.run and self.run[sibling] is self.run.get(id_)
        return False

    def _loops(self, touched: set[int]) -> tuple[dict[int, int], dict[int, int]]:
        """Of calls in later steps of loops, the same call in the first step; of those, how many steps there are."""
        first: dict[int, int] = {}
        steps: dict[int, int] = {}
        for loop in self.graph.loops:
            if not loop.feeds_back or any(id_ in touched or id_ in self.run for step in loop.calls for id_ in step):
                continue
            for step in loop.calls[1:]:
                first |= dict(zip(step, loop.calls[0], strict=True))
            steps |= dict.fromkeys(loop.calls[0], loop.steps)
        return first, steps

    def _twins(self, nodes: tuple[Node, ...]) -> list[int]:
        """The node that each is drawn as: of equal blocks, the same place in the first."""
        twins: list[int] = []
        for node in nodes:
            run = self.run.get(node.id)
            if node.id in self.first:
                twins.append(twins[self.first[node.id]])
            elif run is not None and run[0] != node.id:
                twins.append(twins[run[0]])
            elif node.parent is not None and twins[node.parent] != node.parent:
                twins.append(twins[node.parent] + node.id - node.parent)
            else:
                twins.append(node.id)
        return twins

    def _upwards(self, id_: int) -> Iterator[int]:
        call: int | None = id_
        while call is not None:
            yield call
            call = self.graph.nodes[call].parent


def _cut(members: tuple[int, ...], touched: set[int]) -> Iterator[list[int]]:
    """A run of equal siblings in pieces of at least two, without those in which something happened."""
    run: list[int] = []
    for member in (*members, None):
        if member is not None and member not in touched:
            run.append(member)
            continue
        if len(run) > 1:
            yield run
        run = []
