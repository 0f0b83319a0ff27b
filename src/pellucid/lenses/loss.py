"""Loss: where does it come from?"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar, Self

import numpy as np

from pellucid.lenses import LensContext
from pellucid.lenses.loss_labels import Disputed, disputed_by
from pellucid.lenses.loss_parts import benchmarks_of, infinite_mean, merged_moments, moments_of, score_parts
from pellucid.measures import histogram
from pellucid.measures.benchmarks import least_costs
from pellucid.measures.decomposition import Cells, bin_of, entropy_of_rows, terms
from pellucid.measures.histogram import ExponentHistogram
from pellucid.measures.intervals import LEAST_P, mean_interval
from pellucid.measures.label_errors import Thresholds
from pellucid.measures.labels import multi_hot
from pellucid.measures.losses import Loss, class_costs, default_loss, log_probabilities
from pellucid.measures.part_intervals import BINS, PRODUCTS, products_of
from pellucid.record.schema import Benchmark, ClassLoss, Finding, Interval, LabelIssue, LossPanel
from pellucid.types import Needs, Observation

if TYPE_CHECKING:
    import pyarrow as pa

# Answers at least this sure are asked whether their labels disagree more often than their confidence allows.
SURE = 0.95
LEAST_ISSUES = 5

# Targets of a regression that are looked at together, for a median.
MOST_TARGETS = 10_000_000

NO_LOSS = (
    "This model's task has no loss here: losses are known of outputs of one score a class (classification, sets of classes) and "
    "of one number an example (regression)."
)
NO_NUMBER = "the loss itself is NaN wherever the outputs are numbers"
NO_SCORES = "only the predicted classes are known, and a loss needs probabilities or scores"
TOO_LARGE = "the losses are so large that their sum is beyond every number of 64 bits"
NO_TARGETS = "no example has a target"


def _zeros() -> np.ndarray:
    return np.zeros(0, np.float64)


def _padded_sum(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    total = np.zeros(max(len(one), len(other)), np.result_type(one, other))
    total[: len(one)] += one
    total[: len(other)] += other
    return total


@dataclass
class LossLens:
    """Sums of the loss by class, its histogram, sums for its parts, and, at a second look, the labels that it disputes.

    Attributes:
        counts: int64[class]; sums, squares: float64[class], of the loss and its square. One class for regression; where several
            classes may be true, each counts every example.
        mass: float64[class], how much of the labels each class has: examples, or sums of soft labels.
        labelled: int64[class] examples whose probability of the label is known; self_confidence: float64[class], its sums.
        nonfinite, infinite, unscored: examples with a target and without a finite loss: the logits are NaN or infinite; the label
            was given no probability; there are no scores.
        soft: examples with a soft label; least: what those with a loss cost at least, of a cross-entropy.
        products: float64[bin product], sums of products for the parts' intervals; see measures.part_intervals.
        cell_keys, cell_sums: by true class and bin of the confidence; see measures.decomposition.Cells.
        moments: float64[3] of the targets of a regression: count, mean, sum of squared deviations.
        sure, surprises, allowed: answers of at least 95% confidence, labels against them, and how many their own
            confidence allows.
        disputed: of the second look.
        numbers: targets of a regression, seen at the second look; None where they are too many.
    """

    name: ClassVar[str] = "loss"
    needs: ClassVar[Needs] = Needs(outputs=True, losses=True)

    context: LensContext = field(default_factory=LensContext)
    counts: np.ndarray = field(default_factory=lambda: np.zeros(0, np.int64))
    sums: np.ndarray = field(default_factory=_zeros)
    squares: np.ndarray = field(default_factory=_zeros)
    mass: np.ndarray = field(default_factory=_zeros)
    labelled: np.ndarray = field(default_factory=lambda: np.zeros(0, np.int64))
    self_confidence: np.ndarray = field(default_factory=_zeros)
    outputs: int = 0
    examples: int = 0
    total: float = 0.0
    total_squares: float = 0.0
    nonfinite: int = 0
    infinite: int = 0
    unscored: int = 0
    soft: int = 0
    least: float = 0.0
    bins: np.ndarray = field(default_factory=lambda: ExponentHistogram().counts)
    special: np.ndarray = field(default_factory=lambda: ExponentHistogram().special)
    cell_keys: np.ndarray = field(default_factory=lambda: Cells().keys)
    cell_sums: np.ndarray = field(default_factory=lambda: Cells().sums)
    products: np.ndarray = field(default_factory=lambda: np.zeros((BINS, len(PRODUCTS))))
    moments: np.ndarray = field(default_factory=lambda: np.zeros(3))
    sure: int = 0
    surprises: int = 0
    allowed: float = 0.0
    disputed: Disputed | None = None
    numbers: list[np.ndarray] | None = field(default_factory=list)

    @property
    def loss(self) -> Loss | None:
        """The loss that is looked at."""
        return self.context.loss or default_loss(self.context.task)

    def observe(self, seen: Observation) -> None:
        """Adds the losses of a batch."""
        if self.context.task == "none" or seen.batch is None or seen.outputs is None:
            return
        columns = seen.columns
        loss = np.asarray(columns["loss"], np.float64)
        target = np.asarray(columns["target"])
        if self.context.task == "multilabel":
            has_target = np.array([one is not None for one in columns["targets"]], np.bool_)
        else:
            has_target = np.logical_not(np.isnan(target)) if self.context.task == "regression" else target >= 0
        known = np.isfinite(loss)
        # Without scores there are no logits that are not finite.
        nonfinite = np.asarray(columns["nonfinite"]) & self.context.scored
        self.nonfinite += int(np.count_nonzero(has_target & nonfinite))
        self.infinite += int(np.count_nonzero(has_target & np.isinf(loss)))
        self.unscored += int(np.count_nonzero(has_target & ~nonfinite & np.isnan(loss)))
        self.outputs = int(seen.outputs.shape[-1]) if self.context.task != "regression" else 1
        kept = loss[known]
        self.examples += len(kept)
        with np.errstate(over="ignore"):
            self.total += float(kept.sum())
            self.total_squares += float((kept**2).sum())
        counted = histogram.of(kept)
        self.bins = self.bins + counted.counts
        self.special = self.special + counted.special
        if self.context.task == "classification":
            self._classified(seen, known, loss)
        elif self.context.task == "multilabel":
            self._by_class_of_sets(seen, known)
        else:
            self._add_sums(np.zeros(len(kept), np.int64), kept)
            self.moments = merged_moments(self.moments, moments_of(target[known].astype(np.float64)))

    def _add(self, name: str, values: np.ndarray) -> None:
        setattr(self, name, _padded_sum(getattr(self, name), values))

    def _add_sums(self, group: np.ndarray, values: np.ndarray) -> None:
        self._add("counts", np.bincount(group, minlength=self.outputs))
        self._add("sums", np.bincount(group, weights=values, minlength=self.outputs))
        with np.errstate(over="ignore"):
            self._add("squares", np.bincount(group, weights=values**2, minlength=self.outputs))

    def _classified(self, seen: Observation, known: np.ndarray, loss: np.ndarray) -> None:
        columns = seen.columns
        target = np.asarray(columns["target"]).astype(np.int64)
        log_loss = np.asarray(columns.get("log_loss", columns["loss"]), np.float64)
        self._add_sums(target[known], loss[known])
        soft = columns.get("soft_target")
        if soft is None:
            self._add("mass", np.bincount(target[known], minlength=self.outputs).astype(np.float64))
            own = np.exp(-log_loss)
        else:
            self.soft += int(np.count_nonzero(target >= 0))
            self._add("mass", np.asarray(soft)[known].sum(axis=0))
            if self.loss is not None and self.loss.is_cross_entropy:
                self.least += float(least_costs(self.loss, np.asarray(soft, np.float64)[known]).sum())
            answered = (target >= 0) & np.isfinite(np.asarray(columns["confidence"]))
            own = _own_probability(np.asarray(seen.outputs), np.maximum(target, 0), answered)
        scored = (target >= 0) & ~np.isnan(own)
        self._add("labelled", np.bincount(target[scored], minlength=self.outputs))
        self._add("self_confidence", np.bincount(target[scored], weights=own[scored], minlength=self.outputs))
        self._add_cells(columns, target, log_loss)
        self._surprise(columns, target)

    def _add_cells(self, columns: Any, target: np.ndarray, log_loss: np.ndarray) -> None:
        """Sums for the parts of the scores, by true class and bin of the confidence; the Brier score is finite where no loss is."""
        confidence = np.asarray(columns["confidence"])
        brier = np.asarray(columns.get("brier", np.full(len(target), np.nan)))
        known = (target >= 0) & ~np.isnan(log_loss) & np.isfinite(confidence) & np.isfinite(brier)
        if not known.any():
            return
        prediction, soft = np.asarray(columns["prediction"])[known], columns.get("soft_target")
        if soft is None:
            hits, spread = (prediction == target[known]).astype(np.float64), None
        else:
            q = np.asarray(soft)[known]
            hits, spread = q[np.arange(len(q)), prediction], (entropy_of_rows(q), (q * (1 - q)).sum(axis=1))
        two = np.shape(columns["top_classes"])[1] == 2
        added = terms(confidence[known], hits, log_loss[known], brier[known], *(spread or ()), two_classes=two)
        bins = bin_of(confidence[known])
        self._merge_cells(Cells.of(target[known], bins, added))
        self.products = self.products + products_of(bins, added)

    def _merge_cells(self, other: Cells) -> None:
        cells = Cells(self.cell_keys, self.cell_sums)
        cells.merge(other)
        self.cell_keys, self.cell_sums = cells.keys, cells.sums

    def _surprise(self, columns: Any, target: np.ndarray) -> None:
        """Also of labels that were given no probability, whose loss is infinite."""
        prediction, confidence = np.asarray(columns["prediction"]), np.asarray(columns["confidence"], np.float64)
        sure = (target >= 0) & (confidence >= SURE)
        self.sure += int(sure.sum())
        self.surprises += int((sure & (target != prediction)).sum())
        self.allowed += float((1.0 - confidence[sure]).sum())

    def _by_class_of_sets(self, seen: Observation, known: np.ndarray) -> None:
        """What each class by itself costs, over all examples."""
        sets = seen.columns["targets"]
        true, _ = multi_hot([None if one is None else frozenset(one) for one in sets], self.outputs)
        self._add("mass", true[known].sum(axis=0))
        costs = class_costs(self.loss, np.asarray(seen.outputs, np.float64)[known], true[known])
        if costs is not None:
            self._add("counts", np.full(self.outputs, len(costs), np.int64))
            self._add("sums", costs.sum(axis=0))
            with np.errstate(over="ignore"):
                self._add("squares", (costs**2).sum(axis=0))

    def merge(self, other: Self) -> None:
        """Adds another's sums."""
        for name in ("counts", "sums", "squares", "mass", "labelled", "self_confidence", "bins", "special"):
            self._add(name, getattr(other, name))
        self.outputs = max(self.outputs, other.outputs)
        for name in ("examples", "nonfinite", "infinite", "unscored", "soft", "sure", "surprises"):
            setattr(self, name, getattr(self, name) + getattr(other, name))
        self.total += other.total
        self.total_squares += other.total_squares
        self.allowed += other.allowed
        self.least += other.least
        self.moments = merged_moments(self.moments, other.moments)
        self._merge_cells(Cells(other.cell_keys, other.cell_sums))
        self.products = self.products + other.products

    def look_again(self, table: pa.Table) -> None:
        """Judges labels by the thresholds of all examples; of a regression, keeps the targets for a median."""
        if self.context.task == "classification" and self.labelled.sum():
            found = Disputed.of(table, self._thresholds())
            if self.disputed is not None:
                found.merge(self.disputed)
            self.disputed = found
        elif self.context.task == "regression" and self.numbers is not None:
            held = table.select(["target", "loss"]).drop_null()["target"].to_numpy().astype(np.float64)
            too_many = sum(map(len, self.numbers)) + len(held) > MOST_TARGETS
            self.numbers = None if too_many else [*self.numbers, held]

    def _thresholds(self) -> Thresholds:
        return Thresholds.of(self.labelled, self.self_confidence)

    def report(self) -> LossPanel:
        """The mean with its interval, its benchmarks, its parts, and who contributes."""
        loss, count = self.loss, self.examples
        mean = self.total / count if count and not self.infinite and math.isfinite(self.total) else None
        issues = self.disputed.issues() if self.disputed is not None else []
        benchmarks = self._benchmarks()
        return LossPanel(
            count=count,
            findings=[*self._label_finding(issues), *self._benchmark_finding(mean, count, benchmarks)],
            name=loss.name if loss else "none",
            definition=loss.formula if loss else NO_LOSS,
            unit=loss.unit if loss else "",
            mean=mean,
            interval=None if self.infinite else self._interval(count, self.total, self.total_squares),
            nonfinite=self.nonfinite + (self.unscored if loss and loss.own else 0),
            benchmarks=benchmarks,
            by_class=self._classes() if self.context.task in ("classification", "multilabel") else [],
            histogram=ExponentHistogram(self.bins, self.special).to_schema(),
            label_issues=issues,
            spec=loss.spec if loss else "",
            source=loss.source if loss else "",
            infinite=self.infinite,
            why=self._why() if mean is None else "",
            soft=self.soft > 0,
            parts=score_parts(Cells(self.cell_keys, self.cell_sums), self.products, soft=self.soft > 0),
            label_errors=None if self.disputed is None else self.disputed.summary(self.labelled, self._thresholds()),
        )

    def _why(self) -> str:
        """Why the mean is not defined."""
        if self.loss is None or self.context.task == "none":
            return NO_LOSS
        if self.infinite:
            return infinite_mean(self.loss, self.context.task, self.infinite, self.examples, self.total)
        if not math.isfinite(self.total):
            return TOO_LARGE
        if self.unscored:
            return NO_NUMBER if self.loss.own else NO_SCORES
        return "the outputs of all examples with a target are NaN or infinite" if self.nonfinite else NO_TARGETS

    def _classes(self) -> list[ClassLoss]:
        """Of several classes an example each is judged by itself: its own mean, not what is left of it in the mean over classes."""
        whole = float(self.sums.sum())
        own_part = max(self.outputs, 1) if self.context.task == "multilabel" else 1
        with np.errstate(over="ignore"):
            columns = (self.counts, self.sums * own_part, self.squares * own_part**2)
        sums = zip(*(column.tolist() for column in columns), strict=True)
        return [
            ClassLoss(
                index=index,
                count=count,
                mean=own / count if count and math.isfinite(own) else None,
                share=own / own_part / whole if 0 < whole < math.inf else None,
                interval=self._interval(count, own, squares),
            )
            for index, (count, own, squares) in enumerate(sums)
        ]

    def _interval(self, count: int, total: float, squares: float) -> Interval | None:
        """Of a mean; None, too, where the squares are beyond every number of 64 bits.

        Where no loss is negative no mean of them is: cut at 0 the interval holds the truth as often.
        """
        spread = squares - total * total / count if count else math.nan
        found = mean_interval(count, total, spread) if math.isfinite(spread) else None
        if found is None or found.low >= 0 or ExponentHistogram(self.bins, self.special).negative:
            return found
        return Interval(0.0, found.high, found.level, found.method)

    def _benchmarks(self) -> list[Benchmark]:
        if self.loss is None:
            return []
        held = None if self.numbers is None or not self.numbers else np.concatenate(self.numbers)
        context = self.context
        soft = self.soft and self.examples and self.loss.is_cross_entropy
        least = self.least / self.examples if soft else None
        return benchmarks_of(
            self.loss, context.task, self.examples, self.mass, self.moments, held, context.target_loss, least
        )

    def _label_finding(self, issues: list[LabelIssue]) -> list[Finding]:
        """More sure disagreement than the model's own confidence allows: a Poisson tail."""
        if len(issues) < LEAST_ISSUES or self.surprises < LEAST_ISSUES:
            return []
        from scipy import special

        tail = max(LEAST_P, float(special.pdtrc(self.surprises - 1, max(self.allowed, 1e-9))))
        if tail > 1e-6 or self.surprises < 3 * self.allowed + LEAST_ISSUES:
            return []
        worst = issues[0]
        names = self.context.classes
        return [
            Finding(
                kind="label-errors",
                severity="high" if self.surprises > 0.02 * self.sure else "medium",
                sentence=(
                    f"{self.surprises:,} answers that are at least 95% sure dispute their label, where their own confidence allows "
                    f"about {self.allowed:,.0f}. The label that looks most wrong, of example {worst.example}, is "
                    f"{names[worst.given]}, and {disputed_by(worst, names[worst.suggested])}."
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
        interval = self._interval(count, self.total, self.total_squares)
        if self.loss is None or not self.loss.is_cross_entropy:
            return []  # other losses do not say that the confidence misleads
        if np.count_nonzero(self.mass) < 2:
            return []  # of one class alone the prior costs nothing, and every model is worse
        if mean is None or prior is None or interval is None or interval.low <= prior:
            return []
        return [
            Finding(
                kind="worse-than-prior",
                severity="high",
                sentence=(
                    f"The mean loss of {mean:.3f} {self.loss.unit} is worse than {prior:.3f}, what always answering with "
                    f"the shares of the classes would cost: the model's confidence misleads on these {count:,} examples."
                ),
                count=count,
                interval=interval,
                page="loss",
                weight=min(mean / max(prior, 1e-9) - 1, 1.0),
                evidence={"mean_loss": mean, "class_prior": prior},
            )
        ]


def _own_probability(outputs: np.ndarray, target: np.ndarray, known: np.ndarray) -> np.ndarray:
    """Probability of each example's class: float64[example], NaN where not known."""
    own = np.full(len(target), np.nan)
    log_p = log_probabilities(outputs[known].astype(np.float64))
    own[known] = np.exp(log_p[np.arange(len(log_p)), target[known]])
    return own
