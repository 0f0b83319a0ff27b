"""Graphs as SVG: one file, no script, light and dark; every name of a model is text in it, never markup."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from xml.sax.saxutils import escape, quoteattr

from pellucid.graph.difference import KINDS, Change, Difference
from pellucid.graph.drawing.legend import MARKS, legend
from pellucid.graph.drawing.lines import Line, Placed, Point
from pellucid.graph.drawing.place import TITLE, placed
from pellucid.graph.drawing.style import STYLE
from pellucid.graph.drawing.visible import FOLLOWS, ROOT, Box, seen, suited_depth
from pellucid.graph.drawing.words import LINE, amount, cut, room, words
from pellucid.graph.structure import Graph, Node

_MARGIN = 24.0
_HEAD = 58.0  # height of the title and the line below it
_TITLE_LETTER = 10.6  # of its bold letters, in the widest of usual fonts
_SLIM = 22.0
_ROUND = 7.0  # radius of a line's corners
_SLIM_ROLES = ("pass", "join", "activation")


def svg(graph: Graph, *, title: str = "", depth: int | None = None) -> str:
    """A graph as an SVG document.

    Args:
        graph: what is drawn; where its trace stopped half-way, the drawing ends there and says so.
        title: name of the model.
        depth: modules at this depth stay folded, 1 being what the model itself calls; chosen by size where not given.
    """
    return _document(title or "Graph", [("", _Drawing(graph, depth, {}))], [graph])


def difference_svg(difference: Difference, *, names: tuple[str, str], depth: int | None = None) -> str:
    """Two graphs side by side, the old one on the left, with what was added, removed, changed and moved marked.

    Args:
        difference: of the two.
        names: of the old model and of the new one.
        depth: as for `svg`, for both.
    """
    old, new = difference.old, difference.new
    was = {change.old: _mark(change) for change in reversed(difference.changes) if change.old is not None}
    now = {change.new: _mark(change) for change in reversed(difference.changes) if change.new is not None}
    deep = depth or min(suited_depth(old, was), suited_depth(new, now))
    counted = Counter(_mark(change) for change in difference.changes)
    told = [f"{counted[kind]:,} {kind}" for kind in KINDS if counted[kind]]
    told += [f"{counted[FOLLOWS]:,} of another shape"] if counted[FOLLOWS] else []
    counts = ", ".join(told) or "no difference"
    panes = [(names[0], _Drawing(old, deep, was)), (names[1], _Drawing(new, deep, now))]
    return _document(f"{names[0]} → {names[1]}: {counts}", panes, [old, new])


def _mark(change: Change) -> str:
    return FOLLOWS if change.what == ("shape",) else change.kind


def _document(title: str, panes: list[tuple[str, _Drawing]], graphs: list[Graph]) -> str:
    body: list[str] = []
    x, height = _MARGIN, 0.0
    top = _HEAD + (24.0 if len(panes) > 1 else 0.0)
    for name, drawing in panes:
        if name:
            body.append(_text(x, _HEAD + 14.0, cut(name, 60), "name"))
        body += [f'<g transform="translate({x:.1f} {top:.1f})">', *drawing.parts(), "</g>"]
        x += drawing.whole.width + 2 * _MARGIN
        height = max(height, drawing.whole.height)
    roles = {node.role for _, drawing in panes for node in drawing.drawn()}
    routes = {"back" if line.arrow.feeds_back else line.route for _, drawing in panes for line in drawing.lines()}
    kinds = {kind for _, drawing in panes for box in drawing.whole.box.all() for kind in box.marks}
    folded = any(box.times > 1 for _, drawing in panes for box in drawing.whole.box.all())
    facts = " → ".join(_facts(graph) for graph in graphs)
    wide = max(x - _MARGIN, _TITLE_LETTER * len(cut(title, 90)) + 2 * _MARGIN, 6.4 * len(facts) + 2 * _MARGIN, 440.0)
    in_order = [kind for kind in MARKS if kind in kinds]
    key, key_height = legend(roles, routes, in_order, folded=folded, width=wide - 2 * _MARGIN)
    tall = top + height + 26.0 + key_height + 12.0
    lines = [
        '<?xml version="1.0" encoding="UTF-8"?>',
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{wide:.0f}" height="{tall:.0f}" '
        f'viewBox="0 0 {wide:.0f} {tall:.0f}" role="img" aria-label={quoteattr(_plain(title))}>',
        f"<title>{escape(_plain(title))}</title>",
        f"<style>{STYLE}</style>",
        '<rect class="paper" width="100%" height="100%"/>',
        _text(_MARGIN, 28.0, cut(title, 90), "title"),
        _text(_MARGIN, 46.0, facts, "facts"),
        *body,
        f'<g transform="translate({_MARGIN:.1f} {top + height + 26.0:.1f})">',
        *key,
        "</g>",
        "</svg>",
    ]
    return "\n".join(lines) + "\n"


def _facts(graph: Graph) -> str:
    flops = "" if graph.flops is None else f" · {amount(graph.flops)} FLOPs for a batch of {graph.batch}"
    stopped = "" if graph.error is None else f" · stopped half-way: {cut(graph.error, 80)}"
    return f"{graph.parameters:,} parameters{flops}{stopped}"


class _Drawing:
    """One graph, laid out."""

    def __init__(self, graph: Graph, depth: int | None, marks: Mapping[int, str]) -> None:
        self.graph, self.marks = graph, marks
        self.whole: Placed = placed(seen(graph, depth, marks), self._size, title=0.0)

    def drawn(self) -> Iterator[Node]:
        """Nodes that have a box of their own."""
        return (self.graph.nodes[box.id] for box in self.whole.box.all() if box.id != ROOT)

    def lines(self) -> Iterator[Line]:
        """All arrows."""
        waiting = [self.whole]
        while waiting:
            here = waiting.pop()
            yield from here.lines
            waiting += here.children

    def parts(self) -> Iterator[str]:
        """The elements, inner ones above outer ones."""
        yield from self._inside(self.whole, 0.0, 0.0)

    def _is_slim(self, box: Box) -> bool:
        node = self.graph.nodes[box.id]
        return node.role in _SLIM_ROLES and not self._holds(box) and node.error is None

    def _holds(self, box: Box) -> bool:
        return box.id + 1 < len(self.graph.nodes) and self.graph.nodes[box.id + 1].parent == box.id

    def _size(self, box: Box) -> tuple[float, float]:
        if box.id == ROOT:
            return 0.0, 0.0
        text = words(self.graph.nodes[box.id], box, slim=self._is_slim(box))
        times = 34.0 if box.times > 1 else 0.0
        width = room(text) + times + (26.0 if box.marks else 0.0) + 22.0
        return max(width, 64.0), _SLIM if self._is_slim(box) else 10.0 + LINE * (1 + len(text.below))

    def _inside(self, holder: Placed, x: float, y: float) -> Iterator[str]:
        for child in holder.children:
            yield from self._box(child, x + child.x, y + child.y)
        said: set[int] = set()
        boxes = {child.box.id: child.box for child in holder.children}
        for line in holder.lines:
            yield _path(line, x, y)
        for line in holder.lines:
            giver = boxes.get(line.arrow.source)
            label = line.arrow.label or (giver.after if giver is not None else None)
            if label and giver is not None and giver.id not in said and self.graph.nodes[giver.id].activation != label:
                said.add(giver.id)
                place = next(child for child in holder.children if child.box is giver)
                yield _text(x + place.middle + 6.0, y + place.bottom + 12.0, cut(label, 20), "act")

    def _box(self, at: Placed, x: float, y: float) -> Iterator[str]:
        node, box = self.graph.nodes[at.box.id], at.box
        text = words(node, box, slim=self._is_slim(box))
        # A folded module in which something happened has changed; an added one is added.
        kind = self.marks.get(box.id) or ("changed" if box.marks - {FOLLOWS} else FOLLOWS if box.marks else None)
        failed = " failed" if node.error is not None and not box.children else ""
        ends = " end" if node.kind in ("input", "output") else ""
        mark = f" {kind}" if kind else ""
        shape = "frame" if box.children else "box"
        yield f"<g><title>{escape(_plain(_told(node)))}</title>"
        if box.times > 1:  # the edges of the blocks behind it
            yield _rect(x + 5.0, y + 5.0, at.width, at.height, f"{shape} behind")
        yield _rect(x, y, at.width, at.height, f"{shape} {node.role}{ends}{failed}{mark}")
        if not box.children and not ends:
            yield f'<rect class="stripe {node.role}" x="{x:.1f}" y="{y:.1f}" width="4" height="{at.height:.1f}" rx="2"/>'
        base = y + (17.0 if box.children else 15.0)
        bold = f'<tspan class="name">{escape(_plain(text.name))}</tspan>'
        light = f'<tspan dx="6" class="operation">{escape(_plain(text.operation))}</tspan>' if text.operation else ""
        yield f'<text x="{x + 12.0:.1f}" y="{base:.1f}">{bold}{light}</text>'
        for number, line in enumerate(text.below, start=1):
            yield _text(x + 12.0, base + number * LINE, line, "below")
        if box.times > 1:
            yield _text(x + at.width - 8.0, base, f"×{box.times}", "times")
        if sign := "".join(MARKS[one] for one in KINDS if one in box.marks):
            yield _text(x + at.width - (40.0 if box.times > 1 else 8.0), base, sign, f"sign {kind}")
        if box.children:
            yield f'<line class="rule" x1="{x:.1f}" x2="{x + at.width:.1f}" y1="{y + TITLE:.1f}" y2="{y + TITLE:.1f}"/>'
        yield from self._inside(at, x, y)
        yield "</g>"


def _told(node: Node) -> str:
    """What a browser shows of a box under the pointer."""
    settings = ", ".join(f"{name}={value}" for name, value in node.arguments.items())
    lines = [f"{node.name} {node.operation}", settings, f"{node.parameters:,} parameters" if node.parameters else ""]
    lines += [f"{amount(node.flops)} FLOPs" if node.flops else "", node.source or "", node.error or ""]
    return "\n".join(line for line in lines if line)


def _path(line: Line, x: float, y: float) -> str:
    points = [(px + x, py + y) for px, py in line.points]
    kind = "back" if line.arrow.feeds_back else line.route
    way = _rounded(points) if line.route != "flow" else _curved(points)
    (bx, _), (ex, ey) = points[-2:]
    if abs(bx - ex) < 0.5 or line.route == "flow":
        head = f"M{ex - 3.5:.1f} {ey - 6:.1f}L{ex:.1f} {ey:.1f}L{ex + 3.5:.1f} {ey - 6:.1f}Z"
    else:
        back = 6.0 if bx > ex else -6.0
        head = f"M{ex + back:.1f} {ey - 3.5:.1f}L{ex:.1f} {ey:.1f}L{ex + back:.1f} {ey + 3.5:.1f}Z"
    return f'<path class="line {kind}" d="{way}"/><path class="head {kind}" d="{head}"/>'


def _curved(points: list[Point]) -> str:
    """Straight down where the ends stand above each other, else with a bend between them."""
    (x, y), *others = points
    way = f"M{x:.1f} {y:.1f}"
    for nx, ny in others:
        half = (ny - y) / 2
        same = abs(nx - x) < 0.5
        way += f"L{nx:.1f} {ny:.1f}" if same else f"C{x:.1f} {y + half:.1f} {nx:.1f} {ny - half:.1f} {nx:.1f} {ny:.1f}"
        x, y = nx, ny
    return way


def _rounded(points: list[Point]) -> str:
    way = f"M{points[0][0]:.1f} {points[0][1]:.1f}"
    for (ax, ay), (bx, by_), (cx, cy) in zip(points, points[1:], points[2:], strict=False):
        before, after = _towards((bx, by_), (ax, ay)), _towards((bx, by_), (cx, cy))
        way += f"L{before[0]:.1f} {before[1]:.1f}Q{bx:.1f} {by_:.1f} {after[0]:.1f} {after[1]:.1f}"
    return way + f"L{points[-1][0]:.1f} {points[-1][1]:.1f}"


def _towards(corner: Point, end: Point) -> Point:
    dx, dy = end[0] - corner[0], end[1] - corner[1]
    length = max(abs(dx) + abs(dy), 1e-9)
    step = min(_ROUND, length / 2)
    return corner[0] + dx / length * step, corner[1] + dy / length * step


def _rect(x: float, y: float, width: float, height: float, kind: str) -> str:
    return f'<rect class="{kind}" x="{x:.1f}" y="{y:.1f}" width="{width:.1f}" height="{height:.1f}" rx="5"/>'


def _text(x: float, y: float, text: str, kind: str) -> str:
    return f'<text class="{kind}" x="{x:.1f}" y="{y:.1f}">{escape(_plain(text))}</text>'


def _plain(text: str) -> str:
    """Text that XML can hold and that cannot reverse what stands around it: controls and such made visible."""
    return "".join(
        letter if letter.isprintable() or letter == "\n" else letter.encode("unicode_escape").decode("ascii")
        for letter in text
    )
