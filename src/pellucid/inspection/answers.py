"""What a model answers: which task its outputs and the targets say it is, and the numbers of a batch."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pellucid.data import check_targets
from pellucid.measures.saved import check_probabilities
from pellucid.types import Batch, OutputKind, Task

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from torch import Tensor


def task_of(outputs: Tensor, targets: Tensor | None, classes: tuple[str, ...], *, sets: bool = False) -> Task:
    """What kind of question the model answers, from one example's output and target.

    Classification: one score a class, float[batch class], with class indices or without targets; or a single logit
    with targets 0 and 1 or two class names. Multilabel: one score a class, with sets of classes. Regression: one number with
    targets that are numbers.
    """
    if sets:
        return "multilabel" if outputs.ndim == 2 else "none"
    single = outputs.ndim == 1 or (outputs.ndim == 2 and outputs.shape[1] == 1)
    indices = targets is not None and not targets.is_floating_point()
    if outputs.ndim == 2 and not single:
        return "classification" if targets is None or indices else "none"
    if single and (indices or len(classes) == 2):
        return "classification"
    return "regression" if single and targets is not None else "none"


def scores_of(output: Any, batch: Batch, task: Task, kind: OutputKind) -> NDArray[np.float32]:
    """The model's numbers on the CPU, float32[batch class] for classification and sets of classes.

    Args:
        output: of the model for the batch.
        batch: the examples.
        task: what the output answers.
        kind: what its numbers are.

    Raises: ModelError: there are none, or what was taken for probabilities is none. DataError: a target beyond them.
    """
    from pellucid.capture import class_scores, logits_of

    outputs = logits_of(output).detach().to("cpu").float()
    if task in ("classification", "multilabel"):
        outputs = class_scores(outputs, kind) if task == "classification" else outputs
        check_targets(batch, outputs.shape[1])
    scores: NDArray[np.float32] = outputs.numpy()
    if kind == "probabilities":
        check_probabilities(scores, batch.ids, singly=task == "multilabel")
    return scores
