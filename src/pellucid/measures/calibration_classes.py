"""The class-wise calibration error, and an interval that is never too narrow.

Of each class and bin the error has the absolute value of what is true there plus what chance adds. An absolute value of a sum is at
most the sum of the absolute values, and on average at least that of the average: the found error is on average no less than the
true one, and no more than the true one plus the absolute values of chance alone. Between these lies the interval, with what the
found error varies by outside. Where a gap is beyond doubt, chance adds next to nothing to its size, and less is taken off. How much
more has not been added is known only from how the gaps are spread over the cells; of many classes few examples lie in each, which
do not tell.

Chance in cells of different classes is dependent, as one class is true of an example. The covariances of one cell with all cells of
other classes are negative and add up to its variance, negated, so that its squared correlations add up to at most 1; and a sum of
one weight a class, that of the true one, varies at most twice as much as if the classes were independent. Covariances of absolute
values are sums over powers of the correlation: the variance of the error is at most twice that of independent cells. Where several
classes may be true of an example it is at most as many times that as there are classes.

Source: Price 1958, IRE Transactions on Information Theory 4:69 (powers of the correlation).
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from pellucid.measures.calibration_intervals import folded
from pellucid.measures.intervals import LEVEL, normal_quantile
from pellucid.record.schema import Interval

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]

# Standard deviations within which a gap is taken to be near what was found, and the variance from which a count is nearly normal.
_DOUBT = 3.0
_NORMAL = 10.0


def class_wise(counts: Integers, sums: Floats, positives: Integers) -> float | None:
    """Mean over classes of the calibration error of the class's own probability.

    Args:
        counts: int64[class bin], examples.
        sums: float64[class bin], of their probabilities of the class.
        positives: int64[class bin], those that are of it.

    Returns: None without examples.
    Source: Kull et al. 2019, NeurIPS, arXiv:1910.12656, section 2 (classwise-ECE).
    """
    examples = counts.sum(axis=1)
    if not len(examples) or not examples.any():
        return None
    errors = np.abs(positives - sums).sum(axis=1) / np.maximum(examples, 1)
    return float(errors.mean())


def class_wise_interval(counts: Integers, sums: Floats, positives: Integers, *, exclusive: bool) -> Interval | None:
    """An interval that holds the model's own class-wise error at least 95 times of 100; None without examples.

    Args:
        counts: int64[class bin], examples; each lies in one bin of every class.
        sums: float64[class bin], of their probabilities of the class.
        positives: int64[class bin], those that are of it.
        exclusive: whether one class is true of an example, else any number.
    """
    value, classes = class_wise(counts, sums, positives), len(counts)
    if value is None:
        return None
    filled = counts > 0
    number, said = counts[filled].astype(np.float64), sums[filled]
    probability = np.minimum(said / number, 1.0)
    # Two more examples that are right as often as they say keep the variance from being 0.
    accuracy = (positives[filled] + 2 * probability) / (number + 2)
    left = _left(number * (accuracy - probability), number * accuracy * (1 - accuracy))
    alone = max(float((left * mean_distances(number, of, number * of)).sum()) for of in (probability, accuracy))
    squares = number * accuracy * (1 - accuracy) + (number * (accuracy - probability)) ** 2
    distances = mean_distances(number, accuracy, said)
    # How many examples a cell holds is chance, too.
    variances = np.maximum(squares - distances**2, 0.0) + number * (accuracy - probability) ** 2
    pairs = float(number.sum())
    deviation = math.sqrt((min(classes, 2) if exclusive else classes) * float(variances.sum())) / pairs
    far = normal_quantile((1 + LEVEL) / 2) * deviation
    # No example is farther from its classes than 2 where one is true, 1 a class where any are.
    most = min(1.0, 2 / classes) if exclusive else 1.0
    return Interval(max(0.0, value - alone / pairs - far), min(value + far, most), LEVEL, "at least")


def _left(gaps: Floats, variances: Floats) -> Floats:
    """The share of chance that adds to the size of a gap, float64[cell], were it nearer to 0 by three standard deviations."""
    deviations = np.sqrt(np.maximum(variances, 1e-300))
    away = np.where(variances >= _NORMAL, np.maximum(np.abs(gaps) / deviations - _DOUBT, 0.0), 0.0)
    return (folded(away, np.ones_like(away))[0] - away) * math.sqrt(math.pi / 2)


def mean_distances(numbers: Floats, shares: Floats, places: Floats) -> Floats:
    """How far binomial counts are from given places on average, float64[count].

    The classes of a cell's examples have probabilities of their own: their sum is nearer to its mean than the binomial of the mean
    probability.

    Args:
        numbers: float64[count], draws, whole ones, at least 1.
        shares: float64[count], probability of each.
        places: float64[count].

    Source: Hoeffding 1956, Annals of Mathematical Statistics 27:713, theorem 3 (nearer).
    """
    from scipy import special  # scipy.stats takes a second to import

    below = np.floor(places)
    up_to = np.where(below >= numbers, 1.0, special.bdtr(np.minimum(below, numbers), numbers.astype(np.int64), shares))
    fewer = np.maximum(numbers - 1, 1.0)
    # The part of the mean from counts up to a place: the mean times the share up to one less in one draw fewer.
    one_fewer = special.bdtr(np.clip(below - 1, 0.0, fewer), fewer.astype(np.int64), shares)
    one_fewer = np.where(below < 1, 0.0, np.where(below - 1 >= numbers - 1, 1.0, one_fewer))
    means = numbers * shares
    found: Floats = means - places + 2 * (places * up_to - means * one_fewer)
    return found
