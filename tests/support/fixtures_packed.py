"""A packed examples table that both Python and the app are held to: its bytes, and what the app should read."""

from __future__ import annotations

import base64
import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from pellucid.export_table import packed

PLACE = Path(__file__).parents[1] / "fixtures" / "measures" / "packed.json"
ROWS = 300


def table() -> pa.Table:
    """Right and wrong answers, nulls in every column, infinite losses, and texts of each kind."""
    generator = np.random.default_rng(3)
    target = generator.integers(0, 700, ROWS)
    right = generator.random(ROWS) < 0.7
    prediction = np.where(right, target, (target + 1) % 700)
    confidence = generator.beta(5, 1, ROWS).astype(np.float32)
    loss = np.where(right, -np.log(confidence.astype(float)), generator.exponential(2, ROWS))
    loss[7] = math.inf
    none = generator.random(ROWS) < 0.05
    unlabelled = generator.random(ROWS) < 0.05
    return pa.table(
        {
            "row": pa.array(range(ROWS), pa.int64()),
            "id": [f"img{row + 95:04d}" for row in range(ROWS)],
            "target": pa.array(target.astype(np.int32), mask=unlabelled),
            "prediction": pa.array(prediction.astype(np.int32), mask=none),
            "loss": pa.array(loss, mask=unlabelled | none),
            "confidence": pa.array(confidence, mask=none),
            "entropy": pa.array(generator.random(ROWS).astype(np.float32) * 6, mask=none),
            "margin": pa.array(np.zeros(ROWS, np.float32)),
            "rank": pa.array(np.where(right, 0, 300).astype(np.int32), mask=unlabelled | none),
            "top_classes": [[1, 2]] * ROWS,
            "media": pa.array([None] * ROWS, pa.string()),
            "nonfinite": none,
            "device": [("phone", "ä camera", None)[row % 3] for row in range(ROWS)],
            "note": [f"{row * 7919 % 1000}-{'é' * (row % 4)}" for row in range(ROWS)],
            "weight": pa.array(generator.normal(size=ROWS).astype(np.float32)),
            "big": pa.array([-5 + row * 10_000_000 for row in range(ROWS)], pa.int64()),
        }
    )


def expected(digits: dict[str, int]) -> dict[str, list[Any]]:
    """What should be read: fractions rounded by frexp, which is not how they were packed."""
    found: dict[str, list[Any]] = {}
    for name, column in zip(table().column_names, table().columns, strict=True):
        values = column.to_pylist()
        if name in digits:
            values = [_rounded(value, digits[name]) for value in values]
        if name not in ("row", "top_classes", "media"):
            found[name] = values
    return found


def _rounded(value: float | None, digits: int) -> float | str | None:
    if value is None or math.isinf(value):
        return value if value is None else "infinite"
    part, power = math.frexp(float(np.float32(value)))
    return math.ldexp(math.floor(part * 2 ** (digits + 1) + 0.5), power - digits - 1)


def text() -> str:
    """The fixture file."""
    small = packed(table(), 1, {4: "a.png", 9: "b.png"})
    assert small.rounded == {"loss": 6, "confidence": 6, "entropy": 5, "margin": 5}
    assert small.left_out == ["top_classes"]
    said = {
        "packed": base64.b64encode(small.content).decode(),
        "digits": small.rounded,
        "columns": expected(small.rounded),
        "media": {"4": "a.png", "9": "b.png"},
    }
    return json.dumps(said, ensure_ascii=False, separators=(",", ":")) + "\n"
