"""Distortions of where things are and of what can be seen: rotation, occlusion, JPEG's blocks."""

from __future__ import annotations

import io

import numpy as np
from numpy.typing import NDArray

from pellucid.distort.intensity import Image


def rotation(image: Image, level: float, *, aperture: bool = False) -> Image:
    """The image turned counter-clockwise by `level` degrees about its centre, bilinear; outside lies the channel's mean.

    Quarter turns are exact. With `aperture` only the largest disc is shown, at every angle: corners would tell the angle.
    """
    mean = image.mean(axis=(0, 1))
    quarters, rest = divmod(level, 90.0)
    if rest == 0 and (quarters % 2 == 0 or image.shape[0] == image.shape[1]):
        turned: Image = np.rot90(image, int(quarters)).copy()
    else:
        turned = _turned(image, np.deg2rad(level), mean)
    if aperture:
        turned[~disc(image.shape[0], image.shape[1])] = mean
    return turned


def _turned(image: Image, angle: float, mean: NDArray[np.float64]) -> Image:
    from scipy import ndimage

    height, width, channels = image.shape
    rows, columns = np.indices((height, width), np.float64)
    rows -= (height - 1) / 2
    columns -= (width - 1) / 2
    # Rows count downwards: a counter-clockwise turn takes the place (row, column) from here.
    sources = np.stack(
        [
            rows * np.cos(angle) + columns * np.sin(angle) + (height - 1) / 2,
            columns * np.cos(angle) - rows * np.sin(angle) + (width - 1) / 2,
        ]
    )
    return np.stack(
        [
            ndimage.map_coordinates(image[..., channel], sources, order=1, mode="constant", cval=mean[channel])
            for channel in range(channels)
        ],
        axis=-1,
    )


def disc(height: int, width: int) -> NDArray[np.bool_]:
    """bool[height width]: the largest disc in the middle."""
    rows, columns = np.indices((height, width), np.float64)
    rows -= (height - 1) / 2
    columns -= (width - 1) / 2
    inside: NDArray[np.bool_] = rows**2 + columns**2 <= (min(height, width) / 2) ** 2
    return inside


def occlusion(image: Image, level: float, generator: np.random.Generator, *, patch: int = 16) -> Image:
    """Covers the share `level` of the image by squares of `patch` pixels in the image's mean colour.

    Squares come from a grid in an order drawn once: what a low level covers, every higher one covers too. The last square is
    taken where it brings the share nearer; `covered` says which places it became.
    """
    hidden = covered(image.shape[0], image.shape[1], level, generator, patch)
    occluded = image.copy()
    occluded[hidden] = image.mean(axis=(0, 1))
    return occluded


def covered(
    height: int, width: int, level: float, generator: np.random.Generator, patch: int = 16
) -> NDArray[np.bool_]:
    """bool[height width]: the places that occlusion covers."""
    rows, columns = -(-height // patch), -(-width // patch)
    squares = np.arange(height)[:, None] // patch * columns + np.arange(width)[None, :] // patch
    order = generator.permutation(rows * columns)
    areas = np.bincount(squares.ravel(), minlength=rows * columns)[order]
    totals = np.concatenate([[0], np.cumsum(areas)])
    number = int(np.abs(totals - level * height * width).argmin())
    chosen = np.zeros(rows * columns, np.bool_)
    chosen[order[:number]] = True
    hidden: NDArray[np.bool_] = chosen[squares]
    return hidden


def jpeg(image: Image, level: float) -> Image:
    """The image after JPEG at quality `level`, 1 to 95, colours at half the resolution (4:2:0): libjpeg's tables."""
    from PIL import Image as Pillow

    pixels = to_bytes(image)
    sink = io.BytesIO()
    picture = Pillow.fromarray(pixels[..., 0] if pixels.shape[2] == 1 else pixels)
    picture.save(sink, "JPEG", quality=int(level), subsampling=2)
    sink.seek(0)
    with Pillow.open(sink) as opened:
        decoded = np.asarray(opened, np.float64) / 255.0
    return decoded[..., None] if decoded.ndim == 2 else decoded


def to_bytes(image: Image) -> NDArray[np.uint8]:
    """uint8[height width channel]: clipped to 0..1 and rounded to 256 levels."""
    return (np.clip(image, 0.0, 1.0) * 255.0).round().astype(np.uint8)
