"""Small tables that a record accepts, for tests of the record alone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pyarrow as pa

from pellucid.record.tables import standard_fields


def examples_part(start: int, count: int, columns: Mapping[str, Sequence[object]] | None = None) -> pa.Table:
    """Rows `start` to `start + count` with plausible standard columns, and others as given."""
    rng = np.random.default_rng(start)
    values: dict[str, list[object]] = {
        "row": list(range(start, start + count)),
        "id": [f"example {row}" for row in range(start, start + count)],
        "target": rng.integers(0, 3, count).tolist(),
        "prediction": rng.integers(0, 3, count).tolist(),
        "loss": rng.gamma(1, 1, count).tolist(),
        "confidence": rng.random(count).tolist(),
        "entropy": rng.random(count).tolist(),
        "margin": rng.random(count).tolist(),
        "rank": rng.integers(0, 3, count).tolist(),
        "top_classes": rng.integers(0, 3, (count, 2)).tolist(),
        "top_probabilities": rng.random((count, 2)).tolist(),
        "media": [None] * count,
        "nonfinite": [False] * count,
    }
    arrays = {name: pa.array(values[name], types[0]) for name, types in standard_fields().items()}
    return pa.table(arrays | {name: pa.array(list(column)) for name, column in (columns or {}).items()})
