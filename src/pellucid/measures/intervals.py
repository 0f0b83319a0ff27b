"""Confidence intervals, each with its method's name."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import cache
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from pellucid.record.schema import Interval

LEVEL = 0.95


def wilson(successes: float, trials: float, level: float = LEVEL, *, quantile: float | None = None) -> Interval | None:
    """Score interval of a share; None where there was no trial.

    Successes and trials need not be whole: a share whose variance is that of fewer independent trials. `quantile` stands for the
    normal one of the level, where the variance is itself a guess.

    Source: Wilson 1927, JASA 22:209-212.
    """
    if trials == 0:
        return None
    z = normal_quantile(0.5 + level / 2) if quantile is None else quantile
    share = successes / trials
    centre = (share + z * z / (2 * trials)) / (1 + z * z / trials)
    half = z / (1 + z * z / trials) * math.sqrt(share * (1 - share) / trials + z * z / (4 * trials * trials))
    # Rounding must not push an extreme share out of its own interval.
    return Interval(max(0.0, min(centre - half, share)), min(1.0, max(centre + half, share)), level, "wilson")


def wilson_ends(
    successes: NDArray[np.float64], trials: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """The ends of `wilson` of many shares of at least one trial each, float64[share]."""
    z = normal_quantile(0.5 + LEVEL / 2)
    shares, squared = successes / trials, z * z / trials
    centre = (shares + squared / 2) / (1 + squared)
    half = z / (1 + squared) * np.sqrt(shares * (1 - shares) / trials + squared / (4 * trials))
    lows: NDArray[np.float64] = np.maximum(0.0, np.minimum(centre - half, shares))
    highs: NDArray[np.float64] = np.minimum(1.0, np.maximum(centre + half, shares))
    return lows, highs


def mean_interval(count: int, total: float, total_of_squares: float, level: float = LEVEL) -> Interval | None:
    """Student's t interval of a mean from sums; None below two values.

    Args:
        count: number of values.
        total: their sum.
        total_of_squares: sum of their squared deviations from the mean.
        level: probability that the interval holds the true mean.
    """
    if count < 2:
        return None
    from scipy import special  # scipy.stats takes a second to import

    mean = total / count
    quantile = float(special.stdtrit(count - 1, 0.5 + level / 2))
    half = quantile * math.sqrt(max(total_of_squares, 0.0) / (count - 1) / count)
    return Interval(mean - half, mean + half, level, "t")


def f1_interval(true_positive: int, support: int, predicted: int, level: float = LEVEL) -> Interval | None:
    """Interval of a class's F1; None where the class neither occurs nor is predicted.

    F1 = 2J / (1 + J) with J = true positives / (true or predicted), a share: Wilson's interval of J, mapped the same way.

    Source: the monotone map of Wilson 1927; Takahashi et al. 2022, Applied Intelligence 52:4961, use normal intervals instead.
    """
    return share_to_f1(wilson(true_positive, support + predicted - true_positive, level))


def share_to_f1(share: Interval | None) -> Interval | None:
    """The interval of F1 = 2J / (1 + J) from that of J."""
    if share is None:
        return None
    return Interval(2 * share.low / (1 + share.low), 2 * share.high / (1 + share.high), share.level, share.method)


def mover(values: NDArray[np.float64], lows: NDArray[np.float64], highs: NDArray[np.float64]) -> Interval | None:
    """Interval of the mean of independent quantities from their own intervals; None where there is none.

    Args:
        values: float64[quantity].
        lows: float64[quantity], the lower ends of their 95% intervals.
        highs: float64[quantity], the upper ends.

    Returns: value - sqrt(sum((value - low)^2)) / number and the same upwards.
    Source: the method of variance estimates recovery, Zou & Donner 2008, Statistics in Medicine 27:1693.
    """
    number = len(values)
    if number == 0:
        return None
    mean = float(values.sum()) / number
    below = math.sqrt(float(((values - lows) ** 2).sum())) / number
    above = math.sqrt(float(((highs - values) ** 2).sum())) / number
    return Interval(mean - below, mean + above, LEVEL, "mover")


def newcombe_auc(area: float, positives: float, negatives: float, level: float = LEVEL) -> Interval | None:
    """Interval of an area under the ROC curve; None where one of the two groups is empty.

    The values A with |A - area| <= z sqrt(V(A)), V(A) the variance under exponential scores with the mean of the two group
    sizes: like Wilson's, it is asymmetric and has a width at areas of 0 and 1.

    Source: Newcombe 2006, Statistics in Medicine 25:559, method 5.
    """
    if positives <= 0 or negatives <= 0:
        return None
    z, extra = normal_quantile(0.5 + level / 2), (positives + negatives) / 2 - 1

    def outside(candidate: float) -> bool:
        spread = 1 + extra * (1 - candidate) / (2 - candidate) + extra * candidate / (1 + candidate)
        return abs(candidate - area) > z * math.sqrt(candidate * (1 - candidate) * spread / (positives * negatives))

    return Interval(_edge(area, 0.0, outside), _edge(area, 1.0, outside), level, "newcombe")


def _edge(inside: float, end: float, outside: Callable[[float], bool]) -> float:
    """Where the values stop to be consistent on the way from `inside` to `end`, by halving 60 times."""
    for _ in range(60):
        middle = (inside + end) / 2
        inside, end = (inside, middle) if outside(middle) else (middle, end)
    return inside


def delta_interval(
    value: float, deviation: float, scale: Literal["share", "correlation"], *, quantile: float | None = None
) -> Interval | None:
    """Normal interval of a quantity on the scale where it is nearly normal, mapped back; None at the ends of its range.

    Args:
        value: a share in (0, 1), or a correlation in (-1, 1).
        deviation: its standard error.
        scale: the log-odds for a share, Fisher's z for a correlation.
        quantile: in place of the normal one of 95%, where the deviation is itself a guess.
    """
    share = value if scale == "share" else (value + 1) / 2
    if not 0 < share < 1:
        return None
    z = normal_quantile(0.5 + LEVEL / 2) if quantile is None else quantile
    centre, half = math.log(share / (1 - share)), z * deviation / (share * (1 - share))
    half = half if scale == "share" else half / 2
    # Beyond 700 an exponential is no number, and the share is 0 to its last digit.
    low, high = (1 / (1 + math.exp(min(-edge, 700.0))) for edge in (centre - half, centre + half))
    return (
        Interval(low, high, LEVEL, "delta") if scale == "share" else Interval(2 * low - 1, 2 * high - 1, LEVEL, "delta")
    )


def outer(one: Interval | None, two: Interval | None) -> Interval | None:
    """The outer ends of two intervals of one number, either of which alone is too narrow somewhere; None where one is missing."""
    if one is None or two is None:
        return None
    return Interval(min(one.low, two.low), max(one.high, two.high), one.level, "outer")


@cache
def normal_quantile(probability: float) -> float:
    """The standard normal quantile."""
    from statistics import NormalDist

    return NormalDist().inv_cdf(probability)


# No p value is 0: what is too small for a number of 64 bits is the least positive one, and is said in words.
LEAST_P = math.ulp(0.0)
_NAMED_P = 1e-300


def p_words(p_value: float | None) -> str:
    """A p value as people read it: "p = 0.03"; one that is too small for a number is said so."""
    return "p not defined" if p_value is None else "p < 1e-300" if p_value < _NAMED_P else f"p = {p_value:.2g}"


# Terms of a tail that are made at once, and what one of them no longer changes it by.
_TERMS = 256
_NOTHING = 1e-18


def hypergeometric_tail(marked: int, drawn: int, all_marked: int, population: int) -> float:
    """P(at least `marked` of `drawn` are marked) where `all_marked` of `population` are: Fisher's exact test, one-sided.

    At least `LEAST_P` of what can happen.

    Source: Fisher 1934, Statistical Methods for Research Workers, section 21.02.
    """
    first, last = max(marked, drawn + all_marked - population), min(drawn, all_marked)
    if first > last:
        return 0.0

    def log_choose(of: int, take: int) -> float:
        return math.lgamma(of + 1.0) - math.lgamma(take + 1.0) - math.lgamma(of - take + 1.0)

    def ratios(hits: NDArray[np.float64]) -> NDArray[np.float64]:
        """Of each term to the one before, that of `hits`."""
        left: NDArray[np.float64] = (all_marked - hits) * (drawn - hits)
        return left / ((hits + 1.0) * (population - all_marked - drawn + hits + 1.0))

    # The terms rise to the most probable number and then fall: they are added up from the largest one there is.
    top = min(max(first, (drawn + 1) * (all_marked + 1) // (population + 2)), last)
    log_top = log_choose(all_marked, top) + log_choose(population - all_marked, drawn - top)
    after, before = _falling(ratios, top, last), _falling(lambda hits: 1.0 / ratios(hits), top - 1, first - 1)
    return min(1.0, max(LEAST_P, math.exp(log_top - log_choose(population, drawn)) * (1.0 + after + before)))


def _falling(ratios: Callable[[NDArray[np.float64]], NDArray[np.float64]], start: int, end: int) -> float:
    """Sum of the terms after one that is 1, each `ratios` times the one before, at `start` and on to `end`, which is not one.

    Until they are too small to change it.
    """
    total, term = 0.0, 1.0
    way = 1 if end >= start else -1
    while start != end and term > _NOTHING * (1.0 + total):
        stop = start + way * min(_TERMS, abs(end - start))
        terms = term * np.cumprod(ratios(np.arange(start, stop, way, dtype=np.float64)))
        total, term, start = total + float(terms.sum()), float(terms[-1]), stop
    return total


def holm(p_values: NDArray[np.float64], tests: int | None = None) -> NDArray[np.float64]:
    """Adjusts p values for the number of tests, keeping the family-wise error.

    Args:
        p_values: float64[test], those that could be small.
        tests: how many were made in all, where the others are known to be large.

    Returns: float64[test], at most 1.
    Source: Holm 1979, Scandinavian Journal of Statistics 6:65-70.
    """
    number = len(p_values) if tests is None else tests
    order = np.argsort(p_values, kind="stable")
    scaled = p_values[order] * (number - np.arange(len(p_values)))
    adjusted = np.empty_like(p_values)
    adjusted[order] = np.minimum(np.maximum.accumulate(scaled), 1.0)
    return adjusted


def benjamini_hochberg(p_values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Adjusts p values of any shape so that of those below q a share of at most q is false; NaN stays NaN.

    Source: Benjamini & Hochberg 1995, Journal of the Royal Statistical Society B 57:289-300.
    """
    known = np.isfinite(p_values)
    values = p_values[known]
    order = np.argsort(values, kind="stable")
    scaled = values[order] * len(values) / np.arange(1, len(values) + 1)
    adjusted = np.empty_like(values)
    adjusted[order] = np.minimum(np.minimum.accumulate(scaled[::-1])[::-1], 1.0)
    found = np.full(p_values.shape, np.nan)
    found[known] = adjusted
    return found
