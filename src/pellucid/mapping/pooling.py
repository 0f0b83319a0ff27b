"""What a pooling layer lets through: which positions win, how much of the signal is left, the input unpooled again."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from pellucid.errors import MethodError
from pellucid.graph.settings import Settings
from pellucid.graph.structure import Node
from pellucid.mapping import windows
from pellucid.mapping.boxes import Windows

Kind = Literal["max", "average"]


@dataclass(frozen=True)
class Geometry:
    """Which positions each output position of a pooling looks at.

    Attributes:
        kind: how a window becomes one value.
        rows, columns: for each output row (column), the input rows (columns) in its window; -1 is padding.
        size: height and width of the input.
        divisor: float64[row column], what an average divides by where it is not the number of input positions in the
            window: that with its padding, or a number that was given.
    """

    kind: Kind
    rows: Windows
    columns: Windows
    size: tuple[int, int]
    divisor: NDArray[np.float64] | None = None


@dataclass(frozen=True)
class Pooled:
    """One example's maps after a pooling, and what was lost.

    Attributes:
        values: float64[channel height width], what the layer passes on.
        switches: int64[channel height width], the flattened input position that won each window; -1 for an average.
        unpooled: float64[channel height width] of the input's size: a maximum put back where it stood (x at the
            switches, 0 elsewhere; Zeiler & Fergus 2014), an average spread over its window.
        l1, l2: share of the input's absolute values and of their squares that survives: at the switches (each counted
            once), or in the windows' means; None where the input is 0.
    """

    values: NDArray[np.float64]
    switches: NDArray[np.int64]
    unpooled: NDArray[np.float64]
    l1: float | None
    l2: float | None


def geometry_of(node: Node) -> Geometry:
    """How a call of the graph pools images. Raises: MethodError: it is no maximum or average over windows of maps."""
    given, made = (shapes[0] if shapes else () for shapes in (node.inputs, node.outputs))
    if node.pool is None or node.pool.kind == "lp" or len(given) != 4:
        kind = node.pool.kind if node.pool else None
        raise MethodError(
            f"'{node.name}' ({node.operation}{f', {kind}' if kind else ''}) gets {given}. What survives is shown of a maximum "
            "or an average over windows of maps, (batch, channel, height, width)."
        )
    kind = node.pool.kind
    size = given[2:]
    settings = Settings(node.arguments)
    if "kernel_size" not in settings:
        # Adaptive, or a mean or maximum over all of the space, which is adaptive to one position.
        rows, columns = (
            windows.adaptive(*pair) for pair in zip(size, made[2:] if len(made) == 4 else (1, 1), strict=True)
        )
        return Geometry(kind, rows, columns, (size[0], size[1]))
    kernel = settings.each(2, "kernel_size", otherwise=1)
    strided = settings.word("stride", "None") not in ("None", "()", "[]")
    stride = settings.each(2, "stride", otherwise=1) if strided else kernel
    padding, dilation = settings.each(2, "padding", otherwise=0), settings.each(2, "dilation", otherwise=1)
    rows, columns = (
        windows.sliding(size[axis], made[2 + axis], kernel[axis], stride[axis], padding[axis], dilation[axis])
        for axis in (0, 1)
    )
    divisor = None
    override = settings.value("divisor_override")
    if isinstance(override, int) and not isinstance(override, bool):
        divisor = np.full((made[2], made[3]), float(override))
    elif kind == "average" and settings.word("count_include_pad", "True") == "True":
        # What lies over the padding counts as zeros, what lies past it does not count.
        spans = [
            np.minimum(starts + kernel[axis], size[axis] + padding[axis]) - starts
            for axis in (0, 1)
            for starts in (np.arange(made[2 + axis]) * stride[axis] - padding[axis],)
        ]
        divisor = np.outer(*spans).astype(np.float64)
    return Geometry(kind, rows, columns, (size[0], size[1]), divisor)


def pooled(maps: NDArray[np.floating], geometry: Geometry, kind: Kind | None = None) -> Pooled:
    """Pools the maps of one example and keeps account.

    Args:
        maps: float[channel height width], what came in.
        geometry: of the layer.
        kind: pool in this way over the same windows instead, to compare a maximum with an average.

    Check: for a maximum, `unpooled` equals `maps` at the switches and 0 elsewhere, also where windows overlap.
    Source: Zeiler & Fergus 2014, arXiv:1311.2901, section 2.1.
    """
    values: NDArray[np.float64] = np.asarray(maps, np.float64)
    if values.ndim != 3 or values.shape[1:] != geometry.size:
        raise MethodError(f"Expected maps (channel, {geometry.size[0]}, {geometry.size[1]}); got {values.shape}.")
    seen, places, inside = _seen(values, geometry)
    if (kind or geometry.kind) == "max":
        return _maximum(values, seen, places, inside)
    return _average(values, seen, places, inside, geometry.divisor if kind in (None, geometry.kind) else None)


def _seen(
    maps: NDArray[np.float64], geometry: Geometry
) -> tuple[NDArray[np.float64], NDArray[np.int64], NDArray[np.bool_]]:
    """Every window's values, [channel height width window], their flattened places, and whether they are none of padding."""
    rows, columns = geometry.rows, geometry.columns
    inside = (rows >= 0)[:, None, :, None] & (columns >= 0)[None, :, None, :]
    places = np.maximum(rows, 0)[:, None, :, None] * geometry.size[1] + np.maximum(columns, 0)[None, :, None, :]
    form = (len(rows), len(columns), rows.shape[1] * columns.shape[1])
    places, inside = places.reshape(form), inside.reshape(form)
    return maps.reshape(len(maps), -1)[:, places], places, inside


def _maximum(
    maps: NDArray[np.float64], seen: NDArray[np.float64], places: NDArray[np.int64], inside: NDArray[np.bool_]
) -> Pooled:
    offered = np.where(inside, seen, -np.inf)
    # Of equals the first wins; a NaN wins over all, as it does in torch.
    best = np.where(np.isnan(offered).any(-1), np.isnan(offered).argmax(-1), offered.argmax(-1))
    values = np.take_along_axis(offered, best[..., None], -1)[..., 0]
    switches = np.take_along_axis(np.broadcast_to(places, offered.shape), best[..., None], -1)[..., 0]
    flat = maps.reshape(len(maps), -1)
    unpooled = np.zeros_like(flat)
    chosen = switches.reshape(len(maps), -1)
    np.put_along_axis(unpooled, chosen, np.take_along_axis(flat, chosen, 1), 1)
    return Pooled(values, switches, unpooled.reshape(maps.shape), *_shares(np.abs(unpooled), np.abs(flat)))


def _average(
    maps: NDArray[np.float64],
    seen: NDArray[np.float64],
    places: NDArray[np.int64],
    inside: NDArray[np.bool_],
    divisor: NDArray[np.float64] | None,
) -> Pooled:
    values_in = np.where(inside, seen, 0.0)
    number = inside.sum(-1)
    means = values_in.sum(-1) / np.maximum(number, 1)
    values = means if divisor is None else values_in.sum(-1) / divisor
    spread = np.zeros((len(maps), maps[0].size))
    times = np.zeros(maps[0].size)
    np.add.at(times, places[inside], 1.0)
    for channel in range(len(maps)):
        np.add.at(spread[channel], places[inside], np.broadcast_to(values[channel][..., None], inside.shape)[inside])
    spread /= np.maximum(times, 1)
    # In its windows: the means against the values that they stand for, each as often as it lies in a window.
    left = float((number * np.abs(means)).sum()), float((number * means**2).sum())
    whole = float(np.abs(values_in).sum()), float((values_in**2).sum())
    shares = [
        part / total if np.isfinite(total) and total > 0 else None for part, total in zip(left, whole, strict=True)
    ]
    return Pooled(values, np.full(values.shape, -1), spread.reshape(maps.shape), shares[0], shares[1])


def _shares(left: NDArray[np.float64], whole: NDArray[np.float64]) -> tuple[float | None, float | None]:
    found = []
    for power in (1, 2):
        total = float((whole**power).sum())
        found.append(float((left**power).sum()) / total if np.isfinite(total) and total > 0 else None)
    return found[0], found[1]
