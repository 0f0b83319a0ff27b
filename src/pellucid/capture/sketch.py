"""A count sketch of gradients: fewer numbers, from which inner products can still be told.

Every coordinate is given a random sign and added into one of k buckets (Charikar, Chen & Farach-Colton 2002). The sketch is
linear, so that the sketch of a mean is the mean of the sketches; its inner products are those of the gradients in
expectation, with a standard deviation of about 1/sqrt(k) of the product of the two norms. Up to k coordinates it is exact.
"""

from __future__ import annotations

import zlib
from collections.abc import Mapping
from math import isqrt

import torch
from torch import Tensor

# Numbers that are folded at once: what is multiplied stays in the processor's cache.
BLOCK = 1 << 19


class Sketch:
    """A sketch of each layer's gradient, the same for the same names, shapes and seed.

    Args:
        layers: layer -> its parameters and their numbers of values, in order.
        budget: numbers kept of an example in all; shared evenly, but for layers that need less.
        seed: of the signs.

    Attributes:
        kept: layer -> numbers kept.
    """

    def __init__(self, layers: Mapping[str, Mapping[str, int]], budget: int, seed: int) -> None:
        self._layers = layers
        self._seed = seed
        self._signs: dict[str, Tensor] = {}
        self.kept = _shares({layer: sum(parts.values()) for layer, parts in layers.items()}, budget)

    def of(self, layer: str, gradients: Mapping[str, Tensor]) -> Tensor:
        """A layer's gradients, float[example ...] by parameter, as float32[example kept] on the CPU."""
        kept, place = self.kept[layer], 0
        first = gradients[next(iter(self._layers[layer]))]
        found = torch.zeros(len(first), kept, device=first.device)
        for name, size in self._layers[layer].items():
            flat = gradients[name].reshape(len(first), size).float()
            # A parameter begins where the one before it has ended, so that up to `kept` values no two share a bucket.
            found += torch.roll(self._folded(name, flat, kept), place % kept, dims=1)
            place += size
        return found.cpu()

    def _folded(self, name: str, flat: Tensor, kept: int) -> Tensor:
        signs = self._signs_of(name, flat)
        folded = torch.zeros(len(flat), kept, device=flat.device)
        step = max(BLOCK // len(flat) // kept, 1) * kept
        for start in range(0, flat.shape[1], step):
            some = flat[:, start : start + step] * signs[start : start + step]
            whole = some.shape[1] // kept * kept
            if whole:
                folded += some[:, :whole].reshape(len(flat), -1, kept).sum(1)
            folded[:, : some.shape[1] - whole] += some[:, whole:]
        return folded

    def _signs_of(self, name: str, flat: Tensor) -> Tensor:
        """int8[value], 1 or -1: a byte a parameter."""
        if name not in self._signs:
            # The generator looks at 32 bits of its seed.
            generator = torch.Generator().manual_seed(zlib.crc32(f"{self._seed} {name}".encode()))
            drawn = torch.randint(0, 2, (flat.shape[1],), generator=generator, dtype=torch.int8)
            self._signs[name] = (2 * drawn - 1).to(flat.device)
        return self._signs[name]


def _shares(sizes: Mapping[str, int], budget: int) -> dict[str, int]:
    """Numbers kept of each layer: all of a small one; of a large one a prime, which no row of its weights divides."""
    shares: dict[str, int] = {}
    left = max(budget, 2 * len(sizes))
    for place, (layer, size) in enumerate(sorted(sizes.items(), key=lambda item: item[1])):
        share = left // (len(sizes) - place)
        shares[layer] = size if size <= share else _prime(share)
        left -= shares[layer]
    return {layer: shares[layer] for layer in sizes}


def _prime(most: int) -> int:
    """The largest prime up to a number of at least 2."""
    return next(
        number for number in range(most, 1, -1) if all(number % divisor for divisor in range(2, isqrt(number) + 1))
    )
