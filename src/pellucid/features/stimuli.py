"""Pictures that a physiologist would show a unit, drawn at its receptive field.

Gratings of every orientation and spatial frequency, edges, lines, hues and grey levels, checkerboards, dots, corners, curves,
simple shapes; and noise of three spectra, which is nobody's feature and says what a unit answers by chance. A condition (a
vertical grating of 8 pixels, say) is shown in several variants: phases, places, polarities.
"""

from __future__ import annotations

import colorsys
import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import partial

import numpy as np
from numpy.typing import NDArray

from pellucid.features import drawing
from pellucid.features.drawing import Plane
from pellucid.features.fields import Box

ORIENTATIONS = 12
HUES = 12
GREYS = 5
NOISES = 96
FINEST = 0.5  # cycles a pixel: along rows and columns, pixels show none that is finer
MOST_FREQUENCIES = 7
_OPPONENTS = (0.0, 30.0, 60.0, 90.0, 120.0, 150.0)  # hues whose gratings swing to the opposite hue

Colour = tuple[float, ...]


@dataclass(frozen=True, slots=True)
class Condition:
    """One thing to show.

    Attributes:
        kind: "grating", "opponent grating", "edge", "line", "hue", "channel", "grey", "checkerboard", "dots", "corner",
            "curve", "disc", "ring", "cross", "square", "triangle", "noise" or "blank".
        angle: of the line in degrees, counter-clockwise from the horizontal; of a corner, where it points.
        scale: period, cell or size in pixels.
        tone: hue in degrees, grey level from 0 to 1 (of a disc, whose ground is the opposite), or index of a channel.
    """

    kind: str
    angle: float | None = None
    scale: float | None = None
    tone: float | None = None


@dataclass(frozen=True, slots=True)
class _Shown:
    condition: int
    draw: Callable[[Plane, Plane], Plane]
    low: Colour
    high: Colour


@dataclass
class Stimuli:
    """A set of pictures for one field: conditions, and variants of each.

        shown = Stimuli((224, 224), Box(100, 100, 24, 24), channels=3)
        for pictures in shown.batches(64): ...      # float32[batch channel height width], 0 to 1

    Args:
        size: height and width of the model's input.
        box: the field in input pixels; what lies beyond the border is not counted.
        channels: of the input. Three are red, green and blue; of any other number above one, each is a colour of its own.
        seed: of the noise.
    """

    size: tuple[int, int]
    box: Box
    channels: int
    seed: int = 0
    conditions: list[Condition] = field(default_factory=list)
    frequencies: tuple[float, ...] = ()
    _shown: list[_Shown] = field(default_factory=list)

    def __post_init__(self) -> None:
        seen = self.box.within(*self.size)
        self._extent = float(max(2, seen.extent))
        self._centre = seen.centre
        self.frequencies = _frequencies(self._extent)
        for add in (self._blank, self._gratings, self._edges, self._tones, self._textures, self._shapes, self._noise):
            add()

    def __len__(self) -> int:
        """Number of pictures."""
        return len(self._shown)

    @property
    def extent(self) -> float:
        """The field's longer side on the image, in pixels."""
        return self._extent

    @property
    def owner(self) -> NDArray[np.int64]:
        """int64[picture]: the condition that each picture is a variant of; ascending."""
        return np.array([one.condition for one in self._shown], np.int64)

    def picture(self, index: int) -> NDArray[np.float32]:
        """float32[channel height width], 0 (black) to 1 (white)."""
        one = self._shown[index]
        y, x = drawing.grid(*self.size, self._centre)
        plane = one.draw(y, x)
        low, high = (np.asarray(colour, np.float32)[:, None, None] for colour in (one.low, one.high))
        return np.asarray(low + plane[None] * (high - low), np.float32)

    def batches(self, size: int) -> Iterator[NDArray[np.float32]]:
        """All pictures in order, float32[batch channel height width]."""
        for start in range(0, len(self), size):
            yield np.stack([self.picture(index) for index in range(start, min(len(self), start + size))])

    # --- what is shown ------------------------------------------------------------------------------------------

    def _add(self, condition: Condition, draws: list[Callable[[Plane, Plane], Plane]], *, both: bool = False) -> None:
        """A condition in variants, light on dark; `both` also dark on light."""
        black, white = self._grey(0.0), self._grey(1.0)
        pairs = [(black, white), (white, black)] if both else [(black, white)]
        self._coloured(condition, draws, pairs)

    def _coloured(
        self, condition: Condition, draws: list[Callable[[Plane, Plane], Plane]], pairs: list[tuple[Colour, Colour]]
    ) -> None:
        self.conditions.append(condition)
        index = len(self.conditions) - 1
        self._shown += [_Shown(index, draw, low, high) for draw in draws for low, high in pairs]

    def _grey(self, level: float) -> Colour:
        return (level,) * self.channels

    def _blank(self) -> None:
        self._coloured(Condition("blank"), [_everywhere], [(self._grey(0.5), self._grey(0.5))])

    def _gratings(self) -> None:
        phases = (0.0, 0.25, 0.5, 0.75)
        for frequency in self.frequencies:
            for angle in _angles(ORIENTATIONS, 180):
                draws: list[Callable[[Plane, Plane], Plane]] = [
                    partial(drawing.square, angle=angle, frequency=frequency, phase=phase) for phase in phases
                ]
                draws += [partial(drawing.sine, angle=angle, frequency=frequency, phase=phase) for phase in phases[:2]]
                if frequency == FINEST and finest(angle) > 1.2 * FINEST:
                    between = (FINEST + finest(angle)) / 2  # the finest along a diagonal stand for what is finer still
                    draws += [partial(drawing.sine, angle=angle, frequency=between, phase=phase) for phase in phases]
                self._add(Condition("grating", angle, 1 / frequency), draws)
        if self.channels != 3:
            return
        # Of less than a cycle a field, one colour fills it: that is what the hues are for.
        for frequency in [one for one in self.frequencies if one * self._extent >= 1][:3]:
            for angle in _angles(6, 180):
                for hue in _OPPONENTS:
                    draws = [partial(drawing.square, angle=angle, frequency=frequency, phase=phase) for phase in phases]
                    colours = (_of_hue(hue), _of_hue(hue + 180))
                    self._coloured(Condition("opponent grating", angle, 1 / frequency, hue), draws, [colours])

    def _edges(self) -> None:
        shifts = (-0.25, 0.0, 0.25)
        for angle in _angles(ORIENTATIONS, 180):
            draws: list[Callable[[Plane, Plane], Plane]] = [
                partial(_edge, angle=angle, shift=shift * self._extent) for shift in shifts
            ]
            self._add(Condition("edge", angle), draws, both=True)
            for share in (0.15, 0.34):
                width = max(1.0, share * self._extent)
                draws = [partial(_line, angle=angle, width=width, shift=shift * self._extent) for shift in shifts]
                self._add(Condition("line", angle, width), draws, both=True)

    def _tones(self) -> None:
        for level in np.linspace(0, 1, GREYS).tolist():
            self._coloured(Condition("grey", tone=level), [_everywhere], [(self._grey(level), self._grey(level))])
        if self.channels == 3:
            for hue in _angles(HUES, 360):
                self._coloured(Condition("hue", tone=hue), [_everywhere], [(_of_hue(hue), _of_hue(hue))])
        elif self.channels > 1:
            for channel in range(self.channels):
                alone = tuple(float(other == channel) for other in range(self.channels))
                self._coloured(Condition("channel", tone=float(channel)), [_everywhere], [(alone, alone)])

    def _textures(self) -> None:
        for cell in _sizes(self._extent, 1.0, 0.5):
            # Borders of cells lie between pixels.
            rows, columns = ([start, start + max(1.0, cell // 2)] for start in map(self._between, (0, 1)))
            draws: list[Callable[[Plane, Plane], Plane]] = [
                partial(drawing.checkerboard, cell=cell, shift=(y, x)) for y in rows for x in columns
            ]
            self._add(Condition("checkerboard", scale=cell), draws, both=True)
        for pitch in _sizes(self._extent, 3.0, 0.6):
            draws = [
                partial(drawing.dots, pitch=pitch, radius=pitch * 0.28, shift=(y * pitch, x * pitch))
                for y, x in ((0, 0), (0.25, 0.25), (0.43, 0.5), (0, 0.5))
            ]
            self._add(Condition("dots", scale=pitch), draws, both=True)

    def _between(self, axis: int) -> float:
        """The place nearest the field's centre that lies between two pixels, from the centre."""
        return 0.0 if self._centre[axis] % 1 else 0.5

    def _shapes(self) -> None:
        reach, places = self._extent, (-1 / 6, 0.0, 1 / 6)
        for angle in _angles(8, 360):
            along = [
                partial(_corner, angle=angle, shift=place * reach) for place in (-1 / 4, -1 / 8, 0.0, 1 / 8, 1 / 4)
            ]
            self._add(Condition("corner", angle), list(along), both=True)
            for radius in (0.3 * reach, 0.6 * reach):
                arcs = [
                    partial(_arc, angle=angle, radius=radius, width=max(1.0, reach / 7), shift=place * reach)
                    for place in places
                ]
                self._add(Condition("curve", angle, radius), list(arcs), both=True)
        for share in (0.15, 0.25, 0.4):
            size = max(0.6, share * reach)
            black, white = self._grey(0.0), self._grey(1.0)
            for tone, pair in ((1.0, (black, white)), (0.0, (white, black))):
                self._coloured(Condition("disc", None, 2 * size, tone), [partial(drawing.disc, radius=size)], [pair])
            self._add(Condition("square", scale=2 * size), [partial(drawing.box, half=size)], both=True)
            thick = max(1.0, size / 2)
            self._add(Condition("ring", scale=2 * size), [partial(drawing.ring, radius=size, width=thick)], both=True)
            self._add(
                Condition("cross", scale=thick),
                [partial(drawing.cross, angle=angle, width=thick) for angle in (0.0, 45.0)],
                both=True,
            )
            self._add(
                Condition("triangle", scale=2 * size),
                [partial(drawing.triangle, angle=angle, half=size) for angle in (0.0, 90.0, 180.0, 270.0)],
                both=True,
            )

    def _noise(self) -> None:
        random = np.random.default_rng(self.seed)
        for number in range(NOISES):
            exponent = (number % 3) / 2
            seed = int(random.integers(2**31))
            self._coloured(
                Condition("noise", scale=exponent),
                [partial(_noise, exponent=exponent, seed=seed)],
                [(self._grey(0.0), self._grey(1.0))],
            )


def finest(angle: float) -> float:
    """Cycles a pixel of the finest grating of an angle: half a cycle a pixel along rows or columns, whichever it meets first."""
    radians = math.radians(angle)
    return 0.5 / max(abs(math.sin(radians)), abs(math.cos(radians)))


def _frequencies(extent: float) -> tuple[float, ...]:
    """Cycles a pixel, coarse first: from half a cycle a field to the finest, in octaves, half octaves in small fields."""
    step = 2.0 if extent > 16 else 2**0.5
    found = [FINEST]
    while len(found) < MOST_FREQUENCIES and found[-1] / step >= 0.5 / extent:
        found.append(found[-1] / step)
    return tuple(reversed(found))


def _sizes(extent: float, least: float, share: float) -> list[float]:
    """Sizes in pixels from the least to a share of the field, about an octave apart, six at most."""
    found: list[float] = []
    size = least
    while (size <= max(least, share * extent)) and len(found) < 6:
        found.append(size)
        size = size + 1 if size < 4 else float(int(size * 1.6))
    return found


def _angles(number: int, circle: int) -> list[float]:
    return [circle * step / number for step in range(number)]


def _of_hue(hue: float) -> Colour:
    return colorsys.hsv_to_rgb(hue % 360 / 360, 1.0, 1.0)


def _everywhere(y: Plane, x: Plane) -> Plane:
    return np.ones_like(y)


def _edge(y: Plane, x: Plane, angle: float, shift: float) -> Plane:
    return drawing.inside(drawing.across(y, x, angle) - np.float32(shift))


def _line(y: Plane, x: Plane, angle: float, width: float, shift: float) -> Plane:
    return drawing.inside(width / 2 - np.abs(drawing.across(y, x, angle) - np.float32(shift)))


def _moved(y: Plane, x: Plane, angle: float, shift: float) -> tuple[Plane, Plane]:
    radians = np.radians(angle)
    return y + np.float32(shift * np.sin(radians)), x - np.float32(shift * np.cos(radians))


def _corner(y: Plane, x: Plane, angle: float, shift: float) -> Plane:
    return drawing.corner(*_moved(y, x, angle, shift), angle)


def _arc(y: Plane, x: Plane, angle: float, radius: float, width: float, shift: float) -> Plane:
    return drawing.arc(*_moved(y, x, angle, shift), angle, radius, width)


def _noise(y: Plane, x: Plane, exponent: float, seed: int) -> Plane:
    return drawing.noise((y.shape[0], y.shape[1]), exponent, np.random.default_rng(seed))
