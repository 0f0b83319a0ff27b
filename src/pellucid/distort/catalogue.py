"""The distortions by name: what their level is, which levels there are, and at which one the image is itself."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np

from pellucid.distort import eidolon, frequency, geometry, intensity
from pellucid.distort.intensity import Image
from pellucid.errors import OptionError


@dataclass(frozen=True)
class Settings:
    """What some distortions know beside their level.

    Attributes:
        coherence: of an eidolon, 0 to 1.
        grain: of an eidolon, pixels.
        patch: side of the squares of occlusion, pixels.
        aperture: whether rotation shows a disc only.
    """

    coherence: float = 1.0
    grain: float = 10.0
    patch: int = 16
    aperture: bool = False

    def __post_init__(self) -> None:
        if not 0 <= self.coherence <= 1:
            raise OptionError(f"--coherence is a share from 0 to 1; got {self.coherence:g}.")
        if not (0 < self.grain < math.inf):
            raise OptionError(f"--grain is a number of pixels above 0; got {self.grain:g}.")
        if self.patch < 1:
            raise OptionError(f"--patch is a number of pixels, at least 1; got {self.patch}.")


@dataclass(frozen=True)
class Distortion:
    """One distortion.

    Attributes:
        apply: (image, level, generator, settings) to the distorted image, not clipped.
        low, high: the least and the largest level.
        unit: what a level is.
        itself: the level at which the image is unchanged, None where there is none.
        scale: on which levels are spread evenly.
        random: whether it draws numbers; the pattern of an image is the same at all levels.
        whole: whether levels are whole numbers.
    """

    apply: Callable[[Image, float, np.random.Generator, Settings], Image]
    low: float
    high: float
    unit: str
    itself: float | None
    scale: Literal["linear", "log"] = "linear"
    random: bool = False
    whole: bool = False

    def check(self, name: str, level: float) -> None:
        """Raises: OptionError: there is no such level."""
        if not (math.isfinite(level) and self.low <= level <= self.high) or (self.whole and level != int(level)):
            whole = "whole numbers " if self.whole else ""
            upper = "up" if self.high == math.inf else f"to {self.high:g}"
            raise OptionError(f"A level of {name} is {self.unit}, {whole}from {self.low:g} {upper}; got {level:g}.")


DISTORTIONS: dict[str, Distortion] = {
    "contrast": Distortion(
        lambda image, level, _, __: intensity.contrast(image, level), 0, 1, "the share of its contrast", 1, "log"
    ),
    "colour": Distortion(
        lambda image, level, _, __: intensity.colour(image, level), 0, 1, "the share of its colour", 1
    ),
    "noise": Distortion(
        lambda image, level, generator, _: intensity.noise(image, level, generator),
        0, 1, "half the width of the noise, of a range of 1", 0, random=True,
    ),
    "lowpass": Distortion(
        lambda image, level, _, __: frequency.lowpass(image, level), 0, math.inf, "a standard deviation in pixels", 0, "log"
    ),
    "highpass": Distortion(
        lambda image, level, _, __: frequency.highpass(image, level),
        0, math.inf, "a standard deviation in pixels", None, "log",
    ),
    "blur": Distortion(
        lambda image, level, _, __: frequency.blur(image, level), 0, 64, "a radius in pixels", 0, "log"
    ),
    "eidolon": Distortion(
        lambda image, level, generator, settings: eidolon.eidolon(
            image, level, generator, coherence=settings.coherence, grain=settings.grain
        ),
        0, math.inf, "the reach in pixels", 0, "log", random=True,
    ),
    "rotation": Distortion(
        lambda image, level, _, settings: geometry.rotation(image, level, aperture=settings.aperture),
        -360, 360, "degrees counter-clockwise", 0,
    ),
    "occlusion": Distortion(
        lambda image, level, generator, settings: geometry.occlusion(image, level, generator, patch=settings.patch),
        0, 1, "the share that is covered", 0, random=True,
    ),
    "jpeg": Distortion(
        lambda image, level, _, __: geometry.jpeg(image, level), 1, 95, "libjpeg's quality", None, whole=True
    ),
}  # fmt: skip


def distortion(name: str) -> Distortion:
    """The distortion of this name. Raises: OptionError: there is none; the message has the nearest."""
    from difflib import get_close_matches

    if name in DISTORTIONS:
        return DISTORTIONS[name]
    near = get_close_matches(name, DISTORTIONS, 1)
    hint = f" Did you mean '{near[0]}'?" if near else ""
    raise OptionError(f"There is no distortion '{name}'.{hint} There are: {', '.join(DISTORTIONS)}.")
