"""What stands in a box: short texts, and how much room they take."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from pellucid.graph.drawing.visible import Box
from pellucid.graph.structure import Node, Shape

LINE = 15.0  # height of a line of text
_LETTER = 6.5  # mean width of a letter at 11 pixels, on the wide side
_WIDE = 7.0  # the same of a name, which is bold
_LONGEST = 38


class Words(NamedTuple):
    """The texts of a box: its name, what it is, and lines below."""

    name: str
    operation: str
    below: list[str]


def words(node: Node, box: Box, *, slim: bool) -> Words:
    """What a box says of its node; of one that is open or slim, all in one line."""
    name = node.name.rpartition(".")[2] if node.kind != "input" else node.name
    operation = "" if node.kind in ("input", "output") else node.operation
    if node.kind == "function":
        name, operation = node.operation, ""
    detail = _detail(node.arguments) if node.pool is None else ""
    told = " ".join(part for part in (operation, detail) if part)
    below = []
    shape = shapes(node.inputs if node.kind == "output" else node.outputs)
    size = f"{amount(node.parameters)} parameters" if node.parameters else ""
    facts = " · ".join(part for part in (shape, size) if part)
    if box.children or slim:
        return Words(cut(name), cut(" · ".join(part for part in (told, size if box.children else "") if part)), [])
    if facts:
        below.append(cut(facts))
    if node.steps is not None:
        below.append(f"loops over {node.steps:,} steps")
    if box.steps > 1:
        below.append(f"called {box.steps:,} times, once a step")
    if node.pool is not None:
        window, stride = by(node.pool.window), by(node.pool.stride)
        below.append(f"window {window}, stride {stride}, keeps {_share(node.pool.kept)}")
        if node.pool.seen < 1:
            below.append(f"sees {_share(node.pool.seen)} of its input")
    if node.error:
        below.append(cut(node.error))
    return Words(cut(name), cut(told), below)


def room(text: Words) -> float:
    """Width that the texts take."""
    first = len(text.name) * _WIDE + len(text.operation) * _LETTER + 8.0
    return max([first, *(len(line) * _LETTER for line in text.below)])


def shapes(all_: tuple[Shape, ...]) -> str:
    """Shapes as text; an axis whose length is not known is a question mark."""
    texts = ["x".join("?" if length < 0 else str(length) for length in shape) or "scalar" for shape in all_]
    return ", ".join(texts[:2]) + (f" and {len(texts) - 2} more" if len(texts) > 2 else "")


def by(lengths: list[int]) -> str:
    """Lengths along axes: "3x3", or one number where there is one axis."""
    return "x".join(str(length) for length in lengths)


def amount(number: float) -> str:
    """A count in short: 1.23 G."""
    for size, unit in ((1e12, "T"), (1e9, "G"), (1e6, "M"), (1e3, "k")):
        if number >= size:
            return f"{number / size:.3g} {unit}"
    return f"{number:.3g}"


def cut(text: str, longest: int = _LONGEST) -> str:
    """A text that is no longer than that."""
    return text if len(text) <= longest else f"{text[: longest - 1]}…"


def _share(part: float) -> str:
    return f"{part:.1%}".replace(".0%", "%")


def _detail(settings: Mapping[str, str]) -> str:
    """The few settings that tell calls of one operation apart at a glance."""
    parts = []
    if "kernel_size" in settings:
        parts.append(_axes(settings["kernel_size"]))
        if (stride := _axes(settings.get("stride", "1"))) not in ("1", "1x1", "None"):
            parts.append(f"stride {stride}")
        if (groups := settings.get("groups", "1")) != "1":
            parts.append(f"groups {groups}")
    if "p" in settings:
        parts.append(f"p={settings['p']}")
    return ", ".join(parts)


def _axes(text: str) -> str:
    return text.strip("()").replace(", ", "x").rstrip(",")
