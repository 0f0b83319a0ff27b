"""Which call of one graph is which of another, by structure.

First from the outside in: what the model holds is laid side by side in order, then what each matched module holds.
Then what found no partner in its place is looked for elsewhere, the largest equal parts first (the top-down phase of
GumTree, Falleri et al. 2014), single calls only where what they read or are read by corresponds. Last, modules whose insides
were found in each other (its bottom-up phase).
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence

from pellucid.graph.alignment import Aligner
from pellucid.graph.outline import ROOT, Outline

_CELLS = 300_000  # weights that are compared in all, misses of the memory counted too
_CANDIDATES = 32  # equal parts among which the best is looked for
_NOWHERE = -2  # no call and not the model
_ALIKE = 0.5  # share of the inside that two modules have in common at least


class Matching:
    """Pairs of calls, each in one pair at most; `of` by id of the old graph, `to` by id of the new one."""

    def __init__(self, old: Outline, new: Outline) -> None:
        self.old, self.new = old, new
        self.of: dict[int, int] = {ROOT: ROOT}
        self.to: dict[int, int] = {ROOT: ROOT}
        self._worth: dict[tuple[int, int], float] = {}
        self._aligner = Aligner((old.identity, new.identity), (old.loose, new.loose), self._weight, _CELLS)
        self._descend([(ROOT, ROOT)])
        self._find_parts()
        self._find_calls()
        self._find_holders()

    def pair(self, old: int, new: int) -> None:
        """Takes two calls as the same."""
        self.of[old], self.to[new] = new, old

    # --- in place ---------------------------------------------------------------------------------------------

    def _descend(self, waiting: list[tuple[int, int]]) -> None:
        """Matches what matched calls hold, as far as it has no partner yet, level by level."""
        while waiting:
            old, new = waiting.pop()
            if old != ROOT and self.old.exact[old] == self.new.exact[new]:
                inside = zip(self.old.children[old], self.new.children[new], strict=True)
                pairs = [(one, other) for one, other in inside if one not in self.of and other not in self.to]
            else:
                olds = [child for child in self.old.children[old] if child not in self.of]
                news = [child for child in self.new.children[new] if child not in self.to]
                pairs = list(self._aligner.align(olds, news))
            for one, other in pairs:
                self.pair(one, other)
                waiting.append((one, other))

    def _weight(self, old: int, new: int) -> float:
        """How much it is worth to have two siblings side by side; what is read and what reads breaks ties."""
        key = (self.old.identity[old], self.new.identity[new])
        worth = self._worth.get(key)
        if worth is None:
            self._aligner.cells -= 4
            worth = self._worth[key] = self._likeness(old, new)
        return worth + 1.0 if worth and self.old.context[old] == self.new.context[new] else worth

    def _likeness(self, old: int, new: int) -> float:
        holds = bool(self.old.children[old])
        if holds != bool(self.new.children[new]):
            return 0.0
        named = self._named(old, new)
        if self.old.exact[old] == self.new.exact[new]:
            like = 100.0
        elif self.old.loose[old] == self.new.loose[new]:
            like = 90.0
        else:
            like = self._modules(old, new, named) if holds else self._calls(old, new, named)
        return (like + named) * (1.0 + 0.1 * min(self.old.size[old], self.new.size[new])) if like else 0.0

    def _named(self, old: int, new: int) -> float:
        """What equal names are worth; those that are only numbers shift with every insertion."""
        if not self.old.place[old] or self.old.place[old] != self.new.place[new]:
            return 0.0
        return 3.0 if "*" in self.old.label[old] else 12.0

    def _calls(self, old: int, new: int, named: float) -> float:
        """Likeness of two calls without an inside that are not equal."""
        one, other = self.old.nodes[old], self.new.nodes[new]
        if one.kind != other.kind and {one.kind, other.kind} != {"module", "function"}:
            return 0.0
        if one.operation == other.operation:
            shared = len(set(one.arguments.items()) & set(other.arguments.items()))
            settings = shared / max(len(one.arguments), len(other.arguments), 1)
            return 40.0 + 20.0 * settings + 8.0 * (one.outputs == other.outputs) + 8.0 * (one.inputs == other.inputs)
        if one.role == other.role != "other":
            return 25.0 + 5.0 * (one.outputs == other.outputs)
        return 20.0 if named > 3.0 else 0.0

    def _modules(self, old: int, new: int, named: float) -> float:
        """Likeness of two modules whose insides differ."""
        same = self.old.nodes[old].operation == self.new.nodes[new].operation
        if not same and (self.old.holds(old, self.new.skeleton[new]) or self.new.holds(new, self.old.skeleton[old])):
            return 0.0  # one was wrapped in the other
        common = self._common(old, new)
        needed = 0.1 if same and named else _ALIKE if same or named > 3.0 else 0.75
        return 30.0 + 50.0 * common if common >= needed else 0.0

    def _common(self, old: int, new: int) -> float:
        """Share of two insides that is the same: half by equal calls, half by equal operations (Dice)."""
        total = 0.0
        for one, other in zip(self.old.leaves(old), self.new.leaves(new), strict=True):
            shared = sum((one & other).values())
            total += shared / max(one.total() + other.total(), 1)
        return total

    # --- elsewhere --------------------------------------------------------------------------------------------

    def _find_parts(self) -> None:
        """Looks for modules without a partner by their whole insides, the largest first.

        One whose like stands in several places is taken for the same only where its surroundings are, too.
        """
        for olds, news in ((self.old.exact, self.new.exact), (self.old.loose, self.new.loose)):
            pool: dict[int, list[int]] = defaultdict(list)
            for id_ in range(len(news)):
                if id_ not in self.to and self.new.children[id_]:
                    pool[news[id_]].append(id_)
            lost = [
                id_ for id_ in range(len(olds)) if id_ not in self.of and self.old.children[id_] and olds[id_] in pool
            ]
            counted = Counter(olds), Counter(news)
            lost.sort(key=lambda one: (-self.old.size[one], one))
            for surely in (True, False):
                for id_ in lost:
                    if id_ in self.of:
                        continue
                    there = pool[olds[id_]] = [other for other in pool[olds[id_]] if other not in self.to]
                    only = not surely and counted[0][olds[id_]] == counted[1][olds[id_]] == 1
                    rated = [(self._agreement(id_, other), other) for other in there[:_CANDIDATES]]
                    rated = [one for one in rated if only or any(one[0][:2])]
                    if rated:
                        other = max(rated)[1]
                        self.pair(id_, other)
                        self._descend([(id_, other)])

    def _find_calls(self) -> None:
        """Looks for calls without an inside whose neighbours, or whose parent, have partners."""
        for olds, news in ((self.old.exact, self.new.exact), (self.old.loose, self.new.loose)):
            lost = [id_ for id_ in range(len(olds)) if id_ not in self.of and not self.old.children[id_]]
            siblings: dict[tuple[int, int], list[int]] = defaultdict(list)
            for other in range(len(news)):
                if other not in self.to and not self.new.children[other]:
                    siblings[self.new.parent(other), news[other]].append(other)
            for order in (lost, lost[::-1]):  # there and back: a partner found is a neighbour with a partner
                for id_ in order:
                    if id_ in self.of:
                        continue
                    around = list(self._around(id_))
                    if self.old.nodes[id_].parameters:
                        beside = siblings[self.of.get(self.old.parent(id_), _NOWHERE), olds[id_]]
                        around += beside if len(beside) == 1 else []
                    there = [other for other in around if other not in self.to and news[other] == olds[id_]]
                    there = [other for other in there if self._is_no_coincidence(id_, other)]
                    if there:
                        self.pair(id_, max((self._agreement(id_, other), other) for other in there)[1])

    def _is_no_coincidence(self, old: int, new: int) -> bool:
        """Whether two equal calls in different modules have more in common than what they do.

        Beside a call of the model, not only its inputs and outputs, which every model has; and on both sides where there are no
        parameters: additions and activations stand everywhere.
        """
        if self.of.get(self.old.parent(old), _NOWHERE) == self.new.parent(new):
            return True
        read, reads = self.old.borders(old)
        new_read, new_reads = self.new.borders(new)
        before = {one for one in read if self.of.get(one, _NOWHERE) in new_read}
        after = {one for one in reads if self.of.get(one, _NOWHERE) in new_reads}
        calls = [one for one in before | after if self.old.nodes[one].kind not in ("input", "output")]
        sides = bool(before) + bool(after)
        return bool(calls) and (sides == 2 or self.old.nodes[old].parameters > 0)

    def _around(self, old: int) -> Iterable[int]:
        """Calls of the new graph that stand where an old one would: beside the partners of its neighbours."""
        parent = self.of.get(self.old.parent(old), _NOWHERE)
        for source, _, _ in self.old.sources[old]:
            if source in self.of:
                yield from self._beside(self.of[source], parent, after=True)
        for reader in self.old.readers[old]:
            if reader in self.of:
                yield from self._beside(self.of[reader], parent, after=False)

    def _beside(self, new: int, parent: int, *, after: bool) -> Iterable[int]:
        """Those on one side of a call; on the other side only siblings, with which it may have changed places."""
        read = [source for source, _, _ in self.new.sources[new][:_CANDIDATES]]
        reads = self.new.readers[new][:_CANDIDATES]
        yield from reads if after else read
        yield from [other for other in (read if after else reads) if self.new.parent(other) == parent]

    def _agreement(self, old: int, new: int) -> tuple[int, bool, bool, int]:
        """How well two equal parts fit: neighbours, the module around them, name; then the earlier."""
        read, reads = self.old.borders(old)
        new_read, new_reads = self.new.borders(new)
        neighbours = len({self.of.get(source, _NOWHERE) for source in read} & set(new_read))
        neighbours += len({self.of.get(reader, _NOWHERE) for reader in reads} & set(new_reads))
        around = self.new.parent(new)
        while around not in self.to:  # what was put around it is looked through
            around = self.new.parent(around)
        inside = self.of.get(self.old.parent(old), _NOWHERE) == around
        return neighbours, inside, self.old.place[old] == self.new.place[new], -new

    def _find_holders(self) -> None:
        """Matches modules whose insides were found in each other, innermost first, then the rest of what they hold."""
        for old in range(len(self.old.nodes) - 1, -1, -1):
            if old in self.of or not self.old.children[old]:
                continue
            found = Counter[int]()
            inside = self._leaves_below(old)
            for leaf in inside:
                above = self.new.parent(self.of[leaf]) if leaf in self.of else ROOT
                while above != ROOT:
                    found[above] += 1
                    above = self.new.parent(above)
            best = (0.0, ROOT)
            for new, count in found.items():
                if new not in self.to and self.old.nodes[old].operation == self.new.nodes[new].operation:
                    leaves = self.new.leaves(new)[0].total()
                    best = max(best, (2.0 * count / (len(inside) + leaves), new))
            if best[0] >= _ALIKE:
                self.pair(old, best[1])
                self._descend([(old, best[1])])

    def _leaves_below(self, old: int) -> Sequence[int]:
        waiting, leaves = [old], []
        while waiting:
            inside = self.old.children[waiting.pop()]
            waiting += [child for child in inside if self.old.children[child]]
            leaves += [child for child in inside if not self.old.children[child]]
        return leaves
