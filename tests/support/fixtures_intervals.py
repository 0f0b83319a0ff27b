"""Intervals of means that Python and TypeScript must agree on: `python tests/support/fixtures_intervals.py` writes them.

Writes tests/fixtures/measures/intervals.json, which a test of either language reads.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
from scipy import special

from pellucid.measures.intervals import mean_interval

PLACE = Path(__file__).parents[1] / "fixtures" / "measures" / "intervals.json"

FREEDOMS = (1, 2, 3, 4, 5, 7, 10, 20, 31, 50, 100, 250, 499, 500, 501, 1000, 10_000, 1_000_000)


def made() -> dict[str, Any]:
    """The fixture as JSON values."""
    return {
        "quantiles": [[freedom, float(special.stdtrit(freedom, 0.975))] for freedom in FREEDOMS],
        "means": [_mean(seed, number) for seed, number in enumerate((0, 1, 2, 3, 6, 40, 700))],
    }


def _mean(seed: int, number: int) -> dict[str, Any]:
    values = np.round(np.random.default_rng(seed).exponential(size=number), 6)
    spread = float(((values - values.mean()) ** 2).sum()) if number else 0.0
    interval = mean_interval(number, float(values.sum()), spread)
    return {"values": values.tolist(), "interval": None if interval is None else [interval.low, interval.high]}


def text() -> str:
    """The fixture as it stands in the file."""
    return json.dumps(made(), allow_nan=False, separators=(",", ":")) + "\n"


if __name__ == "__main__":
    PLACE.write_text(text(), encoding="utf-8")
