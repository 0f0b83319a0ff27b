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

from pellucid.attribution.layouts import grid_of_tokens
from pellucid.mapping import ReceptiveField
from pellucid.types import Layer

How = Literal["receptive fields", "as before", "even"]
_PIXELS = 1 << 21  # interpolated at once
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
        own = _own(field, grid) if layer.layout == "maps" or layer.is_plane else None
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
    elif layer.is_plane:
        grid = layer.shape[0], layer.shape[1]
    elif (own := grid_of_tokens(layer)) is not None:
        grid = own.height, own.width
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
        self.mask = mask
        self._rows = _Axis.between(anchors.rows, even(mask[0], image[0]))
        self._columns = _Axis.between(anchors.columns, even(mask[1], image[1]))

    def __call__(self, maps: Tensor) -> Tensor:
        """From float[map height width] to float[map height width] of the mask."""
        rows, columns = self._rows.on(maps.device), self._columns.on(maps.device)
        tall = torch.lerp(maps[:, rows.lower], maps[:, rows.upper], rows.share[:, None])
        return torch.lerp(tall[:, :, columns.lower], tall[:, :, columns.upper], columns.share)

    def above(self, maps: Tensor, thresholds: Tensor) -> tuple[Tensor, Tensor]:
        """Where interpolated maps are at or above a threshold, without interpolating where they cannot be.

        Between four anchors nothing exceeds the highest of them: only squares with one above the threshold are looked into.

        Args:
            maps: float[map height width].
            thresholds: float[map].

        Returns: int64[hit], the map, and int64[hit], the pixel of the mask; in no order.
        Check: exactly where `self(maps)` is at or above the threshold.
        """
        rows, columns = self._rows.on(maps.device), self._columns.on(maps.device)
        bright = maps >= thresholds[:, None, None]
        if rows.step:
            bright = bright[:, :-1] | bright[:, 1:]
        if columns.step:
            bright = bright[:, :, :-1] | bright[:, :, 1:]
        square = places_in(bright)
        column = square % bright.shape[2]
        row = square // bright.shape[2] % bright.shape[1]
        owner = square // (bright.shape[1] * bright.shape[2])
        found = [
            self._within(maps, thresholds, owner[some], row[some], column[some])
            for some in _alike(rows.many[row], columns.many[column])
        ]
        if not found:
            none = torch.zeros(0, dtype=torch.int64, device=maps.device)
            return none, none
        owners, pixels = (torch.cat(parts) for parts in zip(*found, strict=True))
        return owners, pixels

    def _within(
        self, maps: Tensor, thresholds: Tensor, owner: Tensor, row: Tensor, column: Tensor
    ) -> tuple[Tensor, Tensor]:
        """The same within squares that all hold as many rows and columns of pixels."""
        rows, columns = self._rows.on(maps.device), self._columns.on(maps.device)
        down, right = rows.pixels(row), columns.pixels(column)  # int64[square pixel]
        height, width = maps.shape[1:]
        corner = (owner * height + row) * width + column
        values = maps.reshape(-1)
        left = torch.lerp(values[corner][:, None], values[corner + rows.step * width][:, None], rows.share[down])
        corner = corner + columns.step
        beside = torch.lerp(values[corner][:, None], values[corner + rows.step * width][:, None], rows.share[down])
        within = torch.lerp(left[:, :, None], beside[:, :, None], columns.share[right][:, None])
        hit = places_in(within >= thresholds[owner][:, None, None])
        square = hit // (down.shape[1] * right.shape[1])
        at = hit % (down.shape[1] * right.shape[1])
        pixel = down[square, at // right.shape[1]] * self.mask[1] + right[square, at % right.shape[1]]
        return owner[square], pixel


@dataclass(frozen=True)
class _Axis:
    """One side of a mask between one side's anchors.

    Attributes:
        lower, upper: int64[pixel], the anchors before and after.
        share: float[pixel], of the latter.
        first, many: int64[gap], the first pixel between an anchor and the next, and how many there are.
        step: from an anchor to the next; 0 where there is one alone.
    """

    lower: Tensor
    upper: Tensor
    share: Tensor
    first: Tensor
    many: Tensor
    step: int

    @classmethod
    def between(cls, anchors: Centres, wanted: Centres) -> _Axis:
        """For pixels at these places, ascending."""
        upper = np.clip(np.searchsorted(anchors, wanted, side="right"), 1, max(1, len(anchors) - 1))
        lower = upper - 1
        upper = np.minimum(upper, len(anchors) - 1)
        gap = np.maximum(anchors[upper] - anchors[lower], 1e-9)
        share = np.clip((wanted - anchors[lower]) / gap, 0.0, 1.0)
        gaps = np.arange(max(1, len(anchors) - 1))
        first, beyond = np.searchsorted(lower, gaps, side="left"), np.searchsorted(lower, gaps, side="right")
        shares = torch.from_numpy(share.astype(np.float32))
        before, after, start, many = (torch.from_numpy(one) for one in (lower, upper, first, beyond - first))
        return cls(before, after, shares, start, many, int(len(anchors) > 1))

    def on(self, device: torch.device) -> _Axis:
        """The same where the maps are."""
        if self.lower.device == device:
            return self
        moved = (one.to(device) for one in (self.lower, self.upper, self.share, self.first, self.many))
        lower, upper, share, first, many = moved
        return _Axis(lower, upper, share, first, many, self.step)

    def pixels(self, gap: Tensor) -> Tensor:
        """int64[square pixel] of gaps that all hold as many."""
        return self.first[gap][:, None] + torch.arange(int(self.many[gap[0]]), device=gap.device)


def _alike(rows: Tensor, columns: Tensor) -> list[Tensor]:
    """Squares that hold as many rows and columns of pixels as each other, in parts of so many pixels at most."""
    found = []
    code = rows * (int(columns.max()) + 1 if len(columns) else 1) + columns
    for one in torch.unique(code[rows * columns > 0]):
        some = (code == one).nonzero()[:, 0]
        found += list(some.split(max(1, _PIXELS // int(rows[some[0]] * columns[some[0]]))))
    return found


def places_in(mask: Tensor) -> Tensor:
    """Flat places of what is true, int64[place] ascending; NumPy is several times faster at it where it can be asked."""
    if mask.device.type == "cpu":
        return torch.from_numpy(np.flatnonzero(mask.numpy()))
    return mask.reshape(-1).nonzero()[:, 0]
