"""Two sequences laid side by side, in order: by weight where they are short, by what is equal where they are long."""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from itertools import pairwise

Pair = tuple[int, int]

_LARGEST = 40_000  # cells of one table of weights
_EDITS = 256  # insertions and deletions until two long sequences count as different all over
_STEPS = 100_000  # of looking for the fewest edits, in all


class Aligner:
    """Aligns sequences of calls, of which some are worth more side by side than others.

    Args:
        same: (old, new) -> a number of each, equal where they are the same beyond doubt: for the ends of the sequences.
        alike: (old, new) -> a number of each, equal where they may well be the same: for what lies between.
        weight: (old, new) -> how much it is worth to have the two side by side; 0 where they must not be.
        cells: how many weights may be compared in all, before it goes by `alike` alone.
    """

    def __init__(
        self,
        same: tuple[Sequence[int], Sequence[int]],
        alike: tuple[Sequence[int], Sequence[int]],
        weight: Callable[[int, int], float],
        cells: int,
    ) -> None:
        self.same, self.alike, self.weight, self.cells = same, alike, weight, cells
        self._steps = _STEPS

    def align(self, old: Sequence[int], new: Sequence[int]) -> Iterator[Pair]:
        """Pairs of ids, one of each sequence, no two of them crossing."""
        waiting = [(old, new)]
        while waiting:
            old, new = waiting.pop()
            first = _common(old, new, *self.same)
            yield from zip(old[:first], new[:first], strict=True)
            old, new = old[first:], new[first:]
            last = _common(old[::-1], new[::-1], *self.same)
            yield from zip(old[len(old) - last :], new[len(new) - last :], strict=True)
            old, new = old[: len(old) - last], new[: len(new) - last]
            if not old or not new:
                continue
            cells = len(old) * len(new)
            if cells <= min(_LARGEST, self.cells):
                self.cells -= cells
                yield from _heaviest(old, new, self.weight)
                continue
            anchors = self._anchors(old, new)
            yield from ((old[i], new[j]) for i, j in anchors)
            if anchors:
                bounds = [(-1, -1), *anchors, (len(old), len(new))]
                waiting += [(old[i + 1 : k], new[j + 1 : m]) for (i, j), (k, m) in pairwise(bounds)]

    def _anchors(self, old: Sequence[int], new: Sequence[int]) -> list[Pair]:
        """Places that correspond beyond doubt in long sequences; where there are none, those that may."""
        olds, news = [self.alike[0][id_] for id_ in old], [self.alike[1][id_] for id_ in new]
        edits = min(_EDITS, len(old) + len(new))
        if self._steps > 0 and (anchors := _fewest_edits(olds, news, edits)):
            return anchors
        self._steps -= edits * edits // 2
        return _unique(olds, news) or _by_occurrence(olds, news)


def in_order(pairs: Sequence[Pair]) -> list[Pair]:
    """The longest selection of pairs that rise in both places; of a sequence that rises in the first."""
    tails: list[int] = []
    ends: list[int] = []
    before = [-1] * len(pairs)
    for index, (_, place) in enumerate(pairs):
        length = bisect_left(tails, place)
        before[index] = ends[length - 1] if length else -1
        if length == len(tails):
            tails.append(place)
            ends.append(index)
        else:
            tails[length], ends[length] = place, index
    chosen: list[Pair] = []
    at = ends[-1] if ends else -1
    while at >= 0:
        chosen.append(pairs[at])
        at = before[at]
    return chosen[::-1]


def _common(old: Sequence[int], new: Sequence[int], olds: Sequence[int], news: Sequence[int]) -> int:
    """How many are the same from the front."""
    count = 0
    for one, other in zip(old, new, strict=False):
        if olds[one] != news[other]:
            break
        count += 1
    return count


def _heaviest(old: Sequence[int], new: Sequence[int], weight: Callable[[int, int], float]) -> list[Pair]:
    """The alignment of the greatest weight, by the textbook's table (Needleman & Wunsch 1970), gaps for nothing."""
    width = len(new) + 1
    table: list[list[float]] = [[0.0] * width]
    weights: list[list[float]] = []
    for one in old:
        above, row, here = table[-1], [0.0], [weight(one, other) for other in new]
        left = 0.0
        for column, worth in enumerate(here):
            best = above[column] + worth if worth else 0.0
            up = above[column + 1]
            if up > best:
                best = up
            if left > best:
                best = left
            row.append(best)
            left = best
        table.append(row)
        weights.append(here)
    pairs: list[Pair] = []
    row_, column = len(old), len(new)
    while row_ and column:
        worth = weights[row_ - 1][column - 1]
        if worth and table[row_][column] == table[row_ - 1][column - 1] + worth:
            row_, column = row_ - 1, column - 1
            pairs.append((old[row_], new[column]))
        elif table[row_][column] == table[row_ - 1][column]:
            row_ -= 1
        else:
            column -= 1
    return pairs[::-1]


def _fewest_edits(old: Sequence[int], new: Sequence[int], most: int) -> list[Pair]:
    """Equal places of the shortest edit script (Myers 1986); none where it has more than `most` edits."""
    reach = {1: 0}
    history: list[dict[int, int]] = []
    for edits in range(most + 1):
        history.append(dict(reach))
        for diagonal in range(-edits, edits + 1, 2):
            down = diagonal == -edits or (
                diagonal != edits and reach.get(diagonal - 1, -1) < reach.get(diagonal + 1, -1)
            )
            x = reach[diagonal + 1] if down else reach[diagonal - 1] + 1
            y = x - diagonal
            while x < len(old) and y < len(new) and old[x] == new[y]:
                x, y = x + 1, y + 1
            reach[diagonal] = x
            if diagonal == len(old) - len(new) and x >= len(old):
                return _walked_back(history, len(old), len(new))
    return []


def _walked_back(history: list[dict[int, int]], x: int, y: int) -> list[Pair]:
    pairs: list[Pair] = []
    for edits in range(len(history) - 1, -1, -1):
        reach, diagonal = history[edits], x - y
        down = diagonal == -edits or (diagonal != edits and reach.get(diagonal - 1, -1) < reach.get(diagonal + 1, -1))
        before = diagonal + 1 if down else diagonal - 1
        start = reach[before] if edits else 0
        begin = start - before if edits else 0
        while x > start and y > begin:
            x, y = x - 1, y - 1
            pairs.append((x, y))
        x, y = start, begin
    return pairs[::-1]


def _unique(old: Sequence[int], new: Sequence[int]) -> list[Pair]:
    """Places whose number stands once in each (patience)."""
    olds, news = Counter(old), Counter(new)
    places = {key: place for place, key in enumerate(new) if news[key] == 1}
    return in_order([(place, places[key]) for place, key in enumerate(old) if olds[key] == 1 and key in places])


def _by_occurrence(old: Sequence[int], new: Sequence[int]) -> list[Pair]:
    """The first of a number with the first, the second with the second, as far as that does not cross."""
    seen: Counter[int] = Counter()
    places: dict[tuple[int, int], int] = {}
    for place, key in enumerate(new):
        places[key, seen[key]] = place
        seen[key] += 1
    seen.clear()
    pairs = []
    for place, key in enumerate(old):
        there = places.get((key, seen[key]))
        seen[key] += 1
        if there is not None:
            pairs.append((place, there))
    return in_order(pairs)
