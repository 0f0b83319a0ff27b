"""Numbers of accuracy that Python and TypeScript must agree on: `PYTHONPATH=tests python tests/support/fixtures_accuracy.py`.

Writes tests/fixtures/measures/accuracy.json, which a test of either language reads.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np

from pellucid.measures import calibration
from pellucid.measures.calibration_errors import calibration_errors
from pellucid.measures.classification import scores, tallies
from pellucid.measures.confusion import SparseCounts
from pellucid.measures.curve_intervals import area_interval, average_precision_interval
from pellucid.measures.curves import average_precision, ordered, roc_area
from pellucid.measures.intervals import f1_interval
from pellucid.measures.ranking import rank_counts, top_k
from pellucid.measures.regression import Moments, regression_scores
from pellucid.measures.slices import fisher, found_slices, slices_of
from pellucid.record.schema import Interval
from support.calibrated import fine

PLACE = Path(__file__).parents[1] / "fixtures" / "measures" / "accuracy.json"

DRAWN = ((0, 3, 90), (1, 7, 400), (2, 2, 5))
# All right, all wrong, one class alone, one class of targets, one of predictions, two examples, one.
AT_AN_END = (
    ([0, 1] * 10, [0, 1] * 10, 2),
    ([0, 1] * 10, [1, 0] * 10, 2),
    ([1] * 7, [1] * 7, 3),
    ([1] * 7, [1, 1, 1, 1, 1, 0, 2], 3),
    ([1, 0, 2, 2], [1, 1, 1, 1], 3),
    ([0, 1], [0, 1], 2),
    ([0], [1], 2),
)

# Seed, examples, share of the class and how much higher it scores: few of one kind, and curves without a mistake, among them.
CURVES = ((3, 40, 0.3, 2), (4, 300, 0.3, 2), (7, 200, 0.02, 1), (8, 60, 0.95, 60), (9, 2, 0.5, 9))


def made() -> dict[str, Any]:
    """The fixture as JSON values."""
    return {
        "classes": [
            *(_classes(*_answers(seed, classes, number), classes) for seed, classes, number in DRAWN),
            *(
                _classes(np.array(targets), np.array(predictions), classes)
                for targets, predictions, classes in AT_AN_END
            ),
        ],
        "curves": [
            _curve(seed, number, share, shift)
            for seed, number, share, shift in (
                (3, 40, 0.3, 2),
                (4, 300, 0.3, 2),
                (7, 200, 0.02, 1),
                (8, 60, 0.95, 60),
                (9, 2, 0.5, 9),
            )
        ],
        "calibration": [
            _calibration(seed, number, off)
            for seed, number, off in ((5, 30, 0.06), (6, 800, 0.06), (11, 5, 0.0), (12, 3000, 0.0), (13, 3000, 0.02))
        ]
        + [
            _calibrated(np.full(number, confidence), np.arange(number) < right)
            for number, right, confidence in (
                (10, 0, 0.990234375),
                (10, 10, 0.990234375),
                (10, 10, 0.6015625),
                (4, 3, 1.0),
            )
        ],
        "regression": [_regression(seed, number) for seed, number in ((7, 25), (8, 400), (9, 2))],
        "fisher": [
            {"of": list(one), "p_value": fisher(*one)}
            for one in (
                (3, 20, 60, 100),
                (19, 20, 60, 100),
                (12, 20, 60, 100),
                (0, 5, 900, 1000),
                (40, 400, 30_000, 100_000),
            )
        ],
        "slices": _slices(9),
        "found": _found(10),
    }


def _ends(interval: Interval | None) -> list[float] | None:
    return None if interval is None else [interval.low, interval.high]


def _answers(seed: int, classes: int, number: int) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    targets = rng.integers(0, classes, number) % rng.integers(1, classes + 1, number)
    return targets, np.where(rng.random(number) < 0.6, targets, rng.integers(0, classes, number))


def _classes(targets: np.ndarray, predictions: np.ndarray, classes: int) -> dict[str, Any]:
    rng, number = np.random.default_rng(len(targets)), len(targets)
    ranks = np.where(targets == predictions, 0, rng.integers(1, classes, number))
    ranks[::10] = -1
    counts = rank_counts(ranks, classes)
    cells = SparseCounts.of(targets, predictions)
    of = tallies(cells.rows, cells.columns, cells.counts.astype(float), classes)
    curve = [top_k(counts, k) for k in range(1, classes + 1)]
    return {
        "classes": classes,
        "targets": targets.tolist(),
        "predictions": predictions.tolist(),
        "ranks": ranks.tolist(),
        "top": [[one.accuracy, *(_ends(one.interval) or [])] for one in curve if one],
        "scores": [[one.name, one.value, _ends(one.interval), one.why] for one in scores(cells)],
        "f1": [
            _ends(f1_interval(int(right), int(support), int(predicted)))
            for right, support, predicted in zip(of.right, of.support, of.predicted, strict=True)
        ],
    }


def _curve(seed: int, number: int, share: float, shift: float) -> dict[str, Any]:
    rng = np.random.default_rng(seed)
    positive = rng.random(number) < share
    scores = np.round(rng.beta(1 + shift * positive, 2), 2)
    of = ordered(scores, positive)
    area, precision = roc_area(of), average_precision(of)
    if area is None or precision is None:
        raise ValueError("both groups hold examples")
    return {
        "scores": scores.tolist(),
        "positive": positive.astype(int).tolist(),
        "area": area.value,
        "area_interval": _ends(area_interval(of, area.value)),
        "precision": precision.value,
        "precision_interval": _ends(average_precision_interval(of, precision.value)),
    }


def _calibration(seed: int, number: int, off: float) -> dict[str, Any]:
    rng = np.random.default_rng(seed)
    # What the app reads are float32.
    confidences = np.minimum(rng.beta(4, 1.2, number) * 1.05, 1.0).astype(np.float32).astype(float)
    return _calibrated(confidences, rng.random(number) < confidences - off)


def _calibrated(confidences: np.ndarray, right: np.ndarray) -> dict[str, Any]:
    bins = fine(confidences, right)
    mass = calibration.equal_mass(bins)
    return {
        "confidences": confidences.tolist(),
        "right": right.astype(int).tolist(),
        "errors": [
            [one.name, one.value, one.expected, one.limit, one.bins, _ends(one.interval)]
            for one in calibration_errors(bins)
        ],
        "mass": [mass.edges.tolist(), mass.counts.tolist(), mass.confidences.tolist(), mass.correct.tolist()],
    }


def _regression(seed: int, number: int) -> dict[str, Any]:
    rng = np.random.default_rng(seed)
    targets = rng.gamma(2, 3, number)
    outputs = targets + rng.normal(0.4, 1.5, number)
    scores = regression_scores(Moments.of(targets, outputs - targets))
    return {
        "targets": targets.tolist(),
        "outputs": outputs.tolist(),
        "scores": [[one.name, one.value, _ends(one.interval)] for one in scores],
    }


def _slices(seed: int) -> dict[str, Any]:
    rng = np.random.default_rng(seed)
    counted = []
    for column, values in (("site", 4), ("day", 9)):
        for value in range(values):
            count = int(rng.integers(2, 90))
            counted.append([column, str(value), count, int(rng.binomial(count, 0.9 if value else 0.5))])
    counts = {(column, value): (count, correct) for column, value, count, correct in counted}
    totals = {
        column: tuple(sum(one[place] for one in counted if one[0] == column) for place in (2, 3))
        for column in ("site", "day")
    }
    found = slices_of(counts, totals)  # type: ignore[arg-type]
    return {
        "counted": counted,
        "found": [[one.column, one.value, one.accuracy, one.rest, one.p_value, one.adjusted] for one in found],
    }


def _found(seed: int) -> dict[str, Any]:
    rng = np.random.default_rng(seed)
    site, size = rng.integers(0, 4, 900).astype(float), np.round(rng.normal(size=900), 3)
    size[::40] = np.nan
    right = rng.random(900) < np.where((site == 2) & (size > 0.3), 0.3, 0.9)
    grown = rng.random(900) < 0.5
    found = found_slices(np.stack([site, size], axis=1), (True, False), right, grown)
    return {
        "site": site.tolist(),
        "size": [None if np.isnan(one) else one for one in size.tolist()],
        "right": right.astype(int).tolist(),
        "grown": grown.astype(int).tolist(),
        "found": [
            {
                "rule": [[one.feature, one.kind, one.cut] for one in leaf.rule],
                "numbers": [leaf.count, leaf.correct, leaf.p_value, leaf.adjusted],
            }
            for leaf in found
        ],
    }


def text() -> str:
    """The fixture as it stands in its file."""
    return json.dumps(made(), separators=(",", ":")) + "\n"


if __name__ == "__main__":
    PLACE.write_text(text(), encoding="utf-8")
