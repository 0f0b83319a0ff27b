"""Handwritten digits as examples for a fit."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from pellucid.fitting import Fit, fit

Pairs = list[tuple[Tensor, int | None]]
DIGITS = [str(number) for number in range(10)]


def digits() -> tuple[Tensor, Tensor]:
    from sklearn.datasets import load_digits

    held = load_digits()
    order = np.random.default_rng(0).permutation(len(held.target))
    images = torch.tensor(held.images[order][:, None] / 16, dtype=torch.float32)
    return images, torch.tensor(held.target[order])


def pairs(
    start: int,
    end: int,
    change: Callable[[Tensor], Tensor] = lambda image: image,
    name: Callable[[int], int | None] = lambda target: target,
) -> Pairs:
    images, targets = digits()
    return [(change(images[row]), name(int(targets[row]))) for row in range(start, end)]


def asked(net: nn.Module, examples: Pairs, **named: Any) -> Fit:
    return fit(net, examples, limit=300, **named)
