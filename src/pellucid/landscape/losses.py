"""The losses of `measures.losses` on tensors, so that they can be differentiated, and what examples are judged by."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TypeAlias

import torch
from torch import Tensor
from torch.nn import functional

from pellucid.capture import is_single, log_scores, logits_of
from pellucid.errors import MethodError
from pellucid.measures.losses import Loss, loss_named, on_model_outputs
from pellucid.types import OutputKind, Task

OnTensors: TypeAlias = Callable[[Tensor, Tensor], Tensor]
_KINKED = ("hinge", "absolute-error")


@dataclass(frozen=True)
class Objective:
    """What an example costs, from the model's output and its label.

    Attributes:
        loss: named and defined.
        task: decides what the output is: float[batch class], or float[batch] of a regression.
        kind: what a classifier's outputs are.
    """

    loss: Loss
    task: Task
    kind: OutputKind = "logits"

    def outputs(self, output: object) -> Tensor:
        """float64[batch class] logits, or float64[batch]: what the loss takes, of what the model gave."""
        scores = logits_of(output)
        if self.task == "regression":
            return scores.reshape(len(scores)).double()
        return log_scores(scores, self.kind, self.task, torch.float64)

    def handed(self, output: object) -> Objective:
        """The same, with a loss of the user's own that takes what the model gave; see `on_model_outputs`."""
        single = is_single(logits_of(output))
        return replace(self, loss=on_model_outputs(self.loss, self.task, self.kind, single=single))

    def losses(self, outputs: Tensor, targets: Tensor) -> Tensor:
        """float64[batch]. Differentiable where the loss is one of ours.

        Args:
            outputs: as `outputs` gives them.
            targets: int64[batch] classes, float64[batch class] soft labels or sets, or float64[batch] numbers.
        """
        ours = on_tensors(self.loss)
        if ours is not None:
            return ours(outputs, targets)
        found = self.loss.of(outputs.detach().cpu().numpy(), targets.cpu().numpy())
        return torch.from_numpy(found).to(outputs.device)

    def right(self, outputs: Tensor, targets: Tensor) -> Tensor | None:
        """bool[batch]: whether the most probable class is the target; None where there is no one class."""
        if self.task != "classification":
            return None
        return outputs.argmax(1) == (targets if targets.ndim == 1 else targets.argmax(1))

    def check_smooth(self) -> None:
        """Refuses a loss whose second derivative says nothing. Raises: MethodError."""
        if on_tensors(self.loss) is None:
            raise MethodError(
                f"Sharpness needs the second derivative of the loss, which is not known of {self.loss.name}, a loss of your "
                "own. Give one of those by name: --loss cross-entropy."
            )
        if self.loss.spec.startswith(_KINKED):
            raise MethodError(
                f"Sharpness needs a loss with a second derivative; the {self.loss.name} is made of straight pieces, whose "
                "second derivative is 0 between their ends and not defined at them. Give another: --loss cross-entropy."
            )


def on_tensors(loss: Loss) -> OnTensors | None:
    """The same loss on float64 tensors; None where it is not one that is known by name."""
    name = loss.spec.partition(":")[0]
    made = _MAKERS.get(name)
    return None if made is None else made(loss)


def _at_label(costs: Tensor, targets: Tensor) -> Tensor:
    if targets.ndim == 2:
        # A class that is never the label costs nothing, even where it is given no probability at all.
        return torch.where(targets > 0, targets * costs, 0.0).sum(1)
    return costs.gather(1, targets[:, None])[:, 0]


def _weighted(costs: Tensor, loss: Loss) -> Tensor:
    return costs * costs.new_tensor(loss.weights) if loss.weights else costs


def _cross_entropy(loss: Loss) -> OnTensors:
    def of(logits: Tensor, targets: Tensor) -> Tensor:
        costs = _weighted(-functional.log_softmax(logits, 1), loss)
        own = _at_label(costs, targets)
        return own if loss.smoothing == 0 else (1 - loss.smoothing) * own + loss.smoothing * costs.mean(1)

    return of


def _focal(loss: Loss) -> OnTensors:
    def of(logits: Tensor, targets: Tensor) -> Tensor:
        log_p = functional.log_softmax(logits, 1)
        return _at_label(_weighted((-torch.expm1(log_p)) ** loss.gamma * -log_p, loss), targets)

    return of


def _hinge(loss: Loss) -> OnTensors:
    everyone = "weston-watkins" in loss.spec

    def of(scores: Tensor, targets: Tensor) -> Tensor:
        gaps = 1.0 + scores - scores.gather(1, targets[:, None])
        gaps = gaps.scatter(1, targets[:, None], 0.0).clamp(min=0.0)
        return gaps.sum(1) / scores.shape[1] if everyone else gaps.amax(1)

    return of


def _binary_cross_entropy(loss: Loss) -> OnTensors:
    def of(logits: Tensor, targets: Tensor) -> Tensor:
        return _weighted(functional.softplus(logits) - targets * logits, loss).mean(1)

    return of


def _binary_focal(loss: Loss) -> OnTensors:
    def of(logits: Tensor, targets: Tensor) -> Tensor:
        log_p = functional.logsigmoid(logits * (2.0 * targets - 1.0))
        return ((-torch.expm1(log_p)) ** loss.gamma * -log_p).mean(1)

    return of


def _squared_error(loss: Loss) -> OnTensors:
    return lambda outputs, targets: (outputs - targets) ** 2


def _absolute_error(loss: Loss) -> OnTensors:
    return lambda outputs, targets: (outputs - targets).abs()


def _huber(loss: Loss) -> OnTensors:
    delta = float(loss.spec.partition("delta=")[2] or 1.0)

    def of(outputs: Tensor, targets: Tensor) -> Tensor:
        return functional.huber_loss(outputs, targets, reduction="none", delta=delta)

    return of


_MAKERS: dict[str, Callable[[Loss], OnTensors]] = {
    "cross-entropy": _cross_entropy,
    "focal": _focal,
    "hinge": _hinge,
    "binary-cross-entropy": _binary_cross_entropy,
    "binary-focal": _binary_focal,
    "squared-error": _squared_error,
    "absolute-error": _absolute_error,
    "huber": _huber,
}


def objective_of(spec: str, task: Task) -> Objective:
    """The objective of a loss by name. Raises: OptionError: there is none of that name."""
    return Objective(loss_named(spec), task)
