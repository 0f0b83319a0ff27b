"""The strongest few scores of one example, and the rank of one of them, without sorting them all."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def strongest(scores: NDArray[np.floating], most: int) -> NDArray[np.int32]:
    """The classes with the highest scores, int32[example place], the highest first; among equals the lower index.

    Args:
        scores: float[example class] without NaN and without -infinity.
        most: how many; no more than there are classes are given.
    """
    number, classes = scores.shape
    places = min(most, classes)
    best = np.empty((number, places), np.int32)
    rows = np.arange(number)
    left = scores.copy()
    for place in range(places):
        # A few passes for the maximum cost less than any sort of the whole row, and give the first of equals.
        best[:, place] = left.argmax(axis=1)
        left[rows, best[:, place]] = -np.inf
    return best


def rank_of(scores: NDArray[np.floating], targets: NDArray[np.integer]) -> NDArray[np.int64]:
    """How many classes stand before the target, int64[example]: higher scores, and as high ones with a lower index.

    Args:
        scores: float[example class] without NaN.
        targets: int[example], each a class.
    """
    rows = np.arange(len(scores))
    own = scores[rows, targets][:, None]
    ranks: NDArray[np.int64] = np.count_nonzero(scores > own, axis=1).astype(np.int64)
    equals = scores == own
    tied = np.flatnonzero(np.count_nonzero(equals, axis=1) > 1)
    if len(tied):
        before = np.arange(scores.shape[1])[None, :] < targets[tied][:, None]
        ranks[tied] += np.count_nonzero(equals[tied] & before, axis=1)
    return ranks
