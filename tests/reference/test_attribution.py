"""Attributions against Captum, against torch's own gradients in float64, and against closed forms."""

from __future__ import annotations

import math
from collections.abc import Callable

import pytest
import torch
from captum.attr import InputXGradient, LayerGradCam, Saliency
from torch import Tensor, nn
from torch.nn import functional as F

import pellucid

METHODS = ("saliency", "gradient_x_input", "grad_cam")

TARGETS = [2, 0, 4, 1, 2, 3]


class Residual(nn.Module):
    """Convolutions, batch norms, in-place and functional activations, a join, a pool."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Sequential(nn.Conv2d(3, 8, 3, padding=1), nn.BatchNorm2d(8), nn.ReLU(inplace=True))
        self.left = nn.Conv2d(8, 8, 3, padding=1)
        self.norm = nn.BatchNorm2d(8)
        self.pool = nn.MaxPool2d(2)
        self.last = nn.Conv2d(8, 6, 3)
        self.bend = nn.GELU()
        self.head = nn.Linear(6, 5)

    def forward(self, images: Tensor) -> Tensor:
        signal = self.stem(images)
        signal = F.relu(self.norm(self.left(signal)) + signal)
        signal = self.bend(self.last(self.pool(signal)))
        return self.head(signal.mean(dim=(2, 3)))


def residual() -> nn.Module:
    torch.manual_seed(0)
    model = Residual()
    model(torch.randn(64, 3, 12, 12))  # batch norms that hold something
    return model.eval()


def images(number: int = len(TARGETS)) -> Tensor:
    return torch.randn(number, 3, 12, 12, generator=torch.Generator().manual_seed(1))


@pytest.mark.parametrize("double", [False, True])
def test_saliency_and_gradient_x_input_are_those_of_captum_and_of_autograd(double: bool) -> None:
    model, given = residual(), images()
    if double:
        model, given = model.double(), given.double()
    found = pellucid.attribute(model, given, TARGETS, ["saliency", "gradient_x_input"])
    leaf = given.clone().requires_grad_()
    target = torch.tensor(TARGETS)
    scores = model(leaf).gather(1, target[:, None])[:, 0]
    (gradient,) = torch.autograd.grad(scores.sum(), leaf)
    tolerance = {"rtol": 1e-12, "atol": 1e-14} if double else {"rtol": 1e-4, "atol": 1e-6}
    torch.testing.assert_close(found["saliency"].input, gradient.abs(), **tolerance)
    torch.testing.assert_close(found["gradient_x_input"].input, gradient * given, **tolerance)
    torch.testing.assert_close(found["saliency"].scores, scores.detach(), **tolerance)
    for method, peer in (("saliency", Saliency(model)), ("gradient_x_input", InputXGradient(model))):
        expected = peer.attribute(leaf, target=target).detach()
        torch.testing.assert_close(found[method].input, expected, **tolerance)


def test_gradients_of_layers_are_those_of_autograd() -> None:
    model, given = residual().double(), images().double()
    found = pellucid.attribute(model, given, 3, ["saliency", "gradient_x_input"])
    # The network again, written out, with every layer's output in hand.
    stem = F.relu(model.stem[1](model.stem[0](given)))
    stem.requires_grad_()
    joined = F.relu(model.norm(model.left(stem)) + stem)
    pooled = model.pool(joined)
    bent = F.gelu(model.last(pooled))
    logits = model.head(bent.mean(dim=(2, 3)))
    outputs = {"stem.2": stem, "relu()": joined, "pool": pooled, "bend": bent, "head": logits}
    assert set(outputs) <= set(found["saliency"].layers)
    for name, output in outputs.items():
        (gradient,) = torch.autograd.grad(logits[:, 3].sum(), output, retain_graph=True)
        torch.testing.assert_close(found["saliency"].layers[name], gradient.abs())
        torch.testing.assert_close(found["gradient_x_input"].layers[name], gradient * output.detach())


def test_grad_cam_of_every_module_is_that_of_captum() -> None:
    model, given = residual(), images()
    compared = ["stem.0", "stem.1", "stem", "left", "norm", "pool", "last", "bend"]
    found = pellucid.attribute(model, given, TARGETS, "grad_cam", layers=compared)
    modules = dict(model.named_modules())
    model.stem[2].inplace = False  # Captum would be shown what the activation wrote over
    for name in compared:
        peer = LayerGradCam(model, modules[name])
        expected = peer.attribute(given.clone().requires_grad_(), torch.tensor(TARGETS), relu_attributions=True)
        assert expected.shape[1] == 1
        torch.testing.assert_close(found.layers[name], expected[:, 0].detach(), rtol=1e-5, atol=1e-5)
        assert float(found.layers[name].max()) > 1e-3


def test_grad_cam_by_default_holds_every_layer_with_positions() -> None:
    model, given = residual(), images()
    found = pellucid.attribute(model, given, "prediction", "grad_cam")
    assert {"stem.2", "relu()", "pool", "bend"} <= set(found.layers)
    assert "head" not in found.layers
    assert all(len(cam.shape) == 3 and bool((cam >= 0).all()) for cam in found.layers.values())
    # On the input: the deepest layer's map, stretched and the same on every channel.
    expected = F.interpolate(found.layers["bend"][:, None], size=(12, 12), mode="bilinear", align_corners=False)
    torch.testing.assert_close(found.input, expected.expand(-1, 3, -1, -1))
    backwards = pellucid.attribute(model, given, "prediction", "grad_cam", layers=["bend", "stem.2"])
    torch.testing.assert_close(backwards.input, found.input)


def test_a_linear_model_has_its_weights_as_gradient() -> None:
    torch.manual_seed(0)
    model = nn.Sequential(nn.Flatten(), nn.Linear(3 * 4 * 4, 5))
    given = torch.randn(len(TARGETS), 3, 4, 4)
    found = pellucid.attribute(model, given, TARGETS, ["saliency", "gradient_x_input"])
    weight = model[1].weight.detach()[TARGETS].reshape(-1, 3, 4, 4)
    torch.testing.assert_close(found["saliency"].input, weight.abs())
    torch.testing.assert_close(found["gradient_x_input"].input, weight * given)
    # Gradient x input is complete on it: it adds up to the score without the bias.
    total = found["gradient_x_input"].input.flatten(1).sum(1) + model[1].bias.detach()[TARGETS]
    torch.testing.assert_close(total, found["saliency"].scores)


def test_the_gradient_is_the_slope_that_finite_differences_find() -> None:
    model, given = residual().double(), images(2).double()
    found = pellucid.attribute(model, given, 1, ["saliency", "gradient_x_input"])
    step = 1e-5
    generator = torch.Generator().manual_seed(3)
    for _ in range(40):
        channel, row, column = (int(torch.randint(size, (1,), generator=generator)) for size in (3, 12, 12))
        moved = torch.zeros_like(given)
        moved[:, channel, row, column] = step
        with torch.no_grad():
            slope = (model(given + moved)[:, 1] - model(given - moved)[:, 1]) / (2 * step)
        place = (slice(None), channel, row, column)
        torch.testing.assert_close(found["saliency"].input[place], slope.abs(), rtol=1e-5, atol=1e-8)
        torch.testing.assert_close(found["gradient_x_input"].input[place], slope * given[place], rtol=1e-5, atol=1e-8)


def test_grad_cam_before_an_averaging_linear_head_is_cam() -> None:
    torch.manual_seed(0)
    features = nn.Sequential(nn.Conv2d(3, 7, 3), nn.ReLU())
    model = nn.Sequential(features, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(7, 5)).double()
    given = images().double()
    found = pellucid.attribute(model, given, TARGETS, "grad_cam")
    maps = features(given).detach()
    positions = maps.shape[2] * maps.shape[3]
    # Zhou et al. 2016, arXiv:1512.04150, eq. 2: weights of the class times the maps.
    cam = torch.einsum("bchw,bc->bhw", maps, model[3].weight.detach()[TARGETS])
    torch.testing.assert_close(found.layers["0.1"], F.relu(cam) / positions)


class Tokens(nn.Module):
    """A small vision transformer over a 3 x 3 grid of patches, with or without a class token."""

    def __init__(self, class_token: bool) -> None:
        super().__init__()
        self.patches = nn.Conv2d(3, 8, 4, stride=4)
        self.class_token = nn.Parameter(torch.randn(1, 1, 8)) if class_token else None
        self.block = nn.TransformerEncoderLayer(8, 2, 16, dropout=0.0, batch_first=True, activation="gelu")
        self.norm = nn.LayerNorm(8)
        self.head = nn.Linear(8, 5)

    def forward(self, pictures: Tensor) -> Tensor:
        tokens = self.patches(pictures).flatten(2).transpose(1, 2)
        if self.class_token is not None:
            tokens = torch.cat([self.class_token.expand(len(tokens), -1, -1), tokens], dim=1)
        tokens = self.norm(self.block(tokens))
        return self.head(tokens.mean(dim=1) if self.class_token is None else tokens[:, 0] + tokens.max(dim=1)[0])


@pytest.mark.parametrize("class_token", [False, True])
def test_tokens_are_laid_out_on_their_grid_row_by_row(class_token: bool) -> None:
    torch.manual_seed(0)
    model, given = Tokens(class_token).eval().double(), images(4).double()
    found = pellucid.attribute(model, given, 2, list(METHODS), layers=["block", "norm", "patches"])
    leading = int(class_token)
    leaf = given.clone().requires_grad_()
    kept: dict[str, Tensor] = {}
    handles = [
        module.register_forward_hook(lambda _, __, output, name=name: kept.update({name: output}))
        for name, module in (("block", model.block), ("norm", model.norm))
    ]
    scores = model(leaf)[:, 2]
    for handle in handles:
        handle.remove()
    for name, output in kept.items():
        (gradient,) = torch.autograd.grad(scores.sum(), output, retain_graph=True)
        assert output.shape == (4, 9 + leading, 8)
        torch.testing.assert_close(found["saliency"].layers[name], gradient.abs())
        expected = torch.zeros(4, 3, 3, dtype=torch.float64)
        for example in range(4):
            slopes = gradient[example, leading:]
            values = output.detach()[example, leading:]
            for row in range(3):
                for column in range(3):
                    token = values[3 * row + column]
                    expected[example, row, column] = max(
                        0.0, sum(float(slopes[:, channel].mean() * token[channel]) for channel in range(8))
                    )
        torch.testing.assert_close(found["grad_cam"].layers[name], expected)
    assert float(found["grad_cam"].layers["norm"].max()) > 0
    # Patches come out of the convolution in the same order, row by row.
    assert found["grad_cam"].layers["patches"].shape == (4, 3, 3)


def test_several_methods_cost_one_forward_and_one_backward() -> None:
    model, given = residual(), images()
    forwards: list[int] = []
    backwards: list[int] = []
    model.stem[0].register_forward_hook(
        lambda module, inputs, output: forwards.append(len(output)) if torch.is_grad_enabled() else None
    )
    model.left.register_full_backward_hook(lambda module, inwards, outwards: backwards.append(len(outwards[0])))
    for methods in (["saliency"], list(METHODS), [*METHODS, "saliency"]):
        forwards.clear()
        backwards.clear()
        found = pellucid.attribute(model, given, TARGETS, methods)
        assert list(found) == list(dict.fromkeys(methods))
        assert forwards == [len(given)]
        assert backwards == [len(given)]
        for attribution in found.values():
            passes = attribution.passes
            assert (passes.forward, passes.backward) == (1, 1)
            assert (passes.forward_examples, passes.backward_examples) == (len(given), len(given))


def test_the_graph_costs_one_more_forward_on_two_examples_without_gradients() -> None:
    model = residual()
    seen: list[tuple[int, bool]] = []
    model.stem[0].register_forward_hook(
        lambda module, inputs, output: seen.append((len(output), torch.is_grad_enabled()))
    )
    pellucid.attribute(model, images(), 0)
    assert seen == [(2, False), (6, True)]


def test_one_method_by_name_is_the_same_as_in_a_list() -> None:
    model, given = residual(), images()
    together = pellucid.attribute(model, given, TARGETS, list(METHODS))
    for method in METHODS:
        alone = pellucid.attribute(model, given, TARGETS, method)
        assert alone.method == method
        assert torch.equal(alone.input, together[method].input)
        assert alone.layers.keys() == together[method].layers.keys()


def test_an_example_is_explained_alone_as_in_its_batch() -> None:
    model, given = residual().double(), images().double()
    together = pellucid.attribute(model, given, TARGETS, list(METHODS))
    for place, target in enumerate(TARGETS):
        alone = pellucid.attribute(model, given[place : place + 1], target, list(METHODS))
        for method in METHODS:
            torch.testing.assert_close(alone[method].input[0], together[method].input[place])


@pytest.mark.parametrize(
    ("target", "index"),
    [("prediction", None), (2, [2] * 6), (lambda output: output[:, 2], [2] * 6), (torch.tensor(TARGETS), TARGETS)],
)
def test_a_target_is_a_class_a_list_the_prediction_or_a_function(
    target: int | str | Tensor | Callable[[Tensor], Tensor], index: list[int] | None
) -> None:
    model, given = residual(), images()
    with torch.no_grad():
        logits = model(given)
    chosen = logits.argmax(dim=1) if index is None else torch.tensor(index)
    found = pellucid.attribute(model, given, target)
    torch.testing.assert_close(found.scores, logits.gather(1, chosen[:, None])[:, 0])
    torch.testing.assert_close(found.input, pellucid.attribute(model, given, chosen).input)


def test_a_single_logit_is_two_classes_that_pull_it_either_way() -> None:
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(4, 1))
    given = torch.randn(3, 4)
    weight = model[0].weight.detach().expand(3, 4)
    for target, sign in ((0, -1), (1, 1)):
        found = pellucid.attribute(model, given, target, ["saliency", "gradient_x_input"])
        torch.testing.assert_close(found["saliency"].input, weight.abs())
        torch.testing.assert_close(found["gradient_x_input"].input, sign * weight * given)


def test_a_gradient_that_is_not_finite_is_warned_of_where_it_begins() -> None:
    class Root(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.early = nn.Linear(4, 4)
            self.late = nn.Linear(4, 2)

        def forward(self, values: Tensor) -> Tensor:
            return self.late((0 * torch.relu(self.early(values))).sqrt())

    found = pellucid.attribute(Root(), torch.randn(3, 4), 1)
    assert len(found.warnings) == 1
    assert "NaN or infinite from layer 'relu()' on" in found.warnings[0]
    assert math.isnan(float(found.input.sum()))
    assert pellucid.attribute(residual(), images(), 1).warnings == ()
