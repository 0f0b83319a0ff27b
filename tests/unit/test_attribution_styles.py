"""Every method on every architecture in every style of writing: the same map, or the same refusal; the model left as it was."""

from __future__ import annotations

import re

import pytest
import torch
from torch import Tensor, nn

import pellucid
from pellucid.attribution import METHODS, Attribution
from pellucid.attribution.methods import methods
from pellucid.errors import MethodError
from pellucid.graph.dataflow import tensors_in
from support import families
from support.cheap import IDS, IMAGES, SERIES, TABLE, with_options
from support.families import STYLES, Family, Style, built
from support.untouched import Untouched

NEITHER_TEXT_NOR_SERIES = {"token_gradients", "time_gradients"}
ATTENDING = {"attention_rollout", "gradient_rollout"}
CONVOLUTIONAL = NEITHER_TEXT_NOR_SERIES | ATTENDING
CUTTING = {"guided_backprop", "deconvnet"}
RELEVANCE = {"lrp_epsilon", "lrp_gamma", "lrp_z_plus"}
CAMS = {name for name, kind in methods().items() if kind.positions or name == "cam"}
FLAT = {*CAMS, *ATTENDING, "token_gradients", "rise"}

# What cannot be right on each: smooth activations cut nothing off, a head that is no mean and one linear layer has no CAM.
FAMILIES: dict[str, tuple[type[Family], Tensor, set[str]]] = {
    "VGG": (families.Vgg, IMAGES, {*CONVOLUTIONAL, "cam"}),
    "ResNet": (families.ResNet, IMAGES, CONVOLUTIONAL),
    "DenseNet": (families.DenseNet, IMAGES, CONVOLUTIONAL),
    "MobileNet": (families.MobileNet, IMAGES, CONVOLUTIONAL),
    "EfficientNet": (families.EfficientNet, IMAGES, {*CONVOLUTIONAL, *CUTTING}),
    "ConvNeXt": (families.ConvNeXt, IMAGES, {*CONVOLUTIONAL, *CUTTING, "cam"}),
    "ViT": (families.Vit, IMAGES, {*NEITHER_TEXT_NOR_SERIES, *CUTTING, "cam"}),
    "Swin": (families.Swin, IMAGES, {*CONVOLUTIONAL, *CUTTING}),
    "text": (families.Text, IDS, {*CAMS, *CUTTING, "smoothgrad", "vargrad", "rise", "time_gradients"}),
    "LSTM": (families.Lstm, SERIES, FLAT),
    "GRU": (families.Gru, SERIES, {*FLAT, *CUTTING}),
    "table": (families.Table, TABLE, {*FLAT, "time_gradients"}),
}


pytestmark = pytest.mark.usefixtures("one_thread")


def outcomes(model: nn.Module, given: Tensor, refused: set[str]) -> dict[str, Attribution | str]:
    """What each method gives, or its refusal without the places that it names."""
    found: dict[str, Attribution | str] = {}
    shared = [name for name, kind in methods().items() if kind.cost == "plain" and name not in refused]
    found.update(pellucid.attribute(model, given, 1, shared))
    for name in METHODS:
        if name not in found:
            try:
                found[name] = pellucid.attribute(model, given, 1, with_options(name, given))
            except MethodError as error:
                found[name] = re.split(r", called in|; layer ", str(error))[0]
    return found


@pytest.mark.parametrize("family", FAMILIES)
def test_every_style_gives_the_same_map_or_the_same_refusal(family: str) -> None:
    make, given, refused = FAMILIES[family]
    by_style: dict[Style, dict[str, Attribution | str]] = {}
    for style in STYLES:
        model = built(make, style)
        before, values = Untouched(model), given.clone()
        by_style[style] = outcomes(model, given, refused)
        assert before.differences() == []
        assert torch.equal(given, values)
    expected = by_style["module"]
    assert {name for name, one in expected.items() if isinstance(one, str)} == refused
    for style, found in by_style.items():
        for name, one in expected.items():
            same(one, found[name], f"{name}, {style}")


def same(expected: Attribution | str, found: Attribution | str, what: str) -> None:
    if isinstance(expected, str) or isinstance(found, str):
        assert expected == found, what
        return
    torch.testing.assert_close(found.scores, expected.scores, rtol=1e-12, atol=1e-12)
    leaves, others = list(tensors_in(expected.input)), list(tensors_in(found.input))
    assert len(leaves) == len(others)
    named = [(name, name) for name in expected.layers if name in found.layers]
    if not named and expected.layers:  # an activation alone, whose name is the style's
        named = [(*found.layers, *expected.layers)]
    pairs = [*zip(others, leaves, strict=True), *((found.layers[one], expected.layers[other]) for one, other in named)]
    for one, other in pairs:
        torch.testing.assert_close(one, other, rtol=1e-8, atol=1e-10, msg=lambda text: f"{what}: {text}")
        assert bool(torch.isfinite(other).all()), what
