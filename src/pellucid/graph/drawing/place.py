"""Where everything stands: each open module laid out in rows by itself, inner ones first, then moved to its place."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Literal, TypeAlias

from pellucid.graph.drawing.visible import IN, OUT, Arrow, Box

Point: TypeAlias = tuple[float, float]
Route: TypeAlias = Literal["flow", "lane", "back"]

TITLE = 26.0  # height of an open module's title
GAP = 30.0  # between rows
BESIDE = 18.0  # between boxes of a row
PADDING = 14.0
LANE = 9.0  # from one lane to the next
_SWEEPS = 6


@dataclass
class Line:
    """An arrow's corners; its label stands at the first of them."""

    arrow: Arrow
    route: Route
    points: list[Point]


@dataclass
class Placed:
    """A box at its place, x and y of the left upper corner relative to the box that holds it.

    Attributes:
        port: where lines enter and leave, from its left edge; its middle where not given.
    """

    box: Box
    width: float
    height: float
    x: float = 0.0
    y: float = 0.0
    port: float | None = None
    children: list[Placed] = field(default_factory=list)
    lines: list[Line] = field(default_factory=list)

    @property
    def middle(self) -> float:
        """X at which lines enter and leave it."""
        return self.x + self._port

    @property
    def _port(self) -> float:
        return self.width / 2 if self.port is None else self.port

    def centre(self, x: float) -> None:
        """Moves it sideways so that lines enter it there."""
        self.x = x - self._port

    @property
    def bottom(self) -> float:
        """Y of its lower edge."""
        return self.y + self.height


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
    _route(whole, rows, children, title, width)
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
        straight = {id_: _mean([boxes[one].middle for one in chain], 0.0) for chain in chains for id_ in chain}
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


# --- lines ----------------------------------------------------------------------------------------------------


def _route(whole: Placed, rows: list[list[int]], boxes: dict[int, Placed], title: float, least: float) -> None:
    """Draws the arrows of a module, then moves all to the right of its left edge and sets its width."""
    left = min(box.x for box in boxes.values())
    right = max(box.x + box.width for box in boxes.values())
    straight = [boxes[row[0]].middle for row in (rows[0], rows[-1]) if len(row) == 1]
    middle = straight[0] if straight else (left + right) / 2
    ends = dict(boxes)
    ends[IN] = Placed(whole.box, 0.0, 0.0, middle, title)
    ends[OUT] = Placed(whole.box, 0.0, 0.0, middle, whole.height)
    rank = {id_: number for number, row in enumerate(rows) for id_ in row} | {IN: -1, OUT: len(rows)}
    lanes: dict[Route, list[list[tuple[int, int]]]] = {"lane": [], "back": []}
    at: dict[tuple[Route, int], int] = {}
    reach: dict[tuple[Route, int], list[int]] = defaultdict(list)
    routed: list[tuple[Arrow, Route]] = []
    for arrow in whole.box.arrows:
        route: Route = "flow"
        if rank[arrow.source] >= rank[arrow.target]:
            route = "back"
        elif not _free(arrow, rank, rows, ends):
            route = "lane"
        if route != "flow":
            reach[route, arrow.source] += [rank[arrow.source], rank[arrow.target]]
        routed.append((arrow, route))
    for (route, source), ranks in sorted(reach.items(), key=lambda one: max(one[1][1:]) - min(one[1])):
        at[route, source] = _lane(lanes[route], min(ranks), max(ranks))
    for arrow, route in routed:
        one, other = ends[arrow.source], ends[arrow.target]
        if route == "flow":
            points = _down(arrow, one, other, rank, rows, boxes)
        elif route == "lane":
            points = _around(one, other, right + 6.0 + LANE * (at[route, arrow.source] + 1), 1)
        else:
            points = _around(one, other, left - 6.0 - LANE * (at[route, arrow.source] + 1), -1)
        whole.lines.append(Line(arrow, route, points))
    room = {route: 6.0 + LANE * (len(taken) + 1) if taken else 0.0 for route, taken in lanes.items()}
    whole.width = max(least, right - left + room["lane"] + room["back"] + 2 * PADDING)
    shift = (whole.width - (right - left) - room["lane"] - room["back"]) / 2 + room["back"] - left
    whole.port = middle + shift
    for box in boxes.values():
        box.x += shift
    for line in whole.lines:
        line.points = [(x + shift, y) for x, y in line.points]


def _corridor(arrow: Arrow, rank: dict[int, int], rows: list[list[int]], ends: dict[int, Placed]) -> float | None:
    """X at which a line passes all rows between its ends without touching a box; None where there is none."""
    between = rows[rank[arrow.source] + 1 : rank[arrow.target]]
    for x in (ends[arrow.source].middle, ends[arrow.target].middle):
        boxes = [ends[id_] for row in between for id_ in row]
        if all(not box.x - 6.0 < x < box.x + box.width + 6.0 for box in boxes):
            return x
    return None


def _free(arrow: Arrow, rank: dict[int, int], rows: list[list[int]], ends: dict[int, Placed]) -> bool:
    return rank[arrow.target] - rank[arrow.source] == 1 or _corridor(arrow, rank, rows, ends) is not None


def _down(
    arrow: Arrow, one: Placed, other: Placed, rank: dict[int, int], rows: list[list[int]], boxes: dict[int, Placed]
) -> list[Point]:
    """From the lower edge of one box to the upper edge of another, straight past the rows between."""
    points = [(one.middle, one.bottom), (other.middle, other.y)]
    between = rows[rank[arrow.source] + 1 : rank[arrow.target]]
    if between:
        x = _corridor(arrow, rank, rows, {**boxes, arrow.source: one, arrow.target: other}) or 0.0
        top = min(boxes[id_].y for id_ in between[0]) - 4.0
        bottom = max(boxes[id_].bottom for id_ in between[-1]) + 4.0
        points[1:1] = [(x, top), (x, bottom)]
    return points


def _around(one: Placed, other: Placed, x: float, side: Literal[1, -1]) -> list[Point]:
    """From the side of one box along a lane into the side of another."""

    def edge(box: Placed) -> float:
        return box.x + box.width if side > 0 else box.x

    start = one.y + one.height * 0.6
    end = other.y + other.height * 0.4
    return [(edge(one), start), (x, start), (x, end), (edge(other), end)]


def _lane(lanes: list[list[tuple[int, int]]], first: int, last: int) -> int:
    """The innermost lane that is free between two ranks."""
    for number, taken in enumerate(lanes):
        if all(last <= start or end <= first for start, end in taken):
            taken.append((first, last))
            return number
    lanes.append([(first, last)])
    return len(lanes) - 1
