"""Parameter gradients against closed forms in float64, a plain loop of autograd, and simulations whose truth is known."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from scipy import stats
from torch import Tensor, nn

from pellucid.capture.per_example import PerExample
from pellucid.measures.intervals import benjamini_hochberg
from pellucid.measures.parameter_gradients import (
    LEAST,
    MOST_CLASSES,
    agreement,
    class_products,
    noise_scale,
    permuted,
    sample,
)

Floats = NDArray[np.float64]


def cross_entropy(output: Any, target: Tensor) -> Tensor:
    return nn.functional.cross_entropy(output, target)


def drawn(
    seed: int, sizes: tuple[int, ...], width: int = 12, noise: float = 1.0
) -> tuple[Floats, NDArray[np.int64], Floats]:
    """Gradients about a mean for each class, their classes and the means."""
    random = np.random.default_rng(seed)
    means = random.normal(size=(len(sizes), width))
    labels = np.repeat(np.arange(len(sizes)), sizes)
    return means[labels] + noise * random.normal(size=(len(labels), width)), labels, means


def test_the_gradient_of_a_linear_softmax_is_its_closed_form() -> None:
    """d loss / d W = (p - y) x^T and d loss / d b = p - y: in float64, to 1e-12."""
    torch.manual_seed(0)
    model = nn.Linear(7, 4).double()
    inputs, targets = torch.randn(9, 7, dtype=torch.float64), torch.arange(9) % 4
    with torch.no_grad():
        error = torch.softmax(inputs @ model.weight.T + model.bias, 1) - nn.functional.one_hot(targets, 4)
    for way in ("vmap", "loop"):
        with PerExample(model, cross_entropy, way=way) as learner:
            chunks = list(learner.of(inputs, targets))
        weight = torch.cat([chunk.gradients["weight"] for chunk in chunks])
        torch.testing.assert_close(weight, error[:, :, None] * inputs[:, None, :], rtol=1e-12, atol=1e-14)
        bias = torch.cat([chunk.gradients["bias"] for chunk in chunks])
        torch.testing.assert_close(bias, error, rtol=1e-12, atol=1e-14)


def test_norms_of_a_network_are_those_of_outer_products_by_hand() -> None:
    """Of a linear layer the squared norm is |x|^2 |delta|^2 (Goodfellow 2015), from one backward over the whole batch."""
    torch.manual_seed(1)
    first, second = nn.Linear(6, 5).double(), nn.Linear(5, 3).double()
    inputs, targets = torch.randn(8, 6, dtype=torch.float64), torch.arange(8) % 3
    before = first(inputs)
    hidden = torch.relu(before)
    after = second(hidden)
    deltas = torch.autograd.grad(nn.functional.cross_entropy(after, targets, reduction="sum"), [before, after])
    with PerExample(nn.Sequential(first, nn.ReLU(), second), cross_entropy, most=3) as learner:
        chunks = list(learner.of(inputs, targets))
    for name, seen, delta in (("0.weight", inputs, deltas[0]), ("2.weight", hidden, deltas[1])):
        found = torch.cat([chunk.gradients[name] for chunk in chunks]).flatten(1).norm(dim=1)
        torch.testing.assert_close(found, seen.norm(dim=1) * delta.norm(dim=1), rtol=1e-10, atol=1e-12)


def test_products_of_classes_leave_out_an_example_with_itself() -> None:
    gradients, labels, _ = drawn(0, (5, 4, 7))
    found = class_products(gradients @ gradients.T, labels, 3)
    for one in range(3):
        for other in range(3):
            pairs = [
                float(gradients[i] @ gradients[j])
                for i in np.flatnonzero(labels == one)
                for j in np.flatnonzero(labels == other)
                if i != j
            ]
            assert found.inner[one, other] == pytest.approx(np.mean(pairs), rel=1e-12)
    lengths = np.sqrt(np.diag(found.inner))
    np.testing.assert_allclose(found.cosine, np.clip(found.inner / np.outer(lengths, lengths), -1, 1), rtol=1e-12)
    assert np.array_equal(found.cosine, found.cosine.T)


def test_the_noise_scale_of_one_class_is_the_formula_of_mccandlish() -> None:
    gradients, labels, _ = drawn(1, (40,), noise=2.0)
    gram = gradients @ gradients.T
    found = noise_scale(gram, np.diag(gram), labels, np.ones(1), 40)
    number, mean = len(gradients), gradients.mean(0)
    s, m = float((gradients**2).sum(1).mean()), float(mean @ mean)
    assert found.trace == pytest.approx(number / (number - 1) * (s - m), rel=1e-12)
    assert found.trace == pytest.approx(np.trace(np.cov(gradients.T)), rel=1e-12)
    assert found.squared_mean == pytest.approx((number * m - s) / (number - 1), rel=1e-12)
    assert found.scale == pytest.approx(found.trace / found.squared_mean, rel=1e-12)
    assert found.low is not None
    assert found.low < found.scale


def test_the_noise_scale_weighs_classes_that_were_sampled_apart() -> None:
    """Nine of ten examples are of one class, but the sample holds as many of each: the truth is still found."""
    random = np.random.default_rng(2)
    means = np.array([[1.0, 0.0, 0.0], [0.0, 2.0, 0.0]])
    shares = np.array([0.9, 0.1])
    labels = np.repeat([0, 1], 30)
    mean = shares @ means
    truth = 3 * 0.25 + float(shares @ ((means - mean) ** 2).sum(1))
    traces, squares = [], []
    for _ in range(400):
        gradients = means[labels] + 0.5 * random.normal(size=(60, 3))
        gram = gradients @ gradients.T
        found = noise_scale(gram, np.diag(gram), labels, shares, np.inf)
        traces.append(found.trace)
        squares.append(found.squared_mean)
    assert np.mean(traces) == pytest.approx(truth, abs=4 * np.std(traces) / 20)
    assert np.mean(squares) == pytest.approx(float(mean @ mean), abs=4 * np.std(squares) / 20)


def test_chance_in_the_shares_of_few_examples_does_not_lengthen_the_mean() -> None:
    """Class means cancel nearly, as at a minimum: shares of 60 examples that are a little off leave much of them."""
    random = np.random.default_rng(7)
    shares, means = np.array([0.2, 0.3, 0.5]), random.normal(size=(3, 10))
    means += 0.1 - shares @ means
    mean = shares @ means
    truth = 10.0 + float(shares @ ((means - mean) ** 2).sum(1))
    squares, traces, held, rounds = [], [], 0, 400
    for _ in range(rounds):
        labels = random.choice(3, 60, p=shares)
        counts = np.bincount(labels, minlength=3)
        if counts.min() < LEAST:
            continue
        gradients = means[labels] + random.normal(size=(60, 10))
        gram = gradients @ gradients.T
        found = noise_scale(gram, np.diag(gram), labels, counts / 60, 60)
        squares.append(found.squared_mean)
        traces.append(found.trace)
        held += (found.low or 0.0) <= truth / float(mean @ mean) <= (found.high or np.inf)
    assert np.mean(squares) == pytest.approx(float(mean @ mean), abs=4 * np.std(squares) / 20)
    assert np.mean(traces) == pytest.approx(truth, abs=4 * np.std(traces) / 20)
    assert held / len(squares) > 0.93


def test_a_mean_lost_in_noise_has_no_noise_scale_but_a_least_one() -> None:
    random = np.random.default_rng(3)
    undefined = 0
    for _ in range(60):
        gradients = random.normal(size=(16, 50))
        gram = gradients @ gradients.T
        found = noise_scale(gram, np.diag(gram), np.zeros(16, np.int64), np.ones(1), 16)
        undefined += found.scale is None
        assert found.high is None or found.scale is not None
        if found.scale is None:
            assert found.squared_mean <= 0
            assert found.low is None or found.low > 0
    assert 20 < undefined < 50


@pytest.mark.parametrize("heavy", [False, True])
def test_intervals_hold_the_truth_as_often_as_they_say(heavy: bool) -> None:
    """Coverage of 95% intervals of the cosine and of the noise scale, with normal and with heavy-tailed noise."""
    random = np.random.default_rng(4)
    width, size, rounds = 20, 20, 300
    means = random.normal(size=(2, width))
    means[1] = 0.8 * means[1] - 0.5 * means[0]
    truth = float(means[0] @ means[1]) / float(np.linalg.norm(means[0]) * np.linalg.norm(means[1]))
    labels = np.repeat([0, 1], size)
    variance = 3.0 if heavy else 1.0  # of Student's t with 3 degrees of freedom
    between = float(((means[0] - means[1]) ** 2).sum()) / 4
    scale = (variance * width + between) / float((means.mean(0) ** 2).sum())
    held = {"cosine": 0, "scale": 0}
    for _ in range(rounds):
        noise = random.standard_t(3, (2 * size, width)) if heavy else random.normal(size=(2 * size, width))
        gradients = means[labels] + noise
        gram = gradients @ gradients.T
        found = class_products(gram, labels, 2)
        held["cosine"] += found.low[0, 1] <= truth <= found.high[0, 1]
        noisy = noise_scale(gram, np.diag(gram), labels, np.full(2, 0.5), np.inf)
        held["scale"] += (noisy.low or 0.0) <= scale <= (noisy.high or np.inf)
    assert held["cosine"] / rounds > 0.91
    assert held["scale"] / rounds > 0.91


def test_classes_that_are_orthogonal_are_told_to_pull_apart_no_oftener_than_chance() -> None:
    random = np.random.default_rng(5)
    means = np.zeros((2, 30))
    means[0, :5], means[1, 5:10] = 1.0, 1.0
    labels = np.repeat([0, 1], 12)
    p_values = []
    for _ in range(400):
        gradients = means[labels] + random.normal(size=(24, 30))
        p_values.append(class_products(gradients @ gradients.T, labels, 2).p_value[0, 1])
    assert np.mean(np.array(p_values) < 0.05) < 0.08
    assert stats.kstest(p_values, "uniform").pvalue > 1e-4
    opposed = -means[0] * (labels == 1)[:, None] + means[0] * (labels == 0)[:, None]
    gradients = opposed + random.normal(size=(24, 30))
    found = class_products(gradients @ gradients.T, labels, 2)
    assert found.high[0, 1] < 0
    assert found.p_value[0, 1] < 1e-3


def test_the_permutation_test_tells_whether_the_name_of_the_class_matters() -> None:
    random = np.random.default_rng(6)
    labels = np.repeat([0, 1, 2], 10)
    means = np.zeros((3, 8))
    means[2] = 1.5
    below = []
    for turn in range(120):
        gradients = means[labels] + random.normal(size=(30, 8))
        found = permuted(gradients @ gradients.T, labels, 3, turn, rounds=99)
        assert found[0, 2] <= 0.02
        assert np.isnan(found[0, 0])
        below.append(found[0, 1] <= 0.1)
    assert 0.03 < np.mean(below) < 0.18


def test_the_agreement_of_an_example_is_with_the_others_of_its_class() -> None:
    gradients, labels, _ = drawn(7, (4, 6))
    found = agreement(gradients @ gradients.T, labels, 2)
    for place, gradient in enumerate(gradients):
        others = gradients[(labels == labels[place]) & (np.arange(len(labels)) != place)].mean(0)
        expected = gradient @ others / np.linalg.norm(gradient) / np.linalg.norm(others)
        assert found[place] == pytest.approx(expected, rel=1e-10)
    gradients[0] = 0
    assert np.isnan(agreement(gradients @ gradients.T, labels, 2)[0])


def test_the_order_of_examples_changes_nothing() -> None:
    gradients, labels, _ = drawn(8, (6, 5, 9))
    order = np.random.default_rng(8).permutation(len(labels))
    shares = np.array([0.2, 0.3, 0.5])
    gram, other = gradients @ gradients.T, gradients[order] @ gradients[order].T
    one, two = class_products(gram, labels, 3), class_products(other, labels[order], 3)
    for name in ("inner", "cosine", "low", "high", "p_value"):
        np.testing.assert_allclose(getattr(one, name), getattr(two, name), rtol=1e-9, equal_nan=True)
    first = noise_scale(gram, np.diag(gram), labels, shares, np.inf)
    second = noise_scale(other, np.diag(other), labels[order], shares, np.inf)
    assert first.trace == pytest.approx(second.trace, rel=1e-12)
    assert first.low == pytest.approx(second.low, rel=1e-9)


def test_the_false_discovery_rate_is_that_of_scipy() -> None:
    random = np.random.default_rng(9)
    p_values = random.uniform(size=(4, 6)) ** 3
    p_values[2, 1] = np.nan
    known = np.isfinite(p_values)
    np.testing.assert_allclose(benjamini_hochberg(p_values)[known], stats.false_discovery_control(p_values[known]))
    assert np.isnan(benjamini_hochberg(p_values)[2, 1])


def test_the_sample_holds_as_many_of_each_class_as_can_be() -> None:
    targets = np.random.default_rng(10).permutation(np.repeat([-1, 0, 1, 2, 3], [50, 200, 30, 9, LEAST - 1]))
    rows = sample(targets, 64, 0)
    assert list(np.diff(rows) > 0) == [True] * (len(rows) - 1)
    assert np.unique(targets[rows], return_counts=True)[0].tolist() == [0, 1, 2]
    counts = np.bincount(targets[rows])
    assert counts[2] == 9
    assert counts[0] == counts[1] > 9
    assert 60 <= len(rows) <= 64
    assert np.array_equal(rows, sample(targets, 64, 0))
    assert not np.array_equal(rows, sample(targets, 64, 1))
    many = np.repeat(np.arange(300), 5)
    chosen = sample(many, 64, 0)
    assert np.bincount(many[chosen])[np.unique(many[chosen])].min() >= LEAST
    assert len(chosen) == 64
    # A class of four says little of its pairs: beyond so many classes, more of each.
    several = sample(many, 256, 0)
    assert np.bincount(many[several])[np.unique(many[several])].tolist() == [5] * MOST_CLASSES
    assert len(sample(np.full(10, -1), 64, 0)) == 0
