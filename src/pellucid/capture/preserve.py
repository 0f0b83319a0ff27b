"""Leaving a model as it was: what may change while it is looked at, saved and put back."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import nn

from pellucid.graph.guard import untouched


@contextmanager
def preserved(model: nn.Module) -> Iterator[None]:
    """Evaluation mode inside; afterwards all is as it was, also after an error.

    Put back are buffers, mode, requires_grad, hooks, `inplace` flags, random state and backend flags. Parameters and
    their gradients are not copied: nothing in here writes to them, and a Session takes back what a forward writes.
    """
    flags = [(module, flag) for module in model.modules() if isinstance(flag := in_place(module), bool)]
    wanted = [(parameter, parameter.requires_grad) for parameter in model.parameters()]
    gradients = torch.is_grad_enabled()
    try:
        with untouched(model):
            yield
    finally:
        for module, flag in flags:
            module.inplace = flag  # type: ignore[assignment]
        for parameter, wants in wanted:
            if parameter.requires_grad != wants:
                parameter.requires_grad_(wants)
        torch.set_grad_enabled(gradients)


def in_place(module: nn.Module) -> object:
    """A module's `inplace`; None where it has none. Found without the module's own search, which ends in an exception."""
    return vars(module)["inplace"] if "inplace" in vars(module) else getattr(type(module), "inplace", None)
