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


class Pieces:
    """Parts of one picture, each made once: deep layers' units look at the same few parts, or at all of it.

    Args:
        picture: to cut from.
        side: of the squares.
    """

    def __init__(self, picture: Pixels, side: int) -> None:
        from PIL import Image

        self._image = Image.fromarray(picture)
        self._side = side
        self._made: dict[Box, Pixels] = {}

    def at(self, box: Box) -> Pixels:
        """The part at a field, fitted into a square: uint8[side side 3]; few pixels are drawn as squares."""
        seen = box.within(self._image.height, self._image.width)
        made = self._made.get(seen)
        if made is None:
            made = self._made[seen] = self._fitted(seen)
        return made

    def _fitted(self, seen: Box) -> Pixels:
        from PIL import Image

        side = self._side
        scale = side / seen.extent
        height, width = (max(1, round(extent * scale)) for extent in (seen.height, seen.width))
        method = Image.Resampling.NEAREST if scale > 1 else Image.Resampling.BOX
        part = (seen.left, seen.top, seen.left + seen.width, seen.top + seen.height)
        fitted = np.asarray(self._image.crop(part).resize((width, height), method))
        if fitted.shape[:2] == (side, side):
            return fitted
        square = np.full((side, side, 3), GROUND, np.uint8)
        top, left = (side - height) // 2, (side - width) // 2
        square[top : top + height, left : left + width] = fitted
        return square


def piece(picture: Pixels, box: Box, side: int) -> Pixels:
    """One part of a picture, as `Pieces.at` makes it."""
    return Pieces(picture, side).at(box)


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
