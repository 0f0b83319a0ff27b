"""What a model and its process looked like, to be compared with what is left of them."""

from __future__ import annotations

import random
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

_HOOKS = (
    "_forward_hooks",
    "_forward_pre_hooks",
    "_backward_hooks",
    "_backward_pre_hooks",
    "_forward_hooks_always_called",
)


class Untouched:
    """A picture of a model, of random states and of switches of torch; `differences` names what has changed since.

    With `versions`, what was written to and put back has changed as well.
    """

    def __init__(self, model: nn.Module, *, versions: bool = False) -> None:
        self._model = model
        self._versions = versions
        self._before = self._picture()

    def differences(self) -> list[str]:
        """Names of what is no longer as it was."""
        now = self._picture()
        return [name for name in {*self._before, *now} if not _same(self._before.get(name), now.get(name))]

    def _picture(self) -> dict[str, Any]:
        found: dict[str, Any] = {
            "random state of torch": torch.random.get_rng_state(),
            "random state of numpy": str(np.random.get_state()),
            "random state of Python": random.getstate(),
            "gradient mode": torch.is_grad_enabled(),
            "mkldnn": torch.backends.mkldnn.enabled,
            "cudnn": torch.backends.cudnn.enabled,
            "fast path": torch.backends.mha.get_fastpath_enabled(),
            "module call": nn.Module.__call__,
            "function modes": torch._C._len_torch_function_stack(),
            "dispatch modes": torch._C._len_torch_dispatch_stack(),
            "threads": torch.get_num_threads(),
        }
        for name, tensor in self._model.state_dict(keep_vars=True).items():
            found[name] = tensor.detach().clone()
            found[f"identity of {name}"] = id(tensor)
            if self._versions:
                found[f"version of {name}"] = tensor._version
            found[f"requires_grad of {name}"] = tensor.requires_grad
            found[f"gradient of {name}"] = None if tensor.grad is None else tensor.grad.clone()
        for path, module in self._model.named_modules():
            found[f"mode of {path}"] = module.training
            found[f"inplace of {path}"] = getattr(module, "inplace", None)
            found[f"hooks of {path}"] = [list(getattr(module, one, {}) or {}) for one in _HOOKS]
            found[f"attributes of {path}"] = {name: id(value) for name, value in vars(module).items()}
        return found


def _same(before: Any, now: Any) -> bool:
    if isinstance(before, Tensor) and isinstance(now, Tensor):
        return torch.equal(before, now)
    return bool(before == now)
