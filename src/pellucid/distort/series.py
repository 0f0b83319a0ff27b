"""Which distortions at which levels: reading `contrast=1,0.3,0.1`, and applying it to an image."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from pellucid.distort.catalogue import DISTORTIONS, Settings, distortion
from pellucid.distort.intensity import Image
from pellucid.errors import OptionError

# Whole numbers up to here are exact in every reader of JSON and CSV.
_SEEDS = 1 << 48


@dataclass(frozen=True)
class Step:
    """One distortion at one level."""

    distortion: str
    level: float

    @property
    def condition(self) -> str:
        """As the condition is written everywhere: `contrast=0.3`."""
        return f"{self.distortion}={number(self.level)}"


@dataclass(frozen=True)
class Series:
    """Conditions under which every image is shown, after `before` was done to all of them."""

    steps: tuple[Step, ...]
    before: tuple[Step, ...] = ()
    settings: Settings = field(default_factory=Settings)

    def of(self, image: Image, step: Step, seed: int, example: str) -> Image:
        """The image under one condition, not clipped.

        Args:
            image: float64[height width channel] in 0..1.
            step: one of `steps`.
            seed: of the whole series.
            example: name of the image: each has a random pattern of its own.
        """
        for place, one in enumerate((*self.before, step)):
            settings = self.settings
            if one.distortion == "rotation":
                settings = replace(settings, aperture=self.aperture)
            drawn = one.distortion if place == len(self.before) else f"before {place} {one.distortion}"
            generator = np.random.default_rng(seed_of(seed, example, drawn))
            image = DISTORTIONS[one.distortion].apply(image, one.level, generator, settings)
        return image

    @property
    def aperture(self) -> bool:
        """Whether rotated images are shown in a disc: where one of the angles is no quarter turn."""
        return any(one.distortion == "rotation" and one.level % 90 for one in self.steps)


def read_series(texts: Sequence[str], before: Sequence[str] = (), settings: Settings | None = None) -> Series:
    """What the command line names.

    >>> [step.condition for step in read_series(["contrast=1,0.50"]).steps]
    ['contrast=1', 'contrast=0.5']

    Raises: OptionError: there is no such distortion or level, or a condition is named twice.
    """
    if not texts:
        raise OptionError(f"Which series? --series contrast=1,0.3,0.1, say. Distortions: {', '.join(DISTORTIONS)}.")
    steps = [step for text in texts for step in _steps(text, "--series")]
    conditions = [step.condition for step in steps]
    twice = next((one for one in conditions if conditions.count(one) > 1), None)
    if twice is not None:
        raise OptionError(f"--series names {twice} twice; each condition is made once.")
    first = []
    for text in before:
        found = _steps(text, "--before")
        if len(found) != 1:
            raise OptionError(f"--before takes one level, as in contrast=0.3; got '{text}'.")
        first += found
    return Series(tuple(steps), tuple(first), settings or Settings())


def _steps(text: str, flag: str) -> list[Step]:
    name, equals, levels = text.partition("=")
    kind = distortion(name.strip())
    if not equals or not levels.strip():
        raise OptionError(f"{flag} takes a distortion and its levels, as in {name}=1,0.5; got '{text}'.")
    steps = []
    for one in levels.split(","):
        try:
            level = float(one)
        except ValueError:
            raise OptionError(f"A level of {name} is {kind.unit}; got '{one.strip()}'.") from None
        kind.check(name, level)
        steps.append(Step(name.strip(), level + 0.0))
    return steps


def number(level: float) -> str:
    """A level as it is written in conditions: the shortest text that reads as the same number, without an exponent.

    >>> number(0.30), number(90.0), number(1e-5)
    ('0.3', '90', '0.00001')
    """
    return np.format_float_positional(level, trim="-")


def seed_of(seed: int, example: str, name: str) -> int:
    """The seed of an image's random pattern under a distortion: the same at all levels, another for each image and distortion."""
    digest = hashlib.sha256(f"{seed}\0{name}\0{example}".encode()).digest()
    return int.from_bytes(digest[:8], "little") % _SEEDS
