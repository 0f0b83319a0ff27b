"""Debiased CKA against its paper-shaped twin and closed forms; projections; effective receptive fields."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

from pellucid.capture import Session
from pellucid.errors import MethodError, OptionError
from pellucid.graph import trace
from pellucid.mapping import (
    Likeness,
    debiased_cka,
    effective_field,
    hsic,
    principal,
    random_projection,
    receptive_field,
)
from pellucid.mapping.effective import merged


def slow_hsic(x: np.ndarray, y: np.ndarray) -> float:
    """Song et al. 2012, eq. 5, sum by sum."""
    n = len(x)
    k, m = ([[float(a @ b) if i != j else 0.0 for j, b in enumerate(z)] for i, a in enumerate(z)] for z in (x, y))
    trace_ = sum(k[i][j] * m[j][i] for i in range(n) for j in range(n))
    both = sum(map(sum, k)) * sum(map(sum, m)) / ((n - 1) * (n - 2))
    cross = sum(sum(k[i]) * sum(row[i] for row in m) for i in range(n)) * 2 / (n - 2)
    return (trace_ + both - cross) / (n * (n - 3))


def features(examples: int, width: int, seed: int) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=(examples, width)) + 3.0


def test_hsic_is_that_of_the_paper() -> None:
    x, y = features(9, 4, 0), features(9, 7, 1)
    y[:, :4] += x
    assert hsic(x, y) == pytest.approx(slow_hsic(x, y), rel=1e-9)
    assert hsic(x, x) == pytest.approx(slow_hsic(x, x), rel=1e-9)


@pytest.mark.parametrize("batch", [4, 5, 16, 64, 320])
def test_a_layer_is_like_itself_whatever_the_batch(batch: int) -> None:
    layers = [features(320, 6, 0), features(320, 300, 1), features(320, 2, 2) * 1e-3 + 1e3]
    likeness = Likeness()
    for start in range(0, 320, batch):
        likeness.add([layer[start : start + batch] for layer in layers])
    found = likeness.matrix()
    np.testing.assert_allclose(np.diag(found), 1, atol=1e-6)
    np.testing.assert_allclose(found, found.T, atol=1e-12)
    assert (np.abs(found) <= 1 + 1e-12).all()
    assert likeness.examples == 320


def test_rotation_scale_and_shift_change_nothing() -> None:
    x = features(40, 5, 0)
    rotation, _ = np.linalg.qr(np.random.default_rng(3).normal(size=(5, 5)))
    assert debiased_cka(x, 7 * x @ rotation - 2) == pytest.approx(1, abs=1e-9)


def test_independent_features_are_not_alike_however_many() -> None:
    found = [debiased_cka(features(32, 2000, seed), features(32, 2000, 100 + seed)) for seed in range(20)]
    assert abs(np.mean(found)) < 0.05  # plain CKA is 0.98 here
    plain = []
    for seed in range(2):
        x, y = (z - z.mean(0) for z in (features(32, 2000, seed), features(32, 2000, 100 + seed)))
        plain.append(np.linalg.norm(x.T @ y) ** 2 / (np.linalg.norm(x @ x.T) * np.linalg.norm(y @ y.T)))
    assert min(plain) > 0.9


def test_small_batches_agree_with_one_large_one() -> None:
    x = features(600, 8, 0)
    y = x @ np.random.default_rng(5).normal(size=(8, 8)) + features(600, 8, 1)
    parts = Likeness()
    for start in range(0, 600, 30):
        parts.add([x[start : start + 30], y[start : start + 30]])
    assert parts.matrix()[0, 1] == pytest.approx(debiased_cka(x, y), abs=0.05)


def test_a_constant_layer_has_no_likeness_and_too_few_are_refused() -> None:
    likeness = Likeness()
    likeness.add([np.ones((8, 3)), features(8, 3, 0)])
    assert np.isnan(likeness.matrix()[0, 1])
    with pytest.raises(OptionError, match="at least 4 examples"):
        hsic(features(3, 2, 0), features(3, 2, 0))
    with pytest.raises(OptionError, match="same examples"):
        likeness.add([features(8, 2, 0), features(9, 2, 0)])


def test_principal_components_are_the_eigenvectors_of_the_covariance() -> None:
    x = features(50, 6, 0) * np.array([5, 3, 1, 1, 1, 1])
    found = principal(x, 2)
    sizes, axes = np.linalg.eigh(np.cov(x.T))
    np.testing.assert_allclose(found.explained, sizes[::-1][:2] / sizes.sum(), rtol=1e-9)
    places = (x - x.mean(0)) @ axes[:, ::-1][:, :2]
    np.testing.assert_allclose(np.abs(found.places), np.abs(places), atol=1e-9)
    turned, _ = np.linalg.qr(np.random.default_rng(1).normal(size=(80, 80)))
    wide = principal(np.hstack([x, np.zeros((50, 74))]) @ turned, 2)  # more features than examples: the other product
    np.testing.assert_allclose(wide.explained, found.explained, rtol=1e-9)
    np.testing.assert_allclose(np.abs(wide.places), np.abs(places), atol=1e-9)
    assert (principal(np.ones((5, 3))).explained == 0).all()
    with pytest.raises(OptionError, match="finite"):
        principal(np.full((5, 3), np.nan))


def test_a_random_projection_keeps_distances_as_well_as_it_says() -> None:
    x = features(40, 1000, 0)
    kept = x @ random_projection(1000, 64, 3)
    true, found = (((z[:, None] - z[None]) ** 2).sum(-1)[np.triu_indices(40, 1)] for z in (x, kept))
    ratio = found / true
    assert ratio.mean() == pytest.approx(1, abs=0.05)
    assert ratio.std() == pytest.approx(np.sqrt(2 / 64), rel=0.35)


def chain() -> nn.Sequential:
    torch.manual_seed(0)
    return nn.Sequential(*(nn.Conv2d(1 if at == 0 else 2, 2, 3, padding=1, bias=False) for at in range(4))).eval()


def test_the_effective_field_lies_in_the_theoretical_one_and_is_the_mean_over_examples() -> None:
    model = chain()
    images = torch.randn(6, 1, 17, 17)
    graph = trace(model, images[:1])
    layer = graph.layers[-1]
    with Session(model, graph.layers) as session:
        whole = effective_field(session, layer, images)
        parts = merged([effective_field(session, layer, images[:2]), effective_field(session, layer, images[2:])])
    box = receptive_field(graph, layer.name).box(whole.position)
    assert box == (4, 4, 13, 13)
    assert whole.inside(box) == pytest.approx(1)
    np.testing.assert_allclose(parts.mean, whole.mean, rtol=1e-6)
    assert whole.count == parts.count == 6
    # A linear chain: the gradient is the kernels' convolution, whatever the image.
    unit = torch.zeros(1, 2, 17, 17)
    unit[0, :, 8, 8] = 1
    for conv in reversed(model):
        unit = nn.functional.conv_transpose2d(unit, conv.weight, padding=1)
    np.testing.assert_allclose(whole.mean, unit[0, 0].detach().abs().numpy(), atol=1e-6)


def test_the_area_of_a_share_counts_the_largest_pixels_first() -> None:
    model = nn.Conv2d(1, 1, 3, padding=1, bias=False)
    with torch.no_grad():
        model.weight.copy_(torch.tensor([[0, 0, 0], [0, 6, 2], [0, 1, 1]]).float())
    wrapped = nn.Sequential(model)
    graph = trace(wrapped, torch.rand(1, 1, 7, 7))
    with Session(wrapped, graph.layers) as session:
        found = effective_field(session, graph.layers[0], torch.rand(2, 1, 7, 7))
    assert [found.pixels(share) for share in (0.5, 0.6, 0.68, 0.9, 1.0)] == [1, 1, 2, 3, 4]
    assert found.inside((3, 3, 4, 4)) == pytest.approx(0.6)


def test_what_has_no_maps_has_no_effective_field() -> None:
    model = nn.Sequential(nn.Flatten(), nn.Linear(4, 2))
    graph = trace(model, torch.rand(1, 1, 2, 2))
    with Session(model, graph.layers) as session, pytest.raises(MethodError, match="middle of maps"):
        effective_field(session, graph.layers[-1], torch.rand(1, 1, 2, 2))
