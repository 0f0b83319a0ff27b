"""From logits to the rows of the examples table: everything a later question needs, without the logits."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from pellucid.types import Task

Columns: TypeAlias = dict[str, NDArray[np.generic] | list[list[int] | None] | list[list[float] | None]]

TOP_K = 5


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
    """The columns that follow from a model's outputs; those that are not defined are NaN, -1 or None.

    Args:
        outputs: float[example class], logits for classification; float[example ...] otherwise.
        targets: int64[example], -1 where unknown; float[example], NaN where unknown; or None.
        task: decides which columns there are.
        top_k: how many classes are kept for each example.

    Returns: target, prediction, loss (nats), confidence, entropy (nats), margin, rank, top_classes,
        top_probabilities, nonfinite. `rank` counts the classes that are more probable than the target, and those as
        probable with a lower index, so that rank 0 means that the prediction is the target.
    """
    if task == "classification":
        return _classification(outputs, targets, top_k)
    return _regression(outputs, targets)


def _classification(logits: NDArray[np.floating], targets: NDArray[np.generic] | None, top_k: int) -> Columns:
    number, classes = logits.shape
    scores = log_softmax(logits)
    defined = ~scores.nonfinite
    log_probabilities = scores.log_probabilities
    probabilities = np.exp(log_probabilities)
    target = np.full(number, -1, np.int64) if targets is None else targets.astype(np.int64)
    known = (target >= 0) & defined
    wide = np.where(defined[:, None], logits.astype(np.float64), 0.0)
    order = np.argsort(-wide, axis=1, kind="stable")
    best = order[:, : min(top_k, classes)]
    rows = np.arange(number)
    prediction = np.where(defined, best[:, 0], -1)
    sorted_probabilities = np.take_along_axis(probabilities, order[:, :2], axis=1)
    own = log_probabilities[rows, np.maximum(target, 0)]
    # By logits, as the prediction is: log-probabilities may round two of them to one.
    score = wide[rows, np.maximum(target, 0)][:, None]
    ahead = (wide > score) | ((wide == score) & (np.arange(classes)[None, :] < target[:, None]))
    with np.errstate(invalid="ignore"):
        entropy = 0.0 - np.where(probabilities > 0, probabilities * log_probabilities, 0.0).sum(axis=1)
    top = np.take_along_axis(probabilities, best, axis=1).astype(np.float32)
    return {
        "target": target,
        "prediction": prediction,
        "loss": np.where(known, 0.0 - own, np.nan),
        "confidence": sorted_probabilities[:, 0].astype(np.float32),
        "entropy": np.where(defined, entropy, np.nan).astype(np.float32),
        "margin": (sorted_probabilities[:, 0] - sorted_probabilities[:, 1]).astype(np.float32),
        "rank": np.where(known, ahead.sum(axis=1), -1),
        "top_classes": [best[row].tolist() if defined[row] else None for row in rows],
        "top_probabilities": [top[row].tolist() if defined[row] else None for row in rows],
        "nonfinite": scores.nonfinite,
    }


def _regression(outputs: NDArray[np.floating], targets: NDArray[np.generic] | None) -> Columns:
    number = len(outputs)
    flat = outputs.reshape(number, -1).astype(np.float64)
    nonfinite: NDArray[np.bool_] = np.logical_not(np.isfinite(flat).all(axis=1))
    target = np.full(number, np.nan) if targets is None else targets.astype(np.float64)
    loss = np.full(number, np.nan)
    if flat.shape[1] == 1:
        with np.errstate(invalid="ignore"):
            loss = np.where(nonfinite, np.nan, (flat[:, 0] - target) ** 2)
    nothing = np.full(number, np.nan, np.float32)
    none: list[Any] = [None] * number
    columns: Columns = {
        "target": target,
        "prediction": np.full(number, -1, np.int64),
        "loss": loss,
        "confidence": nothing,
        "entropy": nothing,
        "margin": nothing,
        "rank": np.full(number, -1, np.int64),
        "top_classes": none,
        "top_probabilities": none,
        "nonfinite": nonfinite,
        "output": flat[:, 0] if flat.shape[1] == 1 else np.full(number, np.nan),
    }
    return columns
