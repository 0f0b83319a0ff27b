"""The matrix of curvature against dense ones, and products with it in both ways."""

from __future__ import annotations

import weakref
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.func import functional_call

from pellucid.errors import MethodError
from pellucid.landscape import (
    Curvature,
    Labelled,
    held,
    twice_differentiable,
)
from pellucid.landscape import sharpness as sharp
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


def test_one_activation_at_two_places_is_no_reason_to_refuse() -> None:
    """It has no values that could be swapped."""
    torch.manual_seed(0)
    shared = nn.Tanh()
    layers = [nn.Linear(4, 5), shared, nn.Linear(5, 4), shared, nn.Linear(4, 3)]
    model, batches = nn.Sequential(*layers).double().eval(), examples()
    apart = nn.Sequential(*layers[:3], nn.Tanh(), layers[4])
    for matrix in ("hessian", "ggn"):
        found = []
        for one in (model, apart):
            with held(one), twice_differentiable(one):
                curvature = Curvature(one, CROSS_ENTROPY, batches, 20, matrix)
                assert curvature.way == "forward over reverse"
                found.append(sharp.whole(curvature))
        np.testing.assert_allclose(found[0], found[1], atol=1e-12)


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


@pytest.mark.parametrize("dim", [0, None])
def test_weight_normalisation_is_differentiated_in_its_parts(dim: int | None) -> None:
    """Torch's fused one has a second derivative that is wrong: not even symmetric."""
    from torch.nn.utils.parametrizations import weight_norm

    torch.manual_seed(0)
    model = nn.Sequential(weight_norm(nn.Linear(4, 5), dim=dim), nn.Tanh(), nn.Linear(5, 3)).double().eval()  # type: ignore[arg-type]
    batches = examples()
    inputs, targets = together(batches)
    before = Untouched(model, versions=True)
    with held(model), twice_differentiable(model):
        curvature = Curvature(model, CROSS_ENTROPY, batches, 20)
        found = sharp.whole(curvature)
    assert before.differences() == []
    flat = torch.cat([one.detach().reshape(-1) for one in model.parameters()])

    def gradient(values: Tensor) -> Tensor:
        parts = torch.split(values, [one.numel() for one in model.parameters()])
        held_ = {
            name: part.view_as(one).requires_grad_()
            for (name, one), part in zip(model.named_parameters(), parts, strict=True)
        }
        loss = nn.functional.cross_entropy(functional_call(model, held_, (inputs,)), targets)
        return torch.cat([one.reshape(-1) for one in torch.autograd.grad(loss, list(held_.values()))])

    step = 1e-5
    differences = [
        (gradient(flat + step * one) - gradient(flat - step * one)) / (2 * step)
        for one in torch.eye(len(flat), dtype=torch.float64)
    ]
    np.testing.assert_allclose(found, torch.stack(differences).numpy(), atol=1e-8)


class _Skewed(torch.autograd.Function):
    """The identity, whose gradient claims a second derivative that no function has."""

    @staticmethod
    def forward(ctx: Any, given: Tensor) -> Tensor:
        ctx.save_for_backward(given)
        return given.clone()

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> Tensor:
        (given,) = ctx.saved_tensors
        skewed = given.roll(1, -1) * given.detach()
        return gradient + skewed - skewed.detach()


class _Skewing(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.arange(12.0, dtype=torch.float64).reshape(3, 4) / 12)

    def forward(self, given: Tensor) -> Tensor:
        weight: Tensor = _Skewed.apply(self.weight)  # type: ignore[no-untyped-call]
        return given @ weight.T


def test_a_second_derivative_that_is_wrong_is_refused() -> None:
    model = _Skewing()
    with (
        held(model),
        twice_differentiable(model),
        pytest.raises(MethodError, match="not symmetric, so a derivative in torch is wrong"),
    ):
        Curvature(model, CROSS_ENTROPY, examples(), 20)


def test_half_precision_is_refused_where_it_would_round_too_roughly() -> None:
    model = nn.Linear(4, 3).bfloat16()
    with pytest.raises(MethodError, match="float32 or float64; some of this model's are bfloat16"):
        Curvature(model, CROSS_ENTROPY, examples(), 20)


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


def test_vectors_that_do_not_fit_are_refused_with_their_size() -> None:
    sharp._check_room(1000, None)
    sharp._check_room(1000, 48 * 8 * 1000)
    with pytest.raises(MethodError, match=r"1,000,000 rows need about 0\.4 GB .* 0\.1 GB are free.*Freeze"):
        sharp._check_room(1_000_000, 100_000_000)
