"""Bootstrap intervals from counts: the examples of a cell are alike, so that drawing n of them is one multinomial draw.

A draw costs the number of cells, not the number of examples: fifty million examples in a hundred cells are a hundred numbers.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from pellucid.measures.intervals import LEVEL, normal_quantile
from pellucid.record.schema import Interval

Floats = NDArray[np.float64]

REPLICATES = 1000
LEAST_REPLICATES = 200
# Draws times cells: with more cells there are fewer draws, and the ends of the interval are rougher.
MOST_DRAWN = 40_000_000
# Counts that are held at once.
CHUNK = 2_000_000


def replicates_for(cells: int) -> int:
    """How many draws are made of so many cells: 1,000, fewer from 40,000 cells on, at least 200."""
    return min(REPLICATES, max(LEAST_REPLICATES, MOST_DRAWN // max(cells, 1)))


def bootstrap(
    counts: NDArray[np.int64],
    statistic: Callable[[Floats], Floats],
    *,
    seed: int = 0,
    replicates: int | None = None,
    level: float = LEVEL,
) -> list[Interval | None]:
    """Bias-corrected and accelerated intervals of one or more statistics of counts.

    Args:
        counts: int64[cell], how many examples are in each; at least one example.
        statistic: from float64[draw cell] to float64[draw statistic]; NaN where it is not defined.
        seed: of the draws; the same seed gives the same interval.
        replicates: how many draws; `replicates_for` where None.
        level: probability that an interval holds the true value.

    Returns: one interval a statistic; None where the statistic is not defined for these counts, or in more than one draw of ten.
    Source: Efron 1987, JASA 82:171, eq. 2.3 and 6.6; the acceleration is that of leaving out one example of each cell.
    """
    occupied = counts[counts > 0]
    places = np.flatnonzero(counts)
    number = replicates_for(len(occupied)) if replicates is None else replicates
    generator = np.random.default_rng(seed)
    total = int(occupied.sum())
    drawn = []
    for size in _sizes(number, len(occupied)):
        sample = np.zeros((size, len(counts)))
        sample[:, places] = generator.multinomial(total, occupied / total, size=size)
        drawn.append(statistic(sample))
    values = np.concatenate(drawn)
    observed = statistic(counts[None].astype(np.float64))[0]
    left_out = _leaving_one_out(counts, places, statistic)
    return [
        _corrected(float(observed[place]), values[:, place], left_out[:, place], occupied, level)
        for place in range(len(observed))
    ]


def _sizes(number: int, cells: int) -> list[int]:
    most = max(1, CHUNK // max(cells, 1))
    return [min(most, number - start) for start in range(0, number, most)]


def _leaving_one_out(
    counts: NDArray[np.int64], places: NDArray[np.int64], statistic: Callable[[Floats], Floats]
) -> Floats:
    """The statistic without one example of each occupied cell, float64[cell statistic]."""
    # With very many cells the acceleration is next to nothing and its cost is their square.
    if len(places) > 2000:
        return np.repeat(statistic(counts[None].astype(np.float64)), len(places), axis=0)
    found = []
    most = max(1, CHUNK // max(len(counts), 1))
    for start in range(0, len(places), most):
        some = places[start : start + most]
        without = np.repeat(counts[None].astype(np.float64), len(some), axis=0)
        without[np.arange(len(some)), some] -= 1
        found.append(statistic(without))
    return np.concatenate(found)


def _corrected(
    observed: float, drawn: Floats, left_out: Floats, weights: NDArray[np.int64], level: float
) -> Interval | None:
    defined = drawn[~np.isnan(drawn)]
    if np.isnan(observed) or len(defined) < 0.9 * len(drawn):
        return None
    below = (np.count_nonzero(defined < observed) + 0.5 * np.count_nonzero(defined == observed)) / len(defined)
    if not 0 < below < 1 or np.ptp(defined) == 0:
        return Interval(min(observed, float(defined.min())), max(observed, float(defined.max())), level, "bootstrap")
    bias, acceleration = normal_quantile(below), _acceleration(left_out, weights)
    ends = []
    for share in (0.5 - level / 2, 0.5 + level / 2):
        z = bias + normal_quantile(share)
        ends.append(_normal_share(bias + z / (1 - acceleration * z)))
    low, high = np.quantile(defined, ends)
    return Interval(min(float(low), observed), max(float(high), observed), level, "bootstrap")


def _acceleration(left_out: Floats, weights: NDArray[np.int64]) -> float:
    known = ~np.isnan(left_out)
    if not known.any():
        return 0.0
    weight = weights[known].astype(np.float64)
    away = (left_out[known] * weight).sum() / weight.sum() - left_out[known]
    squares = float((weight * away**2).sum())
    return float((weight * away**3).sum()) / (6 * squares**1.5) if squares > 0 else 0.0


def _normal_share(quantile: float) -> float:
    from statistics import NormalDist

    return NormalDist().cdf(quantile)
