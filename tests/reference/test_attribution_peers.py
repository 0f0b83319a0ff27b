"""Methods that had one independent library beside them, against a second: Captum's LRP, zennit's rectifiers, AttnLRP's own code."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from captum.attr import LRP, LayerGradientXActivation, NeuronGradient
from captum.attr._utils.lrp_rules import Alpha1_Beta0_Rule, EpsilonRule, GammaRule
from torch import Tensor, nn
from torch.nn import functional as F

import pellucid
from pellucid.attribution import LrpEpsilon, LrpGamma, LrpZPlus, Unit

CLOSE: dict[str, float] = {"rtol": 1e-5, "atol": 1e-9}


def drawn(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


class Convolutions(nn.Module):
    """Modules that all peers know, no biases, and no module for what only changes the shape."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.features = nn.Sequential(
            nn.Conv2d(3, 8, 3, padding=1, bias=False),
            nn.ReLU(),
            nn.MaxPool2d(2),
            nn.Conv2d(8, 8, 3, padding=1, bias=False),
            nn.ReLU(),
            nn.AvgPool2d(2),
        )
        self.head = nn.Linear(32, 4, bias=False)
        self.double().eval()

    def forward(self, images: Tensor) -> Tensor:
        return self.head(self.features(images).flatten(1))


@pytest.mark.filterwarnings("ignore:Setting backward hooks", "ignore:Setting forward")
@pytest.mark.parametrize("name", ["epsilon", "gamma", "z_plus"])
def test_relevance_is_that_of_captum(name: str) -> None:
    """Its gamma and alpha-beta rules know inputs >= 0 only, and its gamma no negative logit: the head has epsilon."""
    model, given = Convolutions(), drawn(3, 3, 8, 8).abs()
    ours = {
        "epsilon": LrpEpsilon(1e-9),
        "gamma": LrpGamma(0.25, 1e-9, dense="epsilon"),
        "z_plus": LrpZPlus(1e-9, dense="epsilon"),
    }[name]
    expected_rule = {"epsilon": EpsilonRule, "gamma": lambda: GammaRule(gamma=0.25), "z_plus": Alpha1_Beta0_Rule}[name]
    found = pellucid.attribute(model, given, 2, ours).input
    for layer in model.features:
        if isinstance(layer, nn.Conv2d):
            layer.rule = expected_rule()
    expected = LRP(model).attribute(given.clone().requires_grad_(), target=2).detach()
    torch.testing.assert_close(found, expected, **CLOSE)
    assert float(found.abs().max()) > 1e-3


@pytest.mark.parametrize(("method", "composite"), [("guided_backprop", "GuidedBackprop"), ("deconvnet", "DeconvNet")])
def test_guided_backpropagation_and_deconvnet_are_those_of_zennit(method: str, composite: str) -> None:
    composites = pytest.importorskip("zennit.composites")
    model, given = Convolutions(), drawn(3, 3, 8, 8)
    found = pellucid.attribute(model, given, 1, method).input
    with getattr(composites, composite)().context(model) as changed:
        leaf = given.clone().requires_grad_()
        (expected,) = torch.autograd.grad(changed(leaf)[:, 1].sum(), leaf)
    torch.testing.assert_close(found, expected, **CLOSE)


@pytest.mark.filterwarnings("ignore:Setting")
def test_gradients_of_layers_units_and_tokens_are_those_of_captum() -> None:
    model, given = Convolutions(), drawn(3, 3, 8, 8)
    found = pellucid.attribute(
        model, given, 1, "gradient_x_input", layers=[f"features.{number}" for number in (0, 3, 5)]
    )
    for number in (0, 3, 5):
        expected = LayerGradientXActivation(model, model.features[number]).attribute(given.clone(), target=1)
        torch.testing.assert_close(found.layers[f"features.{number}"], expected.detach(), **CLOSE)
    unit = pellucid.attribute(model, given, Unit("features.3", 2, (1, 3))).input
    neuron = NeuronGradient(model, model.features[3]).attribute(given.clone().requires_grad_(), (2, 1, 3))
    torch.testing.assert_close(unit, neuron.detach().abs(), **CLOSE)
    words = nn.Embedding(9, 4)
    text = nn.Sequential(words, nn.Flatten(), nn.Tanh(), nn.Linear(12, 3)).double()
    ids = torch.tensor([[1, 2, 3], [4, 4, 8]])
    expected = LayerGradientXActivation(text, words).attribute(ids, target=2).sum(-1)
    torch.testing.assert_close(pellucid.attribute(text, ids, 2, "token_gradients").input, expected.detach(), **CLOSE)


class Block(nn.Module):
    """A transformer's block with a gate, in operators that a table may replace: ours are torch's, theirs carry relevance."""

    def __init__(self, operators: Any = None) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(6)
        self.q, self.k, self.v, self.out, self.a, self.b, self.head = (nn.Linear(6, 6) for _ in range(7))
        self.operators = operators
        with torch.no_grad():
            for number, parameter in enumerate(self.double().parameters()):
                parameter.copy_(0.5 * drawn(*parameter.shape, seed=number))

    def linear(self, layer: nn.Linear, x: Tensor) -> Tensor:
        return layer(x) if self.operators is None else self.operators.linear_epsilon(x, layer.weight, layer.bias, 1e-12)

    def forward(self, x: Tensor) -> Tensor:
        op = self.operators
        add, multiply, matmul = (
            (torch.add, torch.mul, torch.matmul)
            if op is None
            else (
                lambda a, b: op.add2(a, b, epsilon=1e-12),
                op.mul2,
                lambda a, b: op.matmul(a, b, epsilon=1e-12),
            )
        )
        normed = self.norm(x) if op is None else op.layer_norm(x, self.norm.weight, self.norm.bias, self.norm.eps)
        q, k, v = (self.linear(one, normed) for one in (self.q, self.k, self.v))
        logits = multiply(matmul(q, k.transpose(-2, -1)), torch.tensor(6**-0.5, dtype=torch.float64))
        shares = F.softmax(logits, -1) if op is None else op.softmax(logits, -1)
        x = add(self.linear(self.out, matmul(shares, v)), x)
        x = multiply(self.linear(self.a, x), self.linear(self.b, x))
        pooled = x.mean(1) if op is None else op.mean(x, 1, False, 1e-12)
        return self.linear(self.head, pooled)


def test_attention_normalisation_and_gates_have_the_relevance_of_the_papers_own_code() -> None:
    """Where `lxt` is installed (`pip install --no-deps lxt`), which Achtibat et al. publish."""
    operators = pytest.importorskip("lxt.explicit.functional")
    x = drawn(2, 5, 6, seed=50)
    found = pellucid.attribute(Block(), x, 3, LrpEpsilon(0.0))
    leaf = x.clone().requires_grad_()
    output = Block(operators)(leaf)
    # Their backward carries relevance itself: it begins with the score.
    start = torch.zeros_like(output)
    start[:, 3] = output[:, 3].detach()
    (expected,) = torch.autograd.grad(output, leaf, start)
    torch.testing.assert_close(found.scores, output[:, 3].detach())
    # Their layer normalisation has an epsilon of 1e-6 built in, which ours is without here.
    torch.testing.assert_close(found.input, expected, rtol=1e-5, atol=1e-5 * float(expected.abs().max()))
