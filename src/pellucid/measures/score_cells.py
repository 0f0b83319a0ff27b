"""How probable each class was for how many examples, in bins that merge: curves and class-wise calibration without a list.

With many classes the others of each class are a sample where they are improbable, as they are far more than its own. Its own are
all counted, and so are others above 4 / classes: at most classes / 4 in an example, and precision hangs on them.

A bin is a cell of two partitions of (0, 1) at once: equal steps of the log-odds, which curves need, and the equal-width bins of
calibration. Both grow with the probability, so that the sum of the two bin numbers names the cell.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, fields
from functools import cache
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from pellucid.measures.calibration import BINS, bin_of
from pellucid.measures.curves import Ordered

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]

# Log-odds beyond these share the first or the last bin; a probability below e^-12 is counted, not looked at.
RANGE = 12.0
# A probability below e^-700 is 0, as it soon is in float64.
NOTHING = 700.0


def steps_for(classes: int) -> int:
    """Steps of the log-odds: 1,024 for up to 128 classes, fewer for more, at least 128."""
    return max(128, min(1024, 2**17 // max(classes, 1)))


@cache
def cut_of(classes: int) -> int:
    """The bin from which on every example's classes are counted: the first above 4 / classes."""
    return int(bins_of(np.array([min(4 / max(classes, 1), 0.5)]), steps_for(classes))[0]) + 1


def cut_logit(classes: int) -> float:
    """What the logarithm of the probability is at least in these bins, less some slack."""
    return float(np.log(lower_edges(steps_for(classes))[cut_of(classes)])) - 0.01


def _none() -> NDArray[np.int64]:
    return np.zeros(0, np.int64)


@dataclass
class ScoreCells:
    """Sparse counts by class and bin; memory grows with the cells that hold something, at most classes x bins.

    Attributes:
        codes: int64[cell], class x (steps + BINS) + bin, ascending. Scores below e^-12 of other classes are counted in no cell; the
            lowest says in `most` whether any of them is above 0.
        counts, positives: int64[cell], sampled examples, and those of the class.
        more: int64[cell], examples of the class that are not in the sample.
        above: int64[cell], examples of other classes that are not in the sample, from `cut_of` on.
        sums: float64[cell], of the probabilities of the sampled.
        least, most: float64[cell], the lowest and the highest probability of all that belong there, by which equal ones are known.
    """

    codes: NDArray[np.int64] = field(default_factory=_none)
    counts: NDArray[np.int64] = field(default_factory=_none)
    positives: NDArray[np.int64] = field(default_factory=_none)
    more: NDArray[np.int64] = field(default_factory=_none)
    above: NDArray[np.int64] = field(default_factory=_none)
    sums: Floats = field(default_factory=lambda: np.zeros(0))
    least: Floats = field(default_factory=lambda: np.zeros(0))
    most: Floats = field(default_factory=lambda: np.zeros(0))

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
        place, class_of = np.nonzero(logits >= (normalisers + cut_logit(logits.shape[1]))[:, None])
        probable = (place, class_of, logits[place, class_of].astype(np.float64))
        return cls.of_sample(logits[sampled], own, normalisers, targets, sampled, probable)

    @classmethod
    def of_sample(
        cls,
        whole: NDArray[np.floating],
        own: Floats,
        normalisers: Floats,
        targets: NDArray[np.integer],
        sampled: NDArray[np.bool_],
        probable: tuple[Integers, Integers, Floats],
    ) -> Self:
        """Counts a batch of which all logits are there for the sampled alone.

        Args:
            whole: float[sampled class], -inf allowed.
            own: float64[example], the target's logits.
            normalisers: float64[example], likewise of each.
            targets: int[example], all known.
            sampled: bool[example], those that have a row in `whole`.
            probable: example, class and logit of every logit from the normaliser plus `cut_logit` on.
        """
        classes, some, alone = whole.shape[1], np.flatnonzero(sampled), np.flatnonzero(~sampled)
        wanted = whole > (normalisers[some] - RANGE)[:, None]
        wanted[np.arange(len(some)), targets[some]] = True
        place, class_of = np.nonzero(wanted)
        logs = whole[wanted].astype(np.float64) - normalisers[some][place]
        right = targets[some][place] == class_of
        example, other, logit = (
            values[~sampled[probable[0]] & (probable[1] != targets[probable[0]])] for values in probable
        )
        logs = np.concatenate([logs, own[alone] - normalisers[alone], logit - normalisers[example]])
        right = np.concatenate([right, np.ones(len(alone), np.bool_), np.zeros(len(example), np.bool_)])
        class_of = np.concatenate([class_of, targets[alone], other])
        low = np.flatnonzero(((whole > (normalisers[some] - NOTHING)[:, None]) & ~wanted).any(axis=0))
        inside = np.arange(len(logs)) < len(place)
        return cls._counted(class_of, np.minimum(np.exp(logs), 1.0), right, inside, classes, low)

    @classmethod
    def of_sets(cls, logits: NDArray[np.floating], true: NDArray[np.bool_], sampled: NDArray[np.bool_]) -> Self:
        """Counts a batch whose classes have probabilities of their own, the sigmoids of their logits.

        Args:
            logits: float[example class].
            true: bool[example class].
            sampled: bool[example], those whose false classes count too.
        """
        classes = logits.shape[1]
        wanted = true | ((logits > -RANGE) & sampled[:, None]) | (logits >= cut_logit(classes))
        example, class_of = np.nonzero(wanted)
        probabilities = np.exp(-np.logaddexp(0.0, -logits[example, class_of].astype(np.float64)))
        low = np.flatnonzero(((logits > -NOTHING) & sampled[:, None] & ~wanted).any(axis=0))
        return cls._counted(class_of, probabilities, true[example, class_of], sampled[example], classes, low)

    @classmethod
    def _counted(
        cls,
        class_of: Integers,
        probabilities: Floats,
        right: NDArray[np.bool_],
        inside: NDArray[np.bool_],
        classes: int,
        low: Integers,
    ) -> Self:
        """Cells of entries; `low` are classes of which something too improbable to be an entry is above 0."""
        bins = bins_of(probabilities, steps_for(classes))
        kept = inside | right | (bins >= cut_of(classes))
        codes = (class_of * width_of(classes) + bins)[kept]
        probabilities, right, inside = probabilities[kept], right[kept], inside[kept]
        added = (inside, inside & right, ~inside & right, ~inside & ~right, np.where(inside, probabilities, 0.0))
        found = cls(*_gathered(codes, added, probabilities, probabilities))
        empty = np.zeros(len(low), np.int64)
        ends = (np.zeros(len(low)), np.full(len(low), np.exp(-RANGE)))
        found.merge(cls(low * width_of(classes), empty, empty, empty, empty, ends[0], *ends))
        return found

    def merge(self, other: Self) -> None:
        """Counts another's cells in."""
        if not len(other.codes):
            return
        codes, *added, least, most = (
            np.concatenate([getattr(self, one.name), getattr(other, one.name)]) for one in fields(self)
        )
        of = _gathered(codes, added, least, most)
        self.codes, self.counts, self.positives, self.more, self.above, self.sums, self.least, self.most = of

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
        cells = type(self)(*(getattr(self, one.name)[own] for one in fields(self)))
        cells.codes = cells.codes - index * width
        return _ordered(cells, examples, sampled, classes)

    def of_all(self, classes: int, examples: int, sampled: int) -> Ordered:
        """The curve of all pairs of example and class together (micro-average)."""
        added = (self.counts, self.positives, self.more, self.above, self.sums)
        cells = type(self)(*_gathered(self.codes % width_of(classes), added, self.least, self.most))
        return _ordered(cells, examples * classes, sampled * classes, classes)

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


@cache
def lower_edges(steps: int) -> Floats:
    """The lowest probability of each bin, float64[steps + BINS]; edges of both partitions, ascending."""
    log_odds = -RANGE + np.arange(1, steps) * (2 * RANGE / steps)
    edges = np.sort(np.concatenate([1 / (1 + np.exp(-log_odds)), np.arange(1, BINS) / BINS]))
    found = np.concatenate([[0.0], edges, [1.0]])
    found.setflags(write=False)
    return found


def _calibration_bins(steps: int) -> NDArray[np.int64]:
    edges = lower_edges(steps)
    middles = (edges[:-1] + edges[1:]) / 2
    return np.concatenate([bin_of(middles), [BINS - 1]])


# Probabilities are made from float32: those that differ by less than so much of themselves are equal.
_EQUAL = 2.0**-22


def _ordered(cells: ScoreCells, every: int, sampled: int, classes: int) -> Ordered:
    """Highest first; those that were too improbable to be looked at lie in the lowest bin."""
    if not len(cells.codes) or cells.codes[0] != 0:
        cells = ScoreCells(*(np.insert(values, 0, 0) for values in vars(cells).values()))
    own = cells.positives + cells.more
    negatives = cells.counts - cells.positives + cells.above
    rest = sampled - int(cells.counts.sum())
    negatives[0] += rest
    least = np.where((cells.codes == 0) & (rest > 0), 0.0, cells.least)
    weights = np.ones(len(own))
    if sampled < every:
        low = cells.codes < cut_of(classes)
        left = every - int(own.sum()) - int(negatives[~low].sum())
        # Where none was drawn one stands for all, wherever they are.
        if not negatives[low].any():
            negatives[0] = min(left, 1)
        weights[low] = left / max(int(negatives[low].sum()), 1)
    mixed = cells.most - least > _EQUAL * cells.most
    scores = lower_edges(steps_for(classes))[cells.codes]
    return Ordered(scores[::-1], own[::-1], negatives[::-1], weights[::-1], mixed[::-1])


# Counting bin by bin costs less than sorting where there are no more than so many bins for each code.
_BINS_A_CODE = 8


def _gathered(
    codes: Integers, counted: Sequence[NDArray[Any]], least: Floats, most: Floats
) -> tuple[Integers, Integers, Integers, Integers, Integers, Floats, Floats, Floats]:
    """One cell a distinct code, ascending, with what its entries add up to; sums of integers are exact below 2^53."""
    if int(codes.max(initial=0)) < _BINS_A_CODE * len(codes):
        filled = np.bincount(codes) > 0
        distinct, place = np.flatnonzero(filled), (np.cumsum(filled) - 1)[codes]
    else:
        distinct, place = np.unique(codes, return_inverse=True)
    sums = [np.bincount(place, weights=values, minlength=len(distinct)) for values in counted]
    counts, right, more, above = (values.astype(np.int64) for values in sums[:4])
    lowest, highest = np.full(len(distinct), np.inf), np.full(len(distinct), -np.inf)
    np.minimum.at(lowest, place, least)
    np.maximum.at(highest, place, most)
    return distinct, counts, right, more, above, sums[4].astype(np.float64), lowest, highest
