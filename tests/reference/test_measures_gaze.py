"""Density maps against closed forms and scipy, correlations against scipy, the test against what it says."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage, stats

from pellucid.measures import gaze

RNG = np.random.default_rng(2)


def maps(number: int, seed: int, height: int = 12, width: int = 10) -> np.ndarray:
    return ndimage.gaussian_filter(np.random.default_rng(seed).random((number, height, width)), (0, 2, 2))


@pytest.mark.parametrize("aspect", [1.0, 2.0, 0.5])
def test_one_click_is_a_gaussian_of_the_bandwidth_in_units_of_the_longer_side(aspect: float) -> None:
    height, width = (60, 120) if aspect == 2 else (120, 60) if aspect == 0.5 else (100, 100)
    found = gaze.density(np.array([[0.5, 0.5]]), height, width, 0.06, aspect=aspect)
    assert found.sum() == pytest.approx(1)
    y, x = np.mgrid[:height, :width]
    # Pixels are square on these grids, so that the spread is the bandwidth times the longer side in both directions.
    for axis in (x, y):
        mean = (found * axis).sum()
        assert mean == pytest.approx((axis.max()) / 2, abs=1e-6)
        assert np.sqrt((found * (axis - mean) ** 2).sum()) == pytest.approx(0.06 * max(height, width), rel=0.01)


def test_density_is_scipys_kernel_density_up_to_its_sum() -> None:
    places = RNG.random((7, 2))
    grid = np.stack(np.meshgrid((np.arange(16) + 0.5) / 16, (np.arange(16) + 0.5) / 16), -1).reshape(-1, 2)
    kernel = stats.gaussian_kde(places.T)
    kernel.covariance = np.eye(2) * 0.1**2
    kernel.cho_cov = np.linalg.cholesky(kernel.covariance)
    kernel.log_det = 2 * np.log(np.diag(kernel.cho_cov * np.sqrt(2 * np.pi))).sum()
    expected = kernel(grid.T).reshape(16, 16)
    np.testing.assert_allclose(gaze.density(places, 16, 16, 0.1), expected / expected.sum(), rtol=1e-6)


@settings(max_examples=20, deadline=None)
@given(weights=st.lists(st.floats(0.1, 5), min_size=4, max_size=4))
def test_weights_are_places_that_came_more_often(weights: list[float]) -> None:
    places = RNG.random((4, 2))
    found = gaze.density(places, 9, 9, 0.2, weights=np.array(weights))
    # A sum over places, each normalised only together.
    parts = [gaze.density(places[i : i + 1], 9, 9, 0.2) for i in range(4)]
    down, across = (np.mgrid[:9, :9] + 0.5) / 9
    masses = [np.exp(-((across - x) ** 2) / 0.08 - (down - y) ** 2 / 0.08).sum() for x, y in places]
    mixed = sum(w * m * p for w, m, p in zip(weights, masses, parts, strict=True))
    np.testing.assert_allclose(found, mixed / mixed.sum(), rtol=1e-9)


def test_bubbles_find_the_place_that_helps() -> None:
    places = RNG.random((3000, 2))
    # Right where a bubble shows the upper left, else by chance.
    near = np.hypot(places[:, 0] - 0.25, places[:, 1] - 0.25) < 0.15
    right = near | (RNG.random(3000) < 0.2)
    found = gaze.diagnostic(places, np.full(3000, 0.06), right, 20, 20)
    y, x = np.unravel_index(found.argmax(), found.shape)
    assert abs(x + 0.5 - 5) <= 2
    assert abs(y + 0.5 - 5) <= 2
    # All right: seeing anywhere helps as much.
    flat = gaze.diagnostic(places, np.full(3000, 0.06), np.ones(3000, bool), 20, 20)
    np.testing.assert_allclose(flat, 1 / 400)


def test_resizing_keeps_means_and_is_block_means_where_sizes_divide() -> None:
    values = RNG.random((12, 8))
    np.testing.assert_allclose(gaze.resized(values, 3, 4), values.reshape(3, 4, 4, 2).mean((1, 3)))
    np.testing.assert_allclose(gaze.resized(values, 24, 8), np.repeat(values, 2, axis=0))
    assert gaze.resized(values, 7, 5).mean() == pytest.approx(values.mean())


def test_correlations_are_scipys() -> None:
    first, second = np.round(maps(4, 0), 2), np.round(maps(3, 1), 2)
    found = gaze.correlations(first, second)
    for i in range(4):
        for j in range(3):
            assert found[i, j] == pytest.approx(stats.spearmanr(first[i].ravel(), second[j].ravel()).statistic)
    assert np.isnan(gaze.correlations(np.ones((1, 4, 4)), maps(1, 2, 4, 4))).all()


def test_alignment_is_told_from_what_all_images_share() -> None:
    centre = np.exp(-((np.mgrid[:12, :10][0] - 6) ** 2 + (np.mgrid[:12, :10][1] - 5) ** 2) / 20)
    people, model = centre + 0.05 * maps(30, 1), centre + 0.05 * maps(30, 2)
    apart = gaze.aligned(people, model)
    # Both look at the middle, and their maps correlate, but not because of the image.
    assert apart.correlation is not None
    assert apart.correlation > 0.8
    assert apart.difference == pytest.approx(0, abs=0.01)
    assert apart.p_value is not None
    assert apart.p_value > 0.01
    together = gaze.aligned(people, people + 0.02 * maps(30, 3))
    assert together.difference_interval is not None
    assert together.difference_interval.low > 0
    assert together.p_value == pytest.approx(1 / 2001)
    table = gaze.correlations(people, model)
    assert apart.other == pytest.approx(table[~np.eye(30, dtype=bool)].mean())
    interval = stats.t.interval(0.95, 29, np.diagonal(table).mean(), stats.sem(np.diagonal(table)))
    assert apart.interval is not None
    assert (apart.interval.low, apart.interval.high) == pytest.approx(interval)


def test_random_maps_are_called_aligned_as_often_as_the_level_says() -> None:
    p_values = [gaze.aligned(maps(6, 2 * seed, 6, 5), maps(6, 2 * seed + 1, 6, 5), seed).p_value for seed in range(100)]
    assert np.mean(np.array(p_values, float) <= 0.1) == pytest.approx(0.1, abs=0.09)


def test_what_is_not_defined_says_why() -> None:
    none = gaze.aligned(np.zeros((0, 4, 4)), np.zeros((0, 4, 4)))
    assert (none.correlation, none.images, none.why) == (None, 0, "no image has both maps")
    flat = gaze.aligned(np.ones((2, 4, 4)), maps(2, 0, 4, 4))
    assert (flat.correlation, flat.images) == (None, 0)
    assert "vary" in flat.why
    one = gaze.aligned(maps(1, 0), maps(1, 1))
    assert one.correlation is not None
    assert one.other is None
    assert "one image" in one.why
    assert gaze.agreement(np.zeros((0, 4, 4)), np.zeros((0, 4, 4))) == (None, None)


def test_agreement_of_halves_is_raised_to_that_of_all() -> None:
    first, second = maps(8, 4), maps(8, 5) + maps(8, 4)
    value, interval = gaze.agreement(first, second)
    each = [stats.spearmanr(a.ravel(), b.ravel()).statistic for a, b in zip(first, second, strict=True)]
    mean = np.mean(each)
    assert value == pytest.approx(2 * mean / (1 + mean))
    assert interval is not None
    low, high = stats.t.interval(0.95, 7, mean, stats.sem(each))
    assert (interval.low, interval.high) == pytest.approx((2 * low / (1 + low), 2 * high / (1 + high)))
