"""What a comparison says in words: of how many, and no more of groups than chance allows over all of them together."""

from __future__ import annotations

from types import SimpleNamespace
from typing import cast

import numpy as np

from pellucid.comparison.findings import _flips, _groups
from pellucid.comparison.pairs import Pair, by_slice
from pellucid.measures.intervals import wilson
from pellucid.record.schema import ComparedPair


def sliced(rng: np.random.Generator, columns: int, fall: float = 0.0) -> ComparedPair:
    """Two models that are right on 70%, over columns of eight values at random; the first value of the first may be worse."""
    count, nothing = 800, np.full((2, 800), np.nan)
    codes = rng.integers(0, 8, (columns, count))
    old = np.where(rng.random(count) < 0.7, 0, 1)
    new = np.where(rng.random(count) < np.where(codes[0] == 0, 0.7 - fall, 0.7), 0, 1)
    pair = Pair(np.zeros(count, np.int64), old, new, nothing, nothing)
    values = [str(value) for value in range(8)]
    slices = [by_slice(pair, f"column{place}", values, one) for place, one in enumerate(codes)]
    return cast(ComparedPair, SimpleNamespace(by_class=[], by_slice=slices))


def test_with_many_columns_few_comparisons_tell_of_a_group_that_did_not_fall() -> None:
    """At most 5% of them, adjusted together; half of them where each column was adjusted by itself."""
    rng = np.random.default_rng(0)
    told = sum(any(_groups(sliced(rng, 40), "old", "new")) for _ in range(10))
    assert told <= 1


def test_a_group_that_fell_is_told_among_many_columns() -> None:
    fell, *_ = _groups(sliced(np.random.default_rng(1), 40, fall=0.5), "old", "new")
    assert fell.selection == {"column.column0": "0"}
    assert fell.sentence.endswith("after correction for 320 groups).")


def test_what_broke_is_of_what_was_right() -> None:
    pair = cast(
        ComparedPair, SimpleNamespace(broken=50, fixed=20, both_right=550, both_wrong=380, count=1000, flip="flip")
    )
    (broken,) = _flips(pair, "old", "new")
    assert broken.sentence == (
        "Of the 600 examples that old had right, new is not right on 50; of the 400 that old had not, it is right on 20."
    )
    assert (broken.count, broken.weight, broken.interval) == (600, 50 / 600, wilson(50, 600))


def test_one_example_is_no_examples() -> None:
    pair = cast(ComparedPair, SimpleNamespace(broken=1, fixed=0, both_right=0, both_wrong=2, count=3, flip="flip"))
    (broken,) = _flips(pair, "old", "new")
    assert broken.sentence == (
        "Of the one example that old had right, new is not right on 1; of the 2 that old had not, it is right on 0."
    )
