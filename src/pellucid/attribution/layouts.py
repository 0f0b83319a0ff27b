"""Where a layer's output has positions in a plane: maps, planes with channels last, and tokens on their grid."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import Tensor

    from pellucid.types import Grid, Layer


def no_cam(layer: Layer) -> str | None:
    """Why a layer can have no class activation map; None if it can."""
    if layer.layout == "maps" or layer.is_plane:
        height, width = layer.shape[1:] if layer.layout == "maps" else layer.shape[:2]
        if height * width == 1:
            return "it has one position only"
        return (
            None if layer.upright else "its axes are not a channel and the rows and columns of the image, in that order"
        )
    if layer.layout == "tokens":
        return None if grid_of_tokens(layer) else _no_grid(layer)
    if layer.layout == "channels":
        return f"its channels have {len(layer.shape) - 1} axes of positions, not height and width"
    if len(layer.shape) > 3:
        return f"its {len(layer.shape)} axes past the batch, windows of a plane say, are no height, width and channel"
    return "its output has no spatial extent"


def _no_grid(layer: Layer) -> str:
    tokens = layer.shape[0]
    if not layer.of_image:
        return f"its {tokens} tokens are no patches of an image"
    if layer.grid is None:
        return f"its {tokens} tokens cannot be followed to the positions of a map, as an image's patches can"
    if layer.grid.total != tokens:
        return f"it has {tokens} tokens here, and {layer.grid.total} where the graph told which of them are patches"
    return "it has one position only"


def channels_of(layer: Layer) -> tuple[int, int]:
    """How many channels a layer that can have a map has, and on which axis of the batched output."""
    return layer.units, layer.channel_axis


def grid_of_tokens(layer: Layer) -> Grid | None:
    """The grid of a layer's tokens; None where it has none, or one position, or other tokens than its graph told of."""
    grid = layer.grid if layer.layout == "tokens" else None
    return grid if grid is not None and grid.total == layer.shape[0] and len(grid.tokens) > 1 else None


def others_than_patches(layer: Layer) -> list[int]:
    """Numbers of the tokens of a layer's output that stand outside its grid, a class token say; none where it has no tokens."""
    grid = grid_of_tokens(layer)
    return [] if grid is None else sorted(set(range(grid.total)).difference(grid.tokens))


def as_maps(values: Tensor, layer: Layer) -> Tensor:
    """A layer's output as float[batch channel height width]; tokens are laid out on their grid."""
    if layer.layout == "maps":
        return values
    if layer.is_plane:
        return values.permute(0, 3, 1, 2)
    grid = layer.grid
    if grid is None or grid.total != values.shape[1]:
        raise ValueError(f"{values.shape[1]} tokens are no grid")
    return on_grid(values.transpose(1, 2), grid)


def on_grid(values: Tensor, grid: Grid) -> Tensor:
    """What stands along the last axis, one a token, as the rows and columns of the grid: float[... height width]."""
    first, many = grid.tokens[0], len(grid.tokens)
    in_a_row = grid.tokens == tuple(range(first, first + many))
    patches = values[..., slice(first, first + many) if in_a_row else list(grid.tokens)]
    return patches.reshape(*values.shape[:-1], grid.height, grid.width)
