"""What a pooling operation keeps and what it never sees, from its window and the sizes before and after."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Literal

from pellucid.record.schema import Pool

_MOST = 10_000_000


def pool_of(
    kind: Literal["max", "average", "lp"],
    before: Sequence[int],
    after: Sequence[int],
    window: Sequence[int],
    stride: Sequence[int],
    padding: Sequence[int],
    dilation: Sequence[int] | None = None,
) -> Pool | None:
    """The pool along the pooled axes; None where a size is not known.

    Args:
        kind: how a window becomes one value.
        before: positions along each pooled axis.
        after: the same of what comes out.
        window: its size along each axis.
        stride: how far it moves.
        padding: positions added in front of each axis.
        dilation: how far its positions lie apart.
    """
    dilation = dilation or [1] * len(before)
    axes = (before, after, window, stride, padding, dilation)
    if not before or len({len(axis) for axis in axes}) != 1 or min(map(min, (*axes[:4], dilation))) < 1:
        return None
    if any(made * wide > _MOST for made, wide in zip(after, window, strict=True)) or max(before) > _MOST:
        return None  # no pool that anybody runs; counting its positions would take long
    seen = math.prod(
        _seen(*axis) / axis[0] for axis in zip(before, after, window, stride, padding, dilation, strict=True)
    )
    kept = math.prod(after) / math.prod(before)
    return Pool(kind, list(window), list(stride), list(padding), kept, seen)


def _seen(before: int, after: int, window: int, stride: int, padding: int, dilation: int) -> int:
    """How many positions of an axis lie in any window."""
    if dilation == 1 and stride <= window:
        return max(0, min(before, (after - 1) * stride + window - padding))
    return len(
        {
            position
            for start in range(-padding, -padding + after * stride, stride)
            for position in range(start, start + window * dilation, dilation)
            if 0 <= position < before
        }
    )
