"""Pictures with a label for the whole of each: a folder a concept, or a table of images and concepts.

DIR/cat/1.jpg                       a folder a concept: a picture shows the one that it lies in
TABLE.csv, .tsv or .parquet         columns image (a path beside the table) and concept, and perhaps kind; a row each thing shown

A picture is asked about the concepts of a kind only where the table says something of that kind; an empty concept says: none.
"""

from __future__ import annotations

import csv
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from pellucid.data.folder import EXTENSIONS
from pellucid.data.labelled import prepared
from pellucid.errors import DataError
from pellucid.features.concepts import Concept
from pellucid.features.concepts.sets import Picture
from pellucid.recipe import Recipe

TABLES = (".csv", ".tsv", ".parquet")
_MOST_CONCEPTS = 2000
_KIND = "label"  # of concepts that no kind is given for

Row = tuple[str, str, str]
"""Image, concept, kind."""


@dataclass(frozen=True)
class Tagged:
    """Pictures with labels; see pellucid.features.concepts.LabelSet.

    Attributes:
        root: the folder, or the table.
        images: in order of their paths.
        concepts: kinds sorted by name, their concepts too.
        labels: int8[picture concept]: 1 shown, 0 not, -1 not said.
        recipe: how images are brought to the model's size.
        size: channels, height and width of the model's input.
    """

    root: Path
    images: tuple[Path, ...]
    concepts: tuple[Concept, ...]
    labels: NDArray[np.int8]
    recipe: Recipe
    size: tuple[int, int, int]

    @property
    def name(self) -> str:
        """For people."""
        return f"{len(self.images):,} pictures of {self.root.resolve().name}, labelled as wholes"

    def __len__(self) -> int:
        return len(self.images)

    def picture(self, row: int) -> Picture:
        """float32[channel height width] between 0 and 1. Raises: DataError: it cannot be decoded."""
        return prepared(self.images[row], self.recipe, self.size)


def is_tagged(place: Path) -> bool:
    """Whether a path is a table of labels or a folder of class folders, rather than images beside masks."""
    if place.is_file():
        return place.suffix.lower() in TABLES
    return place.is_dir() and not ((place / "images").is_dir() and (place / "masks").is_dir())


def open_tagged(place: str | Path, size: tuple[int, int, int], recipe: Recipe | None = None) -> Tagged:
    """Opens a folder of class folders or a table for a model that takes this size.

    Args:
        place: DIR or TABLE.
        size: channels, height and width of the model's input.
        recipe: how the model's images are prepared; where None, they are resized to its size.

    Raises: DataError: it names no images, or the model takes neither grey nor coloured ones.
    """
    root = Path(place)
    if size[0] not in (1, 3):
        raise DataError(f"Labelled pictures have one channel or three; the model takes {size[0]}.")
    rows = list(_of_folders(root)) if root.is_dir() else list(_of_table(root))
    named = sorted({(kind, concept) for _, concept, kind in rows if concept})
    if not named:
        raise DataError(f"{root} names no concept: {_EXPECTED}")
    if len(named) > _MOST_CONCEPTS:
        raise DataError(f"{root} names {len(named):,} concepts; at most {_MOST_CONCEPTS:,} can be told apart at once.")
    folder = root if root.is_dir() else root.parent
    images = tuple(sorted({image for image, _, _ in rows}))
    places = tuple(_inside(folder, image, root) for image in images)
    plain = Recipe(size=size[1:], grayscale=size[0] == 1)
    chosen = recipe if recipe is not None and (recipe.size or recipe.crop) else plain
    concepts = tuple(Concept(concept, kind) for kind, concept in named)
    chosen = replace(chosen, grayscale=size[0] == 1, mean=None, std=None)
    return Tagged(root, places, concepts, _labels(rows, images, concepts), chosen, size)


_EXPECTED = (
    "expected a folder a concept with images in it (DIR/cat/1.jpg), or a table (.csv, .tsv, .parquet) with the columns image "
    "and concept, and perhaps kind."
)


def _labels(rows: Sequence[Row], images: Sequence[str], concepts: tuple[Concept, ...]) -> NDArray[np.int8]:
    at_image = {image: at for at, image in enumerate(images)}
    at_concept = {(one.kind, one.name): at for at, one in enumerate(concepts)}
    of_kind: dict[str, list[int]] = {}
    for at, one in enumerate(concepts):
        of_kind.setdefault(one.kind, []).append(at)
    labels = np.full((len(images), len(concepts)), -1, np.int8)
    for image, _, kind in rows:
        labels[at_image[image], of_kind.get(kind, [])] = 0
    for image, concept, kind in rows:
        if concept:
            labels[at_image[image], at_concept[kind, concept]] = 1
    return labels


def _of_folders(root: Path) -> Iterator[Row]:
    for folder in sorted(root.iterdir()):
        if folder.is_dir() and not folder.name.startswith("."):
            for image in sorted(folder.rglob("*")):
                if image.suffix.lower() in EXTENSIONS and not image.name.startswith(".") and image.is_file():
                    yield image.relative_to(root).as_posix(), folder.name, _KIND


def _of_table(file: Path) -> Iterator[Row]:
    names, rows = _parquet(file) if file.suffix.lower() == ".parquet" else _text(file)
    lower = [name.strip().casefold() for name in names]
    if "image" not in lower or "concept" not in lower:
        raise DataError(f"{file} has the columns {', '.join(names) or 'none'}; {_EXPECTED}")
    image, concept = lower.index("image"), lower.index("concept")
    kind = lower.index("kind") if "kind" in lower else None
    for number, row in enumerate(rows, 2):
        if len(row) != len(names) or not row[image].strip():
            raise DataError(
                f"Row {number} of {file} has {len(row)} cells; expected {len(names)}, of which the image is not empty."
            )
        yield row[image].strip(), row[concept].strip(), (row[kind].strip() if kind is not None else "") or _KIND


def _text(file: Path) -> tuple[list[str], list[list[str]]]:
    try:
        text = file.read_text(encoding="utf-8-sig")
        rows = list(csv.reader(text.splitlines(), delimiter="," if file.suffix.lower() == ".csv" else "\t"))
    except (UnicodeDecodeError, csv.Error) as error:
        raise DataError(f"{file} is no table of UTF-8 text: {error}.") from error
    filled = [row for row in rows if any(cell.strip() for cell in row)]
    return (filled[0], filled[1:]) if filled else ([], [])


def _parquet(file: Path) -> tuple[list[str], list[list[str]]]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        table = pq.read_table(file)
    except (pa.ArrowException, OSError) as error:
        raise DataError(f"{file} is no Parquet file that can be read: {error}.") from error
    names = [name for name in table.column_names if name.casefold() in ("image", "concept", "kind")]
    for name in names:
        if not (pa.types.is_string(table[name].type) or pa.types.is_large_string(table[name].type)):
            raise DataError(f"The column '{name}' of {file} is {table[name].type}; expected text.")
    columns = [[value or "" for value in table[name].to_pylist()] for name in names]
    return names or list(table.column_names), [list(row) for row in zip(*columns, strict=True)]


def _inside(folder: Path, image: str, root: Path) -> Path:
    """Where a named image lies. Raises: DataError: it is not there, or lies outside the folder."""
    place = folder / image
    if not place.resolve().is_relative_to(folder.resolve()):
        raise DataError(f"{root} names the image '{image}', which lies outside its folder; name images below {folder}.")
    if not place.is_file():
        raise DataError(f"{root} names the image '{image}', but there is no file {place}.")
    return place
