"""How probable each class was for how many examples, in bins that merge: curves and class-wise calibration without a list.

With many classes the others of each class are a sample, as they are far more than its own; its own are all counted.

A bin is a cell of two partitions of (0, 1) at once: equal steps of the log-odds, which curves need, and the equal-width bins of
calibration. Both grow with the probability, so that the sum of the two bin numbers names the cell.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from pellucid.measures.calibration import BINS, bin_of
from pellucid.measures.curves import Ordered

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]

# Log-odds beyond these share the first or the last bin; a probability below e^-12 is counted, not looked at.
RANGE = 12.0


def steps_for(classes: int) -> int:
    """Steps of the log-odds: 1,024 for up to 128 classes, fewer for more, at least 128."""
    return max(128, min(1024, 2**17 // max(classes, 1)))


def _none() -> NDArray[np.int64]:
    return np.zeros(0, np.int64)


@dataclass
class ScoreCells:
    """Sparse counts by class and bin; memory grows with the cells that hold something, at most classes x bins.

    Attributes:
        codes: int64[cell], class x (steps + BINS) + bin, ascending. Scores below e^-12 of other classes are in no cell.
        counts, positives: int64[cell], sampled examples, and those of the class.
        more: int64[cell], examples of the class that are not in the sample.
        sums: float64[cell], of the probabilities of the sampled.
    """

    codes: NDArray[np.int64] = field(default_factory=_none)
    counts: NDArray[np.int64] = field(default_factory=_none)
    positives: NDArray[np.int64] = field(default_factory=_none)
    more: NDArray[np.int64] = field(default_factory=_none)
    sums: Floats = field(default_factory=lambda: np.zeros(0))

    @classmethod
    def of(
        cls, logits: NDArray[np.floating], normalisers: Floats, targets: NDArray[np.int64], sampled: NDArray[np.bool_]
    ) -> Self:
        """Counts a batch.

        Args:
            logits: float[example class], -inf allowed.
            normalisers: float64[example], the logarithm of the sum of their exponentials.
            targets: int64[example], all known.
            sampled: bool[example], those whose other classes count too.
        """
        own = logits[np.arange(len(targets)), targets].astype(np.float64)
        return cls.of_sample(logits[sampled], own, normalisers, targets, sampled)

    @classmethod
    def of_sample(
        cls,
        whole: NDArray[np.floating],
        own: Floats,
        normalisers: Floats,
        targets: NDArray[np.integer],
        sampled: NDArray[np.bool_],
    ) -> Self:
        """Counts a batch of which all logits are there for the sampled alone.

        Args:
            whole: float[sampled class], -inf allowed.
            own: float64[example], the target's logits.
            normalisers: float64[example], likewise of each.
            targets: int[example], all known.
            sampled: bool[example], those that have a row in `whole`.
        """
        classes, some, alone = whole.shape[1], np.flatnonzero(sampled), np.flatnonzero(~sampled)
        wanted = whole > (normalisers[some] - RANGE)[:, None]
        wanted[np.arange(len(some)), targets[some]] = True
        place, class_of = np.nonzero(wanted)
        logs = whole[wanted].astype(np.float64) - normalisers[some][place]
        logs = np.concatenate([logs, own[alone] - normalisers[alone]])
        right = np.concatenate([targets[some][place] == class_of, np.ones(len(alone), np.bool_)])
        inside = np.arange(len(logs)) < len(place)
        class_of = np.concatenate([class_of, targets[alone]])
        return cls._counted(class_of, np.minimum(np.exp(logs), 1.0), right, inside, classes)

    @classmethod
    def of_sets(cls, logits: NDArray[np.floating], true: NDArray[np.bool_], sampled: NDArray[np.bool_]) -> Self:
        """Counts a batch whose classes have probabilities of their own, the sigmoids of their logits.

        Args:
            logits: float[example class].
            true: bool[example class].
            sampled: bool[example], those whose false classes count too.
        """
        example, class_of = np.nonzero(true | ((logits > -RANGE) & sampled[:, None]))
        probabilities = np.exp(-np.logaddexp(0.0, -logits[example, class_of].astype(np.float64)))
        return cls._counted(class_of, probabilities, true[example, class_of], sampled[example], logits.shape[1])

    @classmethod
    def _counted(
        cls,
        class_of: Integers,
        probabilities: Floats,
        right: NDArray[np.bool_],
        inside: NDArray[np.bool_],
        classes: int,
    ) -> Self:
        codes = class_of * width_of(classes) + bins_of(probabilities, steps_for(classes))
        return cls(*_gathered(codes, inside, inside & right, ~inside, np.where(inside, probabilities, 0.0)))

    def merge(self, other: Self) -> None:
        """Counts another's cells in."""
        if not len(other.codes):
            return
        self.codes, self.counts, self.positives, self.more, self.sums = _gathered(
            np.concatenate([self.codes, other.codes]),
            np.concatenate([self.counts, other.counts]),
            np.concatenate([self.positives, other.positives]),
            np.concatenate([self.more, other.more]),
            np.concatenate([self.sums, other.sums]),
        )

    def of_class(self, index: int, classes: int, examples: int, sampled: int) -> Ordered:
        """The curve of one class against the others.

        Args:
            index: the class.
            classes: how many there are.
            examples: how many were looked at in all.
            sampled: how many of them with all their classes.
        """
        width = width_of(classes)
        low, high = np.searchsorted(self.codes, (index * width, (index + 1) * width))
        own = slice(int(low), int(high))
        return _ordered(
            self.codes[own] - index * width,
            (self.counts[own], self.positives[own], self.more[own]),
            (examples, sampled),
            steps_for(classes),
        )

    def of_all(self, classes: int, examples: int, sampled: int) -> Ordered:
        """The curve of all pairs of example and class together (micro-average)."""
        width = width_of(classes)
        summed = []
        for values in (self.counts, self.positives, self.more):
            sums = np.zeros(width, np.int64)
            np.add.at(sums, self.codes % width, values)
            summed.append(sums)
        return _ordered(
            np.arange(width),
            (summed[0], summed[1], summed[2]),
            (examples * classes, sampled * classes),
            steps_for(classes),
        )

    def reliability(self, classes: int, sampled: int) -> tuple[NDArray[np.int64], Floats, NDArray[np.int64]]:
        """Equal-width bins of every class over the sample, [class bin]: counts, sums of probabilities, examples of the class."""
        width = width_of(classes)
        inside = _calibration_bins(steps_for(classes))[self.codes % width]
        places = self.codes // width * BINS + inside
        shape = (classes, BINS)
        counts, positives = np.zeros(shape, np.int64), np.zeros(shape, np.int64)
        sums = np.zeros(shape)
        np.add.at(counts.reshape(-1), places, self.counts)
        np.add.at(positives.reshape(-1), places, self.positives)
        np.add.at(sums.reshape(-1), places, self.sums)
        counts[:, 0] += sampled - counts.sum(axis=1)
        return counts, sums, positives


def width_of(classes: int) -> int:
    """Bins that each class may have."""
    return steps_for(classes) + BINS


def bins_of(probabilities: Floats, steps: int) -> NDArray[np.int64]:
    """The bin of each probability in (0, 1], ascending with it."""
    with np.errstate(divide="ignore"):
        log_odds = np.log(probabilities) - np.log1p(-probabilities)
    step = np.floor((np.clip(log_odds, -RANGE, RANGE) + RANGE) * (steps / (2 * RANGE))).astype(np.int64)
    found: NDArray[np.int64] = np.minimum(step, steps - 1) + bin_of(probabilities)
    return found


def lower_edges(steps: int) -> Floats:
    """The lowest probability of each bin, float64[steps + BINS]; edges of both partitions, ascending."""
    log_odds = -RANGE + np.arange(1, steps) * (2 * RANGE / steps)
    edges = np.sort(np.concatenate([1 / (1 + np.exp(-log_odds)), np.arange(1, BINS) / BINS]))
    return np.concatenate([[0.0], edges, [1.0]])


def _calibration_bins(steps: int) -> NDArray[np.int64]:
    edges = lower_edges(steps)
    middles = (edges[:-1] + edges[1:]) / 2
    return np.concatenate([bin_of(middles), [BINS - 1]])


def _ordered(
    bins: Integers, counted: tuple[Integers, Integers, Integers], examples: tuple[int, int], steps: int
) -> Ordered:
    """Highest first; those that were too improbable to be looked at lie in the lowest bin."""
    counts, positives, more = counted
    every, sampled = examples
    rest = sampled - int(counts.sum())
    if not len(bins) or bins[0] != 0:
        bins, counts, positives, more = (np.insert(values, 0, 0) for values in (bins, counts, positives, more))
    negatives = counts - positives
    negatives[0] += rest
    own, others = positives + more, int(negatives.sum())
    weight = (every - int(own.sum())) / others if others else 1.0
    return Ordered(lower_edges(steps)[bins[::-1]], own[::-1], negatives[::-1], weight)


# Counting bin by bin costs less than sorting where there are no more than so many bins for each code.
_BINS_A_CODE = 8


def _gathered(
    codes: Integers, counts: NDArray[Any], positives: NDArray[Any], more: NDArray[Any], sums: Floats
) -> tuple[Integers, Integers, Integers, Integers, Floats]:
    """One cell a distinct code, ascending, with what its entries add up to; sums of integers are exact below 2^53."""
    if int(codes.max(initial=0)) < _BINS_A_CODE * len(codes):
        distinct = np.flatnonzero(np.bincount(codes))
        added = [np.bincount(codes, weights=values)[distinct] for values in (counts, positives, more, sums)]
    else:
        distinct, place = np.unique(codes, return_inverse=True)
        added = [
            np.bincount(place, weights=values, minlength=len(distinct)) for values in (counts, positives, more, sums)
        ]
    counted, right, further = (values.astype(np.int64) for values in added[:3])
    return distinct, counted, right, further, added[3].astype(np.float64)
