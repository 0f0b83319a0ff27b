"""What a picture must survive: small turns, scalings and shifts; or crops of many sizes with noise. Each picture has its own."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional

TURN, SCALE, MOVE = 0.15, 0.1, 0.06  # radians; share; share of the side
CROPS = (0.9, 0.3)  # share of the side that a crop has, from the first step to the last
LEAST_CROP = 24  # pixels: a smaller piece has no more to tell
OVER = 0.15  # share of a crop that may lie beyond the edge, so that edges are seen as often as the middle
NOISE = 0.1  # of the range from black to white


def robust(pictures: Tensor, random: Sequence[torch.Generator]) -> Tensor:
    """Each picture turned, scaled and moved a little, with what lies beyond its edge mirrored.

    Args:
        pictures: float[batch channel height width].
        random: a generator for each picture, so that what others are made beside it changes nothing.
    """
    turn, scale, down, right = torch.stack([2 * torch.rand(4, generator=one) - 1 for one in random], 1).unbind()
    turn, scale = TURN * turn, 1 + SCALE * scale
    return _seen(pictures, torch.cos(turn) * scale, torch.sin(turn) * scale, 2 * MOVE * down, 2 * MOVE * right)


def cropped(pictures: Tensor, random: Sequence[torch.Generator], share: float, crops: int) -> Tensor:
    """Crops of each picture at random places, enlarged to its size, with noise: float[batch x crops channel height width].

    Args:
        pictures: float[batch channel height width].
        random: a generator for each picture.
        share: how far the ascent is, 0 to 1; crops become smaller on the way.
        crops: of each picture.
    """
    side = min(pictures.shape[2:])
    size = max(CROPS[0] + (CROPS[1] - CROPS[0]) * share, min(CROPS[0], LEAST_CROP / side))
    draws = torch.cat([torch.rand((3, crops), generator=one) for one in random], 1)  # 3, picture x crop
    extent = (size + 0.2 * (draws[0] - 0.5)).clamp(0.05, 1.0)
    down, right = ((2 * draw - 1) * (1 - (1 - OVER) * extent) for draw in draws[1:])
    seen = _seen(pictures.repeat_interleave(crops, 0), extent, torch.zeros_like(extent), down, right)
    noise = torch.cat([torch.randn((crops, *pictures.shape[1:]), generator=one) for one in random])
    return seen + NOISE * noise.to(seen)


def _seen(pictures: Tensor, cos: Tensor, sin: Tensor, down: Tensor, right: Tensor) -> Tensor:
    """Pictures through an affine window: a cosine and a sine times its scale, and where its middle is, all float[batch]."""
    height, width = pictures.shape[2:]
    # The grid's axes go from -1 to 1 over the side: a turn of a picture that is no square must undo that.
    rows = (
        torch.stack([cos, -sin * height / width, right], 1),
        torch.stack([sin * width / height, cos, down], 1),
    )
    grid = functional.affine_grid(torch.stack(rows, 1).to(pictures), list(pictures.shape), align_corners=False)
    return functional.grid_sample(pictures, grid, mode="bilinear", padding_mode="reflection", align_corners=False)
