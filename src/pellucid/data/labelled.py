"""Labelled pictures from a folder: images, and masks that say which concept of each kind stands at each pixel.

DIR/images/street.jpg
DIR/masks/object/names.txt          one name a line: the first is index 1, and 0 is nothing
DIR/masks/object/street.png         index of the concept at each pixel
DIR/masks/material/brick/street.png or, a folder a concept: whatever is not 0 is brick
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from pellucid.data.folder import EXTENSIONS
from pellucid.data.images import UndecodableImageError, decode
from pellucid.errors import DataError
from pellucid.features.concepts import Concept
from pellucid.features.concepts.sets import Picture, Planes, at_mask, mask_size_of
from pellucid.recipe import Recipe

if TYPE_CHECKING:
    from PIL.Image import Image

_MOST_CONCEPTS = 2000
Indices = NDArray[np.int64]


@dataclass(frozen=True)
class _Kind:
    """The masks of one kind: `folders` by concept, or None for pictures of indices."""

    name: str
    names: tuple[str, ...]
    place: Path
    folders: tuple[Path, ...] | None


@dataclass(frozen=True)
class Labelled:
    """A folder of labelled pictures as a set of concepts; see pellucid.features.concepts.ConceptSet.

    Attributes:
        root: the folder.
        images: those that have a mask, sorted.
        kinds: folders of `masks/`.
        recipe: how images and masks are brought to the model's size.
        size: channels, height and width of the model's input.
    """

    root: Path
    images: tuple[Path, ...]
    kinds: tuple[_Kind, ...]
    recipe: Recipe
    size: tuple[int, int, int]

    @property
    def name(self) -> str:
        """For people."""
        return f"{len(self.images):,} labelled pictures of {self.root.resolve().name}"

    @property
    def concepts(self) -> tuple[Concept, ...]:
        """Kinds sorted by name, their concepts in order of index."""
        return tuple(Concept(name, kind.name) for kind in self.kinds for name in kind.names)

    @property
    def mask_size(self) -> tuple[int, int]:
        """See `mask_size_of`."""
        return mask_size_of(*self.size[1:])

    def __len__(self) -> int:
        return len(self.images)

    def picture(self, row: int) -> Picture:
        """float32[channel height width] between 0 and 1. Raises: DataError: it cannot be decoded."""
        return prepared(self.images[row], self.recipe, self.size)

    def planes(self, row: int) -> Planes:
        """int16[kind height width]. Raises: DataError: a mask is none, or is not of its image's size."""
        shape = _decoded(self.images[row]).size
        found = []
        for kind in self.kinds:
            whole = _indices(kind, self.images[row].stem, (shape[1], shape[0]))
            found.append(at_mask(self._prepared(whole), self.mask_size))
        return np.stack(found)

    def _prepared(self, indices: Indices) -> Indices:
        """Resized and cropped as the image is, each pixel keeping one index; two bytes each."""
        from PIL import Image as Pillow

        plain = replace(self.recipe, interpolation="nearest", grayscale=True, mean=None, std=None)
        high, low = (
            np.asarray(plain.geometry(Pillow.fromarray(part.astype(np.uint8))), np.int64)
            for part in (indices >> 8, indices & 255)
        )
        return (high << 8) + low


def prepared(place: Path, recipe: Recipe, size: tuple[int, int, int]) -> Picture:
    """An image as the model takes it, float32[channel height width] between 0 and 1. Raises: DataError."""
    values = np.asarray(recipe.geometry(_decoded(place)), np.float32) / np.float32(255)
    values = values[None] if values.ndim == 2 else values.transpose(2, 0, 1)
    if values.shape != size:
        raise DataError(
            f"{place} is {values.shape} after preprocessing; the model takes {size}. Resize and crop to the model's size "
            "(--size, --resize, --crop)."
        )
    return np.ascontiguousarray(values)


def _decoded(place: Path) -> Image:
    try:
        return decode(place.read_bytes())
    except UndecodableImageError as error:
        raise DataError(f"{place} cannot be decoded: {error}.") from error


def open_labelled(folder: str | Path, size: tuple[int, int, int], recipe: Recipe | None = None) -> Labelled:
    """Opens `DIR/images` and `DIR/masks` for a model that takes this size.

    Args:
        folder: DIR.
        size: channels, height and width of the model's input.
        recipe: how the model's images are prepared; where None, they are resized to its size.

    Raises: DataError: it is no such folder, holds no masks, or the model takes neither grey nor coloured images.
    """
    root = Path(folder)
    if size[0] not in (1, 3):
        raise DataError(
            f"Labelled pictures have one channel or three; the model takes {size[0]}. Use --concepts generated."
        )
    if not (root / "images").is_dir() or not (root / "masks").is_dir():
        raise DataError(
            f"{root} holds no images/ and masks/ beside each other. Expected {root}/images/NAME.jpg, and for every kind of "
            f"concept {root}/masks/KIND/NAME.png with {root}/masks/KIND/names.txt, or {root}/masks/KIND/CONCEPT/NAME.png."
        )
    kinds = tuple(_kind(place) for place in sorted((root / "masks").iterdir()) if place.is_dir())
    if not kinds:
        raise DataError(
            f"{root}/masks holds no folder of masks: expected one a kind of concept, like {root}/masks/object."
        )
    several = sum(len(kind.names) for kind in kinds)
    if several > _MOST_CONCEPTS:
        raise DataError(f"{root} names {several:,} concepts; at most {_MOST_CONCEPTS:,} can be told apart at once.")
    files = sorted(place for place in (root / "images").iterdir() if place.suffix.lower() in EXTENSIONS)
    kept = tuple(place for place in files if any(_masks(kind, place.stem) for kind in kinds))
    if not kept:
        raise DataError(
            f"None of the {len(files)} images of {root}/images has a mask: a mask has its image's name, "
            f"{root}/masks/{kinds[0].name}/{files[0].stem if files else 'NAME'}.png."
        )
    plain = Recipe(size=size[1:], grayscale=size[0] == 1)
    chosen = recipe if recipe is not None and (recipe.size or recipe.crop) else plain
    return Labelled(root, kept, kinds, replace(chosen, grayscale=size[0] == 1, mean=None, std=None), size)


def _kind(place: Path) -> _Kind:
    listed = place / "names.txt"
    if listed.is_file():
        try:
            names = tuple(line.strip() for line in listed.read_text(encoding="utf-8").splitlines() if line.strip())
        except UnicodeDecodeError as error:
            raise DataError(f"{listed} is no UTF-8 text: expected one name a line.") from error
        if not names or len(set(names)) < len(names):
            raise DataError(f"{listed} must hold one name a line, each once; it holds {len(names)}.")
        return _Kind(place.name, names, place, None)
    folders = tuple(sorted(one for one in place.iterdir() if one.is_dir()))
    if not folders:
        raise DataError(
            f"{place} holds neither names.txt, one name a line for the indices 1, 2, ... of its masks, nor a folder a concept."
        )
    return _Kind(place.name, tuple(one.name for one in folders), place, folders)


def _masks(kind: _Kind, stem: str) -> list[tuple[int, Path]]:
    """The files that say where concepts of a kind stand on an image, and which of them each says it of; 0 for all."""
    if kind.folders is None:
        place = kind.place / f"{stem}.png"
        return [(0, place)] if place.is_file() else []
    found = [(at, folder / f"{stem}.png") for at, folder in enumerate(kind.folders, 1)]
    return [(at, place) for at, place in found if place.is_file()]


def _indices(kind: _Kind, stem: str, shape: tuple[int, int]) -> Indices:
    whole = np.zeros(shape, np.int64)
    for at, place in _masks(kind, stem):
        values = _read(place)
        if values.shape != shape:
            raise DataError(f"{place} is {values.shape} pixels; its image is {shape}. A mask has its image's size.")
        if at == 0:
            if values.max(initial=0) > len(kind.names) or values.min(initial=0) < 0:
                raise DataError(
                    f"{place} holds the index {int(values.max())}, but {kind.place / 'names.txt'} names {len(kind.names)}."
                )
            return values
        taken = (values != 0) & (whole != 0)
        if taken.any():
            other = kind.names[int(whole[taken][0]) - 1]
            raise DataError(
                f"{place} and the mask of '{other}' overlap: a pixel has one concept of a kind. Put what can overlap into "
                "kinds of their own (masks/KIND/CONCEPT/NAME.png)."
            )
        whole[values != 0] = at
    return whole


def _read(place: Path) -> Indices:
    from PIL import Image as Pillow

    try:
        with Pillow.open(place) as opened:
            mode = opened.mode
            values = np.asarray(opened)
    except (OSError, ValueError, SyntaxError, Pillow.DecompressionBombError) as error:
        raise DataError(f"{place} cannot be decoded: {error}.") from error
    if values.ndim != 2:
        raise DataError(
            f"{place} is a picture of colours ({mode}); a mask holds one whole number a pixel (8 or 16 bits)."
        )
    return values.astype(np.int64)
