"""Confusions of sets of classes against a count by hand, and laws that hold of any sets."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from pellucid.lenses import LensContext
from pellucid.lenses.confusion import ConfusionLens
from pellucid.measures.confusion import SparseCounts
from pellucid.measures.set_confusion import set_confusion


def dense(cells: SparseCounts, classes: int) -> np.ndarray:
    table = np.zeros((classes + 1, classes + 1), int)
    table[cells.rows, cells.columns] = cells.counts
    return table


def by_hand(true: np.ndarray, called: np.ndarray) -> np.ndarray:
    classes = true.shape[1]
    table = np.zeros((classes + 1, classes + 1), int)
    for is_true, is_called in zip(true, called, strict=True):
        missed = [index for index in range(classes) if is_true[index] and not is_called[index]]
        invented = [index for index in range(classes) if is_called[index] and not is_true[index]]
        for index in range(classes):
            table[index, index] += int(is_true[index] and is_called[index])
        for row in missed or ([classes] if invented else []):
            for column in invented or [classes]:
                table[row, column] += 1
    return table


@given(st.integers(1, 5), st.integers(0, 12), st.integers(0, 999))
def test_cells_are_those_of_a_count_by_hand(classes: int, number: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    true, called = rng.random((2, number, classes)) < 0.4
    table = dense(set_confusion(true, called), classes)
    np.testing.assert_array_equal(table, by_hand(true, called))
    assert table[classes, classes] == 0
    np.testing.assert_array_equal(np.diag(table)[:classes], (true & called).sum(0))


def test_one_class_an_example_gives_the_plain_matrix() -> None:
    rng = np.random.default_rng(0)
    targets, predictions = rng.integers(0, 4, (2, 200))
    eye = np.eye(4, dtype=bool)
    plain = np.zeros((5, 5), int)
    np.add.at(plain, (targets, predictions), 1)
    np.testing.assert_array_equal(dense(set_confusion(eye[targets], eye[predictions]), 4), plain)


def test_the_lens_counts_examples_and_leaves_chance_open() -> None:
    lens = ConfusionLens(LensContext(classes=("a", "b"), task="multilabel"))
    lens._add(set_confusion(np.array([[1, 0], [1, 1]], bool), np.array([[0, 1], [1, 0]], bool)))
    lens.examples = 2
    panel = lens.report()
    assert panel.classes == ["a", "b", "nothing"]
    assert list(zip(panel.rows, panel.columns, panel.counts, strict=True)) == [(0, 0, 1), (0, 1, 1), (1, 2, 1)]
    assert panel.count == 2
    assert panel.pairs == []
