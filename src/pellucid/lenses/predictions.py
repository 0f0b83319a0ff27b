"""Predictions: what the examples table holds."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar, Self

import numpy as np

from pellucid.lenses import LensContext
from pellucid.measures.predictions import TOP_K
from pellucid.record.schema import Finding, PredictionsPanel
from pellucid.types import Needs, Observation

# Rows of examples without a finite output that a finding selects.
MOST_ROWS = 100
# Fewer examples than this may have outputs between 0 and 1 by chance.
LEAST_WITHIN = 20


@dataclass
class PredictionsLens:
    """Counts examples and those whose outputs or targets are not there.

    Attributes:
        nonfinite_rows: the first rows whose output is NaN or infinite.
        within: examples whose outputs all lie between 0 and 1, though they are taken for logits.
    """

    name: ClassVar[str] = "predictions"
    needs: ClassVar[Needs] = Needs(outputs=True)

    context: LensContext = field(default_factory=LensContext)
    count: int = 0
    outputs: int = 0
    nonfinite: int = 0
    nonfinite_rows: list[int] = field(default_factory=list)
    without_target: int = 0
    within: int = 0
    columns: list[str] = field(default_factory=list)

    def observe(self, seen: Observation) -> None:
        """Counts a batch in."""
        if seen.batch is None or seen.outputs is None:
            return
        self.count += len(seen.batch)
        self.outputs = max(self.outputs, int(seen.outputs.shape[-1]) if seen.outputs.ndim > 1 else 1)
        if self.context.kind == "logits" and self.context.task in ("classification", "multilabel"):
            scores = np.asarray(seen.outputs)
            self.within += int(((scores >= 0) & (scores <= 1)).all(axis=1).sum())
        undefined = np.flatnonzero(seen.columns["nonfinite"]).tolist()
        self.nonfinite += len(undefined)
        self._keep([seen.batch.row(place) for place in undefined[:MOST_ROWS]])
        target = np.asarray(seen.columns["target"])
        if "targets" in seen.columns:
            self.without_target += sum(one is None for one in seen.columns["targets"])
        else:
            self.without_target += int(np.count_nonzero(np.isnan(target) if target.dtype.kind == "f" else target < 0))
        self.columns = sorted({*seen.batch.along(), *self.columns})

    def merge(self, other: Self) -> None:
        """Adds another's counts."""
        self.count += other.count
        self.outputs = max(self.outputs, other.outputs)
        self.nonfinite += other.nonfinite
        self._keep(other.nonfinite_rows)
        self.without_target += other.without_target
        self.within += other.within
        self.columns = sorted({*self.columns, *other.columns})

    def _keep(self, rows: list[int]) -> None:
        self.nonfinite_rows = sorted({*self.nonfinite_rows, *rows})[:MOST_ROWS]

    def report(self) -> PredictionsPanel:
        """The counts, and a finding where an output is NaN or infinite, or a saved answer is missing."""
        findings = [*self._steadiness_findings(), *self._taken_findings(), *self._kind_findings()]
        if self.nonfinite:
            scored = self.context.scored
            findings.append(
                Finding(
                    kind="nonfinite-output" if scored else "unanswered",
                    severity="high" if scored else "medium",
                    sentence=f"The model's output is NaN or infinite for {self.nonfinite:,} of {self.count:,} examples."
                    if scored
                    else f"No predicted class was saved for {self.nonfinite:,} of {self.count:,} examples, which are not judged.",
                    count=self.count,
                    page="examples",
                    weight=self.nonfinite / self.count,
                    evidence={"nonfinite": self.nonfinite},
                    selection={"rows": ",".join(map(str, self.nonfinite_rows))},
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

    def _steadiness_findings(self) -> list[Finding]:
        """That an example, or the model's output for it, is another one each time, or beside others."""
        found = []
        changed = self.context.changing_inputs
        if changed:
            sentence = (
                f"{changed} {'example is' if changed == 1 else 'examples are'} another input when read again, as random "
                "augmentation has it: loss, picture and maps of one example are of different inputs, and nobody will find these "
                "numbers again. Inspect with the transforms of evaluation."
            )
            found.append(
                Finding(
                    kind="changing-inputs",
                    severity="high",
                    sentence=sentence,
                    count=self.count,
                    page="examples",
                    weight=1.0,
                    evidence={"changed": changed},
                )
            )
        change = self.context.changing_outputs
        if change:
            sentence = (
                f"The model's output changes from forward to forward, in evaluation mode and for the same input: by {change:.1%} "
                "of its largest number for the first example. Something in it is random, such as F.dropout without "
                "training=self.training; loss, accuracy and maps are of one draw each."
            )
            found.append(
                Finding(
                    kind="changing-outputs",
                    severity="high",
                    sentence=sentence,
                    count=self.count,
                    page="graph",
                    weight=1.0,
                    evidence={"change": change},
                )
            )
        beside = self.context.batch_dependence
        if beside:
            sentence = (
                f"What the model answers to an example depends on the others in its batch: beside another one the first example's "
                f"output changes by {beside:.1%} of its largest number. Batch normalisation without running statistics "
                "(track_running_stats=False), or that was never put in evaluation mode, does so: loss and accuracy hold for this "
                "--batch-size alone."
            )
            found.append(
                Finding(
                    kind="batch-dependence",
                    severity="high",
                    sentence=sentence,
                    count=self.count,
                    page="graph",
                    weight=1.0,
                    evidence={"change": beside},
                )
            )
        return found

    def _taken_findings(self) -> list[Finding]:
        """That the model gives several tensors, one of which was taken for the scores, or nothing that could be."""
        if self.context.unscored:
            sentence = self.context.unscored
            return [
                Finding(
                    kind="unscored-outputs",
                    severity="medium",
                    sentence=sentence,
                    count=self.count,
                    evidence={"examples": self.count},
                    page="graph",
                    weight=1.0,
                )
            ]
        taken = self.context.taken_from
        if not taken or self.context.task == "none":
            return []
        return [
            Finding(
                kind="several-outputs",
                severity="info",
                sentence=(
                    f"The model gives several tensors, and {taken} was taken for the scores. If it is another one, give a model "
                    "that returns that alone, first, or as 'logits'."
                ),
                count=self.count,
                page="graph",
                weight=1.0,
            )
        ]

    def _kind_findings(self) -> list[Finding]:
        """That the outputs are probabilities, or may be."""
        kind, count = self.context.kind, self.count
        if kind == "probabilities":
            sentence = (
                "The model's outputs are probabilities already, as after a softmax or a sigmoid, and are taken as such. A loss "
                "that expects logits, such as CrossEntropyLoss, would take their softmax again and learn slowly: give it the "
                "numbers before the last step."
            )
            return [Finding(kind="probability-outputs", severity="info", sentence=sentence, count=count, page="loss")]
        if self.within == count >= LEAST_WITHIN and kind == "logits":
            sentence = (
                f"All outputs of the {count:,} examples lie between 0 and 1, as probabilities do, but nothing says that they "
                "are any: they are taken for logits, on which loss and confidence stand. If they are probabilities, say so: "
                "--outputs probabilities."
            )
            return [
                Finding(
                    kind="unit-outputs",
                    severity="medium",
                    sentence=sentence,
                    count=count,
                    page="loss",
                    weight=0.1,
                    evidence={"within": self.within},
                )
            ]
        return []
