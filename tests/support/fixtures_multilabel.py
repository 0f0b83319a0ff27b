"""Numbers of sets of classes that Python and TypeScript must agree on: `python tests/support/fixtures_multilabel.py` writes them.

Writes tests/fixtures/measures/multilabel.json, which a test of either language reads.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np

from pellucid.lenses.accuracy_answer import class_rows, macro_f1_score
from pellucid.measures.multilabel import SetSums, set_scores
from pellucid.measures.score_cells import ScoreCells
from pellucid.record.schema import Interval

PLACE = Path(__file__).parents[1] / "fixtures" / "measures" / "multilabel.json"

# Examples, classes, and how often a class is true: none at all in one case, one example in another.
CASES = ((60, 4, 0.4), (300, 9, 0.15), (1, 3, 0.5), (12, 3, 0.0), (0, 3, 0.5), (60, 3, 0.4), (60, 3, 0.4), (60, 3, 0.4))
# Those of which all called classes are right, all wrong, and one wrong.
FLIPPED = {5: 0, 6: 180, 7: 1}


def made() -> dict[str, Any]:
    """The fixture as JSON values."""
    return {"cases": [_case(seed, *case) for seed, case in enumerate(CASES)]}


def _ends(interval: Interval | None) -> list[Any] | None:
    return None if interval is None else [interval.low, interval.high, interval.method]


def _case(seed: int, number: int, classes: int, share: float) -> dict[str, Any]:
    rng = np.random.default_rng(seed)
    true = rng.random((number, classes)) < share
    called = np.where(rng.random((number, classes)) < 0.7, true, rng.random((number, classes)) < share)
    if seed in FLIPPED:
        called = true ^ (np.arange(true.size) < FLIPPED[seed]).reshape(true.shape)
    unknown = np.arange(number) % 11 == 5
    sums = SetSums.of(true[~unknown], called[~unknown]) if number else SetSums.of(true, called)
    rows = class_rows(sums.tallies, ScoreCells(), 0, 0)
    scores = [*set_scores(sums), macro_f1_score(rows, sums.count)]
    listed = [[np.flatnonzero(row).tolist() for row in values] for values in (true, called)]
    return {
        "classes": classes,
        "true": [None if hidden else one for one, hidden in zip(listed[0], unknown, strict=True)],
        "called": listed[1],
        "count": sums.count,
        "exact": sums.exact,
        "scores": [[one.name, one.value, _ends(one.interval)] for one in scores],
        "by_class": [
            [one.support, one.predicted, one.true_positive, one.recall, one.precision, _ends(one.precision_interval)]
            for one in rows
        ],
    }


def text() -> str:
    """The fixture as it stands in the file."""
    return json.dumps(made(), allow_nan=False, separators=(",", ":")) + "\n"


if __name__ == "__main__":
    PLACE.write_text(text(), encoding="utf-8")
