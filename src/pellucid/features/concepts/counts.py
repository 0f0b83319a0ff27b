"""How often channels and concepts stand on the same pixels: the counts that intersection over union is made of."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from pellucid.features.concepts.sets import Concept, Planes, spans_of

BLOCKS = 10
NULLS = 10
_VALUES = 1 << 22  # of interpolated maps at once

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

    def observe(self, units: Tensor, pixels: Tensor, place: int, masks: Sequence[Planes]) -> None:
        """Counts one picture in.

        Args:
            units: int64[hit], channels that are above their thresholds,
            pixels: int64[hit], at these pixels of the mask.
            place: of the picture in the visit.
            masks: its own, then those of `NULLS` others.
        """
        for kind, (start, end) in enumerate(spans_of(self.concepts)):
            planes = np.stack([one[kind] for one in masks]).reshape(len(masks), -1)
            shown = np.asarray(planes.any(axis=1))
            width = end - start + 1
            labels = torch.from_numpy(planes[:, pixels.numpy()].astype(np.int64))
            rows = torch.arange(len(masks))[:, None] * self.units + units
            found = torch.bincount((rows * width + labels).view(-1), minlength=len(masks) * self.units * width)
            # A picture that shows nothing of a kind is not counted for it.
            table = found.view(len(masks), self.units, width).numpy() * shown[:, None, None]
            block = place % BLOCKS
            self.both[block, :, start:end] += table[0, :, 1:]
            self.above[block, :, kind] += table[0].sum(1)
            self.both_null[:, :, start:end] += table[1:, :, 1:]
            self.above_null[:, :, kind] += table[1:].sum(2)

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

    def observe(self, place: int, planes: Planes) -> None:
        """Counts one picture's masks in."""
        for plane, (start, end) in zip(planes, spans_of(self.concepts), strict=True):
            found = np.bincount(plane.reshape(-1), minlength=end - start + 1)[1:]
            self.pixels[place % BLOCKS, start:end] += found
            self.pictures[start:end] += found > 0

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


def chunks(pairs: int, values: int) -> list[slice]:
    """Parts of a list whose items hold so many values each."""
    step = max(1, _VALUES // max(1, values))
    return [slice(start, min(pairs, start + step)) for start in range(0, pairs, step)]
