"""A forward that fails, and inputs that do not fit."""

from __future__ import annotations

import sys
from collections.abc import Iterator

import pytest
import torch
import torchvision
from torch import Tensor, nn

from pellucid.graph import trace
from support.written import Functional, flows


@pytest.fixture(autouse=True)
def _seed() -> None:
    torch.manual_seed(0)


def test_a_forward_that_raises_leaves_the_graph_until_there() -> None:
    model = nn.Sequential(nn.Linear(3, 4), nn.ReLU(), nn.Sequential(nn.Linear(5, 2)), nn.ReLU())
    model.train()
    graph = trace(model, torch.randn(2, 3))
    assert graph.error is not None
    assert "2.0" in graph.error
    assert "RuntimeError" in graph.error
    assert [layer.name for layer in graph.layers] == ["1"]
    assert model[0].training


# --- the partial graph ----------------------------------------------------------------------------------------


def test_the_innermost_call_that_was_running_has_the_error() -> None:
    def forward(self: nn.Module, x: Tensor) -> Tensor:
        return self.last(torch.cat([self.first(x), torch.zeros(3, 3)], 1))

    block = Functional(forward, first=nn.Linear(3, 4), last=nn.Linear(4, 4))
    graph = trace(nn.Sequential(nn.ReLU(), block), torch.randn(2, 3))
    failed = graph.nodes[-1]
    assert (failed.name, failed.operation, failed.kind, failed.outputs) == ("1.cat()", "cat", "function", ())
    assert failed.inputs == ((2, 4), (3, 3))
    assert failed.error is not None
    assert failed.error.startswith("RuntimeError: ")
    assert graph.error is not None
    assert failed.error in graph.error
    assert "(in 1.cat())" in graph.error
    assert [node.name for node in graph.nodes if node.error is not None] == ["1.cat()"]
    into = [(graph.nodes[edge.source].name, edge.argument) for edge in graph.edges if edge.target == failed.id]
    assert into == [("1.first", 0), ("1.zeros()", 1)], "the signal leads to where it ends"
    assert graph.nodes[failed.parent or 0].name == "1"
    assert graph.backend == "real", "an error is only believed with values"
    panel = graph.to_panel()
    assert (panel.error, panel.nodes[-1].error) == (graph.error, failed.error)


def test_a_module_that_raises_by_itself_has_the_error() -> None:
    class Refuses(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            raise ValueError("no " + "more " * 1000)

    graph = trace(nn.Sequential(nn.Linear(3, 3), Refuses()), torch.randn(2, 3))
    assert [(node.name, (node.error or "")[:14], len(node.error or "") <= 500) for node in graph.nodes] == [
        ("input", "", True), ("0", "", True), ("1", "ValueError: no", True),
    ]  # fmt: skip


def test_an_error_that_the_model_catches_is_no_error_and_its_call_none() -> None:
    def forward(self: nn.Module, x: Tensor) -> Tensor:
        try:
            x = torch.add(x, torch.zeros(5))
        except RuntimeError:
            x = torch.add(x, torch.zeros(3))
        return self.linear(x)

    graph = trace(Functional(forward, linear=nn.Linear(3, 3)), torch.randn(2, 3))
    assert graph.error is None
    assert flows(graph) == {
        ("args[0]", "add()"), ("zeros()#2", "add()"), ("add()", "linear"), ("linear", "output"),
    }  # fmt: skip
    assert all(node.error is None for node in graph.nodes)
    assert [node.name for node in graph.nodes].count("add()") == 1


@pytest.mark.parametrize(
    ("model", "inputs", "expected"),
    [
        (torchvision.models.vgg11(), torch.zeros(1, 1, 32, 32), "features.0 (Conv2d) takes (batch, 3, height, width)"),
        (torchvision.models.resnet18(), torch.zeros(2), "conv1 (Conv2d) takes (batch, 3, height, width)"),
        (nn.Sequential(nn.Flatten(), nn.Linear(12, 3)), torch.zeros(1, 3, 5), "1 (Linear) takes (..., 12)"),
        (nn.Sequential(nn.Embedding(7, 3)), torch.zeros(1, 3), "0 (Embedding) takes whole numbers from 0 to 6"),
        (nn.Sequential(nn.GRU(5, 3, batch_first=True)), torch.zeros(1, 2, 4), "0 (GRU) takes (batch, steps, 5)"),
        (nn.Sequential(nn.Conv1d(2, 3, 1)), torch.zeros(1, 3, 4), "0 (Conv1d) takes (batch, 2, length)"),
        (nn.Sequential(nn.BatchNorm2d(4)), torch.zeros(1, 3, 4, 4), "0 (BatchNorm2d) takes (batch, 4, height, width)"),
        (nn.Sequential(nn.LayerNorm((2, 3))), torch.zeros(1, 4), "0 (LayerNorm) takes (..., 2, 3)"),
    ],
)
def test_an_input_that_does_not_fit_is_told_what_the_first_layers_take(
    model: nn.Module, inputs: Tensor, expected: str
) -> None:
    graph = trace(model, inputs)
    assert graph.error is not None
    assert expected in graph.error


def test_a_layer_deep_inside_and_the_first_one_are_both_told() -> None:
    model = nn.Sequential(nn.Conv2d(3, 2, 3), nn.ReLU(), nn.Flatten(), nn.Linear(72, 4))
    graph = trace(model, torch.zeros(1, 3, 10, 10))
    assert (graph.error or "").endswith("3 (Linear) takes (..., 72); 0 (Conv2d) takes (batch, 3, height, width)")


def test_a_call_with_other_arguments_than_forward_takes() -> None:
    graph = trace(nn.Sequential(nn.Linear(3, 2)), torch.zeros(1, 3), torch.zeros(1))
    assert "TypeError" in (graph.error or "")
    assert [node.kind for node in graph.nodes] == ["input", "input"]
    assert "0 (Linear) takes (..., 3)" in (graph.error or "")


def test_a_layer_that_fails_and_is_called_again_is_no_step_of_a_loop() -> None:
    def forward(self: nn.Module, x: Tensor) -> Tensor:
        try:
            y = self.layer(x[:, :2])
        except RuntimeError:
            y = self.layer(x)
        return self.head(y)

    graph = trace(Functional(forward, layer=nn.Linear(4, 4), head=nn.Linear(4, 2)), torch.ones(1, 4))
    failed, again = graph.by_name["layer"], graph.by_name["layer#2"]
    assert graph.error is None
    assert (failed.error or "").startswith("RuntimeError: ")
    assert again.error is None
    assert flows(graph) == {
        ("args[0]", "getitem()"), ("getitem()", "layer"), ("args[0]", "layer#2"), ("layer#2", "head"), ("head", "output")
    }  # fmt: skip
    assert graph.loops == ()


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (FileNotFoundError("no such file: words.txt"), "FileNotFoundError: no such file: words.txt"),
        (KeyError("mask"), "KeyError: 'mask'"),
        (ValueError(), "ValueError"),
        (RuntimeError("the service is down"), "RuntimeError: the service is down"),
        (ValueError("expected 3 channels"), "ValueError: expected 3 channels. linear (Linear) takes (..., 3)"),
    ],
)
def test_what_layers_take_is_told_of_errors_about_inputs_alone(error: Exception, told: str) -> None:
    def forward(self: nn.Module, x: Tensor) -> Tensor:
        self.linear(x)
        raise error

    assert trace(Functional(forward, linear=nn.Linear(3, 3)), torch.randn(2, 3)).error == told


def test_a_layer_that_raised_and_was_caught_was_used() -> None:
    def forward(self: nn.Module, x: Tensor) -> Tensor:
        try:
            return self.first(x)
        except RuntimeError:
            return self.second(x)

    graph = trace(Functional(forward, first=nn.Linear(5, 3), second=nn.Linear(3, 3)), torch.randn(2, 3))
    assert (graph.error, graph.unused, graph.uncalled) == (None, (), ())


def test_a_forward_that_only_gives_what_is_to_be_run_is_told() -> None:
    def generator(self: nn.Module, x: Tensor) -> Iterator[Tensor]:
        yield self.linear(x)

    async def coroutine(self: nn.Module, x: Tensor) -> Tensor:
        return self.linear(x)

    for forward, kind in ((generator, "a generator"), (coroutine, "a coroutine (async)")):
        graph = trace(Functional(forward, linear=nn.Linear(3, 3)), torch.randn(2, 3))
        assert (graph.error or "").startswith(f"ModelError: The forward is {kind}")


def test_modules_in_one_another_may_lie_as_deep_as_they_run() -> None:
    model: nn.Module = nn.Linear(3, 3)
    for _ in range(200):
        model = nn.Sequential(model)
    limit = sys.getrecursionlimit()
    graph = trace(model, torch.randn(2, 3))
    assert (graph.error, len(graph.nodes), sys.getrecursionlimit()) == (None, 202, limit)
