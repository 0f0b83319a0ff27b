"""What a layer reads that is none of its arguments: weights that a call made, what a hook looks at."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn
from torch.func import functional_call, vmap

from pellucid.graph import Graph, trace
from support.written import Functional, flows, ports


def _generated(self: nn.Module, x: Tensor, z: Tensor) -> Tensor:
    return functional_call(self.base, {"weight": self.maker(z).view(4, 3)}, (x,))


def _of_values(self: nn.Module, x: Tensor, z: Tensor) -> Tensor:
    assert bool((x == x).all())
    return _generated(self, x, z)


def _assigned(self: nn.Module, x: Tensor, z: Tensor) -> Tensor:
    self.base._parameters.pop("weight", None)
    self.base.weight = self.maker(z).view(4, 3)
    y: Tensor = self.base(x)
    return y


def _ensemble(self: nn.Module, x: Tensor, z: Tensor) -> Tensor:
    return vmap(lambda weight: functional_call(self.base, {"weight": weight}, (x,)))(self.maker(z).view(1, 4, 3))


def _traced(forward: Callable[..., Tensor]) -> Graph:
    torch.manual_seed(0)
    base, maker = nn.Linear(3, 4, bias=False), nn.Linear(2, 12)
    kept = base.weight
    graph = trace(Functional(forward, base=base, maker=maker), torch.randn(2, 3), torch.randn(2))
    assert graph.error is None
    assert base.weight is kept or forward is _assigned
    return graph


@pytest.mark.parametrize("forward", [_generated, _of_values, _assigned, _ensemble])
def test_a_weight_that_a_call_made_flows_into_the_layer_that_reads_it(forward: Callable[..., Tensor]) -> None:
    for _ in range(2):  # the second trace is told from the first, where it can be
        graph = _traced(forward)
        wanted = {("maker", "view()"), ("view()", "base"), ("base", "output")}
        assert wanted <= flows(graph)
        assert ("view()", 0, "base", 1) in ports(graph)  # after its only argument
        assert graph.by_name["base"].inputs[1] == (4, 3)
        assert graph.backend == ("real" if forward is _of_values else "fake")


def test_a_layer_with_its_own_weight_reads_nothing_beside_its_argument() -> None:
    _traced(_generated)
    graph = _traced(lambda self, x, z: self.base(x) + self.maker(z)[:4])
    assert graph.by_name["base"].inputs == ((2, 3),)
    assert {source for source, target in flows(graph) if target == "base"} == {"args[0]"}


def test_attention_reads_a_generated_projection() -> None:
    attention, maker = nn.MultiheadAttention(4, 1, bias=False), nn.Linear(2, 48)

    def forward(self: nn.Module, x: Tensor, z: Tensor) -> Tensor:
        weights = {"in_proj_weight": self.maker(z).view(12, 4)}
        y: Tensor = functional_call(self.attention, weights, (x, x, x))[0]
        return y

    graph = trace(Functional(forward, attention=attention, maker=maker), torch.randn(2, 1, 4), torch.randn(2))
    assert ("view()", 0, "attention", 3) in ports(graph)


@pytest.mark.parametrize("before", [False, True])
def test_a_hook_that_reads_another_layer_is_an_edge_from_it(before: bool) -> None:
    class Hooked(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.first, self.second = nn.Linear(3, 3), nn.Linear(3, 3)
            if before:
                self.second.register_forward_pre_hook(lambda module, given: (given[0] * self.kept,))
            else:
                self.second.register_forward_hook(lambda module, given, made: made + self.kept)

        def forward(self, x: Tensor) -> Tensor:
            self.kept = self.first(x)
            y: Tensor = self.second(x)
            return y

    graph = trace(Hooked(), torch.randn(2, 3))
    assert flows(graph) == {("x", "first"), ("x", "second"), ("first", "second"), ("second", "output")}
