"""Runs of equal blocks: all that are, and nothing that is not."""

from __future__ import annotations

from itertools import pairwise

import pytest
import torch
from torch import Tensor, nn

import pellucid
from pellucid.graph import Edge, Node, trace
from pellucid.graph.folding import repeats


class Residual(nn.Module):
    def __init__(self, width: int, *, skip: bool = True, hidden: int | None = None) -> None:
        super().__init__()
        hidden = hidden or width
        self.inner = nn.Sequential(nn.Linear(width, hidden), nn.ReLU(), nn.Linear(hidden, width))
        self.skip = skip

    def forward(self, values: Tensor) -> Tensor:
        return values + self.inner(values) if self.skip else self.inner(values)


class Scaled(nn.Module):
    """Blocks that all hear from the same place, as rotary embeddings are handed to every block."""

    def __init__(self, count: int) -> None:
        super().__init__()
        self.scale = nn.Linear(4, 4)
        self.blocks = nn.ModuleList(Product() for _ in range(count))

    def forward(self, values: Tensor) -> Tensor:
        scale = self.scale(values)
        for block in self.blocks:
            values = block(values, scale)
        return values


class Product(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.linear = nn.Linear(4, 4)

    def forward(self, values: Tensor, scale: Tensor) -> Tensor:
        return self.linear(values) * scale


class Fed(nn.Module):
    """Equal insides, but the third block hears from the first: connected otherwise."""

    def __init__(self) -> None:
        super().__init__()
        self.blocks = nn.ModuleList(Product() for _ in range(3))

    def forward(self, values: Tensor) -> Tensor:
        first = self.blocks[0](values, values)
        second = self.blocks[1](first, first)
        return self.blocks[2](second, first)


def runs(model: nn.Module, width: int = 4) -> list[list[str]]:
    graph = pellucid.graph(model, torch.zeros(1, width))
    return [[graph.nodes[id_].name for id_ in run] for run in repeats(graph.nodes, graph.edges)]


def test_equal_blocks_in_a_row_are_one_run() -> None:
    assert runs(nn.Sequential(*(Residual(4) for _ in range(5)))) == [["0", "1", "2", "3", "4"]]


def test_blocks_of_another_shape_width_or_connection_end_a_run() -> None:
    blocks = [Residual(4), Residual(4), Residual(4, hidden=8), Residual(4), Residual(4, skip=False), Residual(4)]
    assert runs(nn.Sequential(*blocks)) == [["0", "1"]]


def test_single_calls_without_an_inside_are_left_as_they_are() -> None:
    assert runs(nn.Sequential(*(nn.Linear(4, 4) for _ in range(4)))) == []


class _Branches(nn.Module):
    def __init__(self, count: int) -> None:
        super().__init__()
        self.branches = nn.ModuleList(nn.Linear(4, 4) for _ in range(count))
        self.again = nn.Linear(4, 4)

    def forward(self, values: Tensor) -> Tensor:
        values = torch.stack([branch(values) for branch in self.branches]).sum(0)
        for _ in range(9):
            values = self.again(values)
        return values


def test_many_equal_branches_without_an_inside_are_one_run_and_calls_of_one_layer_are_not() -> None:
    assert runs(_Branches(3_000)) == [[f"branches.{index}" for index in range(3_000)]]


def test_blocks_that_share_what_they_hear_are_equal() -> None:
    assert runs(Scaled(3)) == [["blocks.0", "blocks.1", "blocks.2"]]


def test_a_block_that_hears_from_elsewhere_is_no_member() -> None:
    assert runs(Fed()) == [["blocks.0", "blocks.1"]]


def test_frozen_parameters_make_a_difference() -> None:
    model = nn.Sequential(*(Residual(4) for _ in range(3)))
    model[2].requires_grad_(False)
    assert runs(model) == [["0", "1"]]


def test_a_module_that_is_called_again_and_again_is_a_run_of_its_calls() -> None:
    class Again(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.block = Residual(4)

        def forward(self, values: Tensor) -> Tensor:
            for _ in range(3):
                values = self.block(values)
            return values

    assert runs(Again()) == [["block", "block#2", "block#3"]]


def test_runs_within_runs_are_told_for_each_member() -> None:
    def stage() -> nn.Module:
        return nn.Sequential(*(Residual(4) for _ in range(2)))

    assert runs(nn.Sequential(stage(), stage(), stage())) == [
        ["0", "1", "2"],
        ["0.0", "0.1"],
        ["1.0", "1.1"],
        ["2.0", "2.1"],
    ]


def test_the_same_place_in_two_members_has_the_same_distance_from_their_ids() -> None:
    graph = pellucid.graph(nn.Sequential(*(Residual(4) for _ in range(3))), torch.zeros(1, 4))
    (run,) = repeats(graph.nodes, graph.edges)
    size = run[1] - run[0]
    assert [later - earlier for earlier, later in pairwise(run)] == [size] * 2
    for offset in range(size):
        assert len({(graph.nodes[first + offset].operation, graph.nodes[first + offset].outputs) for first in run}) == 1


def test_the_record_holds_the_runs() -> None:
    panel = pellucid.graph(nn.Sequential(*(Residual(4) for _ in range(2))), torch.zeros(1, 4)).to_panel()
    assert [[panel.nodes[id_].name for id_ in run] for run in panel.repeats] == [["0", "1"]]


class _Masked(nn.Module):
    def __init__(self, width: int) -> None:
        super().__init__()
        self.norm, self.mix, self.out = nn.LayerNorm(width), nn.Linear(width, width), nn.Linear(width, width)

    def forward(self, x: Tensor, mask: Tensor, turned: tuple[Tensor, Tensor]) -> Tensor:
        hidden = self.mix(self.norm(x)) * turned[0] + turned[1]
        return x + self.out((hidden @ hidden.mT + mask).softmax(-1) @ hidden)


class _Stacked(nn.Module):
    def __init__(self, depth: int, width: int = 8) -> None:
        super().__init__()
        self.turn, self.layers = nn.Linear(width, width), nn.ModuleList(_Masked(width) for _ in range(depth))

    def forward(self, x: Tensor) -> Tensor:
        mask, turned = torch.ones(x.shape[1], x.shape[1]).tril(), (self.turn(x).cos(), self.turn(x).sin())
        for layer in self.layers:
            x = layer(x, mask, turned)
        return x


def test_a_mask_and_a_rotary_embedding_that_feed_every_layer_leave_them_one_run() -> None:
    with torch.device("meta"):
        model = _Stacked(126)
    graph = trace(model, torch.zeros(1, 4, 8))
    assert (graph.error, graph.backend) == (None, "meta")
    [run] = graph.repeats
    assert [graph.nodes[id_].name for id_ in run] == [f"layers.{index}" for index in range(126)]
    assert graph.repeats is graph.repeats, "found once"
    assert graph.loops == ()


def test_a_graph_of_46_000_nodes_is_one_run_too() -> None:
    nodes, edges = [Node(0, "x", "x", "input", "input", None, 1, (), ((1,),))], []
    for block in range(4_600):
        top = len(nodes)
        nodes.append(Node(top, f"{block}", f"{block}", "Block", "module", None, 1, ((1,),), ((1,),)))
        for part in range(9):
            id_ = len(nodes)
            what = ("Linear", "ReLU")[part % 2]
            nodes.append(Node(id_, f"{block}.{part}", f"{block}.{part}", what, "module", top, 1, ((1,),), ((1,),)))
            before = id_ - 1 if part else max(0, id_ - 2)
            edges += [Edge(before, id_, 0, 0, (1,)), Edge(0, id_, 0, 1, (1,))]
    [run] = repeats(nodes, edges)
    # The first block reads the input itself twice; every other one reads the block before it and the input.
    assert run == tuple(range(11, len(nodes), 10))


class _Set(nn.Module):
    """Dilation, slope and dropout change no shape."""

    def __init__(self, dilation: int = 1, slope: float = 0.1, drop: float = 0.1, power: int = 2) -> None:
        super().__init__()
        self.conv = nn.Conv1d(4, 4, 3, padding=dilation, dilation=dilation)
        self.activation, self.drop, self.power = nn.LeakyReLU(slope), nn.Dropout(drop), power

    def forward(self, values: Tensor) -> Tensor:
        return values + self.drop(self.activation(self.conv(values))) ** self.power


@pytest.mark.parametrize(
    ("blocks", "folded"),
    [
        ([_Set(), _Set(), _Set(dilation=2), _Set(dilation=2)], [["0", "1"], ["2", "3"]]),
        ([_Set(slope=0.1), _Set(slope=0.3)], []),
        ([_Set(power=2), _Set(power=3)], []),
        ([_Set(drop=0.1), _Set(drop=0.2)], [["0", "1"]]),
    ],
)
def test_blocks_of_other_settings_are_not_equal(blocks: list[nn.Module], folded: list[list[str]]) -> None:
    graph = pellucid.graph(nn.Sequential(*blocks), torch.zeros(1, 4, 8))
    assert [[graph.nodes[id_].name for id_ in run] for run in repeats(graph.nodes, graph.edges)] == folded
