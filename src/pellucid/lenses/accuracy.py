"""Accuracy: how often is the answer right, or how far from it, and how sure can one be?"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar, Self

import numpy as np

from pellucid.lenses import LensContext
from pellucid.lenses.accuracy_answer import area_scores, class_rows, class_wise_error, grown, macro_f1_score
from pellucid.lenses.accuracy_classes import MOST_LISTED, class_arrays, listed
from pellucid.lenses.accuracy_findings import calibration_findings, class_findings, slice_findings
from pellucid.lenses.accuracy_slices import ValueCounts
from pellucid.measures.binned import SureCounts, sure_counts
from pellucid.measures.calibration import (
    FINE,
    Reliability,
    equal_mass,
    equal_width,
    expected_error,
)
from pellucid.measures.calibration_errors import SOFT_LABELS, calibration_errors
from pellucid.measures.classification import Tallies, tallies
from pellucid.measures.classification import scores as class_scores
from pellucid.measures.confusion import SparseCounts, added_square, of_square
from pellucid.measures.intervals import wilson
from pellucid.measures.labels import multi_hot
from pellucid.measures.multilabel import SetSums, set_scores
from pellucid.measures.ranking import rank_counts, top_k
from pellucid.measures.regression import Moments, regression_scores
from pellucid.measures.saved import LogProbabilities
from pellucid.measures.score_cells import ScoreCells, cut_logit
from pellucid.measures.temperature import TemperatureSums, keys, share_of, temperature
from pellucid.record.schema import AccuracyPanel, ClassAccuracy, TopK
from pellucid.types import Batch, Needs, Observation

TOP_K = (1, 2, 3, 5, 10)


@dataclass
class AccuracyLens:
    """Right answers by class, by rank of the target, by confidence and by slice; for a regression, moments of the residuals.

    Attributes:
        classes: most outputs seen.
        ranks: int64[rank], examples by the rank of their target, where it is known; unranked: where it is not.
        cells: the confusion, the fields of SparseCounts; square: int64[true class, predicted class], counts beside it of
            batches that came with every cell.
        confidences: counts, sums of confidences and right answers by fine bin of confidence.
        variance: sum of c (1 - c) over confidences c.
        soft: examples whose label is soft and not of one class: no confidence can be held against right and wrong.
        scores: probabilities of the classes in bins, the fields of ScoreCells; scored: of how many examples; sampled: of
            how many with all their classes.
        halves: fields of TemperatureSums, of the half that fits and the half that tests.
        numbers: fields of Moments.
        sets: fields of SetSums, where several classes are true of an example.
        slices: fields of ValueCounts.
    """

    name: ClassVar[str] = "accuracy"
    needs: ClassVar[Needs] = Needs(outputs=True)

    context: LensContext = field(default_factory=LensContext)
    classes: int = 0
    ranks: np.ndarray = field(default_factory=lambda: np.zeros(0, np.int64))
    unranked: int = 0
    cells: dict[str, Any] = field(default_factory=lambda: vars(SparseCounts()))
    square: np.ndarray = field(default_factory=lambda: np.zeros((0, 0), np.int64))
    confidences: dict[str, Any] = field(default_factory=lambda: _fine_bins(_sure(np.zeros(0), np.zeros(0, bool))))
    variance: float = 0.0
    soft: int = 0
    scores: dict[str, Any] = field(default_factory=lambda: vars(ScoreCells()))
    scored: int = 0
    sampled: int = 0
    halves: list[dict[str, Any]] = field(default_factory=lambda: [vars(TemperatureSums.empty()) for _ in range(2)])
    numbers: dict[str, Any] = field(default_factory=lambda: vars(Moments()))
    sets: dict[str, Any] = field(default_factory=lambda: vars(SetSums()))
    slices: dict[str, Any] = field(default_factory=lambda: vars(ValueCounts()))

    def __post_init__(self) -> None:
        # No part of the state: what `_class_rows` made last, and of how many examples.
        self._rows: tuple[tuple[float, ...], list[ClassAccuracy]] | None = None

    def observe(self, seen: Observation) -> None:
        """Counts the examples of a batch that have a target and a finite output."""
        if seen.outputs is None or seen.batch is None:
            return
        if self.context.task == "regression":
            self._add_numbers(seen)
        elif self.context.task == "multilabel":
            self._add_sets(seen.batch, np.asarray(seen.outputs))
        elif self.context.task == "classification":
            outputs: Any = seen.outputs
            lazy = isinstance(outputs, LogProbabilities)
            self._add_classes(seen, seen.batch, outputs if lazy else np.asarray(outputs))

    def _add_numbers(self, seen: Observation) -> None:
        target, output = (np.asarray(seen.columns[name], np.float64) for name in ("target", "output"))
        known = np.isfinite(target) & np.isfinite(output)
        self.numbers = vars(Moments(**self.numbers).merged(Moments.of(target[known], (output - target)[known])))

    def _add_sets(self, batch: Batch, logits: np.ndarray) -> None:
        true, known = multi_hot(batch.sets or [None] * len(batch), int(logits.shape[-1]))
        known &= np.isfinite(logits).all(axis=1)
        self.classes = max(self.classes, int(logits.shape[-1]))
        if known.any():
            labels, own = true[known].astype(bool), logits[known]
            self.sets = vars(SetSums(**self.sets).merged(SetSums.of(labels, own >= 0)))
            sampled = keys(batch_rows(batch)[known], self.context.seed) * 2 % 1 < self._share()
            self._add_cells_of_scores(ScoreCells.of_sets(own, labels, sampled), sampled)

    def _share(self) -> float:
        """Of the examples, how many are looked at with all their classes."""
        return share_of(max(self.classes, 1), self.context.examples)

    def _add_cells_of_scores(self, cells: ScoreCells, sampled: np.ndarray) -> None:
        total = ScoreCells(**self.scores)
        total.merge(cells)
        self.scores = vars(total)
        self.scored += len(sampled)
        self.sampled += int(sampled.sum())

    def _add_classes(self, seen: Observation, batch: Batch, outputs: np.ndarray | LogProbabilities) -> None:
        target, prediction, rank, confidence = (
            np.asarray(seen.columns[name]) for name in ("target", "prediction", "rank", "confidence")
        )
        known = (target >= 0) & (prediction >= 0)
        right = target == prediction
        self.classes = max(self.classes, int(outputs.shape[-1]))
        if "soft_target" in seen.columns:
            self.soft += int(np.count_nonzero(known & (np.asarray(seen.columns["soft_target"]).max(axis=1) < 1.0)))
        ranks = _where(known, rank)
        self.ranks = _sum(self.ranks, rank_counts(ranks, self.classes))
        self.unranked += int(np.count_nonzero(ranks < 0))
        if seen.cells is not None:
            self.square = added_square(self.square, seen.cells)
        else:
            self._add_cells(SparseCounts.of(target, prediction))
        counts = ValueCounts(**self.slices)
        counts.add(batch, known, right)
        self.slices = vars(counts)
        sure = known & ~np.isnan(confidence)
        counted = _sure(_where(sure, confidence), _where(sure, right))
        self.confidences = _added(self.confidences, _fine_bins(counted))
        self.variance += counted.variance
        # Where a table brought confidences without whole rows, outputs are NaN.
        whole = sure & ~np.isnan(outputs[:, 0])
        if whole.any():
            places = np.flatnonzero(whole)
            self._add_scores(
                outputs, places, target[places], prediction[places], confidence[places], batch_rows(batch)[places]
            )

    def _all_cells(self) -> SparseCounts:
        cells = of_square(self.square)
        cells.merge(SparseCounts(**self.cells))
        return cells

    def _add_cells(self, cells: SparseCounts) -> None:
        total = SparseCounts(**self.cells)
        total.merge(cells)
        self.cells = vars(total)

    def _add_scores(
        self,
        logits: np.ndarray | LogProbabilities,
        places: np.ndarray,
        target: np.ndarray,
        prediction: np.ndarray,
        confidence: np.ndarray,
        rows: np.ndarray,
    ) -> None:
        """Counts what needs every class's score, of the examples at `places`; of most no more is looked at than two scores."""
        # The prediction's logit less its log-probability: the sum over classes was made once, for the table.
        normalisers = logits[places, prediction].astype(np.float64) - np.log(confidence.astype(np.float64))
        place = keys(rows, self.context.seed) * 2
        sampled = place % 1 < self._share()
        own = logits[places, target].astype(np.float64)
        whole = logits[places[sampled]]
        probable = _probable(logits, places, normalisers + cut_logit(logits.shape[1]))
        self._add_cells_of_scores(ScoreCells.of_sample(whole, own, normalisers, target, sampled, probable), sampled)
        # A target that is impossible is so at every temperature: its loss is infinite and no sum.
        possible, half_of = np.isfinite(own[sampled]), place[sampled].astype(np.int64)
        for half in range(2):
            chosen = possible & (half_of == half)
            if chosen.any():
                sums = TemperatureSums.empty()
                sums.add(whole[chosen], target[sampled][chosen])
                self.halves[half] = vars(TemperatureSums(**self.halves[half]).merged(sums))

    def merge(self, other: Self) -> None:
        """Adds another's counts."""
        self.classes = max(self.classes, other.classes)
        self.ranks = _sum(self.ranks, other.ranks)
        self.unranked += other.unranked
        self._add_cells(SparseCounts(**other.cells))
        self.square = added_square(self.square, other.square)
        self.confidences = _added(self.confidences, other.confidences)
        self.variance += other.variance
        self.soft += other.soft
        total = ScoreCells(**self.scores)
        total.merge(ScoreCells(**other.scores))
        self.scores = vars(total)
        self.scored += other.scored
        self.sampled += other.sampled
        self.halves = [
            vars(TemperatureSums(**one).merged(TemperatureSums(**two)))
            for one, two in zip(self.halves, other.halves, strict=True)
        ]
        self.numbers = vars(Moments(**self.numbers).merged(Moments(**other.numbers)))
        self.sets = vars(SetSums(**self.sets).merged(SetSums(**other.sets)))
        counts = ValueCounts(**self.slices)
        counts.merge(ValueCounts(**other.slices))
        self.slices = vars(counts)

    def report(self) -> AccuracyPanel:
        """Shares with Wilson intervals, and where they differ from what the model claims."""
        if self.context.task == "regression":
            moments = Moments(**self.numbers)
            return _panel(count=moments.count, scores=regression_scores(moments))
        if self.context.task == "multilabel":
            return self._report_sets()
        cells, scored = self._all_cells(), ScoreCells(**self.scores)
        number, of = self._tallies(cells)
        count, correct = int(cells.counts.sum()), int(of.right.sum())
        by_class = self._class_rows(of)
        bins = Reliability(np.arange(FINE + 1) / FINE, **self.confidences)
        judged = Reliability.empty(FINE) if self.soft else bins
        recalls = [entry.recall for entry in by_class if entry.recall is not None]
        fitted, tested = (TemperatureSums(**half) for half in self.halves)
        counts = ValueCounts(**self.slices)
        slices = counts.slices()
        # Where only classes were saved the rank of a wrong answer's target is not known: then the first place alone is defined.
        ranks, most = (np.array([correct, count - correct]), 1) if self.unranked else (self.ranks, len(self.ranks))
        return _panel(
            count=count,
            findings=[
                *calibration_findings(judged, self.variance),
                *class_findings(by_class, count, correct, self.context.classes),
                *slice_findings(slices, counts.totals()),
            ],
            correct=correct,
            accuracy=correct / count if count else None,
            interval=wilson(correct, count),
            balanced_accuracy=sum(recalls) / len(recalls) if recalls else None,
            top_k=[one for k in TOP_K if k <= most and (one := top_k(ranks, k)) is not None],
            by_class=listed(by_class),
            classes=len(by_class),
            calibration=equal_width(judged).to_schema(),
            ece=expected_error(equal_width(judged)),
            mean_confidence=float(bins.confidences.sum()) / bins.total if bins.total else None,
            ranks=[] if self.unranked else np.trim_zeros(ranks, "b").tolist(),
            scores=class_scores(cells),
            areas=area_scores(by_class, scored, self.scored, self.sampled),
            equal_mass=equal_mass(judged).to_schema(),
            calibration_errors=[
                *calibration_errors(judged, SOFT_LABELS if self.soft else ""),
                class_wise_error(scored, number, self.sampled, exclusive=True, why=SOFT_LABELS if self.soft else ""),
            ],
            temperature=None if self.soft else temperature(fitted, tested, self._share()),
            without_probabilities=count - bins.total,
            slices=slices,
            columns_left_out=counts.left_out,
        )

    def _tallies(self, cells: SparseCounts) -> tuple[int, Tallies]:
        """How many classes there are, and their counts."""
        number = max(self.classes, len(self.context.classes) if len(cells.counts) else 0)
        return number, tallies(cells.rows, cells.columns, cells.counts.astype(np.float64), number)

    def _class_rows(self, of: Tallies) -> list[ClassAccuracy]:
        """Made once for the panel and its arrays, which takes minutes of many thousand classes; more examples make them anew."""
        seen = (self.scored, self.sampled, float(of.support.sum()), float(of.predicted.sum()))
        if self._rows is None or self._rows[0] != seen:
            self._rows = seen, class_rows(of, ScoreCells(**self.scores), self.scored, self.sampled)
        return self._rows[1]

    def arrays(self) -> Mapping[str, np.ndarray]:
        """The classes, where they are too many for the panel."""
        if self.context.task not in ("classification", "multilabel"):
            return {}
        several = self.context.task == "multilabel"
        of = SetSums(**self.sets).tallies if several else self._tallies(self._all_cells())[1]
        if len(of.support) <= MOST_LISTED:
            return {}
        return class_arrays(self._class_rows(of))

    def _report_sets(self) -> AccuracyPanel:
        sums, scored = SetSums(**self.sets), ScoreCells(**self.scores)
        by_class = self._class_rows(sums.tallies)
        return _panel(
            count=sums.count,
            correct=sums.exact,
            accuracy=sums.exact / sums.count if sums.count else None,
            interval=wilson(sums.exact, sums.count),
            by_class=listed(by_class),
            classes=len(by_class),
            scores=[*set_scores(sums), macro_f1_score(by_class, sums.count)],
            areas=area_scores(by_class, scored, self.scored, self.sampled),
            calibration_errors=[class_wise_error(scored, len(by_class), self.sampled, exclusive=False)],
        )


def _panel(**known: Any) -> AccuracyPanel:
    """A panel whose other numbers are those of no classes."""
    nothing: dict[str, Any] = {
        "correct": 0,
        "accuracy": None,
        "interval": None,
        "balanced_accuracy": None,
        "top_k": list[TopK](),
        "by_class": list[ClassAccuracy](),
        "calibration": [],
        "ece": None,
        "mean_confidence": None,
    }
    return AccuracyPanel(**{**nothing, **known})


def _probable(
    logits: np.ndarray | LogProbabilities, places: np.ndarray, least: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Position in `places`, class and logit of every logit that is at least the number given for its example."""
    values: np.ndarray
    if isinstance(logits, LogProbabilities):
        values, least = logits.probabilities, np.exp(least)
    else:
        values = logits
    some = values if len(places) == len(values) else values[places]
    place, class_of = np.nonzero(some >= least.astype(values.dtype)[:, None])
    return place, class_of, logits[places[place], class_of].astype(np.float64)


def batch_rows(batch: Batch) -> np.ndarray:
    """Rows of the examples table, int64[batch]."""
    return np.asarray(batch.rows, np.int64) if len(batch.rows) else batch.start + np.arange(len(batch))


def _sure(confidence: np.ndarray, right: np.ndarray) -> SureCounts:
    return sure_counts(confidence, right, FINE)


def _fine_bins(of: SureCounts) -> dict[str, Any]:
    return {"counts": of.counts, "confidences": of.confidences, "correct": of.correct}


def _where(chosen: np.ndarray, values: np.ndarray) -> np.ndarray:
    """The chosen values, without a copy where all are."""
    return values if chosen.all() else values[chosen]


def _added(one: dict[str, Any], other: dict[str, Any]) -> dict[str, Any]:
    return {name: values + other[name] for name, values in one.items()}


def _sum(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    length = max(len(one), len(other))
    total: np.ndarray = grown(one, length) + grown(other, length)
    return total
