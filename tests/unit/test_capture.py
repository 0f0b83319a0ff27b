"""What is captured of a model: every call, before what is written into it, whatever tree goes in and comes out."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

import pellucid
from pellucid.capture import Session
from pellucid.errors import LayerError
from pellucid.graph import trace
from pellucid.types import Passes
from support.awkward import CLASSES, awkward, images, left_as_it_was


def test_a_layer_before_something_that_writes_in_place_holds_what_it_gave_out() -> None:
    torch.manual_seed(0)

    class InPlace(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.convolution = nn.Conv2d(3, 5, 3)
            self.activation = nn.ReLU(inplace=True)
            self.second = nn.Conv2d(5, 5, 3)
            self.head = nn.Linear(5, CLASSES)

        def forward(self, given: Tensor) -> Tensor:
            signal = self.activation(self.convolution(given))
            signal = F.relu(self.second(signal), inplace=True)
            signal += 1.0
            return self.head(signal.mean(dim=(2, 3)))

    model = InPlace().eval()
    given = images(3)
    with torch.no_grad():
        first = model.convolution(given).clone()
        second = model.second(first.relu()).clone()
    graph = trace(model, given)
    names = ["convolution", "activation", "second", "relu()"]
    expected = dict(zip(names, [first, first.relu(), second, second.relu()], strict=True))
    layers = [graph.layer(name) for name in names]

    captured = {}
    with Session(model, layers) as session:
        seen = session.forward(given, {"all": lambda output, layer: {"value": output.clone()}})
        captured["forward"] = {name: seen.summaries[name]["all"]["value"] for name in names}
        seen = session.explain(given, lambda logits: logits[:, 0])
        captured["explain"] = seen.activations
    for values in captured.values():
        for name in names:
            torch.testing.assert_close(values[name], expected[name])
    # The gradient arrives at a layer through the activation that follows it.
    weight = model.head.weight[0].detach()[None, :, None, None] / second[0, 0].numel()
    torch.testing.assert_close(seen.gradients["relu()"], weight.expand_as(second))
    torch.testing.assert_close(seen.gradients["second"], weight * (second > 0))
    assert model.activation.inplace


def test_modules_overwrite_their_input_up_to_the_first_layer_that_a_gradient_is_wanted_of() -> None:
    torch.manual_seed(0)
    flags: list[bool] = []

    class Telling(nn.ReLU):
        def forward(self, given: Tensor) -> Tensor:
            flags.append(self.inplace)
            return super().forward(given)

    model = nn.Sequential(
        nn.Conv2d(3, 4, 3),
        Telling(inplace=True),
        nn.Conv2d(4, 4, 3),
        Telling(inplace=True),
        nn.Flatten(),
        nn.Linear(256, 2),
    ).eval()
    given, layer = images(2), trace(model, images(2)).layer("2")
    flags.clear()
    with Session(model, [layer]) as session:
        whole = session.explain(given, lambda logits: logits[:, 1])
    assert flags == [False, False]
    flags.clear()
    with Session(model, [layer]) as session:
        part = session.explain(given, lambda logits: logits[:, 1], input_gradients=False)
    assert flags == [True, False]
    assert [module.inplace for module in model if isinstance(module, Telling)] == [True, True]
    for one, other in ((whole, part), (part, whole)):
        torch.testing.assert_close(one.activations["2"], other.activations["2"], rtol=0, atol=0)
        torch.testing.assert_close(one.gradients["2"], other.gradients["2"], rtol=0, atol=0)


def test_a_model_that_nothing_writes_into_is_run_once_and_one_that_is_written_into_once_more() -> None:
    plain = nn.Sequential(nn.Linear(3, 3), nn.ReLU(inplace=True), nn.Linear(3, 2))
    assert pellucid.attribute(plain, torch.randn(4, 3), 0).passes == Passes(1, 1, 4, 4)


def test_every_call_of_a_module_and_of_a_function_is_its_own_layer() -> None:
    model = awkward()
    seen: dict[str, Tensor] = {}

    def keep(output: Tensor, layer: Any) -> dict[str, Tensor]:
        seen[layer.name] = output.clone()
        return {}

    names = ["shared", "shared#2", "relu()", "relu()#2"]
    graph = trace(model, images())
    with Session(model, [graph.layer(name) for name in names]) as session:
        session.forward(images(), {"keep": keep})
        inside = model.training, model.dropout.training
    assert inside == (False, False)
    assert list(seen) == names
    assert not torch.equal(seen["shared"], seen["shared#2"])
    torch.testing.assert_close(seen["relu()"], F.relu(seen["shared#2"] - 0.1))


def test_modules_whose_own_names_hold_a_number_sign_are_captured() -> None:
    class Inner(nn.Module):
        def forward(self, given: Tensor) -> Tensor:
            return F.relu(F.relu(given) - 1)

    model = nn.Sequential()
    model.add_module("c#", nn.Linear(4, 4))
    model.add_module("a#1", nn.Sequential(nn.ReLU(), Inner()))
    given = torch.linspace(-3, 3, 8).reshape(2, 4)
    names = ["c#", "a#1.0", "a#1.1.relu()", "a#1.1.relu()#2"]
    graph = trace(model, given)
    with Session(model, [graph.layer(name) for name in names]) as session:
        seen = session.forward(given, {"all": lambda output, layer: {"value": output.clone()}})
    first = model[0](given)
    for name, expected in zip(names, (first, first.relu(), first.relu(), (first.relu() - 1).relu()), strict=True):
        torch.testing.assert_close(seen.summaries[name]["all"]["value"], expected)


@pytest.mark.parametrize(
    "build",
    [
        lambda: nn.TransformerEncoderLayer(8, 2, 16, batch_first=True),
        lambda: nn.Sequential(nn.Linear(8, 8), nn.MultiheadAttention(8, 2, batch_first=True)),
        lambda: nn.GRU(8, 4, batch_first=True),
    ],
)
def test_all_calls_of_a_graph_that_can_be_captured_are_captured(build: Callable[[], nn.Module]) -> None:
    inner = build()

    class Outer(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.inner = inner

        def forward(self, tokens: Tensor) -> Tensor:
            swapped = tokens.mT.contiguous().mT.to(torch.float32).reshape(len(tokens), 5, 8)
            if isinstance(self.inner, nn.Sequential):
                middle = self.inner[0](swapped)
                made, _ = self.inner[1](middle, middle, middle)
            else:
                made = self.inner(swapped)
                made = made[0] if isinstance(made, tuple) else made
            return (made.amax(1) + made.T.T.mean(1)).abs()

    model = Outer().eval()
    tokens = torch.randn(3, 5, 8)
    graph = trace(model, tokens)
    layers = []
    for name in graph.by_name:
        try:
            layers.append(graph.layer(name))
        except LayerError:
            continue
    assert len(layers) > 6
    with Session(model, layers) as session, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # tensor.T of three axes
        seen = session.forward(tokens, {"shape": lambda output, layer: {"shape": torch.tensor(output.shape[1:])}})
        assert {name: tuple(kept["shape"]["shape"].tolist()) for name, kept in seen.summaries.items()} == {
            layer.name: layer.shape for layer in layers
        }
        session.explain(tokens, lambda logits: logits[:, 0])


def test_a_call_under_inference_mode_gives_the_same_gradients() -> None:
    torch.manual_seed(0)
    model = nn.Sequential(nn.Conv2d(3, 5, 3), nn.BatchNorm2d(5), nn.ReLU(), nn.Flatten(), nn.Linear(500, CLASSES))
    given = images(2)
    expected = pellucid.attribute(model, given, 1)
    with torch.inference_mode():
        found = pellucid.attribute(model, given.clone(), 1)
    assert torch.equal(found.input, expected.input)


@pytest.mark.parametrize("target", [2, np.int64(2), torch.tensor(2), [2, 2, 2, 2], torch.full((4,), 2)])
def test_one_class_for_all_and_one_an_example_are_both_targets(target: Any) -> None:
    model = nn.Sequential(nn.Linear(3, CLASSES))
    found = pellucid.attribute(model, torch.randn(4, 3), target)
    torch.testing.assert_close(found.input, model[0].weight[2].detach().abs().expand(4, 3))


class Two(nn.Module):
    """An image, words and a scale go in."""

    def __init__(self) -> None:
        super().__init__()
        self.convolution = nn.Conv2d(3, 5, 3)
        self.words = nn.Embedding(9, 5)
        self.head = nn.Linear(5, CLASSES)

    def forward(self, picture: Tensor, words: Tensor, scale: Tensor) -> dict[str, Tensor]:
        signal = F.relu(self.convolution(picture)).mean(dim=(2, 3)) * scale
        return {"logits": self.head(signal + self.words(words).mean(dim=1))}


def test_tuples_and_dicts_go_in_and_the_same_trees_come_out(tmp_path: Path) -> None:
    torch.manual_seed(0)
    model = Two()
    parts = (images(4), torch.arange(12).reshape(4, 3) % 9, torch.rand(4, 1))
    named = dict(zip(("picture", "words", "scale"), parts, strict=True))
    methods = ["saliency", "gradient_x_input", "grad_cam"]
    by_place = pellucid.attribute(model, parts, 1, methods)
    by_name = pellucid.attribute(model, named, 1, methods)
    for method in methods:
        assert isinstance(by_place[method].input, tuple)
        assert list(by_name[method].input) == list(named)
        assert by_place[method].input[1] is None
        assert torch.equal(by_place[method].input[0], by_name[method].input["picture"])
        assert by_place[method].input[0].shape == parts[0].shape
    assert by_place["saliency"].input[2].shape == (4, 1)
    assert by_place["saliency"].layers["words"].shape == (4, 3, 5)
    # A scale has no height and width: Grad-CAM has nothing to say about it.
    assert by_place["grad_cam"].input[2] is None
    for inputs in (parts, named):
        leaves = inputs.values() if isinstance(inputs, dict) else inputs
        rows = list(zip(*leaves, strict=True))
        items = [dict(zip(named, row, strict=True)) for row in rows] if isinstance(inputs, dict) else rows
        with left_as_it_was(model):
            record = pellucid.inspect(
                model, [(item, 1) for item in items], out=tmp_path / type(inputs).__name__, chosen=2, batch_size=3
            )
        assert record.examples().num_rows == 4


def test_a_dict_that_forward_takes_whole_is_passed_whole() -> None:
    class Whole(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.head = nn.Linear(3, CLASSES)

        def forward(self, features: dict[str, Tensor]) -> Tensor:
            return self.head(features["left"] - features["right"])

    model = Whole()
    found = pellucid.attribute(model, {"left": torch.randn(2, 3), "right": torch.randn(2, 3)}, 0, "gradient_x_input")
    assert set(found.input) == {"left", "right"}
