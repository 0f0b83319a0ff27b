"""Probable label errors by confident learning, in two passes that merge.

The first pass takes the threshold of each class, the mean probability that examples labelled so are given of it. The second counts
each example under the class that it confidently belongs to: of the classes whose probability reaches their threshold, the most
probable one. What is counted under another class than its label is a probable error.

The second pass needs no more than the few most probable classes of each example: as soon as the least of those is below every
threshold, no other class can reach its own. Examples for which that cannot be told are counted as undecided, not guessed.

Source: Northcutt, Jiang & Chuang 2021, JAIR 70:1373-1411, arXiv:1911.00068, eqs. 1-3. Probabilities should come from a model that
has not been trained on these labels: a model that has learned them by heart disputes none.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Self, TypeAlias

import numpy as np
from numpy.typing import NDArray

from pellucid.measures.confusion import SparseCounts

Floats: TypeAlias = NDArray[np.float64]
Indices: TypeAlias = NDArray[np.int64]

# Probabilities that are kept in float32 may lack so much of a threshold that they equal.
SLACK = 1e-6
NO_CLASS = -1


@dataclass(frozen=True)
class Thresholds:
    """The first pass, divided: float64[class] mean probability of the label, infinite for a class that labels no example."""

    values: Floats

    @classmethod
    def of(cls, counts: NDArray[np.integer], sums: Floats) -> Self:
        """From examples and summed probabilities of the label, of each class."""
        return cls(np.where(counts > 0, sums / np.maximum(counts, 1), np.inf))

    @property
    def least(self) -> float:
        """The lowest of them."""
        return float(self.values.min(initial=np.inf))


@dataclass(frozen=True)
class Confident:
    """Which class each example confidently belongs to.

    Attributes:
        classes: int64[example], -1 where no class reaches its threshold.
        probabilities: float64[example] of that class; NaN where there is none.
        undecided: bool[example], a class that is not among those given might reach its threshold.
    """

    classes: Indices
    probabilities: Floats
    undecided: NDArray[np.bool_]


def confident_class(top_classes: Indices, top_probabilities: Floats, thresholds: Thresholds, classes: int) -> Confident:
    """The most probable class that reaches its threshold.

    Args:
        top_classes: int64[example k], most probable first; the k most probable ones, or all.
        top_probabilities: float64[example k].
        thresholds: of the first pass.
        classes: how many there are.
    """
    number, width = top_classes.shape
    reaches = top_probabilities >= thresholds.values[top_classes] - SLACK
    first = np.argmax(reaches, axis=1) if width else np.zeros(number, np.int64)
    rows = np.arange(number)
    found = reaches[rows, first] if width else np.zeros(number, np.bool_)
    undecided = np.zeros(number, np.bool_)
    if width < classes:
        last = top_probabilities[:, -1] if width else np.ones(number)
        undecided = ~found & (last >= thresholds.least - SLACK)
    return Confident(
        classes=np.where(found, top_classes[rows, first], NO_CLASS) if width else np.full(number, NO_CLASS),
        probabilities=np.where(found, top_probabilities[rows, first], np.nan) if width else np.full(number, np.nan),
        undecided=undecided,
    )


@dataclass
class ConfidentJoint:
    """The second pass: counts of (label, confident class).

    Attributes:
        counts: the confident joint; those off its diagonal are probable label errors.
        undecided, unplaced: examples that cannot be told, and that no class claims.
    """

    counts: SparseCounts = field(default_factory=SparseCounts)
    undecided: int = 0
    unplaced: int = 0

    @classmethod
    def of(cls, labels: Indices, confident: Confident) -> Self:
        """Counts examples; all of them have a label."""
        undecided = int(confident.undecided.sum())
        unplaced = int((confident.classes == NO_CLASS).sum()) - undecided
        return cls(SparseCounts.of(labels, confident.classes), undecided, unplaced)

    def merge(self, other: Self) -> None:
        """Adds another's counts; exact."""
        self.counts.merge(other.counts)
        self.undecided += other.undecided
        self.unplaced += other.unplaced

    def disputed(self) -> int:
        """Examples off the diagonal: probable label errors."""
        return int(self.counts.counts[self.counts.rows != self.counts.columns].sum())

    def estimated_errors(self, labelled: Indices) -> float | None:
        """How many labels are wrong: the joint, each row scaled to the examples that have the label, off the diagonal.

        Args:
            labelled: int64[class], examples with each label.

        Returns: None where no example of any class is counted. A class of which none is counted is taken as free of errors.
        Source: Northcutt, Jiang & Chuang 2021, eq. 3.
        """
        rows = self.counts.supports(len(labelled))
        if not rows.sum():
            return None
        wrong = rows - self.counts.right(len(labelled))
        return float((labelled[rows > 0] * wrong[rows > 0] / rows[rows > 0]).sum())


def normalised_margin(label: Floats, top_probabilities: Floats, label_is_first: NDArray[np.bool_]) -> Floats:
    """Probability of the label less the highest other one, from -1 to 1; the lower, the likelier is the label wrong.

    Args:
        label: float64[example], probability of the label.
        top_probabilities: float64[example k], k at least 2.
        label_is_first: bool[example], whether the label is the most probable class.
    """
    other = np.where(label_is_first, top_probabilities[:, 1], top_probabilities[:, 0])
    found: Floats = label - other
    return found
