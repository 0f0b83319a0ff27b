"""Spearman's rank correlation with an interval."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from pellucid.measures.intervals import LEVEL, normal_quantile
from pellucid.record.schema import Interval

LEAST = 4


def ranks(values: NDArray[np.floating]) -> NDArray[np.float64]:
    """float64[value], from 1; equal values share the mean of their ranks."""
    _, place, counts = np.unique(values, return_inverse=True, return_counts=True)
    last = np.cumsum(counts)
    shared: NDArray[np.float64] = (last - (counts - 1) / 2)[place]
    return shared


def spearman(
    first: NDArray[np.floating], second: NDArray[np.floating], level: float = LEVEL
) -> tuple[int, float | None, Interval | None]:
    """Rank correlation over the pairs where both are finite.

    Returns: how many; the correlation, None below 4 pairs or where one of them does not vary; its interval on Fisher's scale with
        variance (1 + r²/2) / (n - 3).
    Source: Bonett & Wright 2000, Psychometrika 65:23-28.
    """
    known = np.isfinite(first) & np.isfinite(second)
    count = int(known.sum())
    if count < LEAST:
        return count, None, None
    a, b = ranks(first[known]), ranks(second[known])
    a, b = a - a.mean(), b - b.mean()
    scale = math.sqrt(float(a @ a) * float(b @ b))
    if not scale > 0:
        return count, None, None
    value = max(-1.0, min(1.0, float(a @ b) / scale))
    if abs(value) >= 1:
        return count, value, None
    half = normal_quantile(0.5 + level / 2) * math.sqrt((1 + value * value / 2) / (count - 3))
    centre = math.atanh(value)
    return count, value, Interval(math.tanh(centre - half), math.tanh(centre + half), level, "fisher")
