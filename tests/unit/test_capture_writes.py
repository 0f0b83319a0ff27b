"""Parameters that a forward writes to: put back, without watching every operator of a model that is known to write to none."""

from __future__ import annotations

from collections.abc import Callable
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


def test_a_forward_that_writes_later_than_at_first_is_refused_by_name(watched: list[int]) -> None:
    model = Counting()
    with Session(model, ()) as session:
        session.forward(torch.ones(1, 3))
    model.writes = True
    with Session(model, ()) as session, pytest.raises(ForwardError, match=r"wrote to its parameter 'linear\.weight'"):
        session.forward(torch.ones(1, 3))
    before = model.linear.weight.detach().clone()
    with Session(model, ()) as session:
        session.forward(torch.ones(1, 3))
    assert torch.equal(model.linear.weight, before), "from then on it is watched again"
    assert len(watched) == 2


def test_a_forward_that_fails_says_nothing_of_what_is_written(watched: list[int]) -> None:
    model = Counting()
    for _ in range(2):
        with Session(model, ()) as session, pytest.raises(ForwardError):
            session.forward(torch.ones(1, 4))
    assert len(watched) == 2
