"""Scores of how well examples fit, and LogME, against definitions, scikit-learn and scipy."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import optimize, special, stats
from sklearn.covariance import ledoit_wolf

from pellucid.measures.directions import directions
from pellucid.measures.logme import log_evidence, logme
from pellucid.measures.outliers import (
    Gaussians,
    maximum_softmax,
    negative_energy,
    neighbour_scores,
)


def test_softmax_and_energy_are_those_of_scipy() -> None:
    logits = np.random.default_rng(0).normal(0, 30, (40, 7)).astype(np.float32)
    np.testing.assert_allclose(
        maximum_softmax(logits), special.softmax(logits.astype(float), axis=1).max(1), rtol=1e-12
    )
    np.testing.assert_allclose(negative_energy(logits), special.logsumexp(logits.astype(float), axis=1), rtol=1e-12)
    np.testing.assert_allclose(
        negative_energy(logits, 2.5), 2.5 * special.logsumexp(logits.astype(float) / 2.5, axis=1), rtol=1e-12
    )
    assert np.isfinite(negative_energy(np.array([[1e4, -1e4]]))).all()


@pytest.mark.parametrize(("count", "width"), [(200, 5), (12, 30), (3, 2)])
def test_the_covariance_is_shrunk_as_scikit_learn_shrinks_it(count: int, width: int) -> None:
    rng = np.random.default_rng(count)
    centred = rng.normal(size=(count, width)) @ rng.normal(size=(width, width))
    centred -= centred.mean(0)
    fitted = Gaussians.of(centred, np.zeros(count, int))
    theirs, their_share = ledoit_wolf(centred, assume_centered=True)
    inside = fitted.axes * (fitted.variances - fitted.outside) @ fitted.axes.T
    np.testing.assert_allclose(inside + fitted.outside * np.eye(width), theirs, rtol=1e-8, atol=1e-10)
    assert fitted.shrinkage == pytest.approx(their_share, rel=1e-8)


def test_mahalanobis_is_the_distance_to_the_nearest_mean() -> None:
    rng = np.random.default_rng(1)
    classes = rng.integers(0, 3, 400)
    centres = np.array([[0, 0, 0], [6, 0, 0], [0, 6, 6]])
    features = centres[classes] + rng.normal(size=(400, 3)) * [1, 2, 0.5]
    fitted = Gaussians.of(features, classes)
    means = np.stack([features[classes == one].mean(0) for one in range(3)])
    np.testing.assert_allclose(fitted.means, means, rtol=1e-12)
    inverse = np.linalg.inv(ledoit_wolf(features - means[classes], assume_centered=True)[0])
    probes = rng.normal(0, 5, (20, 3))
    expected = [-min(float((probe - mean) @ inverse @ (probe - mean)) for mean in means) for probe in probes]
    np.testing.assert_allclose(fitted.scores(probes), expected, rtol=1e-9)
    assert fitted.scores(means).max() <= 0


@pytest.mark.parametrize(("count", "width"), [(40, 7), (7, 40), (20, 20)])
def test_principal_directions_are_those_of_a_singular_value_decomposition(count: int, width: int) -> None:
    rows = np.random.default_rng(count).normal(size=(count, 5)) @ np.random.default_rng(width).normal(size=(5, width))
    left, squares, axes = directions(rows)
    np.testing.assert_allclose(np.sort(squares)[::-1], np.linalg.svd(rows)[1][:5] ** 2, rtol=1e-10)
    np.testing.assert_allclose(left * np.sqrt(squares) @ axes.T, rows, atol=1e-10)


def test_mahalanobis_of_more_features_than_examples() -> None:
    rng = np.random.default_rng(3)
    features, classes = rng.normal(size=(30, 80)) * rng.uniform(0.5, 2, 80), np.arange(30) % 3
    means = np.stack([features[classes == one].mean(0) for one in range(3)])
    inverse = np.linalg.inv(ledoit_wolf(features - means[classes], assume_centered=True)[0])
    probes = rng.normal(0, 3, (9, 80))
    expected = [-min(float((probe - mean) @ inverse @ (probe - mean)) for mean in means) for probe in probes]
    np.testing.assert_allclose(Gaussians.of(features, classes).scores(probes), expected, rtol=1e-8)


def test_features_that_do_not_vary_give_finite_scores() -> None:
    features = np.zeros((10, 4))
    features[:, 0] = np.arange(10)
    assert np.isfinite(Gaussians.of(features, np.zeros(10, int)).scores(np.ones((3, 4)))).all()
    assert np.isfinite(neighbour_scores(np.zeros((3, 4)), features, 2)).all()


def test_neighbours_are_those_of_scikit_learn() -> None:
    from sklearn.neighbors import NearestNeighbors
    from sklearn.preprocessing import normalize

    rng = np.random.default_rng(2)
    reference, probes = rng.normal(size=(60, 8)), rng.normal(size=(17, 8))
    tree = NearestNeighbors(algorithm="brute").fit(normalize(reference))
    for k in (1, 5, 60):
        distances, _ = tree.kneighbors(normalize(probes), k)
        np.testing.assert_allclose(neighbour_scores(probes, reference, k), -distances[:, -1], rtol=1e-9)
    distances, _ = tree.kneighbors(n_neighbors=5)  # of the reference itself: its own copy does not count
    np.testing.assert_allclose(neighbour_scores(reference, reference, 5, same=True), -distances[:, -1], rtol=1e-6)


def evidence_of(features: np.ndarray, target: np.ndarray, alpha: float, beta: float) -> float:
    """The marginal likelihood by its definition: a normal density with the weights averaged out."""
    covariance = np.eye(len(target)) / beta + features @ features.T / alpha
    return float(stats.multivariate_normal(np.zeros(len(target)), covariance).logpdf(target)) / len(target)


@pytest.mark.parametrize(("count", "width"), [(30, 4), (20, 40)])
def test_the_evidence_is_the_largest_that_any_precisions_give(count: int, width: int) -> None:
    rng = np.random.default_rng(width)
    features = rng.normal(size=(count, width))
    target = (features[:, 0] + 0.7 * rng.normal(size=count) > 0).astype(float)
    left, singular, _ = np.linalg.svd(features, full_matrices=False)
    found = log_evidence(singular**2, left.T @ target, float((target**2).sum()), features.shape)
    best = min(
        (
            optimize.minimize(
                lambda logs: -evidence_of(features, target, *np.exp(logs)), start, method="Nelder-Mead",
                options={"xatol": 1e-9, "fatol": 1e-12, "maxiter": 4000},
            )
            for start in ((0.0, 0.0), (3.0, 2.0))
        ),
        key=lambda one: one.fun,
    )  # fmt: skip
    assert found == pytest.approx(-best.fun, abs=1e-6)


def test_features_that_tell_the_classes_apart_have_the_higher_logme() -> None:
    rng = np.random.default_rng(3)
    classes = rng.integers(0, 4, 300)
    noise = rng.normal(size=(300, 10))
    telling = noise.copy()
    telling[:, :4] += 2 * np.eye(4)[classes]
    assert logme(telling, classes) > logme(noise, classes) + 0.1
    # LogME is the mean over one-against-the-others problems.
    left, singular, _ = np.linalg.svd(telling, full_matrices=False)
    by_class = [
        log_evidence(singular**2, left.T @ (classes == one).astype(float), float((classes == one).sum()), telling.shape)
        for one in range(4)
    ]
    assert logme(telling, classes) == pytest.approx(np.mean(by_class), rel=1e-12)
