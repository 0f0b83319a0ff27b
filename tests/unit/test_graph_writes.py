"""Edges through what is written in place: views, halves, rows, `data` and `out`."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from pellucid.graph import trace
from pellucid.graph.regions import Region
from support.written import Functional, dead_ends, flows, ports


@pytest.mark.parametrize("backend", ["fake", "meta", "real"])
def test_a_write_to_a_view_is_seen_by_the_base_and_by_what_shares_elements_with_it(backend: str) -> None:
    def forward(self: nn.Module, x: Tensor) -> Tensor:
        made = torch.zeros(len(x), 4)  # on the CPU, also where the model is not
        left, right = made[:, :2], made[:, 2:]
        left.copy_(self.first(x))
        right.add_(self.second(x))
        if backend == "real":
            made.sum().item()
        return self.third(made) + left.sum(1, keepdim=True) * right.mean()

    with torch.device("meta" if backend == "meta" else "cpu"):
        parts = {"first": nn.Linear(3, 2), "second": nn.Linear(3, 2), "third": nn.Linear(4, 1)}
    graph = trace(Functional(forward, **parts), torch.ones(1, 3))
    assert (graph.error, graph.backend) == (None, backend)
    assert {
        ("first", "copy()"),
        ("second", "add()"),
        ("add()", "third"),
        ("copy()", "sum()#2" if backend == "real" else "sum()"),
        ("add()", "mean()"),
    } <= flows(graph)
    assert {source for source, target in flows(graph) if target == "third"} == {"copy()", "add()"}
    assert {source for source, target in flows(graph) if target == "add()"} == {"getitem()#2", "second"}


def test_halves_that_are_written_to_in_turn_are_told_apart() -> None:
    def forward(self: nn.Module, x: Tensor) -> tuple[Tensor, Tensor]:
        whole = self.first(x)
        left, right = whole.chunk(2, 1)
        left += self.second(right)
        right += self.third(left)
        return torch.cat([left, right], 1), whole

    parts = {"first": nn.Linear(4, 4), "second": nn.Linear(2, 2), "third": nn.Linear(2, 2)}
    graph = trace(Functional(forward, **parts), torch.ones(3, 4))
    assert ports(graph) == {
        ("args[0]", 0, "first", 0),
        ("first", 0, "chunk()", 0),
        ("chunk()", 1, "second", 0),
        ("chunk()", 0, "add()", 0),
        ("second", 0, "add()", 1),
        ("add()", 0, "third", 0),
        ("chunk()", 1, "add()#2", 0),
        ("third", 0, "add()#2", 1),
        ("add()", 0, "cat()", 0),
        ("add()#2", 0, "cat()", 1),
        ("cat()", 0, "output", 0),
        ("add()", 0, "output", 1),
        ("add()#2", 0, "output", 1),
    }


def test_a_row_that_is_filled_in_a_loop_hears_of_those_before_it_and_the_whole_of_the_last() -> None:
    def forward(self: nn.Module, x: Tensor) -> Tensor:
        rows = torch.zeros(3, 4)
        for row in range(3):
            rows[row].copy_(self.step(x)[0])
        return rows.sum()

    graph = trace(Functional(forward, step=nn.Linear(4, 4)), torch.ones(1, 4))
    assert {source for source, target in flows(graph) if target == "sum()"} == {"copy()#3"}
    assert {source for source, target in flows(graph) if target == "getitem()#3"} == {"copy()"}


def test_values_written_through_data_and_out_arguments() -> None:
    def forward(self: nn.Module, x: Tensor) -> Tensor:
        hidden = self.first(x)
        hidden.data.mul_(2)
        kept = torch.empty_like(hidden)
        torch.add(hidden, 1, out=kept)
        return self.second(kept)

    graph = trace(Functional(forward, first=nn.Linear(3, 3), second=nn.Linear(3, 1)), torch.ones(1, 3))
    assert {("first", "data()"), ("data()", "mul()"), ("mul()", "add()"), ("add()", "second")} <= flows(graph)
    assert dead_ends(graph) == set()


def test_what_is_compared_grows_with_the_writes_and_not_with_their_square(monkeypatch: pytest.MonkeyPatch) -> None:
    compared = 0
    overlaps = Region.overlaps

    def counted(one: Region, other: Region) -> bool:
        nonlocal compared
        compared += 1
        return overlaps(one, other)

    def filled(steps: int) -> nn.Module:
        def forward(self: nn.Module, x: Tensor) -> Tensor:
            cache = torch.zeros(len(x), steps, 4)
            for step in range(steps):
                cache[:, step].copy_(self.layer(x))
                x = cache[:, : step + 1].mean(1)
            return x

        return Functional(forward, layer=nn.Linear(4, 4))

    monkeypatch.setattr(Region, "overlaps", counted)
    numbers = []
    for steps in (50, 200):
        compared = 0
        assert trace(filled(steps), torch.ones(1, 4)).error is None
        numbers.append(compared)
    assert numbers[1] < 6 * numbers[0]
