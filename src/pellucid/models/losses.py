"""The loss that an inspection was asked for: by name, or the user's own function or module."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

from pellucid.errors import OptionError
from pellucid.importing import load_object
from pellucid.measures.losses import NAMES, Function, Loss, loss_named, own_loss

if TYPE_CHECKING:
    from numpy.typing import NDArray

LossChoice: TypeAlias = str | Callable[[Any, Any], Any] | None
"""A name as `measures.losses.loss_named` takes it, "file.py:function", a function of outputs and targets, or None."""


def chosen_loss(choice: LossChoice) -> Loss | None:
    """The loss that is meant; None where the task's own is.

    One's own takes tensors, float64 outputs and int64 targets (float64 for soft labels, sets of classes, numbers, and the classes
    of a single output), and gives one number an example: a function, or a torch module made with reduction="none".

    Raises: OptionError: no such loss, or nothing that can be called.
    """
    if choice is None:
        return None
    if isinstance(choice, str):
        name, _, rest = choice.partition(":")
        if name in NAMES or not rest:
            return loss_named(choice)
        function = load_object(choice, "loss", OptionError)
        if isinstance(function, type):
            function = function()
        spec = choice
    else:
        function = choice
        spec = f"own:{getattr(choice, '__name__', type(choice).__name__)}"
    if not callable(function):
        raise OptionError(f"--loss {spec} is a {type(function).__name__}; expected a function of outputs and targets.")
    if getattr(function, "reduction", "none") != "none":
        raise OptionError(
            f"The loss {spec} has reduction='{function.reduction}'; make it with reduction='none', so that each example has "
            "its own."
        )
    words = (getattr(function, "__doc__", None) or "").strip().partition("\n")[0]
    return own_loss(spec, _on_tensors(function, spec), words if callable(choice) or ":" in spec else "")


def _on_tensors(function: Callable[[Any, Any], Any], spec: str) -> Function:
    from torch import nn

    if isinstance(function, nn.Module):
        # Its class weights in the type of the outputs; the user's own stays as it is.
        function = copy.deepcopy(function).double()

    def of(outputs: NDArray[np.float64], targets: NDArray[np.generic]) -> NDArray[np.float64]:
        import torch

        try:
            with torch.no_grad():
                found = function(torch.from_numpy(outputs.copy()), torch.from_numpy(np.array(targets)))
        except Exception as error:
            raise OptionError(
                f"The loss {spec} raised {type(error).__name__}: {error}. It was called with outputs of shape "
                f"{outputs.shape} and targets of shape {targets.shape}, as tensors."
            ) from error
        if isinstance(found, torch.Tensor):
            return np.asarray(found.detach().double().cpu().numpy())
        return np.asarray(found, np.float64)

    return of
