"""The first principal direction of a layer's channels: as exact as a singular value decomposition, at the cost of a product."""

from __future__ import annotations

import torch
from torch import Tensor

SMALL = 24
"""Rows up to which the whole decomposition costs no more than looking for its first vector."""
CLOSE = 0.01
"""Relative distance of the two largest values below which products in single precision would show in the map."""
DIRECTIONS = 6
ROUNDS = 6
BEGINNING = 3
"""Products in single precision before the first in double: after them, its rounding is what is left to take away."""


def projection(maps: Tensor) -> Tensor:
    """Each example's positions on its first principal direction, not centred; its sign makes the sum positive.

    It is found in the smaller of the two products of the activations with themselves, channels by channels or positions by
    positions. Where the two largest values are close, the product is made again in double precision; where they are equal,
    there is no first direction, and one of them is taken.

    Args:
        maps: float[batch channel position].

    Returns: float[batch position]; NaN of an example whose activations are not finite.
    """
    flat = maps.float() if maps.dtype in (torch.float16, torch.bfloat16) else maps
    rough = _product(flat)
    lost = ~torch.isfinite(rough.sum((1, 2), dtype=torch.float64))  # a tenth of the time of looking at each number
    if bool(lost.any()):
        rough[lost] = 0
    vectors, values, close = _leading(rough, 1e-12 if flat.dtype == torch.float64 else 1e-7)
    close &= ~lost
    if bool(close.any()) and flat.dtype != torch.float64:
        found, sizes = _whole(_product(flat[close].double()))
        vectors[close], values[close] = found, sizes
    if flat.shape[1] <= flat.shape[2]:
        first = (vectors[:, None].to(flat) @ flat)[:, 0]
    else:
        # With positions on both sides the vector is the map itself, up to its length.
        first = (vectors * values.clamp_min(0).sqrt()[:, None]).to(flat)
    sign = torch.where(first.sum(1, keepdim=True) < 0, -1.0, 1.0).to(first)
    signed: Tensor = (first * sign).to(maps.dtype)
    return signed.masked_fill(lost[:, None], torch.nan)


def _product(flat: Tensor) -> Tensor:
    turned = flat.transpose(1, 2)
    return flat @ turned if flat.shape[1] <= flat.shape[2] else turned @ flat


def _whole(product: Tensor) -> tuple[Tensor, Tensor]:
    """First vector and largest value of each, from all of them."""
    values, vectors = torch.linalg.eigh(product)
    return vectors[:, :, -1], values[:, -1]


def _leading(rough: Tensor, angle: float) -> tuple[Tensor, Tensor, Tensor]:
    """First vector, largest value, and whether the second is close to it: float64[batch n], [batch], bool[batch].

    By subspace iteration; that in single precision begins with products of half the time. A vector is taken only where it
    is proven: the residual, over the distance from the largest value to an upper bound of the second (what the sum of all
    squared values leaves for it), bounds the angle between what is found and what is looked for: it must be below `angle`.
    What cannot be proven in a few rounds is decomposed as a whole.
    """
    size = rough.shape[1]
    product = rough.double()
    if size <= SMALL:
        values, vectors = torch.linalg.eigh(product)
        second = values[:, -2] if size > 1 else torch.zeros_like(values[:, -1])
        return vectors[:, :, -1], values[:, -1], values[:, -1] - second <= CLOSE * values[:, -1]
    generator = torch.Generator().manual_seed(0)
    start = torch.randn(size, DIRECTIONS, generator=generator, dtype=torch.float64).to(product.device)
    basis = rough @ start.to(rough)
    for _ in range(BEGINNING if rough.dtype != product.dtype else 0):
        basis = rough @ torch.linalg.qr(basis)[0]  # of length 1 before each: their powers would leave the range
    basis = product @ torch.linalg.qr(basis.double())[0]
    squares = product.square().sum((1, 2))
    for number in range(ROUNDS):
        if number:
            basis = product @ (product @ torch.linalg.qr(basis)[0])
        within = torch.linalg.qr(basis)[0]
        basis = product @ within
        values, turns = torch.linalg.eigh(within.transpose(1, 2) @ basis)
        largest, turn = values[:, -1], turns[:, :, -1:]
        vector = (within @ turn)[:, :, 0]
        residual = torch.linalg.vector_norm((basis @ turn)[:, :, 0] - largest[:, None] * vector, dim=1)
        left = squares - largest.square() - values[:, :-2].clamp_min(0).square().sum(1)
        gap = largest - left.clamp_min(0).sqrt()
        proven = (gap > CLOSE * largest) & (residual <= angle * gap)
        if bool(proven.all()) or bool((gap[~proven] < -largest[~proven]).all()):
            break  # none are left, or so much is left for the others that no round would tell them from the first
    close = torch.zeros_like(proven)
    if not bool(proven.all()):
        values, vectors = torch.linalg.eigh(product[~proven])
        vector[~proven], largest[~proven] = vectors[:, :, -1], values[:, -1]
        close[~proven] = values[:, -1] - values[:, -2] <= CLOSE * values[:, -1]
    return vector, largest, close
