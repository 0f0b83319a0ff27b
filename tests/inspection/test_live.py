"""Questions to a model at hand: any method, any target, what is refused, and the model left as it was."""

from __future__ import annotations

import json
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import safetensors.numpy
import torch
from torch import nn

import pellucid
from pellucid.attribution import METHODS, GradCam, GuidedBackprop, Method, Saliency, Unit
from pellucid.attribution.methods import Maps, Problem
from pellucid.data import from_python
from pellucid.errors import ForwardError, LayerError, MethodError, OptionError, PellucidError, RecordError, TargetError
from pellucid.inspection.live import LiveModel
from pellucid.inspection.live.questions import questions
from pellucid.types import Example


class Small(nn.Module):
    """Two convolutions, one of them with a smooth activation, a pooled linear head."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Conv2d(1, 4, 3, padding=1)
        self.second = nn.Conv2d(4, 6, 3, padding=1)
        self.head = nn.Linear(6, 3)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        seen = nn.functional.relu(self.second(nn.functional.relu(self.first(images))))
        return self.head(seen.mean((2, 3)))


class Words(nn.Module):
    """Tokens, a recurrence, three classes."""

    def __init__(self) -> None:
        super().__init__()
        self.table = nn.Embedding(20, 5)
        self.recurrence = nn.LSTM(5, 7, batch_first=True)
        self.head = nn.Linear(7, 3)

    def forward(self, ids: torch.Tensor) -> torch.Tensor:
        return self.head(self.recurrence(self.table(ids))[0][:, -1])


def at_hand(model: nn.Module, inputs: torch.Tensor, folder: Path) -> LiveModel:
    """A record of these inputs, of classes 0, 1, 2, unknown in turn, with its model."""
    targets = [0, 1, 2, None]
    examples = [Example(f"example {row}", one, targets[row % 4]) for row, one in enumerate(inputs)]
    record = pellucid.inspect(model.eval(), from_python(examples), out=folder, chosen=1)
    assert isinstance(record.live, LiveModel)
    assert record.live.reason == ""
    return record.live


@pytest.fixture(scope="module")
def model() -> Small:
    torch.manual_seed(0)
    return Small()


@pytest.fixture(scope="module")
def images() -> torch.Tensor:
    return torch.randn(8, 1, 8, 8, generator=torch.Generator().manual_seed(1))


@pytest.fixture(scope="module")
def live(model: Small, images: torch.Tensor, tmp_path_factory: pytest.TempPathFactory) -> LiveModel:
    return at_hand(model, images, tmp_path_factory.mktemp("live") / "small.pellucid")


def ask(
    live: LiveModel, question: str, tell: Callable[[Callable[[], bytes]], bool] = lambda _: True, **given: Any
) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    """What an address with these parameters is answered, its numbers scaled back."""
    words = {name: list(map(str, value)) if isinstance(value, list) else [str(value)] for name, value in given.items()}
    _, answer = live.inquiry(question, words)
    return opened(answer(tell), question)


def opened(content: bytes, question: str) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    header = json.loads(content[8 : 8 + struct.unpack("<Q", content[:8])[0]])
    said = json.loads(header["__metadata__"][question])
    scales = said.get("scales", {})
    return said, {
        name: values.astype(np.float64) * scales.get(name, 1)
        for name, values in safetensors.numpy.load(content).items()
    }


def method_in(said: dict[str, Any], name: str) -> dict[str, Any]:
    return next(one for one in said["methods"] if one["name"] == name)


def test_maps_are_those_of_attribute_for_every_kind_of_target(
    live: LiveModel, model: Small, images: torch.Tensor
) -> None:
    label = torch.tensor([1])
    second = model.second
    targets: list[tuple[dict[str, Any], Any]] = [
        ({"explained": 2}, 2),
        ({"aim": "loss"}, lambda output: nn.functional.cross_entropy(output, label, reduction="none")),
        ({"aim": "unit", "layer": "relu()#2", "unit": 4}, Unit("relu()#2", 4)),
        ({"aim": "unit", "layer": "relu()#2", "unit": 4, "place": "max"}, Unit("relu()#2", 4, "max")),
        ({"aim": "unit", "layer": "relu()#2", "unit": 4, "place": "2,3"}, Unit("relu()#2", 4, (2, 3))),
    ]
    assert second.out_channels == 6
    for given, target in targets:
        said, tensors = ask(live, "attribute", row=1, method=["saliency", "gradient_x_input"], **given)
        expected = pellucid.attribute(model, images[1:2], target, ["saliency", "gradient_x_input"])
        assert said["score"] == pytest.approx(float(expected["saliency"].scores[0]), rel=1e-5, abs=1e-7)
        for name, map_ in expected.items():
            wanted = map_.input[0, 0].double().numpy()
            np.testing.assert_allclose(tensors[f"{name}.input"], wanted, atol=2e-3 * np.abs(wanted).max() + 1e-12)


def test_layers_have_maps_by_index_and_say_why_where_they_have_none(
    live: LiveModel, model: Small, images: torch.Tensor
) -> None:
    said, tensors = ask(live, "attribute", row=2, explained=0, method=["grad_cam", "saliency"], layers="*")
    expected = pellucid.attribute(model, images[2:3], 0, ["grad_cam", "saliency"])
    names = {layer["index"]: layer["name"] for layer in said["layers"]}
    cam = method_in(said, "grad_cam")
    assert len(cam["layers"]) >= 2
    for index in cam["layers"]:
        wanted = expected["grad_cam"].layers[names[index]][0].double().numpy()
        np.testing.assert_allclose(tensors[f"grad_cam.{index}"], wanted, atol=2e-3 * np.abs(wanted).max() + 1e-12)
    assert set(cam["layer_refused"]) == set(map(str, method_in(said, "saliency")["layers"])) - set(
        map(str, cam["layers"])
    )
    assert all("spatial" in reason or "position" in reason for reason in cam["layer_refused"].values())
    only, _ = ask(live, "attribute", row=2, method="saliency", layers=["relu()"])
    assert [layer["name"] for layer in only["layers"]] == ["relu()"]


def test_plain_methods_share_one_forward_and_one_backward(live: LiveModel) -> None:
    plain = ["saliency", "gradient_x_input", "grad_cam", "hires_cam", "layer_cam", "eigen_cam"]
    said, _ = ask(live, "attribute", row=3, method=plain, layers="*")
    assert (said["forwards"], said["backwards"]) == (1, 1)
    first, tensors = ask(live, "attribute", row=3, method="grad_cam")
    assert (first["forwards"], first["backwards"]) == (1, 1)
    assert method_in(first, "grad_cam")["layers"] != []
    assert tensors["grad_cam.input"].shape == (8, 8)


def test_every_method_answers_or_refuses_by_its_name_without_ending_the_others(live: LiveModel) -> None:
    said, tensors = ask(live, "attribute", row=0, method=list(METHODS))
    assert [one["name"] for one in said["methods"]] == [*METHODS]
    refused = {one["name"]: one["refused"] for one in said["methods"] if one["refused"]}
    assert {"token_gradients", "time_gradients", "attention_rollout", "gradient_rollout"} <= set(refused)
    assert "nn.Embedding" in refused["token_gradients"]
    for one in said["methods"]:
        assert bool(one["refused"]) != (f"{one['name']}.input" in tensors), one["name"]


@pytest.mark.parametrize("failing", [Saliency, GradCam, GuidedBackprop])
def test_a_method_that_fails_unexpectedly_says_so_itself_and_ends_no_other(
    live: LiveModel, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, failing: type[Method]
) -> None:
    def explain(_: Method, problem: Problem) -> Maps:
        raise ZeroDivisionError("planted")

    monkeypatch.setattr(failing, "explain", explain)
    names = ["gradient_x_input", "saliency", "grad_cam", "guided_backprop", "occlusion"]
    said, tensors = ask(live, "attribute", row=2, method=names)
    for name in names:
        refused = method_in(said, name)["refused"]
        if name == failing.name:
            assert refused == "It failed, which is a fault of pellucid: ZeroDivisionError: planted."
        assert (refused == "") == (name != failing.name) == (f"{name}.input" in tensors), name
    (logged,) = caplog.records
    assert logged.getMessage() == f"{failing.title} failed on this model"
    assert logged.exc_info is not None
    assert logged.exc_info[0] is ZeroDivisionError


class Breaks(Small):
    """Raises once somebody says so, as it may on an example of another kind."""

    broken = False

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        seen = self.first(images)
        if self.broken:
            raise ArithmeticError("planted")
        return self.head(self.second(seen).mean((2, 3)))


def test_a_layer_that_a_failing_forward_does_not_reach_is_not_said_to_be_none(
    images: torch.Tensor, tmp_path: Path
) -> None:
    model = Breaks()
    live = at_hand(model, images, tmp_path / "net")
    model.broken = True
    with pytest.raises(ForwardError, match="planted"):
        ask(live, "maps", row=0, layer="second")


def test_what_a_map_promises_and_how_sure_it_is_comes_along(
    live: LiveModel, model: Small, images: torch.Tensor
) -> None:
    said, tensors = ask(
        live, "attribute", row=1, explained=1, method=["integrated_gradients", "smoothgrad", "saliency"]
    )
    integrated = method_in(said, "integrated_gradients")
    with torch.no_grad():
        wanted = float(model(images[1:2])[0, 1] - model(torch.zeros(1, 1, 8, 8))[0, 1])
    assert integrated["difference"] == pytest.approx(wanted, rel=1e-4)
    assert integrated["residual"] == pytest.approx(tensors["integrated_gradients.input"].sum() - wanted, abs=2e-3)
    assert abs(integrated["residual"]) < 0.01 * abs(wanted)
    smooth = method_in(said, "smoothgrad")
    ratio = tensors["smoothgrad.error"].mean() / tensors["smoothgrad.input"].mean()
    assert smooth["error"] == pytest.approx(ratio, rel=1e-2)
    assert (smooth["done"], smooth["total"]) == (50, 50)
    assert method_in(said, "saliency")["residual"] is None
    assert method_in(said, "saliency")["error"] is None


def test_a_long_method_tells_of_its_progress_and_ends_where_nobody_waits(live: LiveModel) -> None:
    parts: list[bytes] = []

    def listen(partial: Callable[[], bytes]) -> bool:
        parts.append(partial())
        return len(parts) < 3

    said, _ = ask(live, "attribute", listen, row=1, method="rise", options='{"masks": 4000}')
    assert len(parts) == 3
    told = [opened(part, "attribute") for part in parts]
    done = [method_in(one, "rise")["done"] for one, _ in told]
    assert done == [32, 64, 96]
    assert all(one["partial"] and method_in(one, "rise")["total"] == 4000 for one, _ in told)
    assert all(tensors["rise.input"].shape == (8, 8) for _, tensors in told)
    errors = [method_in(one, "rise")["error"] for one, _ in told]
    assert errors[0] > errors[2] > 0, "each part says how far it may be off"
    assert method_in(said, "rise")["error"] == pytest.approx(errors[2])
    assert not said["partial"]
    assert "Stopped after 96 of 4000" in method_in(said, "rise")["warnings"][0]


def test_the_sanity_check_puts_the_weights_back_also_where_it_is_stopped(live: LiveModel, model: Small) -> None:
    before = {name: value.clone() for name, value in model.state_dict().items()}
    said, _ = ask(live, "sanity", row=1, method="grad_cam")
    expected = pellucid.attribution.sanity(
        model, live.batch(1).inputs, live.record.examples()["prediction"][1].as_py(), "grad_cam"
    )
    assert said["modules"] == list(expected.modules)
    assert said["correlations"] == pytest.approx(expected.correlations[:, 0].tolist(), nan_ok=True)
    assert said["fails"] == expected.fails
    assert said["verdict"] == expected.judged.verdict
    random = [float("nan") if one is None else one for one in said["random"]]
    assert random == pytest.approx(expected.random[:, 0].tolist(), nan_ok=True)
    assert (said["mean"], said["low"], said["high"], said["chance"]) == (
        expected.judged.mean, expected.judged.low, expected.judged.high, expected.judged.chance
    )  # fmt: skip
    assert said["done"] == said["total"] == len(expected.modules) + 7
    with pytest.raises(MethodError, match="was stopped; the weights are what they were"):
        ask(live, "sanity", _stops_at(3), row=1)
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())


def _stops_at(number: int) -> Callable[[Callable[[], bytes]], bool]:
    left = number

    def tell(partial: Callable[[], bytes]) -> bool:
        nonlocal left
        left -= 1
        return left > 0

    return tell


@pytest.mark.parametrize("fill", ["zero", "mean", "blur"])
def test_curves_are_those_of_deletion_and_insertion(
    live: LiveModel, model: Small, images: torch.Tensor, fill: str
) -> None:
    said, _ = ask(live, "curves", row=2, explained=2, method="saliency", fill=fill, steps=8)
    image = images[2:3]
    blurred = nn.functional.avg_pool2d(nn.functional.pad(image, (0,) * 4, mode="replicate"), 1, stride=1)
    filling: Any = {"zero": 0.0, "mean": image.mean((2, 3), keepdim=True), "blur": blurred}[fill]
    ranking = pellucid.attribute(model, image, 2, "saliency").input
    for name in ("deletion", "insertion"):
        wanted = getattr(pellucid.attribution, name)(model, image, 2, ranking, 8, filling)
        assert said[name]["scores"] == pytest.approx(wanted.scores[0].tolist(), rel=1e-5)
        assert said[name]["area"] == pytest.approx(float(wanted.area[0]), rel=1e-5)
    assert said["of"] == "probability"


def test_tokens_have_gradients_where_their_ids_have_none(tmp_path: Path) -> None:
    torch.manual_seed(2)
    ids = torch.randint(20, (5, 6))
    words = at_hand(Words(), ids, tmp_path / "words.pellucid")
    said, tensors = ask(
        words, "attribute", row=3, method=["token_gradients", "time_gradients", "saliency", "grad_cam", "rise"]
    )
    assert tensors["input.ids"].tolist() == ids[3].tolist()
    assert "input.values" not in tensors
    assert tensors["token_gradients.input"].shape == tensors["time_gradients.input"].shape == (6,)
    assert "saliency.input" not in tensors
    assert "Grad-CAM needs" in method_in(said, "grad_cam")["refused"]
    assert "RISE" in method_in(said, "rise")["refused"]


def test_the_list_says_what_each_method_shows_and_costs(live: LiveModel) -> None:
    said, _ = ask(live, "methods")
    assert [one["name"] for one in said["methods"]] == [*METHODS]
    assert all(one["does"].endswith(".") or one["does"].endswith(").") for one in said["methods"])
    priced = {one["name"]: one["price"] for one in said["methods"]}
    assert priced["rise"] == "1000 forwards"
    assert priced["smoothgrad"] == "50 forwards and backwards"
    assert "many forwards" not in priced.values(), "a method of many passes says of how many"
    steps = next(one for one in said["methods"] if one["name"] == "integrated_gradients")["options"]
    assert {"steps", "nodes", "tolerance", "limit"} <= {option["name"] for option in steps}
    assert next(option["choices"] for option in steps if option["name"] == "baseline") == ["zero", "mean", "blur"]


@pytest.mark.parametrize(
    ("question", "given", "error", "words"),
    [
        ("atribute", {}, RecordError, "no question 'atribute' to the model. Did you mean attribute?"),
        ("attribute", {}, OptionError, "needs the parameter 'row'"),
        ("attribute", {"row": 1, "metod": "x"}, OptionError, "no parameter 'metod'. Did you mean method?"),
        ("attribute", {"row": [1, 2]}, OptionError, "'row' is given 2 times"),
        ("attribute", {"row": "one"}, OptionError, "cannot be read: Expected `int`"),
        ("attribute", {"row": 8}, RecordError, "has 8 examples; there is no row 8"),
        ("attribute", {"row": -1}, RecordError, "no row -1"),
        ("attribute", {"row": 1, "method": "salency"}, MethodError, "Did you mean saliency"),
        ("attribute", {"row": 1, "explained": 3}, TargetError, "no class 3: the model has 3 outputs"),
        ("attribute", {"row": 1, "aim": "los"}, OptionError, "Invalid enum value 'los'"),
        ("attribute", {"row": 3, "aim": "loss"}, TargetError, "target of example 'example 3' is not known"),
        ("attribute", {"row": 1, "aim": "unit"}, OptionError, "give the parameters 'layer' and 'unit'"),
        ("attribute", {"row": 1, "aim": "unit", "layer": "hed", "unit": 0}, LayerError, "head"),
        ("attribute", {"row": 1, "aim": "unit", "layer": "head", "unit": 9}, TargetError, "no channel 9"),
        (
            "attribute",
            {"row": 1, "aim": "unit", "layer": "head", "unit": 0, "place": "here"},
            OptionError,
            "A place is",
        ),
        ("attribute", {"row": 1, "layers": "frst"}, LayerError, "frst"),
        ("attribute", {"row": 1, "method": "rise", "options": '{"mask": 3}'}, OptionError, "Did you mean masks?"),
        ("attribute", {"row": 1, "method": "rise", "options": '{"masks": "3"}'}, OptionError, "Expected `int`"),
        ("attribute", {"row": 1, "method": "rise", "options": "[3]"}, OptionError, "must be a JSON object"),
        (
            "attribute",
            {"row": 1, "options": '{"relu": false}'},
            OptionError,
            "options are those of one method|Options are those",
        ),
        ("attribute", {"row": 1, "layer": "x" * 5000}, OptionError, "longer than 4000"),
        ("sanity", {"row": 1, "method": "token_gradients"}, MethodError, "nn.Embedding"),
        ("curves", {"row": 1, "fill": "noise"}, OptionError, "Invalid enum value 'noise'"),
    ],
)
def test_what_cannot_be_asked_is_refused_in_words(
    live: LiveModel, question: str, given: dict[str, Any], error: type[PellucidError], words: str
) -> None:
    with pytest.raises(error, match=words):
        ask(live, question, **given)


def test_the_model_is_left_as_it_was_by_every_question(live: LiveModel, model: Small) -> None:
    state = {name: value.clone() for name, value in model.state_dict().items()}
    random = torch.get_rng_state()
    model.train()
    try:
        for name, given in [
            ("attribute", {"method": ["saliency", "lrp_epsilon", "rise"]}),
            ("sanity", {}),
            ("curves", {}),
        ]:
            ask(live, name, row=1, **given)
        assert model.training
    finally:
        model.eval()
    assert torch.equal(torch.get_rng_state(), random)
    assert all(torch.equal(value, state[name]) for name, value in model.state_dict().items())
    assert all(one.grad is None and one.requires_grad and not one._backward_hooks for one in model.parameters())
    assert not any(one._forward_hooks or one._forward_pre_hooks or one._backward_hooks for one in model.modules())


def test_every_question_is_of_the_kind_that_addresses_can_ask() -> None:
    assert {"attribute", "curves", "methods", "sanity"} <= set(questions())
    for name, kind in questions().items():
        assert kind.name == name
        assert kind.__doc__
