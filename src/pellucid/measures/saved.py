"""From saved predictions to the rows of the examples table: probabilities as they were written, or classes alone."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from pellucid.measures.predictions import TOP_K, Columns, Weighed, classified

# Columns that may come beside predicted classes: what the scores said, where the scores themselves were not kept.
GIVEN = ("confidence", "rank", "loss", "entropy", "margin")


def columns_of_probabilities(
    probabilities: NDArray[np.floating], targets: NDArray[np.generic] | None, *, top_k: int = TOP_K
) -> Columns:
    """The columns that follow from saved probabilities; see `columns_of`.

    Rows are divided by their sums, which differ from one by the rounding they were saved with. A target whose saved
    probability is 0 has an infinite loss.

    Args:
        probabilities: float[example class], not negative; rows with NaN or infinity have no numbers.
        targets: int[example], -1 where unknown; or None.
        top_k: how many classes are kept for each example.
    """
    return classified(probabilities, targets, top_k, _of_probabilities)


def log_probabilities(probabilities: NDArray[np.floating]) -> NDArray[np.float64]:
    """Their logarithms, float64[example class], to stand for logits: -infinity where a probability is 0."""
    with np.errstate(divide="ignore", invalid="ignore"):
        logarithms: NDArray[np.float64] = np.log(probabilities, dtype=np.float64)
    return logarithms


def _of_probabilities(probabilities: NDArray[np.floating], highest: NDArray[np.floating]) -> Weighed:
    weights = probabilities.astype(np.float64)
    total = weights.sum(axis=1)
    with np.errstate(divide="ignore"):
        logarithms = np.log(weights, out=np.zeros_like(weights), where=weights > 0)
        # Nothing is below 0 but by rounding: of one certain class, saved as a little more than one.
        entropy = np.maximum(np.log(total) - np.einsum("ij,ij->i", weights, logarithms) / total, 0.0)
    rows = np.arange(len(weights))

    def log_weight(classes: NDArray[np.int64]) -> NDArray[np.float64]:
        own = weights[rows, classes]
        return np.where(own > 0, logarithms[rows, classes], -np.inf)

    return Weighed(weights, total, entropy, log_weight)


def columns_of_classes(
    predictions: NDArray[np.integer],
    targets: NDArray[np.generic] | None,
    given: Mapping[str, NDArray[np.floating]] | None = None,
) -> Columns:
    """The columns that follow from predicted classes alone: the others are not defined.

    The rank of the target is 0 where the prediction is right. Elsewhere it is not known (-1), unless it is given.

    Args:
        predictions: int[example], -1 where there is none.
        targets: int[example], -1 where unknown; or None.
        given: float[example] by name, of GIVEN, NaN where unknown; what else was saved with the classes.
    """
    number = len(predictions)
    prediction = predictions.astype(np.int64)
    target = np.full(number, -1, np.int64) if targets is None else targets.astype(np.int64)
    beside = given or {}
    known = (target >= 0) & (prediction >= 0)
    rank = np.where(known & (target == prediction), 0, -1)
    if "rank" in beside:
        rank = np.where(known & (beside["rank"] >= 0), beside["rank"], rank).astype(np.int64)
    nothing = np.full(number, np.nan, np.float32)
    return {
        "target": target,
        "prediction": prediction,
        "loss": np.where(known, beside["loss"], np.nan) if "loss" in beside else np.full(number, np.nan),
        "confidence": beside["confidence"].astype(np.float32) if "confidence" in beside else nothing,
        "entropy": beside["entropy"].astype(np.float32) if "entropy" in beside else nothing,
        "margin": beside["margin"].astype(np.float32) if "margin" in beside else nothing,
        "rank": rank,
        "top_classes": np.where(prediction >= 0, prediction, -1).astype(np.int32)[:, None],
        "top_probabilities": (beside["confidence"].astype(np.float32) if "confidence" in beside else nothing)[:, None],
        "nonfinite": prediction < 0,
    }
