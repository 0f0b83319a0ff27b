"""Writing a series: a picture for each image and condition, and a table that says exactly what each of them is."""

from __future__ import annotations

import csv
import io
import json
import os
import re
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import chain, count, islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from pellucid.data.distorted import DESCRIPTION, TABLE
from pellucid.data.images import UndecodableImageError, decode
from pellucid.distort.catalogue import DISTORTIONS
from pellucid.distort.geometry import to_bytes
from pellucid.distort.intensity import Image
from pellucid.distort.series import Series, Step, number, seed_of
from pellucid.errors import DataError, RecordError, UnreadableError
from pellucid.record import files

if TYPE_CHECKING:
    from pellucid.data.listed import ListedImages, Listing

FIELDS = (
    "id", "label", "distortion", "level", "condition", "original", "seed", "measured", "clipped", "height", "width", "sha256",
)  # fmt: skip
_PLAIN = re.compile(r"[^A-Za-z0-9_.\-]")
_AHEAD = 4


@dataclass(frozen=True)
class Written:
    """What was made."""

    out: Path
    images: int
    conditions: tuple[str, ...]
    pictures: int
    clipped: dict[str, float]
    skipped: list[str]


def write_series(
    source: ListedImages,
    series: Series,
    out: str | Path,
    *,
    seed: int = 0,
    overwrite: bool = False,
    progress: Callable[[int, int], None] | None = None,
) -> Written:
    """Makes every image of a source under every condition of a series.

    The folder holds `images/<condition>/<name>.png` (8 bits, lossless), `series.csv` with a row for each, and `series.json`;
    `open_data` opens it, and the table is written last: a folder without one was cut short.

    Args:
        source: images, prepared by its recipe first (so that pixels mean the same for each).
        series: the conditions.
        out: the folder.
        seed: of all random patterns.
        overwrite: whether an earlier series there is replaced.
        progress: hears (images done, images in all).

    Raises: RecordError: the folder holds something. UnreadableError, DataError: an image cannot be read or is too small.
    """
    folder = Path(out)
    _make_room(folder, overwrite=overwrite)
    names = _names([listing.id for listing in source.listings])
    rows: list[dict[str, Any]] = []
    skipped: list[str] = []
    for step in series.steps:
        (folder / "images" / step.condition).mkdir(parents=True, exist_ok=True)

    def made(place: int) -> list[dict[str, Any]] | None:
        image = _read(source, source.listings[place])
        if image is None:
            return None
        return [
            _write(folder, names[place], source.listings[place], image, series, step, seed) for step in series.steps
        ]

    for place, found in enumerate(_ahead(made, len(source.listings))):
        if found is None:
            skipped.append(source.listings[place].id)
        else:
            rows += found
        if progress is not None:
            progress(place + 1, len(source.listings))
    if not rows:
        raise DataError(f"None of the {len(source.listings):,} images of {source.source} can be read.")
    _describe(folder, source, series, seed, skipped)
    _tabulate(folder, rows, source.classes)
    return Written(
        folder,
        len(source.listings) - len(skipped),
        tuple(step.condition for step in series.steps),
        len(rows),
        {
            step.condition: float(np.mean([row["clipped"] for row in rows if row["condition"] == step.condition]))
            for step in series.steps
        },
        skipped,
    )


def _make_room(folder: Path, *, overwrite: bool) -> None:
    import shutil

    if folder.exists() and not folder.is_dir():
        raise RecordError(f"{folder} is a file; give a folder for the series.")
    if not folder.exists() or not any(folder.iterdir()):
        folder.mkdir(parents=True, exist_ok=True)
        return
    ours = {TABLE, DESCRIPTION, "images"}
    strange = sorted(place.name for place in folder.iterdir() if place.name not in ours)
    if strange:
        raise RecordError(
            f"{folder} holds {strange[0]}, which is no part of a series. Give an empty folder or a new one."
        )
    if not overwrite:
        raise RecordError(f"{folder} holds a series already. Give another folder, or --overwrite to replace it.")
    (folder / TABLE).unlink(missing_ok=True)
    (folder / DESCRIPTION).unlink(missing_ok=True)
    if (folder / "images").exists():
        shutil.rmtree(folder / "images")


def _names(ids: Sequence[str]) -> list[str]:
    """A file's name for each image: its own where that is plain, and no two alike."""
    taken: set[str] = set()
    found = []
    for row, example in enumerate(ids):
        stem = example.rpartition(".")[0] or example
        plain = _PLAIN.sub("_", stem.replace("/", "-")).lstrip("._-")[:80] or "image"
        name = next(
            one for one in chain([plain], (f"{plain}-{row + more}" for more in count())) if one.casefold() not in taken
        )
        taken.add(name.casefold())
        found.append(name)
    return found


def _ahead(made: Callable[[int], Any], number_of: int) -> Iterator[Any]:
    """made(0), made(1), ... in order, a few at a time and no more of them in memory."""
    workers = max(1, os.cpu_count() or 1)
    with ThreadPoolExecutor(workers) as pool:
        places = iter(range(number_of))
        waiting = [pool.submit(made, place) for place in islice(places, workers * _AHEAD)]
        while waiting:
            yield waiting.pop(0).result()
            waiting += [pool.submit(made, place) for place in islice(places, 1)]


def _read(source: ListedImages, listing: Listing) -> Image | None:
    try:
        picture = source.recipe.geometry(decode(listing.read()))
    except (UndecodableImageError, OSError) as error:
        if source.skip_bad:
            return None
        raise UnreadableError(
            f"The image {listing.id} of {source.source} cannot be read: {error}. Repair or remove it, or leave such images out "
            "with --skip-bad.",
            (listing.id,),
        ) from error
    pixels = np.asarray(picture, np.float64) / 255.0
    return pixels[..., None] if pixels.ndim == 2 else pixels


def _write(
    folder: Path, name: str, listing: Listing, image: Image, series: Series, step: Step, seed: int
) -> dict[str, Any]:
    from PIL import Image as Pillow

    distorted = series.of(image, step, seed, listing.id)
    pixels = to_bytes(distorted)
    sink = io.BytesIO()
    Pillow.fromarray(pixels[..., 0] if pixels.shape[2] == 1 else pixels).save(sink, "PNG")
    content = sink.getvalue()
    example = f"{step.condition}/{name}.png"
    (folder / "images" / example).write_bytes(content)
    kind = DISTORTIONS[step.distortion]
    along = {key: value for key, value in listing.columns.items() if key not in FIELDS}
    return {
        "id": example,
        "label": listing.target,
        "distortion": step.distortion,
        "level": number(step.level),
        "condition": step.condition,
        "original": listing.id,
        "seed": seed_of(seed, listing.id, step.distortion) if kind.random else None,
        "measured": measured(image, pixels, step),
        # Rounding of exact ends is no clipping.
        "clipped": round(float(((distorted < -1e-9) | (distorted > 1 + 1e-9)).mean()), 6),
        "height": pixels.shape[0],
        "width": pixels.shape[1],
        "sha256": files.sha256(content),
        **along,
    }


def measured(image: Image, pixels: np.ndarray[Any, np.dtype[np.uint8]], step: Step) -> float | None:
    """What the level names, measured in the picture as written: contrast as a share of the image's own; None for the others.

    Rounding to 256 levels shows at low contrast, and a picture of one colour has none.
    """
    if step.distortion != "contrast":
        return None
    before, after = float(image.std(axis=(0, 1)).mean()), float((pixels / 255.0).std(axis=(0, 1)).mean())
    return round(after / before, 6) if before > 0 else None


def _describe(folder: Path, source: ListedImages, series: Series, seed: int, skipped: Sequence[str]) -> None:
    import PIL

    from pellucid import __version__

    settings = series.settings
    described = {
        "pellucid": __version__,
        "numpy": np.__version__,
        "pillow": PIL.__version__,
        "data": source.source,
        "fingerprint": source.fingerprint(),
        "classes": None if source.classes is None else list(source.classes),
        "preprocessing": [step for step in source.recipe.to_schema().steps if step["step"] != "scale"],
        "before": [step.condition for step in series.before],
        "conditions": [step.condition for step in series.steps],
        "seed": seed,
        "coherence": settings.coherence,
        "grain": settings.grain,
        "patch": settings.patch,
        "aperture": series.aperture,
        "skipped": list(skipped),
    }
    files.put(folder / DESCRIPTION, json.dumps(described, indent=2).encode() + b"\n")


def _tabulate(folder: Path, rows: Sequence[dict[str, Any]], classes: Sequence[str] | None) -> None:
    along = [name for name in dict.fromkeys(key for row in rows for key in row) if name not in FIELDS]
    sink = io.StringIO()
    writer = csv.DictWriter(sink, [*FIELDS, *along], lineterminator="\n", restval="")
    writer.writeheader()
    for row in rows:
        label = row["label"]
        named = (
            classes[label] if classes is not None and isinstance(label, int) and 0 <= label < len(classes) else label
        )
        writer.writerow({**row, "label": named})
    files.put(folder / TABLE, sink.getvalue().encode())
