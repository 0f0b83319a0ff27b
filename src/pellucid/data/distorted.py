"""A series made by `pellucid human distort`: every image under every condition, with what was done to it as columns."""

from __future__ import annotations

import csv
import hashlib
import io
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pellucid.data.listed import ListedImages, Listing
from pellucid.errors import DataError
from pellucid.recipe import Recipe
from pellucid.types import Scalar

TABLE = "series.csv"
DESCRIPTION = "series.json"
# Columns that are not shown beside the examples: they say where and what the file is.
_OWN = frozenset({"id", "label", "sha256", "height", "width"})
_NUMBERS = frozenset({"level", "measured", "clipped"})
_WHOLE = frozenset({"seed"})


def open_data(
    spec: str, *, recipe: Recipe | None = None, limit: int | None = None, skip_bad: bool = False
) -> ListedImages:
    """Opens the folder: ids are `<condition>/<name>.png`; distortion, level, condition, original and seed come along as columns.

    Raises: DataError: the series was cut short or altered.
    """
    root = Path(spec)
    described = _described(root)
    rows = _rows(root)
    classes = described.get("classes")
    names = tuple(map(str, classes)) if isinstance(classes, list) else None
    places = {name: place for place, name in enumerate(names or ())}
    listings = [_listing(root, row, places if names is not None else None) for row in rows[:limit]]
    return ListedImages(
        name=root.resolve().name,
        source=spec,
        classes=names,
        listings=listings,
        recipe=recipe or Recipe(),
        skip_bad=skip_bad,
    )


def _described(root: Path) -> dict[str, Any]:
    try:
        said = json.loads((root / DESCRIPTION).read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise DataError(f"{root / DESCRIPTION} cannot be read: {error}. Make the series again.") from error
    if not isinstance(said, dict):
        raise DataError(f"{root / DESCRIPTION} is no description of a series. Make the series again.")
    return said


def _rows(root: Path) -> list[dict[str, str]]:
    try:
        text = (root / TABLE).read_text(encoding="utf-8")
    except (OSError, ValueError) as error:
        raise DataError(f"{root / TABLE} cannot be read: {error}. Make the series again.") from error
    reader = csv.DictReader(io.StringIO(text))
    missing = {"id", "label", "condition", "sha256"} - set(reader.fieldnames or ())
    if missing:
        raise DataError(f"{root / TABLE} lacks the columns {', '.join(sorted(missing))}. Make the series again.")
    rows = list(reader)
    if not rows:
        raise DataError(f"{root / TABLE} holds no rows: there is nothing to inspect.")
    if any(None in row or None in row.values() for row in rows):
        raise DataError(f"{root / TABLE} was cut short or altered. Make the series again.")
    return rows


def _listing(root: Path, row: dict[str, str], places: dict[str, int] | None) -> Listing:
    pieces = row["id"].split("/")
    if any(piece in ("", ".", "..") or "\\" in piece for piece in pieces):
        raise DataError(f"{root / TABLE} names the image '{row['id']}', which is no path below images/.")
    columns: dict[str, Scalar] = {name: _scalar(name, text) for name, text in row.items() if name not in _OWN}
    return Listing(
        row["id"], _Whole(root / "images" / Path(*pieces), row["sha256"]), _target(root, row, places), columns
    )


def _target(root: Path, row: dict[str, str], places: dict[str, int] | None) -> int | float | None:
    label = row["label"]
    if not label:
        return None
    if places is not None:
        if label not in places:
            raise DataError(f"The label '{label}' in {root / TABLE} is none of the classes of {DESCRIPTION}.")
        return places[label]
    try:
        return int(label) if label.lstrip("-").isdigit() else float(label)
    except ValueError:
        raise DataError(
            f"The label '{label}' in {root / TABLE} is no number, and {DESCRIPTION} names no classes."
        ) from None


def _scalar(name: str, text: str) -> Scalar:
    if name not in _NUMBERS and name not in _WHOLE:
        return text
    if not text:
        return None
    try:
        return int(text) if name in _WHOLE else float(text)
    except ValueError:
        return text


@dataclass(frozen=True)
class _Whole:
    """Reads a picture and refuses one that is not the one that was made."""

    path: Path
    sha256: str

    def __call__(self) -> bytes:
        content = self.path.read_bytes()
        if hashlib.sha256(content).hexdigest() != self.sha256:
            raise OSError(f"it is not the picture that {TABLE} describes (its SHA-256 differs)")
        return content
