"""Loss: where does it come from?"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import ClassVar, Self

import numpy as np

from pellucid.lenses import LensContext
from pellucid.measures import histogram
from pellucid.measures.histogram import ExponentHistogram
from pellucid.measures.intervals import mean_interval
from pellucid.record.schema import Benchmark, ClassLoss, Finding, Interval, LabelIssue, LossPanel
from pellucid.types import Needs, Observation

# Answers at least this sure are asked whether their labels disagree more often than their confidence allows.
SURE = 0.95
MOST_SUSPECTS = 200
LEAST_ISSUES = 5

NAMES = {
    "classification": (
        "cross-entropy",
        "The negative natural logarithm of the probability that the model gives to the target: 0 where it is certain "
        "and right, ln K where it guesses evenly among K classes.",
        "nats",
    ),
    "regression": (
        "squared error",
        "The square of the difference between output and target.",
        "square of the target's unit",
    ),
}


def _zeros() -> np.ndarray:
    return np.zeros(0, np.float64)


def _padded_sum(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    total = np.zeros(max(len(one), len(other)), np.result_type(one, other))
    total[: len(one)] += one
    total[: len(other)] += other
    return total


@dataclass
class LossLens:
    """Sums of the loss by class, its histogram, and the examples whose labels the model disputes.

    Attributes:
        counts: int64[class]; sums, squares: float64[class], of the loss and its square. One class for regression.
        self_confidence: float64[class], sums of the probability of the label; the thresholds of confident learning.
        suspects: rows of (row, given, suggested, probability of given, of suggested), the most disputed first.
        sure, surprises, allowed: answers of at least 95% confidence, labels against them, and how many their own
            confidence allows.
    """

    name: ClassVar[str] = "loss"
    needs: ClassVar[Needs] = Needs(outputs=True, losses=True)

    context: LensContext = field(default_factory=LensContext)
    counts: np.ndarray = field(default_factory=lambda: np.zeros(0, np.int64))
    sums: np.ndarray = field(default_factory=_zeros)
    squares: np.ndarray = field(default_factory=_zeros)
    self_confidence: np.ndarray = field(default_factory=_zeros)
    outputs: int = 0
    nonfinite: int = 0
    bins: np.ndarray = field(default_factory=lambda: ExponentHistogram().counts)
    special: np.ndarray = field(default_factory=lambda: ExponentHistogram().special)
    suspects: np.ndarray = field(default_factory=lambda: np.zeros((0, 5), np.float64))
    suspect_ids: list[str] = field(default_factory=list)
    sure: int = 0
    surprises: int = 0
    allowed: float = 0.0

    def observe(self, seen: Observation) -> None:
        """Adds the losses of a batch."""
        if self.context.task == "none" or seen.batch is None or seen.outputs is None:
            return
        loss = np.asarray(seen.columns["loss"], np.float64)
        target = np.asarray(seen.columns["target"])
        classified = self.context.task == "classification"
        has_target = target >= 0 if classified else ~np.isnan(target)
        known = np.isfinite(loss)
        self.nonfinite += int(np.count_nonzero(has_target & ~known))
        self.outputs = int(seen.outputs.shape[-1]) if classified else 1
        group = target[known].astype(np.int64) if classified else np.zeros(int(known.sum()), np.int64)
        kept = loss[known]
        self._add("counts", np.bincount(group, minlength=self.outputs))
        self._add("sums", np.bincount(group, weights=kept, minlength=self.outputs))
        self._add("squares", np.bincount(group, weights=kept**2, minlength=self.outputs))
        counted = histogram.of(kept)
        self.bins = self.bins + counted.counts
        self.special = self.special + counted.special
        if classified:
            self._add("self_confidence", np.bincount(group, weights=np.exp(-kept), minlength=self.outputs))
            self._suspect(seen, np.flatnonzero(known), loss)

    def _add(self, name: str, values: np.ndarray) -> None:
        setattr(self, name, _padded_sum(getattr(self, name), values))

    def _suspect(self, seen: Observation, known: np.ndarray, loss: np.ndarray) -> None:
        if seen.batch is None:
            return
        target = np.asarray(seen.columns["target"])[known]
        prediction = np.asarray(seen.columns["prediction"])[known]
        confidence = np.asarray(seen.columns["confidence"], np.float64)[known]
        sure = confidence >= SURE
        self.sure += int(sure.sum())
        self.surprises += int((sure & (target != prediction)).sum())
        self.allowed += float((1.0 - confidence[sure]).sum())
        wrong = np.flatnonzero(target != prediction)
        rows = [float(seen.batch.row(int(place))) for place in known[wrong]]
        given = np.exp(-loss[known[wrong]])
        found = np.stack([rows, target[wrong], prediction[wrong], given, confidence[wrong]], axis=1).reshape(-1, 5)
        self._keep(found, [seen.batch.ids[int(place)] for place in known[wrong]])

    def _keep(self, found: np.ndarray, ids: list[str]) -> None:
        every = np.concatenate([self.suspects, found])
        every_id = [*self.suspect_ids, *ids]
        order = np.lexsort((every[:, 0], every[:, 3] - every[:, 4]))[:MOST_SUSPECTS]
        self.suspects = every[order]
        self.suspect_ids = [every_id[int(place)] for place in order]

    def merge(self, other: Self) -> None:
        """Adds another's sums and keeps the most disputed of both."""
        for name in ("counts", "sums", "squares", "self_confidence", "bins", "special"):
            self._add(name, getattr(other, name))
        self.outputs = max(self.outputs, other.outputs)
        self.nonfinite += other.nonfinite
        self.sure += other.sure
        self.surprises += other.surprises
        self.allowed += other.allowed
        self._keep(other.suspects, other.suspect_ids)

    def report(self) -> LossPanel:
        """The mean with its interval, its benchmarks, and who contributes."""
        name, definition, unit = NAMES.get(self.context.task, ("none", "This model's task has no loss here.", ""))
        count, total = int(self.counts.sum()), float(self.sums.sum())
        mean = total / count if count else None
        issues = self._label_issues()
        benchmarks = self._benchmarks(count)
        return LossPanel(
            count=count,
            findings=[*self._label_finding(issues), *self._benchmark_finding(mean, count, benchmarks)],
            name=name,
            definition=definition,
            unit=unit,
            mean=mean,
            interval=_interval(count, total, float(self.squares.sum())),
            nonfinite=self.nonfinite,
            benchmarks=benchmarks,
            by_class=[self._class(index, total) for index in range(len(self.counts))]
            if self.context.task == "classification"
            else [],
            histogram=ExponentHistogram(self.bins, self.special).to_schema(),
            label_issues=issues,
        )

    def _class(self, index: int, total: float) -> ClassLoss:
        count, own = int(self.counts[index]), float(self.sums[index])
        return ClassLoss(
            index=index,
            count=count,
            mean=own / count if count else None,
            share=own / total if total > 0 else None,
            interval=_interval(count, own, float(self.squares[index])),
        )

    def _benchmarks(self, count: int) -> list[Benchmark]:
        if self.context.task != "classification" or not count:
            return []
        shares = self.counts[self.counts > 0] / count
        prior = float(-(shares * np.log(shares)).sum())
        return [
            Benchmark(
                "uniform guess", math.log(max(self.outputs, 1)), f"every one of {self.outputs} classes as probable"
            ),
            Benchmark("class prior", prior, "always the shares that the classes have in these examples"),
        ]

    def _label_issues(self) -> list[LabelIssue]:
        """Labels against an answer that is at least as sure as answers of that class are when the label agrees.

        Source: the thresholds of confident learning, Northcutt, Jiang & Chuang 2021, arXiv:1911.00068, eq. 2.
        """
        thresholds = self.self_confidence / np.maximum(self.counts, 1)
        return [
            LabelIssue(int(row), example, int(given), int(suggested), float(own), float(claimed))
            for (row, given, suggested, own, claimed), example in zip(self.suspects, self.suspect_ids, strict=True)
            if claimed >= thresholds[int(suggested)]
        ]

    def _label_finding(self, issues: list[LabelIssue]) -> list[Finding]:
        """More sure disagreement than the model's own confidence allows: a Poisson tail."""
        if len(issues) < LEAST_ISSUES or self.surprises < LEAST_ISSUES:
            return []
        from scipy import special

        tail = float(special.pdtrc(self.surprises - 1, max(self.allowed, 1e-9)))
        if tail > 1e-6 or self.surprises < 3 * self.allowed + LEAST_ISSUES:
            return []
        worst = issues[0]
        names = self.context.classes
        return [
            Finding(
                kind="label-errors",
                severity="high" if self.surprises > 0.02 * self.sure else "medium",
                sentence=(
                    f"{self.surprises:,} labels look wrong: the model is at least 95% sure of another class, where its own "
                    f"confidence allows {self.allowed:.1f}. First, {worst.example} is labelled {names[worst.given]} and "
                    f"called {names[worst.suggested]} with {worst.suggested_probability:.1%}."
                ),
                count=self.sure,
                page="loss",
                weight=min(self.surprises / max(self.sure, 1), 1.0),
                evidence={"disputed": self.surprises, "allowed": self.allowed, "p_value": tail},
                selection={"rows": ",".join(str(issue.row) for issue in issues[:100])},
            )
        ]

    def _benchmark_finding(self, mean: float | None, count: int, benchmarks: list[Benchmark]) -> list[Finding]:
        prior = next((entry.value for entry in benchmarks if entry.name == "class prior"), None)
        interval = _interval(count, float(self.sums.sum()), float(self.squares.sum()))
        if mean is None or prior is None or interval is None or interval.low <= prior:
            return []
        return [
            Finding(
                kind="worse-than-prior",
                severity="high",
                sentence=(
                    f"The mean loss of {mean:.3f} nats is worse than {prior:.3f}, what always answering with the shares of "
                    f"the classes would cost: the model's confidence misleads on these {count:,} examples."
                ),
                count=count,
                interval=interval,
                page="loss",
                weight=min(mean / max(prior, 1e-9) - 1, 1.0),
                evidence={"mean_loss": mean, "class_prior": prior},
            )
        ]


def _interval(count: int, total: float, squares: float) -> Interval | None:
    return mean_interval(count, total, squares - total * total / count) if count else None
