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
    it, what it read before. So are calls that have moved among their siblings, which are reported as that.

    Args:
        before: the old graph.
        after: the new graph.
        of: new id by old id.
        moved: old ids of calls that stand in another order.
    """
    inside = _below(before, moved)
    back = {new: old for old, new in of.items()}
    # Both sides in old ids; those to look through have none.
    old_names = {old: old for old in of if old not in inside}
    new_names = {new: old for new, old in back.items() if old not in inside}
    old_origins, new_origins = _Origins(before, old_names), _Origins(after, new_names)
    found = set()
    for old, new in of.items():
        if old < 0 or old in inside or not (before.sources[old] or after.sources[new]):
            continue
        ours, theirs = before.sources[old], after.sources[new]
        if len(ours) != len(theirs):
            found.add(old)
            continue
        for (source, output, argument), (other, other_output, other_argument) in zip(ours, theirs, strict=True):
            direct = source in old_names and other in new_names
            if argument != other_argument or (
                direct and (old_names[source], output) != (new_names[other], other_output)
            ):
                found.add(old)
            elif not direct:
                one, two = old_origins.through(source, output), new_origins.through(other, other_output)
                if one is not None and two is not None and not one & two and (one or two):
                    found.add(old)
    return found


class _Origins:
    """What calls without a partner go back to."""

    def __init__(self, graph: Outline, names: Mapping[int, int]) -> None:
        self.graph, self.names = graph, names
        self._known: dict[int, frozenset[Source] | None] = {}
        for id_ in range(len(graph.nodes)):
            if id_ not in names and not graph.children[id_]:
                self._known[id_] = self._collected(id_)

    def through(self, id_: int, output: int) -> frozenset[Source] | None:
        """The matched calls, by their old ids, that an output comes from; None where they are too many to tell."""
        if id_ in self.names:
            return frozenset({(self.names[id_], output)})
        return self._known.get(id_, frozenset())

    def _collected(self, id_: int) -> frozenset[Source] | None:
        origins: frozenset[Source] = frozenset()
        for source, output, _ in self.graph.sources[id_]:
            # Sources come before those who read them, but for what is fed back, which leads nowhere new.
            deeper = self.through(source, output)
            if deeper is None or len(origins := origins | deeper) > _MOST:
                return None
        return origins


def _below(graph: Outline, ids: set[int]) -> set[int]:
    """Calls and all that they hold."""
    found, waiting = set(), list(ids)
    while waiting:
        id_ = waiting.pop()
        found.add(id_)
        waiting += graph.children[id_]
    return found
