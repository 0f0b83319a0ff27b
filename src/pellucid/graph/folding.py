"""Repeated blocks: sibling module calls, one after the other, that do exactly the same with other parameters."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Hashable, Iterator, Mapping, Sequence
from typing import TypeAlias

from pellucid.graph.structure import Edge, Node

_Number: TypeAlias = int
_DROPS = frozenset({
    "AlphaDropout", "DropBlock2d", "DropPath", "Dropout", "Dropout1d", "Dropout2d", "Dropout3d", "FeatureAlphaDropout",
    "PatchDropout", "StochasticDepth", "alpha_dropout", "dropout", "dropout1d", "dropout2d", "dropout3d",
    "feature_alpha_dropout", "stochastic_depth",
})  # fmt: skip
_MANY = 8  # equal modules without an inside are a run from so many on: fewer are read sooner one by one


def repeats(nodes: Sequence[Node], edges: Sequence[Edge]) -> tuple[tuple[int, ...], ...]:
    """Runs of at least two equal siblings that hold something, or of many modules that hold nothing, in order of execution.

    Equal are calls of the same operation with the same shapes, types, parameter counts and FLOPs, whose insides are equal
    call for call and connected alike, also to the outside. Calls without an inside have the same settings as well: another
    dilation may change no shape. How much a dropout drops is none of them, for here it drops nothing. Ids of a call's inside
    follow its own without a gap, so that the same place in two members has the same distance from theirs.

    Args:
        nodes: of a traced graph, in order.
        edges: between those without children.
    """
    structures = _Structures(nodes, edges)
    runs: list[tuple[int, ...]] = []
    for siblings in structures.children.values():
        run: list[int] = []
        for child in siblings:
            if run and structures.number[child] == structures.number[run[-1]]:
                run.append(child)
                continue
            runs.append(tuple(run))
            run = [child]
        runs.append(tuple(run))
    return tuple(sorted(run for run in runs if len(run) > 1 and _folds(run, nodes, structures.children)))


def _folds(run: Sequence[int], nodes: Sequence[Node], children: Mapping[int | None, Sequence[int]]) -> bool:
    """Whether equal siblings are worth one box; calls of the same layer time and again are a loop's to tell."""
    if children.get(run[0]):
        return True
    return len(run) >= _MANY and nodes[run[0]].kind == "module" and len({nodes[id_].path for id_ in run}) == len(run)


class _Structures:
    """A number for each call, the same for equal ones: a table of whole structures, compared and not only hashed."""

    def __init__(self, nodes: Sequence[Node], edges: Sequence[Edge]) -> None:
        self.nodes = nodes
        self.children: dict[int | None, list[int]] = defaultdict(list)
        for node in nodes:
            self.children[node.parent].append(node.id)
        self.number: dict[int, _Number] = {}
        inside, entering = self._by_call(edges)
        known: dict[Hashable, _Number] = {}
        # Insides come after the call that holds them: from the back, every child has its number already.
        for node in reversed(nodes):
            parts = tuple(self.number[child] for child in self.children.get(node.id, ()))
            settings = () if parts or node.operation in _DROPS else tuple(node.arguments.items())
            structure = (_own(node), settings, parts, tuple(inside[node.id]), _entries(entering[node.id]))
            self.number[node.id] = known.setdefault(structure, len(known))

    def _by_call(
        self, edges: Sequence[Edge]
    ) -> tuple[dict[int, list[tuple[int, ...]]], dict[int, list[tuple[int, int, int, int]]]]:
        """Edges by the innermost call that holds both ends, and by every call that they enter; ids from the call's own."""
        inside: dict[int, list[tuple[int, ...]]] = defaultdict(list)
        entering: dict[int, list[tuple[int, int, int, int]]] = defaultdict(list)
        for edge in sorted(edges, key=lambda one: (one.target, one.argument, one.source, one.output)):
            holders = set(self._holders(edge.source))
            for call in self._holders(edge.target):
                if call in holders:
                    inside[call].append((edge.source - call, edge.output, edge.target - call, edge.argument))
                    break
                entering[call].append((edge.target - call, edge.argument, edge.source, edge.output))
        return inside, entering

    def _holders(self, id_: int) -> Iterator[int]:
        """A call and those that hold it, innermost first."""
        call: int | None = id_
        while call is not None:
            yield call
            call = self.nodes[call].parent


def _own(node: Node) -> Hashable:
    return (
        node.operation,
        node.kind,
        node.inputs,
        node.outputs,
        node.output_dtypes,
        node.own_parameters,
        node.parameters,
        node.trainable,
        node.flops,
        node.activation,
    )


def _entries(entering: Sequence[tuple[int, int, int, int]]) -> Hashable:
    """What comes from outside, where each source is known only by when it first appears."""
    sources: dict[tuple[int, int], int] = {}
    return tuple(
        (target, argument, sources.setdefault((source, output), len(sources)))
        for target, argument, source, output in entering
    )
