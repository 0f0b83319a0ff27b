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
