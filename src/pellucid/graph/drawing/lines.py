"""Arrows as lines: straight down, past what lies between in a lane beside it, or back up on the other side."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal, TypeAlias

from pellucid.graph.drawing.visible import IN, OUT, Arrow, Box

Point: TypeAlias = tuple[float, float]
Route: TypeAlias = Literal["flow", "lane", "back"]

PADDING = 14.0
LANE = 9.0  # from one lane to the next
_CLEAR = 8.0  # between a row and a line that leaves or enters it sideways


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


def route(whole: Placed, rows: list[list[int]], boxes: dict[int, Placed], title: float, least: float) -> None:
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
        beside = (_row_of(arrow.source, rank, rows, ends), _row_of(arrow.target, rank, rows, ends))
        if route == "flow":
            points = _down(arrow, one, other, rank, rows, boxes)
        elif route == "lane":
            points = _around(one, other, right + 6.0 + LANE * (at[route, arrow.source] + 1), 1, beside)
        else:
            points = _around(one, other, left - 6.0 - LANE * (at[route, arrow.source] + 1), -1, beside)
        whole.lines.append(Line(arrow, route, points))
    room = {route: 6.0 + LANE * (len(taken) + 1) if taken else 0.0 for route, taken in lanes.items()}
    whole.width = max(least, right - left + room["lane"] + room["back"] + 2 * PADDING)
    shift = (whole.width - (right - left) - room["lane"] - room["back"]) / 2 + room["back"] - left
    whole.port = middle + shift
    for box in boxes.values():
        box.x += shift
    for line in whole.lines:
        line.points = [(x + shift, y) for x, y in line.points]


def _row_of(id_: int, rank: dict[int, int], rows: list[list[int]], ends: dict[int, Placed]) -> list[Placed]:
    """The boxes of a box's row; of the border, the border alone."""
    return [ends[id_]] if id_ in (IN, OUT) else [ends[other] for other in rows[rank[id_]]]


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


def _around(
    one: Placed, other: Placed, x: float, side: Literal[1, -1], rows: tuple[Sequence[Placed], ...]
) -> list[Point]:
    """Along a lane: out of the side of one box and into that of another, or past their rows where others stand beside."""
    giving, taking = rows
    points: list[Point] = []
    if _outermost(one, giving, side):
        start = one.y + one.height * 0.6
        points += [(one.x + one.width if side > 0 else one.x, start), (x, start)]
    else:
        start = max(box.bottom for box in giving) + _CLEAR
        points += [(one.middle, one.bottom), (one.middle, start), (x, start)]
    if _outermost(other, taking, side):
        end = other.y + other.height * 0.4
        return [*points, (x, end), (other.x + other.width if side > 0 else other.x, end)]
    end = min(box.y for box in taking) - _CLEAR - 2.0
    return [*points, (x, end), (other.middle, end), (other.middle, other.y)]


def _outermost(box: Placed, row: Sequence[Placed], side: Literal[1, -1]) -> bool:
    return all((other.x - box.x) * side <= 0 for other in row)


def _lane(lanes: list[list[tuple[int, int]]], first: int, last: int) -> int:
    """The innermost lane that is free between two ranks."""
    for number, taken in enumerate(lanes):
        if all(last <= start or end <= first for start, end in taken):
            taken.append((first, last))
            return number
    lanes.append([(first, last)])
    return len(lanes) - 1
