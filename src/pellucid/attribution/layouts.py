"""Where a layer's output has positions in a plane: maps, and tokens on their grid."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import Tensor

    from pellucid.types import Layer


def no_cam(layer: Layer) -> str | None:
    """Why a layer can have no class activation map; None if it can."""
    if layer.layout == "maps":
        height, width = layer.shape[1:]
        return "it has one position only" if height * width == 1 else None
    if layer.layout == "tokens":
        tokens = layer.shape[0]
        side = token_grid(tokens)
        return None if side else f"its {tokens} tokens are no square grid"
    return "its output has no spatial extent"


def token_grid(tokens: int) -> tuple[int, int] | None:
    """Side of the square grid that tokens make, and how many leading ones (class token) stand outside it."""
    for leading in (0, 1):
        side = math.isqrt(max(tokens - leading, 0))
        if side > 1 and side * side == tokens - leading:
            return side, leading
    return None


def as_maps(values: Tensor, layer: Layer) -> Tensor:
    """A layer's output as float[batch channel height width]; tokens are laid out on their grid, row by row."""
    if layer.layout == "maps":
        return values
    grid = token_grid(values.shape[1])
    if grid is None:
        raise ValueError(f"{values.shape[1]} tokens are no square grid")
    side, leading = grid
    return values[:, leading:].transpose(1, 2).reshape(values.shape[0], -1, side, side)
