"""Numbers of people beside a model that Python and TypeScript must agree on: `python tests/support/fixtures_people.py`.

Writes tests/fixtures/measures/people.json, which a test of either language reads.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from pellucid.measures.clustered import clustered_share

PLACE = Path(__file__).parents[1] / "fixtures" / "measures" / "people.json"


def made() -> dict[str, Any]:
    """The fixture as JSON values."""
    return {
        "shares": [_share(*one) for one in _answers()],
        "differences": [
            _difference(np.array(one)) for one in ([], [0.25], [0.5, 0.5], [1.0, -0.5, 0.0], _drawn(0, 40))
        ],
    }


def _answers() -> list[tuple[list[int], list[int]]]:
    rng = np.random.default_rng(0)
    trials = rng.integers(0, 12, 60)
    return [
        ([], []),
        ([0, 0], [0, 0]),
        ([2], [3]),
        ([3, 0], [3, 0]),
        ([4, 5, 6], [4, 5, 6]),
        ([0, 0, 0], [4, 5, 6]),
        ([1, 4, 0, 2], [5, 5, 0, 5]),
        (rng.binomial(trials, rng.beta(3, 1, 60)).tolist(), trials.tolist()),
        (rng.integers(0, 2, 30).tolist(), [1] * 30),
    ]


def _drawn(seed: int, count: int) -> list[float]:
    return [float(one) for one in np.random.default_rng(seed).normal(0.1, 0.4, count)]


def _share(successes: list[int], trials: list[int]) -> dict[str, Any]:
    value, interval = clustered_share(np.array(successes, np.float64), np.array(trials, np.float64))
    ends = None if interval is None else [float(interval.low), float(interval.high)]
    return {"successes": successes, "trials": trials, "value": value, "interval": ends}


def _difference(values: NDArray[np.float64]) -> dict[str, Any]:
    defined = len(values) > 1 and float(values.std()) > 0
    low, high = stats.t.interval(0.95, len(values) - 1, values.mean(), stats.sem(values)) if defined else (None, None)
    return {
        "values": values.tolist(),
        "value": float(values.mean()) if len(values) else None,
        "interval": [float(low), float(high)] if defined else None,
    }


def text() -> str:
    """The fixture as it stands in the file."""
    return json.dumps(made(), allow_nan=False) + "\n"


if __name__ == "__main__":
    PLACE.write_text(text())
