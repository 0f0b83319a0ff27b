"""How well scores tell examples with a label from those without: areas under ROC curves, many at once, and what chance reaches."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from pellucid.measures.intervals import LEVEL, normal_quantile

Floats = NDArray[np.float64]
Labels = NDArray[np.bool_]

_AT_ONCE = 1 << 23  # numbers of one table of shuffles


def midranks(scores: NDArray[np.floating]) -> Floats:
    """float64[example score]: the place of each example, from 1, by each score; equal ones share the mean of their places."""
    count = len(scores)
    order = np.argsort(scores, axis=0, kind="stable")
    ascending = np.take_along_axis(scores, order, axis=0)
    at = np.broadcast_to(np.arange(count)[:, None], ascending.shape)
    risen = np.ones(ascending.shape, bool)
    risen[1:] = ascending[1:] != ascending[:-1]
    first = np.maximum.accumulate(np.where(risen, at, 0), axis=0)
    ends = np.ones(ascending.shape, bool)
    ends[:-1] = risen[1:]
    last = np.minimum.accumulate(np.where(ends, at, count)[::-1], axis=0)[::-1]
    ranks = np.empty(ascending.shape, np.float64)
    np.put_along_axis(ranks, order, (first + last) / 2 + 1, axis=0)
    return ranks


def areas(ranks: Floats, labels: Labels) -> Floats:
    """float64[score label]: how often a labelled example outscores another, ties counted half; NaN where a side is empty.

    Args:
        ranks: float64[example score], as `midranks` has them.
        labels: bool[example label].

    Source: Mann & Whitney 1947; exact, as sums of halves of whole numbers are.
    """
    with_label = labels.sum(0).astype(np.float64)
    pairs = with_label * (len(labels) - with_label)
    wins = ranks.T @ labels.astype(np.float64) - with_label * (with_label + 1) / 2
    return np.asarray(np.divide(wins, pairs, out=np.full_like(wins, np.nan), where=pairs > 0))


def deviations_by_chance(labels: Labels) -> Floats:
    """float64[label]: the standard deviation of an area where labels say nothing of scores without ties; with ties it is less."""
    with_label = labels.sum(0).astype(np.float64)
    pairs = with_label * (len(labels) - with_label)
    spread = np.divide(len(labels) + 1, 12 * pairs, out=np.full(pairs.shape, np.nan), where=pairs > 0)
    return np.asarray(np.sqrt(spread))


def shuffled_maxima(ranks: Floats, labels: Labels, rounds: int, seed: int) -> Floats:
    """float64[round]: the largest excess of any area over a half, in `deviations_by_chance`, with the labels of other examples.

    The whole row of labels moves, so that what goes together among labels and among scores still does.

    Source: Westfall & Young 1993, the single-step maxT: the largest of all tests, against its own distribution.
    """
    random = np.random.default_rng(seed)
    spread = deviations_by_chance(labels)
    with_label = labels.sum(0).astype(np.float64)
    pairs = with_label * (len(labels) - with_label)
    kept = np.flatnonzero(pairs > 0)
    if not len(kept) or not ranks.shape[1]:
        return np.full(rounds, -np.inf)
    middle, scale = with_label[kept] * (len(labels) + 1) / 2, pairs[kept] * spread[kept]
    found = np.empty(rounds)
    step = max(1, _AT_ONCE // max(1, ranks.shape[1] * len(kept)))
    for start in range(0, rounds, step):
        number = min(step, rounds - start)
        moved = np.stack([labels[random.permutation(len(labels))][:, kept] for _ in range(number)], 1).astype(float)
        sums = ranks.T @ moved.reshape(len(labels), -1)
        excess = (sums.reshape(-1, number, len(kept)) - middle) / scale
        found[start : start + number] = excess.max((0, 2))
    return found


def reached_by_chance(maxima: Floats, level: float = LEVEL) -> float:
    """What the largest of all tests stays below with this probability where there is nothing to find.

    Of 99 shuffles the 95th at 95%: the true labelling is then the sixth highest or lower of a hundred.
    """
    place = math.ceil(level * (len(maxima) + 1)) - 1
    return float(np.sort(maxima)[place]) if place < len(maxima) else math.inf


def area_intervals(found: Floats, with_label: Floats, without: Floats, level: float = LEVEL) -> tuple[Floats, Floats]:
    """`intervals.newcombe_auc` of many areas: float64[...] of each end; NaN where the area is.

    Args:
        found: float64[...], areas.
        with_label: how many examples have the label, and
        without: how many do not; of a shape that goes with `found`.
        level: of the intervals.

    Source: Newcombe 2006, Statistics in Medicine 25:559, method 5.
    """
    z, extra, pairs = normal_quantile(0.5 + level / 2), (with_label + without) / 2 - 1, with_label * without

    def outside(candidate: Floats) -> NDArray[np.bool_]:
        spread = 1 + extra * (1 - candidate) / (2 - candidate) + extra * candidate / (1 + candidate)
        return np.asarray(np.abs(candidate - found) > z * np.sqrt(candidate * (1 - candidate) * spread / pairs))

    ends = []
    with np.errstate(invalid="ignore", divide="ignore"):
        for end in (0.0, 1.0):
            inside, beyond = found.copy(), np.full_like(found, end)
            for _ in range(50):
                middle = (inside + beyond) / 2
                out = outside(middle)
                inside, beyond = np.where(out, inside, middle), np.where(out, middle, beyond)
            ends.append(np.where(np.isnan(found), np.nan, inside))
    return ends[0], ends[1]
