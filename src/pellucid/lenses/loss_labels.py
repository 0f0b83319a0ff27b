"""The loss lens's second look: which labels are disputed, now that the thresholds of all classes are known."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Self, TypeAlias

import numpy as np
from numpy.typing import NDArray

from pellucid.measures.label_errors import NO_CLASS, SLACK, ConfidentJoint, Thresholds, confident_class
from pellucid.record.schema import LabelErrors, LabelIssue, LabelPair

if TYPE_CHECKING:
    import pyarrow as pa

Floats: TypeAlias = NDArray[np.float64]
Indices: TypeAlias = NDArray[np.int64]

MOST_ISSUES = 200
MOST_PAIRS = 200


@dataclass
class Disputed:
    """Counts of the confident joint, and the examples whose labels are disputed most.

    Attributes:
        rows: float64[issue 6] of (margin, row, given, suggested, probability of given, of suggested), lowest margin first.
    """

    joint: ConfidentJoint = field(default_factory=ConfidentJoint)
    count: int = 0
    rows: Floats = field(default_factory=lambda: np.zeros((0, 6)))
    ids: list[str] = field(default_factory=list)

    @classmethod
    def of(cls, table: pa.Table, thresholds: Thresholds) -> Self:
        """Judges the rows of a part of the examples table."""
        labels = _whole(table, "target")
        top_classes, top_probabilities = (
            _lists(table, "top_classes", NO_CLASS).astype(np.int64),
            _lists(table, "top_probabilities", np.nan),
        )
        judged = np.flatnonzero((labels >= 0) & (top_classes[:, 0] >= 0))
        labels, top_classes, top_probabilities = labels[judged], top_classes[judged], top_probabilities[judged]
        confident = confident_class(top_classes, top_probabilities, thresholds, len(thresholds.values))
        found = cls(ConfidentJoint.of(labels, confident), len(judged))
        wrong = np.flatnonzero((confident.classes != NO_CLASS) & (confident.classes != labels))
        given = _label_probability(table, judged, labels, top_classes, top_probabilities)[wrong]
        first = top_classes[wrong, 0] == labels[wrong]
        other = np.where(
            first, top_probabilities[wrong, min(1, top_probabilities.shape[1] - 1)], top_probabilities[wrong, 0]
        )
        places = judged[wrong]
        numbers = (given - other, _whole(table, "row")[places], labels[wrong], confident.classes[wrong], given)
        found.rows = np.stack([*map(np.asarray, numbers), confident.probabilities[wrong]], axis=1).astype(np.float64)
        order = found._order()
        found.rows, names = found.rows[order], table["id"]
        found.ids = [names[int(place)].as_py() for place in places[order]]
        return found

    def merge(self, other: Self) -> None:
        """Counts another's in and keeps the most disputed of both."""
        self.joint.merge(other.joint)
        self.count += other.count
        self.rows = np.concatenate([self.rows, other.rows])
        every = [*self.ids, *other.ids]
        order = self._order()
        self.rows, self.ids = self.rows[order], [every[int(place)] for place in order]

    def _order(self) -> NDArray[np.intp]:
        return np.lexsort((self.rows[:, 1], self.rows[:, 0]))[:MOST_ISSUES]

    def issues(self) -> list[LabelIssue]:
        """The examples, most disputed first."""
        return [
            LabelIssue(int(row), example, int(given), int(suggested), float(own), float(claimed), float(margin))
            for (margin, row, given, suggested, own, claimed), example in zip(self.rows, self.ids, strict=True)
        ]

    def summary(self, labelled: Indices, thresholds: Thresholds) -> LabelErrors:
        """The counts; `labelled` int64[class] examples with each label."""
        counts = self.joint.counts
        wrong = np.flatnonzero(counts.rows != counts.columns)
        order = wrong[np.argsort(-counts.counts[wrong], kind="stable")][:MOST_PAIRS]
        return LabelErrors(
            count=self.count,
            thresholds=[float(one) if np.isfinite(one) else None for one in thresholds.values],
            disputed=self.joint.disputed(),
            estimated=self.joint.estimated_errors(labelled),
            unplaced=self.joint.unplaced,
            undecided=self.joint.undecided,
            pairs=[
                LabelPair(int(counts.rows[cell]), int(counts.columns[cell]), int(counts.counts[cell])) for cell in order
            ],
        )


def disputed_by(issue: LabelIssue, suggested: str) -> str:
    """What speaks against a label, in words: the class that is called, or one that is as sure as where it is the label.

    The class that an example confidently belongs to is that of those which reach their own threshold; the most probable of all
    need not reach its own.
    """
    sure = _percent(issue.suggested_probability)
    highest_other = issue.given_probability - issue.margin
    if issue.margin <= 0 and issue.suggested_probability >= highest_other - SLACK:
        return f"it is called {suggested} with {sure}"
    return f"{suggested} is given {sure}, no less than examples labelled {suggested} are on average"


def _percent(probability: float) -> str:
    """And never all of it where something is left."""
    return f"{probability:.1%}" if probability < 0.9995 else "over 99.9%"


def _label_probability(
    table: pa.Table, judged: NDArray[np.intp], labels: Indices, top_classes: Indices, top_probabilities: Floats
) -> Floats:
    """Probability of the label, float64[example]: from the log loss, which has every digit; of soft labels from those kept."""
    if "soft_target" in table.column_names:
        same = top_classes == labels[:, None]
        # A label beyond those that are kept has at most the rest.
        rest = np.maximum(1.0 - top_probabilities.sum(axis=1), 0.0)
        kept: Floats = np.where(same, top_probabilities, 0.0).sum(axis=1)
        return np.where(same.any(axis=1), kept, rest)
    name = "log_loss" if "log_loss" in table.column_names else "loss"
    losses = table[name].to_numpy().astype(np.float64)[judged]
    # An infinite loss is null in the table: the label was given no probability.
    return np.where(np.isnan(losses), 0.0, np.exp(-losses))


def _whole(table: pa.Table, name: str) -> Indices:
    import pyarrow.compute as pc

    found: Indices = pc.fill_null(table[name], -1).to_numpy().astype(np.int64)
    return found


def _lists(table: pa.Table, name: str, missing: float) -> Floats:
    """A column of lists of one length as float64 of two axes, which holds every int32; rows that are null are filled."""
    column = table[name].combine_chunks()
    there = column.is_valid().to_numpy(zero_copy_only=False)
    values = column.flatten().to_numpy(zero_copy_only=False)
    width = len(values) // max(int(there.sum()), 1)
    found = np.full((len(column), max(width, 1)), missing, np.float64)
    if width:
        found[there] = values.reshape(-1, width)
    return found
