"""Which columns hold the answers: those whose names say so; beside a predicted class other numbers are asked about."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from pellucid.errors import DataError, OptionError
from pellucid.predictions import panels_of
from support.saved import answered, softmax

LOGITS, TARGETS = answered(80)
CALLED = LOGITS.argmax(axis=1)
ACCURACY = (CALLED == TARGETS).mean()
OTHER = np.random.default_rng(3).normal(size=(80, 4))


def numbered(prefix: str, values: Any) -> dict[str, Any]:
    return {f"{prefix}{index}": values[:, index] for index in range(values.shape[1])}


def read(*given: Any, **options: Any) -> tuple[float | None, bool]:
    """The accuracy, and whether scores were read."""
    panels = panels_of(*given, lenses=["accuracy", "loss"], **options)
    return panels["accuracy"].accuracy, panels["loss"].mean is not None  # type: ignore[union-attr]


@pytest.mark.parametrize("name", ["pc_", "x", "embedding"])
def test_numbers_that_are_not_called_scores_are_asked_about_beside_a_predicted_class(name: str) -> None:
    other = {name: list(OTHER)} if name == "embedding" else numbered(name, OTHER)
    table = pa.table({"prediction": CALLED, "label": TARGETS, **other})
    shown = f"'{name}'" if name == "embedding" else rf"'{name}' \(numbered\)"
    with pytest.raises(DataError, match=rf"{shown} and 'prediction' could be the answers\. Say which: --column NAME"):
        panels_of(table)
    for options in ({"column": "prediction"}, {"kind": "classes"}):
        assert read(table, **options) == (pytest.approx(ACCURACY), False)
    chosen = OTHER.argmax(axis=1)
    assert read(table, column=name, kind="logits") == (pytest.approx((chosen == TARGETS).mean()), True)


@pytest.mark.parametrize("name", ["p_", "prob_class_", "Logit", "score", "reference_probabilities"])
def test_what_is_called_scores_goes_before_the_predicted_class_and_all_else(name: str) -> None:
    scores = {name: list(LOGITS)} if name.endswith("ies") else numbered(name, LOGITS)
    beside = {"prediction": CALLED[::-1], "embedding": list(OTHER), **numbered("pc_", OTHER)}
    found = read(pa.table({"label": TARGETS, **beside, **scores}), kind="logits")
    assert found == (pytest.approx(ACCURACY), True)


def test_whole_numbers_in_numbered_columns_are_no_scores_beside_a_predicted_class() -> None:
    votes = np.random.default_rng(0).integers(0, 9, (80, 4))
    assert read(pa.table({"prediction": CALLED, "label": TARGETS, **numbered("votes_", votes)})) == (
        pytest.approx(ACCURACY),
        False,
    )


def test_a_second_axis_of_one_number_says_no_more_than_none(tmp_path: Path) -> None:
    np.save(tmp_path / "labels.npy", TARGETS[:, None])
    np.save(tmp_path / "called.npy", CALLED[:, None])
    assert read(softmax(LOGITS), tmp_path / "labels.npy") == (pytest.approx(ACCURACY), True)
    assert read(tmp_path / "called.npy", TARGETS[:, None].astype(float)) == (pytest.approx(ACCURACY), False)


def test_rows_of_whole_numbers_are_scores_where_one_says_so() -> None:
    whole = np.round(LOGITS * 1000).astype(np.int64)
    assert read(whole, TARGETS, kind="logits") == (pytest.approx(ACCURACY), True)
    for rows in (np.eye(4, dtype=np.int64)[CALLED], np.eye(4, dtype=np.bool_)[CALLED]):
        with pytest.raises(DataError, match=r"single 1 \(one-hot\), give the class of each row: argmax\(axis=1\)"):
            panels_of(rows, TARGETS)
    with pytest.raises(OptionError, match="no scores"):
        panels_of(np.eye(4, dtype=np.bool_)[CALLED], TARGETS, column="values", kind="logits")
