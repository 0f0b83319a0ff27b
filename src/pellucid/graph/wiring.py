"""Which calls read from others than before."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeAlias

from pellucid.graph.outline import Outline

Source: TypeAlias = tuple[int, int]  # a call, and which of its outputs

_MOST = 16  # origins of one call that are told apart; where there are more, it counts as reading from anywhere


def rewired(before: Outline, after: Outline, of: Mapping[int, int], moved: set[int]) -> set[int]:
    """Old ids of matched calls that read something else than before.

    What was added or removed in between is looked through: a call that reads an inserted normalisation reads, through
    it, what it read before. So is what has moved; what a moved call reads elsewhere is part of its move.

    Args:
        before: the old graph.
        after: the new graph.
        of: new id by old id.
        moved: old ids of calls that another module holds, or that stand in another order.
    """
    block = _blocks(before, moved)
    # Both sides in old ids.
    old_names = {old: old for old in of}
    new_names = {new: old for old, new in of.items()}
    old_origins, new_origins = _Origins(before, old_names, block), _Origins(after, new_names, block)
    found = set()
    for old, new in of.items():
        if old < 0 or not (before.sources[old] or after.sources[new]):
            continue
        ours, theirs = before.sources[old], after.sources[new]
        if len(ours) != len(theirs):
            found.add(old)
            continue
        for (source, output, argument), (other, other_output, other_argument) in zip(ours, theirs, strict=True):
            there = new_names.get(other, -1)
            if argument == other_argument and (source, output) == (there, other_output):
                continue
            if old in block and (block.get(source) != block[old] or block.get(there) != block[old]):
                continue
            one, two = old_origins.through(source, output), new_origins.through(other, other_output)
            if argument != other_argument or (one is not None and two is not None and not one & two and (one or two)):
                found.add(old)
    return found


class _Origins:
    """What outputs go back to: calls that are in both graphs and stayed, by their old ids."""

    def __init__(self, graph: Outline, names: Mapping[int, int], moved: Mapping[int, int]) -> None:
        self.graph, self.names = graph, names
        self._known: dict[int, frozenset[Source] | None] = {}
        for id_ in range(len(graph.nodes)):
            if not graph.children[id_] and (id_ not in names or names[id_] in moved):
                self._known[id_] = self._collected(id_)

    def through(self, id_: int, output: int) -> frozenset[Source] | None:
        """The call itself, if it has a partner, and what it can be looked through to; None where that is too much to tell."""
        own = frozenset({(self.names[id_], output)}) if id_ in self.names else frozenset[Source]()
        beyond = self._known.get(id_, frozenset())
        return None if beyond is None else own | beyond

    def _collected(self, id_: int) -> frozenset[Source] | None:
        origins: frozenset[Source] = frozenset()
        for source, output, _ in self.graph.sources[id_]:
            # Sources come before those who read them, but for what is fed back, which leads nowhere new.
            deeper = self.through(source, output)
            if deeper is None or len(origins := origins | deeper) > _MOST:
                return None
        return origins


def _blocks(graph: Outline, moved: set[int]) -> dict[int, int]:
    """For all that a moved call holds, itself included, the moved call: the innermost where one is in another."""
    block = {}
    for id_ in sorted(moved):
        waiting = [id_]
        while waiting:
            inside = waiting.pop()
            block[inside] = id_
            waiting += graph.children[inside]
    return block
