"""Rows of very many classes as arrays: a number takes eight bytes there, and in JSON a line with its name."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from pellucid.record.schema import ClassAccuracy, Interval

MOST_LISTED = 2_000

COUNTS = ("support", "predicted", "true_positive")
AREAS = ("area", "average_precision")


def listed(rows: list[ClassAccuracy]) -> list[ClassAccuracy]:
    """The rows as the panel lists them: all, or none where they are arrays."""
    return rows if len(rows) <= MOST_LISTED else []


def class_arrays(rows: Sequence[ClassAccuracy]) -> dict[str, np.ndarray]:
    """Rows that are too many for the panel, empty where they are not.

    Returns: `counts` int64[class 3], of COUNTS, from which all shares and their intervals follow; and, where an area is known,
        `areas` float64[class 8]: for each of AREAS its value, the ends of its interval and its error, NaN where not defined.
    """
    if len(rows) <= MOST_LISTED:
        return {}
    found = {"counts": np.array([[getattr(one, name) for name in COUNTS] for one in rows], np.int64)}
    areas = np.array([[number for name in AREAS for number in _area(one, name)] for one in rows], np.float64)
    return found if np.isnan(areas).all() else found | {"areas": areas}


def _area(row: ClassAccuracy, name: str) -> tuple[float, float, float, float]:
    value, error = getattr(row, name), getattr(row, f"{name}_error")
    interval: Interval | None = getattr(row, f"{name}_interval")
    ends = (np.nan, np.nan) if interval is None else (interval.low, interval.high)
    return (np.nan if value is None else value, *ends, np.nan if error is None else error)
