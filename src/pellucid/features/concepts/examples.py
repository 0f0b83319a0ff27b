"""The pictures that excite each channel most, with where it is above its threshold, and how they are drawn."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

KEPT = 3
SIDE = 72  # pixels of a drawn picture
_FINEST = 56  # pixels a side that maps are kept at
_DIM = 0.3
_OUTLINE = (255, 0, 255)  # no named colour, and seldom in photographs

Mask = NDArray[np.bool_]
Pixels = NDArray[np.uint8]


@dataclass
class Strongest:
    """State of one layer: by channel its three strongest pictures; of two that are as strong the earlier.

    Attributes:
        peaks: float32[unit rank], strongest first; minus infinity where there is none.
        places: int64[unit rank] in the visit, -1 where there is none.
        maps: uint8[unit rank byte], where it is above its threshold, a bit a pixel of `size`.
    """

    units: int
    mask: tuple[int, int]
    peaks: NDArray[np.float32] = field(init=False)
    places: NDArray[np.int64] = field(init=False)
    maps: Pixels = field(init=False)

    def __post_init__(self) -> None:
        self._step = -(-max(self.mask) // _FINEST)
        self.size = -(-self.mask[0] // self._step), -(-self.mask[1] // self._step)
        self.peaks = np.full((self.units, KEPT), -np.inf, np.float32)
        self.places = np.full((self.units, KEPT), -1, np.int64)
        self.maps = np.zeros((self.units, KEPT, -(-self.size[0] * self.size[1] // 8)), np.uint8)

    def observe(self, peaks: Tensor, units: Tensor, pixels: Tensor, place: int) -> None:
        """One picture's strongest values, float[unit], and which channels are above their thresholds at which mask pixels."""
        values = peaks.float().cpu().numpy()
        better = np.flatnonzero(_before(values, np.full(self.units, place), self.peaks[:, -1], self.places[:, -1]))
        if not len(better):
            return
        where = np.full(self.units, -1)
        where[better] = np.arange(len(better))
        rows, places = where[units.cpu().numpy()], pixels.cpu().numpy()
        rows, places = rows[rows >= 0], places[rows >= 0]
        above = np.zeros((len(better), *self.mask), bool)
        above.reshape(len(better), -1)[rows, places] = True
        small = above[:, :: self._step, :: self._step].reshape(len(better), -1)
        self._put(better, values[better], np.full(len(better), place), np.packbits(small, axis=1))

    def merge(self, other: Strongest) -> None:
        """Takes another part's pictures in."""
        for rank in range(KEPT):
            peaks, places = other.peaks[:, rank], other.places[:, rank]
            better = np.flatnonzero(_before(peaks, places, self.peaks[:, -1], self.places[:, -1]) & (places >= 0))
            self._put(better, peaks[better], places[better], other.maps[better, rank])

    def above(self, unit: int, rank: int) -> Mask:
        """bool[height width] of `size`."""
        bits = np.unpackbits(self.maps[unit, rank], count=self.size[0] * self.size[1])
        return bits.reshape(self.size).astype(bool)

    def _put(
        self, units: NDArray[np.int64], peaks: NDArray[np.float32], places: NDArray[np.int64], maps: Pixels
    ) -> None:
        self.peaks[units, -1], self.places[units, -1], self.maps[units, -1] = peaks, places, maps
        order = np.lexsort((self.places[units], -self.peaks[units]), axis=1)
        for held in (self.peaks, self.places):
            held[units] = np.take_along_axis(held[units], order, axis=1)
        self.maps[units] = np.take_along_axis(self.maps[units], order[:, :, None], axis=1)


def _before(
    peaks: NDArray[np.float32], places: NDArray[np.int64], than: NDArray[np.float32], there: NDArray[np.int64]
) -> Mask:
    return np.asarray((peaks > than) | ((peaks == than) & (places < there)))


def drawn(picture: NDArray[np.float32], above: Mask, concept: Mask) -> Pixels:
    """A picture, dimmed where the channel is below its threshold, with the concept's outline: uint8[side side 3].

    Args:
        picture: float32[channel height width] between 0 and 1.
        above: bool[height width] of any size.
        concept: bool[height width] of any size.
    """
    from PIL import Image

    height, width = picture.shape[1:]
    scale = SIDE / max(height, width)
    size = max(1, round(width * scale)), max(1, round(height * scale))
    plane = picture if len(picture) == 3 else np.repeat(picture.mean(axis=0, keepdims=True), 3, axis=0)
    colours = Image.fromarray((np.clip(plane, 0, 1) * 255).round().astype(np.uint8).transpose(1, 2, 0))
    method = Image.Resampling.NEAREST if scale > 1 else Image.Resampling.BOX
    values = np.asarray(colours.resize(size, method), np.float32)
    bright, inside = (
        np.asarray(Image.fromarray(mask.astype(np.uint8) * 255).resize(size, Image.Resampling.NEAREST)) > 0
        for mask in (above, concept)
    )
    values = np.where(bright[:, :, None], values, _DIM * values)
    padded = np.pad(inside, 1)
    core = padded[:-2, 1:-1] & padded[2:, 1:-1] & padded[1:-1, :-2] & padded[1:-1, 2:]
    values[inside & ~core] = _OUTLINE
    square = np.zeros((SIDE, SIDE, 3), np.uint8)
    top, left = (SIDE - size[1]) // 2, (SIDE - size[0]) // 2
    square[top : top + size[1], left : left + size[0]] = values.round().astype(np.uint8)
    return square
