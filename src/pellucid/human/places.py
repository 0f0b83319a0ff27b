"""Reading where people looked: a table of clicks, or of bubbles through which an image was seen."""

from __future__ import annotations

import csv
import io
import math
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from pellucid.errors import DataError

EXPECTED = (
    "Expected a CSV of clicks (observer, example, x, y) or of bubbles (observer, example, x, y, radius, correct): x and y from the "
    "left upper corner as shares of the picture's width and height, or in its pixels beside the columns width and height"
)
_NAMES = {
    "observer": ("observer", "subj", "subject", "participant", "worker"),
    "example": ("example", "imagename", "image", "filename", "file", "id"),
    "x": ("x",),
    "y": ("y",),
    "width": ("width", "image_width"),
    "height": ("height", "image_height"),
    "radius": ("radius", "sigma"),
    "correct": ("correct", "right"),
}
_YES = {"1": True, "true": True, "yes": True, "0": False, "false": False, "no": False}


@dataclass
class Marks:
    """The places on one image: x and y as shares of its width and height.

    Attributes:
        observers: who marked each place.
        aspect: width over height, None where the table does not say.
        radii: of bubbles, shares of the longer side; empty for clicks.
        right: of bubbles, whether the answer was right.
    """

    x: list[float] = field(default_factory=list)
    y: list[float] = field(default_factory=list)
    observers: list[str] = field(default_factory=list)
    radii: list[float] = field(default_factory=list)
    right: list[bool] = field(default_factory=list)
    aspect: float | None = None


@dataclass(frozen=True)
class Places:
    """All marks, by the name of the image; `outside` lay beyond its edge and are left out."""

    layout: Literal["clicks", "bubbles"]
    images: dict[str, Marks]
    outside: int


def read_places(paths: Sequence[Path]) -> Places:
    """Reads one or more tables of one layout. Raises: DataError."""
    images: dict[str, Marks] = defaultdict(Marks)
    layouts: set[Literal["clicks", "bubbles"]] = set()
    outside = 0
    for path in paths:
        rows, roles = _table(path)
        bubbles = "radius" in roles and "correct" in roles
        layouts.add("bubbles" if bubbles else "clicks")
        for number, row in enumerate(rows, 1):
            outside += _take(images, row, roles, bubbles, f"row {number:,} of {path}")
    if len(layouts) != 1:
        raise DataError(f"The files are of both clicks and bubbles; compare them one after the other. {EXPECTED}.")
    return Places(layouts.pop(), dict(images), outside)


def _table(path: Path) -> tuple[list[dict[str, str]], dict[str, str]]:
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, ValueError) as error:
        raise DataError(f"{path} cannot be read: {error}. {EXPECTED}.") from error
    reader = csv.DictReader(io.StringIO(text), delimiter="\t" if path.suffix.lower() == ".tsv" else ",")
    columns = {name.strip().casefold(): name for name in reader.fieldnames or ()}
    roles = {role: columns[name] for role, names in _NAMES.items() for name in reversed(names) if name in columns}
    missing = [role for role in ("observer", "example", "x", "y") if role not in roles]
    if missing:
        raise DataError(
            f"{path} has the columns {', '.join(columns) or '(none)'} and lacks {', '.join(missing)}. {EXPECTED}."
        )
    rows = list(reader)
    if not rows:
        raise DataError(f"{path} holds no rows: nobody marked anything. {EXPECTED}.")
    return rows, roles


def _take(images: dict[str, Marks], row: dict[str, str], roles: dict[str, str], bubbles: bool, where: str) -> int:
    """Takes a place in; 1 where it lies outside of its image."""
    x, y = (_number(row, roles, axis, where) for axis in ("x", "y"))
    aspect, longer = None, 1.0
    if "width" in roles and "height" in roles:
        width, height = (_number(row, roles, axis, where) for axis in ("width", "height"))
        if not (width > 0 and height > 0):
            raise DataError(f"The width and height in {where} must be above 0; got {width:g} and {height:g}.")
        x, y, aspect, longer = x / width, y / height, width / height, max(width, height)
    elif max(x, y) > 1.5:
        raise DataError(
            f"x and y in {where} are {x:g} and {y:g}: pixels, without the picture's width and height. {EXPECTED}."
        )
    if not (0 <= x <= 1 and 0 <= y <= 1):
        return 1
    marks = images[(row[roles["example"]] or "").strip()]
    if bubbles:
        radius = _number(row, roles, "radius", where) / longer
        said = (row[roles["correct"]] or "").strip().casefold()
        if said not in _YES or not radius > 0:
            raise DataError(f"{where} needs a radius above 0 and correct as 1 or 0; got {radius:g} and '{said}'.")
        marks.radii.append(radius)
        marks.right.append(_YES[said])
    marks.x.append(x)
    marks.y.append(y)
    marks.observers.append((row[roles["observer"]] or "").strip())
    marks.aspect = aspect or marks.aspect
    return 0


def _number(row: dict[str, str], roles: dict[str, str], role: str, where: str) -> float:
    text = (row[roles[role]] or "").strip()
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise DataError(f"The {role} in {where} is '{text}'; expected a number. {EXPECTED}.")
    return value
