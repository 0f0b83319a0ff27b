"""From responses to stimuli to tuning curves: how a unit's answer depends on orientation, frequency, hue and kind."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Literal, TypeAlias, get_args

import numpy as np
from numpy.typing import NDArray

from pellucid.features.stimuli import GREYS, HUES, ORIENTATIONS, Condition, Stimuli

Floats = NDArray[np.float64]
Free: TypeAlias = Literal["angle", "tone"]

# Every kind that a label can name; noise and the blank field are what they are compared with.
KINDS = (
    "grating",
    "opponent grating",
    "edge",
    "line",
    "hue",
    "channel",
    "grey",
    "checkerboard",
    "dots",
    "corner",
    "curve",
    "disc",
    "ring",
    "cross",
    "square",
    "triangle",
)


@dataclass(frozen=True)
class Tuning:
    """What the units of one layer answered.

    Attributes:
        conditions: what was shown, without noise and blank.
        responses: float64[condition unit], the strongest over variants and the places around the centre, minus the
            answer to the blank grey field.
        noise: float64[picture unit], the same of every noise picture.
        blank: float64[unit].
        frequencies: cycles a pixel.
        extent: the field's longer side in pixels.
        channels: of the input.
    """

    conditions: tuple[Condition, ...]
    responses: Floats
    noise: Floats
    blank: Floats
    frequencies: tuple[float, ...]
    extent: float
    channels: int

    @classmethod
    def of(cls, stimuli: Stimuli, responses: Floats, kept: NDArray[np.bool_] | None = None) -> Tuning:
        """From responses float[picture unit] in the stimuli's order; `kept` leaves variants out, bool[picture]."""
        owner = stimuli.owner
        values = responses if kept is None else np.where(kept[:, None], responses, -np.inf)
        starts = np.searchsorted(owner, np.arange(len(stimuli.conditions)))
        strongest = np.maximum.reduceat(values, starts, axis=0)
        kinds = np.array([condition.kind for condition in stimuli.conditions])
        blank = responses[owner == int(np.flatnonzero(kinds == "blank")[0])][0]
        shown = np.flatnonzero((kinds != "noise") & (kinds != "blank"))
        return cls(
            conditions=tuple(stimuli.conditions[index] for index in shown),
            responses=strongest[shown] - blank,
            noise=responses[np.isin(owner, np.flatnonzero(kinds == "noise"))] - blank,
            blank=blank,
            frequencies=stimuli.frequencies,
            extent=stimuli.extent,
            channels=stimuli.channels,
        )

    @property
    def units(self) -> int:
        """How many units answered."""
        return int(self.responses.shape[1])

    def of_kind(self, kind: str) -> NDArray[np.int64]:
        """Indices of the conditions of a kind."""
        return np.flatnonzero([condition.kind == kind for condition in self.conditions])

    def by_kind(self) -> Floats:
        """float64[kind unit]: the strongest answer to each kind; minus infinity where it was not shown."""
        found = np.full((len(KINDS), self.units), -np.inf)
        for place, kind in enumerate(KINDS):
            indices = self.of_kind(kind)
            if len(indices):
                found[place] = self.responses[indices].max(axis=0)
        return found

    def gratings(self) -> Floats:
        """float64[frequency orientation unit]."""
        indices = self.of_kind("grating")
        return self.responses[indices].reshape(len(self.frequencies), ORIENTATIONS, self.units)

    def alike(self, index: int, free: Free) -> NDArray[np.int64]:
        """Indices of the conditions that differ from one of them in its angle or its tone alone."""
        return self._alike[_but(self.conditions[index], free)]

    @cached_property
    def _alike(self) -> dict[tuple[object, ...], NDArray[np.int64]]:
        found: dict[tuple[object, ...], list[int]] = {}
        for index, condition in enumerate(self.conditions):
            for free in get_args(Free):
                found.setdefault(_but(condition, free), []).append(index)
        return {key: np.array(indices, np.int64) for key, indices in found.items()}

    def orientation(self) -> Floats:
        """float64[orientation unit]: at each unit's best frequency."""
        found = self.gratings()
        best = found.max(axis=1).argmax(axis=0)
        return np.asarray(np.take_along_axis(found, best[None, None], axis=0)[0])

    def frequency(self) -> Floats:
        """float64[frequency unit]: at each unit's best orientation."""
        found = self.gratings()
        best = found.max(axis=0).argmax(axis=0)
        return np.asarray(np.take_along_axis(found, best[None, None], axis=1)[:, 0])

    def hue(self) -> Floats:
        """float64[hue unit]; of inputs that have no hues, float64[channel unit]; nothing of one channel."""
        indices = self.of_kind("hue" if self.channels == 3 else "channel")
        return self.responses[indices].reshape(HUES if self.channels == 3 else len(indices), self.units)

    def grey(self) -> Floats:
        """float64[level unit], black first."""
        return self.responses[self.of_kind("grey")].reshape(GREYS, self.units)

    def orientation_selectivity(self) -> Floats:
        """float64[unit] from 0 (any orientation) to 1 (one alone): 1 minus the circular variance of what excites it."""
        curve = np.maximum(self.orientation(), 0.0)
        turns = np.exp(2j * np.pi * np.arange(ORIENTATIONS) / ORIENTATIONS)
        total = curve.sum(axis=0)
        return np.where(total > 0, np.abs(turns @ curve) / np.where(total > 0, total, 1.0), 0.0)

    def preferred_orientation(self) -> Floats:
        """float64[unit] in degrees, by the vector sum of what excites it."""
        curve = np.maximum(self.orientation(), 0.0)
        turns = np.exp(2j * np.pi * np.arange(ORIENTATIONS) / ORIENTATIONS)
        return np.asarray(np.degrees(np.angle(turns @ curve)) / 2 % 180)


def _but(condition: Condition, free: Free) -> tuple[object, ...]:
    """All of a condition but one."""
    return free, condition.kind, condition.scale, condition.tone if free == "angle" else condition.angle
