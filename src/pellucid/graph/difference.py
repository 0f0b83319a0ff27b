"""What became of a graph: calls that were added, removed, changed or moved, found by structure and not by name."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Container, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from typing import Literal, TypeAlias

from pellucid.graph.alignment import in_order
from pellucid.graph.holding import held
from pellucid.graph.matching import Matching
from pellucid.graph.meaning import WEIGHTS, format_of, translated
from pellucid.graph.outline import ROOT, Outline, Tables
from pellucid.graph.structure import Graph, Node
from pellucid.graph.wiring import rewired
from pellucid.record import schema

Kind: TypeAlias = Literal["added", "removed", "changed", "moved"]

KINDS: tuple[Kind, ...] = ("added", "removed", "changed", "moved")
_MIRROR: dict[Kind, Kind] = {"added": "removed", "removed": "added", "changed": "changed", "moved": "moved"}


@dataclass(frozen=True, slots=True)
class Change:
    """One difference.

    Attributes:
        kind: "added" or "removed": the call and all that it holds that has no partner. "moved": another module holds it,
            or it stands in another order among its siblings. "changed": see `what`.
        old, new: id in each graph; None where it is not there.
        what: of a changed call, any of "operation", "arguments", "parameters", "trainable", "shape", "type" (of what
            comes out), "name" (renamed where it stands; a number that only shifts is no new name) and "inputs" (it reads
            from other calls than before, those that were added and removed in between looked through).
    """

    kind: Kind
    old: int | None
    new: int | None
    what: tuple[str, ...] = ()


@dataclass(frozen=True)
class Difference:
    """How one graph became another.

    Attributes:
        old, new: the graphs.
        matches: ids of calls that are the same, changed and moved ones too, by id in the old graph.
        changes: added ones first, then removed, changed and moved ones, each in order of execution.
    """

    old: Graph
    new: Graph
    matches: tuple[tuple[int, int], ...]
    changes: tuple[Change, ...]

    @cached_property
    def formats(self) -> tuple[str, str] | None:
        """Where the two are from, in words, where they are told in different languages; None where in the same."""
        old, new = format_of(self.old), format_of(self.new)
        return None if old == new else (old, new)

    @cached_property
    def counts(self) -> dict[Kind, int]:
        """How many changes there are of each kind."""
        counted = Counter(change.kind for change in self.changes)
        return {kind: counted[kind] for kind in KINDS}

    def to_panel(self, name: str) -> schema.GraphDifferencePanel:
        """The difference as the record holds it.

        Args:
            name: what the old model is called.
        """
        return schema.GraphDifferencePanel(
            count=self.new.batch,
            name=name,
            old=self.old.to_panel(),
            matches=[list(pair) for pair in self.matches],
            changes=[
                schema.GraphChange(change.kind, change.old, change.new, list(change.what)) for change in self.changes
            ],
        )


def difference(old: Graph, new: Graph) -> Difference:
    """What became of the old graph in the new one.

        for change in difference(before, after).changes:
            print(change.kind, change.what)

    Calls are matched by structure, whatever they are called: a layer that is put into a Sequential leaves those behind it
    the same although their numbers shift. What follows from a change further up is reported where it shows ("shape").
    The other way round gives the mirror image, and a graph does not differ from itself. Graphs of different formats are
    compared by what their operations do, and without settings, which each format tells in its own way; a file of weights
    alone by which modules hold how many parameters.
    """
    if _digest(old) > _digest(new):
        # Always from the same of the two, so that of several equally good answers both ways round give the same one.
        return _mirrored(difference(new, old))
    languages = format_of(old), format_of(new)
    if languages[0] != languages[1]:
        if WEIGHTS in languages:
            return _of_weights(old, new) if languages[0] == WEIGHTS else _mirrored(_of_weights(new, old))
        return _across(old, new)
    matches, changes = _compared(old, new)
    return Difference(old, new, matches, tuple(changes))


def _compared(old: Graph, new: Graph) -> tuple[tuple[tuple[int, int], ...], list[Change]]:
    tables = Tables()
    before, after = Outline(old, tables), Outline(new, tables)
    found = Matching(before, after)
    matches = tuple(sorted((one, other) for one, other in found.of.items() if one != ROOT))
    return matches, _changes(before, after, found, matches)


def _of_weights(weights: Graph, graph: Graph) -> Difference:
    """What a graph has that a file of weights has not, by the modules that hold parameters."""
    removed, added, pairs, changed = held(weights, graph)
    changes = [Change("added", None, id_) for id_ in added] + [Change("removed", id_, None) for id_ in removed]
    changes += [Change("changed", one, other, ("parameters",)) for one, other in changed]
    return Difference(weights, graph, tuple(pairs), tuple(sorted(changes, key=_order)))


def _across(old: Graph, new: Graph) -> Difference:
    """The difference of two that are told in different languages: of what they do, in the ids of the two as they are."""
    one, other = translated(old, new), translated(new, old)
    matches, changes = _compared(one.graph, other.graph)
    told = []
    for change in changes:
        # Names are the exporter's: a convolution that took in its normalisation may bear that one's.
        what = tuple(what for what in change.what if what != "name")
        following = what == ("shape",) and _open_alike(one.graph.nodes, other.graph.nodes, change)
        if change.kind == "changed" and (not what or following):
            continue
        was = None if change.old is None else one.ids[change.old]
        becomes = None if change.new is None else other.ids[change.new]
        told.append(Change(change.kind, was, becomes, what))
    pairs = tuple((one.ids[was], other.ids[becomes]) for was, becomes in matches)
    return Difference(old, new, pairs, tuple(sorted(told, key=_order)))


def _open_alike(old: Sequence[Node], new: Sequence[Node], change: Change) -> bool:
    """Whether two shapes are the same but for sizes that one of the formats leaves open, or the number of axes itself."""
    was, becomes = _shapes(old[change.old or 0]), _shapes(new[change.new or 0])
    return len(was) == len(becomes) and all(
        (-1,) in (one, other)
        or (len(one) == len(other) and all(a == b or -1 in (a, b) for a, b in zip(one, other, strict=True)))
        for one, other in zip(was, becomes, strict=True)
    )


def _mirrored(other: Difference) -> Difference:
    changes = [Change(_MIRROR[change.kind], change.new, change.old, change.what) for change in other.changes]
    matches = tuple(sorted((new, old) for old, new in other.matches))
    return Difference(other.new, other.old, matches, tuple(sorted(changes, key=_order)))


def _order(change: Change) -> tuple[int, int, int]:
    old = -1 if change.old is None else change.old
    new = -1 if change.new is None else change.new
    return KINDS.index(change.kind), new if change.new is not None else old, old


def _changes(before: Outline, after: Outline, found: Matching, matches: tuple[tuple[int, int], ...]) -> list[Change]:
    """All changes, of nodes that are alone in their graph only the outermost."""
    changes = [
        Change("removed", node.id, None)
        for node in before.nodes
        if node.id not in found.of and before.parent(node.id) in found.of
    ]
    changes += [
        Change("added", None, node.id)
        for node in after.nodes
        if node.id not in found.to and after.parent(node.id) in found.to
    ]
    elsewhere = {one for one, other in matches if found.of.get(before.parent(one)) != after.parent(other)}
    moved = elsewhere | _reordered(before, after, found)
    wired = rewired(before, after, found.of, moved)
    tied = _ties_changed(before, after, found)
    for one, other in matches:
        if one in moved:
            changes.append(Change("moved", one, other))
        what = _what(before, after, one, other)
        if one in tied and "parameters" not in what:
            what.append("parameters")
        if (
            one not in elsewhere
            and before.label[one] != after.label[other]
            and before.label[one]
            and after.label[other]
        ):
            what.append("name")
        if one in wired:
            what.append("inputs")
        if what:
            changes.append(Change("changed", one, other, tuple(what)))
    return sorted(changes, key=_order)


def _what(before: Outline, after: Outline, one: int, other: int) -> list[str]:
    """What is not the same of two calls that correspond."""
    old, new = before.nodes[one], after.nodes[other]
    what = []
    if before.exact[one] != after.exact[other]:
        holds = bool(before.children[one] or after.children[other])
        if old.operation != new.operation:
            what.append("operation")  # its settings are others by nature
        elif old.arguments != new.arguments:
            what.append("arguments")
        if (old.own_parameters != new.own_parameters) or (not holds and old.parameters != new.parameters):
            what.append("parameters")
        elif not holds and old.trainable != new.trainable:
            what.append("trainable")
        if _shapes(old) != _shapes(new):
            what.append("shape")
        elif _types(old) != _types(new):
            what.append("type")
    return what


def _shapes(node: Node) -> tuple[tuple[int, ...], ...]:
    return node.inputs if node.kind == "output" else node.outputs


def _types(node: Node) -> tuple[str, ...]:
    return node.input_dtypes if node.kind == "output" else node.output_dtypes


def _reordered(before: Outline, after: Outline, found: Matching) -> set[int]:
    """Old ids of the fewest calls that have to move among their siblings."""
    moved: set[int] = set()
    for parent, partner in found.of.items():
        place = {child: index for index, child in enumerate(after.children[partner])}
        pairs = [
            (child, place[found.of[child]])
            for child in before.children[parent]
            if child in found.of and found.of[child] in place
        ]
        if any(one[1] > other[1] for one, other in pairwise(pairs)):
            moved |= {child for child, _ in pairs} - {child for child, _ in in_order(pairs)}
    return moved


def _ties_changed(before: Outline, after: Outline, found: Matching) -> set[int]:
    """Old ids of calls whose parameters are those of other calls than before, as far as those are in both graphs."""
    changed = set()
    firsts, new_firsts = _first_calls(before, found.of), _first_calls(after, found.to)
    for one, other in found.of.items():
        if one == ROOT:
            continue
        old, new = before.nodes[one], after.nodes[other]
        was = {found.of[shared] for shared in old.shares if shared in found.of}
        if was != {shared for shared in new.shares if shared in found.to}:
            changed.add(one)
        first, new_first = firsts.get(old.path, one), new_firsts.get(new.path, other)
        if after.nodes[found.of[first]].path != new.path or before.nodes[found.to[new_first]].path != old.path:
            changed.add(one)  # one layer called again became two layers, or two became one
    return changed


def _first_calls(outline: Outline, matched: Container[int]) -> dict[str, int]:
    """By path, the first call that is in both graphs of each module with parameters of its own that is called again."""
    again = {node.path for node in outline.nodes if node.call > 1 and node.own_parameters and node.kind == "module"}
    first: dict[str, int] = {}
    for node in outline.nodes:
        if node.path in again and node.id in matched:
            first.setdefault(node.path, node.id)
    return first


def _digest(graph: Graph) -> bytes:
    """Decides which of two graphs is taken first: by all that a difference looks at."""
    digest = hashlib.sha256()
    for node in graph.nodes:
        seen = (
            node.path, node.operation, node.kind, node.parent, node.inputs, node.outputs, node.input_dtypes,
            node.output_dtypes, node.parameters, node.own_parameters, node.trainable, node.role, node.shares,
            *node.arguments.items(),
        )  # fmt: skip
        digest.update(repr(seen).encode())
    for edge in graph.edges:
        digest.update(b"%d %d %d %d," % (edge.source, edge.output, edge.target, edge.argument))
    return digest.digest()
