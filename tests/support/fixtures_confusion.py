"""Confused pairs that Python and TypeScript must agree on: `python tests/support/fixtures_confusion.py` writes them.

Writes tests/fixtures/measures/confusion.json, which a test of either language reads.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from pellucid.measures.confusion import SparseCounts, confused_pairs
from pellucid.measures.intervals import holm, hypergeometric_tail

PLACE = Path(__file__).parents[1] / "fixtures" / "measures" / "confusion.json"
TAILS = [(3, 10, 20, 100), (1, 1, 1, 1), (0, 4, 3, 9), (40, 60, 300, 5000), (5, 5, 5, 12)]


def made() -> dict[str, Any]:
    """The fixture as JSON values."""
    return {
        "tails": [{"of": list(one), "p_value": hypergeometric_tail(*one)} for one in TAILS],
        "adjusted": {
            "p_values": [0.01, 0.04, 0.03, 0.005],
            "tests": 9,
            "expected": _holm([0.01, 0.04, 0.03, 0.005], 9),
        },
        "cases": [
            *(_case(seed, classes, number) for seed, classes, number in ((0, 2, 60), (1, 5, 200), (2, 12, 900))),
            _told(3, np.repeat([0, 0, 1, 1, 2], [30, 20, 40, 6, 50]), np.repeat([0, 1, 1, 0, 2], [30, 20, 40, 6, 50])),
            _told(
                4, np.repeat([0, 0, 0, 1, 2, 3], [9, 7, 4, 9, 9, 9]), np.repeat([0, 1, 3, 1, 2, 3], [9, 7, 4, 9, 9, 9])
            ),
        ],
    }


def _holm(p_values: list[float], tests: int) -> list[float]:
    return holm(np.array(p_values), tests).tolist()


def _case(seed: int, classes: int, number: int) -> dict[str, Any]:
    rng = np.random.default_rng(seed)
    targets = rng.integers(0, classes, number)
    slips = np.where(rng.random(number) < 0.5, (targets + 1) % classes, rng.integers(0, classes, number))
    return _told(classes, targets, np.where(rng.random(number) < 0.6, targets, slips))


def _told(classes: int, targets: np.ndarray, predictions: np.ndarray) -> dict[str, Any]:
    pairs = confused_pairs(SparseCounts.of(targets, predictions), classes)
    return {
        "classes": classes,
        "targets": targets.tolist(),
        "predictions": predictions.tolist(),
        "pairs": msgspec.to_builtins(pairs),
    }


def text() -> str:
    """The fixture as it stands in its file."""
    return json.dumps(made(), indent=1) + "\n"


if __name__ == "__main__":
    PLACE.write_text(text(), encoding="utf-8")
