"""How often channels and concepts stand on the same pixels: the counts that intersection over union is made of."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from pellucid.features.concepts.sets import Concept, Mixture, spans_of

BLOCKS = 10
NULLS = 10

Counts = NDArray[np.int64]


@dataclass
class Agreement:
    """State of one layer; integers only, so that order, batches and merging change nothing.

    Attributes:
        both: int64[block unit concept], mask pixels where the channel is above its threshold and the concept is.
        above: int64[block unit kind], mask pixels where the channel is above its threshold, on pictures that have a concept of
            the kind; the others are not counted for it (Bau et al. 2017).
        both_null, above_null: the same by shuffle instead of block, with the masks of another picture.
        pixels: how many a mask has.
    """

    units: int
    concepts: tuple[Concept, ...]
    both: Counts = field(init=False)
    above: Counts = field(init=False)
    both_null: Counts = field(init=False)
    above_null: Counts = field(init=False)

    def __post_init__(self) -> None:
        kinds = len(spans_of(self.concepts))
        self.both = np.zeros((BLOCKS, self.units, len(self.concepts)), np.int64)
        self.above = np.zeros((BLOCKS, self.units, kinds), np.int64)
        self.both_null = np.zeros((NULLS, self.units, len(self.concepts)), np.int64)
        self.above_null = np.zeros((NULLS, self.units, kinds), np.int64)

    def observe(self, units: Tensor, pixels: Tensor, place: int, masks: Sequence[Mixture]) -> None:
        """Counts one picture in.

        Args:
            units: int64[hit], channels that are above their thresholds,
            pixels: int64[hit], at these pixels of the mask.
            place: of the picture in the visit.
            masks: its own, then those of `NULLS` others.
        """
        if not len(units):
            return
        # Few channels are above their threshold on one picture: the others need no row in the table.
        hit = torch.bincount(units, minlength=self.units)
        bright = hit.nonzero()[:, 0]
        row = torch.zeros(self.units, dtype=torch.int64)
        row[bright] = torch.arange(len(bright))
        width = max(len(one.holds) for one in masks)
        start = row[units] * width
        many, where, of_all = hit[bright].numpy(), bright.numpy(), pixels.numpy()
        for number, mixture in enumerate(masks):
            code = start + torch.from_numpy(mixture.place[of_all])
            table = torch.bincount(code, minlength=len(bright) * width).view(len(bright), width).double().numpy()
            both = (table[:, : len(mixture.holds)] @ mixture.holds).astype(np.int64)
            # A picture that shows nothing of a kind is not counted for it.
            above = many[:, None] * mixture.shows
            if number == 0:
                self.both[place % BLOCKS, where] += both
                self.above[place % BLOCKS, where] += above
            else:
                self.both_null[number - 1, where] += both
                self.above_null[number - 1, where] += above

    def merge(self, other: Agreement) -> None:
        """Counts another part of the same set in."""
        for name in ("both", "above", "both_null", "above_null"):
            getattr(self, name)[:] += getattr(other, name)


@dataclass
class Presence:
    """How many mask pixels each concept has, whatever the model.

    Attributes:
        pixels: int64[block concept].
        pictures: int64[concept], those that show it.
    """

    concepts: tuple[Concept, ...]
    pixels: Counts = field(init=False)
    pictures: Counts = field(init=False)

    def __post_init__(self) -> None:
        self.pixels = np.zeros((BLOCKS, len(self.concepts)), np.int64)
        self.pictures = np.zeros(len(self.concepts), np.int64)

    def observe(self, place: int, masks: Mixture) -> None:
        """Counts one picture's masks in."""
        found = (masks.counts @ masks.holds).astype(np.int64)
        self.pixels[place % BLOCKS] += found
        self.pictures += found > 0

    def merge(self, other: Presence) -> None:
        """Counts another part of the same set in."""
        self.pixels += other.pixels
        self.pictures += other.pictures


def iou(both: Counts, above: Counts, pixels: Counts, concepts: Sequence[Concept]) -> NDArray[np.float64]:
    """Intersection over union from sums over the pictures; 0 where nothing is on either side.

    Args:
        both: int64[... unit concept].
        above: int64[... unit kind].
        pixels: int64[... concept].
        concepts: what the last axis of `both` is.
    """
    kinds = np.concatenate([np.full(end - start, kind) for kind, (start, end) in enumerate(spans_of(tuple(concepts)))])
    union = above[..., kinds] + pixels[..., None, :] - both
    return np.asarray(both / np.maximum(union, 1))
