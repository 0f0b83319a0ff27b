"""Leaving a model as it was: what may change while it is looked at, saved and put back."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import nn


@contextmanager
def preserved(model: nn.Module) -> Iterator[None]:
    """Puts back, also after an error: buffers, mode, requires_grad, hooks, `inplace` flags, random state, backend flags.

    Parameters and their gradients are not copied: nothing in here writes to them.
    """
    modules = list(model.modules())
    modes = [(module, module.training) for module in modules]
    in_place = [(module, module.inplace) for module in modules if isinstance(getattr(module, "inplace", None), bool)]
    wanted = [(parameter, parameter.requires_grad) for parameter in model.parameters()]
    buffers = [(buffer, buffer.detach().clone()) for buffer in model.buffers() if buffer.device.type != "meta"]
    hooks = [(module, dict(module._forward_hooks), dict(module._forward_pre_hooks)) for module in modules]
    random_state = torch.get_rng_state()
    random_state_cuda = torch.cuda.get_rng_state_all() if torch.cuda.is_available() else []
    fast_path = torch.backends.mha.get_fastpath_enabled()
    gradients = torch.is_grad_enabled()
    try:
        yield
    finally:
        for module, training in modes:
            module.training = training
        for module, flag in in_place:
            module.inplace = flag
        for parameter, wants in wanted:
            parameter.requires_grad_(wants)
        with torch.no_grad():
            for buffer, value in buffers:
                if not torch.equal(buffer, value):
                    buffer.copy_(value)
        for module, after, before in hooks:
            _put_back(module._forward_hooks, after)
            _put_back(module._forward_pre_hooks, before)
        torch.set_rng_state(random_state)
        if random_state_cuda:
            torch.cuda.set_rng_state_all(random_state_cuda)
        torch.backends.mha.set_fastpath_enabled(fast_path)
        torch.set_grad_enabled(gradients)


def _put_back(registered: dict[int, Any], before: dict[int, Any]) -> None:
    """Takes away hooks that were added; those that were there stay in their order."""
    for key in [key for key in registered if key not in before]:
        del registered[key]
