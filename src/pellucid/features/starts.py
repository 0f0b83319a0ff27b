"""Drawings that most units answer to some of: what a climb begins from where no noise excites a unit."""

from __future__ import annotations

import itertools

import torch
from torch import Tensor

_PERIODS = (3.0, 6.0, 12.0, 24.0)  # pixels
_ANGLES = 4


def drawings(channels: int, size: tuple[int, int]) -> Tensor:
    """float[drawing channel height width] between 0 and 1: plain colours, and gratings of each between it and its opposite.

    Args:
        channels: of the pictures; each is a colour of its own where there are more than three.
        size: height and width.
    """
    colours = _colours(channels)
    rows, columns = torch.meshgrid(*(torch.arange(side, dtype=torch.float32) for side in size), indexing="ij")
    flat = colours[:, :, None, None].expand(-1, -1, *size)
    waves = []
    for angle, period in itertools.product(range(_ANGLES), _PERIODS):
        turn = torch.tensor(angle * torch.pi / _ANGLES)
        across = rows * torch.cos(turn) + columns * torch.sin(turn)
        wave = torch.cos(2 * torch.pi * across / period)
        waves.append(0.5 + (colours[: len(colours) // 2, :, None, None] - 0.5) * wave)
    return torch.cat([flat, *waves])


def _colours(channels: int) -> Tensor:
    """float[colour channel], black and white among them; the second half are the opposites of the first."""
    if channels <= 3:
        corners = torch.tensor(list(itertools.product((0.0, 1.0), repeat=channels)))
        first = corners[: len(corners) // 2]
    else:
        first = torch.cat([torch.ones(1, channels), torch.eye(channels)])
    return torch.cat([first, 1 - first])
