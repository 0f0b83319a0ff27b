"""How probable each class was for how many examples, in bins that merge: curves and class-wise calibration without a list.

A bin is a cell of two partitions of (0, 1) at once: equal steps of the log-odds, which curves need, and the equal-width bins of
calibration. Both grow with the probability, so that the sum of the two bin numbers names the cell.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Self

import numpy as np
from numpy.typing import NDArray

from pellucid.measures.calibration import BINS, bin_of
from pellucid.measures.curves import Ordered

Floats = NDArray[np.float64]

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
        counts, positives: int64[cell], examples, and those of the class.
        sums: float64[cell], of their probabilities.
    """

    codes: NDArray[np.int64] = field(default_factory=_none)
    counts: NDArray[np.int64] = field(default_factory=_none)
    positives: NDArray[np.int64] = field(default_factory=_none)
    sums: Floats = field(default_factory=lambda: np.zeros(0))

    @classmethod
    def of(cls, logits: Floats, normalisers: Floats, targets: NDArray[np.int64]) -> Self:
        """Counts a batch.

        Args:
            logits: float[example class], -inf allowed.
            normalisers: float64[example], the logarithm of the sum of their exponentials.
            targets: int64[example], all known.
        """
        classes = logits.shape[1]
        wanted = logits > (normalisers - RANGE)[:, None]
        wanted[np.arange(len(targets)), targets] = True
        example, class_of = np.nonzero(wanted)
        logs = logits[example, class_of].astype(np.float64) - normalisers[example]
        probabilities = np.minimum(np.exp(logs), 1.0)
        codes = class_of * width_of(classes) + bins_of(probabilities, steps_for(classes))
        right = (targets[example] == class_of).astype(np.int64)
        return cls(*_gathered(codes, np.ones(len(codes), np.int64), right, probabilities))

    def merge(self, other: Self) -> None:
        """Counts another's cells in."""
        self.codes, self.counts, self.positives, self.sums = _gathered(
            np.concatenate([self.codes, other.codes]),
            np.concatenate([self.counts, other.counts]),
            np.concatenate([self.positives, other.positives]),
            np.concatenate([self.sums, other.sums]),
        )

    def of_class(self, index: int, classes: int, examples: int) -> Ordered:
        """The curve of one class against the others. `examples`: how many were looked at in all."""
        width = width_of(classes)
        low, high = np.searchsorted(self.codes, (index * width, (index + 1) * width))
        bins = self.codes[low:high] - index * width
        return _ordered(bins, self.counts[low:high], self.positives[low:high], examples, steps_for(classes))

    def of_all(self, classes: int, examples: int) -> Ordered:
        """The curve of all pairs of example and class together (micro-average)."""
        width = width_of(classes)
        counts, positives = np.zeros(width, np.int64), np.zeros(width, np.int64)
        np.add.at(counts, self.codes % width, self.counts)
        np.add.at(positives, self.codes % width, self.positives)
        return _ordered(np.arange(width), counts, positives, examples * classes, steps_for(classes))

    def reliability(self, classes: int, examples: int) -> tuple[NDArray[np.int64], Floats, NDArray[np.int64]]:
        """Equal-width bins of every class: counts, sums of probabilities, examples of the class; [class bin] each."""
        width = width_of(classes)
        inside = _calibration_bins(steps_for(classes))[self.codes % width]
        places = self.codes // width * BINS + inside
        shape = (classes, BINS)
        counts, positives = np.zeros(shape, np.int64), np.zeros(shape, np.int64)
        sums = np.zeros(shape)
        np.add.at(counts.reshape(-1), places, self.counts)
        np.add.at(positives.reshape(-1), places, self.positives)
        np.add.at(sums.reshape(-1), places, self.sums)
        counts[:, 0] += examples - counts.sum(axis=1)
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
    bins: NDArray[np.int64], counts: NDArray[np.int64], positives: NDArray[np.int64], examples: int, steps: int
) -> Ordered:
    """Highest first; those that were too improbable to be looked at lie in the lowest bin."""
    rest = examples - int(counts.sum())
    if not len(bins) or bins[0] != 0:
        bins, counts, positives = (np.insert(values, 0, 0) for values in (bins, counts, positives))
    negatives = counts - positives
    negatives[0] += rest
    return Ordered(lower_edges(steps)[bins[::-1]], positives[::-1], negatives[::-1])


def _gathered(
    codes: NDArray[np.int64], counts: NDArray[np.int64], positives: NDArray[np.int64], sums: Floats
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64], Floats]:
    distinct, place = np.unique(codes, return_inverse=True)
    counted, right = np.zeros(len(distinct), np.int64), np.zeros(len(distinct), np.int64)
    np.add.at(counted, place, counts)
    np.add.at(right, place, positives)
    return distinct, counted, right, np.bincount(place, weights=sums, minlength=len(distinct)).astype(np.float64)
