"""Where a layer's output has positions in a plane: maps, planes with channels last, and tokens on their grid."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import Tensor

    from pellucid.types import Layer


def no_cam(layer: Layer) -> str | None:
    """Why a layer can have no class activation map; None if it can."""
    if layer.layout == "maps" or is_plane(layer):
        height, width = layer.shape[1:] if layer.layout == "maps" else layer.shape[:2]
        return "it has one position only" if height * width == 1 else None
    if layer.layout == "tokens":
        tokens = layer.shape[0]
        return (
            None
            if grid_of_tokens(layer)
            else f"its {tokens} tokens are no square grid{'' if layer.of_image else ' of an image'}"
        )
    if layer.layout == "channels":
        return f"its channels have {len(layer.shape) - 1} axes of positions, not height and width"
    if len(layer.shape) > 3:
        return f"its {len(layer.shape)} axes past the batch, windows of a plane say, are no height, width and channel"
    return "its output has no spatial extent"


def is_plane(layer: Layer) -> bool:
    """Whether an output is (batch, height, width, channel), as in Swin and inside ConvNeXt.

    With three axes past the batch, a layer is "maps" unless its operators say that its channels are last.
    """
    return layer.layout == "other" and len(layer.shape) == 3


def channels_of(layer: Layer) -> tuple[int, int]:
    """How many channels a layer that can have a map has, and on which axis of the batched output."""
    return (layer.shape[2], 3) if is_plane(layer) else (layer.units, layer.channel_axis)


def grid_of_tokens(layer: Layer) -> tuple[int, int] | None:
    """`token_grid` of a layer; None where it has no tokens, or none of an image: words of a text lie on no grid."""
    return token_grid(layer.shape[0]) if layer.layout == "tokens" and layer.of_image else None


def token_grid(tokens: int) -> tuple[int, int] | None:
    """Side of the square grid that tokens make, and how many leading ones (class token) stand outside it."""
    for leading in (0, 1):
        side = math.isqrt(max(tokens - leading, 0))
        if side > 1 and side * side == tokens - leading:
            return side, leading
    return None


def class_tokens(layer: Layer) -> int:
    """How many leading tokens of a layer's output stand outside its grid; 0 where it has no tokens."""
    grid = grid_of_tokens(layer)
    return 0 if grid is None else grid[1]


def as_maps(values: Tensor, layer: Layer) -> Tensor:
    """A layer's output as float[batch channel height width]; tokens are laid out on their grid, row by row."""
    if layer.layout == "maps":
        return values
    if is_plane(layer):
        return values.permute(0, 3, 1, 2)
    grid = token_grid(values.shape[1])
    if grid is None:
        raise ValueError(f"{values.shape[1]} tokens are no square grid")
    side, leading = grid
    return values[:, leading:].transpose(1, 2).reshape(values.shape[0], -1, side, side)
