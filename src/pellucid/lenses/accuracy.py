"""Accuracy: how often is the most probable class the target, and how sure can one be?"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import ClassVar, Self

import numpy as np

from pellucid.lenses import LensContext
from pellucid.measures.calibration import BINS, bin_of, reliability
from pellucid.measures.intervals import wilson
from pellucid.record.schema import AccuracyPanel, ClassAccuracy, Finding, TopK
from pellucid.types import Needs, Observation

TOP_K = (1, 2, 3, 5, 10)

# A gap between confidence and accuracy is told from noise at four standard errors, and matters from two points on.
GAP_DEVIATIONS = 4.0
GAP_POINTS = 0.02


def _counts(length: int) -> np.ndarray:
    return np.zeros(length, np.int64)


def _grown(counts: np.ndarray, length: int) -> np.ndarray:
    return counts if len(counts) >= length else np.concatenate([counts, _counts(length - len(counts))])


def _sum(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    length = max(len(one), len(other))
    total: np.ndarray = _grown(one, length) + _grown(other, length)
    return total


@dataclass
class AccuracyLens:
    """Right answers by class, by rank of the target and by confidence."""

    name: ClassVar[str] = "accuracy"
    needs: ClassVar[Needs] = Needs(outputs=True)

    context: LensContext = field(default_factory=LensContext)
    ranks: np.ndarray = field(default_factory=lambda: _counts(0))
    support: np.ndarray = field(default_factory=lambda: _counts(0))
    predicted: np.ndarray = field(default_factory=lambda: _counts(0))
    true_positive: np.ndarray = field(default_factory=lambda: _counts(0))
    bin_counts: np.ndarray = field(default_factory=lambda: _counts(BINS))
    bin_correct: np.ndarray = field(default_factory=lambda: _counts(BINS))
    bin_confidence: np.ndarray = field(default_factory=lambda: np.zeros(BINS, np.float64))
    variance: float = 0.0

    def observe(self, seen: Observation) -> None:
        """Counts the examples of a batch that have a target and a finite output."""
        if self.context.task != "classification" or seen.outputs is None:
            return
        target = np.asarray(seen.columns["target"])
        prediction = np.asarray(seen.columns["prediction"])
        known = (target >= 0) & (prediction >= 0)
        target, prediction = target[known], prediction[known]
        right = target == prediction
        confidence = np.asarray(seen.columns["confidence"])[known].astype(np.float64)
        classes = int(seen.outputs.shape[-1])
        self.ranks = _sum(self.ranks, np.bincount(np.asarray(seen.columns["rank"])[known], minlength=classes))
        self.support = _sum(self.support, np.bincount(target, minlength=classes))
        self.predicted = _sum(self.predicted, np.bincount(prediction, minlength=classes))
        self.true_positive = _sum(self.true_positive, np.bincount(target[right], minlength=classes))
        bins = bin_of(confidence)
        self.bin_counts = self.bin_counts + np.bincount(bins, minlength=BINS)
        self.bin_correct = self.bin_correct + np.bincount(bins[right], minlength=BINS)
        self.bin_confidence = self.bin_confidence + np.bincount(bins, weights=confidence, minlength=BINS)
        self.variance += float((confidence * (1 - confidence)).sum())

    def merge(self, other: Self) -> None:
        """Adds another's counts."""
        for name in ("ranks", "support", "predicted", "true_positive", "bin_counts", "bin_correct", "bin_confidence"):
            setattr(self, name, _sum(getattr(self, name), getattr(other, name)))
        self.variance += other.variance

    def report(self) -> AccuracyPanel:
        """Shares with Wilson intervals, and where they differ from what the model claims."""
        count, correct = int(self.support.sum()), int(self.true_positive.sum())
        bins, error = reliability(self.bin_counts, self.bin_confidence, self.bin_correct)
        by_class = [self._class(index) for index in range(len(self.support))]
        recalls = [entry.recall for entry in by_class if entry.recall is not None]
        return AccuracyPanel(
            count=count,
            findings=[*self._calibration_finding(count, correct), *self._class_findings(by_class, count, correct)],
            correct=correct,
            accuracy=correct / count if count else None,
            interval=wilson(correct, count),
            balanced_accuracy=sum(recalls) / len(recalls) if recalls else None,
            top_k=self._top_k(count),
            by_class=by_class,
            calibration=bins,
            ece=error,
            mean_confidence=float(self.bin_confidence.sum()) / count if count else None,
        )

    def _top_k(self, count: int) -> list[TopK]:
        listed = []
        for k in TOP_K:
            right = int(self.ranks[:k].sum())
            interval = wilson(right, count)
            if interval is not None and k <= len(self.ranks):
                listed.append(TopK(k, right, right / count, interval))
        return listed

    def _class(self, index: int) -> ClassAccuracy:
        support, predicted = int(self.support[index]), int(self.predicted[index])
        right = int(self.true_positive[index])
        return ClassAccuracy(
            index=index,
            support=support,
            predicted=predicted,
            true_positive=right,
            recall=right / support if support else None,
            recall_interval=wilson(right, support),
            precision=right / predicted if predicted else None,
            precision_interval=wilson(right, predicted),
            f1=2 * right / (support + predicted) if support + predicted else None,
        )

    def _calibration_finding(self, count: int, correct: int) -> list[Finding]:
        """Over- or under-confidence: Spiegelhalter's comparison of the sum of confidences with the right answers."""
        if not count or self.variance == 0.0:
            return []
        gap = (float(self.bin_confidence.sum()) - correct) / count
        deviation = math.sqrt(self.variance) / count
        if abs(gap) < max(GAP_DEVIATIONS * deviation, GAP_POINTS):
            return []
        word = "overconfident" if gap > 0 else "underconfident"
        confidence = float(self.bin_confidence.sum()) / count
        return [
            Finding(
                kind=word,
                severity="high" if abs(gap) > 0.1 else "medium",
                sentence=(
                    f"The model is {word}: its mean confidence is {confidence:.1%}, but it is right on "
                    f"{correct / count:.1%} of {count:,} examples, a gap of {abs(gap) * 100:.1f} points."
                ),
                count=count,
                interval=wilson(correct, count),
                page="accuracy",
                weight=min(abs(gap), 1.0),
                evidence={"mean_confidence": confidence, "accuracy": correct / count, "deviations": gap / deviation},
            )
        ]

    def _class_findings(self, by_class: list[ClassAccuracy], count: int, correct: int) -> list[Finding]:
        """Classes far below the others, and classes that are never predicted."""
        findings = []
        for entry in by_class:
            others = count - entry.support
            if not entry.support or not others or entry.recall is None or entry.recall_interval is None:
                continue
            name = self._name(entry.index)
            rest = (correct - entry.true_positive) / others
            never = entry.predicted == 0 and entry.support >= 5
            if not never and not (entry.recall_interval.high < rest - 0.1 and self._surprising(entry, rest, by_class)):
                continue
            findings.append(
                Finding(
                    kind="never-predicted" if never else "weak-class",
                    severity="high" if never or entry.recall < rest / 2 else "medium",
                    sentence=(
                        f"{name} is never predicted, though {entry.support:,} examples are {name}."
                        if never
                        else f"{name} is recognised in {entry.recall:.1%} of {entry.support:,} examples (95% interval "
                        f"{entry.recall_interval.low:.1%} to {entry.recall_interval.high:.1%}); the other classes in {rest:.1%}."
                    ),
                    count=entry.support,
                    interval=entry.recall_interval,
                    page="accuracy",
                    weight=min(max(rest - entry.recall, 0.0), 1.0),
                    evidence={"recall": entry.recall, "others": rest},
                    selection={"true": str(entry.index)},
                )
            )
        return sorted(findings, key=lambda finding: -finding.weight)[:3]

    def _surprising(self, entry: ClassAccuracy, rest: float, by_class: list[ClassAccuracy]) -> bool:
        from scipy import special

        tail = float(special.bdtr(entry.true_positive, entry.support, rest))
        return tail * len(by_class) < 1e-3

    def _name(self, index: int) -> str:
        return self.context.classes[index] if index < len(self.context.classes) else str(index)
