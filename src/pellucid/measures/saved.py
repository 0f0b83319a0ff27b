"""From saved predictions to the rows of the examples table: probabilities as they were written, or classes alone."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pellucid.measures.labels import Sets, check_fits, labelled_columns, multi_hot, relabel
from pellucid.measures.losses import CERTAIN, Loss, default_loss
from pellucid.measures.predictions import TOP_K, Columns, Weighed, classified
from pellucid.types import OutputKind, Task

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


class LogProbabilities:
    """The logarithms of saved probabilities, float64[example class], to stand for logits; made where somebody looks.

    NumPy takes it for an array, whole; `[...]` takes of it what an array gives, and nothing else is computed.
    """

    def __init__(self, probabilities: NDArray[np.floating]) -> None:
        self.probabilities = probabilities
        self.shape, self.ndim = probabilities.shape, probabilities.ndim

    def __len__(self) -> int:
        return len(self.probabilities)

    def __getitem__(self, place: Any) -> NDArray[np.float64]:
        return log_probabilities(self.probabilities[place])

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> NDArray[Any]:
        return log_probabilities(self.probabilities).astype(dtype or np.float64, copy=False)


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
    true, _ = multi_hot(sets or [None] * len(logits), logits.shape[1])
    _cost_infinitely(columns, logits == np.where(true > 0, -CERTAIN, CERTAIN), loss)
    return columns


def _cost_infinitely(columns: dict[str, Any], impossible: NDArray[np.bool_], loss: Loss | None) -> None:
    """Makes the loss of sets infinite where what is the case was given no probability, bool[example class]; not one's own loss."""
    chosen = loss or default_loss("multilabel")
    if chosen is not None and chosen.spec.startswith("binary-"):
        counted = np.ones(impossible.shape[1], np.bool_) if not chosen.weights else np.asarray(chosen.weights) > 0
        columns["loss"] = np.where(
            (impossible & counted).any(axis=1) & ~np.isnan(columns["loss"]), np.inf, columns["loss"]
        )


def _of_probabilities(probabilities: NDArray[np.floating], highest: NDArray[np.floating]) -> Weighed:
    weights = probabilities.astype(np.float64)
    total = weights.sum(axis=1)
    # In the precision of what was saved; all terms have one sign, so that the sum keeps it. A probability of 0 adds nothing.
    terms = np.log(np.maximum(probabilities, np.finfo(probabilities.dtype).tiny)) * weights
    with np.errstate(divide="ignore"):
        # Nothing is below 0 but by rounding: of one certain class, saved as a little more than one.
        entropy = np.maximum(np.log(total) - terms.sum(axis=1) / total, 0.0)
    rows = np.arange(len(weights))

    def log_weight(classes: NDArray[np.int64]) -> NDArray[np.float64]:
        return log_probabilities(weights[rows, classes])

    return Weighed(weights, total, entropy, log_weight)


def columns_of_scores(
    scores: NDArray[np.floating],
    kind: OutputKind,
    task: Task,
    targets: NDArray[np.generic] | None,
    *,
    loss: Loss | None = None,
    soft: NDArray[np.float64] | None = None,
    sets: Sets = (),
) -> tuple[NDArray[np.floating] | LogProbabilities, dict[str, Any]]:
    """Logits, or what stands for them, and the columns, of either kind of scores.

    Args:
        scores: float[example class], or what `labelled_columns` takes of another task.
        kind: what they are.
        task: as for `labelled_columns`.
        targets: likewise.
        loss: likewise.
        soft: likewise.
        sets: likewise.

    Raises: OptionError: the loss is of another task.
    """
    if kind == "logits":
        out = ruled_out(scores)
        if out.any():
            return _with_ruled_out(scores, out, task, targets, loss=loss, soft=soft, sets=sets)
        return scores, labelled_columns(scores, targets, task=task, loss=loss, soft=soft, sets=sets)
    if task == "multilabel":
        return logits_of_sigmoids(scores), columns_of_sigmoids(scores, sets, loss=loss)
    return LogProbabilities(scores), labelled_columns_of_probabilities(scores, targets, loss=loss, soft=soft)


def ruled_out(logits: NDArray[np.floating]) -> NDArray[np.bool_]:
    """Classes that a model has ruled out by a logit of -infinity, bool[example class]; none where a row has no number at all."""
    out = np.isneginf(logits) if logits.ndim == 2 else np.zeros(logits.shape, np.bool_)
    return out & np.isfinite(logits).any(axis=-1, keepdims=True) if out.any() else out


def _with_ruled_out(
    logits: NDArray[np.floating],
    out: NDArray[np.bool_],
    task: Task,
    targets: NDArray[np.generic] | None,
    *,
    loss: Loss | None,
    soft: NDArray[np.float64] | None,
    sets: Sets,
) -> tuple[NDArray[np.floating], dict[str, Any]]:
    """Logits and columns where some classes are ruled out: their probability is 0, so that such a label costs infinitely much.

    Args:
        logits: as for `columns_of_scores`; the others likewise.
        out: bool[example class], those with -infinity.
        task: likewise.
        targets: likewise.
        loss: likewise.
        soft: likewise.
        sets: likewise.
    """
    # So far below all others that nothing is left of it in float64, and the order of the others is as it was.
    lowest = np.where(out, np.inf, logits).min(axis=1, keepdims=True).astype(np.float64)
    low = np.where(out, np.minimum(lowest, 0.0) - CERTAIN, logits)
    if task == "multilabel":
        columns = labelled_columns(low, None, task=task, loss=loss, sets=sets)
        true, _ = multi_hot(sets or [None] * len(low), low.shape[1])
        _cost_infinitely(columns, out & (true > 0), loss)
        return low, columns
    columns = labelled_columns(low, targets, task=task)
    if targets is not None:
        impossible = np.take_along_axis(out, np.maximum(columns["target"], 0)[:, None], axis=1)[:, 0]
        columns["loss"] = np.where(impossible & ~np.isnan(columns["loss"]), np.inf, columns["loss"])
    chosen = loss or default_loss("classification")
    if chosen is not None and not (chosen.plain and soft is None):
        check_fits(chosen, "classification", soft=soft is not None)
        with np.errstate(invalid="ignore"):
            relabel(columns, logits, chosen, soft)
    return logits, columns


def columns_of_classes(
    predictions: NDArray[np.integer],
    targets: NDArray[np.generic] | None,
    given: Mapping[str, NDArray[np.floating] | NDArray[np.integer]] | None = None,
) -> Columns:
    """The columns that follow from predicted classes alone: the others are not defined.

    The rank of the target is 0 where the prediction is right. Elsewhere it is not known (-1), unless it is given.

    Args:
        predictions: int[example], -1 where there is none.
        targets: int[example], -1 where unknown; or None.
        given: float[example] or int[example] by name, of GIVEN, NaN or -1 where unknown; what else was saved with the classes.
    """
    number = len(predictions)
    prediction = np.asarray(predictions, np.int32)
    target = np.full(number, -1, np.int32) if targets is None else targets.astype(np.int32, copy=False)
    beside = given or {}
    known = (target >= 0) & (prediction >= 0)
    # Where nothing is known one number stands for all.
    nothing = np.broadcast_to(np.float32(np.nan), number)
    confidence = beside["confidence"].astype(np.float32, copy=False) if "confidence" in beside else nothing
    return {
        "target": target,
        "prediction": prediction,
        "loss": np.where(known, beside["loss"], np.nan) if "loss" in beside else np.broadcast_to(np.nan, number),
        "confidence": confidence,
        "entropy": beside["entropy"].astype(np.float32, copy=False) if "entropy" in beside else nothing,
        "margin": beside["margin"].astype(np.float32, copy=False) if "margin" in beside else nothing,
        "rank": _ranks(beside.get("rank"), known, target == prediction),
        "top_classes": prediction[:, None],
        "top_probabilities": confidence[:, None],
        "nonfinite": prediction < 0,
    }


def _ranks(
    saved: NDArray[np.floating] | NDArray[np.integer] | None, known: NDArray[np.bool_], right: NDArray[np.bool_]
) -> NDArray[np.integer]:
    """Ranks of the targets as they were saved; where they were not, 0 for a right prediction, else -1."""
    if saved is not None and saved.dtype.kind == "i" and known.all() and saved.min(initial=0) >= 0:
        return saved.astype(np.int32, copy=False)
    rank = np.where(known & right, 0, -1)
    return rank if saved is None else np.where(known & (saved >= 0), saved, rank).astype(np.int64)
