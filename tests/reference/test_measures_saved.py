"""The columns of saved predictions against scikit-learn, scipy, and the columns of the logits they came from."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from numpy.typing import NDArray
from scipy import special, stats
from sklearn import metrics

from pellucid.measures import confusion, predictions
from pellucid.measures.binned import binned, sure_counts
from pellucid.measures.calibration import FINE, bin_of
from pellucid.measures.confusion import SparseCounts, added_square, confused_pairs, of_square, square_counts
from pellucid.measures.predictions import columns_of
from pellucid.measures.saved import (
    LogProbabilities,
    columns_of_classes,
    columns_of_probabilities,
    log_probabilities,
)
from pellucid.measures.strongest import rank_of, strongest
from support.saved import answered, softmax

quick = settings(max_examples=60, deadline=None, derandomize=True, database=None)
NUMBERS = ("loss", "confidence", "entropy", "margin", "top_probabilities", "brier")
INDICES = ("target", "prediction", "rank", "top_classes", "nonfinite")


def test_probabilities_have_the_columns_of_the_logits_that_they_came_from() -> None:
    logits, targets = answered(500, 12)
    exact = special.softmax(logits.astype(np.float64), axis=1)
    of_logits = columns_of(logits, targets, task="classification")
    of_probabilities = columns_of_probabilities(exact, targets)
    assert of_logits.keys() == of_probabilities.keys()
    for name in INDICES:
        np.testing.assert_array_equal(of_logits[name], of_probabilities[name])
    for name in NUMBERS:
        np.testing.assert_allclose(of_probabilities[name], of_logits[name], rtol=1e-6, atol=1e-12, err_msg=name)
    np.testing.assert_allclose(of_probabilities["loss"], of_logits["loss"], rtol=1e-12, atol=1e-14)


def test_loss_entropy_and_every_top_k_are_those_of_scikit_learn_and_scipy() -> None:
    logits, targets = answered(400, 9)
    saved = softmax(logits)
    columns = columns_of_probabilities(saved, targets, top_k=9)
    normalised = saved.astype(np.float64) / saved.sum(axis=1, dtype=np.float64, keepdims=True)
    assert np.mean(columns["loss"]) == pytest.approx(metrics.log_loss(targets, normalised), rel=1e-12)
    np.testing.assert_allclose(columns["entropy"], stats.entropy(normalised, axis=1), rtol=1e-6)
    for k in range(1, 9):
        share = metrics.top_k_accuracy_score(targets, normalised, k=k, labels=range(9))
        assert np.mean(columns["rank"] < k) == pytest.approx(share, abs=1e-15), k
    order = np.argsort(-saved, axis=1, kind="stable")
    np.testing.assert_array_equal(columns["top_classes"], order)
    np.testing.assert_allclose(columns["top_probabilities"], np.take_along_axis(normalised, order, axis=1), rtol=1e-6)


def test_rows_are_divided_by_their_sum() -> None:
    one = columns_of_probabilities(np.array([[0.5, 0.25, 0.25]]), np.array([1]))
    other = columns_of_probabilities(np.array([[1.0, 0.5, 0.5]]), np.array([1]))
    for name, values in one.items():
        np.testing.assert_array_equal(values, other[name], err_msg=name)
    assert one["loss"][0] == pytest.approx(math.log(4), rel=1e-15)
    assert one["brier"][0] == pytest.approx(0.5**2 + 0.75**2 + 0.25**2, rel=1e-15)


def test_a_target_without_any_probability_has_an_infinite_loss_and_a_rank() -> None:
    columns = columns_of_probabilities(np.array([[1.0, 0.0, 0.0], [0.0, 1.0, 0.0]]), np.array([2, 1]))
    assert columns["loss"].tolist() == [math.inf, 0.0]
    assert columns["rank"].tolist() == [2, 0]
    assert columns["entropy"].tolist() == [0.0, 0.0]
    assert columns["confidence"].tolist() == columns["margin"].tolist() == [1.0, 1.0]
    assert not np.signbit(columns["loss"]).any()


def test_log_probabilities_stand_for_logits() -> None:
    saved = softmax(answered(50, 5)[0])
    saved[0] = [1, 0, 0, 0, 0]
    logits = log_probabilities(saved)
    assert logits[0].tolist() == [0.0, *[-math.inf] * 4]
    np.testing.assert_allclose(special.softmax(logits, axis=1), saved / saved.sum(axis=1, keepdims=True), rtol=1e-6)


def test_rows_that_are_not_finite_have_no_numbers_and_spoil_no_other() -> None:
    saved, targets = softmax(answered(8, 3)[0]), np.arange(8) % 3
    clean = columns_of_probabilities(saved, targets)
    saved[2, 1] = np.nan
    columns = columns_of_probabilities(saved, targets)
    assert columns["nonfinite"].tolist() == [row == 2 for row in range(8)]
    for name, values in columns.items():
        kept = np.delete(values, 2, axis=0), np.delete(clean[name], 2, axis=0)
        np.testing.assert_array_equal(*kept, err_msg=name)
    assert np.isnan(columns["loss"][2])
    assert (columns["prediction"][2], columns["rank"][2], columns["top_classes"][2, 0]) == (-1, -1, -1)


def test_predicted_classes_alone_say_what_is_right_and_nothing_of_how_sure() -> None:
    columns = columns_of_classes(np.array([0, 1, 2, -1]), np.array([0, 2, -1, 1]))
    assert columns["prediction"].tolist() == [0, 1, 2, -1]
    assert columns["rank"].tolist() == [0, -1, -1, -1]
    assert columns["nonfinite"].tolist() == [False, False, False, True]
    for name in ("loss", "confidence", "entropy", "margin"):
        assert np.isnan(columns[name]).all()


def test_what_was_saved_beside_a_class_is_taken_at_its_word() -> None:
    beside = {
        "confidence": np.array([0.9, np.nan, 0.5]),
        "rank": np.array([0.0, 3.0, np.nan]),
        "loss": np.array([0.1, 2.5, 1.0]),
    }
    columns = columns_of_classes(np.array([4, 4, 4]), np.array([4, 1, -1]), beside)
    assert columns["rank"].tolist() == [0, 3, -1]
    np.testing.assert_array_equal(columns["loss"], [0.1, 2.5, np.nan])  # none without a target
    np.testing.assert_allclose(columns["confidence"], [0.9, np.nan, 0.5])


scores = arrays.arrays(
    np.float32,
    st.tuples(st.integers(1, 7), st.integers(2, 9)),
    elements=st.sampled_from([0.0, 0.5, 0.25, 1.0, -1.0, -3e38, 3e38]),
)


@quick
@given(values=scores, most=st.integers(1, 12), seed=st.integers(0, 3))
def test_the_strongest_and_the_rank_are_those_of_a_stable_sort(
    values: NDArray[np.float32], most: int, seed: int
) -> None:
    order = np.argsort(-values, axis=1, kind="stable")
    np.testing.assert_array_equal(strongest(values, most), order[:, :most])
    targets = np.random.default_rng(seed).integers(values.shape[1], size=len(values))
    ranks = [list(row).index(target) for row, target in zip(order, targets, strict=True)]
    assert rank_of(values, targets).tolist() == ranks


def test_blocks_of_any_size_give_the_same_columns(monkeypatch: pytest.MonkeyPatch) -> None:
    logits, targets = answered(101, 6)
    logits[7, 2] = np.inf
    whole = columns_of(logits, targets, task="classification")
    for block in (1, 6, 40, 600):
        monkeypatch.setattr(predictions, "_BLOCK", block)
        for name, values in columns_of(logits, targets, task="classification").items():
            np.testing.assert_array_equal(values, whole[name], err_msg=name)


classes = st.integers(2, 90)


@quick
@given(data=st.data(), number=st.integers(0, 300), classes=classes, cuts=st.lists(st.integers(0, 300), max_size=4))
def test_confusions_are_the_same_integers_for_any_split_and_order(
    data: st.DataObject, number: int, classes: int, cuts: list[int]
) -> None:
    generator = np.random.default_rng(data.draw(st.integers(0, 2**16)))
    targets, called = generator.integers(-1, classes, (2, number))
    order = generator.permutation(number)
    total = SparseCounts()
    for part in np.split(order, sorted(min(cut, number) for cut in cuts)):
        total.merge(SparseCounts.of(targets[part], called[part]))
    known = (targets >= 0) & (called >= 0)
    matrix = np.zeros((classes, classes), np.int64)
    if known.any():
        matrix = metrics.confusion_matrix(targets[known], called[known], labels=range(classes))
    rows, columns = matrix.nonzero()
    assert total.rows.tolist() == rows.tolist()
    assert total.columns.tolist() == columns.tolist()
    assert total.counts.tolist() == matrix[rows, columns].tolist()


def test_a_million_classes_need_no_square_of_memory() -> None:
    targets = np.array([0, 999_999, 5, 999_999], np.int64)
    called = np.array([999_999, 0, 5, 0], np.int64)
    cells = SparseCounts.of(targets, called)
    cells.merge(SparseCounts.of(called, targets))
    assert cells.rows.tolist() == [0, 5, 999_999]
    assert cells.columns.tolist() == [999_999, 5, 0]
    assert cells.counts.tolist() == [3, 2, 3]


def test_the_pairs_farthest_above_chance_are_the_same_where_not_all_are_tested(monkeypatch: pytest.MonkeyPatch) -> None:
    generator = np.random.default_rng(3)
    targets = generator.integers(40, size=20_000)
    wrong = (targets + 1 + np.minimum(generator.geometric(0.2, 20_000), 38)) % 40
    cells = SparseCounts.of(targets, np.where(generator.random(20_000) < 0.5, targets, wrong))
    every = confused_pairs(cells, 40, most=30)
    assert np.count_nonzero(cells.counts >= confusion.LEAST_COUNT) > 200
    monkeypatch.setattr(confusion, "_TESTED", 100)
    assert confused_pairs(cells, 40, most=30) == every


@pytest.mark.parametrize("number", [0, 1, 40_000])
def test_sure_counts_are_those_of_the_fine_bins(number: int) -> None:
    generator = np.random.default_rng(5)
    confidences = generator.beta(3, 1, size=number).astype(np.float32)
    confidences[::7] = np.round(confidences[::7] * 15) / 15
    right = generator.random(number) < confidences
    found, wide = sure_counts(confidences, right, FINE), confidences.astype(np.float64)
    places = bin_of(wide, FINE)
    np.testing.assert_array_equal(found.counts, np.bincount(places, minlength=FINE))
    np.testing.assert_array_equal(found.correct, np.bincount(places[right], minlength=FINE))
    np.testing.assert_allclose(found.confidences, np.bincount(places, weights=wide, minlength=FINE), rtol=1e-12)
    assert found.variance == pytest.approx(float((wide * (1 - wide)).sum()), rel=1e-12)


@pytest.mark.parametrize("dtype", [np.int16, np.uint8, np.int64])
def test_binned_counts_as_bincount_does(dtype: type) -> None:
    places = np.random.default_rng(6).integers(0, 9, size=50_001).astype(dtype)
    np.testing.assert_array_equal(binned(places, 12), np.bincount(places, minlength=12))


def test_a_square_of_cells_holds_what_sparse_cells_do() -> None:
    generator = np.random.default_rng(7)
    targets, called = generator.integers(-1, 9, size=(2, 1000)).astype(np.int16)
    square = square_counts(targets, called, 9)
    assert square is not None
    found, expected = of_square(square), SparseCounts.of(targets, called)
    for name in ("rows", "columns", "counts"):
        np.testing.assert_array_equal(getattr(found, name), getattr(expected, name))
    assert square_counts(targets[:5], called[:5], 9) is None  # more cells than are worth it
    grown = added_square(square, np.ones((11, 11), np.int64))
    assert grown.sum() == square.sum() + 121
    np.testing.assert_array_equal(grown[:9, :9], square + 1)


def test_logarithms_that_wait_are_those_of_the_whole() -> None:
    probabilities = softmax(answered(20, 5)[0])
    probabilities[3, 2] = 0.0
    waiting, whole = LogProbabilities(probabilities), log_probabilities(probabilities)
    np.testing.assert_array_equal(np.asarray(waiting), whole)
    np.testing.assert_array_equal(waiting[[3, 4]], whole[[3, 4]])
    assert (waiting.shape, waiting.ndim, len(waiting)) == (whole.shape, 2, 20)
