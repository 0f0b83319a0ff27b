"""Shares of answers where several answers are to the same image, and are not independent."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from pellucid.measures.intervals import LEVEL, delta_interval, wilson
from pellucid.record.schema import Interval


def clustered_share(
    successes: NDArray[np.floating] | NDArray[np.integer], trials: NDArray[np.floating] | NDArray[np.integer]
) -> tuple[float | None, Interval | None]:
    """Successes over trials in all, with the interval over images, each with all its answers.

    The variance is that of a ratio of means; the interval is normal on the scale of log-odds, and Wilson's with as many trials
    as there are images where all answers are alike and the images show no variance.

    Args:
        successes: [image].
        trials: [image], answers to each.

    Returns: the share, None without answers, and its interval, None below two images.
    Source: Cochran 1977, Sampling Techniques, section 2.11.
    """
    kept = trials > 0
    hits, total = successes[kept].astype(np.float64), trials[kept].astype(np.float64)
    images = len(total)
    if not images:
        return None, None
    share = float(hits.sum() / total.sum())
    if images < 2:
        return share, None
    if not 0 < share < 1:
        return share, wilson(share * images, images)
    residuals = hits - share * total
    variance = float((residuals**2).sum()) * images / (images - 1) / float(total.sum()) ** 2
    return share, delta_interval(share, math.sqrt(variance), "share")


def clustered_mean(
    sums: NDArray[np.floating] | NDArray[np.integer], counts: NDArray[np.floating] | NDArray[np.integer]
) -> tuple[float | None, Interval | None]:
    """A sum over a count in all, with Student's t interval over images, each with all that was counted of it.

    Args:
        sums: [image].
        counts: [image], how many numbers each sum is of.

    Returns: the mean, None where nothing was counted, and its interval, None below two images that count.
    Source: Cochran 1977, Sampling Techniques, section 2.11, the variance of a ratio of means.
    """
    counted = counts > 0
    total = float(counts[counted].sum())
    if not total:
        return None, None
    mean = float(sums[counted].sum()) / total
    number = int(counted.sum())
    if number < 2:
        return mean, None
    from scipy import special

    rest = sums[counted] - mean * counts[counted]
    deviation = math.sqrt(float((rest**2).sum()) * number / (number - 1)) / total
    half = float(special.stdtrit(number - 1, 0.5 + LEVEL / 2)) * deviation
    return mean, Interval(mean - half, mean + half, LEVEL, "t")


def swap_test(differences: NDArray[np.float64], seed: int = 0) -> float | None:
    """Two-sided p value of paired differences under swapping the two sides of each pair; None without any.

    All swaps up to 14 pairs that differ, else 9,999 drawn ones.

    Source: Fisher 1935, The Design of Experiments, section 21; the count of drawn ones includes the data, Phipson & Smyth 2010.
    """
    if not len(differences):
        return None
    moved = differences[differences != 0]
    if not len(moved):
        return 1.0
    found = abs(float(moved.sum())) * (1 - 1e-12)
    if len(moved) <= _ALL:
        sums = np.zeros(1)
        for one in moved:
            sums = np.concatenate([sums + one, sums - one])
        return float(np.mean(np.abs(sums) >= found))
    signs = np.random.default_rng(seed).integers(0, 2, (_DRAWN, len(moved)), dtype=np.int8) * 2 - 1
    return float((1 + np.count_nonzero(np.abs(signs @ moved) >= found)) / (1 + _DRAWN))


_ALL = 14
_DRAWN = 9999
