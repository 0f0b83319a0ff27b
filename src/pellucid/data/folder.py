"""A folder of class folders, each holding the images of one class."""

from __future__ import annotations

from functools import partial
from pathlib import Path

from pellucid.data.listed import ListedImages, Listing
from pellucid.errors import DataError
from pellucid.recipe import Recipe

EXTENSIONS = frozenset({".png", ".jpg", ".jpeg", ".webp", ".bmp", ".gif", ".tif", ".tiff", ".ppm", ".pgm"})


def open_data(
    spec: str, *, recipe: Recipe | None = None, limit: int | None = None, skip_bad: bool = False
) -> ListedImages:
    """Opens `folder/class/image.png`: classes are the names of the folders, sorted; ids are paths below the folder.

    Raises: DataError: it is empty, holds one class only, or images lie outside class folders.
    """
    root = Path(spec)
    folders = sorted(place for place in root.iterdir() if place.is_dir() and not place.name.startswith("."))
    files = [[place for place in sorted(folder.rglob("*")) if _is_image(place)] for folder in folders]
    filled = [(folder, images) for folder, images in zip(folders, files, strict=True) if images]
    if not filled:
        loose = sum(_is_image(place) for place in root.iterdir())
        raise DataError(
            f"The folder {spec} holds {f'{loose} images, but no class folders' if loose else 'no images'}. Expected one "
            f"folder a class with images in it ({spec}/cat/1.jpg); formats: {', '.join(sorted(EXTENSIONS))}."
        )
    if len(filled) == 1:
        raise DataError(
            f"The folder {spec} holds one class only, '{filled[0][0].name}' ({len(filled[0][1])} images). Accuracy and "
            "confusion need at least two class folders."
        )
    listings = [
        Listing(place.relative_to(root).as_posix(), partial(Path.read_bytes, place), target)
        for target, (_, images) in enumerate(filled)
        for place in images
    ]
    if limit is not None:
        listings = _spread(listings, limit)
    return ListedImages(
        name=root.resolve().name,
        source=spec,
        classes=tuple(folder.name for folder, _ in filled),
        listings=listings,
        recipe=recipe or Recipe(),
        skip_bad=skip_bad,
    )


def _spread(listings: list[Listing], limit: int) -> list[Listing]:
    """So many, evenly through the sorted list: a limit must not leave whole classes out."""
    number = min(limit, len(listings))
    return [listings[place * len(listings) // number] for place in range(number)]


def _is_image(place: Path) -> bool:
    return place.suffix.lower() in EXTENSIONS and not place.name.startswith(".") and place.is_file()
