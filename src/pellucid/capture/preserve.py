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
    in_place = [(module, module.inplace) for module in model.modules() if isinstance(_in_place(module), bool)]
    wanted = [(parameter, parameter.requires_grad) for parameter in model.parameters()]
    gradients = torch.is_grad_enabled()
    try:
        with untouched(model):
            yield
    finally:
        for module, flag in in_place:
            module.inplace = flag
        for parameter, wants in wanted:
            if parameter.requires_grad != wants:
                parameter.requires_grad_(wants)
        torch.set_grad_enabled(gradients)


def _in_place(module: nn.Module) -> object:
    return getattr(module, "inplace", None)
