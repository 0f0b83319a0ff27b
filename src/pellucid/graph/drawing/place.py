"""Where everything stands: each open module laid out in rows by itself, inner ones first, then moved to its place."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable

from pellucid.graph.drawing.lines import PADDING, Placed, route
from pellucid.graph.drawing.visible import IN, OUT, Arrow, Box

TITLE = 26.0  # height of an open module's title
GAP = 30.0  # between rows
BESIDE = 18.0  # between boxes of a row
_SWEEPS = 6


def placed(box: Box, size: Callable[[Box], tuple[float, float]], title: float = TITLE) -> Placed:
    """A box with all that it holds.

    Args:
        box: an open module, or the drawing itself.
        size: wanted width and height of a box that is not open; least width and height of one that is.
        title: height of the space above what it holds.
    """
    width, height = size(box)
    if not box.children:
        return Placed(box, width, height)
    children = {child.id: placed(child, size) for child in box.children}
    rows = _rows(box)
    _order(rows, box.arrows)
    _columns(rows, box.arrows, children)
    y = title + PADDING / 2
    if any(arrow.source == IN for arrow in box.arrows):
        y += GAP / 2
    tops: list[float] = []
    for row in rows:
        tops.append(y)
        tallest = max(children[id_].height for id_ in row)
        for id_ in row:
            children[id_].y = y + (tallest - children[id_].height) / 2
        y += tallest + GAP
    bottom = y - GAP + PADDING + (GAP / 2 if any(arrow.target == OUT for arrow in box.arrows) else 0.0)
    whole = Placed(box, 0.0, bottom, children=list(children.values()))
    route(whole, rows, children, title, width)
    return whole


def _rows(box: Box) -> list[list[int]]:
    """Ids of the children by their rank: one more than that of the last that they read (longest path).

    What reads nothing stands right above what reads it first.
    """
    before, after = defaultdict[int, list[int]](list), defaultdict[int, list[int]](list)
    for arrow in box.arrows:
        if IN != arrow.source < arrow.target:
            before[arrow.target].append(arrow.source)
        if arrow.source < arrow.target:
            after[arrow.source].append(arrow.target)
    fed = {arrow.target for arrow in box.arrows if arrow.source == IN}
    rank: dict[int, int] = {}
    ids = sorted(child.id for child in box.children)
    for id_ in ids:
        rank[id_] = max((rank[source] + 1 for source in before[id_] if source in rank), default=0)
    for id_ in ids[1:]:
        if not before[id_] and id_ not in fed and after[id_]:
            rank[id_] = max(0, min(rank[target] for target in after[id_]) - 1)
    rows: dict[int, list[int]] = defaultdict(list)
    for id_ in ids:
        rows[rank[id_]].append(id_)
    return [rows[number] for number in sorted(rows)]


def _order(rows: list[list[int]], arrows: list[Arrow]) -> None:
    """Sorts every row by the mean place of what its boxes are connected to, down and up in turns (barycenter)."""
    beside = _neighbours(arrows)
    place = {id_: index - (len(row) - 1) / 2 for row in rows for index, id_ in enumerate(row)}
    for sweep in range(_SWEEPS):
        for row in rows if sweep % 2 == 0 else rows[::-1]:
            wanted = {id_: _mean([place[one] for one in beside[id_] if one in place], place[id_]) for id_ in row}
            row.sort(key=lambda id_: (wanted[id_], id_))
            place |= {id_: index - (len(row) - 1) / 2 for index, id_ in enumerate(row)}


def _columns(rows: list[list[int]], arrows: list[Arrow], boxes: dict[int, Placed]) -> None:
    """Gives every box its x: below what it reads, chains straight, as far as their neighbours leave them room."""
    rank = {id_: number for number, row in enumerate(rows) for id_ in row}
    near = [arrow for arrow in arrows if rank.get(arrow.target, 0) - rank.get(arrow.source, 0) == 1]
    beside = _neighbours([arrow for arrow in near if arrow.source in rank and arrow.target in rank])
    chains = _chains(rows, near)
    for row in rows:
        _spread(row, [0.0] * len(row), boxes)
    for sweep in range(_SWEEPS):
        for row in rows if sweep % 2 == 0 else rows[::-1]:
            wanted = [_mean([boxes[one].middle for one in beside[id_]], boxes[id_].middle) for id_ in row]
            _spread(row, wanted, boxes)
        straight: dict[int, float] = {}
        for chain in chains:
            straight |= dict.fromkeys(chain, _mean([boxes[one].middle for one in chain], 0.0))
        for row in rows:
            _spread(row, [straight[id_] for id_ in row], boxes)


def _chains(rows: list[list[int]], arrows: list[Arrow]) -> list[list[int]]:
    """Boxes one below the other, each of which is all that the one above it leads to in the next row."""
    above, below = defaultdict[int, list[int]](list), defaultdict[int, list[int]](list)
    for arrow in arrows:
        above[arrow.target].append(arrow.source)
        below[arrow.source].append(arrow.target)
    chain: dict[int, list[int]] = {}
    for row in rows:
        for id_ in row:
            (giver,) = above[id_] if len(above[id_]) == 1 else (IN,)
            chain[id_] = chain[giver] if giver in chain and len(below[giver]) == 1 else []
            chain[id_].append(id_)
    return list({id(one): one for one in chain.values()}.values())


def _spread(row: list[int], wanted: list[float], boxes: dict[int, Placed]) -> None:
    """Puts boxes with their middles where they want to be, side by side without touching."""
    right: float | None = None
    for id_, middle in zip(row, wanted, strict=True):
        box = boxes[id_]
        box.centre(middle)
        if right is not None:
            box.x = max(box.x, right + BESIDE)
        right = box.x + box.width
    off = sum(boxes[id_].middle for id_ in row) / len(row) - sum(wanted) / len(row)
    for id_ in row:
        boxes[id_].x -= off


def _neighbours(arrows: list[Arrow]) -> dict[int, list[int]]:
    beside: dict[int, list[int]] = defaultdict(list)
    for arrow in arrows:
        if arrow.source < arrow.target or arrow.source == IN:
            beside[arrow.source].append(arrow.target)
            beside[arrow.target].append(arrow.source)
    return beside


def _mean(values: list[float], otherwise: float) -> float:
    return sum(values) / len(values) if values else otherwise
