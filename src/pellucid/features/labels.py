"""A plain label for every unit of a layer, with its selectivity and how sure it is.

A unit is called by the kind of stimulus that excites it most, with the orientation, scale or colour it prefers. Three checks may
withdraw the name. Its best answer must stand out of its answers to noise by `LEAST_DEVIATIONS` standard deviations. It must be more
selective than units that look for nothing (see `controls`), or its best answer stand out more than theirs. And the name must come
again when it is made anew from random halves of the variants (phases, places, polarities) of every condition.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pellucid.features.stimuli import HUES, ORIENTATIONS, Stimuli
from pellucid.features.tuning import KINDS, Floats, Free, Tuning

UNCLEAR = "no clear preference"
SILENT = "silent to every stimulus"

LEAST_DEVIATIONS = 2.0
LEAST_SURE = 0.5
HALVES = 12  # how often the name is made anew

# How much more strongly than a simpler kind these must excite a unit before it is called by them: a channel alone answers
# to white as much as to its colour, a small square is hardly another thing than a spot, half a coarse grating is grey, and a
# checkerboard is two gratings, of which either alone may be what is looked for. Of edges, lines and curves a little less will
# do: a grating of about a cycle a field holds each of them and more.
_LEADS = {
    "edge": 0.93,
    "line": 0.93,
    "curve": 0.9,
    "grey": 0.97,
    "hue": 1.1,
    "channel": 1.1,
    "opponent grating": 1.25,
    "checkerboard": 1.25,
    "dots": 1.05,
    "ring": 1.05,
    "cross": 1.1,
    "square": 1.15,
    "triangle": 1.15,
}
# Power of the answers in the mean direction: the peak counts, not the foot.
_PEAKED = 6
# Below this a unit that prefers gratings is called indifferent to orientation.
_LEAST_ORIENTED = 0.25
# The opposite hue and white excite an opponent unit less than this, as shares of its best hue.
_OPPOSITE, _WHITE = 0.1, 0.5

_HUES = ("red", "orange", "yellow", "lime", "green", "turquoise", "cyan", "blue", "blue", "violet", "magenta", "pink")
_AXES: tuple[str, ...] = ("red-cyan", "orange-blue", "yellow-blue", "lime-violet", "green-magenta", "turquoise-pink")
_AXES += ("cyan-red", "blue-orange", "blue-yellow", "violet-lime", "magenta-green", "pink-turquoise")
_POINTS = ("right", "upper right", "top", "upper left", "left", "lower left", "bottom", "lower right")


@dataclass(frozen=True)
class Labels:
    """What the units of a layer look for.

    Attributes:
        texts: a label a unit.
        kinds: the kind of stimulus that excites it most, "" where the label says that there is none.
        selectivity: float64[unit] from 0 (everything excites it as much) to 1 (one condition alone).
        deviations: float64[unit], standard deviations of its answers to noise by which its best answer stands out.
        sure: float64[unit], share of the random halves that give the same label.
        best: int64[unit], the condition that excites it most.
    """

    texts: tuple[str, ...]
    kinds: tuple[str, ...]
    selectivity: Floats
    deviations: Floats
    sure: Floats
    best: NDArray[np.int64]


@dataclass(frozen=True)
class Chance:
    """What units that look for nothing come to: selectivity of all but 5% of them, and deviations of all but 1%."""

    selectivity: float
    deviations: float

    @classmethod
    def of(cls, tuning: Tuning) -> Chance:
        """Of the answers of such units."""
        deviations = _deviations(tuning, tuning.responses.max(axis=0))
        return cls(float(np.quantile(selectivity_of(tuning), 0.95)), float(np.quantile(deviations, 0.99)))

    def exceeded(self, selectivity: Floats, deviations: Floats) -> NDArray[np.bool_]:
        """bool[unit]: a spot, which much of what is shown holds, is not selective, but what it is made for stands out."""
        return (selectivity > self.selectivity) | (deviations > self.deviations)


NO_CHANCE = Chance(0.0, np.inf)


def label(stimuli: Stimuli, responses: Floats, *, chance: Chance = NO_CHANCE, seed: int = 0) -> Labels:
    """Labels of the units.

    Args:
        stimuli: what was shown.
        responses: float64[picture unit], to all pictures in their order.
        chance: a unit that is beyond it in nothing has no clear preference.
        seed: of the random halves.
    """
    tuning = Tuning.of(stimuli, responses)
    winners = _winners(tuning)
    texts = [_text(tuning, unit, int(winners[unit])) for unit in range(tuning.units)]
    strongest = tuning.responses.max(axis=0)
    deviations = _deviations(tuning, strongest)
    random = np.random.default_rng(seed)
    agreed = np.zeros(tuning.units)
    for _ in range(HALVES):
        half = Tuning.of(stimuli, responses, _half(stimuli.owner, random))
        again = _winners(half)
        agreed += [_same(tuning, int(winners[unit]), half, int(again[unit])) for unit in range(tuning.units)]
    sure = agreed / HALVES
    silent = strongest <= 1e-9 * np.maximum(np.abs(tuning.blank), 1e-9)
    selectivity = selectivity_of(tuning)
    unclear = (deviations < LEAST_DEVIATIONS) | (sure < LEAST_SURE) | ~chance.exceeded(selectivity, deviations)
    kinds = [tuning.conditions[index].kind for index in winners]
    return Labels(
        texts=tuple(
            SILENT if silent[unit] else UNCLEAR if unclear[unit] else texts[unit] for unit in range(tuning.units)
        ),
        kinds=tuple("" if silent[unit] or unclear[unit] else kinds[unit] for unit in range(tuning.units)),
        selectivity=selectivity,
        deviations=np.where(silent, 0.0, deviations),
        sure=np.where(silent, 1.0, sure),
        best=winners,
    )


def _winners(tuning: Tuning) -> NDArray[np.int64]:
    """int64[unit]: the best condition of the kind that a unit is called by."""
    found = tuning.by_kind()
    for kind, lead in _LEADS.items():
        found[KINDS.index(kind)] /= lead
    best = found.argmax(axis=0)
    winners = np.zeros(tuning.units, np.int64)
    for place, kind in enumerate(KINDS):
        units = np.flatnonzero(best == place)
        if len(units):
            indices = tuning.of_kind(kind)
            winners[units] = indices[tuning.responses[np.ix_(indices, units)].argmax(axis=0)]
            if kind in _LINES:
                winners[units] = [_turned(tuning, int(unit), int(winners[unit])) for unit in units]
    hues = tuning.of_kind("hue")
    if len(hues):
        units = np.flatnonzero(best == KINDS.index("hue"))
        # The mean direction of what excites it: of hues that excite it alike, the middle one.
        circle = np.exp(2j * np.pi * np.arange(HUES) / HUES)
        turns = np.angle(circle @ np.maximum(tuning.hue()[:, units], 0.0)) / (2 * np.pi)
        winners[units] = hues[np.round(turns * HUES).astype(np.int64) % HUES]
    return winners


def _turned(tuning: Tuning, unit: int, winner: int) -> int:
    """The same scale at the mean direction of the strongest answers: of orientations that excite alike, the middle one.

    So it is with the colours of gratings that swing to the opposite hue.
    """
    free: Free
    for free in ("tone", "angle"):
        if getattr(tuning.conditions[winner], free) is not None:
            same = tuning.alike(winner, free)
            off = np.abs(_ways(tuning, same, free) - _direction(tuning, unit, same, free))
            winner = int(same[np.minimum(off, 180 - off).argmin()])
    return winner


def _ways(tuning: Tuning, same: NDArray[np.int64], free: Free) -> Floats:
    return np.array([getattr(tuning.conditions[index], free) for index in same], np.float64)


def _direction(tuning: Tuning, unit: int, same: NDArray[np.int64], free: Free) -> float:
    """Degrees, from 0 to 180: half a turn on, a line is the same line, and a hue the same axis of two."""
    curve = np.maximum(tuning.responses[same, unit], 0.0)
    strength = (curve / max(curve.max(), 1e-30)) ** _PEAKED
    turns = np.exp(2j * np.radians(_ways(tuning, same, free)))
    return float(np.degrees(np.angle(turns @ strength)) / 2 % 180)


def _half(owner: NDArray[np.int64], random: np.random.Generator) -> NDArray[np.bool_]:
    """bool[picture]: a random half of the variants of each condition that has more than two."""
    order = np.lexsort((random.random(len(owner)), owner))
    starts = np.searchsorted(owner, owner)
    counts = np.bincount(owner)[owner]
    kept = np.zeros(len(owner), bool)
    kept[order] = np.arange(len(owner)) - starts < np.ceil(counts / 2)
    return np.asarray(kept | (counts <= 2))  # a thing in both polarities: no half of it is the same thing


def _deviations(tuning: Tuning, strongest: Floats) -> Floats:
    """How far the best answer stands out of those to noise, in standard deviations of the upper half of these."""
    middle = np.median(tuning.noise, axis=0)
    above = np.maximum(tuning.noise - middle, 0.0)
    # The upper half alone: a rectifier cuts the lower one off. Twice its mean square is the variance of both halves.
    spread = np.sqrt(2 * np.mean(above**2, axis=0))
    lead = strongest - middle
    least = 1e-3 * np.maximum(np.abs(strongest), 1e-12)
    return np.asarray(np.minimum(lead / np.maximum(spread, least), 1e3))


def selectivity_of(tuning: Tuning) -> Floats:
    """float64[unit]: 1 minus the mean over conditions of what excites the unit, in shares of its best."""
    strongest = tuning.responses.max(axis=0)
    excited = np.maximum(tuning.responses, 0.0).mean(axis=0)
    return np.where(strongest > 0, 1.0 - excited / np.where(strongest > 0, strongest, 1.0), 0.0)


# --- words --------------------------------------------------------------------------------------------------------

_LINES = ("grating", "opponent grating", "edge", "line")


def _same(one: Tuning, first: int, other: Tuning, second: int) -> bool:
    """Whether two conditions are the same name, give or take a step of orientation or hue; edge and line are neighbours."""
    a, b = one.conditions[first], other.conditions[second]
    if a.kind in _LINES and b.kind in _LINES:
        turn = abs((a.angle or 0.0) - (b.angle or 0.0)) % 180
        return min(turn, 180 - turn) <= 30
    if a.kind != b.kind:
        return False
    if a.tone is not None and b.tone is not None and a.kind == "hue":
        turn = abs(a.tone - b.tone) % 360
        return min(turn, 360 - turn) <= 30
    if a.tone != b.tone:
        return False
    if a.angle is not None and b.angle is not None:
        turn = abs(a.angle - b.angle) % 360
        return min(turn, 360 - turn) <= 45
    return True


def _text(tuning: Tuning, unit: int, winner: int) -> str:
    condition = tuning.conditions[winner]
    match condition.kind:
        case "grating":
            return _lines(tuning, unit, winner, "stripes")
        case "edge" | "line" as kind:
            return _lines(tuning, unit, winner, kind)
        case "opponent grating":
            return f"{_AXES[round((condition.tone or 0.0) / 30) % 6]} {_lines(tuning, unit, winner, 'stripes')}"
        case "hue":
            return _hue(tuning, unit, round((condition.tone or 0.0) / (360 / HUES)))
        case "channel":
            return f"input channel {int(condition.tone or 0)}"
        case "grey":
            level = condition.tone or 0.0
            return "bright areas" if level > 0.5 else "dark areas" if level < 0.5 else "grey areas"
        case "checkerboard" | "dots":
            return f"{condition.kind} texture, {_size(condition.scale or 1.0)}"
        case "corner":
            return f"corner, towards the {_POINTS[round((condition.angle or 0.0) / 45) % 8]}"
        case "curve":
            return f"curve, towards the {_POINTS[round((condition.angle or 0.0) / 45) % 8]}"
        case "disc":
            return f"{'bright' if condition.tone else 'dark'} spot, {_size(condition.scale or 1.0)}"
        case other:
            return f"{other}, {_size(condition.scale)}" if condition.scale is not None else other


def _lines(tuning: Tuning, unit: int, winner: int, noun: str) -> str:
    """Orientation in words and degrees, then how fine; without the orientation where all excite it about as much."""
    condition = tuning.conditions[winner]
    angle, scale = condition.angle or 0.0, ""
    if noun == "stripes":
        scale = f", {_grain(condition.scale or 1.0, tuning.extent)}"
        same = tuning.alike(winner, "angle")
        curve = tuning.orientation()[:, unit] if condition.kind == "grating" else tuning.responses[same, unit]
        curve = np.maximum(curve, 0.0)
        if curve.max() > 0 and curve.min() > (1 - _LEAST_ORIENTED) * curve.max():
            return f"{noun} of any orientation{scale}"
        if len(same) < ORIENTATIONS:  # shown at every second one
            step = 180 / ORIENTATIONS
            angle = round(_direction(tuning, unit, same, "angle") / step) * step % 180
    words = {0: "horizontal", 90: "vertical"}.get(round(angle) % 180, "diagonal")
    return f"{words} {noun}, {round(angle) % 180} degrees{scale}"


def _grain(period: float, extent: float) -> str:
    cycles = extent / period
    return "coarse" if cycles <= 1.25 else "medium" if cycles < 2.75 else "fine"


def _size(pixels: float) -> str:
    return f"{round(pixels)} pixel{'' if round(pixels) == 1 else 's'}"


def _hue(tuning: Tuning, unit: int, best: int) -> str:
    curve = tuning.hue()[:, unit]
    strongest, opposite, white = curve[best], curve[(best + HUES // 2) % HUES], tuning.grey()[-1, unit]
    if opposite <= _OPPOSITE * strongest and white <= _WHITE * strongest:
        return f"{_AXES[best]} opponent"
    return f"{_HUES[best]} areas"
