"""How well sets of classes are found: each class is called where its own probability is at least a half."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Self

import numpy as np
from numpy.typing import NDArray

from pellucid.measures.classification import Tallies
from pellucid.measures.intervals import delta_interval, mean_interval, wilson
from pellucid.record.schema import Score

Floats = NDArray[np.float64]


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

    The F1 is the ratio of two sums over examples; its interval takes the examples as independent, not the pairs.

    Source: Tsoumakas, Katakis & Vlahavas 2010, Data Mining and Knowledge Discovery Handbook, section 34.7; the ratio's variance is
        Cochran's 1977, Sampling Techniques, section 2.11.
    """
    classes = len(of.support)
    if not of.count or not classes:
        why = "of no example the set of classes is known"
        return [Score(name, None, None, 0, why) for name in ("exact sets", "single labels", "micro F1")]
    mean, spread = of.labels / of.count, of.labels_squared - of.labels**2 / of.count
    labels = mean_interval(of.count, of.labels / classes, spread / classes**2)
    return [
        Score("exact sets", of.exact / of.count, wilson(of.exact, of.count), of.count),
        Score("single labels", mean / classes, labels, of.count),
        _micro(of),
    ]


def _micro(of: SetSums) -> Score:
    if not of.either:
        return Score("micro F1", None, None, of.count, "no class is true or called anywhere")
    ratio = of.both / of.either
    squares = of.both_squared - 2 * ratio * of.product + ratio**2 * of.either_squared
    deviation = math.sqrt(max(squares, 0.0)) / of.either
    return Score("micro F1", ratio, delta_interval(ratio, deviation, "share"), of.count)
