"""Leaving a model as it was: what may change while it is looked at, saved and put back."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import nn

from pellucid.graph.guard import untouched
from pellucid.graph.parts import Parts


@contextmanager
def preserved(model: nn.Module, parts: Parts | None = None) -> Iterator[list[nn.Module]]:
    """Evaluation mode inside; afterwards all is as it was, also after an error.

    Put back are buffers, mode, requires_grad, hooks, `inplace` flags, random state and backend flags. Parameters and
    their gradients are not copied: nothing in here writes to them, and a Session takes back what a forward writes.

    Args:
        model: what runs inside.
        parts: of the model, where they were read already.

    Yields: the modules that overwrite their input because a flag of theirs says so.
    """
    parts = Parts(model) if parts is None else parts
    flags = [(module, flag) for module in parts.modules if isinstance(flag := _in_place(module), bool)]
    wanted = [(parameter, parameter.requires_grad) for parameter in parts.parameters.values()]
    gradients = torch.is_grad_enabled()
    try:
        with untouched(model, modules=parts.modules):
            yield [module for module, flag in flags if flag]
    finally:
        for module, flag in flags:
            module.inplace = flag  # type: ignore[assignment]
        for parameter, wants in wanted:
            if parameter.requires_grad != wants:
                parameter.requires_grad_(wants)
        torch.set_grad_enabled(gradients)


def _in_place(module: nn.Module) -> object:
    """A module's `inplace`; None where it has none. Found without the module's own search, which ends in an exception."""
    own = vars(module)
    return own["inplace"] if "inplace" in own else getattr(type(module), "inplace", None)
