"""Records of a small network whose task is a regression or sets of classes, and what autograd says of them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

import pellucid
from pellucid.record import Record
from support.inspected import numbers

IMAGES = numbers(24, 1, 8, 8)
NUMBERS = numbers(24, seed=2) * 3
SETS = (numbers(24, 4, seed=1) > 0.3).numpy()
LAYER = "1"


def network(outputs: int, *last: nn.Module) -> nn.Sequential:
    torch.manual_seed(0)
    body = (nn.Conv2d(1, 6, 3, padding=1), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(6, outputs))
    return nn.Sequential(*body, *last).eval()


def of_numbers(tmp_path: Path, model: nn.Module, **options: Any) -> Record:
    targets = numbers(24, seed=2) * 3
    return pellucid.inspect(
        model,
        [(one, float(target)) for one, target in zip(IMAGES, targets, strict=True)],
        out=tmp_path / "n",
        **options,
    )


def of_sets(tmp_path: Path, model: nn.Module, sets: list[Any] | None = None, **options: Any) -> Record:
    given: list[Any] = sets or [set(np.flatnonzero(row).tolist()) for row in SETS]
    return pellucid.inspect(model, list(zip(IMAGES, given, strict=True)), out=tmp_path / "s", **options)


def expected(model: nn.Sequential, row: int, output: int) -> tuple[float, np.ndarray, np.ndarray]:
    """Score, gradient by the input and Grad-CAM of the one layer, by autograd alone."""
    image = IMAGES[row : row + 1].clone().requires_grad_()
    activation = model[1](model[0](image))
    score = model[2:](activation).reshape(-1)[output]
    by_image, by_layer = torch.autograd.grad(score, [image, activation])
    cam = (by_layer.mean((2, 3), keepdim=True) * activation).sum(1).clamp(min=0)[0]
    return score.item(), by_image[0].numpy(), cam.detach().numpy()
