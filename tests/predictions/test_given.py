"""Columns beside predicted classes mean what their names say: what cannot is refused, with the row, the value and the range."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

import pellucid
from pellucid.errors import DataError
from pellucid.predictions import panels_of
from pellucid.record import schema
from support.saved import CLASSES, answered, softmax

LOGITS, TARGETS = answered(40)
SCORES = softmax(LOGITS).astype(np.float64)
CALLED = SCORES.argmax(axis=1)
ORDER = np.sort(SCORES, axis=1)
RANKS = (SCORES[np.arange(40), TARGETS][:, None] < SCORES).sum(axis=1)
RIGHT, WRONG = np.flatnonzero(RANKS == 0)[0], np.flatnonzero(RANKS > 0)[0]
GIVEN = {
    "confidence": ORDER[:, -1],
    "rank": RANKS,
    "loss": -np.log(SCORES[np.arange(40), TARGETS]),
    "entropy": -(SCORES * np.log(SCORES)).sum(axis=1),
    "margin": ORDER[:, -1] - ORDER[:, -2],
}


def table(**changed: Any) -> pa.Table:
    return pa.table({"prediction": CALLED, "label": TARGETS, **GIVEN, **changed})


def at(name: str, row: int, value: float) -> dict[str, Any]:
    values = np.array(GIVEN[name], np.float64)
    values[row] = value
    return {name: values}


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        (at("confidence", 7, 1.7), ["confidence of row 7 is 1.7 (1 such rows among 40)", "0 to 1", "percentages"]),
        (at("confidence", 7, -0.5), ["confidence of row 7 is -0.5", "0 to 1", "another name"]),
        ({"confidence": GIVEN["confidence"] * 100}, ["(40 such rows", "percentages? Divide them by 100"]),
        (at("confidence", 7, np.inf), ["confidence of row 7 is inf"]),
        (at("margin", 7, 5), ["margin of row 7 is 5", "0 to 1"]),
        (at("margin", 7, -0.2), ["margin of row 7 is -0.2"]),
        (at("loss", 7, -3), ["loss of row 7 is -3", "at least 0"]),
        (at("entropy", 7, -3), ["entropy of row 7 is -3", "0 to 1.386"]),
        (at("entropy", 7, 99), ["entropy of row 7 is 99", "--classes"]),
        (at("entropy", 7, 1.9), ["entropy of row 7 is 1.9", "Are these bits? Multiply them by ln 2"]),
        (at("rank", 7, 99), ["rank of row 7 is 99", "0 to 3, one of 4 classes", "--classes"]),
        (at("rank", 7, -3), ["rank of row 7 is -3", "or -1 where it is not known"]),
        (at("rank", 7, 0.5), ["rank of row 7 is 0.5", "whole numbers"]),
        (at("rank", 7, 4), ["rank of row 7 is 4", "Do these begin at 1? The first place is 0"]),
        ({"rank": np.minimum(RANKS, 2) + 1}, ["the prediction is right", "Do these begin at 1? Subtract 1"]),
        (at("rank", RIGHT, 1), [f"of row {RIGHT} is 1, but the prediction is right (1 such rows"]),
        (at("rank", WRONG, 0), [f"of row {WRONG} is 0, but the prediction is wrong (1 such rows"]),
    ],
)
def test_what_a_name_does_not_allow_is_refused(changed: dict[str, Any], words: list[str], tmp_path: Path) -> None:
    with pytest.raises(DataError) as told:
        pellucid.import_predictions(table(**changed), out=tmp_path / "net", classes=CLASSES)
    for word in words:
        assert word in str(told.value)
    assert not (tmp_path / "net").exists()


def test_what_a_name_allows_is_taken_however_it_is_written() -> None:
    missing = np.arange(40) < 5
    for changed in (
        {},
        {"confidence": np.float16(GIVEN["confidence"]), "margin": np.float16(GIVEN["margin"])},
        {"confidence": np.where(missing, 1.0000002, GIVEN["confidence"])},  # as float32 rounds it
        {"loss": np.where(missing, -1e-7, GIVEN["loss"]), "entropy": np.where(missing, -1e-9, GIVEN["entropy"])},
        {"rank": np.where(missing, -1, RANKS)},
        {"rank": np.where(missing, np.nan, RANKS), "confidence": np.where(missing, np.nan, GIVEN["confidence"])},
        {"label": np.where(missing, -1, TARGETS), "rank": np.where(missing, 3, RANKS)},
        {"entropy": np.full(40, np.nan), "loss": np.where(missing, np.inf, GIVEN["loss"])},
    ):
        accuracy = panels_of(table(**changed), classes=CLASSES, lenses=["accuracy"])["accuracy"]
        assert isinstance(accuracy, schema.AccuracyPanel)
        known = np.flatnonzero(np.asarray(changed.get("label", TARGETS)) >= 0)
        assert accuracy.correct == int((CALLED[known] == TARGETS[known]).sum())
        assert accuracy.mean_confidence is not None
        assert accuracy.mean_confidence <= 1
