"""Calls that are more than a call: custom functions, checkpoints, wrappers, scripts, attention."""

from __future__ import annotations

import subprocess
import sys

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.utils.checkpoint import checkpoint

from pellucid.capture import Session
from pellucid.graph import trace
from support.written import Functional, dead_ends, flows, operators_of, ports


@pytest.fixture(autouse=True)
def _seed() -> None:
    torch.manual_seed(0)


class Doubled(torch.autograd.Function):
    @staticmethod
    def forward(ctx: object, x: Tensor, times: int) -> Tensor:
        return torch.relu(x) * times

    @staticmethod
    def backward(ctx: object, gradient: Tensor) -> tuple[Tensor, None]:
        return gradient * 2, None


doubled = Doubled.apply


def test_a_custom_differentiable_function_is_one_call_with_its_name() -> None:
    def forward(self: nn.Module, x: Tensor) -> Tensor:
        return torch.relu(doubled(self.linear(x), 2)) + Doubled.apply(x, 3)

    model = Functional(forward, linear=nn.Linear(3, 3))
    graph = trace(model, torch.ones(1, 3))
    # The functions inside are not shown, but the capture engine counts them: the one outside is the second of its name.
    assert [node.name for node in graph.nodes[1:-1]] == ["linear", "Doubled()", "relu()#2", "Doubled()#2", "add()"]
    assert {("linear", "Doubled()"), ("Doubled()", "relu()#2"), ("args[0]", "Doubled()#2")} <= flows(graph)
    assert graph.operators == operators_of(model, torch.ones(1, 3)).total()
    assert "apply" not in vars(torch.autograd.function._SingleLevelFunction)
    with Session(model, [graph.layer("relu()#2")]) as session:
        seen = session.forward(torch.ones(1, 3), {"sum": lambda output, layer: {"sum": output.sum()}})
    assert torch.equal(seen.summaries["relu()#2"]["sum"]["sum"], (model.linear(torch.ones(1, 3)).relu() * 2).sum())


@pytest.mark.filterwarnings("ignore:None of the inputs have requires_grad")
@pytest.mark.parametrize("reentrant", [False, True])
def test_checkpointed_blocks_are_looked_through_and_counted_once(reentrant: bool) -> None:
    def forward(self: nn.Module, x: Tensor) -> Tensor:
        return self.last(checkpoint(self.block, x, use_reentrant=reentrant))

    block = nn.Sequential(nn.Linear(3, 3), nn.ReLU())
    model = Functional(forward, block=block, last=nn.Linear(3, 1))
    graph = trace(model, torch.ones(1, 3))
    assert [node.name for node in graph.nodes] == ["args[0]", "block", "block.0", "block.1", "last", "output"]
    assert flows(graph) == {("args[0]", "block.0"), ("block.0", "block.1"), ("block.1", "last"), ("last", "output")}
    assert graph.operators == operators_of(model, torch.ones(1, 3)).total()
    assert graph.flops == 2 * 9 + 2 * 3


def test_wrappers_are_looked_through_wherever_they_stand() -> None:
    inner = nn.Sequential(nn.Linear(3, 3), nn.ReLU())
    assert [node.name for node in trace(nn.DataParallel(inner), torch.ones(1, 3)).nodes[1:-1]] == ["0", "1"]
    held = nn.Sequential(nn.DataParallel(inner), torch.compile(nn.Linear(3, 2), backend="eager"))
    graph = trace(held, torch.ones(1, 3))
    assert (graph.error, dead_ends(graph)) == (None, set())
    assert [node.operation for node in graph.nodes if node.origin == node.id and node.kind != "input"] == [
        "Linear",
        "ReLU",
        "Linear",
    ]
    squared = torch.compile(lambda x: x * x, backend="eager")
    graph = trace(Functional(lambda self, x: squared(x)), torch.ones(1, 3))
    assert flows(graph) == {("args[0]", "mul()"), ("mul()", "output")}


COMPILES = """
import sys
import torch
from pellucid.graph import trace

class Compiles(torch.nn.Module):
    def __init__(self, compiles):
        super().__init__()
        self.linear, self.compiles = torch.nn.Linear(3, 3), compiles

    def forward(self, x):
        double = lambda y: self.linear(y) * 2
        return (torch.compile(double) if self.compiles else double)(x).relu()

plain = trace(Compiles(False), torch.ones(1, 3))
print("torch._dynamo" in sys.modules)
own = torch.compile
compiling = trace(Compiles(True), torch.ones(1, 3))
print([node.name for node in compiling.nodes] == [node.name for node in plain.nodes], torch.compile is own)
"""


def test_the_compiler_is_loaded_by_a_forward_that_compiles_alone_and_what_it_compiles_runs_as_written() -> None:
    done = subprocess.run([sys.executable, "-W", "error", "-c", COMPILES], check=True, capture_output=True, text=True)
    assert done.stdout.split() == ["False", "True", "True"]


@pytest.mark.filterwarnings("ignore:.torch.jit:FutureWarning", "ignore:.torch.jit:DeprecationWarning")
def test_scripted_parts_are_one_call() -> None:
    scripted = torch.jit.script(nn.Sequential(nn.Linear(3, 3), nn.ReLU()))
    graph = trace(nn.Sequential(nn.Linear(3, 3), scripted), torch.ones(1, 3))
    assert flows(graph) == {("input", "0"), ("0", "1"), ("1", "output")}
    assert (graph.error, graph.unused, graph.uncalled) == (None, (), ())


def test_calling_forward_itself_loses_nothing() -> None:
    def forward(self: nn.Module, x: Tensor) -> Tensor:
        return self.head.forward(self.block.forward(x))

    block = nn.Sequential(nn.Linear(3, 3), nn.ReLU())
    graph = trace(Functional(forward, block=block, head=nn.Linear(3, 1), idle=nn.Linear(3, 1)), torch.ones(1, 3))
    assert flows(graph) == {
        ("args[0]", "block.0"), ("block.0", "block.1"), ("block.1", "linear()"), ("linear()", "output"),
    }  # fmt: skip
    assert graph.uncalled == ("idle",)
    assert graph.unused == ("idle.weight", "idle.bias")


def test_attention_is_traced_without_its_fast_path() -> None:
    layer = nn.TransformerEncoder(nn.TransformerEncoderLayer(8, 2, 16, batch_first=True), 2)
    graph = trace(layer, torch.randn(2, 3, 8))
    assert (graph.backend, graph.error) == ("fake", None)
    assert ("layers.0.norm2", "layers.1.self_attn") in flows(graph)
    assert graph.operators == operators_of(layer, torch.randn(2, 3, 8)).total()

    def forward(self: nn.Module, x: Tensor) -> Tensor:
        return functional.scaled_dot_product_attention(self.q(x), self.k(x), x)

    graph = trace(Functional(forward, q=nn.Linear(4, 4), k=nn.Linear(4, 4)), torch.randn(1, 2, 3, 4))
    assert {
        ("q", 0, "scaled_dot_product_attention()", 0),
        ("k", 0, "scaled_dot_product_attention()", 1),
        ("args[0]", 0, "scaled_dot_product_attention()", 2),
    } <= ports(graph)
