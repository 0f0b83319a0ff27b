"""Intervals of calibration errors: the true errors under which the one that was found is no surprise.

An error of bins is found too large, by what chance alone puts into each bin, and the less there is to find, the more: the
interval of a mean, or of draws with replacement, lies beside the truth. Here a candidate is a pattern of gaps between accuracy
and confidence, scaled to an error; under it the found error has a known mean, variance and skewness, as each bin's gap is nearly
normal. The interval is that of all candidates which are not rejected at 5%. Towards 0, where no error is negative, the test goes
over from two sides to one by the order of likelihood ratios, so that it rejects a calibrated model once in twenty times, too.

What is not known is how the gaps are spread over the bins, on which it depends how much chance has added. The found gaps are spread
too unevenly. The lower end takes a more uneven pattern, squares less half of their variance; the upper end a more even one,
gaps drawn towards a line over confidence.

Source: Feldman & Cousins 1998, Physical Review D 57:3873, section IV.B (the order); Wilson & Hilferty 1931, PNAS 17:684 (skewness).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pellucid.measures.intervals import LEVEL, wilson
from pellucid.record.schema import Interval

Floats = NDArray[np.float64]

# A gap that stands for none in a pattern, and the least standard deviation.
_LEAST_GAP = 1e-6
_LEAST_DEVIATION = 1e-14
# Standard deviations beyond the found error at which every candidate is rejected.
_FAR = 8.0
# And beyond 0, from where on a normal value is of one sign.
_UNFOLDED = 6.0
# An end is halved down to where the test is nearly straight, then found along chords.
_HALVINGS = 6
_CHORDS = 30
_NEAR = 1e-13
# What rounding makes of a share of 0 or 1.
_EDGE = 1e-9


@dataclass(frozen=True)
class Gaps:
    """Bins that hold examples, each in one of them; other kinds of bins are subclasses.

    Attributes:
        counts: float64[bin], examples.
        confidence, accuracy: float64[bin], means.
        squared: whether the error is the root of the mean squared gap, else the mean absolute gap.
    """

    counts: Floats
    confidence: Floats
    accuracy: Floats
    squared: bool = False

    @property
    def shares(self) -> Floats:
        """Of all examples, float64[bin]."""
        found: Floats = self.counts / self.counts.sum()
        return found

    @property
    def number(self) -> float:
        """Examples in all."""
        return float(self.counts.sum())

    @property
    def gaps(self) -> Floats:
        """Accuracy less confidence, float64[bin]."""
        return self.accuracy - self.confidence

    @property
    def variances(self) -> Floats:
        """Of the gaps, float64[bin]; two more examples that are right as often as they say keep it from being 0."""
        accuracy = (self.accuracy * self.counts + 2 * self.confidence) / (self.counts + 2)
        least = self.confidence * (1 - self.confidence) / 4
        return np.maximum(accuracy * (1 - accuracy), least) / self.counts + 1e-15

    def error(self, gaps: Floats) -> float:
        """The error that these gaps make: of squared ones the mean of squares."""
        return float((self.shares * (gaps**2 if self.squared else np.abs(gaps))).sum())

    def moments(self, gaps: Floats) -> tuple[float, float, float]:
        """Mean, standard deviation and skewness of the found error where these are the true gaps."""
        shares, accuracy = self.shares, self.confidence + gaps
        if self.squared:
            own = accuracy * (1 - accuracy) / self.counts
            mean = float((shares * (gaps**2 + own)).sum())
            variance = float((shares**2 * (2 * own**2 + 4 * gaps**2 * own)).sum())
            # How many examples a bin holds is chance, too.
            variance += float((shares * gaps**4).sum()) / self.number
            third = float((shares**3 * (8 * own**3 + 24 * gaps**2 * own**2)).sum())
        else:
            spread = shares**2 * (accuracy * (1 - accuracy) + gaps**2) / self.counts
            mean, variance, third = self.of_sum(shares * gaps, np.sqrt(spread))
        deviation = math.sqrt(max(variance - self.error(gaps) ** 2 / self.number, _LEAST_DEVIATION))
        # Both moments with what the counts of bins add by chance, as the third one has it: of few examples it is most of it.
        return mean, deviation, third / max(variance, _LEAST_DEVIATION) ** 1.5

    def of_sum(self, means: Floats, deviations: Floats) -> tuple[float, float, float]:
        """Mean, variance and third central moment of the sum of the absolute values of what the bins add to the error.

        Args:
            means: float64[bin], of normal values.
            deviations: float64[bin], theirs.
        """
        mean, variance, third = (float(one.sum()) for one in folded(means, deviations))
        return mean, variance, third

    def spread(self, weights: Floats) -> float:
        """Variance of the sum of so many times each gap, by `variances`."""
        return float((weights**2 * self.variances).sum())

    def signed(self, sizes: Floats, level: float) -> Floats:
        """Likely sizes of the gaps, whose weighted mean is `level`, with their signs: those of the found ones."""
        return np.where(self.gaps < 0, -sizes, sizes)

    def scaled(self, pattern: Floats, error: float) -> Floats:
        """Gaps of that pattern with this error, as far as accuracies stay between 0 and 1."""
        size = self.error(pattern)
        factor = math.sqrt(error / size) if self.squared else error / size
        scaled: Floats = np.clip(self.confidence + pattern * factor, 0.0, 1.0) - self.confidence
        return scaled


def error_interval(bins: Gaps) -> Interval | None:
    """The 95% interval of the true error of the bins; None without examples."""
    if not len(bins.counts):
        return None
    found = bins.error(bins.gaps)
    at_none = bins.moments(np.zeros_like(bins.gaps))[0]

    def surprise(gaps: Floats) -> float:
        """How sure the test is that these are not the gaps: above 0 where the found error is large for them, below where small."""
        mean, deviation, skewness = bins.moments(gaps)
        above = max((mean - at_none) / deviation, 0.0)
        return _surprise(above, above + _normal_score((found - mean) / deviation, skewness))

    most, even, low = uneven(bins), smooth(bins), 0.0
    if surprise(np.zeros_like(most)) > LEVEL:
        end = _end(lambda error: surprise(bins.scaled(most, error)) - LEVEL, 0.0, found)
        low = bins.error(bins.scaled(most, end))
    far = found + _FAR * bins.moments(bins.scaled(even, found))[1] + 2 / bins.number
    end = _end(lambda error: surprise(bins.scaled(even, error)) + LEVEL, low, far)
    high = max(low, bins.error(bins.scaled(even, end)))
    ends = (math.sqrt(low), math.sqrt(high)) if bins.squared else (low, high)
    nearest, farthest = _of_one_kind(bins)
    return Interval(min(ends[0], nearest), max(ends[1], farthest), LEVEL, "test inversion")


def _of_one_kind(bins: Gaps) -> tuple[float, float]:
    """The least and the most that confidence may be off in the mean, where all answers are right or all are wrong.

    No error is below that distance. It is all that such answers say: how they vary is not known, and gaps of the sign that was
    found leave the other one out. Elsewhere the least is infinite and the most 0.
    """
    right = float(bins.shares @ bins.accuracy) / float(bins.shares.sum())
    if _EDGE < right < 1 - _EDGE:
        return math.inf, 0.0
    share = wilson(round(right) * bins.number, bins.number)
    if share is None:
        return math.inf, 0.0
    said = float(bins.shares @ bins.confidence) / float(bins.shares.sum())
    return max(0.0, share.low - said, said - share.high), max(said - share.low, share.high - said)


def _end(of: Callable[[float], float], low: float, high: float) -> float:
    """Where a falling function is 0, or `high` where it stays above.

    Source: Dowell & Jarratt 1971, BIT 11:168 (the Illinois rule).
    """
    at_low, at_high = of(low), of(high)
    if at_high > 0:
        return high
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        value = of(middle)
        low, high, at_low, at_high = (middle, high, value, at_high) if value > 0 else (low, middle, at_low, value)
    moved = ""
    for _ in range(_CHORDS):
        middle = (at_low * high - at_high * low) / (at_low - at_high)
        value = of(middle)
        if abs(value) < _NEAR:
            return middle
        # An end that stays twice counts half, or the chords would come near from one side only.
        if value > 0:
            low, at_low, at_high = middle, value, at_high / 2 if moved == "low" else at_high
        else:
            high, at_high, at_low = middle, value, at_low / 2 if moved == "high" else at_low
        moved = "low" if value > 0 else "high"
    return (low + high) / 2


def uneven(bins: Gaps) -> Floats:
    """The gaps as they were found, less half of what chance adds to their squares: float64[bin]."""
    sizes = np.sqrt(np.maximum(bins.gaps**2 - bins.variances / 2, _LEAST_GAP**2))
    return np.where(bins.gaps < 0, -sizes, sizes)


def smooth(bins: Gaps) -> Floats:
    """The gaps that are expected, float64[bin]: a line over confidence, each of its two parts shrunk, and what is left, shrunk.

    Source: empirical Bayes, the shrinkage by moments, Morris 1983, JASA 78:47.
    """
    variances, gaps = bins.variances, bins.gaps
    weights = 1 / variances
    whole = float(weights.sum())
    away = bins.confidence - float((weights * bins.confidence).sum()) / whole
    spread = float((weights * away**2).sum()) + 1e-300
    levelling, tilting = weights / whole, weights * away / spread
    level, slope = float((levelling * gaps).sum()), float((tilting * gaps).sum())
    of_level, of_slope = bins.spread(levelling), bins.spread(tilting)
    kept = max(0.0, 1 - of_level / max(level**2, 1e-12 * of_level))
    tilted = max(0.0, 1 - of_slope / max(slope**2, 1e-12 * of_slope)) if of_slope > 0 else 0.0
    line = kept * level + tilted * slope * away
    rest = gaps - line
    scatter = max(float((bins.shares * (rest**2 - variances)).sum()), 1e-8)
    own = scatter / (scatter + variances)
    uncertain = variances * own + (1 - own) ** 2 * (kept * of_level + tilted * away**2 * of_slope)
    return bins.signed(np.maximum(folded(line + own * rest, np.sqrt(uncertain))[0], _LEAST_GAP), level)


def folded(means: Floats, deviations: Floats) -> tuple[Floats, Floats, Floats]:
    """Mean, variance and third central moment of |X|, X normal: float64[value] each."""
    from scipy import special  # scipy.stats takes a second to import

    safe = np.maximum(deviations, 1e-300)
    away = np.abs(means) / safe
    density = np.sqrt(2 / np.pi) * np.exp(-0.5 * away**2)
    inside = special.erf(away / math.sqrt(2))
    first = density + away * inside
    second = 1 + away**2
    third = (away**2 + 2) * density + (away**3 + 3 * away) * inside
    variance = np.maximum(second - first**2, 0.0)
    # Far from 0 nothing is folded, and the differences would be of rounding.
    moment = np.where(away > _UNFOLDED, 0.0, third - 3 * first * second + 2 * first**3)
    return first * safe, variance * safe**2, moment * safe**3


def _normal_score(standardised: float, skewness: float) -> float:
    """Where a value of a skewed distribution lies on the normal scale, by a gamma distribution of the same skewness."""
    if skewness < 1e-6:
        return standardised
    root = math.copysign(abs(1 + skewness * standardised / 2) ** (1 / 3), 1 + skewness * standardised / 2)
    return (root - 1 + skewness**2 / 36) * 6 / skewness


def _surprise(mean: float, value: float) -> float:
    """The share of normal values of deviation 1 and a mean of at least 0 that are likelier than this one; negated below the mean.

    Values are taken in the order of their likelihood over that of the likeliest mean.
    """
    # Logarithms of the likelihood ratio; a value below 0 is likeliest at a mean of 0.
    order = -((value - mean) ** 2) / 2 if value >= 0 else mean * value - mean**2 / 2
    if value < mean:
        return _normal(value - mean) - _normal(math.sqrt(-2 * order))
    other = 2 * mean - value
    if other < 0:
        other = (order + mean**2 / 2) / mean if mean > 0 else -math.inf
    return _normal(value - mean) - _normal(other - mean)


def _normal(value: float) -> float:
    return math.erfc(-value / math.sqrt(2)) / 2
