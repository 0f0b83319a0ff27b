"""How well sets of classes are found: each class is called where its own probability is at least a half."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Self

import numpy as np
from numpy.typing import NDArray

from pellucid.measures.classification import Tallies
from pellucid.measures.intervals import LEVEL, delta_interval, normal_quantile, share_to_f1, wilson
from pellucid.record.schema import Interval, Score

Floats = NDArray[np.float64]

# What rounding leaves of a sum of squares that is 0.
_ROUNDING = 1e-12


def _none() -> NDArray[np.int64]:
    return np.zeros(0, np.int64)


@dataclass(frozen=True)
class SetSums:
    """Sums over examples, each with its set of true classes and its set of called ones.

    Attributes:
        count, exact: examples, and those whose two sets are the same.
        right, support, called: int64[class], examples of which the class is true and called, true, called.
        labels, labels_squared: sum of the number of classes that are rightly true or rightly false, and of its square.
        both, either, both_squared, product, either_squared: sums of a = 2 |true and called|, b = |true| + |called|, a^2, ab and b^2
            over examples: what the F1 of all pairs and its interval need, as the pairs of one example depend on each other.
    """

    count: int = 0
    exact: int = 0
    right: NDArray[np.int64] = field(default_factory=_none)
    support: NDArray[np.int64] = field(default_factory=_none)
    called: NDArray[np.int64] = field(default_factory=_none)
    labels: int = 0
    labels_squared: int = 0
    both: int = 0
    either: int = 0
    both_squared: int = 0
    product: int = 0
    either_squared: int = 0

    @classmethod
    def of(cls, true: NDArray[np.bool_], called: NDArray[np.bool_]) -> Self:
        """Counts a batch, bool[example class] each."""
        same = (true == called).sum(axis=1)
        both, either = 2 * (true & called).sum(axis=1), true.sum(axis=1) + called.sum(axis=1)
        sums = (same, same**2, both, either, both**2, both * either, either**2)
        return cls(
            len(true),
            int((same == true.shape[1]).sum()),
            (true & called).sum(axis=0),
            true.sum(axis=0),
            called.sum(axis=0),
            *(int(values.sum()) for values in sums),
        )

    def merged(self, other: Self) -> SetSums:
        """Both together."""
        if not self.count or not other.count:
            return other if other.count else self
        return SetSums(*(getattr(self, name) + getattr(other, name) for name in self.__dataclass_fields__))

    @property
    def tallies(self) -> Tallies:
        """Counts by class, of which an example adds to several."""
        return Tallies(*(counts.astype(np.float64) for counts in (self.right, self.support, self.called)))


def set_scores(of: SetSums) -> list[Score]:
    """Exact sets, single labels, and F1 over all pairs of example and class.

    Intervals take the examples as independent, not their labels.

    Source: Tsoumakas, Katakis & Vlahavas 2010, Data Mining and Knowledge Discovery Handbook, section 34.7.
    """
    classes = len(of.support)
    if not of.count or not classes:
        why = "of no example the set of classes is known"
        return [Score(name, None, None, 0, why) for name in ("exact sets", "single labels", "micro F1")]
    share = of.labels / of.count / classes
    return [
        Score("exact sets", of.exact / of.count, wilson(of.exact, of.count), of.count),
        Score("single labels", share, _labels_interval(of, share, classes), of.count),
        _micro(of),
    ]


def _labels_interval(of: SetSums, share: float, classes: int) -> Interval | None:
    """Wilson's, of as many independent labels as would make the share vary as much as it does over examples.

    These are as many as there are examples, where the labels of one are all right or all wrong together, up to all labels. Where
    the share does not vary, nothing is known of how labels depend on each other, and they count as one by example.

    Source: Korn & Graubard 1998, Survey Methodology 24:193 (t instead of normal quantiles).
    """
    from scipy import special  # scipy.stats takes a second to import

    spread = of.count * of.labels_squared - of.labels**2
    if spread <= 0:
        return wilson(share * of.count, of.count)
    variance = spread / (of.count - 1) / (of.count * classes) ** 2
    quantiles = normal_quantile(0.5 + LEVEL / 2) / float(special.stdtrit(of.count - 1, 0.5 + LEVEL / 2))
    trials = min(max(share * (1 - share) / variance * quantiles**2, of.count), of.count * classes)
    return wilson(share * trials, trials)


def _micro(of: SetSums) -> Score:
    """The F1 is the ratio of two sums over examples, with the variance of one.

    Where all examples have the same ratio, as 0 or 1, it is 2J / (1 + J) with J the share of the pairs, true or called, that are
    both: Wilson's interval of J, mapped the same way, of (sum of pairs)^2 / (sum of squares) examples.

    Source: Cochran 1977, Sampling Techniques, section 2.11; Kish 1965, Survey Sampling, section 11.7 (the number of examples).
    """
    if not of.either:
        return Score("micro F1", None, None, of.count, "no class is true or called anywhere")
    ratio = of.both / of.either
    squares = of.both_squared - 2 * ratio * of.product + ratio**2 * of.either_squared
    if squares > _ROUNDING * of.either_squared:
        interval = delta_interval(ratio, math.sqrt(squares) / of.either, "share")
    else:
        examples, share = of.either**2 / of.either_squared, ratio / (2 - ratio)
        interval = share_to_f1(wilson(share * examples, examples))
    return Score("micro F1", ratio, interval, of.count)
