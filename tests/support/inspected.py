"""The columns of a record as numbers, numbers to inspect, and a record of a hundred digits."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

import pellucid
from pellucid.record import Record
from support.nets import digits

SIZE, BATCH, CHOSEN = 100, 16, 20


def column(record: Record, name: str) -> np.ndarray:
    return record.examples()[name].to_numpy(zero_copy_only=False)


def numbers(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


def hundred_digits(model: nn.Module, out: Path) -> Record:
    """An inspection of SIZE digits, of which CHOSEN are looked at closely; six labels are not known."""
    images, labels = digits("test")
    items = [(images[row], int(labels[row]) if row >= 6 else None) for row in range(SIZE)]
    return pellucid.inspect(model, items, out=out, batch_size=BATCH, chosen=CHOSEN, classes=list("0123456789"))
