"""Where on the input the positions of a map stand, and maps interpolated between them at the pixels of a mask.

Positions are anchored at the centres of their receptive fields, as Bau et al. 2017 do. The fields' boxes are cut at the image's
edges: a row's first pixel is known where it is not the image's first, its last one where it is not the image's last, and the two
advance by the same stride, so that centres follow although no single box may be whole.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from pellucid.attribution.layouts import is_plane, token_grid
from pellucid.mapping import ReceptiveField
from pellucid.types import Layer

How = Literal["receptive fields", "as before", "even"]
Centres = NDArray[np.float64]


@dataclass(frozen=True)
class Anchors:
    """Centres of a layer's positions on the input, in pixels from the middle of the first pixel.

    Attributes:
        rows, columns: ascending.
        how: "receptive fields"; "as before": those of the last layer with a map of this size, where all boxes of this one are
            cut; "even": equal shares of the image, where neither tells.
    """

    rows: Centres
    columns: Centres
    how: How


def anchored(layers: Sequence[Layer], fields: Mapping[str, ReceptiveField]) -> dict[str, Anchors]:
    """Of every layer with a map, by its name, in order of execution."""
    found: dict[str, Anchors] = {}
    latest: dict[tuple[int, int], Anchors] = {}
    for layer in layers:
        field, grid = fields.get(layer.name), grid_of(layer)
        if field is None or grid is None:
            continue
        own = _own(field, grid) if layer.layout == "maps" else None
        if own is None and grid in latest:
            own = Anchors(latest[grid].rows, latest[grid].columns, "as before")
        if own is None:
            rows, columns = (even(number, extent) for number, extent in zip(grid, field.input, strict=True))
            own = Anchors(rows, columns, "even")
        elif own.how == "receptive fields":
            latest[grid] = own
        found[layer.name] = own
    return found


def grid_of(layer: Layer) -> tuple[int, int] | None:
    """Height and width of a layer's map; None where it has none, or one position."""
    grid = None
    if layer.layout == "maps":
        grid = layer.shape[1], layer.shape[2]
    elif is_plane(layer):
        grid = layer.shape[0], layer.shape[1]
    elif layer.layout == "tokens" and (square := token_grid(layer.shape[0])):
        grid = square[0], square[0]
    return grid if grid is not None and grid[0] * grid[1] > 1 else None


def even(number: int, extent: int) -> Centres:
    """Middles of equal shares of an image's side."""
    return (np.arange(number) + 0.5) * extent / number - 0.5


def _own(field: ReceptiveField, grid: tuple[int, int]) -> Anchors | None:
    if not field.exact or field.grid != grid:
        return None
    boxes = field.boxes.reshape(*grid, 4)
    rows = _centres(boxes[:, grid[1] // 2, 0], boxes[:, grid[1] // 2, 2], field.input[0])
    columns = _centres(boxes[grid[0] // 2, :, 1], boxes[grid[0] // 2, :, 3], field.input[1])
    return None if rows is None or columns is None else Anchors(rows, columns, "receptive fields")


def _centres(first: NDArray[np.int32], beyond: NDArray[np.int32], extent: int) -> Centres | None:
    """Centres along one axis from boxes that may be cut at either edge; None where they do not tell."""
    at = np.arange(len(first))
    started, ended = (first > 0) & (beyond > first), (beyond < extent) & (beyond > first)
    if not started.any() or not ended.any():
        return None
    strides = {
        float(stride)
        for known, edge in ((started, first), (ended, beyond))
        for stride in np.diff(edge[known]) / np.diff(at[known])
    }
    if len(strides) != 1 or (stride := strides.pop()) <= 0:
        return None
    start = float(first[started][0] - stride * at[started][0])
    end = float(beyond[ended][0] - stride * at[ended][0])
    return np.asarray((start + end - 1) / 2 + stride * at, np.float64)


class Interpolation:
    """Bilinear, from a map's anchors to the pixels of a mask; beyond the outermost anchors it stays as it is there."""

    def __init__(self, anchors: Anchors, image: tuple[int, int], mask: tuple[int, int]) -> None:
        self._rows = _between(anchors.rows, even(mask[0], image[0]))
        self._columns = _between(anchors.columns, even(mask[1], image[1]))

    def __call__(self, maps: Tensor) -> Tensor:
        """From float[map height width] to float[map height width] of the mask."""
        lower, upper, share = (part.to(maps.device) for part in self._rows)
        tall = torch.lerp(maps[:, lower], maps[:, upper], share[:, None])
        lower, upper, share = (part.to(maps.device) for part in self._columns)
        return torch.lerp(tall[:, :, lower], tall[:, :, upper], share)


def _between(anchors: Centres, wanted: Centres) -> tuple[Tensor, Tensor, Tensor]:
    """The anchor before, the anchor after and the share of the latter, of every wanted place."""
    upper = np.clip(np.searchsorted(anchors, wanted, side="right"), 1, max(1, len(anchors) - 1))
    lower = upper - 1
    upper = np.minimum(upper, len(anchors) - 1)
    gap = np.maximum(anchors[upper] - anchors[lower], 1e-9)
    share = np.clip((wanted - anchors[lower]) / gap, 0.0, 1.0)
    return torch.from_numpy(lower), torch.from_numpy(upper), torch.from_numpy(share).float()
