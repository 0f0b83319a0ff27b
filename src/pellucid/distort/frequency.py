"""Distortions of spatial frequencies: Gaussian low-pass and high-pass, and the blur of a lens out of focus.

Edges are mirrored, so that nothing from the opposite edge or from outside comes in and means stay.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from pellucid.distort.intensity import Image

# A pixel of the disc's rim counts by the share of so many by so many points in it.
_RIM = 16


def lowpass(image: Image, level: float) -> Image:
    """A Gaussian of standard deviation `level` pixels, applied to frequencies: each is scaled by exp(-2 (pi sigma f)²).

    f is in cycles a pixel. The mirrored image's frequencies are those of the cosine transform, k / (2 extent).
    """
    from scipy import fft

    spectrum = fft.dctn(image, axes=(0, 1), norm="ortho")
    for axis in (0, 1):
        extent = image.shape[axis]
        frequency = np.arange(extent) / (2 * extent)
        gain = np.exp(-2 * (math.pi * level * frequency) ** 2)
        spectrum *= np.expand_dims(gain, [other for other in range(3) if other != axis])
    passed: Image = fft.idctn(spectrum, axes=(0, 1), norm="ortho")
    return passed


def highpass(image: Image, level: float) -> Image:
    """What the low-pass filter of `level` pixels takes away, on the image's mean: the two add up to image and mean."""
    passed: Image = image - lowpass(image, level) + image.mean(axis=(0, 1))
    return passed


def blur(image: Image, level: float) -> Image:
    """Each place is the mean over a disc of radius `level` pixels around it, as a lens out of focus makes it."""
    if level <= 0:
        return image.copy()
    from scipy import ndimage

    disc = disc_weights(level)
    return np.stack(
        [ndimage.convolve(image[..., channel], disc, mode="reflect") for channel in range(image.shape[2])], axis=-1
    )


def disc_weights(radius: float) -> NDArray[np.float64]:
    """float64[side side], sums to 1: the share of each pixel that lies in the disc."""
    reach = max(0, math.ceil(radius - 0.5))
    side = 2 * reach + 1
    points = (np.arange(side * _RIM) + 0.5) / _RIM - side / 2
    inside = points[:, None] ** 2 + points[None, :] ** 2 <= radius * radius
    weights = inside.reshape(side, _RIM, side, _RIM).mean(axis=(1, 3))
    if not weights.any():
        weights[reach, reach] = 1.0
    shares: NDArray[np.float64] = weights / weights.sum()
    return shares
