"""Recurrences: layers that run over steps, and loops written by hand."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.utils.rnn import pack_sequence

from pellucid.graph import Graph, trace
from support.written import Functional


@pytest.fixture(autouse=True)
def _seed() -> None:
    torch.manual_seed(0)


def steps(graph: Graph) -> list[tuple[list[list[str]], bool]]:
    return [([[graph.nodes[id_].name for id_ in step] for step in loop.calls], loop.feeds_back) for loop in graph.loops]


def fed_back(graph: Graph) -> set[tuple[str, str]]:
    return {(graph.nodes[edge.source].name, graph.nodes[edge.target].name) for edge in graph.edges if edge.feeds_back}


@pytest.mark.parametrize("layer", [nn.LSTM, nn.GRU, nn.RNN])
def test_recurrent_layers_say_how_many_steps_they_take(layer: type[nn.Module]) -> None:
    assert trace(layer(3, 4), torch.zeros(7, 2, 3)).nodes[1].steps == 7
    assert trace(layer(3, 4, batch_first=True), torch.zeros(2, 5, 3)).nodes[1].steps == 5
    assert trace(layer(3, 4, batch_first=True), input=torch.zeros(6, 3)).nodes[1].steps == 6, "without a batch"
    packed = Functional(
        lambda self, x: self.rnn(pack_sequence([x[0], x[1, :2]], enforce_sorted=False))[0].data, rnn=layer(3, 4)
    )
    graph = trace(packed, torch.zeros(2, 4, 3))
    assert (graph.error, graph.by_name["rnn"].steps) == (None, 4)
    assert trace(nn.Linear(3, 4), torch.zeros(7, 3)).nodes[1].steps is None


def test_a_cell_called_step_by_step_is_a_loop_that_feeds_back() -> None:
    def forward(self: nn.Module, x: Tensor) -> Tensor:
        hidden, memory = torch.zeros(len(x), 4), torch.zeros(len(x), 4)
        for step in range(x.shape[1]):
            hidden, memory = self.cell(x[:, step], (hidden, memory))
        return self.head(hidden)

    graph = trace(Functional(forward, cell=nn.LSTMCell(3, 4), head=nn.Linear(4, 2)), torch.zeros(2, 5, 3))
    assert steps(graph) == [
        ([["getitem()" + mark, "cell" + mark] for mark in ("", "#2", "#3", "#4", "#5")], True)
    ]  # fmt: skip
    assert graph.loops[0].steps == 5
    assert fed_back(graph) == {("cell" + before, "cell" + after) for before, after in zip(
        ("", "#2", "#3", "#4"), ("#2", "#3", "#4", "#5"), strict=True
    )}  # fmt: skip
    carried = [(edge.output, edge.argument) for edge in graph.edges if edge.feeds_back]
    assert sorted(carried) == [(0, 1)] * 4 + [(1, 2)] * 4


def test_a_block_applied_again_and_again_is_a_loop() -> None:
    def forward(self: nn.Module, x: Tensor) -> Tensor:
        hidden = self.first(x)
        for _ in range(3):
            hidden = hidden + self.block(hidden)
        return self.last(hidden)

    block = nn.Sequential(nn.Linear(4, 4), nn.ReLU())
    graph = trace(Functional(forward, first=nn.Linear(3, 4), block=block, last=nn.Linear(4, 1)), torch.zeros(1, 3))
    assert steps(graph) == [([["block", "add()"], ["block#2", "add()#2"], ["block#3", "add()#3"]], True)]
    assert ("add()", "block.0#2") in fed_back(graph), "edges end at what has no children"
    assert ("first", "block.0") not in fed_back(graph)


def test_a_step_begins_where_the_loop_is_written() -> None:
    def forward(self: nn.Module, x: Tensor) -> Tensor:
        hidden = self.linear(x) + 1
        for _ in range(3):
            hidden = self.cell(x, hidden)
            hidden = hidden + 1
        return hidden

    graph = trace(Functional(forward, linear=nn.Linear(3, 4), cell=nn.GRUCell(3, 4)), torch.zeros(1, 3))
    assert steps(graph)[0][0][0] == ["cell", "add()#2"], "the sum before the loop is none of its calls"
    assert graph.loops[0].steps == 3


def test_a_recurrence_of_functions_on_the_same_weights_is_a_loop() -> None:
    def forward(self: nn.Module, x: Tensor) -> Tensor:
        hidden = torch.zeros(1, 3)
        for step in range(4):
            hidden = torch.tanh(
                functional.linear(x[step], self.one.weight) + functional.linear(hidden, self.two.weight)
            )
        return hidden

    graph = trace(Functional(forward, one=nn.Linear(3, 3), two=nn.Linear(3, 3)), torch.zeros(4, 1, 3))
    [(calls, feeds)] = steps(graph)
    assert (len(calls), calls[0], feeds) == (4, ["getitem()", "linear()", "linear()#2", "add()", "tanh()"], True)


def test_a_decoder_that_reads_its_own_words() -> None:
    def forward(self: nn.Module, start: Tensor) -> Tensor:
        words = start
        for _ in range(3):
            scores = self.head(self.words(words).mean(1))
            words = torch.cat([words, scores.argmax(-1, keepdim=True)], 1)
        return words

    graph = trace(
        Functional(forward, words=nn.Embedding(9, 4), head=nn.Linear(4, 9)), torch.zeros(1, 1, dtype=torch.long)
    )
    assert graph.error is None
    [(calls, feeds)] = steps(graph)
    assert (calls[0], len(calls), feeds) == (["words", "mean()", "head", "argmax()", "cat()"], 3, True)
    assert graph.by_name["words#3"].inputs == ((1, 3),), "a step need not have the shapes of the one before"


def test_shared_branches_are_repeated_and_feed_nothing_back() -> None:
    twin = Functional(lambda self, a, b: self.net(a) - self.net(b), net=nn.Sequential(nn.Linear(3, 2), nn.Tanh()))
    graph = trace(twin, torch.zeros(1, 3), torch.zeros(1, 3))
    assert steps(graph) == [([["net"], ["net#2"]], False)]
    assert fed_back(graph) == set()


@pytest.mark.parametrize("forward", [
    lambda self, x: self.relu(self.b(self.relu(self.a(x)))),
    lambda self, x: self.relu(self.relu(x)),
    lambda self, x: x + x + x + self.a(x) + self.b(x),
    lambda self, x: self.a(self.relu(self.b(self.a(x)))),
    lambda self, x: functional.linear(functional.linear(x, self.a.weight), self.b.weight),
])  # fmt: skip
def test_calls_that_are_no_loop(forward: Callable[[nn.Module, Tensor], Tensor]) -> None:
    graph = trace(Functional(forward, a=nn.Linear(3, 3), b=nn.Linear(3, 3), relu=nn.ReLU()), torch.zeros(1, 3))
    assert graph.error is None
    assert graph.loops == ()
    assert fed_back(graph) == set()


def test_loops_stand_in_the_panel() -> None:
    def forward(self: nn.Module, x: Tensor) -> Tensor:
        for _ in range(2):
            x = self.block(x)
        return x

    panel = trace(Functional(forward, block=nn.Linear(3, 3)), torch.zeros(1, 3)).to_panel()
    assert [(loop.calls, loop.feeds_back) for loop in panel.loops] == [([[1], [2]], True)]
    assert [(edge.source, edge.target, edge.feeds_back) for edge in panel.edges] == [
        (0, 1, False), (1, 2, True), (2, 3, False),
    ]  # fmt: skip
