"""Masks: pictures of 1/f noise that end what the eye still holds of the picture before."""

from __future__ import annotations

import io

import numpy as np
from numpy.typing import NDArray

SIDE = 256  # pixels


def pink_noise(seed: int, side: int = SIDE) -> NDArray[np.uint8]:
    """uint8[side side]: noise whose amplitude falls as 1 / frequency, at full contrast around mid-grey.

    Source: Geirhos et al. 2018, arXiv:1808.08750, appendix: a full-contrast mask with 1/f spectrum.
    Check: log power against log frequency has slope -2.
    """
    rng = np.random.default_rng(seed)
    frequencies = np.hypot(np.fft.fftfreq(side)[:, None], np.fft.rfftfreq(side)[None, :])
    frequencies[0, 0] = np.inf  # no mean: mid-grey is put there below
    # The spectrum of white noise has the symmetry that a real picture's needs.
    white = np.fft.rfft2(rng.standard_normal((side, side)))
    noise = np.fft.irfft2(white / np.abs(white) / frequencies, s=(side, side))
    scaled = 127.5 * (1 + noise / np.abs(noise).max())
    levels: NDArray[np.uint8] = np.clip(np.rint(scaled), 0, 255).astype(np.uint8)
    return levels


def mask_png(seed: int, side: int = SIDE) -> bytes:
    """The mask as a grey PNG."""
    from PIL import Image

    stream = io.BytesIO()
    Image.fromarray(pink_noise(seed, side)).save(stream, "png")
    return stream.getvalue()
