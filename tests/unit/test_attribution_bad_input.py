"""Input that cannot be explained rightly: what is said of it, and where numbers stop being finite."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

import pellucid
from pellucid.attribution import (
    METHODS,
    GradCam,
    IntegratedGradients,
    KernelShap,
    Lime,
    Method,
    Occlusion,
    ShapleySampling,
    SmoothGrad,
    Unit,
)
from pellucid.attribution.methods import methods
from pellucid.errors import ForwardError, LayerError, MethodError, ModelError, OptionError, PellucidError, TargetError

IMAGES = torch.randn(2, 3, 8, 8, generator=torch.Generator().manual_seed(0))


def net() -> nn.Sequential:
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Conv2d(3, 4, 3), nn.ReLU(), nn.Conv2d(4, 4, 3), nn.ReLU(), nn.Flatten(), nn.Linear(64, 3)
    ).eval()


@pytest.mark.parametrize("target", [1.5, None, True, torch.tensor([0.5, 1.0]), [0, 1.0], [True, False], {"class": 1}])
def test_a_target_that_names_no_class_is_refused_with_what_arrived(target: Any) -> None:
    with pytest.raises(TargetError, match=r"target must be a class index.*integers from 0"):
        pellucid.attribute(net(), IMAGES, target)


@pytest.mark.parametrize("target", [1, np.int64(1), [1, 1], torch.tensor(1), torch.tensor([1, 1]), np.array([1, 1])])
def test_every_way_to_write_a_class_is_the_same(target: Any) -> None:
    expected = pellucid.attribute(net(), IMAGES, lambda output: output[:, 1]).input
    assert torch.equal(pellucid.attribute(net(), IMAGES, target).input, expected)


@pytest.mark.parametrize("target", [3, -1, [0, 7]])
def test_a_class_that_is_not_there_is_refused_with_those_that_are(target: Any) -> None:
    with pytest.raises(TargetError, match=r"There is no class (3|-1|7): the model has 3 outputs, 0 to 2"):
        pellucid.attribute(net(), IMAGES, target)


@pytest.mark.parametrize(
    ("method", "said"),
    [
        (None, "A method is its name, or an instance with its options; got None"),
        (GradCam, r"got <class .*GradCam'>; write GradCam\(\)"),
        ([5], "an instance with its options; got 5"),
        ([], r"No method was asked for: method is \[\]"),
    ],
)
def test_what_is_no_method_is_refused_as_what_it_is(method: Any, said: str) -> None:
    with pytest.raises(MethodError, match=said):
        pellucid.attribute(net(), IMAGES, 0, method)


def test_layers_that_are_not_there_are_answered_with_the_nearest_names() -> None:
    for wrong in ({"layers": ["2.conv"]}, {"target": Unit("2.conv", 0)}):
        with pytest.raises(LayerError, match=r"calls no layer '2\.conv'\. Nearest names: "):
            pellucid.attribute(net(), IMAGES, **{"target": 0, **wrong})
    with pytest.raises(LayerError, match=r"got the text '2'. Write layers=\['2'\]"):
        pellucid.attribute(net(), IMAGES, 0, layers="2")


@pytest.mark.parametrize("wrong", [{"layers": [3]}, {"layers": [None]}, {"target": Unit(3, 0)}])  # type: ignore[arg-type]
def test_a_layer_that_is_no_text_is_refused_with_what_is_one(wrong: dict[str, Any]) -> None:
    with pytest.raises(
        LayerError, match=r"A layer is named by a text, such as '1', '3', .*; got (3, a int|None, a NoneType)"
    ):
        pellucid.attribute(net(), IMAGES, **{"target": 0, **wrong})


@pytest.mark.parametrize("method", [name for name in METHODS if name.endswith("cam") or "_cam_" in name])
def test_every_cam_says_of_no_layer_that_none_was_given(method: str) -> None:
    with pytest.raises(LayerError, match=r"is a map of a layer, and no layer was given: layers=\[\] names none"):
        pellucid.attribute(net(), IMAGES, 1, ["saliency", method], layers=[])
    assert pellucid.attribute(net(), IMAGES, 1, layers=[]).layers == {}


@pytest.mark.parametrize("method", [KernelShap(samples=8), Lime(samples=8), ShapleySampling(samples=1)])
def test_integers_that_are_no_ids_are_refused_by_the_method_that_was_asked(method: Method) -> None:
    model = nn.Sequential(ToFloat(), net())
    with pytest.raises(
        MethodError, match=rf"^{method.title} hides features of one input: inputs of numbers, or token ids"
    ):
        pellucid.attribute(model, (IMAGES * 40).to(torch.uint8), 1, method)
    with pytest.raises(
        MethodError, match=r"^Integrated gradients need a way from a baseline to the input: inputs of numb"
    ):
        pellucid.attribute(model, (IMAGES * 40).to(torch.uint8), 1, "integrated_gradients")


class ToFloat(nn.Module):
    def forward(self, values: Tensor) -> Tensor:
        return values.float()


def test_options_that_cannot_be_right_are_refused_when_they_are_written_down() -> None:
    with pytest.raises(
        OptionError, match=r"The baseline is None for zeros, a number, a tensor or a tree .*Got 'blurr'"
    ):
        IntegratedGradients(baseline="blurr")
    for options in ({"window": 0}, {"stride": -1}, {"window": (3, 0)}):
        with pytest.raises(OptionError, match=r"Occlusion's (window|stride) is 1 or more along each axis; got"):
            Occlusion(**options)  # type: ignore[arg-type]


@pytest.mark.parametrize("method", [name for name in METHODS if name.endswith("cam") or "_cam_" in name])
def test_every_cam_refuses_a_layer_without_spatial_extent_with_layers_that_fit(method: str) -> None:
    with pytest.raises(
        MethodError,
        match=r"layer '4' gave .*no spatial extent\. Layers that fit: 1, 3|CAM needs a head of global average",
    ):
        pellucid.attribute(net(), IMAGES, 1, method, layers=["4"])


def test_nothing_to_explain_is_refused() -> None:
    with pytest.raises(MethodError, match=r"hold no example, shape \(0, 3, 8, 8\)"):
        pellucid.attribute(net(), IMAGES[:0], 0)
    with pytest.raises(MethodError, match="hold no example, no tensor"):
        pellucid.attribute(net(), (), 0)
    with pytest.raises(ModelError, match=r"explains an nn\.Module; got function"):
        pellucid.attribute(lambda images: images, IMAGES, 0)  # type: ignore[arg-type]
    with pytest.raises(ForwardError, match="Check that the examples have the shape"):
        pellucid.attribute(net(), IMAGES[0], 0)


def quantised(dynamic: bool) -> nn.Module:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        if dynamic:
            flat = nn.Sequential(nn.Flatten(), nn.Linear(192, 3))
            made: nn.Module = torch.ao.quantization.quantize_dynamic(flat, {nn.Linear}, dtype=torch.qint8)
            return made
        model = torch.ao.quantization.QuantWrapper(net())
        model.qconfig = torch.ao.quantization.default_qconfig
        torch.ao.quantization.prepare(model, inplace=True)
        model(IMAGES)
        torch.ao.quantization.convert(model, inplace=True)
        return model


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("dynamic", [False, True])
def test_a_quantised_model_is_refused_where_gradients_are_needed_and_perturbed_elsewhere(dynamic: bool) -> None:
    model = quantised(dynamic)
    needing = ["saliency", "smoothgrad", "integrated_gradients", "guided_backprop", "deconvnet", "lrp_epsilon"]
    for method in needing if dynamic else [*needing, "grad_cam"]:
        with pytest.raises(MethodError, match="quantised"):
            pellucid.attribute(model, IMAGES, 1, method)
    found = pellucid.attribute(model, IMAGES, 1, Occlusion(window=4, stride=4))
    assert bool(torch.isfinite(found.input).all())
    assert float(found.input.abs().max()) > 0


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", [name for name, kind in methods().items() if kind.positions])
def test_every_method_of_planes_refuses_a_quantised_model_by_that_name(name: str) -> None:
    with pytest.raises(MethodError, match="quantised"):
        pellucid.attribute(quantised(dynamic=False), IMAGES, 1, name)
    # Convolutions of numbers before a quantised head: forwards alone still tell what channels do, gradients do not.
    torch.manual_seed(0)
    model = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.Flatten(), nn.Linear(144, 3)).eval()
    model = torch.ao.quantization.quantize_dynamic(model, {nn.Linear}, dtype=torch.qint8)
    if methods()[name].cost == "passes":
        assert bool(pellucid.attribute(model, IMAGES, 1, name).input.any())
    else:
        with pytest.raises(MethodError, match="quantised"):
            pellucid.attribute(model, IMAGES, 1, name)


def test_inference_tensors_are_refused_as_weights_and_taken_as_inputs() -> None:
    with torch.inference_mode():
        model, given = net(), IMAGES.clone()
    for method in ("saliency", "lrp_epsilon", "integrated_gradients", "grad_cam"):
        with pytest.raises(MethodError, match=r"'0\.weight' of the model is an inference tensor"):
            pellucid.attribute(model, IMAGES, 1, method)
        found = pellucid.attribute(net(), given, 1, method)
        assert torch.equal(found.input, pellucid.attribute(net(), IMAGES, 1, method).input)
    usual = net()
    with torch.inference_mode():
        inside = pellucid.attribute(usual, IMAGES, 1)
    assert torch.equal(inside.input, pellucid.attribute(net(), IMAGES, 1).input)


class Root(nn.Module):
    """The slope of the root is infinite at 0, between `b` and the ReLU."""

    def __init__(self) -> None:
        super().__init__()
        self.a, self.b, self.c = nn.Linear(4, 4), nn.Linear(4, 4), nn.Linear(4, 2)

    def forward(self, values: Tensor) -> Tensor:
        return self.c(torch.tanh(self.b((0 * torch.relu(self.a(values))).sqrt())))


BROKEN = [
    SmoothGrad(samples=2),
    IntegratedGradients(steps=2, limit=2),
    "saliency",
    "gradient_x_input",
    "guided_backprop",
]


@pytest.mark.parametrize("method", BROKEN, ids=str)
@pytest.mark.parametrize("layers", [None, ["b"]])
def test_a_gradient_that_is_not_finite_is_warned_of_with_the_layer_where_it_begins(
    method: Any, layers: list[str] | None
) -> None:
    found = pellucid.attribute(Root(), torch.randn(3, 4), 1, method, layers=layers)
    assert [one for one in found.warnings if "NaN or infinite" in one] == [
        "The gradient is NaN or infinite from layer 'relu()' on towards the input."
    ]


@pytest.mark.parametrize(
    "method", [SmoothGrad(samples=2), Occlusion(window=4, stride=4), "saliency", "grad_cam"], ids=str
)
def test_an_activation_that_is_not_finite_is_warned_of_with_the_layer_where_it_begins(method: Any) -> None:
    model = net()
    with torch.no_grad():
        model[2].weight[0, 0, 0, 0] = torch.nan
    found = pellucid.attribute(model, IMAGES, 1, method)
    assert "The activation is NaN or infinite from layer '2' on towards the score." in found.warnings
    given = IMAGES.clone()
    given[0, 0, 0, 0] = torch.inf
    assert "The inputs hold NaN or infinite numbers" in pellucid.attribute(net(), given, 1, method).warnings[-1]
    assert pellucid.attribute(net(), IMAGES, 1, method).warnings == ()


class Normed(nn.Module):
    """Two branches of blocks; the second one's convolution runs before the first one's activation."""

    def __init__(self) -> None:
        super().__init__()
        self.one, self.two = nn.Conv2d(3, 4, 3), nn.Conv2d(3, 4, 3)
        self.block = nn.Sequential(nn.Conv2d(4, 4, 3), nn.BatchNorm2d(4), nn.ReLU(inplace=True))
        self.head = nn.Linear(4, 2)

    def forward(self, images: Tensor) -> Tensor:
        two, one = self.two(images), self.one(images)
        joined = torch.tanh(one) + nn.functional.relu(two, inplace=True)
        return self.head(self.block(joined).mean((2, 3)))


@pytest.mark.parametrize("named", [None, "it", "block.0"])
@pytest.mark.parametrize("broken", ["one", "two", "block.0", "block.1", "head"])
def test_the_layer_where_numbers_stop_being_finite_is_the_very_first(broken: str, named: str | None) -> None:
    torch.manual_seed(0)
    model = Normed().eval()
    with torch.no_grad():
        model.get_parameter(f"{broken}.weight").view(-1)[0] = torch.nan
    layers = None if named is None else [broken if named == "it" else named]
    found = pellucid.attribute(model, IMAGES, 0, layers=layers)
    assert found.warnings[-1] == f"The activation is NaN or infinite from layer '{broken}' on towards the score."


def test_integrated_gradients_that_cannot_add_up_say_which_number_is_not_finite() -> None:
    def said(model: nn.Module, given: Tensor, **options: Any) -> tuple[list[str], int]:
        found = pellucid.attribute(model, given, 1, IntegratedGradients(steps=4, **options))
        assert not any("nan%" in one or "inf%" in one for one in found.warnings)
        return [one for one in found.warnings if "add up" in one], found.passes.backward_examples

    given = IMAGES.clone()
    given[1, 0, 0, 0] = torch.inf
    assert said(net(), given)[0] == ["Integrated gradients cannot add up: the score of the inputs is not finite."]
    start = torch.full_like(IMAGES, torch.nan)
    assert said(net(), IMAGES, baseline=start)[0] == [
        "Integrated gradients cannot add up: the score of the baseline is not finite."
    ]
    told, rows = said(Root(), torch.randn(3, 4))
    assert told == [
        "Integrated gradients cannot add up: the gradient somewhere on the way from the baseline is not finite."
    ]
    # One attempt, for more steps would do no better, a copy of it alone, and a look for where it begins.
    assert rows == 3 * 4 + 3 + 3


def test_a_tensor_that_only_runs_over_in_its_sum_is_no_cause_for_warning() -> None:
    model = nn.Linear(2, 2).half()
    with torch.no_grad():
        model.weight.copy_(torch.tensor([[4e4, 4e4], [1, 1]]))
    assert pellucid.attribute(model, torch.zeros(1, 2).half(), 0).warnings == ()


@pytest.mark.parametrize("make", [lambda: lambda output: output.sum(), lambda: lambda output: output])
def test_a_target_function_gives_one_number_an_example(make: Callable[[], Callable[[Tensor], Tensor]]) -> None:
    with pytest.raises(PellucidError, match="one number an example"):
        pellucid.attribute(net(), IMAGES, make())
