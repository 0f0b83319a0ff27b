"""Predictions: what the examples table holds."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar, Self

import numpy as np

from pellucid.lenses import LensContext
from pellucid.measures.predictions import TOP_K
from pellucid.record.schema import Finding, PredictionsPanel
from pellucid.types import Needs, Observation


@dataclass
class PredictionsLens:
    """Counts examples and those whose outputs or targets are not there."""

    name: ClassVar[str] = "predictions"
    needs: ClassVar[Needs] = Needs(outputs=True)

    context: LensContext = field(default_factory=LensContext)
    count: int = 0
    outputs: int = 0
    nonfinite: int = 0
    without_target: int = 0
    columns: list[str] = field(default_factory=list)

    def observe(self, seen: Observation) -> None:
        """Counts a batch in."""
        if seen.batch is None or seen.outputs is None:
            return
        self.count += len(seen.batch)
        self.outputs = max(self.outputs, int(seen.outputs.shape[-1]) if seen.outputs.ndim > 1 else 1)
        self.nonfinite += int(np.count_nonzero(seen.columns["nonfinite"]))
        target = np.asarray(seen.columns["target"])
        self.without_target += int(np.count_nonzero(np.isnan(target) if target.dtype.kind == "f" else target < 0))
        came_along = {name for columns in seen.batch.columns for name in columns}
        self.columns = sorted(came_along.union(self.columns))

    def merge(self, other: Self) -> None:
        """Adds another's counts."""
        self.count += other.count
        self.outputs = max(self.outputs, other.outputs)
        self.nonfinite += other.nonfinite
        self.without_target += other.without_target
        self.columns = sorted({*self.columns, *other.columns})

    def report(self) -> PredictionsPanel:
        """The counts, and a finding where an output is NaN or infinite."""
        findings = []
        if self.nonfinite:
            findings.append(
                Finding(
                    kind="nonfinite-output",
                    severity="high",
                    sentence=f"The model's output is NaN or infinite for {self.nonfinite:,} of {self.count:,} examples.",
                    count=self.count,
                    page="examples",
                    weight=self.nonfinite / self.count,
                    evidence={"nonfinite": self.nonfinite},
                    selection={"outcome": "undefined"},
                )
            )
        return PredictionsPanel(
            count=self.count,
            findings=findings,
            classes=list(self.context.classes),
            outputs=self.outputs,
            top_k=TOP_K,
            nonfinite=self.nonfinite,
            without_target=self.without_target,
            columns=self.columns,
        )
