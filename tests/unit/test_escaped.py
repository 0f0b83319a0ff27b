"""What a forward keeps, in the model or outside: none of it is a tensor without values after a trace, and all is as it was."""

from __future__ import annotations

import copy
import functools
import random
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

import pellucid
from pellucid.errors import ModelError
from pellucid.graph.escaped import alive

KEPT: dict[str, Any] = {}
SEEN: list[Tensor] = []
ONCE: Tensor | None = None


class Holder:
    of_class: Tensor | None = None

    def __init__(self) -> None:
        self.own: Tensor | None = None


HOLDER = Holder()


@functools.lru_cache
def doubled(values: Tensor) -> Tensor:
    return values * 2


class Net(nn.Module):
    """A layer of the inputs and of what a function keeps of them."""

    def __init__(self, keep: Callable[[nn.Module, Tensor], Tensor]) -> None:
        super().__init__()
        self.layer, self.keep = nn.Linear(6, 3), keep
        self.cache, self.states, self.named = Holder(), [[None]], {"layer": {}}

    def forward(self, values: Tensor) -> Tensor:
        return self.layer(values + self.keep(self, values))


def in_globals(net: Any, values: Tensor) -> Tensor:
    global ONCE
    if ONCE is None:
        ONCE = torch.ones_like(values)
    if "pair" not in KEPT:
        KEPT["pair"] = (values * 2, 1)
    SEEN.append(values)
    return ONCE + KEPT["pair"][0]


def in_objects(net: Any, values: Tensor) -> Tensor:
    if HOLDER.own is None:
        HOLDER.own = values * 2
    if Holder.of_class is None:
        Holder.of_class = values * 3
    return HOLDER.own + Holder.of_class


def in_a_closure() -> Callable[[nn.Module, Tensor], Tensor]:
    kept: Tensor | None = None

    def keep(net: nn.Module, values: Tensor) -> Tensor:
        nonlocal kept
        if kept is None:
            kept = values * 2
        return kept

    return keep


def in_a_cache(net: Any, values: Tensor) -> Tensor:
    return doubled(net.layer.weight).sum()


def in_the_model(net: Any, values: Tensor) -> Tensor:
    if net.cache.own is None:
        net.cache.own = torch.ones_like(values)
    if net.states[0][0] is None:
        net.states[0][0] = values * 2
    if "sum" not in net.named["layer"]:
        net.named["layer"]["sum"] = values.sum()
    return net.cache.own + net.states[0][0] + net.named["layer"]["sum"]


@pytest.fixture(autouse=True)
def _empty() -> None:
    global ONCE
    ONCE, HOLDER.own, Holder.of_class = None, None, None
    KEPT.clear()
    SEEN.clear()
    doubled.cache_clear()


@pytest.mark.parametrize("keep", [in_globals, in_objects, in_a_closure(), in_a_cache, in_the_model])
def test_a_trace_leaves_no_tensor_without_values(keep: Callable[[nn.Module, Tensor], Tensor]) -> None:
    values, before = torch.randn(4, 6), alive()
    net = Net(keep).eval()
    assert pellucid.graph(net, values).backend == "fake"
    assert alive() == before
    assert (ONCE, KEPT, SEEN, HOLDER.own, Holder.of_class) == (None, {}, [], None, None)
    assert torch.isfinite(net(values)).all()
    assert pellucid.graph(net, values).backend == "fake"
    assert torch.isfinite(net(values)).all()


def test_what_cannot_be_emptied_is_refused() -> None:
    class Closed:
        __slots__ = ("own",)

    closed = Closed()

    def keep(net: nn.Module, values: Tensor) -> Tensor:
        closed.own = values * 2
        return closed.own

    with pytest.raises(ModelError, match="outside of the model"):
        pellucid.graph(Net(keep), torch.randn(4, 6))


def test_attributes_and_generators_are_as_they_were() -> None:
    class Counting(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.layer, self.last, self.calls = nn.Linear(6, 3), None, [0]
            self.torch, self.python, self.array = torch.Generator(), random.Random(1), np.random.default_rng(1)
            self.legacy = np.random.RandomState(1)

        def forward(self, values: Tensor) -> Tensor:
            drawn = (
                torch.rand(6, generator=self.torch) + self.python.random() + self.array.random() + self.legacy.rand()
            )
            self.last = self.layer(values + drawn)
            self.calls[0] += 1
            return self.last

    net = Counting().eval()
    values = torch.randn(4, 6)
    state = net.torch.get_state()
    pellucid.graph(net, values)
    pellucid.attribute(net, values, 1, "integrated_gradients")
    assert (net.last, net.calls) == (None, [0])
    assert torch.equal(net.torch.get_state(), state)
    assert net.python.random() == random.Random(1).random()
    assert net.array.random() == np.random.default_rng(1).random()
    assert net.legacy.rand() == np.random.RandomState(1).rand()
    copy.deepcopy(net)


@pytest.mark.filterwarnings("ignore:.torch.jit:FutureWarning", "ignore:.torch.jit:DeprecationWarning")
def test_a_frozen_script_has_no_mode() -> None:
    script = torch.jit.freeze(torch.jit.script(nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU()).eval()))
    graph = pellucid.graph(script, torch.randn(1, 3, 8, 8))
    assert graph.error is None
