"""Distortions of a place's values alone: contrast, colour, noise.

Images are float64[height width channel] in 0..1, of one channel or three; what a function returns may leave that range, and is
clipped only when it is written, so that the share of clipped values can be told.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Image = NDArray[np.float64]

# Luma of Rec. 709, on values as they are stored.
LUMA = np.array([0.2126, 0.7152, 0.0722])


def contrast(image: Image, level: float) -> Image:
    """Every value at `level` times its distance from the channel's mean: the mean stays, RMS contrast is `level` times as large.

    Source: RMS contrast, Peli 1990, JOSA A 7:2032. Geirhos et al. 2018 scale about mid-grey instead, which moves the mean.
    """
    mean = image.mean(axis=(0, 1))
    scaled: Image = mean + level * (image - mean)
    return scaled


def colour(image: Image, level: float) -> Image:
    """The share `level` of the image's colour beside its luma: 1 is the image, 0 is grey; luma stays."""
    if image.shape[2] == 1:
        return image.copy()
    luma = (image @ LUMA)[..., None]
    mixed: Image = luma + level * (image - luma)
    return mixed


def noise(image: Image, level: float, generator: np.random.Generator) -> Image:
    """Adds to each place a number drawn evenly from -level to level, the same to all its channels.

    Source: uniform noise of Geirhos et al. 2018, arXiv:1808.08750, who lower the contrast to 30% first to avoid clipping.
    """
    drawn = generator.uniform(-1.0, 1.0, image.shape[:2])
    # Scaled after drawing, so that the levels of one image share their pattern.
    noisy: Image = image + level * drawn[..., None]
    return noisy
