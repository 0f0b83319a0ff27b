"""Methods with rules against float64 formulas, Captum and zennit."""

from __future__ import annotations

import pytest
import torch
from captum.attr import Deconvolution, GuidedBackprop
from torch import Tensor, nn

import pellucid
from pellucid.attribution import LrpEpsilon, LrpGamma, LrpZPlus


@pytest.fixture(scope="module")
def dense() -> tuple[list[Tensor], nn.Sequential]:
    torch.manual_seed(0)
    model = nn.Sequential(
        nn.Linear(6, 8, bias=False), nn.ReLU(), nn.Linear(8, 7, bias=False), nn.ReLU(), nn.Linear(7, 3, bias=False)
    ).double()
    return [layer.weight.detach() for layer in model if isinstance(layer, nn.Linear)], model


def convolutions() -> nn.Sequential:
    torch.manual_seed(1)
    return nn.Sequential(
        nn.Conv2d(3, 6, 3, padding=1),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Conv2d(6, 8, 3, padding=1, bias=False),
        nn.ReLU(),
        nn.AvgPool2d(2),
        nn.Flatten(),
        nn.Linear(32, 5),
    ).double()


@pytest.mark.filterwarnings("ignore:Setting backward hooks")
@pytest.mark.parametrize(("method", "peer"), [("guided_backprop", GuidedBackprop), ("deconvnet", Deconvolution)])
def test_equal_to_captum_on_relu_modules(method: str, peer: type) -> None:
    model, x = convolutions(), torch.randn(4, 3, 8, 8, dtype=torch.float64)
    expected = peer(model).attribute(x.clone().requires_grad_(), target=2)
    torch.testing.assert_close(pellucid.attribute(model, x, 2, method).input, expected.detach(), rtol=1e-5, atol=1e-12)


def test_guided_and_deconvnet_by_hand(dense: tuple[list[Tensor], nn.Sequential]) -> None:
    (first, second, third), model = dense
    x = torch.randn(5, 6, dtype=torch.float64)
    a = x @ first.T
    b = a.clamp(min=0) @ second.T
    down = third[1].expand(5, -1)
    guided = (((down * (b > 0)).clamp(min=0) @ second) * (a > 0)).clamp(min=0) @ first
    torch.testing.assert_close(pellucid.attribute(model, x, 1, "guided_backprop").input, guided)
    torch.testing.assert_close(
        pellucid.attribute(model, x, 1, "deconvnet").input, (down.clamp(min=0) @ second).clamp(min=0) @ first
    )


def test_lrp_zero_is_gradient_times_input_and_complete(dense: tuple[list[Tensor], nn.Sequential]) -> None:
    _, model = dense
    x = torch.randn(5, 6, dtype=torch.float64)
    found = pellucid.attribute(model, x, 1, LrpEpsilon(epsilon=0.0))
    torch.testing.assert_close(found.input, pellucid.attribute(model, x, 1, "gradient_x_input").input)
    assert found.check is not None
    assert (found.check.abs() <= 1e-5 * found.scores.abs()).all()


@pytest.mark.parametrize("epsilon", [1e-6, 0.3])
def test_lrp_epsilon_by_hand(dense: tuple[list[Tensor], nn.Sequential], epsilon: float) -> None:
    weights, model = dense
    x = torch.randn(5, 6, dtype=torch.float64)
    inputs = [x]
    for weight in weights[:-1]:
        inputs.append((inputs[-1] @ weight.T).clamp(min=0))
    z = [a @ weight.T for a, weight in zip(inputs, weights, strict=True)]
    relevance = torch.zeros_like(z[-1])
    relevance[:, 1] = z[-1][:, 1]
    for a, weight, out in reversed(list(zip(inputs, weights, z, strict=True))):
        relevance = a * ((relevance / (out + torch.where(out < 0, -epsilon, epsilon))) @ weight)
    torch.testing.assert_close(pellucid.attribute(model, x, 1, LrpEpsilon(epsilon)).input, relevance)


@pytest.mark.parametrize("name", ["Epsilon", "Gamma", "ZPlus"])
def test_equal_to_zennit(name: str) -> None:
    rules = pytest.importorskip("zennit.rules")
    composites = pytest.importorskip("zennit.composites")
    types = pytest.importorskip("zennit.types")
    model, x = convolutions(), torch.randn(3, 3, 8, 8, dtype=torch.float64)
    ours = {"Epsilon": LrpEpsilon(), "Gamma": LrpGamma(), "ZPlus": LrpZPlus()}[name]
    composite = composites.LayerMapComposite(
        [(types.Activation, rules.Pass()), (types.AvgPool, rules.Norm()), (types.Linear, getattr(rules, name)())]
    )
    with composite.context(model) as changed:
        leaf = x.clone().requires_grad_()
        output = changed(leaf)
        start = torch.zeros_like(output)
        start[:, 2] = output[:, 2].detach()
        (expected,) = torch.autograd.grad(output, leaf, start)
    torch.testing.assert_close(pellucid.attribute(model, x, 2, ours).input, expected, rtol=1e-5, atol=1e-9)


class Attention(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.q, self.k, self.v = (nn.Linear(4, 4, bias=False) for _ in range(3))

    def forward(self, x: Tensor) -> Tensor:
        return nn.functional.scaled_dot_product_attention(self.q(x), self.k(x), self.v(x)).mean(1)


def test_attention_by_hand() -> None:
    model, x = Attention().double(), torch.randn(2, 5, 4, dtype=torch.float64)
    weights = [layer.weight.detach() for layer in (model.q, model.k, model.v)]
    q, k, v = (x @ weight.T for weight in weights)
    scores = q @ k.mT / 2
    shares = scores.softmax(-1)
    output = shares @ v
    relevance = torch.zeros_like(output)
    relevance[:, :, 1] = output[:, :, 1] / 5
    c = relevance / output
    of_shares, of_v = 0.5 * shares * (c @ v.mT), 0.5 * v * (shares.mT @ c)
    slope = of_shares - shares * of_shares.sum(-1, keepdim=True)  # R(s_i) / s_i
    of_q, of_k = 0.5 * q * (slope @ k) / 2, 0.5 * k * (slope.mT @ q) / 2
    parts = zip((of_q, of_k, of_v), (q, k, v), weights, strict=True)
    expected = sum(x * ((part / value) @ weight) for part, value, weight in parts)
    torch.testing.assert_close(pellucid.attribute(model, x, 1, LrpEpsilon(epsilon=0.0)).input, expected)
