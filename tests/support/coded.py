"""A network in a file of code."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn

CODE = """
from torch import nn
from pellucid.recipe import Recipe

class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.head = nn.Linear(4, 3)

    def forward(self, x):
        return self.head(x)

ready = Net()
number = 3

def make():
    return Net()

def told():
    return Net(), {"classes": ["cat", "dog", "owl"], "recipe": Recipe(resize=8, crop=(8, 8))}

def badly_told():
    return Net(), {"recipe": {"resize": 8}}

def nothing():
    return None

def fails():
    raise ValueError("no such configuration")

def needs(width):
    return Net()
"""


def net(seed: int = 0, **named: Any) -> nn.Sequential:
    torch.manual_seed(seed)
    return nn.Sequential(nn.Conv2d(1, 4, 3), nn.BatchNorm2d(4), nn.Flatten(), nn.Linear(16, 3)).to(**named)
