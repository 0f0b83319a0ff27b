"""Whatever is asked of a model, and however it ends, the model is left as it was."""

from __future__ import annotations

import random
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

import pellucid
from pellucid.capture import Session
from pellucid.errors import ForwardError, LayerError, MethodError, TargetError
from pellucid.graph import trace
from pellucid.types import Passes

CLASSES = 4
HOOKS = (
    "_forward_hooks",
    "_forward_hooks_with_kwargs",
    "_forward_hooks_always_called",
    "_forward_pre_hooks",
    "_forward_pre_hooks_with_kwargs",
    "_backward_hooks",
    "_backward_pre_hooks",
    "_state_dict_hooks",
    "_load_state_dict_pre_hooks",
)


class HalfWayError(Exception):
    """What a model of these tests raises half-way."""


class Awkward(nn.Module):
    """All that may be disturbed: batch norm, dropout, in-place and shared activations, state, chance, frozen parts."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Sequential(nn.Conv2d(3, 6, 3), nn.BatchNorm2d(6), nn.ReLU(inplace=True))
        self.dropout = nn.Dropout(0.5)
        self.second = nn.Conv2d(6, 6, 3)
        self.third = nn.Conv2d(6, 6, 3)
        self.shared = nn.ReLU(inplace=True)
        self.words = nn.Embedding(5, 6, max_norm=0.5)
        self.head = nn.Linear(6, CLASSES)
        self.register_buffer("steps", torch.zeros(()))
        self.register_buffer("seen", torch.full((2,), torch.nan), persistent=False)
        self.breaks = False

    def forward(self, images: Tensor) -> Tensor:
        self.steps = self.steps + 1
        self.seen.fill_(float(self.steps))
        signal = self.dropout(self.first(images))
        signal = self.shared(self.second(signal))
        signal = self.shared(self.third(signal))
        signal = F.relu(F.relu(signal - 0.1), inplace=True)
        if self.breaks:
            raise HalfWayError("half-way")
        chance = F.dropout(signal, 0.1, training=True) * random.random() * np.random.random()
        return self.head(chance.mean(dim=(2, 3)) + self.words(torch.zeros(len(images), dtype=torch.long)))


def awkward() -> Awkward:
    """In training, partly frozen, with gradients and the user's own hooks."""
    torch.manual_seed(0)
    model = Awkward()
    model.train()
    model.dropout.eval()
    model.first[0].weight.requires_grad_(False)
    for parameter in (model.head.weight, model.second.bias):
        parameter.grad = torch.randn_like(parameter)
    model.second.register_forward_hook(lambda module, given, output: output * 1.0)
    model.head.register_forward_pre_hook(lambda module, given, named: (given, named), with_kwargs=True)
    model.head.register_forward_hook(lambda module, given, output: None, always_call=True)
    model.third.register_full_backward_hook(lambda module, inwards, outwards: None)
    once = model.head.register_forward_hook(lambda module, given, output: once.remove())
    return model


def images(number: int = 6) -> Tensor:
    return torch.randn(number, 3, 12, 12, generator=torch.Generator().manual_seed(1))


def bits(tensor: Tensor | None) -> tuple[object, ...] | None:
    """Identity, kind and exact value; NaN too."""
    if tensor is None:
        return None
    return id(tensor), tensor.requires_grad, tensor.shape, tensor.dtype, tensor.detach().numpy().tobytes()


def state_of(model: nn.Module) -> dict[str, object]:
    """Everything of a model and of the process that a look at it might disturb."""
    held: dict[str, object] = {}
    for path, module in model.named_modules():
        held[f"{path} mode"] = module.training
        held[f"{path} in place"] = getattr(module, "inplace", None)
        held[f"{path} attributes"] = sorted(vars(module))
        for name in HOOKS:
            held[f"{path} {name}"] = [(key, id(value)) for key, value in vars(module)[name].items()]
        for name, parameter in module._parameters.items():
            held[f"{path} {name}"] = bits(parameter)
            held[f"{path} {name} gradient"] = None if parameter is None else bits(parameter.grad)
        for name, buffer in module._buffers.items():
            held[f"{path} {name}"] = bits(buffer)
        held[f"{path} passing buffers"] = sorted(module._non_persistent_buffers_set)
    held["random state of torch"] = torch.get_rng_state().numpy().tobytes()
    held["random state of Python"] = random.getstate()
    held["random state of NumPy"] = str(np.random.get_state(legacy=False))
    held["gradients wanted"] = torch.is_grad_enabled()
    held["fast path"] = torch.backends.mha.get_fastpath_enabled()
    return held


@contextmanager
def left_as_it_was(model: nn.Module) -> Iterator[None]:
    before = state_of(model)
    yield
    after = state_of(model)
    changed = [name for name, value in before.items() if after.get(name) != value]
    assert not changed
    assert after.keys() == before.keys()


def examples(inputs: Tensor) -> list[tuple[Tensor, int]]:
    return [(one, row % CLASSES) for row, one in enumerate(inputs)]


def forward(model: nn.Module, path: Path) -> None:
    # The layers are found on a whole twin where the model itself breaks.
    with Session(model, trace(awkward(), images(2)).layers) as session:
        session.forward(images(), {"mean": lambda output, layer: {"mean": output.mean()}})


def explain(model: nn.Module, path: Path) -> None:
    with Session(model, trace(awkward(), images(2)).layers) as session:
        session.explain(images(), lambda logits: logits[:, 1])


def attribute(model: nn.Module, path: Path) -> None:
    pellucid.attribute(model, images(), 1, ["saliency", "gradient_x_input", "grad_cam"])


def graph(model: nn.Module, path: Path) -> None:
    found = pellucid.graph(model, images(2))
    if found.error is not None:
        raise ForwardError(found.error) from HalfWayError("told in words")


def inspect(model: nn.Module, path: Path) -> None:
    pellucid.inspect(model, examples(images(20)), out=path / "record", batch_size=8, chosen=3)


ASKED = pytest.mark.parametrize("ask", [forward, explain, attribute, graph, inspect])


@ASKED
def test_the_model_is_left_as_it_was(ask: Callable[[nn.Module, Path], None], tmp_path: Path) -> None:
    model = awkward()
    with left_as_it_was(model):
        ask(model, tmp_path)


@ASKED
def test_the_model_is_left_as_it_was_when_its_forward_raises(
    ask: Callable[[nn.Module, Path], None], tmp_path: Path
) -> None:
    model = awkward()
    model.breaks = True
    with left_as_it_was(model), pytest.raises(ForwardError, match=r"half-way|told in words") as caught:
        ask(model, tmp_path)
    assert isinstance(caught.value.__cause__, HalfWayError)


@pytest.mark.parametrize("method", ["explain", "forward"])
def test_the_model_is_left_as_it_was_when_the_user_interrupts(method: str) -> None:
    class Interrupted(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.before = nn.Linear(3, 3)
            self.norm = nn.BatchNorm1d(3)

        def forward(self, values: Tensor) -> Tensor:
            self.norm.running_mean.add_(1)
            if self.norm(self.before(values)).shape[0] == 5:
                raise KeyboardInterrupt
            return values

    model = Interrupted()
    with left_as_it_was(model), pytest.raises(KeyboardInterrupt), Session(model, []) as session:
        session.forward(torch.zeros(5, 3)) if method == "forward" else session.explain(torch.zeros(5, 3), torch.sum)


def test_the_inputs_are_left_as_they_were_by_a_model_that_writes_to_them() -> None:
    class Normalising(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.head = nn.Linear(3, CLASSES)

        def forward(self, values: Tensor) -> Tensor:
            return self.head(values.sub_(0.5).relu_())

    model = Normalising()
    values = torch.randn(5, 3)
    kept = values.clone()
    found = pellucid.attribute(model, values, 2)
    assert torch.equal(values, kept)
    assert values.grad is None
    assert not values.requires_grad
    weight = model.head.weight[2].detach().abs()
    torch.testing.assert_close(found.input, torch.where(kept > 0.5, weight, torch.zeros(())))
    with Session(model, []) as session:
        session.forward(values)
    assert torch.equal(values, kept)


def test_a_write_to_a_parameter_within_a_session_is_taken_back() -> None:
    torch.manual_seed(0)
    model = nn.Sequential(nn.Embedding(7, 5, max_norm=0.1), nn.Flatten(), nn.Linear(10, 3))
    layers = trace(model, torch.tensor([[0, 0]])).layers
    with left_as_it_was(model), Session(model, layers) as session:
        for _ in range(2):
            session.forward(torch.tensor([[1, 2], [3, 4]]))
        session.explain(torch.tensor([[5, 6]]), lambda logits: logits[:, 0])
        assert float(model[0].weight[5].detach().norm()) <= 0.1 + 1e-6


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


def test_parameters_made_under_inference_mode_are_refused_by_name() -> None:
    with torch.inference_mode():
        model = nn.Sequential(nn.Linear(3, 3), nn.BatchNorm1d(3), nn.Linear(3, CLASSES)).train()
    with pytest.raises(MethodError, match="inference_mode"):
        pellucid.attribute(model, torch.randn(4, 3), 1)
    assert model.training
    assert all(parameter.requires_grad for parameter in model.parameters())
    # What needs no gradient works all the same.
    with Session(model, trace(model, torch.randn(4, 3)).layers) as session:
        assert session.forward(torch.randn(4, 3)).outputs.shape == (4, CLASSES)


def test_a_call_under_inference_mode_gives_the_same_gradients() -> None:
    torch.manual_seed(0)
    model = nn.Sequential(nn.Conv2d(3, 5, 3), nn.BatchNorm2d(5), nn.ReLU(), nn.Flatten(), nn.Linear(500, CLASSES))
    given = images(2)
    expected = pellucid.attribute(model, given, 1)
    with torch.inference_mode():
        found = pellucid.attribute(model, given.clone(), 1)
    assert torch.equal(found.input, expected.input)


@pytest.mark.parametrize("hide", [torch.no_grad, torch.inference_mode])
def test_a_model_that_hides_its_gradient_is_refused(hide: Callable[[], Any]) -> None:
    class Hidden(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.head = nn.Linear(3, CLASSES)

        def forward(self, values: Tensor) -> Tensor:
            with hide():
                return self.head(values)

    with pytest.raises(MethodError, match="'head' runs under no_grad"):
        pellucid.attribute(Hidden(), torch.randn(4, 3), 1)
    with Session(Hidden(), ()) as session, pytest.raises(MethodError, match="output has no gradient"):
        session.explain(torch.randn(4, 3), lambda logits: logits[:, 0])


def test_a_model_that_detaches_on_the_way_is_refused_rather_than_given_zeros() -> None:
    class Detached(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.frozen = nn.Linear(3, 3)
            self.head = nn.Linear(3, CLASSES)

        def forward(self, values: Tensor) -> Tensor:
            return self.head(self.frozen(values).detach())

    with pytest.raises(MethodError, match="detaches or rounds"):
        pellucid.attribute(Detached(), torch.randn(4, 3), 1)


def test_a_model_without_a_backward_is_refused() -> None:
    class Overwriting(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.head = nn.Linear(3, CLASSES)

        def forward(self, values: Tensor) -> Tensor:
            return self.head(values).relu_().add_(1.0)

    with pytest.raises(MethodError, match="backward raised RuntimeError") as caught:
        pellucid.attribute(Overwriting(), torch.randn(4, 3), 1, layers=["head"])
    assert isinstance(caught.value.__cause__, RuntimeError)


def test_a_layer_that_is_overwritten_past_any_copy_is_refused() -> None:
    class Overwritten(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.first = nn.Linear(3, 5)
            self.head = nn.Linear(5, CLASSES)

        def forward(self, values: Tensor) -> Tensor:
            signal = self.first(values) * 1.0
            signal.neg_()
            signal.add_(1.0)
            return self.head(signal)

    model, values = Overwritten(), torch.randn(4, 3)
    with left_as_it_was(model), pytest.raises(LayerError, match=r"overwrites the output of layer 'neg\(\)'"):
        pellucid.attribute(model, values, 1, layers=["neg()"])
    assert set(pellucid.attribute(model, values, 1, layers=["first"]).layers) == {"first"}


@pytest.mark.parametrize("target", [CLASSES, -1, [0, 1, 2, CLASSES], torch.tensor([0, 0, -2, 0]), [0, 1], "best"])
def test_a_target_that_the_model_does_not_have_is_refused(target: Any) -> None:
    model, values = nn.Sequential(nn.Linear(3, CLASSES)), torch.randn(4, 3)
    with left_as_it_was(model), pytest.raises(TargetError, match=r"4 outputs, 0 to 3|got 2 targets for 4|'best'"):
        pellucid.attribute(model, values, target)


@pytest.mark.parametrize("target", [2, np.int64(2), torch.tensor(2), [2, 2, 2, 2], torch.full((4,), 2)])
def test_one_class_for_all_and_one_an_example_are_both_targets(target: Any) -> None:
    model = nn.Sequential(nn.Linear(3, CLASSES))
    found = pellucid.attribute(model, torch.randn(4, 3), target)
    torch.testing.assert_close(found.input, model[0].weight[2].detach().abs().expand(4, 3))


def test_a_layer_that_is_not_there_is_refused_with_names_near_it() -> None:
    with pytest.raises(LayerError, match=r"no layer 'secnd'\..*second"):
        pellucid.attribute(awkward(), images(), 1, layers=["secnd"])


def test_a_model_that_raises_is_reported_before_any_layer_it_did_not_reach() -> None:
    model = awkward()
    model.breaks = True
    with pytest.raises(ForwardError, match="half-way") as caught:
        pellucid.attribute(model, images(), 1, layers=["head"])
    assert isinstance(caught.value.__cause__, HalfWayError)


def test_grad_cam_of_a_vector_is_refused_with_the_layers_that_fit() -> None:
    with pytest.raises(LayerError, match=r"'head' gave \('batch', 4\).*first\.2, shared"):
        pellucid.attribute(awkward(), images(), 1, ["saliency", "grad_cam"], layers=["first.2", "head"])


def test_a_layer_that_depends_on_the_input_and_is_not_reached_is_refused() -> None:
    class Gated(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.sometimes = nn.Linear(3, 3)
            self.head = nn.Linear(3, 2)

        def forward(self, values: Tensor) -> Tensor:
            return self.head(self.sometimes(values) if bool((values > 0).all()) else values)

    model = Gated()
    layers = trace(model, torch.ones(2, 3)).layers
    with Session(model, layers) as session, pytest.raises(LayerError, match="'sometimes' was not reached"):
        session.explain(-torch.ones(2, 3), lambda logits: logits[:, 0])


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


def test_an_error_in_forward_names_the_module_and_the_shapes() -> None:
    model = nn.Sequential(nn.Linear(3, 5), nn.Sequential(nn.Linear(4, 2)))
    with pytest.raises(ForwardError, match=r"in 1\.0 \(Linear\).*\(2, 3\) float32") as caught:
        pellucid.attribute(model, torch.zeros(2, 3), 0)
    assert isinstance(caught.value.__cause__, RuntimeError)
