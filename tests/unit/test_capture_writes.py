"""Parameters that a forward writes to: put back, without watching every operator of a model that is known to write to none."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import nullcontext
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from pellucid.capture import Session, writes
from pellucid.errors import ForwardError


class Counting(nn.Module):
    """Adds to its weight in a forward, as soon as it is told to."""

    def __init__(self) -> None:
        super().__init__()
        self.linear = nn.Linear(3, 2)
        self.writes = False

    def forward(self, inputs: Tensor) -> Tensor:
        if self.writes:
            with torch.no_grad():
                self.linear.weight.add_(1)
        found: Tensor = self.linear(inputs)
        return found


@pytest.fixture
def watched(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Grows by one with every forward whose operators are all watched."""
    seen: list[int] = []
    kind = writes.Operators

    def counted(before: Callable[..., None], after: Callable[..., None]) -> Any:
        seen.append(1)
        return kind(before, after)

    monkeypatch.setattr(writes, "Operators", counted)
    return seen


def test_the_operators_of_a_model_are_watched_once(watched: list[int]) -> None:
    model = Counting()
    for _ in range(3):
        with Session(model, ()) as session:
            session.forward(torch.ones(1, 3))
            session.forward(torch.ones(1, 3))
    assert len(watched) == 1


def test_a_model_whose_parameters_were_exchanged_is_watched_again(watched: list[int]) -> None:
    model = Counting()
    for _ in range(2):
        with Session(model, ()) as session:
            session.forward(torch.ones(1, 3))
        model.linear = nn.Linear(3, 2)
    assert len(watched) == 2


def test_what_is_written_is_put_back_each_time(watched: list[int]) -> None:
    model = Counting()
    model.writes = True
    before = model.linear.weight.detach().clone()
    for _ in range(2):
        with Session(model, ()) as session:
            session.forward(torch.ones(1, 3))
        assert torch.equal(model.linear.weight, before)
    assert len(watched) == 2, "a model that writes is never taken for one that does not"


@pytest.mark.parametrize("fails", [False, True])
@pytest.mark.parametrize("same", [False, True], ids=["in another session", "in the same session"])
def test_what_a_later_forward_alone_writes_to_is_put_back(watched: list[int], same: bool, fails: bool) -> None:
    model = Counting()
    before = model.linear.weight.detach().clone()
    if not same:
        with Session(model, ()) as session:
            session.forward(torch.ones(1, 3))
    with Session(model, ()) as session:
        session.forward(torch.ones(1, 3))
        model.writes = True
        for _ in range(2):
            with pytest.raises(ForwardError) if fails else nullcontext():
                session.forward(torch.ones(1, 4 if fails else 3))
        assert torch.equal(model.linear.weight, before.add(1).add(1))
    assert torch.equal(model.linear.weight, before)
    with Session(model, ()) as session:
        session.forward(torch.ones(1, 3))
    assert torch.equal(model.linear.weight, before)
    assert len(watched) == 2, "from then on it is watched again"


def test_what_training_has_changed_since_is_what_is_put_back(watched: list[int]) -> None:
    model = Counting()
    with Session(model, ()) as session:
        session.forward(torch.ones(1, 3))
    with torch.no_grad():
        model.linear.weight.mul_(3)
    before = model.linear.weight.detach().clone()
    model.writes = True
    with Session(model, ()) as session:
        session.forward(torch.ones(1, 3))
    assert torch.equal(model.linear.weight, before)
    assert len(watched) == 1


def test_every_forward_of_a_model_too_large_to_be_held_twice_is_watched(
    watched: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(writes, "MOST_KEPT", 31)  # bytes; its 8 numbers have 32
    model = Counting()
    before = model.linear.weight.detach().clone()
    with Session(model, ()) as session:
        session.forward(torch.ones(1, 3))
        model.writes = True
        session.forward(torch.ones(1, 3))
    assert torch.equal(model.linear.weight, before)
    assert len(watched) == 2


def test_a_forward_that_fails_says_nothing_of_what_is_written(watched: list[int]) -> None:
    model = Counting()
    for _ in range(2):
        with Session(model, ()) as session, pytest.raises(ForwardError):
            session.forward(torch.ones(1, 4))
    assert len(watched) == 2
