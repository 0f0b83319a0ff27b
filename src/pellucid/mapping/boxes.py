"""Boxes of the input that each value of a tensor depends on, and what operations make of them.

A `Boxes` is int32[4, ...]: top, left, minus bottom, minus right of a half-open box, for every value of a tensor whose
shape the other axes have, or 1 where the values along an axis have one box. In this form the smallest box that holds
two is their minimum, and the box that holds nothing is `NOTHING` in all four.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

Boxes: TypeAlias = NDArray[np.int32]
Windows: TypeAlias = NDArray[np.int64]
"""int64[output place, in its window]: places of the input along one axis; -1 is padding."""

NOTHING = np.int32(1 << 30)


def of_pixels(height: int, width: int) -> Boxes:
    """An image's own: every pixel is its own box, whatever the channel."""
    boxes = np.empty((4, 1, 1, height, width), np.int32)
    rows, columns = np.arange(height)[:, None], np.arange(width)[None, :]
    boxes[0], boxes[1], boxes[2], boxes[3] = rows, columns, -(rows + 1), -(columns + 1)
    return boxes


def nothing(axes: int) -> Boxes:
    """A tensor that depends on no input."""
    return np.full((4, *(1 for _ in range(axes))), NOTHING, np.int32)


def joined(parts: Iterable[Boxes]) -> Boxes:
    """The boxes of what is made value by value of all of these, with broadcasting from the last axis."""
    parts = list(parts)
    axes = max(part.ndim for part in parts)
    found = parts[0].reshape(4, *(1,) * (axes - parts[0].ndim), *parts[0].shape[1:])
    for part in parts[1:]:
        found = np.minimum(found, part.reshape(4, *(1,) * (axes - part.ndim), *part.shape[1:]))
    return found


def fits(boxes: Boxes, shape: Sequence[int]) -> bool:
    """Whether they are those of a tensor of this shape."""
    return boxes.ndim == len(shape) + 1 and all(
        extent in (1, wanted) for extent, wanted in zip(boxes.shape[1:], shape, strict=True)
    )


def over(boxes: Boxes, axes: Sequence[int]) -> Boxes:
    """Every value depends on all along these axes of the tensor, which stay with one box."""
    rank = boxes.ndim - 1
    found: Boxes = boxes.min(axis=tuple(axis % rank + 1 for axis in axes), keepdims=True)
    return found


def full(boxes: Boxes, shape: Sequence[int]) -> Boxes:
    """One box for every value of a tensor of this shape."""
    return np.broadcast_to(boxes, (4, *shape))


def compact(boxes: Boxes) -> Boxes:
    """The same with one box along every axis along which all are equal."""
    for axis in range(1, boxes.ndim):
        if boxes.shape[axis] > 1:
            first = boxes.take([0], axis=axis)
            if bool((boxes == first).all()):
                boxes = first
    return boxes


def within(boxes: Boxes, axis: int, windows: Windows) -> Boxes:
    """What sliding windows along an axis of the tensor see."""
    axis += 1
    if boxes.shape[axis] == 1 and windows.max(initial=0) > 0:
        return boxes  # whatever the window, it sees the one box
    seen = boxes.take(np.maximum(windows, 0).ravel(), axis=axis)
    seen = seen.reshape(*boxes.shape[:axis], *windows.shape, *boxes.shape[axis + 1 :])
    padding = (windows < 0).reshape(*(1,) * axis, *windows.shape, *(1,) * (boxes.ndim - axis - 1))
    found: Boxes = np.where(padding, NOTHING, seen).min(axis=axis + 1)
    return found


def over_channels(boxes: Boxes, groups: int, made: int) -> Boxes:
    """Every output channel depends on all input channels of its group (axis 1 of the tensor)."""
    channels = boxes.shape[2]
    if channels == 1:
        return boxes
    if groups == 1 or channels % groups or made % groups:
        return over(boxes, [1])
    grouped = boxes.reshape(4, boxes.shape[1], groups, channels // groups, *boxes.shape[3:]).min(axis=3)
    repeated: Boxes = grouped.repeat(made // groups, axis=2)
    return repeated


def edges(boxes: Boxes) -> NDArray[np.int32]:
    """As (top, left, bottom, right), half-open, on a last axis; (0, 0, 0, 0) where nothing is seen."""
    found = np.moveaxis(boxes, 0, -1) * np.array([1, 1, -1, -1], np.int32)
    found[boxes[0] == NOTHING] = 0
    return np.ascontiguousarray(found, np.int32)
