"""Class activation maps from activations and gradients: pure formulas."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import torch

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


def grad_cam(activation: Tensor, gradient: Tensor, layer: Layer) -> Tensor:
    """Grad-CAM of a layer's output, maps or tokens, for which `no_cam` is None: float[batch height width], >= 0."""
    return grad_cam_of(as_maps(activation, layer), as_maps(gradient, layer)).clamp_(min=0)


def grad_cam_of(maps: Tensor, slopes: Tensor) -> Tensor:
    """Channels weighed by their mean gradient.

    Args:
        maps: float[batch channel height width], the activations; so in all functions here.
        slopes: gradients of the score by them, same shape.

    Returns: float[batch height width], before the ReLU; so in all functions here.
    Source: Selvaraju et al. 2017, arXiv:1610.02391, eq. 1 and 2.
    """
    return weighed(maps, slopes.mean(dim=(2, 3)))


def grad_cam_plus_plus_of(maps: Tensor, slopes: Tensor) -> Tensor:
    """Channels weighed by their positive gradients, those of small regions more.

    With the score through an exponential, alpha = g^2 / (2 g^2 + sum(A) g^3), which is 1 / (2 + sum(A) g) where g is not 0.
    The exponential's own factor, the same at all positions, is left out.
    Source: Chattopadhay et al. 2018, arXiv:1710.11063, eq. 10 and 19.
    """
    rising = slopes.clamp(min=0)
    below = (slopes * maps.sum(dim=(2, 3), keepdim=True)).add_(2)
    share = rising.div_(below.masked_fill_(below == 0, math.inf))
    return weighed(maps, share.sum(dim=(2, 3)))


def hires_cam_of(maps: Tensor, slopes: Tensor) -> Tensor:
    """Gradient times activation, summed over channels: exact where a linear head follows.

    Source: Draelos & Carin 2020, arXiv:2011.08891, eq. 5.
    """
    return (maps * slopes).sum(dim=1)


def layer_cam_of(maps: Tensor, slopes: Tensor) -> Tensor:
    """Positive gradient times activation, summed over channels: fine enough for early layers.

    Source: Jiang et al. 2021, IEEE Transactions on Image Processing 30, 5875-5888, eq. 6 and 7.
    """
    return slopes.clamp(min=0).mul_(maps).sum(dim=1)


def xgrad_cam_of(maps: Tensor, slopes: Tensor) -> Tensor:
    """Channels weighed by their gradients' mean, weighed in turn by the activation at each position.

    A channel whose activations add up to 0 has no weight.
    Source: Fu et al. 2020, arXiv:2008.02312, eq. 8.
    """
    total = maps.sum(dim=(2, 3))
    weights = (maps * slopes).sum(dim=(2, 3)) / total.masked_fill(total == 0, math.inf)
    return weighed(maps, weights)


def eigen_cam_of(maps: Tensor) -> Tensor:
    """Projection on the first principal direction of the channels, not centred; its sign makes the sum positive.

    It knows no target: it shows what the layer holds, not what speaks for a class.
    Source: Muhammad & Yeasin 2020, arXiv:2008.00299, section III.
    """
    flat = maps.flatten(2)
    channels, positions = flat.shape[1:]
    turned = flat.transpose(1, 2)
    # The smaller of the two products has the same largest value; in float64, for squares lose half the digits.
    product = (flat @ turned if channels <= positions else turned @ flat).double()
    _, vectors = torch.linalg.eigh(product)
    first = vectors[:, :, -1]
    if channels <= positions:
        map_ = (first[:, None].to(flat) @ flat)[:, 0]
    else:
        # With positions on both sides the vector is the map itself, up to its length.
        length = (first[:, None] @ product @ first[:, :, None]).clamp_min(0).sqrt()[:, :, 0]
        map_ = (first * length).to(flat)
    sign = torch.where(map_.sum(1, keepdim=True) < 0, -1.0, 1.0).to(map_)
    signed: Tensor = map_ * sign
    return signed.reshape(len(maps), *maps.shape[2:])


def weighed(maps: Tensor, weights: Tensor) -> Tensor:
    """Sum over channels of maps times weights float[batch channel], as a product of matrices: no map is laid out twice."""
    found: Tensor = weights[:, None] @ maps.flatten(2)
    return found.reshape(len(maps), *maps.shape[2:])
