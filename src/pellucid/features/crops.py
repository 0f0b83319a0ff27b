"""Pictures of what units saw: pieces of inputs at a field, laid out in one sheet a layer."""

from __future__ import annotations

import io
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from pellucid.features.fields import Box

Pixels = NDArray[np.uint8]

GROUND = 128  # grey around a piece that is not square
_QUALITY = 88
_TALLEST = 16_000  # pixels; WebP ends at 16,383


def pixels_of(values: NDArray[np.float32]) -> Pixels:
    """A picture of float[channel height width] between 0 (black) and 1 (white), as uint8[height width 3].

    One channel is grey, three are red, green and blue; of any other number the mean is shown.
    """
    plane = values if len(values) == 3 else np.repeat(values.mean(axis=0, keepdims=True), 3, axis=0)
    return np.asarray((np.clip(np.nan_to_num(plane), 0, 1) * 255).round().transpose(1, 2, 0), np.uint8)


def piece(picture: Pixels, box: Box, side: int) -> Pixels:
    """The part of a picture at a field, fitted into a square: uint8[side side 3]; few pixels are drawn as squares."""
    from PIL import Image

    seen = box.within(picture.shape[0], picture.shape[1])
    part = picture[seen.top : seen.top + seen.height, seen.left : seen.left + seen.width]
    scale = side / max(part.shape[:2])
    height, width = (max(1, round(extent * scale)) for extent in part.shape[:2])
    method = Image.Resampling.NEAREST if scale > 1 else Image.Resampling.BOX
    fitted = np.asarray(Image.fromarray(np.ascontiguousarray(part)).resize((width, height), method))
    square = np.full((side, side, 3), GROUND, np.uint8)
    top, left = (side - height) // 2, (side - width) // 2
    square[top : top + height, left : left + width] = fitted
    return square


def sheet(rows: Sequence[Sequence[Pixels | None]], side: int) -> NDArray[np.uint8]:
    """One WebP picture of rows of squares, as its bytes; where a row is short or has None stands the ground."""
    from PIL import Image

    columns = max((len(row) for row in rows), default=0)
    canvas = np.full((max(1, min(len(rows) * side, _TALLEST)), max(1, columns * side), 3), GROUND, np.uint8)
    for y, row in enumerate(rows[: _TALLEST // side]):
        for x, square in enumerate(row):
            if square is not None:
                canvas[y * side : (y + 1) * side, x * side : (x + 1) * side] = square
    sink = io.BytesIO()
    Image.fromarray(canvas).save(sink, "WEBP", quality=_QUALITY, method=2)
    return np.frombuffer(sink.getvalue(), np.uint8)


def evenly(units: int, most: int) -> NDArray[np.int32]:
    """At most so many units, spread evenly over a layer."""
    return np.unique(np.linspace(0, units - 1, min(units, most)).round().astype(np.int32))
