"""Control flow that is written as torch's operators: what runs, as if it were plain Python."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn
from torch._higher_order_ops.while_loop import while_loop

import pellucid
from pellucid.graph import trace
from support.written import Functional, flows


def _chooses(self: nn.Module, x: Tensor) -> Tensor:
    chosen: Tensor = torch.cond(x.sum() > 0, lambda x: self.up(x), lambda x: self.down(x), (x,))
    return self.head(chosen)


def _steps(self: nn.Module, x: Tensor) -> Tensor:
    _, last = while_loop(
        lambda step, state: step < 3, lambda step, state: (step + 1, self.cell(state)), (torch.tensor(0), x)
    )
    return self.head(last)


@pytest.mark.parametrize(("sign", "taken", "other"), [(1.0, "up", "down"), (-1.0, "down", "up")])
def test_the_branch_that_is_taken_is_in_the_graph_and_the_other_is_not(sign: float, taken: str, other: str) -> None:
    model = Functional(_chooses, up=nn.Linear(3, 3), down=nn.Linear(3, 3), head=nn.Linear(3, 1))
    graph = trace(model, sign * torch.ones(2, 3))
    assert (graph.backend, graph.error, graph.uncalled) == ("real", None, (other,))
    assert graph.unused == (f"{other}.weight", f"{other}.bias")
    assert {("args[0]", taken), (taken, "head")} <= flows(graph)
    assert graph.flops == 2 * 2 * (3 * 3 + 3)
    (asked,) = graph.data_dependent
    assert asked.startswith("bool() at test_graph_control_flow.py:")


def test_a_loop_has_its_steps() -> None:
    graph = trace(Functional(_steps, cell=nn.Linear(3, 3), head=nn.Linear(3, 1)), torch.ones(2, 3))
    assert (graph.error, graph.uncalled, graph.unused) == (None, (), ())
    (loop,) = graph.loops
    assert (loop.steps, loop.feeds_back) == (3, True)
    assert {("cell", "cell#2"), ("cell#2", "cell#3"), ("cell#3", "head")} <= flows(graph)


def test_layers_of_a_branch_can_be_explained() -> None:
    torch.manual_seed(0)
    model = Functional(_chooses, up=nn.Linear(3, 3), down=nn.Linear(3, 3), head=nn.Linear(3, 2)).eval()
    inputs = torch.ones(1, 3)
    maps = pellucid.attribute(model, inputs, 1, "saliency", ["up"])
    assert list(maps.layers) == ["up"]
    inputs.requires_grad_()
    (expected,) = torch.autograd.grad(model.head(model.up(inputs))[0, 1], inputs)
    assert torch.allclose(maps.input, expected.abs())


def test_outside_of_a_trace_nothing_is_changed() -> None:
    from torch._higher_order_ops import utils, while_loop

    def state() -> tuple[object, ...]:
        return getattr(utils, "_hop_compile_and_call", None), torch.cond.__code__, while_loop.__code__

    before = state()
    trace(Functional(_steps, cell=nn.Linear(3, 3), head=nn.Linear(3, 1)), torch.ones(2, 3))
    assert state() == before
