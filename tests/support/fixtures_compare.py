"""Numbers of two models on the same examples that Python and TypeScript must agree on: `python tests/support/fixtures_compare.py`.

Writes tests/fixtures/measures/compare.json, which a test of either language reads.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np

from pellucid.comparison.pairs import Pair, accuracy_difference, by_class, ece_difference, flips_of, loss_difference
from pellucid.measures.intervals import benjamini_hochberg, wilson
from pellucid.measures.paired import kappa, mcnemar, mean_difference, share_difference

PLACE = Path(__file__).parents[1] / "fixtures" / "measures" / "compare.json"
CLASSES = 4
COUNTS = [(0, 0, 1), (3, 1, 10), (12, 40, 500), (0, 7, 7), (1200, 900, 50_000), (1, 0, 2), (30, 30, 60)]


def made() -> dict[str, Any]:
    """The fixture as JSON values."""
    return {
        "counts": [_counted(*one) for one in COUNTS],
        "adjusted": _adjusted([0.001, 0.2, 0.03, 0.04, 0.9, 0.001, 1.0]),
        "means": [
            _mean([0.5, 1.25, -3.0]),
            _mean([1.0, 2.0]),
            _mean([0.5, 0.5]),
            _mean([0.0, 0.0]),
            _mean([float(one % 7) for one in range(400)]),
        ],
        "cases": [_case(seed, number) for seed, number in ((0, 1), (1, 2), (2, 40), (3, 300), (4, 4), (5, 6))],
    }


def _counted(fixed: int, broken: int, count: int) -> dict[str, float]:
    low, high = share_difference(fixed, broken, count)
    return {
        "fixed": fixed, "broken": broken, "count": count, "p_value": float(mcnemar(fixed, broken)),
        "low": float(low), "high": float(high),
    }  # fmt: skip


def _adjusted(p_values: list[float]) -> dict[str, list[float]]:
    return {"p_values": p_values, "adjusted": benjamini_hochberg(np.array(p_values)).tolist()}


def _mean(values: list[float]) -> dict[str, Any]:
    array = np.array(values)
    mean, interval = mean_difference(np.zeros_like(array), array)
    return {
        "values": values,
        "mean": mean,
        "low": interval and interval.low,
        "high": interval and interval.high,
    }


def _case(seed: int, number: int) -> dict[str, Any]:
    rng = np.random.default_rng(seed)
    labels = rng.integers(-1, CLASSES, number)
    predictions = rng.integers(-1, CLASSES, (2, number))
    predictions = np.where((rng.random((2, number)) < 0.6) & (labels >= 0), labels, predictions)
    losses = np.where(predictions >= 0, rng.exponential(1, (2, number)), np.nan)
    confidences = np.where(predictions >= 0, rng.uniform(0.25, 1, (2, number)).astype(np.float32), np.nan)
    confidences[:, 0] = np.where(predictions[:, 0] >= 0, 1.0, np.nan)
    pair = Pair(labels, predictions[0], predictions[1], losses, confidences)
    answered = (predictions >= 0).any(axis=0)
    value, interval = kappa(*(predictions[:, answered] + 1))
    changed = int((predictions[0] != predictions[1])[answered].sum())
    churn = wilson(changed, int(answered.sum()))
    flips = flips_of(pair)
    return {
        "labels": labels.tolist(),
        "predictions": predictions.tolist(),
        "losses": _listed(losses),
        "confidences": _listed(confidences),
        "flips": [int((flips == kind).sum()) for kind in range(4)],
        "accuracy": _told(accuracy_difference(pair)),
        "loss": _told(loss_difference(pair, "nats")),
        "ece": _told(ece_difference(pair)),
        "kappa": [value, interval and interval.low, interval and interval.high],
        "churn": [changed, int(answered.sum()), churn and churn.low, churn and churn.high],
        "classes": [
            [one.index, one.count, one.fixed, one.broken, one.interval and one.interval.low, one.p_value, one.adjusted]
            for one in by_class(pair, [str(index) for index in range(CLASSES)])
        ],
    }  # fmt: skip


def _told(one: Any) -> list[float | None]:
    ends = (None, None) if one.interval is None else (one.interval.low, one.interval.high)
    return [one.count, one.old, one.new, one.difference, *ends]


def _listed(values: np.ndarray) -> list[list[float | None]]:
    return [[float(one) if np.isfinite(one) else None for one in row] for row in values]


def text() -> str:
    """The fixture as it stands in the file."""
    return json.dumps(made(), allow_nan=False) + "\n"


if __name__ == "__main__":
    PLACE.parent.mkdir(parents=True, exist_ok=True)
    PLACE.write_text(text(), encoding="utf-8")
