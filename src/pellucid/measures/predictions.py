"""From logits to the rows of the examples table: everything a later question needs, without the logits."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from pellucid.measures.strongest import rank_of, strongest
from pellucid.types import Task

Columns: TypeAlias = dict[str, NDArray[np.generic]]
"""Columns of the examples table by name; one axis is the example, `top_classes` and `top_probabilities` have a second."""

TOP_K = 5

# Scores that are worked on at once: few enough to stay in a processor's cache, whatever the number of classes.
_BLOCK = 1 << 16


@dataclass(frozen=True)
class Scores:
    """Log-probabilities in float64 and which rows have none: NaN or infinity among their logits."""

    log_probabilities: NDArray[np.float64]
    nonfinite: NDArray[np.bool_]


def log_softmax(logits: NDArray[np.floating]) -> Scores:
    """Normalised log-probabilities, float64[example class]; rows with a non-finite logit are NaN throughout."""
    wide = logits.astype(np.float64)
    nonfinite: NDArray[np.bool_] = np.logical_not(np.isfinite(wide).all(axis=1))
    safe = np.where(nonfinite[:, None], 0.0, wide)
    shifted = safe - safe.max(axis=1, keepdims=True)
    log_probabilities = shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))
    log_probabilities[nonfinite] = np.nan
    return Scores(log_probabilities, nonfinite)


def columns_of(
    outputs: NDArray[np.floating], targets: NDArray[np.generic] | None, *, task: Task, top_k: int = TOP_K
) -> Columns:
    """The columns that follow from a model's outputs; those that are not defined are NaN or -1.

    Args:
        outputs: float[example class], logits for classification; float[example ...] otherwise.
        targets: int64[example], -1 where unknown; float[example], NaN where unknown; or None.
        task: decides which columns there are.
        top_k: how many classes are kept for each example.

    Returns: target, prediction, loss (nats), confidence, entropy (nats), margin, rank, top_classes,
        top_probabilities, nonfinite, and brier, the sum over classes of (p - y)². `rank` counts the classes that are more
        probable than the target, and those as probable with a lower index, so that rank 0 means that the prediction is the
        target.
    """
    if task == "classification":
        return classified(outputs, targets, top_k, _of_logits)
    return _regression(outputs, targets)


@dataclass(frozen=True)
class Weighed:
    """What a block of scores says of its distribution; the scores are proportional to `weights`.

    Attributes:
        weights: float64[example class], not negative.
        total: float64[example], their sums.
        entropy: float64[example], nats.
        log_weight: float64[example] for the class of each example: the logarithm of its weight.
    """

    weights: NDArray[np.float64]
    total: NDArray[np.float64]
    entropy: NDArray[np.float64]
    log_weight: Callable[[NDArray[np.int64]], NDArray[np.float64]]


Weigh: TypeAlias = Callable[[NDArray[np.floating], NDArray[np.floating]], Weighed]
"""From scores, float[example class], and the highest of each row, float[example], to the distribution they stand for."""


def classified(scores: NDArray[np.floating], targets: NDArray[np.generic] | None, top_k: int, weigh: Weigh) -> Columns:
    """The columns of a classification, from scores whose order is that of the probabilities.

    Args:
        scores: float[example class]; a row with NaN or infinity has no numbers.
        targets: int[example], -1 where unknown; or None.
        top_k: how many classes are kept for each example.
        weigh: what the scores say of the probabilities.
    """
    number, classes = scores.shape
    target = np.full(number, -1, np.int64) if targets is None else targets.astype(np.int64)
    columns = _nothing_known(target, min(top_k, classes))
    for begin, end in _blocks(number, classes):
        _fill(columns, slice(begin, end), scores[begin:end], weigh)
    return columns


def _nothing_known(target: NDArray[np.int64], top_k: int) -> Columns:
    number = len(target)
    return {
        "target": target,
        "prediction": np.full(number, -1, np.int64),
        "loss": np.full(number, np.nan),
        "confidence": np.full(number, np.nan, np.float32),
        "entropy": np.full(number, np.nan, np.float32),
        "margin": np.full(number, np.nan, np.float32),
        "rank": np.full(number, -1, np.int64),
        "top_classes": np.full((number, top_k), -1, np.int32),
        "top_probabilities": np.full((number, top_k), np.nan, np.float32),
        "nonfinite": np.zeros(number, np.bool_),
        "brier": np.full(number, np.nan),
    }


def _blocks(number: int, classes: int) -> Iterator[tuple[int, int]]:
    size = max(1, _BLOCK // max(classes, 1))
    for begin in range(0, number, size):
        yield begin, min(begin + size, number)


def _fill(columns: Columns, block: slice, scores: NDArray[np.floating], weigh: Weigh) -> None:
    defined = _finite(scores)
    columns["nonfinite"][block] = ~defined
    place = np.arange(block.start, block.stop)
    if not defined.all():
        place, scores = place[defined], scores[defined]
    if not len(place):
        return
    rows = np.arange(len(place))
    best = strongest(scores, max(columns["top_classes"].shape[1], 2))
    highest = scores[rows, best[:, 0]]
    weighed = weigh(scores, highest)
    shares = np.take_along_axis(weighed.weights, best, axis=1) / weighed.total[:, None]
    columns["prediction"][place] = best[:, 0]
    columns["confidence"][place] = shares[:, 0]
    columns["margin"][place] = shares[:, 0] - (shares[:, 1] if shares.shape[1] > 1 else 0.0)
    columns["entropy"][place] = weighed.entropy
    kept = columns["top_classes"].shape[1]
    columns["top_classes"][place] = best[:, :kept]
    columns["top_probabilities"][place] = shares[:, :kept]
    target = columns["target"][place].astype(np.int64)
    known = target >= 0
    own = np.where(known, target, 0)
    columns["rank"][place[known]] = rank_of(scores, own)[known]
    columns["loss"][place[known]] = (np.log(weighed.total) - weighed.log_weight(own))[known] + 0.0
    # Σ over classes of (p - y)², y the label: the squares of all, and of the label's 1 - p in place of p.
    squares = np.einsum("ij,ij->i", weighed.weights, weighed.weights) / weighed.total**2
    label = weighed.weights[rows, own] / weighed.total
    columns["brier"][place[known]] = np.maximum(squares + (1.0 - 2.0 * label), 0.0)[known]


def _finite(scores: NDArray[np.floating]) -> NDArray[np.bool_]:
    """Rows without NaN or infinity, which a sum shows; it may be infinite without them, too."""
    with np.errstate(invalid="ignore", over="ignore"):
        finite: NDArray[np.bool_] = np.isfinite(scores.sum(axis=1))
    if not finite.all():
        finite[~finite] = np.isfinite(scores[~finite]).all(axis=1)
    return finite


def _of_logits(logits: NDArray[np.floating], highest: NDArray[np.floating]) -> Weighed:
    """Exponentials, the largest of each row being one."""
    shifted = np.subtract(logits, highest[:, None], dtype=np.float64)
    weights = np.exp(shifted)
    total = weights.sum(axis=1)
    # Both terms are at least 0, so that nothing cancels in a small entropy.
    entropy = np.log(total) + np.abs(np.einsum("ij,ij->i", weights, shifted)) / total
    rows = np.arange(len(shifted))
    return Weighed(weights, total, entropy, lambda classes: shifted[rows, classes])


def _regression(outputs: NDArray[np.floating], targets: NDArray[np.generic] | None) -> Columns:
    number = len(outputs)
    flat = outputs.reshape(number, -1).astype(np.float64)
    nonfinite: NDArray[np.bool_] = np.logical_not(np.isfinite(flat).all(axis=1))
    target = np.full(number, np.nan) if targets is None else targets.astype(np.float64)
    columns = _nothing_known(np.full(number, -1, np.int64), 1)
    del columns["brier"]
    columns["target"], columns["nonfinite"] = target, nonfinite
    columns["output"] = np.full(number, np.nan)
    if flat.shape[1] == 1:
        columns["output"] = flat[:, 0]
        with np.errstate(invalid="ignore"):
            columns["loss"] = np.where(nonfinite, np.nan, (flat[:, 0] - target) ** 2)
    return columns
