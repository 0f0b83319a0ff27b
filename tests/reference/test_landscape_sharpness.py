"""Extreme eigenvalues, the trace and the density of a matrix of curvature, against the dense one."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from pellucid.errors import MethodError
from pellucid.landscape import (
    Curvature,
    Labelled,
    extreme_eigenvalues,
    held,
    objective_of,
    spectral_density,
    trace_of,
    twice_differentiable,
)
from pellucid.landscape import sharpness as sharp
from pellucid.landscape.curvature import Matrix
from support.weighed import CROSS_ENTROPY, dense, examples, mean_loss, net


@pytest.fixture(autouse=True)
def _one_thread() -> Iterator[None]:
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture(autouse=True)
def _little_is_taken_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    """So that what is estimated of a large network can be held against a matrix that is known."""
    monkeypatch.setattr(sharp, "DENSE", 96)


@pytest.mark.parametrize("matrix", ["hessian", "ggn"])
def test_a_small_network_is_taken_whole_and_nothing_is_estimated(
    matrix: Matrix, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sharp, "DENSE", 2048)
    model, batches = net(kind="wide"), examples(60, (60,))
    with held(model), twice_differentiable(model):
        curvature = Curvature(model, CROSS_ENTROPY, batches, 60, matrix)
        eigenvalues, trace, density = (
            ask(curvature) for ask in (extreme_eigenvalues, trace_of, lambda one: spectral_density(one, -1.0, 1.0))
        )
        assert 96 < curvature.size <= curvature.products < curvature.size + 10
        exact = np.linalg.eigvalsh(sharp.whole(curvature))[::-1]
    if matrix == "hessian":
        truth = dense(model, mean_loss(model, batches)).numpy()
        np.testing.assert_allclose(sharp.whole(curvature), truth, atol=1e-10)
    np.testing.assert_allclose(eigenvalues.values, np.concatenate([exact[:8], exact[-3:]]), atol=1e-10)
    assert (trace.value, trace.standard_error, trace.probes) == (pytest.approx(exact.sum(), abs=1e-10), None, 0)
    assert (density.runs, density.steps, density.standard_errors.max()) == (0, 0, 0.0)


@pytest.mark.parametrize(("kind", "matrix"), [("plain", "hessian"), ("wide", "hessian"), ("wide", "ggn")])
def test_eigenvalues_and_trace_are_those_of_the_dense_matrix(kind: str, matrix: Matrix) -> None:
    model, batches = net(kind=kind), examples(60, (60,))
    with held(model), twice_differentiable(model):
        curvature = Curvature(model, CROSS_ENTROPY, batches, 60, matrix)
        found = extreme_eigenvalues(curvature)
        trace = trace_of(curvature, found.vectors)
        whole = sharp.whole(curvature)
    if matrix == "hessian":
        np.testing.assert_allclose(whole, dense(model, mean_loss(model, batches)).numpy(), atol=1e-10)
    every = np.linalg.eigvalsh(whole)[::-1]
    expected = np.concatenate([every[: sharp.TOP], every[-sharp.BOTTOM :]])
    np.testing.assert_allclose(found.values[: sharp.TOP], expected[: sharp.TOP], atol=1e-6)
    np.testing.assert_allclose(found.values, expected, atol=1e-4 * expected[0])
    nearest = np.abs(found.values[:, None] - every).min(axis=1)
    assert (nearest <= found.residuals + 1e-9).all(), "an eigenvalue lies within the bound that is told"
    exact = float(np.trace(whole))
    if curvature.size <= sharp.DENSE:
        assert (trace.value, trace.standard_error, trace.probes) == (pytest.approx(exact), None, 0)
    else:
        assert trace.standard_error is not None
        assert abs(trace.value - exact) < 4 * trace.standard_error
        assert trace.standard_error < 0.05 * abs(exact)
        assert trace.probes == sharp.PROBES


def test_within_a_ten_thousandth_in_float32_too() -> None:
    model, batches = net(kind="wide"), examples(60, (60,))
    exact = np.linalg.eigvalsh(dense(model, mean_loss(model, batches)).numpy())[::-1]
    single = net(kind="wide").float()
    singles = [Labelled(one.inputs.float(), one.targets) for one in batches]  # type: ignore[union-attr]
    with held(single), twice_differentiable(single):
        found = extreme_eigenvalues(Curvature(single, CROSS_ENTROPY, singles, 60))
    np.testing.assert_allclose(found.values[: sharp.TOP], exact[: sharp.TOP], atol=1e-4 * exact[0])


def test_the_interval_of_the_trace_holds_it_as_often_as_it_says() -> None:
    """Over 200 seeds, on a matrix that is known: 95% of them, within the noise of 200 trials."""

    class Known:
        size = 200
        whole = None

        def times(self, vector: np.ndarray) -> np.ndarray:
            return matrix @ vector

    source = np.random.default_rng(5)
    matrix = source.standard_normal((200, 200))
    matrix = (matrix + matrix.T) / 2 + np.diag(source.exponential(3, 200))
    exact = float(np.trace(matrix))
    known = np.linalg.eigh(matrix)[1][:, -5:]
    inside = 0
    for seed in range(200):
        interval = trace_of(Known(), known, seed=seed).interval  # type: ignore[arg-type]
        assert interval is not None
        inside += interval.low <= exact <= interval.high
    assert 0.90 <= inside / 200 <= 0.99


def test_the_density_is_that_of_the_dense_matrix_with_the_same_bells() -> None:
    model, batches = net(kind="wide"), examples(60, (60,))
    with held(model), twice_differentiable(model):
        curvature = Curvature(model, CROSS_ENTROPY, batches, 60)
        eigenvalues = np.linalg.eigvalsh(sharp.whole(curvature))
        lowest, highest = float(eigenvalues[0]), float(eigenvalues[-1])
        found = spectral_density(curvature, lowest, highest, runs=6)
    bells = np.exp(-0.5 * ((found.grid[:, None] - eigenvalues) / found.width) ** 2)
    expected = (bells / (found.width * np.sqrt(2 * np.pi))).mean(axis=1)
    gap = np.abs(found.values - expected)
    # The mass that is put elsewhere, a share of 1: the curves are the same up to the noise of 6 random starts.
    assert np.trapezoid(gap, found.grid) < 0.15
    assert np.trapezoid(found.values, found.grid) == pytest.approx(1.0, abs=0.02)
    assert np.mean(gap <= 4 * found.standard_errors + 0.01 * expected.max()) > 0.95
    assert (found.runs, found.steps) == (6, sharp.STEPS)


def test_a_small_matrix_has_its_density_from_every_eigenvalue() -> None:
    model, batches = net(), examples()
    with held(model), twice_differentiable(model):
        curvature = Curvature(model, CROSS_ENTROPY, batches, 20)
        values = extreme_eigenvalues(curvature, top=curvature.size).values
        found = spectral_density(curvature, float(values[-1]), float(values[0]))
    assert (found.runs, found.steps) == (0, 0)
    assert np.trapezoid(found.values, found.grid) == pytest.approx(1.0, abs=0.02)
    assert curvature.products == curvature.size, "all of it was asked for once"


def test_eigenvalues_that_lie_close_together_are_taken_as_they_settle_and_labelled_by_their_end() -> None:
    """A linear classifier of a hundred classes: most of its 1,700 eigenvalues are nearly 0."""
    torch.manual_seed(0)
    model = nn.Linear(16, 100)
    inputs = torch.rand(20, 16, generator=torch.Generator().manual_seed(2))
    batches = [Labelled(inputs, torch.arange(20))]
    with held(model), twice_differentiable(model):
        curvature = Curvature(model, CROSS_ENTROPY, batches, 20)
        found = extreme_eigenvalues(curvature)
    p = torch.softmax(model(inputs).double(), 1).detach()
    inner = torch.diag_embed(p) - p[:, :, None] * p[:, None, :]
    wide = torch.cat([inputs.double(), torch.ones(20, 1, dtype=torch.float64)], 1)
    known = np.linalg.eigvalsh((torch.einsum("nkl,ni,nj->kilj", inner, wide, wide) / 20).reshape(1700, 1700).numpy())
    assert (len(found.values), found.top) == (11, 8)
    np.testing.assert_allclose(found.values[:8], known[::-1][:8], rtol=1e-4)
    assert "lie close together" in found.notes[0]
    assert found.range == (pytest.approx(known[0], abs=2e-4), pytest.approx(known[-1], rel=1e-4))
    for value, residual in zip(found.values, found.residuals, strict=True):
        assert np.abs(known - value).min() <= residual + 1e-6


def test_what_did_not_settle_is_never_the_other_end(monkeypatch: pytest.MonkeyPatch) -> None:
    from scipy.sparse.linalg import ArpackNoConvergence

    def never(*given: object, **named: object) -> object:
        raise ArpackNoConvergence("no", np.array([2.0, 1.5]), np.eye(200, 2))

    model = nn.Linear(19, 10).double()
    inputs = torch.rand(20, 19, dtype=torch.float64, generator=torch.Generator().manual_seed(2))
    with held(model), twice_differentiable(model):
        curvature = Curvature(model, CROSS_ENTROPY, [Labelled(inputs, torch.arange(20) % 10)], 20)
        monkeypatch.setattr("scipy.sparse.linalg.eigsh", never)
        found = extreme_eigenvalues(curvature)
        assert found.top == 2
        assert "2 were found" in found.notes[0]
        assert sharp.Eigenvalues(found.values[:2], 2, found.residuals[:2], found.vectors[:, :2]).range is None
        assert sharp.Eigenvalues(found.values[:0], 0, found.residuals[:0], found.vectors[:, :0]).range is None


def test_a_large_matrix_of_zeros_is_one() -> None:
    class Constant(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.weight = nn.Parameter(torch.randn(12, 12, dtype=torch.float64))

        def forward(self, given: Tensor) -> Tensor:
            return given[:, :3] + 0 * self.weight.sum()

    model = Constant()
    with held(model), twice_differentiable(model):
        found = extreme_eigenvalues(Curvature(model, CROSS_ENTROPY, examples(), 20))
    assert found.values.tolist() == [0.0] * 11
    assert found.range == (0.0, 0.0)


def test_a_matrix_of_zeros_has_no_density_and_numbers_that_are_not_finite_are_refused() -> None:
    model = nn.Linear(4, 3).double()
    far = [Labelled(torch.zeros(6, 4, dtype=torch.float64), torch.zeros(6, dtype=torch.long))]
    flat = objective_of("squared-error", "regression")
    numbers = nn.Linear(4, 1, bias=False).double()
    with held(numbers), twice_differentiable(numbers):
        curvature = Curvature(numbers, flat, [Labelled(far[0].inputs, torch.zeros(6, dtype=torch.float64))], 6)
        assert extreme_eigenvalues(curvature).values.tolist() == [0.0] * 4
        with pytest.raises(MethodError, match="not defined, because all eigenvalues are 0"):
            spectral_density(curvature, 0.0, 0.0)
    with torch.no_grad():
        model.weight[0, 0] = torch.nan
    with (
        held(model),
        twice_differentiable(model),
        pytest.raises(MethodError, match="no curvature at these weights"),
    ):
        Curvature(model, CROSS_ENTROPY, far, 6).times(np.ones(15))
