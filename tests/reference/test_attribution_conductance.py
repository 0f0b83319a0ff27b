"""Integrated gradients of layers and of embedded tokens, against Captum and closed forms."""

from __future__ import annotations

import pytest
import torch
from captum.attr import LayerConductance, LayerIntegratedGradients
from torch import Tensor, nn

import pellucid
from pellucid.attribution import IntegratedGradients, SmoothGrad, VarGrad
from pellucid.errors import MethodError, OptionError

TARGETS = [2, 0, 1]


def net() -> nn.Sequential:
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Conv2d(2, 4, 3), nn.Tanh(), nn.Flatten(), nn.Linear(64, 8), nn.Softplus(), nn.Linear(8, 3)
    ).double()


def images() -> Tensor:
    return torch.randn(3, 2, 6, 6, generator=torch.Generator().manual_seed(1), dtype=torch.float64)


class Text(nn.Module):
    """Words and places, each with an embedding; the words' table is read twice."""

    def __init__(self) -> None:
        super().__init__()
        self.words = nn.Embedding(11, 6)
        self.places = nn.Embedding(5, 6)
        self.idle = nn.Embedding(11, 6)
        self.mix = nn.Linear(6, 6)
        self.head = nn.Linear(6, 3)

    def forward(self, ids: Tensor) -> Tensor:
        tokens = (
            self.words(ids) + self.places(torch.arange(ids.shape[1])) + self.words(torch.zeros_like(ids[:1, :1]) + 3)
        )
        return self.head(torch.tanh(self.mix(torch.tanh(tokens))).mean(1))


IDS = torch.tensor([[1, 2, 3, 4, 5], [5, 5, 0, 10, 7], [0, 1, 1, 1, 9]])


def text() -> Text:
    torch.manual_seed(0)
    return Text().double()


def test_layers_have_the_conductance_of_captum_and_add_up_all_from_one_set_of_passes() -> None:
    model, given = net(), images()
    asked, names = IntegratedGradients(steps=64, limit=64), ["0", "1", "3", "4"]
    found = pellucid.attribute(model, given, TARGETS, asked, layers=names)
    alone = pellucid.attribute(model, given, TARGETS, asked)
    assert (found.passes.forward_examples, found.passes.backward_examples) == (67 * 3, 65 * 3)
    assert (alone.passes, alone.layers) == (found.passes, {})
    torch.testing.assert_close(found.input, alone.input)
    with torch.no_grad():
        change = (model(given) - model(torch.zeros_like(given))).gather(1, torch.tensor(TARGETS)[:, None])[:, 0]
    for name in names:
        expected = LayerConductance(model, model.get_submodule(name)).attribute(
            given, target=torch.tensor(TARGETS), n_steps=400
        )
        torch.testing.assert_close(found.layers[name], expected, rtol=2e-2, atol=2e-3)
        residual = found.layers[name].flatten(1).sum(1) - change
        torch.testing.assert_close(found.layer_checks[name], residual)
        assert float(residual.abs().max()) < 1e-3 * float(change.abs().min())


@pytest.mark.parametrize("batch_size", [1, 6, 100])
def test_layers_do_not_depend_on_the_batches(batch_size: int, monkeypatch: pytest.MonkeyPatch) -> None:
    model, given = net(), images()
    asked = IntegratedGradients(steps=7, limit=7, tolerance=9, batch_size=batch_size)
    whole = pellucid.attribute(model, given, TARGETS, IntegratedGradients(steps=7, limit=7, tolerance=9), layers=["1"])
    found = pellucid.attribute(model, given, TARGETS, asked, layers=["1"])
    torch.testing.assert_close(found.layers["1"], whole.layers["1"])


def test_a_layer_that_is_linear_in_the_input_has_the_integrated_gradients_of_its_own() -> None:
    model, given = net(), images()
    found = pellucid.attribute(model, given, TARGETS, IntegratedGradients(steps=32, limit=32), layers=["0"]).layers["0"]
    oracle = LayerIntegratedGradients(model, model[0])
    expected = oracle.attribute(given, target=torch.tensor(TARGETS), n_steps=32, method="gausslegendre")
    torch.testing.assert_close(found, expected)


@pytest.mark.parametrize("baseline", [None, "ids"])
def test_token_ids_integrate_at_the_embedding_that_they_look_up(baseline: str | None) -> None:
    model = text()
    start = None if baseline is None else torch.tensor([[3, 1, 4, 1, 5]]).expand(3, -1)
    asked = IntegratedGradients(steps=32, limit=32, baseline=start)
    states = {name: len(one._forward_hooks) for name, one in model.named_modules()}
    found = pellucid.attribute(model, IDS, TARGETS, asked, layers=["mix"])
    assert {name: len(one._forward_hooks) for name, one in model.named_modules()} == states
    assert set(found.layers) == {"words", "mix"}
    torch.testing.assert_close(found.input, found.layers["words"].sum(-1))
    table = model.words.weight.detach()
    begun = torch.zeros(3, 5, 6).double() if start is None else table[start]

    def score(tokens: Tensor) -> Tensor:
        whole = tokens + model.places(torch.arange(5)) + table[3]
        return model.head(torch.tanh(model.mix(torch.tanh(whole))).mean(1)).gather(1, torch.tensor(TARGETS)[:, None])[
            :, 0
        ]

    mean = torch.zeros(3, 5, 6).double()
    for step in range(300):
        leaf = (begun + (step + 0.5) / 300 * (table[IDS] - begun)).requires_grad_()
        mean += torch.autograd.grad(score(leaf).sum(), leaf)[0] / 300
    torch.testing.assert_close(found.layers["words"], mean * (table[IDS] - begun), rtol=1e-5, atol=1e-7)
    change = (score(table[IDS]) - score(begun)).detach()
    torch.testing.assert_close(found.input.sum(1), change, rtol=1e-6, atol=1e-8)
    torch.testing.assert_close(found.layer_checks["mix"], found.layers["mix"].flatten(1).sum(1) - change)
    assert float(found.layer_checks["mix"].abs().max()) < 1e-3 * float(change.abs().max())


def test_token_ids_with_another_baseline_are_those_of_captum() -> None:
    torch.manual_seed(0)
    model = nn.Sequential(nn.Embedding(11, 6), nn.Flatten(), nn.Linear(30, 8), nn.Tanh(), nn.Linear(8, 3)).double()
    found = pellucid.attribute(
        model, IDS, TARGETS, IntegratedGradients(steps=24, limit=24, baseline=torch.zeros_like(IDS))
    )
    oracle = LayerIntegratedGradients(model, model[0])
    expected = oracle.attribute(
        IDS, baselines=torch.zeros_like(IDS), target=torch.tensor(TARGETS), n_steps=24, method="gausslegendre"
    )
    torch.testing.assert_close(found.layers["0"], expected)
    assert float(found.check.abs().max()) < 1e-6


def test_noisy_gradients_of_layers_are_means_over_the_same_copies() -> None:
    torch.manual_seed(0)
    linear = nn.Sequential(nn.Flatten(), nn.Linear(72, 5), nn.Linear(5, 3)).double()
    found = pellucid.attribute(linear, images(), TARGETS, [SmoothGrad(samples=3), VarGrad(samples=3)], layers=["1"])
    torch.testing.assert_close(found["smoothgrad"].layers["1"], linear[2].weight.detach()[TARGETS].abs())
    assert float(found["vargrad"].layers["1"].max()) < 1e-25
    model, given = net(), images()
    noisy = pellucid.attribute(model, given, TARGETS, [SmoothGrad(samples=8), VarGrad(samples=8)], layers=["4"])
    plain = pellucid.attribute(model, given, TARGETS, SmoothGrad(samples=8, noise=0.0), layers=["4"])
    torch.testing.assert_close(
        plain.layers["4"], pellucid.attribute(model, given, TARGETS, "saliency", layers=["4"]).layers["4"]
    )
    assert not torch.equal(noisy["smoothgrad"].input, plain.input)
    assert float(noisy["vargrad"].input.max()) > 0


def test_what_has_no_way_is_refused() -> None:
    class Coded(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.words = nn.Embedding(5, 4)
            self.head = nn.Linear(4, 2)

        def forward(self, ids: Tensor) -> Tensor:
            return self.head(self.words(ids.flip(1)).mean(1))

    with pytest.raises(MethodError, match=r"1 nn\.Embedding and none of them looks up"):
        pellucid.attribute(Coded(), torch.tensor([[1, 2, 3]]), 0, "integrated_gradients")
    with pytest.raises(OptionError, match="baseline of token ids"):
        pellucid.attribute(text(), IDS, 0, IntegratedGradients(baseline=torch.full_like(IDS, 99)))
