"""Eidolons: an image taken apart by scale, each scale shaken by its own field of displacements, and put together again."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from pellucid.distort.frequency import lowpass
from pellucid.distort.intensity import Image

# Blurs between which the details of one scale lie, in pixels: half an octave apart from this one on.
FINEST = 0.5
STEP = math.sqrt(2.0)


def eidolon(
    image: Image, level: float, generator: np.random.Generator, *, coherence: float = 1.0, grain: float = 10.0
) -> Image:
    """The image with the details of every scale displaced by about `level` pixels (the reach).

    The image is the sum of differences of Gaussian blurs and of the coarsest blur. Each difference is displaced by a random
    field, Gaussian noise blurred by `grain` pixels and scaled to a root mean square of `level` in either direction. Fields of two
    scales correlate by `coherence`: at 1 all scales share one field, and the eidolon is the image as seen through warped
    glass; at 0 scales move apart, and edges fall to pieces. At a reach of 0 the eidolon is the image.

    Source: Koenderink, Valsecchi, van Doorn, Wagemans & Gegenfurtner 2017, Journal of Vision 17(2):7: reach, coherence and
    grain of coherent and partially coherent disarray. Their toolbox differs in its scales and in how fields are normalised.
    """
    if level == 0:
        return image.copy()
    height, width = image.shape[:2]
    layers = scales(image)
    shared = field(height, width, grain, generator)
    total = np.zeros_like(image)
    for layer in layers:
        own = field(height, width, grain, generator)
        total += displaced(layer, level * mixed(shared, own, coherence))
    return total


def scales(image: Image) -> list[Image]:
    """The image's details from the finest to the coarsest scale, and last its coarsest blur: they add up to the image."""
    layers, finer, sigma = [], image, FINEST
    while sigma < max(image.shape[:2]) / 4:
        coarser = lowpass(image, sigma)
        layers.append(finer - coarser)
        finer, sigma = coarser, sigma * STEP
    return [*layers, finer]


def field(height: int, width: int, grain: float, generator: np.random.Generator) -> NDArray[np.float64]:
    """float64[2 height width]: displacements down and to the right with a root mean square of 1, correlated over `grain` pixels."""
    drawn = np.stack([lowpass(generator.standard_normal((height, width, 1)), grain)[..., 0] for _ in range(2)])
    scaled: NDArray[np.float64] = drawn / np.sqrt((drawn**2).mean(axis=(1, 2), keepdims=True))
    return scaled


def mixed(shared: NDArray[np.float64], own: NDArray[np.float64], coherence: float) -> NDArray[np.float64]:
    """The field of one scale: of the same root mean square, and correlated by `coherence` with those of the others."""
    found: NDArray[np.float64] = math.sqrt(coherence) * shared + math.sqrt(1.0 - coherence) * own
    return found


def displaced(image: Image, moved: NDArray[np.float64]) -> Image:
    """Each place shows what lies `moved` (float64[2 height width]) away from it, bilinear; edges are mirrored."""
    from scipy import ndimage

    places = np.indices(image.shape[:2], np.float64) + moved
    return np.stack(
        [
            ndimage.map_coordinates(image[..., channel], places, order=1, mode="reflect")
            for channel in range(image.shape[2])
        ],
        axis=-1,
    )
