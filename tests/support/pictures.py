"""Small pictures, as arrays and as files, and the rows of a source that were read."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
from PIL import Image

from pellucid.data import Source


def picture(seed: int = 0, size: tuple[int, int] = (12, 10), mode: str = "RGB") -> Image.Image:
    """Random pixels; width and height."""
    channels = len(Image.new(mode, (1, 1)).getbands())
    pixels = np.random.default_rng(seed).integers(0, 256, (size[1], size[0], channels), np.uint8)
    return Image.fromarray(pixels[:, :, 0] if channels == 1 else pixels, mode if channels != 2 else None)


def encoded(image: Image.Image, kind: str = "PNG", **settings: Any) -> bytes:
    sink = io.BytesIO()
    image.save(sink, kind, **settings)
    return sink.getvalue()


def rows_of(source: Source, batch_size: int = 4) -> list[tuple[str, int | float | None]]:
    """Ids and targets as batches say them; single examples must say the same."""
    found: list[tuple[str, int | float | None]] = []
    for batch in source.batches(batch_size):
        assert batch.start == len(found)
        targets = [None] * len(batch) if batch.targets is None else batch.targets.tolist()
        found += zip(batch.ids, targets, strict=True)
    for row, (name, target) in enumerate(found):
        example = source.example(row)
        assert example.id == name
        assert example.target == (None if target == -1 else target)
    return found
