"""Telling an allocation that failed from everything else that a model can raise, and how much memory there still is."""

from __future__ import annotations

from pathlib import Path

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


def spare(device: torch.device) -> int | None:
    """Bytes that can still be had on a device; None where nobody says."""
    if device.type == "cuda":
        free: int = torch.cuda.mem_get_info(device)[0]
        return free
    try:
        lines = Path("/proc/meminfo").read_text(encoding="ascii").splitlines() if device.type == "cpu" else []
    except OSError:
        return None
    # "MemAvailable:   12345 kB"
    return next((1024 * int(line.split()[1]) for line in lines if line.startswith("MemAvailable:")), None)
