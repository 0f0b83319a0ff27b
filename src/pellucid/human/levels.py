"""Conditions as levels of a distortion: `contrast=0.3`, `0.6`, `c05`."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from pellucid.distort import DISTORTIONS

_NUMBER = r"[+-]?(?:\d+\.?\d*|\.\d+)(?:e[+-]?\d+)?"
_NAMED = re.compile(rf"([A-Za-z][\w .-]*?)\s*=\s*({_NUMBER})", re.IGNORECASE)
_SHORT = re.compile(rf"([A-Za-z]{{0,3}})({_NUMBER})", re.IGNORECASE)
# Levels that span more than this factor are spread over orders of magnitude.
_ORDERS = 10.0


@dataclass(frozen=True)
class Level:
    """A condition: place in the list of them, and the level that it is."""

    place: int
    value: float


def by_distortion(conditions: Sequence[str], experiment: str = "") -> tuple[dict[str, list[Level]], list[int]]:
    """The levels of each distortion, in order, and the places of conditions that are none.

    A number after up to three letters (c05 of model-vs-human) is a level of `experiment`; of two conditions with different letters
    only the more frequent letters are taken as one distortion.

    >>> by_distortion(["contrast=0.3", "contrast=1", "original"])
    ({'contrast': [Level(place=0, value=0.3), Level(place=1, value=1.0)]}, [2])
    """
    found: dict[tuple[str, str], list[Level]] = {}
    rest: list[int] = []
    for place, condition in enumerate(conditions):
        named, short = _NAMED.fullmatch(condition.strip()), _SHORT.fullmatch(condition.strip())
        if named:
            key, text = (named[1].strip().lower(), ""), named[2]
        elif short:
            key, text = ("", short[1].lower()), short[2]
        else:
            rest.append(place)
            continue
        if not math.isfinite(float(text)):
            rest.append(place)
            continue
        found.setdefault(key, []).append(Level(place, float(text)))
    # Letters alone do not say what was varied: where several stand side by side the smaller groups are no levels of it.
    lettered = sorted((key for key in found if not key[0]), key=lambda key: (-len(found[key]), key))
    rest += [level.place for key in lettered[1:] for level in found.pop(key)]
    return {
        key[0] or experiment: sorted(levels, key=lambda level: level.value) for key, levels in found.items()
    }, sorted(rest)


def scale_of(distortion: str, levels: Sequence[Level]) -> Literal["linear", "log"]:
    """On which scale its levels are spread evenly."""
    values = [level.value for level in levels]
    positive = [value for value in values if value > 0]
    if min(values) < 0 or len(positive) < 2:
        return "linear"
    if distortion in DISTORTIONS:
        return DISTORTIONS[distortion].scale
    return "log" if max(positive) / min(positive) > _ORDERS else "linear"


def falls(distortion: str) -> bool | None:
    """Whether accuracy falls as the level rises; None where it is not known."""
    return DISTORTIONS[distortion].itself == 0 if distortion in DISTORTIONS else None
