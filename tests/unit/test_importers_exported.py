"""Graphs from programs of torch.export, against the program's own graph and against a trace of the same network."""

from __future__ import annotations

import math
import operator
import pickle
import warnings
import zipfile
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from pellucid.errors import ModelError, TrustError
from pellucid.graph import Graph, trace
from pellucid.graph.importers import read_graph
from pellucid.graph.importers.exported import graph_of_program


class Block(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(4, 4, 3, padding=1)
        self.norm = nn.BatchNorm2d(4)

    def forward(self, x: Tensor) -> Tensor:
        return x + torch.relu_(self.norm(self.conv(x)))


class Net(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.blocks = nn.Sequential(Block(), Block(), Block())
        self.pool = nn.MaxPool2d(2)
        self.head = nn.Linear(64, 64)
        self.tied = nn.Linear(64, 64, bias=False)
        self.tied.weight = self.head.weight

    def forward(self, x: Tensor) -> Tensor:
        return self.tied(self.head(self.pool(self.blocks(x)).flatten(1)))


class Recurrent(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.lstm = nn.LSTM(3, 5, batch_first=True)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        y, (hidden, _) = self.lstm(x)
        return y, hidden


class Chooses(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return torch.cond(x.sum() > 0, lambda x: x.relu(), lambda x: x.sin() + 1, (x,))


def exported(net: nn.Module, *inputs: Tensor, open_batch: bool = False) -> torch.export.ExportedProgram:
    shapes = tuple({0: torch.export.Dim("batch")} for _ in inputs) if open_batch else None
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="The tensor attributes")  # of nn.LSTM's own flat weights
        return torch.export.export(net.eval(), inputs, dynamic_shapes=shapes)


def calls(program: torch.export.ExportedProgram) -> int:
    """Operators that a program calls, in inner graphs too; picking one of several outputs is no operator."""
    return sum(
        node.op == "call_function" and node.target is not operator.getitem
        for module in program.graph_module.modules()
        if isinstance(module, torch.fx.GraphModule)
        for node in module.graph.nodes
    )


def check_sound(graph: Graph) -> None:
    holders = {node.parent for node in graph.nodes}
    for edge in graph.edges:
        assert edge.source not in holders
        assert edge.target not in holders
        assert edge.source < edge.target
        assert edge.argument < len(graph.nodes[edge.target].inputs)
        assert edge.output < len(graph.nodes[edge.source].outputs)
    graph.to_panel()


@pytest.mark.parametrize(
    ("net", "inputs"),
    [(Net(), torch.zeros(2, 4, 8, 8)), (Recurrent(), torch.zeros(2, 7, 3)), (Chooses(), torch.zeros(2, 3))],
)
def test_every_operator_of_the_program_is_there_once(net: nn.Module, inputs: Tensor) -> None:
    program = exported(net, inputs)
    graph = graph_of_program(program)
    check_sound(graph)
    holders = {node.parent for node in graph.nodes}
    leaves = [node for node in graph.nodes if node.id not in holders and node.kind not in ("input", "output")]
    assert graph.operators == len(leaves) == calls(program)
    assert graph.parameters == sum(one.numel() for one in net.parameters())
    assert graph.backend == "file"


def test_it_agrees_with_a_trace() -> None:
    net, inputs = Net().eval(), torch.zeros(2, 4, 8, 8)
    graph, traced = graph_of_program(exported(net, inputs)), trace(net, inputs)
    assert graph.flops == traced.flops
    assert graph.batch == traced.batch == 2
    for name in ("blocks", "blocks.0", "blocks.1.conv", "blocks.2.norm", "pool", "head"):
        mine, theirs = graph.by_name[name], traced.by_name[name]
        assert (mine.operation, mine.outputs, mine.output_dtypes, mine.parameters, mine.flops) == (
            theirs.operation, theirs.outputs, theirs.output_dtypes, theirs.parameters, theirs.flops,
        )  # fmt: skip
        assert mine.role == theirs.role
    relu = graph.by_name["blocks.0.relu()"]
    assert relu.activation == "relu"
    assert relu.source is not None
    assert relu.source.startswith("test_importers_exported.py:")
    assert {edge.activation for edge in graph.edges if edge.source == relu.id} == {"relu"}
    assert graph.by_name["pool"].pool == traced.by_name["pool"].pool
    assert graph.by_name["blocks.0.conv"].arguments["padding"] == "[1, 1]"
    assert [len(run) for run in graph.to_panel().repeats] == [3]


def test_sizes_that_are_open_are_minus_one_and_flops_those_of_one_example() -> None:
    net = Net().eval()
    graph = graph_of_program(exported(net, torch.zeros(2, 4, 8, 8), open_batch=True))
    assert graph.by_name["head"].outputs == ((-1, 64),)
    assert graph.flops == trace(net, torch.zeros(1, 4, 8, 8)).flops
    assert graph.by_name["head"].memory == 64 * 4
    assert graph.batch == 1


def test_outputs_are_told_apart_and_recurrent_layers_say_their_steps() -> None:
    graph = graph_of_program(exported(Recurrent(), torch.zeros(2, 7, 3)))
    lstm = next(node for node in graph.nodes if node.operation == "lstm")
    assert lstm.steps == 7
    end = graph.nodes[-1]
    assert [(edge.source, edge.output) for edge in graph.edges if edge.target == end.id] == [(lstm.id, 0), (lstm.id, 1)]


def test_branches_are_nested_and_read_what_they_are_called_with() -> None:
    graph = graph_of_program(exported(Chooses(), torch.zeros(2, 3)))
    relu = next(node for node in graph.nodes if node.operation == "relu")
    assert graph.nodes[relu.parent or 0].operation == "true_graph_0"
    assert [graph.nodes[edge.source].kind for edge in graph.edges if edge.target == relu.id] == ["input"]


def test_a_saved_program_needs_trust(tmp_path: Path) -> None:
    program = exported(Net(), torch.zeros(2, 4, 8, 8))
    path = tmp_path / "net.pt2"
    torch.export.save(program, path)
    with pytest.raises(TrustError, match=r"unpickles.*--trust"):
        read_graph(path)
    graph, direct = read_graph(path, trust=True), graph_of_program(program)
    assert (graph.operators, graph.parameters, graph.flops) == (direct.operators, direct.parameters, direct.flops)
    assert [node.name for node in graph.nodes] == [node.name for node in direct.nodes]


def test_nothing_is_unpickled_without_trust(tmp_path: Path) -> None:
    class Harm:
        def __reduce__(self) -> tuple[object, tuple[str]]:
            return Path.touch, (tmp_path / "harmed",)  # type: ignore[return-value]

    path = tmp_path / "net.pt2"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("net/archive_format", "pt2")
        archive.writestr("net/models/model.json", "{}")
        archive.writestr("net/data/sample_inputs/model.pt", pickle.dumps(Harm()))
    with pytest.raises(TrustError):
        read_graph(path)
    assert not (tmp_path / "harmed").exists()
    with pytest.raises(ModelError, match="cannot be opened as a program"):
        read_graph(path, trust=True)


@pytest.mark.parametrize("suffix", [".pt", ".pth", ".pt2", ".bin"])
def test_weights_and_modules_name_no_graph(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"net{suffix}"
    torch.save(Net().state_dict(), path)
    with pytest.raises(ModelError, match=r"written by torch.save.*file\.py:function --weights"):
        read_graph(path, trust=True)


def test_a_damaged_program_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "net.pt2"
    torch.export.save(exported(Recurrent(), torch.zeros(2, 7, 3)), path)
    whole = path.read_bytes()
    for share in (0.2, 0.6, 0.95):
        path.write_bytes(whole[: math.floor(len(whole) * share)])
        with pytest.raises(ModelError):
            read_graph(path, trust=True)
