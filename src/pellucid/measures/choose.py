"""Which examples deserve a closer look: the same ones for the same seed and predictions."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray


def choose(
    losses: NDArray[np.float64],
    targets: NDArray[np.int64],
    predictions: NDArray[np.int64],
    number: int,
    seed: int,
) -> list[tuple[int, str]]:
    """Chooses rows for the focus stage by four reasons in turn, until `number` are found.

    The reasons, dealt like cards so that a small number still holds every kind: highest loss; one example of every
    cell of the confusion matrix off its diagonal, largest cells first; one right answer of each class; at random.

    Args:
        losses: float64[example], NaN where not defined.
        targets: int64[example], -1 where unknown.
        predictions: int64[example], -1 where not defined.
        number: how many rows, >= 0; all rows where there are fewer.
        seed: of the random ones.

    Returns: (row, reason) pairs in the order of choice, each row once.
    """
    order = np.random.default_rng(seed).permutation(len(losses))
    hands: tuple[Iterator[tuple[int, str]], ...] = (
        _highest_loss(losses),
        _confusion_cells(losses, targets, predictions),
        _right_ones(order, targets, predictions),
        ((int(row), "random") for row in order),
    )
    chosen: dict[int, str] = {}
    dealing = list(hands)
    while dealing and len(chosen) < number:
        hand = dealing.pop(0)
        card = next((card for card in hand if card[0] not in chosen), None)
        if card is not None:
            chosen[card[0]] = card[1]
            dealing.append(hand)
    return list(chosen.items())


def _highest_loss(losses: NDArray[np.float64]) -> Iterator[tuple[int, str]]:
    known = np.flatnonzero(np.isfinite(losses))
    for row in known[np.argsort(-losses[known], kind="stable")]:
        yield int(row), "highest loss"


def _confusion_cells(
    losses: NDArray[np.float64], targets: NDArray[np.int64], predictions: NDArray[np.int64]
) -> Iterator[tuple[int, str]]:
    wrong = np.flatnonzero((targets >= 0) & (predictions >= 0) & (targets != predictions))
    if not len(wrong):
        return
    pairs = np.stack([targets[wrong], predictions[wrong]], axis=1)
    _, inverse, counts = np.unique(pairs, axis=0, return_inverse=True, return_counts=True)
    inverse = inverse.reshape(-1)
    # Within a cell the example of median loss speaks for the cell better than its most extreme one.
    ranked = wrong[np.lexsort((np.nan_to_num(losses[wrong]), inverse))]
    starts = np.concatenate([[0], np.cumsum(counts)[:-1]])
    for cell in np.argsort(-counts, kind="stable"):
        yield int(ranked[starts[cell] + counts[cell] // 2]), "confusion"


def _right_ones(
    order: NDArray[np.int64], targets: NDArray[np.int64], predictions: NDArray[np.int64]
) -> Iterator[tuple[int, str]]:
    right = order[(targets[order] >= 0) & (targets[order] == predictions[order])]
    _, first = np.unique(targets[right], return_index=True)
    for row in right[first]:
        yield int(row), "right answer of its class"
