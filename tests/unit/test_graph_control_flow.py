"""Control flow that is written as torch's operators: what runs, as if it were plain Python."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn
from torch._higher_order_ops.map import map as each_slice
from torch._higher_order_ops.scan import scan
from torch._higher_order_ops.while_loop import while_loop
from torch.nn.attention.flex_attention import flex_attention

import pellucid
from pellucid.graph import trace
from pellucid.graph.control_flow import uncompiled
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


def _scans(self: nn.Module, x: Tensor) -> object:
    def step(held: dict[str, Tensor], taken: Tensor) -> tuple[dict[str, Tensor], tuple[Tensor, Tensor]]:
        new = torch.tanh(self.cell(held["state"]) + taken)
        return {"state": new}, (new.clone(), taken * 2)

    return scan(step, {"state": torch.zeros(2, 3)}, x, dim=1, reverse=True)


def _maps(self: nn.Module, x: Tensor) -> object:
    return each_slice(lambda one, scale: {"made": self.cell(one) * scale}, x, torch.full((3,), 2.0))


def test_a_scan_has_its_steps() -> None:
    graph = trace(Functional(_scans, cell=nn.Linear(3, 3), other=nn.Linear(3, 3)), torch.ones(2, 5, 3))
    assert (graph.backend, graph.error, graph.uncalled) == ("fake", None, ("other",))
    assert graph.unused == ("other.weight", "other.bias")
    assert graph.flops == 5 * 2 * 2 * 3 * 3
    (loop,) = graph.loops
    assert (loop.steps, loop.feeds_back) == (5, True)
    assert graph.nodes[-1].inputs == ((2, 3), (2, 5, 3), (2, 5, 3))


def test_a_map_has_what_it_calls_for_each_slice() -> None:
    graph = trace(Functional(_maps, cell=nn.Linear(3, 3)), torch.ones(4, 2, 3))
    assert (graph.backend, graph.error, graph.uncalled, graph.unused) == ("fake", None, (), ())
    assert graph.flops == 4 * 2 * 2 * 3 * 3
    assert [node.name for node in graph.nodes if node.path == "cell"] == ["cell", "cell#2", "cell#3", "cell#4"]
    assert graph.nodes[-1].inputs == ((4, 2, 3),)


@pytest.mark.parametrize("forward", [_scans, _maps, _steps])
def test_written_out_they_compute_what_torch_computes(forward: Callable[..., object]) -> None:
    torch.manual_seed(0)
    model = Functional(forward, cell=nn.Linear(3, 3), head=nn.Linear(3, 1))
    inputs = torch.randn(2, 5, 3)
    with torch.no_grad():
        expected = model(inputs)
        with uncompiled():
            found = model(inputs)
    torch.testing.assert_close(found, expected)


@pytest.mark.filterwarnings("ignore:.*flex_attention.*")
def test_what_a_function_given_to_an_operator_reads_is_used() -> None:
    def attends(self: nn.Module, x: Tensor) -> object:
        return flex_attention(x, x, x, score_mod=lambda score, b, h, q, k: score + self.tables.weight[h, 0])

    graph = trace(
        Functional(attends, tables=nn.Linear(1, 2, bias=False), other=nn.Linear(1, 1)), torch.ones(1, 2, 8, 4)
    )
    assert (graph.error, graph.unused, graph.uncalled) == (None, ("other.weight", "other.bias"), ("other",))


def test_an_exported_branch_is_chosen_by_the_values() -> None:
    model = Functional(_chooses, up=nn.Linear(3, 3), down=nn.Linear(3, 3), head=nn.Linear(3, 1))
    program = torch.export.export(model, (torch.ones(2, 3),), strict=False)
    graph = trace(program.module(), torch.ones(2, 3))
    assert (graph.error, graph.flops) == (None, 2 * 2 * (3 * 3 + 3))
    assert graph.unused == ("down.weight", "down.bias")


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

    operators = [type(getattr(torch.ops.higher_order, name)) for name in ("cond", "while_loop", "scan", "map_impl")]

    def state() -> tuple[object, ...]:
        called = [kind.__call__ for kind in operators]
        return getattr(utils, "_hop_compile_and_call", None), torch.cond.__code__, while_loop.__code__, called

    before = state()
    trace(Functional(_steps, cell=nn.Linear(3, 3), head=nn.Linear(3, 1)), torch.ones(2, 3))
    assert state() == before


@pytest.mark.parametrize("forward", [_scans, _maps, _steps, _chooses])
def test_where_torch_has_no_one_place_that_compiles_each_is_called_as_it_is(
    forward: Callable[..., object], monkeypatch: pytest.MonkeyPatch
) -> None:
    from torch._higher_order_ops import utils

    monkeypatch.delattr(utils, "_hop_compile_and_call", raising=False)
    layers = {"cell": nn.Linear(3, 3), "head": nn.Linear(3, 1), "up": nn.Linear(3, 3), "down": nn.Linear(3, 3)}
    graph = trace(Functional(forward, **layers), torch.ones(2, 5, 3))
    assert graph.error is None
    assert "cell" in graph.uncalled or graph.loops or forward is _chooses
