"""The columns of examples under any loss and any kind of label: one class, a soft label, a set of classes, a number."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from pellucid.errors import OptionError
from pellucid.measures.losses import Loss, default_loss, log_probabilities
from pellucid.measures.predictions import TOP_K, columns_of
from pellucid.measures.strongest import strongest
from pellucid.types import Task

Floats: TypeAlias = NDArray[np.float64]
Sets: TypeAlias = Sequence[frozenset[int] | None]


def labelled_columns(
    outputs: NDArray[np.floating],
    targets: NDArray[np.generic] | None,
    *,
    task: Task,
    loss: Loss | None = None,
    soft: Floats | None = None,
    sets: Sets = (),
) -> dict[str, Any]:
    """What `columns_of` gives, with the loss that was asked for and with the labels that there are.

    Args:
        outputs: as for `columns_of`.
        targets: likewise; of a soft label the most probable class.
        task: likewise, or multilabel.
        loss: the task's own where None.
        soft: float64[example class], NaN where an example has no soft label; None where none has.
        sets: the classes that are true of each example, None where that is not known (multilabel).

    Returns: the columns of the examples table, with `soft_target` and `targets` (a list, as their lengths differ) where there
        are such labels, and `log_loss` (nats) where the loss is another one in a classification.
    """
    chosen = loss or default_loss(task)
    if chosen is not None:
        check_fits(chosen, task, soft=soft is not None)
    if task == "multilabel":
        return _of_sets(outputs, sets, chosen)
    columns: dict[str, Any] = dict(columns_of(outputs, targets, task=task))
    if chosen is None or (chosen.plain and soft is None):
        return columns
    if task == "classification":
        relabel(columns, outputs, chosen, soft)
    elif task == "regression" and chosen.spec != "squared-error" and columns["output"].shape == (len(outputs),):
        known = np.isfinite(columns["loss"])
        columns["loss"][known] = chosen.of(columns["output"][known], columns["target"][known])
    return columns


def check_fits(loss: Loss, task: Task, *, soft: bool = False) -> None:
    """Refuses a loss of another task. Raises: OptionError."""
    if task != "none" and task not in loss.tasks:
        raise OptionError(
            f"The loss {loss.spec} is for {' or '.join(sorted(loss.tasks))}, but this is {task}: the model's outputs and the "
            "targets say so."
        )
    if soft and loss.spec.startswith("hinge"):
        raise OptionError(
            f"The loss {loss.spec} needs one class an example; these have soft labels. Use cross-entropy."
        )


def multi_hot(sets: Sets, classes: int) -> tuple[Floats, NDArray[np.bool_]]:
    """Sets of classes as float64[example class] of zeros and ones, and which examples have one: bool[example]."""
    found = np.zeros((len(sets), classes))
    for row, one in enumerate(sets):
        found[row, sorted(one or ())] = 1.0
    return found, np.array([one is not None for one in sets], np.bool_)


def relabel(columns: dict[str, Any], logits: NDArray[np.floating], loss: Loss, soft: Floats | None) -> None:
    """Puts another loss in its place, and what soft labels change.

    Args:
        columns: those of `columns_of`, changed in place.
        logits: float[example class]; -infinity where a class is given no probability.
        loss: of a classification.
        soft: as for `labelled_columns`.
    """
    known = (columns["target"] >= 0) & ~columns["nonfinite"]
    wide = logits[known].astype(np.float64)
    log_loss = columns["loss"].copy()
    own = columns["target"][known]
    if soft is not None:
        labels = own = soft[known]
        log_p = log_probabilities(wide)
        costs = np.where(labels > 0, -labels * log_p, 0.0)
        log_loss[known] = costs.sum(axis=1)
        # Expected under the label: the distance of the two distributions, and the label's own variance.
        probabilities = np.exp(log_p)
        columns["brier"][known] = ((probabilities - labels) ** 2 + labels * (1.0 - labels)).sum(axis=1)
        columns["soft_target"] = soft
    columns["loss"] = log_loss.copy()
    if not loss.plain:
        columns["loss"][known] = loss.of(wide, own)
        columns["log_loss"] = log_loss


def _of_sets(logits: NDArray[np.floating], sets: Sets, loss: Loss | None) -> dict[str, Any]:
    """Columns of a multilabel example: probabilities are sigmoids, each class by itself."""
    number, classes = logits.shape
    true, known = multi_hot(sets or [None] * number, classes)
    defined = np.isfinite(logits).all(axis=1)
    wide = np.where(defined[:, None], logits.astype(np.float64), 0.0)
    best = strongest(wide, min(max(TOP_K, 2), classes))
    probabilities = np.exp(-np.logaddexp(0.0, -wide))
    shares = np.take_along_axis(probabilities, best, axis=1)
    costs = np.logaddexp(0.0, wide) - probabilities * wide  # the entropy of each class: it loses nothing near 0 and 1
    counted = known & defined
    losses = np.full(number, np.nan)
    if loss is not None and counted.any():
        losses[counted] = loss.of(wide[counted], true[counted])
    kept = min(TOP_K, classes)
    return {
        "target": np.full(number, -1, np.int64),
        "prediction": np.where(defined, best[:, 0], -1).astype(np.int64),
        "loss": losses,
        "confidence": np.where(defined, shares[:, 0], np.nan).astype(np.float32),
        "entropy": np.where(defined, costs.sum(axis=1), np.nan).astype(np.float32),
        "margin": np.where(defined, shares[:, 0] - shares[:, min(1, classes - 1)], np.nan).astype(np.float32),
        "rank": np.full(number, -1, np.int64),
        "top_classes": np.where(defined[:, None], best[:, :kept], -1).astype(np.int32),
        "top_probabilities": np.where(defined[:, None], shares[:, :kept], np.nan).astype(np.float32),
        "nonfinite": ~defined,
        "brier": np.where(counted, ((probabilities - true) ** 2).mean(axis=1), np.nan),
        "targets": [None if one is None else sorted(one) for one in sets or [None] * number],
        "called": [
            np.flatnonzero(row).tolist() if there else None for row, there in zip(wide >= 0, defined, strict=True)
        ],
    }
