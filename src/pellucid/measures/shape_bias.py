"""Shape against texture: images whose shape is of one category and whose texture is of another."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

# The names of Geirhos et al. 2019: <shape><number>-<texture><number>.png
_NAME = re.compile(r"(?:.*/)?([^\W\d]+)\d+-([^\W\d]+)\d+(?:\.\w+)?")


@dataclass(frozen=True)
class Cues:
    """int64[image] places in the categories: of the shape and of the texture; -1 where an image is no cue conflict."""

    shape: NDArray[np.int64]
    texture: NDArray[np.int64]

    @property
    def conflict(self) -> NDArray[np.bool_]:
        """Images whose shape and texture differ; where both are of one category an answer tells nothing."""
        found: NDArray[np.bool_] = (self.shape >= 0) & (self.shape != self.texture)
        return found


def cues_of(names: Sequence[str], categories: Sequence[str]) -> Cues:
    """Reads shape and texture off the images' names, "cat4-truck2.png", where both are categories."""
    places = {name: place for place, name in enumerate(categories)}
    shape, texture = np.full(len(names), -1, np.int64), np.full(len(names), -1, np.int64)
    for image, name in enumerate(names):
        found = _NAME.fullmatch(name)
        if found is not None and found[1] in places and found[2] in places:
            shape[image], texture[image] = places[found[1]], places[found[2]]
    return Cues(shape, texture)


@dataclass(frozen=True)
class ShapeCounts:
    """int64[image]: answers to each conflict, those that name its shape and those that name its texture."""

    count: NDArray[np.int64]
    shape: NDArray[np.int64]
    texture: NDArray[np.int64]


def shape_counts(cues: Cues, counts: NDArray[np.integer]) -> ShapeCounts:
    """Tells answers by what they follow.

    Args:
        cues: of the images.
        counts: int[image answer], how often each answer was given; answers after the categories follow neither.

    Source: Geirhos et al. 2019, arXiv:1811.12231, section 2.3; shape bias is shape / (shape + texture).
    """
    rows, conflict = np.arange(len(counts)), cues.conflict
    shape = np.where(conflict, counts[rows, np.maximum(cues.shape, 0)], 0)
    texture = np.where(conflict, counts[rows, np.maximum(cues.texture, 0)], 0)
    return ShapeCounts(np.where(conflict, counts.sum(axis=1), 0), shape, texture)
