"""The value that the strongest half per cent of a channel's activations reach, from a stream, in a fixed memory.

Counts of the 16 leading bits of a float32 (128 bins an octave), of the sixteen octaves below a channel's maximum. A threshold is
the lower edge of a bin: at most 1/128 below the exact quantile, and how many values reach it is counted exactly. Where fewer
values than asked for lie in those octaves (in a channel that is all but never above zero), it is their lower end.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from pellucid.features.concepts.anchors import places_in

TOP = 0.005
OCTAVES = 16
WINDOW = OCTAVES * 128
_SHIFT = 16


@dataclass
class TopQuantile:
    """State of one layer; order of the values and their batches do not matter, and two of one set merge exactly.

    Args:
        units: channels.
        values: how many a channel will have in all, over everything that is merged.
        share: of them that the threshold is to let through.
    """

    units: int
    values: int
    share: float = TOP

    def __post_init__(self) -> None:
        self.rank = max(1, math.ceil(self.share * self.values - 1e-9))
        self.highest = torch.full((self.units,), -(1 << 15), dtype=torch.int64)
        kind = torch.int32 if self.values < 1 << 31 else torch.int64
        self.counts = torch.zeros((self.units, WINDOW), dtype=kind)
        self.least = torch.full((self.units,), math.inf)
        self.most = torch.full((self.units,), -math.inf)
        self.unordered = 0
        self._floor = torch.full((self.units,), -math.inf)

    def observe(self, maps: Tensor) -> None:
        """Counts float[batch channel height width] in."""
        values = maps.detach().float().flatten(2).contiguous()
        low, high = torch.aminmax(values, dim=2)
        if not bool(torch.isfinite(high - low).all()):
            self.unordered += int((~torch.isfinite(values)).sum())
            values = torch.nan_to_num(values, nan=-math.inf)
            low, high = torch.aminmax(values, dim=2)
        self.least = torch.minimum(self.least, low.amin(0).cpu())
        self.most = torch.maximum(self.most, high.amax(0).cpu())
        self._raise(torch.maximum(self.highest, keys_of(high.amax(0).cpu())))
        # The first picture says already, of a small set, which values of the others are no candidates.
        for part in (values[:1], values[1:]):
            self._count(part)

    def _count(self, values: Tensor) -> None:
        """Counts float[batch channel place] in, whose maxima are known."""
        # What is below a value that enough others reach cannot be the threshold.
        place = places_in(values >= self._floor.to(values.device)[:, None])
        channel = place // values.shape[2] % self.units
        below = self.highest.to(values.device)[channel] - keys_of(values.view(-1)[place])
        seen = below < WINDOW
        codes = (channel[seen] * WINDOW + below[seen]).cpu()
        if len(codes) * 4 > self.counts.numel():
            self.counts += torch.bincount(codes, minlength=self.counts.numel()).view(self.counts.shape)
        else:
            self.counts.view(-1).index_add_(0, codes, torch.ones(len(codes), dtype=self.counts.dtype))
        self._floor = self._edges()

    def merge(self, other: TopQuantile) -> None:
        """Counts another part of the same set in."""
        highest = torch.maximum(self.highest, other.highest)
        self._raise(highest)
        other._raise(highest)
        self.counts += other.counts
        self.least = torch.minimum(self.least, other.least)
        self.most = torch.maximum(self.most, other.most)
        self.unordered += other.unordered
        self._floor = self._edges()

    def thresholds(self) -> tuple[Tensor, Tensor]:
        """Of every channel: float32[unit], infinite where it never changes, and the share of its values that reach it."""
        at = self._bins().clamp(max=WINDOW - 1)
        edges = values_of(self.highest - at)
        dead = ~(self.most > self.least)
        reached = self._from_above().gather(1, at[:, None])[:, 0].double() / self.values
        return torch.where(dead, math.inf, edges), torch.where(dead, 0.0, reached)

    def _bins(self) -> Tensor:
        """The first bin from above with which enough values are reached; WINDOW where they are not."""
        return (self._from_above() < self.rank).sum(1)

    def _from_above(self) -> Tensor:
        return self.counts.cumsum(1, dtype=self.counts.dtype)

    def _edges(self) -> Tensor:
        at = self._bins()
        lowest = values_of(self.highest - at.clamp(max=WINDOW - 1))
        return torch.where(at < WINDOW, lowest, torch.where(self.highest > -(1 << 15), lowest, -math.inf))

    def _raise(self, highest: Tensor) -> None:
        """Moves counts down to where a higher maximum puts them; what falls out of the window is no candidate any more."""
        moved = highest - self.highest
        if bool((moved > 0).any()):
            places = torch.arange(WINDOW)[None] - moved[:, None]
            found = self.counts.gather(1, places.clamp(min=0, max=WINDOW - 1))
            self.counts = torch.where(places >= 0, found, 0)
            self.highest = highest


def keys_of(values: Tensor) -> Tensor:
    """int64, in the order of the values: their float32 pattern's 16 leading bits, counted downwards below zero."""
    bits = (values + 0.0).view(torch.int32)  # minus zero is zero
    return (torch.where(bits < 0, bits ^ 0x7FFFFFFF, bits) >> _SHIFT).long()


def values_of(keys: Tensor) -> Tensor:
    """The least float32 with these leading bits."""
    bits = (keys << _SHIFT).int()
    return torch.where(bits < 0, bits ^ 0x7FFFFFFF, bits).view(torch.float32)
