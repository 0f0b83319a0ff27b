"""What is counted of many answers: accuracy, confusion, calibration, against scikit-learn and plain loops."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy import stats
from sklearn import metrics

from pellucid.lenses import LensContext
from pellucid.lenses.accuracy import AccuracyLens
from pellucid.lenses.confusion import ConfusionLens
from pellucid.measures.calibration import BINS, bin_of, reliability
from pellucid.measures.confusion import SparseCounts, confused_pairs
from pellucid.measures.predictions import columns_of
from support.counted import CLASSES, CONTEXT, observed, plain_holm, quick, scored


def test_accuracy_precision_recall_and_f1_are_those_of_scikit_learn() -> None:
    logits, targets = scored()
    report = observed(AccuracyLens(CONTEXT), logits, targets)
    predictions = logits.argmax(axis=1)
    precision, recall, f1, support = metrics.precision_recall_fscore_support(
        targets, predictions, labels=range(CLASSES), zero_division=0.0
    )
    assert report.accuracy == pytest.approx(metrics.accuracy_score(targets, predictions), rel=1e-12)
    assert report.balanced_accuracy == pytest.approx(metrics.balanced_accuracy_score(targets, predictions), rel=1e-12)
    for entry in report.by_class:
        assert entry.support == support[entry.index]
        assert entry.precision == pytest.approx(precision[entry.index], rel=1e-12)
        assert entry.recall == pytest.approx(recall[entry.index], rel=1e-12)
        assert entry.f1 == pytest.approx(f1[entry.index], rel=1e-12)
    assert [entry.k for entry in report.top_k] == [1, 2, 3, 5]
    for entry in report.top_k:
        expected = metrics.top_k_accuracy_score(targets, logits, k=entry.k, labels=range(CLASSES))
        assert entry.accuracy == pytest.approx(expected, rel=1e-12)


def test_a_class_that_never_occurs_or_is_never_predicted_has_no_share_instead_of_zero() -> None:
    logits = np.zeros((4, CLASSES), np.float32)
    logits[:, 2] = 1.0
    report = observed(AccuracyLens(CONTEXT), logits, np.array([2, 2, 5, 5]))
    absent, right, missed = (report.by_class[index] for index in (0, 2, 5))
    assert (absent.recall, absent.precision, absent.f1) == (None, None, None)
    assert (right.recall, right.precision, right.f1) == (1.0, 0.5, pytest.approx(2 / 3))
    assert (missed.recall, missed.precision, missed.f1) == (0.0, None, 0.0)
    assert report.balanced_accuracy == 0.5


def dense(cells: SparseCounts) -> NDArray[np.int64]:
    matrix = np.zeros((CLASSES, CLASSES), np.int64)
    matrix[cells.rows, cells.columns] = cells.counts
    return matrix


def test_the_confusion_matrix_is_that_of_scikit_learn() -> None:
    logits, targets = scored()
    predictions = logits.argmax(axis=1)
    expected = metrics.confusion_matrix(targets, predictions, labels=range(CLASSES))
    cells = SparseCounts.of(targets, predictions)
    np.testing.assert_array_equal(dense(cells), expected)
    np.testing.assert_array_equal(cells.supports(CLASSES), expected.sum(axis=1))
    np.testing.assert_array_equal(cells.predicted(CLASSES), expected.sum(axis=0))
    np.testing.assert_array_equal(cells.right(CLASSES), np.diag(expected))
    report = observed(ConfusionLens(CONTEXT), logits, targets)
    np.testing.assert_array_equal(
        dense(SparseCounts(*map(np.array, (report.rows, report.columns, report.counts)))), expected
    )
    assert report.count == len(targets)


pairs_of_classes = st.lists(st.tuples(st.integers(-1, 6), st.integers(-1, 6)), max_size=40)


@quick
@given(first=pairs_of_classes, second=pairs_of_classes)
def test_cells_merge_exactly_and_stay_sorted(first: list[tuple[int, int]], second: list[tuple[int, int]]) -> None:
    def counted(pairs: list[tuple[int, int]]) -> SparseCounts:
        table = np.array(pairs, np.int64).reshape(-1, 2)
        return SparseCounts.of(table[:, 0], table[:, 1])

    merged = counted(first)
    merged.merge(counted(second))
    every = [pair for pair in first + second if min(pair) >= 0]
    cells = sorted(set(every))
    assert list(zip(merged.rows.tolist(), merged.columns.tolist(), strict=True)) == cells
    assert merged.counts.tolist() == [every.count(cell) for cell in cells]


def plain_pairs(matrix: NDArray[np.int64]) -> dict[tuple[int, int], tuple[float, float]]:
    """(true, predicted) -> (expected count, p value before the correction), as schema.ConfusedPair defines them."""
    found = {}
    for true in range(CLASSES):
        errors = sum(int(matrix[true, other]) for other in range(CLASSES) if other != true)
        for predicted in range(CLASSES):
            count = int(matrix[true, predicted])
            if predicted == true or count < 3:
                continue
            beside = [row for row in range(CLASSES) if row not in (true, predicted)]
            elsewhere = {
                column: sum(int(matrix[row, column]) for row in beside if row != column)
                for column in range(CLASSES)
                if column != true
            }
            others = sum(elsewhere.values())
            share = Fraction(1 + elsewhere[predicted], len(elsewhere) + others)
            rest = others - elsewhere[predicted] + len(elsewhere) - 1
            table = [[count, errors - count], [elsewhere[predicted] + 1, rest]]
            tail = (
                stats.fisher_exact(table, "greater")
                if others
                else stats.binomtest(count, errors, 1 / len(elsewhere), "greater")
            )
            found[true, predicted] = float(share * errors), float(tail.pvalue)
    return found


@pytest.mark.parametrize("seed", range(6))
def test_confused_pairs_are_those_of_fishers_exact_test_after_holm(seed: int) -> None:
    generator = np.random.default_rng(seed)
    matrix = generator.poisson(generator.gamma(0.7, 4.0, size=(CLASSES, CLASSES)))
    np.fill_diagonal(matrix, 60)
    matrix[1, 4] += 12
    rows, columns = matrix.nonzero()
    pairs = confused_pairs(SparseCounts(rows, columns, matrix[rows, columns]), CLASSES)
    expected = plain_pairs(matrix)
    off_diagonal = int(np.count_nonzero(matrix)) - CLASSES
    adjusted = dict(zip(expected, plain_holm([tail for _, tail in expected.values()], off_diagonal), strict=True))
    assert {(pair.true, pair.predicted) for pair in pairs} == set(expected)
    for pair in pairs:
        cell = pair.true, pair.predicted
        assert pair.expected == pytest.approx(expected[cell][0], rel=1e-9)
        assert pair.p_value == pytest.approx(adjusted[cell], rel=1e-9)
        assert (pair.count, pair.support) == (matrix[cell], matrix[pair.true].sum())
        assert pair.rate == pair.count / pair.support
    assert [pair.p_value for pair in pairs] == sorted(pair.p_value for pair in pairs)


def test_errors_that_fall_by_chance_are_a_finding_on_one_clean_network_in_four_hundred_at_most() -> None:
    generator = np.random.default_rng(0)
    popular = np.array([5, 1, 1, 1, 1, 1, 2], float)  # some classes are called oftener than others, by every class
    networks, alarms = 400, 0
    for _ in range(networks):
        matrix = np.diag(np.full(CLASSES, 100))
        for true in range(CLASSES):
            weights = popular * (np.arange(CLASSES) != true)
            matrix[true] += generator.multinomial(40, weights / weights.sum())
        rows, columns = matrix.nonzero()
        lens = ConfusionLens(CONTEXT, rows, columns, matrix[rows, columns])
        alarms += bool(lens.report().findings)
    assert alarms <= 1


def lens_of(matrix: NDArray[np.int64]) -> ConfusionLens:
    rows, columns = matrix.nonzero()
    return ConfusionLens(LensContext(task="classification"), rows, columns, matrix[rows, columns])


def test_two_classes_that_are_all_that_is_confused_are_a_finding() -> None:
    """The third makes no errors: chance is an even spread over the two classes that each could name."""
    found = lens_of(np.array([[700, 300, 0], [300, 700, 0], [0, 0, 1000]])).report()
    assert [finding.selection for finding in found.findings] == [
        {"true": "0", "predicted": "1"}, {"true": "1", "predicted": "0"},
    ]  # fmt: skip
    assert "2.0 times what chance would give" in found.findings[0].sentence
    assert found.pairs[0].p_value == pytest.approx(2 * 0.5**300)
    # Five errors may fall on one of two by chance; of two classes there is no other to name.
    assert not lens_of(np.array([[995, 5, 0], [5, 995, 0], [0, 0, 1000]])).report().findings
    assert [pair.p_value for pair in lens_of(np.array([[700, 300], [300, 700]])).report().pairs] == [1.0, 1.0]


@pytest.mark.parametrize("errors", [3, 15])
def test_errors_of_few_classes_by_chance_are_hardly_ever_a_finding(errors: int) -> None:
    generator, alarms = np.random.default_rng(2), 0
    for _ in range(300):
        matrix = np.diag(np.full(3, 100))
        for true in range(3):
            weights = np.array([5.0, 1.0, 2.0]) * (np.arange(3) != true)
            matrix[true] += generator.multinomial(generator.poisson(errors), weights / weights.sum())
        alarms += bool(lens_of(matrix).report().findings)
    assert alarms <= 1


def test_a_pair_that_is_planted_is_found_first() -> None:
    generator = np.random.default_rng(1)
    matrix = np.diag(np.full(CLASSES, 100)) + generator.poisson(2, size=(CLASSES, CLASSES))
    matrix[2, 5] += 20
    rows, columns = matrix.nonzero()
    findings = ConfusionLens(CONTEXT, rows, columns, matrix[rows, columns]).report().findings
    assert [finding.selection for finding in findings] == [{"true": "2", "predicted": "5"}]
    assert findings[0].sentence.startswith("c is taken for f: ")


def plain_bin(confidence: float) -> int:
    for index in range(BINS):
        if Fraction(index, BINS) < Fraction(confidence) <= Fraction(index + 1, BINS):
            return index
    return 0


def test_reliability_and_ece_are_those_of_a_plain_loop() -> None:
    logits, targets = scored(900, wrong=3.0)
    logits[:5] *= 1000  # a confidence of exactly 1.0
    columns = columns_of(logits, targets, task="classification")
    confidences = [float(value) for value in columns["confidence"]]
    right = columns["prediction"] == targets
    assert confidences.count(1.0) >= 5
    members: list[list[int]] = [[] for _ in range(BINS)]
    for row, confidence in enumerate(confidences):
        members[plain_bin(confidence)].append(row)
    error = 0.0
    report = observed(AccuracyLens(CONTEXT), logits, targets)
    for rows, entry in zip(members, report.calibration, strict=True):
        assert entry.count == len(rows)
        if not rows:
            assert (entry.accuracy, entry.confidence, entry.interval) == (None, None, None)
            continue
        accuracy = sum(bool(right[row]) for row in rows) / len(rows)
        confidence = sum(confidences[row] for row in rows) / len(rows)
        assert (entry.accuracy, entry.confidence) == (pytest.approx(accuracy), pytest.approx(confidence))
        assert entry.low < confidence <= entry.high
        error += len(rows) / len(targets) * abs(accuracy - confidence)
    assert report.ece == pytest.approx(error, rel=1e-9)
    assert report.mean_confidence == pytest.approx(sum(confidences) / len(confidences), rel=1e-9)


def test_a_confidence_of_one_is_in_the_last_bin_and_of_zero_in_the_first() -> None:
    assert bin_of(np.array([0.0, 1.0, np.nextafter(1.0, 2.0)])).tolist() == [0, BINS - 1, BINS - 1]
    # Edges belong to the bin below them.
    assert bin_of(np.array([0.25, 0.5, 0.75]), 4).tolist() == [0, 1, 2]
    assert bin_of(np.nextafter([0.25, 0.5, 0.75], 1.0), 4).tolist() == [1, 2, 3]


def test_no_examples_have_no_calibration_error() -> None:
    nothing = np.zeros(BINS, np.int64)
    bins, error = reliability(nothing, nothing.astype(float), nothing)
    assert error is None
    assert sum(entry.count for entry in bins) == 0
