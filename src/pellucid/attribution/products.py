"""What the plain methods of one call make of the shared forward and backward together, each thing once."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pellucid.attribution.layouts import as_maps, no_cam
from pellucid.attribution.sums import Sum, Sums

if TYPE_CHECKING:
    from torch import Tensor

    from pellucid.capture import Captured
    from pellucid.types import Layer


class Products:
    """Sums and products of layers' activations and gradients, made when the first method asks and kept for the others.

    Args:
        seen: the shared forward and backward.
        wanted: the sums that the call's methods need, all together.
        keep: whether one of them needs activation times gradient, number by number, and not its sums alone.
    """

    def __init__(self, seen: Captured, wanted: frozenset[Sum] = frozenset(), *, keep: bool = False) -> None:
        self._seen = seen
        self._wanted = wanted
        self._keep = keep
        self._sums: dict[str, Sums] = {}
        self._products: dict[str, Tensor] = {}

    def product(self, layer: Layer) -> Tensor:
        """Activation times gradient, in the shape of the layer's output."""
        found = self._products.get(layer.name)
        if found is None:
            found = self._products[layer.name] = self._seen.gradients[layer.name] * self._seen.activations[layer.name]
        return found

    def sums(self, layer: Layer) -> Sums:
        """The wanted sums of a layer that can have a map."""
        found = self._sums.get(layer.name)
        if found is None:
            product = as_maps(self.product(layer), layer) if self._keep and no_cam(layer) is None else None
            maps, slopes = (as_maps(one[layer.name], layer) for one in (self._seen.activations, self._seen.gradients))
            found = self._sums[layer.name] = Sums.of(maps, slopes, self._wanted, product)
        return found
