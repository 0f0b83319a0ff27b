"""Which elements of memory a tensor looks at, and whether two tensors have any of them in common."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

_MOST = 10_000  # ways that are tried; beyond, two regions pass for overlapping
_ALL = 1 << 62


class Region(NamedTuple):
    """Elements of a memory: where they begin, and over which axes of more than one they go on; of how many bytes each is."""

    first: int
    axes: tuple[tuple[int, int], ...]
    item: int

    @property
    def last(self) -> int:
        """The element that lies furthest."""
        return self.first + sum([stride * (size - 1) for stride, size in self.axes])

    @property
    def number(self) -> int:
        """How many elements it has."""
        number = 1
        for _, size in self.axes:
            number *= size
        return number

    def covers(self, other: Region) -> bool:
        """Whether it is known to hold all elements of another: they are the same, or lie in a row of its own."""
        if self == other:
            return True
        whole = self.number == self.last - self.first + 1
        return whole and self.item == other.item and self.first <= other.first and other.last <= self.last

    def overlaps(self, other: Region) -> bool:
        """Whether both hold an element; of elements of different sizes, whether they may."""
        if (
            self.first * self.item >= (other.last + 1) * other.item
            or other.first * other.item >= (self.last + 1) * self.item
        ):
            return False
        if self == other or self.item != other.item:
            return True
        # An element of both: steps along the axes of one and back along those of the other that lead from where one begins
        # to where the other does. Of each length of step only so many are possible.
        steps: dict[int, tuple[int, int]] = {}
        for sign, region in ((1, self), (-1, other)):
            for stride, size in region.axes:
                low, high = steps.get(stride, (0, 0))
                steps[stride] = (low, high + size - 1) if sign > 0 else (low - size + 1, high)
        return _reaches(other.first - self.first, sorted(steps.items(), reverse=True))


def region_of(tensor: Tensor) -> Region | None:
    """The elements that a tensor looks at; None where it has none, and all of its memory where they are not laid out in strides."""
    if tensor.layout is not torch.strided or tensor.is_nested:
        return Region(0, ((1, _ALL),), 1)
    if not tensor.numel():
        return None
    axes = [(stride, size) for stride, size in zip(tensor.stride(), tensor.shape, strict=True) if size > 1 and stride]
    return Region(int(tensor.storage_offset()), tuple(sorted(axes, reverse=True)), tensor.element_size())


def _reaches(distance: int, steps: list[tuple[int, tuple[int, int]]]) -> bool:
    """Whether some number of each step, between its bounds, goes exactly that far; True also where there are too many ways."""
    bounds = [(0, 0)]
    for length, (low, high) in reversed(steps):
        bounds.append((bounds[-1][0] + length * low, bounds[-1][1] + length * high))
    bounds.reverse()
    waiting, tried = [(0, distance)], 0
    while waiting:
        at, left = waiting.pop()
        if at == len(steps):
            if left == 0:
                return True
            continue
        length, (low, high) = steps[at]
        least, most = bounds[at + 1]
        # The longest steps first: what is left must be within reach of the shorter ones.
        low, high = max(low, -((most - left) // length)), min(high, (left - least) // length)
        tried += max(0, high - low + 1)
        if tried > _MOST:
            return True
        waiting += [(at + 1, left - length * count) for count in range(low, high + 1)]
    return False
