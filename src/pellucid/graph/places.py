"""Where on an image's map the places along an axis of a tensor stand, and what moves them about.

`Places` has one entry an axis of the tensor: float64[place 2], the row and the column that each place along it adds, NaN for
one that stands nowhere on the map (a class token), or None where the axis says nothing about it (batch, channel). A map has
rows on its third axis and columns on its fourth; flattened, every token has both.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

Axis: TypeAlias = "NDArray[np.float64] | None"
Places: TypeAlias = tuple[Axis, ...]
Shape: TypeAlias = Sequence[int]


def nowhere(rank: int) -> Places:
    """Of a tensor that no map was made into."""
    return (None,) * rank


def counted(extent: int, column: bool) -> NDArray[np.float64]:
    """An axis of so many rows, or columns."""
    axis = np.zeros((extent, 2))
    axis[:, int(column)] = np.arange(extent)
    return axis


def of_map(shape: Shape) -> Places:
    """Of (batch, channel, height, width)."""
    return (None, None, counted(shape[2], False), counted(shape[3], True))


def outside(extent: int) -> NDArray[np.float64]:
    """An axis of places that stand nowhere on the map."""
    return np.full((extent, 2), np.nan)


def alike(one: Axis, other: Axis) -> bool:
    """Whether two axes put their places in the same order, whatever the strides: every other row of a map is a map."""
    if one is None or other is None or one is other:
        return one is other
    if one.shape != other.shape:
        return False
    return bool(np.array_equal(one, other, equal_nan=True)) or all(
        bool((_ranks(one[:, part]) == _ranks(other[:, part])).all()) for part in (0, 1)
    )


def _ranks(values: NDArray[np.float64]) -> NDArray[np.intp]:
    ranks: NDArray[np.intp] = np.unique(values, return_inverse=True)[1].reshape(-1)
    return ranks


def side_of(axis: Axis) -> int | None:
    """0 where an axis holds rows alone, 1 where columns alone, None where neither or both."""
    if axis is None or bool(np.isnan(axis).any()):
        return None
    moves = [bool((axis[:, part] != axis[0, part]).any()) for part in (0, 1)]
    return None if moves[0] == moves[1] else int(moves[1])


def turned(places: Places, order: Sequence[int]) -> Places | None:
    """Axes in another order; None where that is no order of them."""
    if sorted(axis % len(places) for axis in order) != list(range(len(places))):
        return None
    return tuple(places[axis] for axis in order)


def reshaped(places: Places, before: Shape, after: Shape) -> Places | None:
    """The same values in the same order under another shape; None where an axis is cut that does not come apart."""
    if math.prod(before) != math.prod(after) or 0 in before:
        return None
    found: list[Axis] = []
    given, made = 0, 0
    while given < len(before) or made < len(after):
        first, start, whole, wanted = given, made, 1, 1
        if given < len(before):
            whole, given = before[given], given + 1
        if made < len(after):
            wanted, made = after[made], made + 1
        while whole != wanted:
            if whole < wanted:
                whole, given = whole * before[given], given + 1
            else:
                wanted, made = wanted * after[made], made + 1
        cut = _cut(_joined(places[first:given], before[first:given]), after[start:made])
        if cut is None:
            return None
        found += cut
    return tuple(found)


def _joined(places: Sequence[Axis], extents: Shape) -> Axis:
    """Of several axes as one, the last fastest."""
    if all(axis is None for axis in places):
        return None
    whole = np.zeros((1, 2))
    for axis, extent in zip(places, extents, strict=True):
        own = np.zeros((extent, 2)) if axis is None else axis
        whole = (whole[:, None] + own[None]).reshape(-1, 2)
    return whole


def _cut(axis: Axis, extents: Shape) -> list[Axis] | None:
    """One axis as several; None where its places are no sums of what each of them adds."""
    if axis is None or not extents:
        return [None] * len(extents)
    if sum(extent > 1 for extent in extents) < 2:
        widest = max(range(len(extents)), key=lambda place: extents[place])
        return [axis if place == widest else None for place in range(len(extents))]
    parts: list[NDArray[np.float64]] = []
    whole = axis.reshape(*extents, 2)
    for place in range(len(extents)):
        line = whole[tuple(slice(None) if other == place else 0 for other in range(len(extents)))]
        parts.append(line - line[0] if parts else line)
    added = _joined(parts, extents)
    if added is None or not np.array_equal(added, axis):
        return None
    return [part if part.any() else None for part in parts]


def merged(parts: Sequence[Places], shape: Shape) -> Places | None:
    """Of what is made value by value of all of these, with broadcasting; None where two say different things."""
    found: list[Axis] = [None] * len(shape)
    for places in parts:
        ahead = len(shape) - len(places)
        for place, axis in enumerate(places, ahead):
            if axis is None or len(axis) != shape[place]:
                continue
            if found[place] is None:
                found[place] = axis
            elif not alike(found[place], axis):
                return None
    return tuple(found)


def indexed(places: Places, index: Sequence[object]) -> Places | None:
    """What whole numbers, slices, new axes and dots leave of the axes."""
    axes = sum(part is not None and part is not Ellipsis for part in index)
    if axes > len(places):
        return None
    parts = list(index) if Ellipsis in index else [*index, Ellipsis]
    found: list[Axis] = []
    at = 0
    for part in parts:
        if part is Ellipsis:
            many = len(places) - axes
            found += places[at : at + many]
            at += many
        elif part is None:
            found.append(None)
        else:
            axis = places[at]
            if isinstance(part, slice):
                found.append(None if axis is None else axis[part])
            at += 1
    return tuple(found)
