"""The columns of a record as numbers, and numbers to inspect."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from pellucid.record import Record


def column(record: Record, name: str) -> np.ndarray:
    return record.examples()[name].to_numpy(zero_copy_only=False)


def numbers(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))
