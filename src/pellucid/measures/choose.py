"""Which examples deserve a closer look: the same ones for the same seed and predictions."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray


def choose(
    losses: NDArray[np.float64],
    targets: NDArray[np.int64] | None,
    predictions: NDArray[np.int64] | None,
    number: int,
    seed: int,
) -> list[tuple[int, str]]:
    """Chooses rows for the focus stage by several reasons in turn, until `number` are found.

    The reasons, dealt like cards so that a small number still holds every kind: highest loss; one example of every
    cell of the confusion matrix off its diagonal, largest cells first; one right answer of each class; at random.
    Where examples have no single class: highest loss; lowest loss; at random.

    Args:
        losses: float64[example], NaN where not defined.
        targets: int64[example], -1 where unknown; None of a regression and of sets of classes.
        predictions: int64[example], -1 where not defined; None likewise.
        number: how many rows, >= 0; all rows where there are fewer.
        seed: of the random ones.

    Returns: (row, reason) pairs in the order of choice, each row once.
    """
    order = np.random.default_rng(seed).permutation(len(losses))
    dealing = [_by_loss(-losses, "highest loss")]
    if targets is None or predictions is None:
        dealing.append(_by_loss(losses, "lowest loss"))
    else:
        dealing += [_confusion_cells(losses, targets, predictions), _right_ones(order, targets, predictions)]
    dealing.append((int(row), "random") for row in order)
    chosen: dict[int, str] = {}
    while dealing and len(chosen) < number:
        hand = dealing.pop(0)
        card = next((card for card in hand if card[0] not in chosen), None)
        if card is not None:
            chosen[card[0]] = card[1]
            dealing.append(hand)
    return list(chosen.items())


def _by_loss(keys: NDArray[np.float64], reason: str) -> Iterator[tuple[int, str]]:
    """Rows by ascending key, those whose key is finite."""
    known = np.flatnonzero(np.isfinite(keys))
    for row in known[np.argsort(keys[known], kind="stable")]:
        yield int(row), reason


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
