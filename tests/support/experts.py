"""Mixtures of experts, each of which sees only the examples that are sent to it, and examples that are sent here and there."""

from __future__ import annotations

import torch
from torch import Tensor, nn


class Experts(nn.Module):
    """Two experts on vectors; a gate says which of them an example is for, and how much it counts."""

    def __init__(self) -> None:
        super().__init__()
        self.gate = nn.Linear(64, 2)
        self.experts = nn.ModuleList(nn.Sequential(nn.Linear(64, 16), nn.ReLU(), nn.Linear(16, 2)) for _ in range(2))

    def forward(self, images: Tensor) -> Tensor:
        flat = images.flatten(1)
        weights = self.gate(flat).softmax(1)
        chosen, logits = weights.argmax(1), flat.new_zeros(len(flat), 2)
        for at, expert in enumerate(self.experts):
            here = chosen == at
            if here.any():
                logits[here] = expert(flat[here]) * weights[here, at, None]
        return logits


class MapExperts(nn.Module):
    """Two experts on maps, behind a layer that sees all examples or not; bright pictures are for the second."""

    def __init__(self, channels: int = 1, *, shared: bool = True) -> None:
        super().__init__()
        first = 4 if shared else channels
        self.shared = nn.Sequential(nn.Conv2d(channels, 4, 3, padding=1), nn.ReLU()) if shared else nn.Identity()
        self.experts = nn.ModuleList(nn.Sequential(nn.Conv2d(first, 6, 3, padding=1), nn.ReLU()) for _ in range(2))
        self.head = nn.Linear(6, 3)

    def forward(self, images: Tensor) -> Tensor:
        signal = self.shared(images)
        chosen, maps = (images.mean((1, 2, 3)) > 0).long(), images.new_zeros(len(images), 6, *images.shape[2:])
        for at, expert in enumerate(self.experts):
            here = chosen == at
            if here.any():
                maps[here] = expert(signal[here])
        logits: Tensor = self.head(maps.mean((2, 3)))
        return logits


ROUTES = [1, 1, 0, 0, 1, 0, 0, 1, 1, 0, 1, 0]
"""Which expert of `MapExperts` each of the pictures is for."""


def pictures() -> Tensor:
    """float[12 1 8 8]."""
    made = torch.randn(len(ROUTES), 1, 8, 8, generator=torch.Generator().manual_seed(0))
    routes = torch.tensor(ROUTES)[:, None, None, None]
    return made - made.mean((1, 2, 3), keepdim=True) + 0.5 * (2 * routes - 1)
