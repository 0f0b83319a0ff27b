"""Where a model's scores are in what it gives back: one tensor, or one of the several that a dict, tuple or object holds."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from pellucid.errors import ModelError
from pellucid.graph.containers import parts_of

NAMES = (
    "logits", "scores", "prediction", "predictions", "pred", "preds", "output", "outputs", "out", "y_hat", "y_pred", "probs",
    "probabilities",
)  # fmt: skip
"""What scores are called, the surest name first."""


def logits_of(output: Any) -> Tensor:
    """The tensor of scores in a model's output: itself, `.logits`, an entry with a name of scores, or the first of numbers.

    Losses are none: entries called so, and single numbers beside tensors with axes. Whole numbers are taken where there are no
    others, for it is classes that they are.

    Raises: ModelError: there is none.
    """
    if isinstance(output, Tensor):
        return output
    named = getattr(output, "logits", None)
    if isinstance(named, Tensor):
        return named
    found = _candidates(output)
    if not found:
        raise ModelError(
            f"The model's output is a {type(output).__name__} without a tensor of logits. Expected a tensor float[batch "
            "class], an object with .logits, a dict with 'logits', or a tuple whose first tensor they are."
        )
    return found[_taken(found)]


def taken_from(output: Any) -> str:
    """Which of several tensors `logits_of` takes, in words, where nothing in the output says that it holds the scores."""
    if isinstance(output, Tensor) or isinstance(getattr(output, "logits", None), Tensor):
        return ""
    found = _candidates(output)
    if len(found) < 2 or not all(part.is_floating_point() for part in found.values()):
        return ""
    name = _taken(found)
    if name in NAMES:
        return ""
    if isinstance(name, str):
        return f"{name!r} of the entries {', '.join(map(repr, found))}"
    return f"the first of {len(found)} tensors"


def unscored(output: Any, examples: int) -> str:
    """Why the numbers of an output are no scores of its examples, in words; empty where they are, or where it has no tensor.

    Args:
        output: what the model gave.
        examples: for how many.
    """
    try:
        found = logits_of(output)
    except ModelError:
        return ""
    if not found.is_floating_point():
        kind = str(found.dtype).removeprefix("torch.")
        return (
            f"The model gives no numbers of floating point but {kind} of shape {tuple(found.shape)}, as classes are: no loss or "
            "confidence can be told from them. Give the model without its last step, so that it gives logits; or record "
            "its answers without it: pellucid import."
        )
    if (len(found) if found.ndim else 1) != examples:
        many = "1 example" if examples == 1 else f"{examples} examples"
        return (
            f"The model's output has the shape {tuple(found.shape)} for {many}: its first axis is not the "
            "examples, so that nobody can tell whose scores they are. Give the model one row of outputs an "
            "example, such as logits[batch class]."
        )
    return ""


def scores_in(output: Any, examples: int) -> Tensor:
    """As `logits_of`, with the examples in front; where there are no scores of them, float[examples 0 0], which answer no task.

    So it is of the boxes of a detector, of time steps in front of the examples, of classes in place of their scores.
    """
    try:
        found = logits_of(output)
    except ModelError:
        return torch.zeros(examples, 0, 0)
    if unscored(output, examples):
        return torch.zeros(examples, 0, 0)
    return found if found.ndim else found[None]


def _candidates(output: Any) -> dict[Any, Tensor]:
    """The tensors that may hold scores, by name or place: those of numbers and with axes, where there are any."""
    parts = parts_of(output) or {}
    if hasattr(output, "_fields"):
        parts = dict(zip(output._fields, parts.values(), strict=True))
    found = {name: part for name, part in parts.items() if isinstance(part, Tensor) and not _is_loss(name)}
    found = {name: part for name, part in found.items() if part.ndim} or found
    return {name: part for name, part in found.items() if part.is_floating_point()} or found


def _taken(found: dict[Any, Tensor]) -> Any:
    return next((name for name in NAMES if name in found), next(iter(found)))


def _is_loss(name: object) -> bool:
    return isinstance(name, str) and "loss" in name.lower().split("_")
