"""Every measure against scikit-learn, scipy, torch, or a slow loop that reads like its definition."""

from __future__ import annotations

import math
from fractions import Fraction
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from numpy.typing import NDArray
from scipy import stats
from sklearn import metrics

from pellucid.lenses import Lens, LensContext
from pellucid.lenses.accuracy import AccuracyLens
from pellucid.lenses.confusion import ConfusionLens
from pellucid.lenses.loss import LossLens
from pellucid.measures import histogram
from pellucid.measures.calibration import BINS, bin_of, reliability
from pellucid.measures.confusion import SparseCounts, confused_pairs
from pellucid.measures.histogram import ExponentHistogram, edges
from pellucid.measures.intervals import holm, hypergeometric_tail, mean_interval, wilson
from pellucid.measures.predictions import columns_of, log_softmax
from pellucid.types import Batch, Observation

CLASSES = 7
Floats = NDArray[np.float64]
quick = settings(max_examples=60, deadline=None, derandomize=True, database=None)


def scored(number: int = 600, seed: int = 0, wrong: float = 1.5) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """Logits that are often right, and their targets."""
    generator = np.random.default_rng(seed)
    targets = generator.integers(CLASSES, size=number)
    logits = generator.normal(size=(number, CLASSES)) * wrong
    logits[np.arange(number), targets] += 2.0
    return logits.astype(np.float32), targets


def observed(lens: Lens, logits: NDArray[np.float32], targets: NDArray[np.int64]) -> Any:
    columns = columns_of(logits, targets, task="classification")
    batch = Batch(0, tuple(str(row) for row in range(len(logits))), torch.zeros(len(logits), 1))
    lens.observe(Observation("sweep", batch, outputs=torch.from_numpy(logits), columns=columns))
    return lens.report()


CONTEXT = LensContext(tuple("abcdefg"), "classification")


# --- predictions ------------------------------------------------------------------------------------------------


def test_the_loss_of_each_example_is_the_cross_entropy_of_torch() -> None:
    logits, targets = scored()
    logits[0] *= 300  # a loss of hundreds of nats
    columns = columns_of(logits, targets, task="classification")
    expected = torch.nn.functional.cross_entropy(
        torch.from_numpy(logits).double(), torch.from_numpy(targets), reduction="none"
    )
    np.testing.assert_allclose(columns["loss"], expected.numpy(), rtol=1e-12, atol=1e-14)
    report = observed(LossLens(CONTEXT), logits, targets)
    assert report.mean == pytest.approx(float(expected.mean()), rel=1e-12)
    for entry in report.by_class:
        own = expected.numpy()[targets == entry.index]
        assert (entry.count, entry.mean) == (len(own), pytest.approx(own.mean(), rel=1e-12))
        assert entry.share == pytest.approx(own.sum() / float(expected.sum()), rel=1e-12)
    low, high = stats.t.interval(0.95, len(targets) - 1, float(expected.mean()), stats.sem(expected.numpy()))
    assert (report.interval.low, report.interval.high) == (pytest.approx(low), pytest.approx(high))


def test_confidence_entropy_margin_rank_and_top_classes_are_those_of_plain_loops() -> None:
    logits, targets = scored(120)
    columns = columns_of(logits, targets, task="classification", top_k=3)
    for row in range(len(logits)):
        values = [float(value) for value in logits[row]]
        total = sum(math.exp(value) for value in values)
        probabilities = [math.exp(value) / total for value in values]
        order = sorted(range(CLASSES), key=lambda index: (-values[index], index))
        assert columns["prediction"][row] == order[0]
        assert columns["rank"][row] == order.index(int(targets[row]))
        assert columns["confidence"][row] == pytest.approx(probabilities[order[0]], rel=1e-6)
        assert columns["margin"][row] == pytest.approx(probabilities[order[0]] - probabilities[order[1]], rel=1e-5)
        entropy = -sum(probability * math.log(probability) for probability in probabilities)
        assert columns["entropy"][row] == pytest.approx(entropy, rel=1e-5)
        assert columns["top_classes"][row].tolist() == order[:3]
        wanted = [probabilities[one] for one in order[:3]]
        assert columns["top_probabilities"][row].tolist() == pytest.approx(wanted, rel=1e-6)


tied = arrays.arrays(
    np.float32,
    st.tuples(st.integers(1, 6), st.integers(2, 5)),
    elements=st.sampled_from([0.0, 1.0, -1.0, 1e-30, -1e-30, 1e-9, 3e38, -3e38, 200.0, 200.00002]),
)


@quick
@given(logits=tied, seed=st.integers(0, 5))
def test_rank_zero_means_that_the_prediction_is_the_target_even_among_equals(
    logits: NDArray[np.float32], seed: int
) -> None:
    targets = np.random.default_rng(seed).integers(logits.shape[1], size=len(logits))
    columns = columns_of(logits, targets, task="classification")
    for row, target in enumerate(targets):
        order = sorted(range(logits.shape[1]), key=lambda index: (-float(logits[row, index]), index))
        assert columns["prediction"][row] == order[0]
        assert columns["rank"][row] == order.index(target)
        assert (columns["rank"][row] == 0) == (columns["prediction"][row] == target)
    assert np.isfinite(columns["loss"]).all()
    for name in ("loss", "margin", "entropy"):
        assert not np.signbit(columns[name]).any()  # not even of a zero, which would be shown as -0


def test_logits_that_are_not_finite_have_no_numbers_and_spoil_no_other_example() -> None:
    logits, targets = scored(9)
    clean = columns_of(logits, targets, task="classification")
    for row, value in ((1, np.nan), (4, np.inf), (7, -np.inf)):
        logits[row, 3] = value
    columns = columns_of(logits, targets, task="classification")
    bad = [1, 4, 7]
    good = [row for row in range(9) if row not in bad]
    assert np.flatnonzero(columns["nonfinite"]).tolist() == bad
    for name in ("loss", "confidence", "entropy", "margin"):
        assert np.isnan(columns[name][bad]).all()
        np.testing.assert_array_equal(columns[name][good], clean[name][good])
    assert columns["prediction"][bad].tolist() == columns["rank"][bad].tolist() == [-1] * 3
    assert (columns["top_classes"][bad] == -1).all()
    assert np.isnan(columns["top_probabilities"][bad]).all()


def test_an_example_without_target_has_no_loss_and_no_rank_but_a_prediction() -> None:
    logits, targets = scored(6)
    clean = columns_of(logits, targets, task="classification")
    targets = targets.copy()
    targets[2] = -1
    for given_targets in (targets, None):
        columns = columns_of(logits, given_targets, task="classification")
        assert math.isnan(columns["loss"][2])
        assert columns["rank"][2] == -1
        np.testing.assert_array_equal(columns["prediction"], clean["prediction"])
        np.testing.assert_array_equal(columns["confidence"], clean["confidence"])


def test_probabilities_add_up_to_one_however_large_the_logits() -> None:
    logits = np.array([[1e30, 1e30, -1e30], [-3e38, 3e38, 0], [1e-40, 0, -1e-40]], np.float32)
    scores = log_softmax(logits)
    np.testing.assert_allclose(np.exp(scores.log_probabilities).sum(axis=1), 1.0, rtol=1e-12)


def test_the_loss_of_a_regression_is_the_squared_error_of_each_example() -> None:
    outputs = np.array([[1.5], [np.nan], [-2.0], [0.0]], np.float32)
    targets = np.array([1.0, 2.0, np.nan, 1e30])
    columns = columns_of(outputs, targets, task="regression")
    np.testing.assert_allclose(columns["loss"], [0.25, np.nan, np.nan, 1e60])
    assert columns["nonfinite"].tolist() == [False, True, False, False]


# --- accuracy and confusion -------------------------------------------------------------------------------------


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
            found[true, predicted] = float(share * errors), float(stats.fisher_exact(table, "greater").pvalue)
    return found


def plain_holm(values: list[float], tests: int) -> list[float]:
    adjusted = [0.0] * len(values)
    running = 0.0
    for place, index in enumerate(sorted(range(len(values)), key=lambda one: values[one])):
        running = max(running, min(1.0, values[index] * (tests - place)))
        adjusted[index] = running
    return adjusted


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


def test_a_pair_that_is_planted_is_found_first() -> None:
    generator = np.random.default_rng(1)
    matrix = np.diag(np.full(CLASSES, 100)) + generator.poisson(2, size=(CLASSES, CLASSES))
    matrix[2, 5] += 20
    rows, columns = matrix.nonzero()
    findings = ConfusionLens(CONTEXT, rows, columns, matrix[rows, columns]).report().findings
    assert [finding.selection for finding in findings] == [{"true": "2", "predicted": "5"}]
    assert findings[0].sentence.startswith("c is taken for f: ")


# --- calibration ------------------------------------------------------------------------------------------------


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


# --- intervals --------------------------------------------------------------------------------------------------


@quick
@given(trials=st.integers(1, 10_000), share=st.floats(0, 1), level=st.sampled_from([0.5, 0.9, 0.95, 0.99]))
def test_the_interval_of_a_share_is_the_score_interval_of_scipy(trials: int, share: float, level: float) -> None:
    successes = round(share * trials)
    interval = wilson(successes, trials, level)
    expected = stats.binomtest(successes, trials).proportion_ci(level, method="wilson")
    assert interval.low == pytest.approx(expected.low, abs=1e-12)
    assert interval.high == pytest.approx(expected.high, abs=1e-12)
    assert 0 <= interval.low <= successes / trials <= interval.high <= 1
    assert (interval.level, interval.method) == (level, "wilson")


def test_no_trials_have_no_interval() -> None:
    assert wilson(0, 0) is None


@pytest.mark.parametrize("trials", [40, 200, 1000])
@pytest.mark.parametrize("probability", [0.1, 0.3, 0.5, 0.83])
def test_the_interval_of_a_share_covers_it_as_often_as_promised(trials: int, probability: float) -> None:
    generator = np.random.default_rng(trials)
    draws = generator.binomial(trials, probability, size=20_000)
    intervals = {int(successes): wilson(int(successes), trials) for successes in np.unique(draws)}
    covered = {successes: one.low <= probability <= one.high for successes, one in intervals.items()}
    assert 0.935 <= np.mean([covered[int(draw)] for draw in draws]) <= 0.965


@quick
@given(values=st.lists(st.floats(-1e3, 1e3, width=32), min_size=2, max_size=30), level=st.sampled_from([0.9, 0.95]))
def test_the_interval_of_a_mean_is_that_of_student_in_scipy(values: list[float], level: float) -> None:
    mean = sum(values) / len(values)
    interval = mean_interval(len(values), sum(values), sum((value - mean) ** 2 for value in values), level)
    half = stats.t.ppf(0.5 + level / 2, len(values) - 1) * stats.sem(values)
    assert interval.low == pytest.approx(mean - half, rel=1e-9, abs=1e-9)
    assert interval.high == pytest.approx(mean + half, rel=1e-9, abs=1e-9)
    assert interval.method == "t"


def test_one_value_has_no_interval() -> None:
    assert mean_interval(1, 3.0, 0.0) is None


def test_rounding_below_zero_makes_no_interval_of_a_mean_fail() -> None:
    interval = mean_interval(5, 5.0, -1e-18)
    assert (interval.low, interval.high) == (1.0, 1.0)


@quick
@given(population=st.integers(1, 90), marked=st.integers(0, 60), drawn=st.integers(0, 60), hits=st.integers(0, 60))
def test_the_hypergeometric_tail_is_that_of_scipy(population: int, marked: int, drawn: int, hits: int) -> None:
    marked, drawn = min(marked, population), min(drawn, population)
    expected = float(stats.hypergeom.sf(hits - 1, population, marked, drawn))
    assert hypergeometric_tail(hits, drawn, marked, population) == pytest.approx(expected, rel=1e-9, abs=1e-300)


@quick
@given(values=st.lists(st.floats(0, 1), max_size=12), more=st.integers(0, 20))
def test_holm_is_the_loop_of_its_paper(values: list[float], more: int) -> None:
    tests = len(values) + more
    np.testing.assert_allclose(holm(np.array(values), tests), plain_holm(values, tests), rtol=1e-12)
    np.testing.assert_allclose(holm(np.array(values)), plain_holm(values, len(values)), rtol=1e-12)


# --- histograms -------------------------------------------------------------------------------------------------

anything = arrays.arrays(
    np.float32,
    st.integers(0, 60),
    elements=st.floats(width=32)
    | st.sampled_from([0.0, -0.0, 1.0, -1.0, 1e-45, -1e-45, 3.4028235e38, np.inf, -np.inf]),
)


def plain_bins(values: NDArray[np.float32]) -> tuple[dict[int, int], list[int]]:
    """Sign, octave and quarter of the octave from the value itself, not from its bits."""
    bins: dict[int, int] = {}
    special = [0, 0, 0, 0]
    for value in map(float, values):
        if value == 0 or not math.isfinite(value):
            special[0 if value == 0 else 1 if math.isnan(value) else 2 if value > 0 else 3] += 1
            continue
        mantissa, exponent = math.frexp(abs(value))  # abs(value) = mantissa * 2**exponent, 0.5 <= mantissa < 1
        octave = exponent + 126  # the exponent bits of a float32
        quarter = int((mantissa - 0.5) * 8)
        if octave <= 0:  # subnormal: no leading one, quarters of the lowest octave
            octave, quarter = 0, int(abs(value) / 2.0**-126 * 4)
        number = (1024 if value < 0 else 0) + octave * 4 + quarter
        bins[number] = bins.get(number, 0) + 1
    return bins, special


def as_plain(counted: ExponentHistogram) -> tuple[dict[int, int], list[int]]:
    return {int(one): int(counted.counts[one]) for one in np.flatnonzero(counted.counts)}, counted.special.tolist()


@quick
@given(values=anything)
def test_a_value_is_in_the_bin_of_its_sign_octave_and_quarter(values: NDArray[np.float32]) -> None:
    expected = plain_bins(values)
    assert as_plain(histogram.of(values)) == expected
    assert as_plain(histogram.of_tensor(torch.from_numpy(values))) == expected


@quick
@given(values=anything, cut=st.integers(0, 60))
def test_histograms_merge_exactly_and_hold_every_value(values: NDArray[np.float32], cut: int) -> None:
    merged = histogram.of(values[:cut])
    merged.merge(histogram.of_tensor(torch.from_numpy(values[cut:].copy())))
    whole = histogram.of(values)
    assert as_plain(merged) == as_plain(whole)
    assert whole.total == len(values)
    stored = whole.to_schema()
    assert sum(stored.counts) + stored.zero + stored.nan + stored.positive_infinite + stored.negative_infinite == len(
        values
    )


@quick
@given(values=anything)
def test_the_bounds_of_a_bin_contain_its_values_in_order_and_bound_their_moments(values: NDArray[np.float32]) -> None:
    finite = values[np.isfinite(values)]
    stored = histogram.of(finite).to_schema()
    bounds = [edges(one) for one in stored.bins]
    assert all(low < high for low, high in bounds)
    assert bounds == sorted(bounds)
    for value in map(float, finite[finite != 0]):
        inside = [low <= value < high if value > 0 else low < value <= high for low, high in bounds]
        assert inside.count(True) == 1
    for power in (1, 2):
        total = math.fsum(float(value) ** power for value in finite)
        ends = [sorted((low**power, high**power)) for low, high in bounds if max(abs(low), abs(high)) < math.inf]
        if len(ends) == len(bounds):
            lowest = math.fsum(count * low for count, (low, _) in zip(stored.counts, ends, strict=True))
            highest = math.fsum(count * high for count, (_, high) in zip(stored.counts, ends, strict=True))
            assert lowest <= total <= highest


def test_all_bins_together_are_the_floats_without_gap_or_overlap() -> None:
    positive = [edges(one) for one in range(255 * 4)]
    assert positive[0][0] == 0.0
    assert positive[-1][1] == math.inf
    assert all(one[1] == other[0] for one, other in pairwise(positive))
    assert [edges(1024 + one) for one in range(255 * 4)] == [(-high, -low) for low, high in positive]
    # Four bins an octave, equally wide.
    assert [edges(4 * 127 + quarter)[0] for quarter in range(5)] == [1.0, 1.25, 1.5, 1.75, 2.0]


def test_a_large_tensor_is_counted_on_several_threads_as_by_one() -> None:
    values = torch.randn(700_001, generator=torch.Generator().manual_seed(0))
    values[::1000] = 0
    threads = torch.get_num_threads()
    counted = []
    try:
        for number in (1, 2):
            torch.set_num_threads(number)
            counted.append(as_plain(histogram.of_tensor(values)))
    finally:
        torch.set_num_threads(threads)
    assert counted == [as_plain(histogram.of(values.numpy()))] * 2


def test_negative_nan_and_strided_and_wide_values_are_counted_as_what_they_are() -> None:
    nan = np.array([0xFFC00001, 0x7F800001], np.uint32).view(np.float32)
    assert as_plain(histogram.of(nan)) == ({}, [0, 2, 0, 0])
    assert as_plain(histogram.of_tensor(torch.from_numpy(nan))) == ({}, [0, 2, 0, 0])
    grid = torch.arange(12, dtype=torch.float64).reshape(3, 4)
    assert as_plain(histogram.of_tensor(grid.T[1:])) == plain_bins(grid.numpy().T[1:].reshape(-1).astype(np.float32))
    # Beyond float32 is infinite in it.
    assert as_plain(histogram.of(np.array([1e300, -1e300, 1e-300]))) == ({}, [1, 0, 1, 1])
    assert as_plain(histogram.of_tensor(torch.tensor([1e300, -1e300, 1e-300]).double())) == ({}, [1, 0, 1, 1])
    assert as_plain(histogram.of_tensor(torch.tensor([True, False]))) == plain_bins(np.array([1, 0], np.float32))
    half = torch.tensor([1.5, -6e4, 6e-8], dtype=torch.float16)
    assert as_plain(histogram.of_tensor(half)) == plain_bins(half.float().numpy())
