"""Error consistency: do two observers get the same images right and wrong, beyond what their accuracies alone would give?"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pellucid.measures.bootstrap import bootstrap
from pellucid.measures.intervals import LEVEL
from pellucid.record.schema import Interval

Floats = NDArray[np.float64]
MISSING = -1
_NULL_DRAWS = 2000


@dataclass(frozen=True)
class Tallies:
    """How often pairs of observers were right on the images that both answered; any shape, broadcast together.

    Attributes:
        count: images that both answered.
        first, second: those that the first, the second got right.
        both: those that both got right.
    """

    count: Floats
    first: Floats
    second: Floats
    both: Floats

    @property
    def observed(self) -> Floats:
        """Share of images that both got right or both got wrong; NaN without images."""
        with np.errstate(invalid="ignore", divide="ignore"):
            return (self.count - self.first - self.second + 2 * self.both) / self.count

    @property
    def expected(self) -> Floats:
        """The same share where errors are independent: ab + (1 - a)(1 - b) of the accuracies a and b."""
        with np.errstate(invalid="ignore", divide="ignore"):
            a, b = self.first / self.count, self.second / self.count
        return a * b + (1 - a) * (1 - b)

    @property
    def defined(self) -> NDArray[np.bool_]:
        """Where kappa is: not where both get everything right, or everything wrong, and agreement is certain by chance."""
        certain = (self.first == self.second) & ((self.first == 0) | (self.first == self.count))
        known: NDArray[np.bool_] = (self.count > 0) & ~certain
        return known

    @property
    def kappa(self) -> Floats:
        """Cohen's kappa of right and wrong, (observed - expected) / (1 - expected); NaN where it is not defined.

        Source: Geirhos, Meding & Wichmann 2020, arXiv:2006.16736, eq. 3; Cohen 1960.
        """
        with np.errstate(invalid="ignore", divide="ignore"):
            value = (self.observed - self.expected) / (1 - self.expected)
        return np.where(self.defined, value, np.nan)

    def bounds(self) -> tuple[Floats, Floats]:
        """The least and the largest kappa that are possible with as many right; NaN where kappa is not defined."""
        fewest = np.maximum(0.0, self.first + self.second - self.count)
        most = np.minimum(self.first, self.second)
        return self._with(fewest).kappa, self._with(most).kappa

    def _with(self, both: Floats) -> Tallies:
        """As often right, but so often both."""
        return Tallies(*np.broadcast_arrays(self.count, self.first, self.second, both))

    def left_out(self) -> Floats:
        """What one image of each kind adds to kappa: kappa minus kappa without it, float64[4 ...].

        The kinds are neither right, the first alone, the second alone, both. Where kappa without it is not defined, the
        derivative stands in; 0 where kappa itself is not.
        """
        kinds = np.array([(0, 0), (1, 0), (0, 1), (1, 1)], np.float64)
        found = []
        for x, y in kinds:
            without = Tallies(self.count - 1, self.first - x, self.second - y, self.both - x * y)
            added = self.kappa - without.kappa
            found.append(np.where(np.isfinite(added), added, self._derivative(x, y)))
        return np.where(self.defined, np.stack(found), 0.0)

    def _derivative(self, x: float, y: float) -> Floats:
        with np.errstate(invalid="ignore", divide="ignore"):
            a, b, rest = self.first / self.count, self.second / self.count, 1 - self.expected
            agreed = float(x == y) - self.observed
            chance = (2 * b - 1) * (x - a) + (2 * a - 1) * (y - b)
            return (agreed / rest - (1 - self.observed) / rest**2 * chance) / self.count

    def variance(self) -> Floats:
        """The variance of kappa over images by the jackknife; NaN where kappa is not defined.

        Source: Efron & Stein 1981, Annals of Statistics 9:586-596. Closed: there are but four kinds of images.
        """
        cells = np.stack(
            [
                self.count - self.first - self.second + self.both,
                self.first - self.both,
                self.second - self.both,
                self.both,
            ]
        )
        added = self.left_out()
        with np.errstate(invalid="ignore", divide="ignore"):
            mean = (cells * added).sum(0) / self.count
            total = (cells * (added - mean) ** 2).sum(0) * (self.count - 1) / self.count
        return np.where(self.defined & (self.count > 1), total, np.nan)


def tallies(right: NDArray[np.integer]) -> Tallies:
    """The tallies of all pairs of observers.

    Args:
        right: int[observer image], 1 right, 0 wrong, -1 where the observer did not answer.

    Returns: arrays of float64[observer observer], first by rows.
    """
    answered = (right != MISSING).astype(np.float64)
    correct = (right == 1).astype(np.float64)
    return Tallies(answered @ answered.T, correct @ answered.T, answered @ correct.T, correct @ correct.T)


@dataclass(frozen=True)
class PairKappa:
    """One pair of observers over one or more conditions; a kappa is the mean of those of the conditions.

    Attributes are those of `schema.HumanPair`, None where not defined, and `why` says why.
    """

    count: int
    observed: float | None = None
    expected: float | None = None
    kappa: float | None = None
    interval: Interval | None = None
    bootstrap: Interval | None = None
    null: Interval | None = None
    least: float | None = None
    most: float | None = None
    p_value: float | None = None
    why: str = ""


def pair_kappa(strata: Tallies, *, resample: bool = True, seed: int = 0) -> PairKappa:
    """Everything about one pair.

    Accuracies differ between conditions, which alone makes errors alike, so kappa is taken within each condition and averaged
    over those where it is defined.

    Args:
        strata: float64[condition], one element a condition.
        resample: whether to make the bootstrap interval, too.
        seed: of draws.

    Returns: kappa with its jackknife and BCa bootstrap interval, the band and exact p value (hypergeometric given how many each
        got right; Cochran-Mantel-Haenszel's with several conditions) where errors are independent, and the kappas possible.
    """
    shared = strata.count > 0
    count = int(strata.count.sum())
    if not count:
        return PairKappa(0, why="no image was answered by both")
    observed, expected = float(strata.observed[shared].mean()), float(strata.expected[shared].mean())
    kept = strata.defined
    if not kept.any():
        word = "right" if strata.first[shared][0] else "wrong"
        return PairKappa(
            count, observed, expected, why=f"both get every image {word}, and agree by chance alone" if shared.sum() == 1
            else "under each condition both get every image right, or every one wrong, and agree by chance alone",
        )  # fmt: skip
    part = Tallies(strata.count[kept], strata.first[kept], strata.second[kept], strata.both[kept])
    value = float(part.kappa.mean())
    deviation = float(np.sqrt(part.variance().sum())) / len(part.count)
    least, most = (float(bound.mean()) for bound in part.bounds())
    null, p_value = _independent(part, seed)
    return PairKappa(
        count, observed, expected, value,
        student_interval(value, deviation, count), _resampled(part, seed) if resample else None, null, least, most, p_value,
    )  # fmt: skip


def student_interval(value: float, deviation: float, images: int) -> Interval | None:
    """Student's interval of a kappa; None where nothing varies, and its width is not known."""
    if images < 2 or not deviation > 0:
        return None
    from scipy import special

    half = float(special.stdtrit(images - 1, 0.5 + LEVEL / 2)) * deviation
    return Interval(max(-1.0, value - half), min(1.0, value + half), LEVEL, "jackknife")


def _resampled(part: Tallies, seed: int) -> Interval | None:
    """Bias-corrected bootstrap over images, drawn within each condition alone where there are several."""
    cells = np.stack(
        [part.both, part.first - part.both, part.second - part.both, part.count - part.first - part.second + part.both],
        1,
    ).astype(np.int64)
    if len(cells) > 1:
        return _stratified(cells, seed)

    def statistic(drawn: Floats) -> Floats:
        both, first, second, none = drawn.T
        return Tallies(both + first + second + none, both + first, both + second, both).kappa[:, None]

    return bootstrap(cells[0], statistic, seed=seed)[0]


def _stratified(cells: NDArray[np.int64], seed: int) -> Interval | None:
    """Percentile interval of the mean of kappas over conditions."""
    generator = np.random.default_rng(seed)
    drawn = [_of_cells(generator.multinomial(row.sum(), row / row.sum(), _NULL_DRAWS)) for row in cells]
    means = _mean_defined(np.stack(drawn, 1))
    means = means[np.isfinite(means)]
    if len(means) < 0.9 * _NULL_DRAWS:
        return None
    low, high = np.quantile(means, [0.5 - LEVEL / 2, 0.5 + LEVEL / 2])
    return Interval(float(low), float(high), LEVEL, "bootstrap")


def _of_cells(cells: NDArray[np.int64]) -> Floats:
    """Kappa of counts of both, first only, second only and neither right: float64[draw]."""
    both, first, second, none = cells.T.astype(np.float64)
    return Tallies(both + first + second + none, both + first, both + second, both).kappa


def _of_marginals(count: float, first: float, second: float, both: Floats) -> Floats:
    """Kappa with so many right, for several counts of both: float64[draw]."""
    return Tallies(np.full_like(both, count), np.full_like(both, first), np.full_like(both, second), both).kappa


def _mean_defined(values: Floats) -> Floats:
    """Mean over the last axis of what is defined; NaN where nothing is."""
    known = np.isfinite(values)
    with np.errstate(invalid="ignore", divide="ignore"):
        mean: Floats = np.where(known, values, 0.0).sum(-1) / known.sum(-1)
    return mean


def _independent(part: Tallies, seed: int) -> tuple[Interval, float]:
    """The band of kappas, and the p value, where errors are independent and each gets as many right as it did."""
    if len(part.count) == 1:
        return _exact(part)
    generator = np.random.default_rng(seed)
    drawn = []
    for count, first, second in zip(part.count, part.first, part.second, strict=True):
        both = generator.hypergeometric(int(first), int(count - first), int(second), _NULL_DRAWS).astype(np.float64)
        drawn.append(_of_marginals(count, first, second, both))
    low, high = np.quantile(np.stack(drawn).mean(0), [0.5 - LEVEL / 2, 0.5 + LEVEL / 2])
    mean = part.first * part.second / part.count
    spread = mean * (part.count - part.first) * (part.count - part.second) / part.count / np.maximum(part.count - 1, 1)
    total = float(spread.sum())
    surplus = abs(float((part.both - mean).sum()))
    p_value = math.erfc(surplus / math.sqrt(2 * total)) if total > 0 else 1.0
    return Interval(float(low), float(high), LEVEL, "simulated"), min(1.0, p_value)


def _exact(part: Tallies) -> tuple[Interval, float]:
    """Of one condition: how many both get right is hypergeometric. Source: Fisher's exact test."""
    from scipy.special import gammaln

    count, first, second, both = (float(one[0]) for one in (part.count, part.first, part.second, part.both))
    possible = np.arange(max(0.0, first + second - count), min(first, second) + 1)

    def log_choose(of: float, take: Floats) -> Floats:
        ways: Floats = gammaln(of + 1) - gammaln(take + 1) - gammaln(of - take + 1)
        return ways

    logs = log_choose(first, possible) + log_choose(count - first, second - possible)
    weights = np.exp(logs - logs.max())
    weights /= weights.sum()
    below = np.cumsum(weights)
    tail = 0.5 - LEVEL / 2
    lowest = int(np.searchsorted(below, tail))
    highest = min(int(np.searchsorted(below, 1 - tail)), len(possible) - 1)
    low, high = _of_marginals(count, first, second, possible[[lowest, highest]])
    found = weights[int(both - possible[0])]
    return Interval(float(low), float(high), LEVEL, "exact"), min(
        1.0, float(weights[weights <= found * (1 + 1e-7)].sum())
    )
