"""Counts of many numbers in few bins, a block at a time that stays in a processor's cache."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Integers = NDArray[np.int64]
Floats = NDArray[np.float64]

# Numbers of eight bytes that are worked on at once.
BLOCK = 1 << 14


def blocks(number: int) -> Iterator[slice]:
    """Places of each block."""
    for start in range(0, number, BLOCK):
        yield slice(start, min(start + BLOCK, number))


def binned(places: NDArray[np.integer], number: int) -> Integers:
    """How many lie in each bin, int64[number]; `numpy.bincount` without a copy of it all.

    Args:
        places: int[...], from 0, below `number`.
        number: of bins.
    """
    if len(places) <= BLOCK:
        return np.bincount(places, minlength=number).astype(np.int64, copy=False)
    found = np.zeros(number, np.int64)
    for block in blocks(len(places)):
        found += np.bincount(places[block], minlength=number)
    return found


@dataclass(frozen=True)
class SureCounts:
    """Confidences in equal-width bins, as `calibration.bin_of` puts them.

    Attributes:
        counts, correct: int64[bin], examples and right answers.
        confidences: float64[bin], sums of confidences.
        variance: sum of c (1 - c).
    """

    counts: Integers
    confidences: Floats
    correct: Integers
    variance: float


def sure_counts(confidences: NDArray[np.floating], right: NDArray[np.bool_], number: int) -> SureCounts:
    """Counts confidences and right answers in one go.

    Args:
        confidences: float[example], none NaN.
        right: bool[example].
        number: of bins between 0 and 1.
    """
    both, sums, variance = np.zeros(2 * number, np.int64), np.zeros(number), 0.0
    for block in blocks(len(confidences)):
        wide = confidences[block].astype(np.float64)
        bins = wide * number
        np.ceil(bins, out=bins)
        bins -= 1.0
        np.clip(bins, 0.0, number - 1.0, out=bins)
        places = bins.astype(np.int64)
        sums += np.bincount(places, weights=wide, minlength=number)
        places *= 2
        places += right[block]
        both += np.bincount(places, minlength=2 * number)
        variance += float(np.einsum("i,i->", wide, 1.0 - wide))
    split = both.reshape(number, 2)
    return SureCounts(split.sum(axis=1), sums, split[:, 1].copy(), variance)
