"""Confidence intervals, each with its method's name."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from pellucid.record.schema import Interval

LEVEL = 0.95


def wilson(successes: int, trials: int, level: float = LEVEL) -> Interval | None:
    """Score interval of a share; None where there was no trial.

    Source: Wilson 1927, JASA 22:209-212.
    """
    if trials == 0:
        return None
    z = normal_quantile(0.5 + level / 2)
    share = successes / trials
    centre = (share + z * z / (2 * trials)) / (1 + z * z / trials)
    half = z / (1 + z * z / trials) * math.sqrt(share * (1 - share) / trials + z * z / (4 * trials * trials))
    # Rounding must not push an extreme share out of its own interval.
    return Interval(max(0.0, min(centre - half, share)), min(1.0, max(centre + half, share)), level, "wilson")


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


def normal_quantile(probability: float) -> float:
    """The standard normal quantile."""
    from statistics import NormalDist

    return NormalDist().inv_cdf(probability)


def hypergeometric_tail(marked: int, drawn: int, all_marked: int, population: int) -> float:
    """P(at least `marked` of `drawn` are marked) where `all_marked` of `population` are: Fisher's exact test, one-sided.

    Source: Fisher 1934, Statistical Methods for Research Workers, section 21.02.
    """
    from scipy.special import gammaln

    hits = np.arange(max(marked, drawn + all_marked - population), min(drawn, all_marked) + 1, dtype=np.float64)

    def log_choose(of: int, take: NDArray[np.float64] | int) -> NDArray[np.float64]:
        ways: NDArray[np.float64] = (
            gammaln(of + 1.0) - gammaln(np.add(take, 1.0)) - gammaln(of - np.add(take, 0.0) + 1.0)
        )
        return ways

    terms = log_choose(all_marked, hits) + log_choose(population - all_marked, drawn - hits)
    return min(1.0, float(np.exp(terms - log_choose(population, drawn)).sum()))


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
