"""What is worked out of each example's scores, against torch and plain loops."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from numpy.typing import NDArray
from scipy import stats

from pellucid.lenses.loss import LossLens
from pellucid.measures.predictions import columns_of, log_softmax
from support.counted import CLASSES, CONTEXT, observed, quick, scored


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
