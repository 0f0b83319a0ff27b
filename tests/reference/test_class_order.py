"""The order of classes by their confusions, against every order there is and against what was planted."""

from __future__ import annotations

from itertools import pairwise, permutations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pellucid.measures.class_order import METHOD, METHOD_IN_GROUPS, affinities, similarity_order
from pellucid.measures.confusion import SparseCounts
from pellucid.measures.leaf_order import optimal_leaf_order


def counted(matrix: np.ndarray) -> SparseCounts:
    rows, columns = np.nonzero(matrix)
    return SparseCounts(rows, columns, matrix[rows, columns])


def likeness(matrix: np.ndarray) -> np.ndarray:
    """Mean of the shares of each class that is taken for the other."""
    shares = matrix / np.maximum(matrix.sum(axis=1, keepdims=True), 1)
    alike = (shares + shares.T) / 2
    np.fill_diagonal(alike, 0)
    return alike


def test_affinities_are_the_mean_of_both_shares() -> None:
    matrix = np.array([[8, 2, 0], [1, 3, 0], [0, 5, 5]])
    one, other, alike = affinities(counted(matrix), 3)
    expected = likeness(matrix)
    np.testing.assert_allclose(alike, expected[one, other])
    assert len(alike) == int((np.triu(expected, 1) > 0).sum())


@settings(max_examples=40, deadline=None)
@given(st.integers(3, 6), st.integers(0, 10_000))
def test_no_turning_of_the_tree_puts_more_alike_side_by_side(number: int, seed: int) -> None:
    matrix = np.random.default_rng(seed).integers(0, 9, (number, number)) + 5 * np.eye(number, dtype=int)
    alike = likeness(matrix)
    order, method = similarity_order(counted(matrix), number)
    assert sorted(order) == list(range(number))
    assert method == METHOD

    def beside(classes: tuple[int, ...]) -> float:
        return sum(alike[one, other] for one, other in pairwise(classes))

    tree = _tree(alike)
    turned = [classes for classes in permutations(range(number)) if _keeps(tree, classes)]
    assert tuple(order) in turned or tuple(reversed(order)) in turned
    assert beside(tuple(order)) == pytest.approx(max(map(beside, turned)), abs=1e-12)


def _tree(alike: np.ndarray) -> list[set[int]]:
    """Average linkage by the book: the groups that are joined, one after another."""
    groups = [{index} for index in range(len(alike))]
    joined: list[set[int]] = []
    while len(groups) > 1:
        pairs = [(one, other) for place, one in enumerate(groups) for other in groups[place + 1 :]]
        one, other = max(pairs, key=lambda pair: np.mean([alike[a, b] for a in pair[0] for b in pair[1]]))
        groups = [group for group in groups if group is not one and group is not other] + [one | other]
        joined.append(one | other)
    return joined


def _keeps(tree: list[set[int]], classes: tuple[int, ...]) -> bool:
    places = {index: place for place, index in enumerate(classes)}
    return all(max(places[i] for i in group) - min(places[i] for i in group) == len(group) - 1 for group in tree)


def test_planted_families_stand_together_also_beyond_what_is_ordered_at_once() -> None:
    rng = np.random.default_rng(3)
    families = rng.permutation(np.repeat(np.arange(12), 5))
    matrix = 60 * np.eye(60, dtype=int)
    for row in range(60):
        for column in np.flatnonzero(families == families[row]):
            matrix[row, column] += rng.integers(3, 9)
    for most, said in ((60, METHOD_IN_GROUPS), (15, METHOD_IN_GROUPS)):
        order, method = similarity_order(counted(matrix), 60, most)
        assert sorted(order) == list(range(60))
        changes = np.count_nonzero(np.diff(families[np.array(order)]))
        assert changes == 11
        assert method == said


def test_classes_that_nothing_connects_come_last_in_order() -> None:
    matrix = np.diag([5, 5, 5, 5, 5])
    matrix[3, 1] = 2
    assert similarity_order(counted(matrix), 5)[0] == [1, 3, 0, 2, 4]
    assert similarity_order(SparseCounts(), 3)[0] == [0, 1, 2]
    assert similarity_order(SparseCounts(), 0)[0] == []


def test_scipy_never_orders_leaves_better() -> None:
    from scipy.cluster.hierarchy import leaves_list, linkage, optimal_leaf_ordering

    missed = 0
    for seed in range(60):
        size = 4 + seed % 20
        upper = np.random.default_rng(seed).uniform(size=size * (size - 1) // 2)
        joins = linkage(upper, "average")
        distances = np.zeros((size, size))
        distances[np.triu_indices(size, 1)] = upper
        distances += distances.T
        order, total = optimal_leaf_order(joins, distances)
        assert sorted(order) == list(range(size))
        assert distances[order[:-1], order[1:]].sum() == pytest.approx(total, rel=1e-12)
        theirs = leaves_list(optimal_leaf_ordering(joins, upper))
        assert total <= distances[theirs[:-1], theirs[1:]].sum() + 1e-12
        missed += int(total < distances[theirs[:-1], theirs[1:]].sum() - 1e-9)
    assert missed > 0, "scipy finds the optimum now: use its optimal_leaf_ordering, and take ours away"


def test_classes_that_are_joined_one_by_one_take_half_a_square_of_memory() -> None:
    import tracemalloc

    size = 300
    joins = np.array([[0 if step == 0 else size + step - 1, step + 1, 1, step + 2] for step in range(size - 1)], float)
    distances = np.random.default_rng(0).uniform(size=(size, size))
    distances = distances + distances.T
    tracemalloc.start()
    order, _ = optimal_leaf_order(joins, distances)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert sorted(order) == list(range(size))
    assert peak < 6 * 8 * size * size


def test_cells_that_are_too_many_for_lists_become_arrays(monkeypatch: pytest.MonkeyPatch) -> None:
    from pellucid.lenses import confusion

    lens = confusion.ConfusionLens()
    lens._add(counted(np.array([[8, 2], [1, 3]])))
    assert lens.arrays() == {}
    assert lens.report().counts == [8, 2, 1, 3]
    monkeypatch.setattr(confusion, "MOST_LISTED", 3)
    panel = lens.report()
    assert (panel.cells, panel.rows, panel.count) == (4, [], 14)
    assert {name: values.tolist() for name, values in lens.arrays().items()} == {
        "rows": [0, 0, 1, 1], "columns": [0, 1, 0, 1], "counts": [8, 2, 1, 3],
    }  # fmt: skip
