"""Confusion: what does the model take for what?"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import ClassVar, Self

import numpy as np

from pellucid.lenses import LensContext
from pellucid.measures.class_order import similarity_order
from pellucid.measures.confusion import SparseCounts, added_square, confused_pairs, of_square
from pellucid.measures.labels import multi_hot
from pellucid.measures.set_confusion import set_confusion
from pellucid.record.schema import ConfusedPair, ConfusionPanel, Finding
from pellucid.types import Needs, Observation

SURPRISING = 1e-3
MOST_FINDINGS = 5
MOST_LISTED = 100_000


@dataclass
class ConfusionLens:
    """Counts of true by predicted class, sparse, and the pairs confused beyond chance.

    Where an example may have several classes, a missed one counts beside each that was called in its place, or beside nothing.

    Attributes:
        rows, columns, counts: int64[cell], of those that hold something.
        square: int64[true class, predicted class], counts beside them of batches that came with every cell; of no cells where
            none did.
        examples: of sets of classes.
    """

    name: ClassVar[str] = "confusion"
    needs: ClassVar[Needs] = Needs(outputs=True)

    context: LensContext = field(default_factory=LensContext)
    rows: np.ndarray = field(default_factory=lambda: np.zeros(0, np.int64))
    columns: np.ndarray = field(default_factory=lambda: np.zeros(0, np.int64))
    counts: np.ndarray = field(default_factory=lambda: np.zeros(0, np.int64))
    examples: int = 0
    square: np.ndarray = field(default_factory=lambda: np.zeros((0, 0), np.int64))

    def observe(self, seen: Observation) -> None:
        """Counts a batch in."""
        if self.context.task == "multilabel" and seen.outputs is not None and seen.batch is not None:
            outputs = np.asarray(seen.outputs)
            true, known = multi_hot(seen.batch.sets or [None] * len(seen.batch), int(outputs.shape[-1]))
            known &= np.isfinite(outputs).all(axis=1)
            self.examples += int(known.sum())
            self._add(set_confusion(true[known].astype(bool), outputs[known] >= 0))
        elif self.context.task == "classification" and seen.cells is not None:
            self.square = added_square(self.square, seen.cells)
        elif self.context.task == "classification":
            self._add(SparseCounts.of(np.asarray(seen.columns["target"]), np.asarray(seen.columns["prediction"])))

    def merge(self, other: Self) -> None:
        """Adds another's cells."""
        self.examples += other.examples
        self._add(SparseCounts(other.rows, other.columns, other.counts))
        self.square = added_square(self.square, other.square)

    def _add(self, cells: SparseCounts) -> None:
        all_cells = SparseCounts(self.rows, self.columns, self.counts)
        all_cells.merge(cells)
        self.rows, self.columns, self.counts = all_cells.rows, all_cells.columns, all_cells.counts

    def _cells(self) -> SparseCounts:
        cells = of_square(self.square)
        cells.merge(SparseCounts(self.rows, self.columns, self.counts))
        return cells

    def report(self) -> ConfusionPanel:
        """The cells and the most surprising pairs."""
        classes = list(self.context.classes)
        cells = self._cells()
        number = max(len(classes), int(max(cells.rows.max(initial=-1), cells.columns.max(initial=-1))) + 1)
        names = [*classes, *(str(index) for index in range(len(classes), number))]
        several = self.context.task == "multilabel"
        if several and number > len(classes):
            names[len(classes)] = "nothing"
        # Where an example may have several mistakes, chance is another than that of the pairs' test.
        pairs = [] if several else confused_pairs(cells, number)
        order, method = similarity_order(cells, number)
        listed = len(cells.counts) <= MOST_LISTED
        surprising = [pair for pair in pairs if pair.p_value < SURPRISING][:MOST_FINDINGS]
        return ConfusionPanel(
            count=self.examples if several else int(cells.counts.sum()),
            findings=[_finding(pair, names) for pair in surprising],
            classes=names,
            rows=cells.rows.tolist() if listed else [],
            columns=cells.columns.tolist() if listed else [],
            counts=cells.counts.tolist() if listed else [],
            pairs=pairs,
            cells=len(cells.counts),
            order=order,
            order_method=method,
        )

    def arrays(self) -> Mapping[str, np.ndarray]:
        """The cells, where they are too many for lists."""
        cells = self._cells()
        if len(cells.counts) <= MOST_LISTED:
            return {}
        return {
            "rows": cells.rows.astype(np.int32),
            "columns": cells.columns.astype(np.int32),
            "counts": cells.counts,
        }


def _finding(pair: ConfusedPair, names: list[str]) -> Finding:
    true, predicted = names[pair.true], names[pair.predicted]
    times = pair.count / pair.expected
    return Finding(
        kind="confused-pair",
        severity="high" if pair.rate >= 0.2 else "medium" if pair.rate >= 0.05 else "low",
        sentence=(
            f"{true} is taken for {predicted}: {pair.count:,} of {pair.support:,} ({pair.rate:.1%}, 95% interval "
            f"{pair.interval.low:.1%} to {pair.interval.high:.1%}), {times:,.{0 if times >= 10 else 1}f} times what chance "
            "would give."
        ),
        count=pair.support,
        interval=pair.interval,
        page="confusion",
        weight=pair.rate,
        evidence={"count": pair.count, "expected": pair.expected, "p_value": pair.p_value},
        selection={"true": str(pair.true), "predicted": str(pair.predicted)},
    )
