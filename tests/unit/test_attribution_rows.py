"""Layers that do not give one row an example: no map shows rows of other examples, and what is left is right."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor, nn

import pellucid
from pellucid.attribution import AblationCam, SmoothGrad, Unit
from pellucid.errors import LayerError, MethodError, TargetError
from support.experts import ROUTES, Experts, MapExperts, pictures
from support.faults import Frames

ONE_PASS = ["grad_cam", "grad_cam_plus_plus", "hires_cam", "layer_cam", "xgrad_cam", "eigen_cam"]
RULED = ["guided_backprop", "deconvnet", "lrp_epsilon", "lrp_gamma", "lrp_z_plus"]
NAMED = ["integrated_gradients", "smoothgrad", "vargrad", "score_cam", "ablation_cam"]
TARGETS = [row % 2 for row in range(len(ROUTES))]


def on_vectors() -> Experts:
    torch.manual_seed(0)
    return Experts().eval()


def on_maps(*, shared: bool = True) -> MapExperts:
    torch.manual_seed(0)
    return MapExperts(shared=shared).eval()


def alone(model: nn.Module, method: Any, layer: str) -> Tensor:
    """Maps of one example after the other, each with nothing beside it."""
    each = [
        pellucid.attribute(model, image[None], target, method, layers=[layer]).layers[layer]
        for image, target in zip(pictures(), TARGETS, strict=True)
    ]
    return torch.cat(each)


def test_gradients_of_the_other_layers_are_right_and_a_warning_names_those_that_are_left_out() -> None:
    model = on_vectors()
    order = model.gate(pictures().flatten(1)).argmax(1).argsort()  # the first two, which are traced, go to one expert
    images = pictures()[order]
    found = pellucid.attribute(model, images, TARGETS, ["saliency", "gradient_x_input"])
    flat = images.flatten(1)
    gated = model.gate(flat).detach().requires_grad_()
    weights = gated.softmax(1)
    given = torch.stack([expert(flat) for expert in model.experts], 1)[torch.arange(12), weights.argmax(1)].detach()
    scores = given[torch.arange(12), TARGETS] * weights.amax(1)
    (slopes,) = torch.autograd.grad(scores.sum(), gated)
    assert list(found["saliency"].layers) == list(found["gradient_x_input"].layers) == ["gate"]
    torch.testing.assert_close(found["saliency"].layers["gate"], slopes.abs())
    torch.testing.assert_close(found["gradient_x_input"].layers["gate"], slopes * gated.detach())
    for maps in found.values():
        (said,) = maps.warnings
        assert said.startswith("Layers left out: experts.")
        assert " rows for a batch of 12" in said


@pytest.mark.parametrize("method", [*ONE_PASS, *RULED])
def test_maps_of_a_mixture_are_those_of_each_example_alone(method: str) -> None:
    model = on_maps()
    found = pellucid.attribute(model, pictures(), TARGETS, method)
    assert not [name for name in found.layers if name.startswith("experts")]
    assert "Layers left out: experts.1.1. Layer 'experts.1.1' gave 6 rows for a batch of 12" in found.warnings[0]
    torch.testing.assert_close(found.layers["shared.1"], alone(model, method, "shared.1"), rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("method", ["score_cam", AblationCam(relu=False)])
def test_cams_of_many_passes_take_the_deepest_layer_that_all_examples_go_through(method: Any) -> None:
    model = on_maps()
    found = pellucid.attribute(model, pictures(), TARGETS, method)
    named = pellucid.attribute(model, pictures(), TARGETS, method, layers=["shared.1"])
    assert list(found.layers) == ["shared.1"]
    torch.testing.assert_close(found.layers["shared.1"], alone(model, method, "shared.1"), rtol=1e-4, atol=1e-6)
    assert found.passes.forward == named.passes.forward + 1, "the forward that finds the expert's rows"
    assert [words.split(".")[0] for words in found.warnings] == ["Layers left out: experts"]
    assert named.warnings == ()


def test_ablation_cam_behind_experts_is_the_fall_of_the_score_without_each_channel() -> None:
    model, images = on_maps(), pictures()
    found = pellucid.attribute(model, images, TARGETS, AblationCam(relu=False)).layers["shared.1"]
    with torch.no_grad():
        maps = model.shared(images)
        whole, expected = model(images)[torch.arange(12), TARGETS], torch.zeros(12, 8, 8)
        for channel in range(4):
            without = maps.clone()
            without[:, channel] = 0
            given = torch.stack([model.experts[at](one[None])[0] for at, one in zip(ROUTES, without, strict=True)])
            score = model.head(given.mean((2, 3)))[torch.arange(12), TARGETS]
            expected += ((whole - score) / whole.abs())[:, None, None] * maps[:, channel]
    torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("layer", ["experts.1.0", "experts.1.1", "experts.0.0", "experts.0.1"])
@pytest.mark.parametrize("method", ["saliency", *ONE_PASS, *RULED, *NAMED])
def test_a_layer_that_was_named_is_refused(method: str, layer: str) -> None:
    with pytest.raises(
        LayerError, match=rf"'{layer}'.*((6|12) rows for a batch of (12|24)|\(6, 6, 8, 8\) has no batch axis of 12)"
    ):
        pellucid.attribute(on_maps(), pictures(), TARGETS, method, layers=[layer])


@pytest.mark.parametrize("layer", ["experts.1.0", "experts.1.1"])
def test_a_layer_that_all_examples_go_through_has_its_maps(layer: str) -> None:
    model, images = on_maps(), pictures()[[0, 1, 4, 7]]
    found = pellucid.attribute(model, images, 1, "grad_cam", layers=[layer])
    with torch.no_grad():
        maps = model.experts[1][0](model.shared(images))
    after = layer == "experts.1.1"
    gradient = model.head.weight[1].detach()[:, None, None] / 64 * (torch.ones(()) if after else (maps > 0))
    shown = maps.relu() if after else maps
    expected = (gradient.expand_as(maps).mean((2, 3))[:, :, None, None] * shown).sum(1).relu()
    torch.testing.assert_close(found.layers[layer], expected, rtol=1e-4, atol=1e-7)
    assert found.warnings == ()


def test_noise_that_sends_a_copy_to_another_expert_is_noticed() -> None:
    model, images = on_maps(), pictures()[[0, 1, 4, 7]]
    still = pellucid.attribute(model, images, 1, SmoothGrad(samples=4, noise=1e-4), layers=["experts.1.1"])
    assert still.layers["experts.1.1"].shape == (4, 6, 8, 8)
    with pytest.raises(LayerError, match=r"'experts\.1\.1' gave \d+ rows for a batch of 4"):
        pellucid.attribute(model, images, 1, SmoothGrad(samples=8, noise=2), layers=["experts.1.1"])


@pytest.mark.parametrize("method", ["saliency", "integrated_gradients", "occlusion", "smoothgrad", "score_cam"])
def test_a_unit_of_such_a_layer_is_no_target(method: str) -> None:
    with pytest.raises(TargetError, match=r"No unit of layer 'experts\.1\.1'.* gave 6 rows for a batch of 12"):
        pellucid.attribute(on_maps(), pictures(), Unit("experts.1.1", 2), method)


@pytest.mark.parametrize(
    ("model", "names"),
    [(Frames(), r"look\.1"), (MapExperts(shared=False), r"experts\.1\.1")],
    ids=["folded", "experts"],
)
@pytest.mark.parametrize("method", ["grad_cam", "score_cam"])
def test_a_model_without_a_layer_that_fits_is_refused_with_what_was_left_out(
    model: nn.Module, names: str, method: str
) -> None:
    with pytest.raises(MethodError, match=rf"[Ll]ayers? .*left out.*: {names}"):
        pellucid.attribute(model, pictures(), TARGETS, method)


def test_a_model_whose_layers_have_no_positions_is_said_to_have_none() -> None:
    with pytest.raises(MethodError, match=r"patches of an image; this model has none\.$"):
        pellucid.attribute(nn.Sequential(nn.Flatten(), nn.Linear(64, 3)), pictures(), 1, "grad_cam")
    with pytest.raises(
        MethodError, match=r"this model has none whose first axis is the batch\. Layers left out: look\.1"
    ):
        pellucid.attribute(Frames(), pictures(), 1, "grad_cam")
