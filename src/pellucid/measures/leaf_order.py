"""Optimal leaf ordering: a tree's leaves turned so that neighbours are as near as they can be.

Ours, since scipy's (`scipy.cluster.hierarchy.optimal_leaf_ordering`, 1.17) misses the optimum: of the four leaves with
distances 0.79 (0, 1), 0.81 (0, 2), 0.92 (0, 3), 0.80 (1, 2), 0.85 (1, 3), 0.93 (2, 3), joined one after another, it gives the order
3 0 1 2, whose neighbours are 2.51 apart in all, where 3 1 0 2 is a turning of the same tree with 2.45.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def optimal_leaf_order(joins: NDArray[np.floating], distances: NDArray[np.float64]) -> tuple[list[int], float]:
    """The leaves of a tree in the order that puts the nearest side by side, of all that turning its joins can reach.

    Args:
        joins: float[leaves-1, 2 or more], as scipy's `linkage` gives them: the two nodes that are joined; leaves come first.
        distances: float[leaf leaf], symmetric.

    Returns: the order, and the sum of the distances between neighbours. Time grows with the cube of the leaves, memory with
        the square.
    Source: Bar-Joseph, Gifford & Jaakkola 2001, Bioinformatics 17:S22-S29, section 2.
    """
    count = len(distances)
    leaves: list[NDArray[np.int64]] = [np.array([leaf]) for leaf in range(count)]
    # best[node][u, w]: least sum where leaf u of the node comes first and leaf w last; infinite where no turning has it so.
    best: list[NDArray[np.float64]] = [np.zeros((1, 1)) for _ in range(count)]
    children: list[tuple[int, int] | None] = [None] * count
    for one, other in joins[:, :2].astype(np.int64).tolist():
        between = distances[np.ix_(leaves[one], leaves[other])]
        across = _least_sums(_least_sums(best[one], between), best[other])
        size, rest = across.shape
        joined = np.full((size + rest, size + rest), np.inf)
        joined[:size, size:] = across
        joined[size:, :size] = across.T
        leaves.append(np.concatenate([leaves[one], leaves[other]]))
        best.append(joined)
        children.append((one, other))
    if count < 2:
        return list(range(count)), 0.0
    first, last = np.unravel_index(np.argmin(best[-1]), best[-1].shape)
    order = _walked(len(best) - 1, int(first), int(last), best, leaves, children, distances)
    return order, float(best[-1][first, last])


def _least_sums(one: NDArray[np.float64], other: NDArray[np.float64]) -> NDArray[np.float64]:
    """float[row column]: the least of one[row, k] + other[k, column] over k."""
    found = np.empty((one.shape[0], other.shape[1]))
    for row in range(len(one)):
        reached = np.flatnonzero(np.isfinite(one[row]))
        found[row] = (one[row, reached, None] + other[reached]).min(axis=0)
    return found


def _walked(
    node: int,
    first: int,
    last: int,
    best: list[NDArray[np.float64]],
    leaves: list[NDArray[np.int64]],
    children: list[tuple[int, int] | None],
    distances: NDArray[np.float64],
) -> list[int]:
    """The order of a node's leaves that has these at its ends, which are places among them."""
    order: list[int] = []
    waiting = [(node, first, last)]
    while waiting:
        node, first, last = waiting.pop()
        pair = children[node]
        if pair is None:
            order.append(int(leaves[node][0]))
            continue
        one, other = pair
        size = len(leaves[one])
        if first >= size:  # turned: the second child comes first
            one, other = other, one
            first, last = first - size, last
        else:
            last = last - size
        between = distances[np.ix_(leaves[one], leaves[other])]
        sums = best[one][first][:, None] + between + best[other][:, last][None, :]
        inner, outer = np.unravel_index(np.argmin(sums), sums.shape)
        waiting.append((other, int(outer), last))
        waiting.append((one, first, int(inner)))
    return order
