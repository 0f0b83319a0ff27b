"""A training table as series of numbers, one a layer and quantity. Needs no torch."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, TypeAlias, TypeVar

import numpy as np

if TYPE_CHECKING:
    import pyarrow as pa
    from numpy.typing import NDArray

    Series: TypeAlias = tuple[NDArray[np.int64], NDArray[np.float64]]
    AllSeries: TypeAlias = dict[tuple[str, str], Series]

    _Kind = TypeVar("_Kind", bound=np.generic)

# Layers named before the others are counted.
_NAMED = 3


def series_of(table: pa.Table) -> AllSeries:
    """Steps and values by layer and quantity, in order of steps; NaN where the value was not finite.

    Args:
        table: columns of docs/format.md, rows in any order; histograms are left out.
    """
    import pyarrow.compute as pc

    table = table.filter(pc.is_null(table["counts"])).select(["step", "layer", "quantity", "value"])
    table = table.sort_by("step")
    steps = table["step"].to_numpy()
    values = table["value"].to_numpy(zero_copy_only=False).astype(np.float64)
    places: dict[tuple[str, str], list[int]] = defaultdict(list)
    for place, key in enumerate(zip(table["layer"].to_pylist(), table["quantity"].to_pylist(), strict=True)):
        places[key].append(place)
    return {key: (steps[indices], values[indices]) for key, indices in places.items()}


def found_in(series: AllSeries, layer: str, quantity: str) -> Series:
    """One of them; of no steps where it was not recorded."""
    return series.get((layer, quantity), (np.zeros(0, np.int64), np.zeros(0)))


def late(values: NDArray[_Kind]) -> NDArray[_Kind]:
    """The second half of the run."""
    return values[len(values) // 2 :]


def median(values: NDArray[np.float64]) -> float:
    """Of those that are finite; NaN where none is."""
    known = values[np.isfinite(values)]
    return float(np.median(known)) if len(known) else float("nan")


def named(layers: list[str]) -> str:
    """Some layers in words: the first few by name."""
    shown = ", ".join(layers[:_NAMED])
    more = f" and {len(layers) - _NAMED} more" if len(layers) > _NAMED else ""
    return f"{'layers' if len(layers) > 1 else 'layer'} {shown}{more}"
