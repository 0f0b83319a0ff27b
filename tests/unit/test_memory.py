"""Batches that shrink where memory does not suffice."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from pellucid.capture.memory import Batches
from pellucid.errors import ForwardError, MethodError, OptionError


@given(st.integers(0, 70), st.integers(1, 40), st.integers(1, 40))
def test_every_place_comes_once_and_in_order_whatever_fits(total: int, size: int, fits: int) -> None:
    tried: list[int] = []

    def work(start: int, stop: int) -> range:
        tried.append(stop - start)
        if stop - start > fits:
            raise torch.OutOfMemoryError("no")
        return range(start, stop)

    batches = Batches(total, size)
    assert [place for part in batches.run(work) for place in part] == list(range(total))
    first = min(total, size)
    assert bool(batches.note) == (first > fits)
    assert len([one for one in tried if one > fits]) <= 7, "halved, not diminished one by one"
    if batches.note:
        assert batches.note == f"Memory did not suffice for {size} examples at a time: {batches.size} were used."
        assert batches.size <= fits


def test_what_has_another_reason_is_raised_as_it_is_and_one_that_does_not_fit_is_refused() -> None:
    def broken(start: int, stop: int) -> None:
        raise ForwardError("broken")

    with pytest.raises(ForwardError, match="broken"):
        list(Batches(4, 2).run(broken))

    def short(start: int, stop: int) -> None:
        raise MemoryError

    with pytest.raises(MethodError, match=r"Memory does not suffice for a single example\. Give smaller inputs"):
        list(Batches(4, 2).run(short))
    with pytest.raises(OptionError, match="1 or more; got 0"):
        Batches(4, 0)
