"""The closer look: one forward and one backward over a few examples, for a record or on demand."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from pellucid.errors import TargetError
from pellucid.measures.choose import choose
from pellucid.measures.labels import multi_hot
from pellucid.types import Batch, Layer, Observation, OutputKind, Task

if TYPE_CHECKING:
    from torch import Tensor

    from pellucid.capture import Session
    from pellucid.inspection.options import Explains, Options
    from pellucid.record import Record

ONE_NUMBER = "The model gives one number and no classes: that number is what is explained. Name no class and no label."


def observe_closely(
    session: Session,
    batch: Batch,
    layers: Mapping[str, Layer],
    target: Explains,
    reasons: Sequence[str],
    task: Task,
    kind: OutputKind = "logits",
) -> tuple[Observation, tuple[str, ...]]:
    """Activations of every layer, and gradients of the explained score by them and by the input.

    Args:
        session: holds the model.
        batch: the examples.
        layers: by name, those of the session.
        target: the class whose score is explained, as `explained_classes` takes it; of a regression its one number is.
        reasons: why each example was chosen.
        task: what the model answers; not "none".
        kind: what the scores are.

    Returns: the observation, and warnings in words.
    Raises: TargetError: the model has no such class. MethodError: it has no gradients.
    """
    from pellucid.capture import class_scores, explained_scores, logits_of

    classes: list[Tensor] = []

    def scores_of(output: Any) -> Tensor:
        outputs = logits_of(output).detach()
        if task == "regression":
            return outputs.reshape(-1, 1)
        return class_scores(outputs, kind) if task == "classification" else outputs

    def score(output: Any) -> Tensor:
        outputs = logits_of(output)
        if task == "regression":
            return outputs.reshape(-1)
        # A model that is run a second time (see Session.explain) explains the same classes.
        classes[:] = [explained_classes(target, scores_of(output), batch)]
        of_classes = explained_scores(outputs) if task == "classification" else outputs
        return of_classes.gather(1, classes[0][:, None])[:, 0]

    captured = session.explain(batch.inputs, score)
    seen = Observation(
        stage="focus",
        batch=batch,
        outputs=scores_of(captured.outputs).to("cpu").float(),
        layers=layers,
        activations=captured.activations,
        gradients=captured.gradients,
        input_gradients=captured.input_gradients,
        explained=classes[0].cpu() if classes else None,
        scores=None if captured.scores is None else captured.scores.cpu(),
        reasons=tuple(reasons),
    )
    return seen, captured.warnings


def check_explains(target: Explains, task: Task) -> None:
    """Refuses what a model of a task has not. Raises: TargetError."""
    if task == "regression" and target != "prediction":
        raise TargetError(ONE_NUMBER)


def chosen_rows(record: Record, task: Task, options: Options) -> list[tuple[int, str]]:
    """Rows that deserve a closer look, each with the reason. Raises: TargetError: there are no labels to explain."""
    if task != "classification":
        return choose(columns_of(record, "loss")[0], None, None, options.chosen, options.seed)
    losses, *classes = columns_of(record, "loss", "target", "prediction")
    targets, predictions = (np.nan_to_num(values, nan=-1.0).astype(np.int64) for values in classes)
    if options.target == "label" and targets.max(initial=-1) < 0:
        raise TargetError("target='label' needs examples with a class as their target; these have none.")
    return choose(losses, targets, predictions, options.chosen, options.seed)


def columns_of(record: Record, *names: str) -> list[NDArray[np.float64]]:
    """Columns of the examples table as float64[example], NaN where not known."""
    table = record.examples()
    return [np.asarray(table[name].to_numpy(zero_copy_only=False), np.float64) for name in names]


def explained_classes(target: Explains, scores: Tensor, batch: Batch) -> Tensor:
    """Which class of each example is explained: int64[batch].

    Args:
        target: "prediction" is the strongest class; "label" the true one, of several the strongest of them, and the strongest
            of all where none is true or known; or the index of a class.
        scores: float[batch class].
        batch: the examples with their labels.

    Raises: TargetError: there is no such class.
    """
    import torch

    strongest = scores.argmax(dim=1)
    if target == "prediction":
        return strongest
    if target == "label":
        if batch.sets:
            true = torch.from_numpy(multi_hot(batch.sets, scores.shape[1])[0]).bool().to(scores.device)
            return torch.where(true.any(1), scores.masked_fill(~true, -torch.inf).argmax(dim=1), strongest)
        if batch.targets is None:
            return strongest
        there = batch.targets.to(scores.device)
        return torch.where(there >= 0, there, strongest)
    if not 0 <= target < scores.shape[1]:
        number = scores.shape[1]
        raise TargetError(f"The model has {number} outputs, 0 to {number - 1}; there is no output {target}.")
    return torch.full_like(strongest, target)
