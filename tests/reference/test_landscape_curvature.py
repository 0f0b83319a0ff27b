"""Eigenvalues, trace and spectral density against dense matrices; products with them in both ways."""

from __future__ import annotations

import weakref
from collections.abc import Iterator

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.func import functional_call

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
from support.untouched import Untouched
from support.weighed import CROSS_ENTROPY, dense, examples, mean_loss, net, together


@pytest.fixture(autouse=True)
def _one_thread() -> Iterator[None]:
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.mark.parametrize("kind", ["plain", "norm", "conv"])
def test_the_whole_matrix_is_the_dense_hessian(kind: str) -> None:
    model, batches = net(kind=kind), examples()
    expected = dense(model, mean_loss(model, batches)).numpy()
    with held(model), twice_differentiable(model):
        curvature = Curvature(model, CROSS_ENTROPY, batches, 20)
        basis = np.linalg.qr(np.random.default_rng(0).standard_normal((curvature.size, 12)))[0]
        found = np.stack([curvature.times(one) for one in basis.T], axis=1)
        np.testing.assert_allclose(found, expected @ basis, atol=1e-12)
        assert curvature.products == 12


def test_gauss_newton_is_the_jacobian_around_the_loss() -> None:
    model, batches = net(), examples()
    inputs, targets = together(batches)
    parameters = dict(model.named_parameters())
    jacobians = torch.func.jacrev(lambda values: functional_call(model, values, (inputs,)))(parameters)
    jacobian = torch.cat([one.reshape(20, 3, -1) for one in jacobians.values()], dim=2).detach()
    p = torch.softmax(model(inputs), 1).detach()
    inner = torch.diag_embed(p) - p[:, :, None] * p[:, None, :]
    expected = torch.einsum("nki,nkl,nlj->ij", jacobian, inner, jacobian).numpy() / 20
    with held(model), twice_differentiable(model):
        found = sharp.whole(Curvature(model, CROSS_ENTROPY, batches, 20, "ggn"))
    np.testing.assert_allclose(found, expected, atol=1e-12)
    assert targets.shape == (20,)


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


def test_both_ways_to_a_product_agree() -> None:
    model, batches = net(kind="norm"), examples()
    with held(model), twice_differentiable(model):
        curvature = Curvature(model, CROSS_ENTROPY, batches, 20)
        assert curvature.way == "forward over reverse"
        plain = sharp.whole(curvature)
        other = Curvature(_no_forward(model), CROSS_ENTROPY, batches, 20)
        assert other.way == "reverse over reverse"
        np.testing.assert_allclose(sharp.whole(other), plain, atol=1e-12)


class _Squared(torch.autograd.Function):
    """Differentiable backward as often as one likes, forward never."""

    @staticmethod
    def forward(ctx: object, given: Tensor) -> Tensor:
        ctx.save_for_backward(given)  # type: ignore[attr-defined]
        return given.clone()

    @staticmethod
    def backward(ctx: object, gradient: Tensor) -> Tensor:
        return gradient.clone()


def _no_forward(model: nn.Module) -> nn.Module:
    class Ending(nn.Module):
        def forward(self, given: Tensor) -> Tensor:
            found: Tensor = _Squared.apply(given)  # type: ignore[no-untyped-call]
            return found

    return nn.Sequential(model, Ending()).eval()


class _Sequence(nn.Module):
    """From float[batch 4] over two positions to three classes, by layers that torch runs in a fused way."""

    def __init__(self, kind: str) -> None:
        super().__init__()
        self.embed = nn.Linear(2, 4)
        self.middle: nn.Module = (
            nn.TransformerEncoderLayer(4, 2, 4, dropout=0.1, batch_first=True, activation="gelu")
            if kind == "attention"
            else nn.LSTM(4, 4, batch_first=True)
        )
        self.head = nn.Linear(4, 3)

    def forward(self, given: Tensor) -> Tensor:
        found = self.middle(self.embed(given.unflatten(1, (2, 2))))
        logits: Tensor = self.head((found[0] if isinstance(found, tuple) else found).mean(1))
        return logits


@pytest.mark.parametrize("kind", ["attention", "recurrent"])
def test_fused_layers_have_products_too(kind: str) -> None:
    torch.manual_seed(0)
    model, batches = _Sequence(kind).double().eval(), examples()
    inputs, targets = together(batches)
    before = torch.backends.mkldnn.enabled
    with held(model), twice_differentiable(model):
        curvature = Curvature(model, CROSS_ENTROPY, batches, 20)
        vector = np.random.default_rng(0).standard_normal(curvature.size)
        found = curvature.times(vector)
        with torch.enable_grad():
            parameters = list(model.parameters())
            loss = nn.functional.cross_entropy(model(inputs), targets)
            gradients = torch.autograd.grad(loss, parameters, create_graph=True)
            flat = torch.cat([one.reshape(-1) for one in gradients])
            expected = torch.autograd.grad(flat @ torch.from_numpy(vector), parameters)
    np.testing.assert_allclose(found, torch.cat([one.reshape(-1) for one in expected]).numpy(), atol=1e-10)
    # As of torch 2.14 the forward derivative of a layer normalisation's gradient is wrong: it is not taken.
    assert curvature.way == ("reverse over reverse" if kind == "attention" else "forward over reverse")
    assert torch.backends.mkldnn.enabled == before


def test_a_module_that_stands_twice_is_differentiated_without_being_swapped() -> None:
    torch.manual_seed(0)
    shared = nn.Linear(4, 4, bias=False)
    model, batches = nn.Sequential(shared, nn.Tanh(), shared, nn.Linear(4, 3)).double().eval(), examples()
    expected = dense(model, mean_loss(model, batches)).numpy()
    before = Untouched(model, versions=True)
    with held(model), twice_differentiable(model):
        curvature = Curvature(model, CROSS_ENTROPY, batches, 20)
        assert curvature.way == "reverse over reverse"
        found = sharp.whole(curvature)
        with pytest.raises(MethodError, match="'2' stands at several places"):
            Curvature(model, CROSS_ENTROPY, batches, 20, "ggn")
    assert before.differences() == []
    np.testing.assert_allclose(found, expected, atol=1e-12)


def test_a_product_holds_one_batch_at_a_time() -> None:
    model = net()
    alive: list[weakref.ref[Tensor]] = []
    most = 0

    class Fresh:
        def __iter__(self) -> Iterator[Labelled]:
            nonlocal most
            for batch in examples(60, (5,) * 12):
                given = batch.inputs.clone()  # type: ignore[union-attr]
                alive.append(weakref.ref(given))
                most = max(most, sum(one() is not None for one in alive))
                yield Labelled(given, batch.targets)
                del given

    with held(model), twice_differentiable(model):
        for matrix in ("hessian", "ggn"):
            curvature = Curvature(model, CROSS_ENTROPY, Fresh(), 60, matrix)  # type: ignore[arg-type]
            most = 0
            curvature.times(np.ones(curvature.size))
            assert 1 <= most <= 3, "the one that is made, and what still holds the one before, of 12"
        twice = Curvature(_no_forward(model), CROSS_ENTROPY, Fresh(), 60)
        most = 0
        twice.times(np.ones(twice.size))
        assert 1 <= most <= 3


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


def test_vectors_that_do_not_fit_are_refused_with_their_size() -> None:
    sharp._check_room(1000, None)
    sharp._check_room(1000, 48 * 8 * 1000)
    with pytest.raises(MethodError, match=r"1,000,000 rows need about 0\.4 GB .* 0\.1 GB are free.*Freeze"):
        sharp._check_room(1_000_000, 100_000_000)
