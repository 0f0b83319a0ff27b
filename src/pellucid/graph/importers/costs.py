"""FLOPs of what a file lists: of a loop those of all its steps, of branches those of the one that costs most."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pellucid.graph.importers.building import Draft

_NAMED = 3


class Costs:
    """What each draft costs with all in it, and what is to be said of that.

    Attributes:
        flops: of every draft; None where nothing in it is counted, or nobody can tell how often a loop in it runs. What lies
            in such a loop has the FLOPs of one step.
        total: of all of them.
        notes: sentences, for the graph's reader.
    """

    def __init__(self, drafts: Sequence[Draft]) -> None:
        times = [1] * len(drafts)
        for number, draft in enumerate(drafts):
            if draft.parent is not None:
                above = drafts[draft.parent]
                steps = above.steps if above.holds == "loop" else None
                times[number] = times[draft.parent] * (1 if steps is None else steps)
        self.flops = [
            None if draft.flops is None else draft.flops * often for draft, often in zip(drafts, times, strict=True)
        ]
        self._open = [False] * len(drafts)  # those in which a loop runs nobody knows how often
        self._chosen: list[str] = []
        self._endless: list[str] = []
        for number in range(len(drafts) - 1, -1, -1):  # what a draft holds comes after it
            self._add(drafts, number)
        top = [number for number, draft in enumerate(drafts) if draft.parent is None]
        counted = [flops for number in top if (flops := self.flops[number]) is not None]
        self.total = sum(counted) if counted and not any(self._open[number] for number in top) else None
        self.notes = list(self._told(drafts))

    def _add(self, drafts: Sequence[Draft], number: int) -> None:
        """Adds what a draft costs to what holds it."""
        draft, flops = drafts[number], self.flops[number]
        if flops is not None and draft.holds == "choice":
            self._chosen.append(draft.path)
        if flops is not None and draft.holds == "loop" and draft.steps is None:
            self._endless.append(draft.path)
            self._open[number] = True
        if self._open[number]:
            self.flops[number] = flops = None
        if draft.parent is None:
            return
        self._open[draft.parent] |= self._open[number]
        before = self.flops[draft.parent]
        if flops is not None:
            most = drafts[draft.parent].holds == "choice"
            self.flops[draft.parent] = flops if before is None else max(before, flops) if most else before + flops

    def _told(self, drafts: Sequence[Draft]) -> Iterator[str]:
        if self._chosen:
            yield f"Of the branches of {_few(self._chosen[::-1])} the one that costs most is counted."
        if self._endless:
            yield (
                f"How many steps {_few(self._endless[::-1])} takes is known only when it runs: FLOPs in it are those of one "
                "step, and those of the whole are not known."
            )
        early = [draft.path for draft in drafts if draft.early and draft.holds == "loop" and draft.steps is not None]
        if early:
            yield f"{_few(early)} may stop before its last step: FLOPs are those of all its steps, an upper bound."
        left_out = Counter(draft.operation for draft in drafts if draft.uncounted)
        if left_out:
            names = [f"{name} ({count})" if count > 1 else name for name, count in left_out.items()]
            yield f"FLOPs are without those of {_few(names)}: what it costs is not known here, or a size is not fixed."


def _few(names: list[str]) -> str:
    more = len(names) - _NAMED
    return ", ".join(names[:_NAMED]) + (f" and {more} more" if more > 0 else "")
