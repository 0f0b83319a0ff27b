"""An order of classes in which those that are taken for one another stand side by side."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from pellucid.measures.confusion import SparseCounts
from pellucid.measures.leaf_order import optimal_leaf_order

# Classes that are ordered optimally at once: the optimum of more takes seconds, and of many more, hours.
MOST_TOGETHER = 1000

METHOD = "optimal leaf ordering of average linkage, by how often two classes are taken for one another"
METHOD_IN_GROUPS = (
    f"{METHOD}, within groups of at most {MOST_TOGETHER} classes that are confused most; the groups follow one another "
    "as they were joined"
)


def similarity_order(cells: SparseCounts, classes: int, most: int = MOST_TOGETHER) -> tuple[list[int], str]:
    """All classes in an order by their confusions, and in words how it was found.

    Two classes are as alike as the mean of the shares of each that is taken for the other. Classes that nothing connects stand
    in order of index, after the others.

    Args:
        cells: counts of true by predicted class.
        classes: number of classes.
        most: classes that are ordered optimally at once.

    Source: Bar-Joseph, Gifford & Jaakkola 2001, Bioinformatics 17:S22-S29.
    """
    one, other, alike = affinities(cells, classes)
    groups = capped_groups(one, other, alike, classes, most)
    ordered: list[int] = []
    alone: list[int] = []
    for group in groups:
        (ordered if len(group) > 1 else alone).extend(optimal(group, one, other, alike))
    return [*ordered, *sorted(alone)], METHOD if len(
        [1 for group in groups if len(group) > 1]
    ) < 2 else METHOD_IN_GROUPS


def affinities(cells: SparseCounts, classes: int) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float64]]:
    """Pairs of classes that are confused either way: lower index, higher index, likeness in (0, 1]."""
    wrong = cells.rows != cells.columns
    rows, columns = cells.rows[wrong], cells.columns[wrong]
    shares = cells.counts[wrong] / cells.supports(classes)[rows]
    codes = np.minimum(rows, columns) * classes + np.maximum(rows, columns)
    pairs, places = np.unique(codes, return_inverse=True)
    alike = np.bincount(places.reshape(-1), weights=shares, minlength=len(pairs)) / 2
    return pairs // max(classes, 1), pairs % max(classes, 1), alike


def capped_groups(
    one: NDArray[np.int64], other: NDArray[np.int64], alike: NDArray[np.float64], classes: int, most: int
) -> list[list[int]]:
    """Joins the most alike classes first, as long as a group stays within `most`; the groups, each in the order of joining."""
    members = [[index] for index in range(classes)]
    home = np.arange(classes)
    for place in np.lexsort((other, one, -alike)).tolist():
        left, right = int(home[one[place]]), int(home[other[place]])
        if left == right or len(members[left]) + len(members[right]) > most:
            continue
        if len(members[left]) < len(members[right]):
            left, right = right, left
        home[members[right]] = left
        members[left].extend(members[right])
        members[right] = []
    return sorted((group for group in members if group), key=lambda group: (-len(group), group[0]))


def optimal(
    group: Sequence[int], one: NDArray[np.int64], other: NDArray[np.int64], alike: NDArray[np.float64]
) -> list[int]:
    """One group in the order of its tree's leaves that puts the most alike side by side."""
    if len(group) < 3:
        return sorted(group)
    from scipy.cluster.hierarchy import linkage

    kept = np.array(sorted(group))
    size = len(kept)
    inside = np.isin(one, kept) & np.isin(other, kept)
    first, second = np.searchsorted(kept, one[inside]), np.searchsorted(kept, other[inside])
    distances = np.ones((size, size))
    distances[first, second] = 1 - alike[inside]
    np.minimum(distances, distances.T, out=distances)
    joins = linkage(distances[np.triu_indices(size, 1)], "average")
    return [int(kept[leaf]) for leaf in optimal_leaf_order(joins, distances)[0]]
