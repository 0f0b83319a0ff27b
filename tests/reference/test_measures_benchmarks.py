"""Benchmarks of a loss against searches that know nothing of closed forms."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from scipy import optimize, stats

from pellucid.measures.benchmarks import (
    Made,
    best_constant,
    constant_costs,
    least_costs,
    of_classes,
    of_numbers,
    of_sets,
)
from pellucid.measures.losses import Loss, loss_named, own_loss

SHARES = np.array([0.5, 0.2, 0.2, 0.1])


def named(made: list[Made]) -> dict[str, float | None]:
    return {one.name: one.value for one in made}


def searched(loss: Loss, shares: Any) -> float:
    """The least mean loss of one row of scores for all, by a search without slopes."""
    labels = np.arange(len(shares))

    def cost(scores: Any) -> float:
        return float((shares * loss.of(np.repeat(scores[None], len(shares), axis=0), labels)).sum())

    starts = [np.zeros(len(shares)), np.log(shares), np.eye(len(shares))[0]]
    options = {"xatol": 1e-9, "fatol": 1e-13, "maxiter": 20_000, "maxfev": 20_000}
    return min(float(optimize.minimize(cost, start, method="Nelder-Mead", options=options).fun) for start in starts)


def test_the_plain_cross_entropy_is_compared_with_entropies() -> None:
    found = named(of_classes(loss_named("cross-entropy"), SHARES))
    assert found == {
        "uniform guess": pytest.approx(math.log(4), rel=1e-12),
        "class prior": pytest.approx(stats.entropy(SHARES), rel=1e-12),
    }
    assert searched(loss_named("cross-entropy"), SHARES) == pytest.approx(stats.entropy(SHARES), abs=1e-7)


@pytest.mark.parametrize(
    "spec",
    ["cross-entropy:smoothing=0.1", "cross-entropy:weights=1/2/0.5/3", "cross-entropy:smoothing=0.3,weights=1/2/0.5/3",
     "focal:gamma=2", "focal:gamma=0.5,weights=1/2/1/1", "hinge"],
)  # fmt: skip
def test_the_best_constant_is_what_a_search_finds(spec: str) -> None:
    loss = loss_named(spec)
    assert best_constant(loss, SHARES).value == pytest.approx(searched(loss, SHARES), abs=1e-6)
    found = named(of_classes(loss, SHARES))
    assert found["best constant"] is not None
    for name in ("uniform guess", "class prior"):
        assert (found[name] or 0) >= found["best constant"] - 1e-12


@pytest.mark.parametrize("shares", [[0.8, 0.1, 0.1], [0.4, 0.3, 0.3], [0.5, 0.5], [1.0, 0.0]])
def test_the_best_constant_of_the_hinge_follows_the_most_frequent_class(shares: list[float]) -> None:
    loss = loss_named("hinge")
    safe = np.array(shares)
    expected = searched(loss, np.where(safe > 0, safe, 1e-12))
    assert best_constant(loss, safe).value == pytest.approx(expected, abs=1e-6)


def test_the_focal_loss_of_gamma_zero_has_the_best_constant_of_the_cross_entropy() -> None:
    assert best_constant(loss_named("focal:gamma=0"), SHARES).value == pytest.approx(stats.entropy(SHARES), abs=1e-9)


def test_what_the_smoothed_cross_entropy_cannot_go_below() -> None:
    loss = loss_named("cross-entropy:smoothing=0.2")
    label = np.array([0.85, 0.05, 0.05, 0.05])
    least = named(of_classes(loss, SHARES))["least possible"]
    assert least == pytest.approx(stats.entropy(label), rel=1e-12)
    assert loss.of(np.log(label)[None], np.array([0]))[0] == pytest.approx(least, rel=1e-12)


@pytest.mark.parametrize(
    "spec", ["cross-entropy", "cross-entropy:smoothing=0.2", "cross-entropy:smoothing=0.2,weights=1/2/0/4"]
)
def test_what_a_cross_entropy_cannot_go_below_by_minimising_it(spec: str) -> None:
    loss = loss_named(spec)
    labels = np.concatenate([np.random.default_rng(0).dirichlet(np.full(4, 0.5), 3), np.eye(4)])
    least = least_costs(loss, labels)
    for label, found in zip(labels, least, strict=True):
        searched = optimize.minimize(
            lambda logits, q=label: float(loss.of(logits[None], q[None])[0]), np.zeros(4), tol=1e-12
        )
        assert found == pytest.approx(searched.fun, abs=1e-5)
    if loss.smoothing:
        assert named(of_classes(loss, SHARES))["least possible"] == pytest.approx((SHARES * least[3:]).sum(), rel=1e-12)


@pytest.mark.parametrize("spec", ["cross-entropy", "cross-entropy:smoothing=0.2,weights=1/2/3/4", "focal", "hinge"])
def test_what_a_constant_costs_is_the_loss_of_every_label(spec: str) -> None:
    scores, loss = np.array([0.3, -1.0, 2.0, 0.0]), loss_named(spec)
    expected = loss.of(np.repeat(scores[None], 4, axis=0), np.arange(4))
    costs = constant_costs(loss, scores)
    assert costs is not None
    np.testing.assert_allclose(costs, expected, rtol=1e-12)


def test_a_class_without_examples_makes_the_smoothed_prior_undefined_and_no_other() -> None:
    shares = np.array([0.5, 0.5, 0.0])
    plain = named(of_classes(loss_named("cross-entropy"), shares))
    assert plain["class prior"] == pytest.approx(math.log(2))
    smoothed = {one.name: one for one in of_classes(loss_named("cross-entropy:smoothing=0.1"), shares)}
    assert smoothed["class prior"].value is None
    assert "no probability to a class without examples" in smoothed["class prior"].why
    assert smoothed["best constant"].value is not None
    assert named(of_classes(loss_named("cross-entropy"), np.array([1.0])))["class prior"] == 0.0


def test_ones_own_loss_has_a_guess_and_a_prior_and_no_best_constant() -> None:
    mine = own_loss("f.py:zero_one", lambda outputs, targets: (outputs.argmax(axis=1) != targets).astype(float))
    made = {one.name: one for one in of_classes(mine, SHARES)}
    assert made["class prior"].value == pytest.approx(0.5)
    assert (made["best constant"].value, made["best constant"].why) == (None, "it is not known of a loss of your own")
    many = {one.name: one for one in of_classes(mine, np.full(3000, 1 / 3000))}
    assert many["uniform guess"].value is None
    assert "more than 2048" in many["uniform guess"].why


def test_sets_are_compared_class_by_class() -> None:
    shares = np.array([0.5, 0.1, 0.0])
    found = named(of_sets(loss_named("binary-cross-entropy"), shares))
    entropy = np.mean([stats.entropy([share, 1 - share]) for share in shares])
    assert found == {"uniform guess": pytest.approx(math.log(2)), "class prior": pytest.approx(entropy)}
    focal = named(of_sets(loss_named("binary-focal:gamma=2"), shares))
    assert focal["uniform guess"] == pytest.approx(0.25 * math.log(2))
    by_hand = np.mean([s * (1 - s) ** 2 * -math.log(s) + (1 - s) * s**2 * -math.log(1 - s) for s in (0.5, 0.1)] + [0.0])
    assert focal["class prior"] == pytest.approx(float(by_hand))
    assert of_sets(own_loss("f:mine", lambda z, y: z[:, 0]), shares)[0].value is None


@pytest.mark.parametrize("spec", ["squared-error", "absolute-error", "huber", "huber:delta=0.3"])
def test_the_best_constant_of_numbers_is_what_a_search_finds(spec: str) -> None:
    targets = np.random.default_rng(0).standard_t(2, size=301)
    loss = loss_named(spec)
    (made,) = of_numbers(loss, float(targets.mean()), float(targets.var()), targets)
    best = optimize.minimize_scalar(
        lambda one: float(loss.of(np.full(301, one), targets).mean()), bounds=(-5, 5), options={"xatol": 1e-10}
    )
    assert made.value == pytest.approx(float(best.fun), abs=1e-8)


def test_what_needs_all_targets_says_so_without_them() -> None:
    assert of_numbers(loss_named("squared-error"), 1.0, 2.0, None)[0].value == 2.0
    (made,) = of_numbers(loss_named("huber"), 1.0, 2.0, None)
    assert (made.value, made.why) == (None, "it needs all targets at once, and these are too many")
