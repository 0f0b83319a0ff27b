"""People against the model, category by category."""

from __future__ import annotations

from types import SimpleNamespace
from typing import cast

import numpy as np
import pytest

from pellucid.human.observers import classes_of
from pellucid.human.view import View


def test_a_difference_of_shares_lies_within_all_and_has_no_interval_where_nothing_varies() -> None:
    """Three cats, of which the model knows none and people nearly all; two dogs that only the model knows."""
    counts = np.array([[4, 0], [4, 0], [2, 2], [3, 0], [3, 0]])
    view = SimpleNamespace(
        people=SimpleNamespace(counts=lambda: counts, categories=["cat", "dog"]),
        category=np.array([0, 0, 0, 1, 1]),
        model_right=np.array([0, 0, 0, 1, 1], np.int8),
    )
    cat, dog = classes_of(cast(View, view))
    assert cat.difference == pytest.approx(-5 / 6)
    assert cat.interval is not None
    assert cat.interval.low == -1.0
    assert cat.interval.high > -5 / 6
    assert (dog.difference, dog.interval) == (1.0, None)
