"""Edges: who made what a call reads."""

from __future__ import annotations

import threading
from collections import UserDict
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import NamedTuple

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from pellucid.graph import trace
from support.written import Functional, dead_ends, flows, ports


@pytest.fixture(autouse=True)
def _seed() -> None:
    torch.manual_seed(0)


# --- data flow ------------------------------------------------------------------------------------------------


def test_functions_called_by_modules_are_named_after_them() -> None:
    class Block(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.conv = nn.Conv2d(3, 3, 1)

        def forward(self, x: Tensor) -> Tensor:
            return functional.max_pool2d(torch.relu_(self.conv(functional.relu(x))), 2)

    graph = trace(nn.Sequential(Block(), nn.ReLU(inplace=True)), torch.randn(1, 3, 4, 4))
    assert [layer.name for layer in graph.layers] == ["0.relu()", "0.relu()#2", "0.max_pool2d()", "1"]
    assert graph.layer("0.relu()#2").activation == "relu"
    assert flows(graph) == {
        ("input", "0.relu()"),
        ("0.relu()", "0.conv"),
        ("0.conv", "0.relu()#2"),
        ("0.relu()#2", "0.max_pool2d()"),
        ("0.max_pool2d()", "1"),
        ("1", "output"),
    }
    node = graph.by_name["0.relu()"]
    assert graph.nodes[node.parent or 0].name == "0"
    assert node.source is not None
    assert node.source.startswith("test_graph_flow.py:")


def test_writing_through_a_view_flows_to_whoever_reads_the_whole() -> None:
    def forward(self: nn.Module, x: Tensor) -> Tensor:
        whole = self.first(x)
        part = whole[:, :2]
        part.mul_(2)
        whole[:, 2:] = self.second(x)
        return self.third(whole)

    graph = trace(
        Functional(forward, first=nn.Linear(3, 4), second=nn.Linear(3, 2), third=nn.Linear(4, 1)), torch.randn(1, 3)
    )
    assert {("first", "getitem()"), ("getitem()", "mul()"), ("mul()", "setitem()"), ("second", "setitem()")} <= flows(
        graph
    )
    assert {source for source, target in flows(graph) if target == "third"} == {"setitem()"}


def test_a_skip_around_modules_that_return_their_own_input_is_kept() -> None:
    class Nothing(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return x

    def forward(self: nn.Module, x: Tensor) -> Tensor:
        start = self.start(x)
        return self.nothing(self.dropout(start)) + start

    graph = trace(
        Functional(forward, start=nn.Linear(3, 3), dropout=nn.Dropout(), nothing=Nothing()), torch.randn(2, 3)
    )
    assert flows(graph) == {
        ("args[0]", "start"),
        ("start", "dropout"),
        ("dropout", "nothing"),
        ("nothing", "add()"),
        ("start", "add()"),
        ("add()", "output"),
    }


def test_memory_that_is_used_again_makes_no_edges() -> None:
    def forward(self: nn.Module, x: Tensor) -> Tensor:
        total = torch.zeros(len(x), 3)
        for _ in range(20):  # each intermediate dies at once and its id and memory come back
            total = total + self.linear(x)
        return total

    graph = trace(Functional(forward, linear=nn.Linear(3, 3)), torch.randn(2, 3))
    for edge in graph.edges:
        if graph.nodes[edge.target].path == "linear":
            assert graph.nodes[edge.source].kind == "input"
    assert sum(node.path == "linear" for node in graph.nodes) == 20
    assert len(graph.edges) == 20 + 40 + 1


def test_shared_modules_have_one_name_and_numbered_calls() -> None:
    shared = nn.Linear(4, 4)
    model = nn.Sequential()
    model.add_module("first", shared)
    model.add_module("act", nn.Tanh())
    model.add_module("second", shared)
    graph = trace(model, torch.randn(1, 4))
    assert [node.name for node in graph.nodes if node.kind == "module"] == ["first", "act", "first#2"]
    assert [layer.name for layer in graph.layers] == ["act", "first#2"]
    assert graph.parameters == 20, "counted once"
    assert graph.unused == ()


def test_dataclasses_and_numpy_in_the_middle_of_the_way() -> None:
    @dataclass
    class Pair:
        left: Tensor
        right: Tensor

    class Maker(nn.Module):
        def forward(self, x: Tensor) -> Pair:
            return Pair(x + 1, x * 2)

    class Outside(nn.Module):
        def forward(self, pair: Pair) -> Tensor:
            return torch.from_numpy(pair.left.numpy() + pair.right.numpy())

    graph = trace(nn.Sequential(Maker(), Outside()), torch.randn(1, 3))
    assert flows(graph) == {
        ("input", "0.add()"),
        ("input", "0.mul()"),
        ("0.add()", "1"),
        ("0.mul()", "1"),
        ("1", "output"),
    }


# --- what goes in and comes out ------------------------------------------------------------------------------


class Answer(NamedTuple):
    logits: Tensor
    hidden: Tensor


@dataclass
class Masked:
    values: Tensor
    mask: Tensor


def test_outputs_and_arguments_have_their_true_numbers() -> None:
    def forward(self: nn.Module, x: Tensor) -> Tensor:
        low, high = self.linear(x).chunk(2, dim=-1)
        return torch.addcmul(high, low, x[:, :2], value=0.5)

    graph = trace(Functional(forward, linear=nn.Linear(3, 4)), torch.randn(2, 3))
    assert ports(graph) == {
        ("args[0]", 0, "linear", 0),
        ("linear", 0, "chunk()", 0),
        ("args[0]", 0, "getitem()", 0),
        ("chunk()", 1, "addcmul()", 0),
        ("chunk()", 0, "addcmul()", 1),
        ("getitem()", 0, "addcmul()", 2),
        ("addcmul()", 0, "output", 0),
    }


def test_named_tuples_dicts_dataclasses_and_mappings_are_looked_into() -> None:
    class Splits(nn.Module):
        def forward(self, batch: UserDict[str, Tensor], pair: Masked) -> Answer:
            return Answer(batch["x"] * pair.mask, pair.values + 1)

    class Reads(nn.Module):
        def forward(self, answer: Answer) -> dict[str, tuple[Tensor, Masked]]:
            return {"out": (answer.hidden.relu(), Masked(answer.logits.neg(), answer.hidden))}

    class Whole(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.splits, self.reads = Splits(), Reads()

        def forward(self, batch: UserDict[str, Tensor], pair: Masked) -> dict[str, tuple[Tensor, Masked]]:
            return self.reads(self.splits(batch, pair))

    one = torch.ones(1, 2)
    graph = trace(Whole(), UserDict(x=one), pair=Masked(one, one))
    assert [node.name for node in graph.nodes if node.kind == "input"] == ["batch.x", "pair.values", "pair.mask"]
    assert graph.by_name["splits"].outputs == ((1, 2), (1, 2))
    assert ports(graph) == {
        ("batch.x", 0, "splits.mul()", 0),
        ("pair.mask", 0, "splits.mul()", 1),
        ("pair.values", 0, "splits.add()", 0),
        ("splits.add()", 0, "reads.relu()", 0),
        ("splits.mul()", 0, "reads.neg()", 0),
        ("reads.relu()", 0, "output", 0),
        ("reads.neg()", 0, "output", 1),
        ("splits.add()", 0, "output", 2),
    }


def test_outputs_of_transformers_are_looked_into_and_read_by_name_or_place() -> None:
    generic = pytest.importorskip("transformers.modeling_outputs")

    class Encoder(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.linear = nn.Linear(2, 2)

        def forward(self, x: Tensor) -> object:
            hidden = self.linear(x)
            return generic.BaseModelOutput(last_hidden_state=hidden.relu(), hidden_states=(x, hidden))

    class Whole(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.encoder, self.nothing = Encoder(), nn.Identity()

        def forward(self, x: Tensor) -> Tensor:
            answer = self.nothing(self.encoder(x))
            return answer.last_hidden_state + answer["hidden_states"][1] + answer[0]

    graph = trace(Whole(), torch.ones(1, 2))
    # The identity returns what it was given: it has a name of its own for each tensor, so that a skip around it is seen.
    assert graph.by_name["encoder"].outputs == ((1, 2), (1, 2), (1, 2))
    assert ports(graph) == {
        ("x", 0, "encoder.linear", 0), ("encoder.linear", 0, "encoder.relu()", 0), ("encoder.relu()", 0, "nothing", 0),
        ("x", 0, "nothing", 1), ("encoder.linear", 0, "nothing", 2), ("nothing", 0, "add()", 0), ("nothing", 2, "add()", 1),
        ("add()", 0, "add()#2", 0), ("nothing", 0, "add()#2", 1), ("add()#2", 0, "output", 0),
    }  # fmt: skip


def test_a_model_that_returns_its_input() -> None:
    graph = trace(Functional(lambda self, x: (x, self.linear(x)), linear=nn.Linear(2, 2)), torch.ones(1, 2))
    assert ports(graph) == {("args[0]", 0, "linear", 0), ("args[0]", 0, "output", 0), ("linear", 0, "output", 1)}


def test_a_subclass_of_tensor_keeps_its_way() -> None:
    class Named(Tensor):
        pass

    def forward(self: nn.Module, x: Tensor) -> Tensor:
        return self.linear(x.as_subclass(Named)).as_subclass(Tensor)

    graph = trace(Functional(forward, linear=nn.Linear(3, 3)), torch.ones(1, 3))
    assert flows(graph) == {("args[0]", "linear"), ("linear", "output")}


def test_functions_vectorised_by_torch_func_are_on_the_way() -> None:
    def forward(self: nn.Module, x: Tensor) -> Tensor:
        return torch.func.vmap(lambda row: row.relu() * 2)(self.linear(x))

    graph = trace(Functional(forward, linear=nn.Linear(3, 3)), torch.ones(2, 3))
    assert {("linear", "relu()"), ("relu()", "mul()")} <= flows(graph)
    assert dead_ends(graph) == set()
    # A call looks like one example's, and counts for all of them.
    relu = next(node for node in graph.nodes if node.name == "relu()")
    assert (relu.outputs, relu.memory) == (((3,),), 2 * 3 * 4)


def test_branches_in_other_threads_are_not_lost() -> None:
    def forward(self: nn.Module, x: Tensor) -> Tensor:
        with ThreadPoolExecutor(2) as pool:
            left, right = pool.map(lambda part: part(x), (self.left, self.right))
        return left + right

    graph = trace(Functional(forward, left=nn.Linear(3, 3), right=nn.Linear(3, 3)), torch.ones(1, 3))
    assert graph.error is None
    assert flows(graph) == {("args[0]", "add()"), ("add()", "output")}


def test_what_another_thread_calls_is_told_and_neither_uncalled_nor_unused(capsys: pytest.CaptureFixture[str]) -> None:
    def forward(self: nn.Module, x: Tensor) -> Tensor:
        made: list[Tensor] = []
        before = self.before(x)
        thread = threading.Thread(target=lambda: made.append(self.apart(before)))
        thread.start()
        thread.join()
        return self.after(made[0])

    parts = {name: nn.Linear(3, 3) for name in ("before", "apart", "after", "never")}
    graph = trace(Functional(forward, **parts), torch.ones(1, 3))
    assert (graph.backend, graph.error, graph.uncalled) == ("real", None, ("never",))
    assert graph.unused == ("never.weight", "never.bias")
    assert graph.backend_reason == (
        "What another thread calls needs values. Another thread called apart, out of the trace's sight: what ran there is "
        "not in the graph, nor in its operators and FLOPs."
    )
    assert "apart" not in graph.by_name
    assert capsys.readouterr().err == ""


def test_what_left_torch_is_told() -> None:
    def forward(self: nn.Module, x: Tensor) -> Tensor:
        return self.after(torch.from_numpy(self.before(x).numpy() * 2))

    graph = trace(Functional(forward, before=nn.Linear(3, 3), after=nn.Linear(3, 3)), torch.ones(1, 3))
    assert flows(graph) == {("args[0]", "before"), ("after", "output")}
    assert "Values left torch in numpy() at test_graph_flow.py:" in graph.backend_reason


@pytest.mark.parametrize(
    ("change", "name"),
    [
        (lambda y: y.relu_(), "relu"),
        (lambda y: y.view(-1).relu_(), "relu"),
        (lambda y: y[:, :1].relu_(), None),
        (lambda y: y.chunk(2, 1)[0].relu_(), None),
    ],
)
def test_an_activation_is_named_on_what_it_was_applied_to_whole(
    change: Callable[[Tensor], Tensor], name: str | None
) -> None:
    def forward(self: nn.Module, x: Tensor) -> Tensor:
        y = self.before(x)
        change(y)
        return self.after(y)

    graph = trace(Functional(forward, before=nn.Linear(4, 4), after=nn.Linear(4, 4)), torch.ones(2, 4))
    after = graph.by_name["after"].id
    (edge,) = [edge for edge in graph.edges if edge.target == after]
    assert (graph.nodes[edge.source].name, edge.activation) == ("relu()", name)
