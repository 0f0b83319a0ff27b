"""What the training loop tells: numbers, and batches whose accuracy is told by them. Nothing here waits for a GPU."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from pellucid.capture.logits import logits_of
from pellucid.errors import ModelError, OptionError

# How far two computations of one loss may be apart.
_RELATIVE, _ABSOLUTE = 1e-4, 1e-6


# Names of what a Watch writes itself.
OWN_NAMES = frozenset(
    (
        "learning_rate", "gradient_norm", "weight_norm", "update_ratio", "weight_histogram", "gradient_histogram",
        "activation_histogram",
    )
)  # fmt: skip


def number(name: str, value: object) -> Tensor | float:
    """One number of the loop, copied: the loop may add to its loss in place. Raises: OptionError: it is none."""
    if isinstance(value, Tensor):
        if value.numel() != 1:
            raise OptionError(
                f"log({name}=...) takes one number; got a tensor of shape {tuple(value.shape)}. Pass its mean."
            )
        if value.is_complex():
            raise OptionError(f"log({name}=...) takes one real number; got a complex one. Pass its abs().")
        return value.detach().clone()
    if isinstance(value, np.ndarray) and value.size == 1:
        value = value.item()
    if isinstance(value, int | float | np.number) and not isinstance(value, np.complexfloating):
        try:
            return float(value)
        except OverflowError:
            raise OptionError(f"log({name}=...) takes one number of up to 1.8e308; got a larger one.") from None
    raise OptionError(f"log({name}=...) takes one number; got {type(value).__name__} {value!r}.")


def accuracy(outputs: object, targets: object, loss: Tensor | float) -> Tensor | None:
    """Share of the labelled examples that are answered right; NaN where it turns out that there is none to tell.

    Of several outputs the largest is the answer. A single one answers 1 above 0 where it is a logit, which shows in the loss:
    that is its binary cross-entropy. It may as well be a probability, a count or any number, and is then not judged.

    Args:
        outputs: a tensor float[batch class] or float[batch 1], or what has one as its logits.
        targets: int[batch]; negative ones (as the -100 of torch) are no labels.
        loss: mean of the batch.

    Returns: float[], or None where outputs and targets have other shapes or types.
    """
    try:
        scores = logits_of(outputs).detach()
    except ModelError:
        return None
    if not isinstance(targets, Tensor) or targets.is_floating_point() or targets.is_complex():
        return None
    if scores.ndim != 2 or not scores.shape[1] or targets.shape != scores.shape[:1] or not scores.is_floating_point():
        return None
    targets = targets.detach()
    if targets.device != scores.device:
        targets = targets.to(scores.device)
    labelled = targets >= 0
    if scores.shape[1] > 1:
        return _share(scores.argmax(dim=1) == targets, labelled)  # no negative target is the largest
    logits = scores.reshape(-1).to(torch.float32)
    # Binary cross-entropy; torch's own takes several times as long.
    entropy = (F.softplus(logits * (1 - 2 * targets.to(logits))) * labelled).sum() / labelled.sum()
    share = _share(((logits > 0) == targets) & labelled, labelled)
    return torch.where(_equal(entropy, loss) & (targets <= 1).all(), share, float("nan"))


def _share(right: Tensor, labelled: Tensor) -> Tensor:
    return right.count_nonzero() / labelled.count_nonzero()  # on a CPU several times as fast as their sums


def _equal(entropy: Tensor, loss: Tensor | float) -> Tensor:
    """Whether two losses are one, but for rounding; a loss of fewer bits is rounded more."""
    relative = _RELATIVE
    if isinstance(loss, Tensor):
        if loss.is_floating_point():
            relative = max(relative, 4 * torch.finfo(loss.dtype).eps)
        loss = loss.detach().to(entropy).reshape(())
    return (entropy - loss).abs() <= relative * entropy + _ABSOLUTE
