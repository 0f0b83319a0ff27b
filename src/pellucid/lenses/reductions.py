"""From a layer's output to a few small tensors, while the output is fresh: one pass for each exact number.

Extremes and sums are exact, over all values. What costs more than the layer itself (counting zeros, filling a
histogram) looks at a sample of the positions of every example, the same for all its units and others for the next.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Self

import numpy as np
from numpy.typing import NDArray

from pellucid.measures import histogram

if TYPE_CHECKING:
    from torch import Tensor

    from pellucid.types import Layer

# Values of a layer and example that the sample holds, about. It is not of a batch, so that no answer depends on its size.
SAMPLE = 512

# Activations with bounds that a unit can be stuck at, and how near counts as at the bound. Zero is no bound here: a
# unit that is silent at zero is sparse or dead, not saturated.
BOUNDS: dict[str, tuple[float | None, float, float]] = {
    "relu6": (None, 6.0, 0.0),
    "sigmoid": (0.0, 1.0, 0.01),
    "tanh": (-1.0, 1.0, 0.01),
    "hardtanh": (-1.0, 1.0, 0.0),
    "hardsigmoid": (0.0, 1.0, 0.0),
}


def summarise(
    output: Tensor, layer: Layer, weakest: NDArray[np.float64] | None, top_k: int, seen: int = 0
) -> Mapping[str, Tensor]:
    """All that the activations lens needs of one layer and batch.

    Args:
        output: float[batch ...], the layer's.
        layer: says where the units are.
        weakest: float64[unit], the least of each unit's strongest values so far; only stronger ones are looked up.
        top_k: how many of a batch's examples can be among the strongest.
        seen: examples before this batch; the sample goes on where it was left.

    Returns: rows of the output; sum, maximum, zeros, bounded, sampled by unit; totals (values, sum of squares, minimum, maximum,
        non-finite values); example, unit, value, position of the candidates; bins and special of the histogram.
    """
    import torch

    signal = output.detach().float()
    batch = signal.shape[0]
    # Units on axis 1, positions after it: [batch unit position].
    if layer.layout == "tokens":
        planes = signal.transpose(1, 2)
    elif layer.layout in ("maps", "channels"):
        planes = signal.flatten(2)
    elif layer.is_plane:
        planes = signal.flatten(1, 2).transpose(1, 2)
    else:
        planes = signal.reshape(batch, -1, 1)
    along = 2
    single = planes.shape[along] == 1
    maxima = planes[:, :, 0] if single else planes.amax(along)
    sums = planes[:, :, 0] if single else planes.sum(along)
    norms = planes[:, :, 0].abs() if single else torch.linalg.vector_norm(planes, dim=along)
    total = sums.double().sum(0)
    nonfinite = 0 if bool(torch.isfinite(total).all()) else int((~torch.isfinite(signal)).sum())
    extents = signal.shape[2:] if layer.layout in ("maps", "channels") else planes.shape[2:]
    if layer.is_plane:
        extents = signal.shape[1:3]
    sample = _sample(planes, extents, seen)
    lowest = float(sample.min()) if layer.activation in ("relu", "relu6") else float(planes.amin())
    if layer.activation in ("relu", "relu6") and lowest > 0:
        lowest = float(planes.amin())
    counted = histogram.of_tensor(sample)
    # An example that went NaN must not hide the others of its batch.
    ranked = torch.nan_to_num(maxima, nan=-torch.inf, posinf=torch.inf, neginf=-torch.inf)
    unit_maxima = torch.where(maxima.isnan().all(0), torch.nan, ranked.amax(0))
    example, unit, value, position = _candidates(planes, ranked, weakest, top_k)
    totals = [float(signal.numel()), float(norms.double().square().sum()), lowest, float(unit_maxima.max()), nonfinite]
    return {
        "rows": torch.tensor(batch),
        "sum": total.cpu(),
        "maximum": unit_maxima.double().cpu(),
        "sampled": torch.full((planes.shape[1],), batch * sample.shape[along], dtype=torch.int64),
        "zeros": (sample == 0).sum((0, along)).cpu(),
        "bounded": _bounded(sample, layer).cpu(),
        "totals": torch.tensor(totals, dtype=torch.float64),
        "example": example.cpu(),
        "unit": unit.cpu(),
        "value": value.double().cpu(),
        "position": position.cpu(),
        "bins": torch.from_numpy(counted.counts),
        "special": torch.from_numpy(counted.special),
    }


def _sample(planes: Tensor, extents: tuple[int, ...], seen: int) -> Tensor:
    """float[batch unit position]: some positions of every example, the same for all its units; all where they are few.

    How many depends on the layer alone: about SAMPLE values an example, at least one position.
    """
    batch, units, positions = planes.shape
    wanted = max(1, SAMPLE // units)
    if positions < 2 * wanted:
        return planes.contiguous()
    chosen = spread(seen, batch, wanted, tuple(extents)).to(planes.device)
    return planes.gather(2, chosen[:, None].expand(-1, units, -1))


@lru_cache(maxsize=64)
def spread(seen: int, batch: int, wanted: int, extents: tuple[int, ...]) -> Tensor:
    """Positions of each example, spread evenly over all axes at once, so that no row or column of a map is preferred.

    They are consecutive points of one additive sequence of low discrepancy, the golden ratio's on one axis, R2 on two: those
    of an example are as evenly spread as those of all examples together, and over the examples every position is seen.

    Args:
        seen: examples before the first.
        batch: how many examples.
        wanted: points an example.
        extents: of each axis of positions.
    Returns: int64[batch wanted], flat positions.
    Source: Roberts 2018, The unreasonable effectiveness of quasirandom sequences.
    """
    import torch

    ratio = 2.0
    for _ in range(64):  # the root of x ** (axes + 1) = x + 1
        ratio = (1 + ratio) ** (1 / (len(extents) + 1))
    numbers = np.arange(seen * wanted, (seen + batch) * wanted)
    points = [(0.5 + numbers * ratio**-axis) % 1 for axis in range(1, len(extents) + 1)]
    places = tuple((point * extent).astype(np.int64) for point, extent in zip(points, extents, strict=True))
    return torch.from_numpy(np.ravel_multi_index(places, extents, mode="clip").reshape(batch, wanted))


def _bounded(sample: Tensor, layer: Layer) -> Tensor:
    import torch

    if layer.activation not in BOUNDS:
        return torch.zeros(sample.shape[1], dtype=torch.int64)
    low, high, near = BOUNDS[layer.activation]
    at_bound = sample >= high - near
    if low is not None:
        at_bound |= sample <= low + near
    return at_bound.sum((0, 2))


def _candidates(
    planes: Tensor, ranked: Tensor, weakest: NDArray[np.float64] | None, top_k: int
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Examples that may be among the strongest of a unit, with the first position of their maximum.

    Ties with the weakest need no look: the rows of a sweep ascend, and of equals the lower row stays.
    """
    import torch

    if weakest is None:
        best, examples = torch.sort(ranked, dim=0, descending=True, stable=True)
        rank, unit = (best[:top_k] > -torch.inf).nonzero(as_tuple=True)
        example = examples[rank, unit]
    else:
        # Few are left after the first batches: to find them costs less than to sort them all.
        example, unit = (ranked.double() > torch.from_numpy(weakest).to(ranked.device)).nonzero(as_tuple=True)
    position = planes[example, unit].argmax(dim=1) if len(unit) else example
    return example, unit, ranked[example, unit], position


@dataclass
class Strongest:
    """The k strongest (value, row, position) of every unit; ties are won by the lower row."""

    rows: NDArray[np.int64]
    values: NDArray[np.float64]
    positions: NDArray[np.int64]

    @classmethod
    def empty(cls, units: int, k: int) -> Self:
        """Nothing yet: rows of -1 at minus infinity."""
        return cls(np.full((units, k), -1), np.full((units, k), -np.inf), np.full((units, k), -1))

    @classmethod
    def of(cls, arrays: Mapping[str, np.ndarray]) -> Self:
        """The opposite of `arrays`."""
        return cls(arrays["top_rows"], arrays["top_values"], arrays["top_positions"])

    def arrays(self) -> dict[str, np.ndarray]:
        """As they stand in a lens's state."""
        return {"top_rows": self.rows, "top_values": self.values, "top_positions": self.positions}

    def add(
        self, unit: NDArray[np.int64], row: NDArray[np.int64], value: NDArray[np.float64], position: NDArray[np.int64]
    ) -> None:
        """Takes in candidates of any units in any order."""
        units, k = self.rows.shape
        order = np.lexsort((row, -value, unit))
        unit, row, value, position = unit[order], row[order], value[order], position[order]
        starts = np.searchsorted(unit, np.arange(units))
        rank = np.arange(len(unit)) - starts[unit]
        kept = rank < k
        found = Strongest.empty(units, k)
        found.rows[unit[kept], rank[kept]] = row[kept]
        found.values[unit[kept], rank[kept]] = value[kept]
        found.positions[unit[kept], rank[kept]] = position[kept]
        self.merge(found)

    def merge(self, other: Self) -> None:
        """Keeps the strongest of both; most units of most batches have nothing to add."""
        fresh = np.flatnonzero(other.rows[:, 0] >= 0)
        if not len(fresh):
            return
        if (self.rows[:, 0] < 0).all():
            self.rows, self.values, self.positions = other.rows.copy(), other.values.copy(), other.positions.copy()
            return
        k = self.rows.shape[1]
        rows, values, positions = (
            np.concatenate([ours[fresh], theirs[fresh]], axis=1)
            for ours, theirs in zip(self.arrays().values(), other.arrays().values(), strict=True)
        )
        order = np.lexsort((rows, -values), axis=1)[:, :k]
        merged = [np.take_along_axis(found, order, axis=1) for found in (rows, values, positions)]
        # Copies: others may hold the arrays as they were.
        self.rows, self.values, self.positions = self.rows.copy(), self.values.copy(), self.positions.copy()
        self.rows[fresh], self.values[fresh], self.positions[fresh] = merged
