"""What methods leave behind: nothing, whether they end well, are refused, or something raises half-way; and no memory."""

from __future__ import annotations

import gc
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

import pellucid
from pellucid.attribution import METHODS, Progress, sanity
from pellucid.attribution.methods import methods
from pellucid.errors import ForwardError, MethodError, PellucidError
from pellucid.graph import trace
from pellucid.graph.dataflow import tensors_in
from support import families
from support.cheap import IDS, IMAGES, SERIES, with_options
from support.families import Family, built
from support.untouched import Untouched

WIDE: dict[str, tuple[type[Family], Tensor]] = {
    "pictures": (families.MobileNet, IMAGES),
    "tokens": (families.Vit, IMAGES),
    "text": (families.Text, IDS),
    "series": (families.Lstm, SERIES),
}


pytestmark = pytest.mark.usefixtures("one_thread")


def worn(kind: str) -> tuple[Family, Tensor]:
    """A model in use: some weights frozen, some parts in evaluation, gradients held, a hook of its user's."""
    make, given = WIDE[kind]
    model = built(make, "in place")
    model.head.weight.requires_grad_(False)
    model.head.eval()
    model.head.bias.grad = torch.ones(3, dtype=torch.float64)
    return model, given


class PlantedError(Exception):
    """Raised on purpose."""


def failing_at(call: int) -> Callable[..., None]:
    calls = iter(range(10**6))

    def raise_later(*_: Any) -> None:
        if next(calls) >= call:
            raise PlantedError("half-way")

    return raise_later


@pytest.mark.parametrize("name", METHODS)
@pytest.mark.parametrize("kind", ["pictures", "text"])
def test_a_model_that_raises_half_way_is_left_as_it_was(kind: str, name: str) -> None:
    model, given = worn(kind)
    raised = 0
    for call in (0, 2):
        handle = model.head.register_forward_pre_hook(failing_at(call))
        before, values = Untouched(model), given.clone()
        try:
            pellucid.attribute(model, given, 1, with_options(name, given))
        except PellucidError as error:
            raised += isinstance(error, ForwardError)
        assert before.differences() == []
        assert torch.equal(given, values)
        handle.remove()
    if kind == "pictures" and name not in ("token_gradients", "time_gradients"):
        assert raised  # at the first call at least


@pytest.mark.parametrize("kind", WIDE)
def test_a_target_a_watcher_or_a_backward_that_raises_leaves_the_model_as_it_was(kind: str) -> None:
    class Thrown(torch.autograd.Function):
        @staticmethod
        def forward(_: Any, values: Tensor) -> Tensor:
            return values.clone()

        @staticmethod
        def backward(*_: Any) -> Tensor:
            raise PlantedError("backward")

    def target(_: Tensor) -> Tensor:
        raise PlantedError("target")

    def watch(_: Progress) -> bool:
        raise PlantedError("watcher")

    model, given = worn(kind)
    before = Untouched(model)
    ended = []
    for name in METHODS:
        method = with_options(name, given)
        for asked in (
            {"target": target},
            {"target": lambda output: Thrown.apply(output)[:, 0]},
            {"target": 1, "watch": watch},
        ):
            try:
                pellucid.attribute(model, given, method=method, **asked)  # type: ignore[call-overload]
            except (PlantedError, PellucidError) as error:
                ended.append(type(error))
            assert before.differences() == [], (name, asked)
    assert PlantedError in ended
    assert MethodError in ended


def test_the_sanity_check_puts_everything_back() -> None:
    model, given = worn("pictures")
    before = Untouched(model)
    sanity(model, given, 1, "grad_cam")
    assert before.differences() == []
    handle = model.head.register_forward_pre_hook(failing_at(4))
    before = Untouched(model)
    with pytest.raises(ForwardError):
        sanity(model, given, 1, "saliency")
    assert before.differences() == []
    handle.remove()


class _Weighed(torch.autograd.Function):
    """Values times weights, summed; its backward hands back the very weights that it was given, no copy of them."""

    @staticmethod
    def forward(context: Any, values: Tensor, weights: Tensor) -> Tensor:
        context.save_for_backward(weights)
        context.examples = len(values)
        return (values * weights).flatten(1).sum(1, keepdim=True)

    @staticmethod
    def backward(context: Any, *_: Tensor) -> tuple[Tensor, None]:
        return context.saved_tensors[0].expand(context.examples, -1, -1, -1), None


class HandsOutWeights(nn.Module):
    """Its gradient at `inner` (or, bare, at the input) is its own buffer or frozen parameter."""

    def __init__(self, shape: tuple[int, ...], held: str, *, bare: bool) -> None:
        super().__init__()
        weights = -torch.ones(1, *shape)
        if held == "buffer":
            self.register_buffer("weights", weights)
        else:
            self.weights = nn.Parameter(weights, requires_grad=False)
        self.inner: nn.Module = nn.Identity() if bare else nn.Sequential(nn.Conv2d(shape[0], shape[0], 1), nn.ReLU())

    def forward(self, values: Tensor) -> Tensor:
        found: Tensor = _Weighed.apply(self.inner(values), self.weights)
        return torch.cat([-found, found], dim=1)


@pytest.mark.parametrize("held", ["buffer", "frozen"])
@pytest.mark.parametrize("bare", [False, True], ids=["behind a layer", "at the input"])
def test_weights_that_a_backward_hands_back_are_never_written_to(held: str, bare: bool) -> None:
    torch.manual_seed(0)
    model, given = HandsOutWeights((2, 4, 4), held, bare=bare), torch.rand(1, 2, 4, 4)
    before = Untouched(model, versions=True)
    layers = None if bare else ["inner.0", "inner.1"]
    shown = set()
    for name in METHODS:
        try:
            found = pellucid.attribute(model, given, lambda output: output[:, 1], with_options(name, given), layers)
        except PellucidError:
            continue
        finally:
            assert before.differences() == [], name
        shown.add(name)
        for map_ in [*found.layers.values(), *tensors_in(found.input)]:
            if not map_.is_set_to(map_.contiguous()):
                continue  # a CAM on the input is one map at all channels
            map_.zero_()  # what one does with a map is no business of the model's
        assert before.differences() == [], name
    assert {"saliency", "gradient_x_input", "integrated_gradients"} <= shown


@pytest.mark.parametrize("name", METHODS)
def test_gradients_that_are_one_number_at_many_places_are_taken_as_any_other(name: str) -> None:
    torch.manual_seed(0)

    class Summed(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.body = nn.Sequential(nn.Conv2d(2, 3, 3), nn.ReLU(), nn.Conv2d(3, 3, 3), nn.ReLU())

        def forward(self, values: Tensor) -> Tensor:
            found: Tensor = self.body(values).sum((2, 3))
            return found

    class Multiplied(Summed):  # the same numbers, whose gradients are laid out in full
        def forward(self, values: Tensor) -> Tensor:
            maps = self.body(values)
            return (maps * torch.ones_like(maps)).sum((2, 3))

    summed, multiplied = Summed(), Multiplied()
    multiplied.load_state_dict(summed.state_dict())
    given = torch.rand(2, 2, 8, 8)
    try:
        expected = pellucid.attribute(multiplied, given, 1, with_options(name, given))
    except MethodError:
        return
    found = pellucid.attribute(summed, given, 1, with_options(name, given))
    torch.testing.assert_close(found.input, expected.input)
    for layer in set(found.layers) & set(expected.layers):
        torch.testing.assert_close(found.layers[layer], expected.layers[layer])


def resident() -> int:
    """Bytes of this process in memory."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * 4096


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads the memory of the process from /proc")
def test_a_thousand_calls_of_all_kinds_let_no_memory_grow() -> None:
    torch.manual_seed(0)
    model = nn.Sequential(
        nn.Conv2d(2, 4, 3, bias=False),
        nn.BatchNorm2d(4),
        nn.ReLU(),
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
        nn.Linear(4, 3),
    ).eval()
    given = torch.randn(1, 2, 8, 8)
    graph = trace(model, given)
    plain = [
        name
        for name, kind in methods().items()
        if kind.cost == "plain" and name not in ("token_gradients", "time_gradients")
    ]
    long = ("smoothgrad", "vargrad", "integrated_gradients", "occlusion", "rise", "score_cam", "ablation_cam")
    asked: list[Any] = [
        plain, *[with_options(name, given) for name in long],
        "guided_backprop", "deconvnet", "lrp_epsilon", "lrp_gamma", "lrp_z_plus", "token_gradients",
    ]  # fmt: skip

    def call(number: int) -> None:
        refused = asked[number % len(asked)] == "token_gradients"
        try:
            pellucid.attribute(model, given, 1, asked[number % len(asked)], layers=["2"], graph=graph)
        except MethodError:
            assert refused

    def alive() -> tuple[int, int]:
        gc.collect()
        every = gc.get_objects()
        return sum(issubclass(type(one), Tensor) for one in every), len(every)

    for number in range(5 * len(asked)):
        call(number)
    tensors, objects = alive()
    size = resident()
    for number in range(1000):
        call(number)
    more_tensors, more_objects = alive()
    assert more_tensors <= tensors
    assert more_objects < objects + 100
    assert resident() - size < 4 * 2**20
