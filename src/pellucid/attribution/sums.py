"""What class activation maps are made of: sums over a layer's activations and gradients, once for all of a call's methods."""

from __future__ import annotations

import math
from collections.abc import Collection
from dataclasses import dataclass, field
from typing import Literal

import torch
from torch import Tensor

from pellucid.attribution.principal import projection

Sum = Literal["slopes", "product", "rising", "weights", "channels", "principal"]
"""What a method needs of a layer: see the attributes of `Sums` that are None without it."""

BLOCK = 1 << 19
"""Numbers of a layer that are worked on at a time on a CPU: they and what is made of them stay in its cache."""


@dataclass
class Sums:
    """A layer's activations A and gradients g, and what is summed of them; None where no method of the call needs it.

    Attributes:
        maps: A, float[batch channel height width].
        slopes: g, same shape.
        slope_means: mean of g over positions, float[batch channel] ("slopes").
        map_sums: sum of A over positions, float[batch channel] ("product" and "weights").
        product_sums: sum of A g over positions, float[batch channel] ("product").
        product_map: sum of A g over channels, float[batch height width] ("channels").
        rising_map: sum of A ReLU(g) over channels, float[batch height width] ("rising").
        shares: sum over positions of ReLU(g) / (2 + g sum(A)), float[batch channel] ("weights").
        principal: positions on the first principal direction of the channels, float[batch height width] ("principal").
        weighed: sums over channels of A times a weight of each, float[batch height width]: the mean of g ("slopes"), the
            shares ("weights"), sum(A g) / sum(A), which is 0 where sum(A) is ("product").
    """

    maps: Tensor
    slopes: Tensor
    slope_means: Tensor | None = None
    map_sums: Tensor | None = None
    product_sums: Tensor | None = None
    product_map: Tensor | None = None
    rising_map: Tensor | None = None
    shares: Tensor | None = None
    principal: Tensor | None = None
    weighed: dict[Sum, Tensor] = field(default_factory=dict)

    @classmethod
    def of(cls, maps: Tensor, slopes: Tensor, wanted: Collection[Sum], product: Tensor | None = None) -> Sums:
        """All that is wanted, block by block, so that a large layer crosses the memory once.

        Args:
            maps: float[batch channel height width].
            slopes: same shape.
            wanted: what to sum.
            product: A g where it is known already, same shape.
        """
        made = cls(maps, slopes)
        a, g = maps.flatten(2), slopes.flatten(2)
        batch, channels, positions = a.shape
        if "slopes" in wanted:
            made.slope_means = a.new_empty(batch, channels)
        if "product" in wanted or "weights" in wanted:
            made.map_sums = a.new_empty(batch, channels)
        if "product" in wanted:
            made.product_sums = a.new_empty(batch, channels)
        if "weights" in wanted:
            made.shares = a.new_empty(batch, channels)
        if "channels" in wanted:
            made.product_map = a.new_zeros(batch, *maps.shape[2:])
        if "rising" in wanted:
            made.rising_map = a.new_zeros(batch, *maps.shape[2:])
        walk = _Walk(made, a, g, None if product is None else product.flatten(2))
        for examples, some in _blocks(batch, channels, positions, a.device.type):
            walk.over(examples, some)
        if made.shares is not None and not bool(torch.isfinite(made.shares).all()):
            made.shares = _shares(g, a.sum(2))
        made._weigh(a)
        if "principal" in wanted:
            made.principal = projection(a).reshape(batch, *maps.shape[2:])
        return made

    def _weigh(self, a: Tensor) -> None:
        """All weighed maps in one product, while the layer is in the cache."""
        weights: dict[Sum, Tensor] = {}
        if self.slope_means is not None:
            weights["slopes"] = self.slope_means
        if self.shares is not None:
            weights["weights"] = self.shares
        if self.product_sums is not None and self.map_sums is not None:
            weights["product"] = self.product_sums / self.map_sums.masked_fill(self.map_sums == 0, math.inf)
        if weights:
            found = torch.stack(list(weights.values()), dim=1) @ a
            for place, name in enumerate(weights):
                self.weighed[name] = found[:, place].reshape(len(a), *self.maps.shape[2:])


class _Walk:
    """Sums one block after the other, in room that is taken once."""

    def __init__(self, made: Sums, a: Tensor, g: Tensor, product: Tensor | None) -> None:
        self._made, self._a, self._g, self._known = made, a, g, product
        self._rooms: dict[str, Tensor] = {}

    def over(self, examples: slice, channels: slice) -> None:
        made = self._made
        at = (examples, channels)
        a, g = self._a[at], self._g[at]
        if made.slope_means is not None:
            made.slope_means[at] = g.mean(2)
        if made.map_sums is not None:
            made.map_sums[at] = a.sum(2)
        if made.product_sums is not None or made.product_map is not None:
            product = self._known[at] if self._known is not None else torch.mul(a, g, out=self._room("product", a))
            if made.product_sums is not None:
                made.product_sums[at] = product.sum(2)
            if made.product_map is not None:
                made.product_map[examples].flatten(1).add_(product.sum(1))
        if made.rising_map is None and made.shares is None:
            return
        rising = torch.clamp(g, min=0, out=self._room("rising", a))
        if made.rising_map is not None:
            made.rising_map[examples].flatten(1).add_(torch.mul(rising, a, out=self._room("product", a)).sum(1))
        if made.shares is not None and made.map_sums is not None:
            # Where g <= 0 the share is 0 / 2: nothing is divided by 0 but where 2 + g sum(A) is 0, which is looked at later.
            below = torch.mul(rising, made.map_sums[at][:, :, None], out=self._room("below", a)).add_(2)
            made.shares[at] = rising.div_(below).sum(2)

    def _room(self, name: str, like: Tensor) -> Tensor:
        room = self._rooms.get(name)
        if room is None or room.numel() < like.numel():
            room = self._rooms[name] = torch.empty(like.numel(), device=like.device, dtype=like.dtype)
        return room[: like.numel()].view(like.shape)


def _blocks(batch: int, channels: int, positions: int, device: str) -> list[tuple[slice, slice]]:
    """Parts of a layer: whole examples where they are small, else some of an example's channels; all of it off the CPU."""
    each = channels * positions
    if device != "cpu" or batch * each <= BLOCK:
        return [(slice(0, batch), slice(0, channels))]
    if each <= BLOCK:
        step = max(BLOCK // each, 1)
        return [(slice(at, at + step), slice(0, channels)) for at in range(0, batch, step)]
    step = max(BLOCK // positions, 1)
    return [(slice(one, one + 1), slice(at, at + step)) for one in range(batch) for at in range(0, channels, step)]


def _shares(g: Tensor, map_sums: Tensor) -> Tensor:
    """The shares of a layer where a divisor is 0 (such a place has none) or a gradient is not finite."""
    rising = g.clamp(min=0)
    below = (rising * map_sums[:, :, None]).add_(2)
    return rising.div_(below.masked_fill_(below == 0, torch.inf)).sum(2)
