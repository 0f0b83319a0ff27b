"""From saved predictions to the rows of the examples table: probabilities as they were written, or classes alone."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pellucid.measures.labels import Sets, check_fits, labelled_columns, multi_hot, relabel
from pellucid.measures.losses import Loss, default_loss
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


def labelled_columns_of_probabilities(
    probabilities: NDArray[np.floating],
    targets: NDArray[np.generic] | None,
    *,
    loss: Loss | None = None,
    soft: NDArray[np.float64] | None = None,
) -> dict[str, Any]:
    """What `columns_of_probabilities` gives, under any loss of a classification and with soft labels.

    Args:
        probabilities: as for `columns_of_probabilities`.
        targets: likewise; of a soft label the most probable class.
        loss: cross-entropy where None.
        soft: float64[example class], NaN where an example has no soft label; None where none has.

    Raises: OptionError: the loss is of another task.
    """
    columns: dict[str, Any] = dict(columns_of_probabilities(probabilities, targets))
    chosen = loss or default_loss("classification")
    if chosen is None or (chosen.plain and soft is None):
        return columns
    check_fits(chosen, "classification", soft=soft is not None)
    # What is impossible costs infinitely much; what a class with weight 0 costs then is no number either.
    with np.errstate(invalid="ignore"):
        relabel(columns, log_probabilities(probabilities), chosen, soft)
    return columns


# Stands for the logit of a probability of exactly 0 or 1: its sigmoid is that in float64.
CERTAIN = 1e4


def logits_of_sigmoids(probabilities: NDArray[np.floating]) -> NDArray[np.float64]:
    """Logits, ln p - ln(1 - p), float64[example class], within ±CERTAIN; what is a little above 1 by rounding is 1."""
    wide = np.minimum(probabilities.astype(np.float64), 1.0)
    with np.errstate(divide="ignore", invalid="ignore"):
        logits = np.log(wide) - np.log1p(-wide)
    return np.asarray(np.clip(logits, -CERTAIN, CERTAIN))


def columns_of_sigmoids(probabilities: NDArray[np.floating], sets: Sets, *, loss: Loss | None = None) -> dict[str, Any]:
    """The columns that follow where each class has a probability of its own and several may be true.

    A true class whose saved probability is 0, or one that is not and has 1, makes the loss infinite.

    Args:
        probabilities: float[example class], each in [0, 1].
        sets: as for `labelled_columns`.
        loss: binary cross-entropy where None.
    """
    logits = logits_of_sigmoids(probabilities)
    columns = labelled_columns(logits, None, task="multilabel", loss=loss, sets=sets)
    chosen = loss or default_loss("multilabel")
    if chosen is not None and chosen.spec.startswith("binary-"):
        true, known = multi_hot(sets or [None] * len(logits), logits.shape[1])
        counted = np.ones(logits.shape[1], np.bool_) if not chosen.weights else np.asarray(chosen.weights) > 0
        impossible = (logits == np.where(true > 0, -CERTAIN, CERTAIN)) & counted
        columns["loss"] = np.where(known & ~columns["nonfinite"] & impossible.any(axis=1), np.inf, columns["loss"])
    return columns


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
