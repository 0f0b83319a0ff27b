"""What a model answers: which task its outputs and the targets say it is, and the numbers of a batch."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from pellucid.data import Source, check_targets, collate
from pellucid.errors import DataError, ModelError
from pellucid.inspection.describe import length_of
from pellucid.types import Batch, OutputKind, Task

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from torch import Tensor

# Targets that are looked at to tell classes from numbers.
LABELS = 32


def task_of(
    outputs: Tensor, targets: Tensor | None, classes: tuple[str, ...], *, sets: bool = False, numbers: bool = False
) -> Task:
    """What kind of question the model answers, from one example's output and the targets of some.

    Classification: one score a class, float[batch class], with classes or without targets; or a single output with
    targets 0 and 1 alone or two class names. Classes may be numbers of floating point, as losses of single outputs want them: whole
    ones, of a single output 0 and 1 alone. Multilabel: one score a class, with sets of classes. Regression: one number with
    targets that are other numbers, or where somebody says so.

    Args:
        outputs: of one example.
        targets: of some examples, NaN or -1 where there is none.
        classes: names, where they are known.
        sets: whether the targets are sets of classes.
        numbers: whether the outputs are said to be the numbers of a regression.
    """
    from pellucid.capture import is_single

    if sets:
        return "multilabel" if outputs.ndim == 2 else "none"
    single = is_single(outputs)
    if numbers:
        return "regression" if single and targets is not None else "none"
    most = 1 if single else outputs.shape[-1] - 1
    indices = targets is not None and _are_classes(targets, most, single=single)
    if outputs.ndim == 2 and not single:
        return "classification" if targets is None or indices else "none"
    if single and (indices or len(classes) == 2):
        return "classification"
    return "regression" if single and targets is not None else "none"


def _are_classes(targets: Tensor, most: int, *, single: bool) -> bool:
    if not targets.is_floating_point():
        # Of several outputs a whole number is a class, or an error that is told later.
        return not single or bool((targets <= most).all())
    known = set(targets[~targets.isnan()].tolist())
    # Of one number alone nobody knows.
    return len(known) > 1 and all(one.is_integer() and 0 <= one <= most for one in known)


def some_labels(source: Source, first: Batch, batch_size: int, *, single: bool) -> Batch:
    """Examples whose targets say what kind they are: the first, or where it alone cannot, some of the whole source.

    It cannot where it has no target, a number of floating point or, of a single output, a whole one; nor where it has one class
    of zeros and ones, which is a set of classes where others are. The inputs of some are not theirs.

    Args:
        source: of the examples.
        first: its first example.
        batch_size: of a source whose length is not known.
        single: whether the model gives one number an example.
    """
    import torch

    target, soft = first.targets, first.soft
    if soft is not None:
        told = bool(soft.max() < 1)
    else:
        told = any(one is not None for one in first.sets) or (
            target is not None and not target.is_floating_point() and not single
        )
    if told:
        return first
    number = length_of(source)
    if number is None or target is None:
        return next(source.batches(batch_size))
    rows = sorted({round(place * (number - 1) / (LABELS - 1)) for place in range(LABELS)})
    # Without their inputs, which need not have one shape.
    some = collate([replace(source.example(row), inputs=torch.zeros(())) for row in rows], 0)
    return replace(some, rows=tuple(rows))


def check_signs(labels: Batch, source: Source) -> None:
    """Refuses labels -1 and 1 of a single output: a class -1 would be no label, and a number no class.

    Args:
        labels: targets of some examples.
        source: of them.

    Raises: DataError.
    """
    targets = labels.targets
    if targets is None or set(targets.tolist()) != {-1, 1}:
        return
    if not targets.is_floating_point():
        # Among whole numbers -1 stands for no label as well: the example itself says which it is.
        place = int((targets == -1).nonzero()[0])
        if source.example(labels.rows[place] if labels.rows else place).target is None:
            return
    raise DataError(
        f"The targets of {source.source} are -1 and 1. Give the two classes as 0 and 1, and None where there is no label; if the "
        "model is a regression of such numbers, say so: --outputs numbers."
    )


def scores_of(output: Any, batch: Batch, task: Task, kind: OutputKind) -> NDArray[np.floating]:
    """The model's numbers on the CPU, float32[batch class] for classification and sets of classes; float64 in a regression.

    Args:
        output: of the model for the batch.
        batch: the examples.
        task: what the output answers.
        kind: what its numbers are.

    Raises: ModelError: there are none, or what was taken for probabilities is none. DataError: a target beyond them.
    """
    from pellucid.capture import class_scores, is_single, logits_of, scores_in

    outputs = (scores_in(output, len(batch)) if task == "none" else logits_of(output)).detach().to("cpu")
    outputs = outputs.double() if task == "regression" else outputs.float()
    if task != "none" and (len(outputs) if outputs.ndim else 1) != len(batch):
        raise ModelError(
            f"The model's output has the shape {tuple(outputs.shape)} for {len(batch)} examples: its first axis must be the "
            "examples. Give the model one row of outputs an example, such as logits[batch class]."
        )
    outputs = outputs if outputs.ndim else outputs[None]
    if task in ("classification", "multilabel"):
        single = task == "classification" and is_single(outputs)
        outputs = class_scores(outputs, kind) if task == "classification" else outputs
        check_targets(batch, outputs.shape[1], single=single, sets=task == "multilabel")
    if kind == "probabilities":
        _check_probabilities(outputs, batch.ids, singly=task == "multilabel")
    scores: NDArray[np.floating] = outputs.numpy()
    return scores


def _check_probabilities(outputs: Tensor, names: Sequence[str], *, singly: bool) -> None:
    """Refuses a row that holds no probabilities; rows with NaN or infinity are no answer, and are counted as such."""
    from pellucid.capture.scores import SHORT_ROUNDED

    rows = outputs.double()
    sums = rows.sum(1)
    outside = ((rows < 0) | (rows > 1 + SHORT_ROUNDED)).any(1)
    uneven = ((sums - 1).abs() > SHORT_ROUNDED) & (not singly)
    for place in (rows.isfinite().all(1) & (outside | uneven)).nonzero()[:1, 0].tolist():
        what = f"add up to {sums[place]:.4g}" if uneven[place] else "have a number outside of 0 to 1"
        raise ModelError(
            f"The model's outputs were taken for probabilities, but those of {names[place]} {what}. If they are logits, say so: "
            "--outputs logits."
        )
