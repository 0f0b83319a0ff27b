"""What the benchmark of saved predictions derives from what it times."""

from __future__ import annotations

import numpy as np
import pytest
from bench import predictions


def test_every_k_is_the_sum_over_all_of_them() -> None:
    assert predictions.every_k({1: 2.0, 4: 2.0}, 4) == pytest.approx(8.0)
    # 1, 2, 3, 4 and then 4.5, 5.
    assert predictions.every_k({1: 1.0, 4: 4.0, 6: 5.0}, 6) == pytest.approx(19.5)
    assert predictions.every_k({6: 5.0, 1: 1.0, 4: 4.0}, 6) == pytest.approx(19.5)


def test_every_k_from_1_to_the_number_of_classes_is_asked_and_ends_are_timed() -> None:
    assert predictions.TIMED_K[0] == 1
    assert predictions.TIMED_K[-1] == predictions.CLASSES


def test_peers_are_told_in_our_time_and_the_row_says_which_limit_it_has() -> None:
    row = predictions.row("what", (2.0, 150.4), {"one": 9.0, "other": 1.0}, "note")
    assert (row["ours"], row["peer"]) == ("2.0 s, 150 MB", "one: 4.5 times; other: 0.5 times")
    assert str(predictions.LIMIT) in str(row["limit"])


def test_the_saved_answers_are_as_many_as_asked_and_the_same_each_time() -> None:
    first, again = (list(predictions.answers(1000, seed=3)) for _ in range(2))
    assert sum(len(piece["label"]) for piece in first) == 1000
    for piece, other in zip(first, again, strict=True):
        for name, values in piece.items():
            np.testing.assert_array_equal(values, other[name])
            assert values.itemsize <= 4
        right = piece["rank"] == 0
        np.testing.assert_array_equal(piece["prediction"] == piece["label"], right)
