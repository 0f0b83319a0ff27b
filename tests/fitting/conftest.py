"""A network that knows digits, trained once."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from support.digits_net import digits


@pytest.fixture(scope="session")
def net() -> nn.Module:
    """A small network with batch normalisation that knows digits."""
    torch.manual_seed(0)
    images, targets = digits()
    net = nn.Sequential(
        nn.Conv2d(1, 12, 3, padding=1), nn.BatchNorm2d(12), nn.ReLU(), nn.MaxPool2d(2),
        nn.Conv2d(12, 24, 3, padding=1), nn.BatchNorm2d(24), nn.ReLU(), nn.AdaptiveAvgPool2d(2),
        nn.Flatten(), nn.Linear(96, 48), nn.ReLU(), nn.Linear(48, 10),
    )  # fmt: skip
    optimizer = torch.optim.Adam(net.parameters(), 4e-3)
    for _ in range(6):
        for start in range(0, 1200, 64):
            loss = nn.functional.cross_entropy(net(images[start : start + 64]), targets[start : start + 64])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
    return net.eval()
