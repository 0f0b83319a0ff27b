"""Telling an allocation that failed from everything else that a model can raise."""

from __future__ import annotations

import torch


def for_memory(error: BaseException) -> bool:
    """Whether memory was the reason, also where the model's own error hides it."""
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, MemoryError | torch.OutOfMemoryError):
            return True
        cause = cause.__cause__
    # On the CPU torch raises a plain RuntimeError when an allocation fails.
    return "not enough memory" in str(error)
