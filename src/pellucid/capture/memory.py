"""Telling an allocation that failed from everything else that a model can raise."""

from __future__ import annotations

import torch

_ON_CPU = ("DefaultCPUAllocator: can't allocate memory", "DefaultCPUAllocator: not enough memory")


def for_memory(error: BaseException) -> bool:
    """Whether memory was the reason, also where the model's own error hides it."""
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, MemoryError | torch.OutOfMemoryError):
            return True
        # On the CPU torch raises a plain RuntimeError when an allocation fails; its words are those of the version.
        if isinstance(cause, RuntimeError) and any(words in str(cause) for words in _ON_CPU):
            return True
        cause = cause.__cause__
    return False
