"""Concepts drawn by code: colours, textures and shapes with exact masks, several a picture on varied grounds, from a seed.

Every object is a shape filled with a plain colour or with a texture in two colours. Whoever paints a pixel owns it: its mask
names the shape that covers it, the texture that fills it and the colour that it has, each where there is one.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial

import numpy as np
from numpy.typing import NDArray

from pellucid.errors import OptionError
from pellucid.features import drawing
from pellucid.features.concepts.sets import Concept, Picture, Planes, at_mask, mask_size_of
from pellucid.features.drawing import Plane

# The basic colour terms of English (Berlin & Kay 1969), as ranges of red, green and blue around one example of each.
COLOURS: dict[str, tuple[float, float, float]] = {
    "black": (0.03, 0.03, 0.03),
    "grey": (0.5, 0.5, 0.5),
    "white": (0.97, 0.97, 0.97),
    "red": (0.85, 0.06, 0.08),
    "orange": (1.0, 0.55, 0.05),
    "brown": (0.45, 0.25, 0.08),
    "yellow": (0.97, 0.9, 0.1),
    "green": (0.1, 0.6, 0.15),
    "blue": (0.1, 0.2, 0.85),
    "purple": (0.5, 0.12, 0.65),
    "pink": (1.0, 0.6, 0.75),
}
_ACHROMATIC = ("black", "grey", "white")
_SPREAD = 0.06  # of each channel around the example
_SPREAD_GREY = 0.03  # the same of black, grey and white
TEXTURES = (
    "horizontal stripes",
    "vertical stripes",
    "diagonal stripes",
    "checks",
    "dots",
    "grid",
    "rings",
    "speckle",
)
SHAPES = ("circle", "square", "triangle", "ring", "cross", "star", "line")
LEAST_SIDE = 16
_REMEMBERED = 64  # masks of the pictures drawn last, which are most often wanted next

Random = np.random.Generator
Mask = NDArray[np.bool_]


@dataclass(frozen=True)
class Generated:
    """A set of drawn pictures.

        shown = Generated((3, 224, 224), 500)
        shown.picture(0), shown.planes(0)

    Args:
        size: channels, height and width. Three channels are red, green and blue; of any other number all are alike.
        pictures: how many.
        seed: of all of them; a picture depends on the seed and its row alone.

    Raises: OptionError: a side is too short to draw on.
    """

    size: tuple[int, int, int]
    pictures: int = 500
    seed: int = 0
    _drawn: dict[int, Planes] = field(default_factory=dict, init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        if min(self.size[1:]) < LEAST_SIDE or self.size[0] < 1:
            raise OptionError(
                f"Concepts are drawn on pictures of at least {LEAST_SIDE} pixels a side; the model takes "
                f"{self.size[1]} x {self.size[2]}. Give labelled pictures of your own: --concepts DIR."
            )

    @property
    def name(self) -> str:
        """For people."""
        return f"{self.pictures:,} drawn pictures, seed {self.seed}"

    @property
    def colours(self) -> tuple[str, ...]:
        """Those that so many channels can show."""
        return tuple(COLOURS) if self.size[0] == 3 else _ACHROMATIC

    @property
    def concepts(self) -> tuple[Concept, ...]:
        """Colours, textures, shapes."""
        named = (("colour", self.colours), ("texture", TEXTURES), ("shape", SHAPES))
        return tuple(Concept(name, kind) for kind, names in named for name in names)

    @property
    def mask_size(self) -> tuple[int, int]:
        """See `mask_size_of`."""
        return mask_size_of(*self.size[1:])

    def __len__(self) -> int:
        return self.pictures

    def picture(self, row: int) -> Picture:
        """float32[channel height width] between 0 and 1."""
        picture, planes = self._scene(row)
        while len(self._drawn) >= _REMEMBERED:
            del self._drawn[next(iter(self._drawn))]
        self._drawn[row] = at_mask(planes, self.mask_size)
        return picture

    def planes(self, row: int) -> Planes:
        """int16[3 height width]: colours, textures, shapes."""
        kept = self._drawn.get(row)
        return at_mask(self._scene(row)[1], self.mask_size) if kept is None else kept.copy()

    def _scene(self, row: int) -> tuple[Picture, Planes]:
        random = np.random.default_rng((self.seed, row))
        channels, height, width = self.size
        painting = _Painting(self, random)
        painting.ground()
        for _ in range(int(random.integers(3, 6))):
            painting.add()
        picture = painting.picture if channels == 3 else np.repeat(painting.picture[:1], channels, axis=0)
        return np.ascontiguousarray(picture[:, :height, :width]), painting.planes


class _Painting:
    """One picture while it is drawn."""

    def __init__(self, given: Generated, random: Random) -> None:
        self._given, self._random = given, random
        _, height, width = given.size
        self._side = min(height, width)
        self.picture = np.zeros((3, height, width), np.float32)
        self.planes = np.zeros((3, height, width), np.int16)

    def ground(self) -> None:
        """A slope between two greys or clouds of little colour, and on it often a patch of a plain colour or a texture.

        Nothing that has a name fills a picture: a few of them would decide alone what a channel's strongest activations are.
        """
        self.picture[:] = self._slope() if self._random.random() < 0.4 else self._clouds()
        for name in _ACHROMATIC:
            near = np.abs(self.picture - COLOURS[name][0]).max(0) <= _SPREAD_GREY
            self.planes[0][near] = 1 + self._given.colours.index(name)
        kind = self._random.random()
        if kind < 0.6:
            sides = np.round(self._side * self._random.uniform(0.3, 0.5, 2)).astype(int)
            top, left = (
                int(self._random.integers(0, whole - side + 1))
                for whole, side in zip(self.picture.shape[1:], sides, strict=True)
            )
            patch = np.zeros(self.picture.shape[1:], bool)
            patch[top : top + sides[0], left : left + sides[1]] = True
            if kind < 0.2:
                self._plain(patch)
            else:
                self._textured(patch)

    def add(self) -> None:
        """One object, over what is there."""
        height, width = self.picture.shape[1:]
        reach = self._side * self._random.uniform(0.11, 0.24)
        centre = self._random.uniform(0, height), self._random.uniform(0, width)
        name = SHAPES[int(self._random.integers(len(SHAPES)))]
        y, x = drawing.grid(height, width, centre)
        mask = _shape(name, y, x, reach, self._random)
        if self._random.random() < 0.55:
            self._plain(mask)
        else:
            self._textured(mask)
        self.planes[2][mask] = 1 + SHAPES.index(name)

    def _plain(self, mask: Mask) -> None:
        self._colour(mask, self._one_colour())
        self.planes[1][mask] = 0
        self.planes[2][mask] = 0

    def _textured(self, mask: Mask) -> None:
        name = TEXTURES[int(self._random.integers(len(TEXTURES)))]
        y, x = drawing.grid(
            mask.shape[0], mask.shape[1], (float(self._random.uniform(0, 9)), float(self._random.uniform(0, 9)))
        )
        marked = _texture(name, y, x, self._side, self._random)
        first = self._one_colour()
        second = self._one_colour(apart_from=first)
        self._colour(mask & marked, first)
        self._colour(mask & ~marked, second)
        self.planes[1][mask] = 1 + TEXTURES.index(name)
        self.planes[2][mask] = 0

    def _colour(self, mask: Mask, name: str) -> None:
        shade = np.clip(np.array(COLOURS[name]) + self._shift(name), 0, 1)
        self.picture[:, mask] = shade[:, None]
        self.planes[0][mask] = 1 + self._given.colours.index(name)

    def _shift(self, name: str) -> NDArray[np.float64]:
        """Achromatic colours stay so."""
        spread, several = (_SPREAD_GREY, 1) if name in _ACHROMATIC else (_SPREAD, 3)
        return np.broadcast_to(self._random.uniform(-spread, spread, several), (3,))

    def _one_colour(self, apart_from: str | None = None) -> str:
        """Any; of two in a texture the lightness differs, for a model that sees no colour too."""
        names = [name for name in self._given.colours if apart_from is None or _contrast(name, apart_from) > 0.2]
        return names[int(self._random.integers(len(names)))]

    def _slope(self) -> NDArray[np.float64]:
        y, x = drawing.grid(self.picture.shape[1], self.picture.shape[2], (0.0, 0.0))
        plane = drawing.across(y, x, float(self._random.uniform(0, 180)))
        plane = (plane - plane.min()) / max(float(np.ptp(plane)), 1e-9)
        low, high = self._random.uniform(0.0, 1.0, 2)
        return np.asarray(low + (high - low) * plane)

    def _clouds(self) -> NDArray[np.float64]:
        shape = (self.picture.shape[1], self.picture.shape[2])
        light = drawing.noise(shape, 1.5, self._random)
        tint = self._random.uniform(-0.1, 0.1, 3) if self._given.size[0] == 3 else np.zeros(3)
        level = self._random.uniform(0.0, 0.65)
        return np.clip(level + 0.35 * light[None] + tint[:, None, None], 0, 1)


def _contrast(one: str, other: str) -> float:
    weights = np.array([0.299, 0.587, 0.114])
    return abs(float(weights @ np.array(COLOURS[one]) - weights @ np.array(COLOURS[other])))


def _shape(name: str, y: Plane, x: Plane, reach: float, random: Random) -> Mask:
    angle = float(random.uniform(0, 360))
    turned = -drawing.across(y, x, angle), drawing.along(y, x, angle)
    draws: dict[str, Callable[[], Plane]] = {
        "circle": partial(drawing.disc, y, x, reach),
        "square": partial(drawing.box, *turned, half=0.85 * reach),
        "triangle": partial(drawing.triangle, y, x, angle, 1.2 * reach),
        "ring": partial(drawing.ring, y, x, 0.8 * reach, 0.42 * reach),
        "cross": lambda: np.minimum(
            drawing.cross(y, x, angle, max(1.5, 0.5 * reach)), drawing.box(*turned, half=1.1 * reach)
        ),
        "star": lambda: _star(*turned, reach=1.25 * reach),
        "line": lambda: np.minimum(
            drawing.bar(y, x, angle, max(1.5, 0.28 * reach)), drawing.box(*turned, half=1.8 * reach)
        ),
    }
    return np.asarray(draws[name]() > 0.5)


def _star(y: Plane, x: Plane, reach: float) -> Plane:
    """Five points; 1 inside."""
    turn = np.arctan2(y, x) % (2 * math.pi / 5)
    half = math.pi / 5
    # A straight side runs from a point at `reach` to a notch at 0.42 of it, mirrored about each.
    away = np.abs(turn - half)
    notch = 0.42 * reach
    tip = np.array([math.cos(half), math.sin(half)]) * reach
    base = np.array([notch, 0.0])
    normal = np.array([tip[1] - base[1], base[0] - tip[0]])
    limit = float(normal @ base)
    radius = np.hypot(y, x)
    return np.asarray(radius * (np.cos(away) * normal[0] + np.sin(away) * normal[1]) <= limit, np.float32)


def _texture(name: str, y: Plane, x: Plane, side: int, random: Random) -> Mask:
    """Where the first of two colours is."""
    period = float(random.uniform(max(3.0, side / 40), max(4.5, side / 9)))
    shift = float(random.uniform(0, period)), float(random.uniform(0, period))
    if name.endswith("stripes"):
        slant = float(random.choice([45.0, 135.0]))
        angle = {"horizontal": 0.0, "vertical": 90.0}.get(name.split()[0], slant)
        return np.asarray(drawing.square(y, x, angle, 1 / period, shift[0] / period) > 0.5)
    if name == "checks":
        return np.asarray(drawing.checkerboard(y, x, max(1.5, period / 2), shift) > 0.5)
    if name == "dots":
        return np.asarray(drawing.dots(y, x, period, 0.3 * period, shift) > 0.5)
    if name == "grid":
        line = max(1.0, 0.25 * period)
        return np.asarray(((y - shift[0]) % period < line) | ((x - shift[1]) % period < line))
    if name == "rings":
        centre = random.uniform(0, side, 2)
        return np.asarray(np.hypot(y - centre[0], x - centre[1]) % period < period / 2)
    grain = max(1, round(period / 4))
    height, width = y.shape
    coarse = random.random((-(-height // grain), -(-width // grain))) < 0.5
    return np.asarray(np.repeat(np.repeat(coarse, grain, 0), grain, 1)[:height, :width])
