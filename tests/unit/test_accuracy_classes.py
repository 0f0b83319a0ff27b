"""Very many classes are arrays that say what the rows of the panel would."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import pellucid
from pellucid.lenses import accuracy, accuracy_classes
from pellucid.record import Record, schema
from support.saved import answered, softmax

LOGITS, TARGETS = answered(200, classes=12)
SCORES = softmax(LOGITS)


def panel_of(record: Record) -> schema.AccuracyPanel:
    panel = record.panel("accuracy")
    assert isinstance(panel, schema.AccuracyPanel)
    return panel


@pytest.fixture
def few(monkeypatch: pytest.MonkeyPatch) -> None:
    """More than ten classes are very many."""
    for module in (accuracy, accuracy_classes):
        monkeypatch.setattr(module, "MOST_LISTED", 10)


def test_arrays_hold_what_the_rows_would(tmp_path: Path, few: None, monkeypatch: pytest.MonkeyPatch) -> None:
    record = pellucid.import_predictions(SCORES, TARGETS, out=tmp_path / "arrays")
    monkeypatch.undo()
    listed = pellucid.import_predictions(SCORES, TARGETS, out=tmp_path / "listed")
    panel, rows = panel_of(record), panel_of(listed).by_class
    assert (panel.by_class, panel.classes, len(rows)) == ([], 12, 12)
    assert listed.arrays("accuracy") == []
    assert panel.balanced_accuracy == panel_of(listed).balanced_accuracy
    counts, areas = record.array("accuracy", "counts"), record.array("accuracy", "areas")
    assert counts.tolist() == [[one.support, one.predicted, one.true_positive] for one in rows]
    for row, found in zip(rows, areas.tolist(), strict=True):
        assert row.area_interval is not None
        assert row.average_precision_interval is not None
        assert found == [
            row.area,
            row.area_interval.low,
            row.area_interval.high,
            row.area_error,
            row.average_precision,
            row.average_precision_interval.low,
            row.average_precision_interval.high,
            row.average_precision_error,
        ]


def test_where_no_probability_is_known_there_are_no_areas(tmp_path: Path, few: None) -> None:
    record = pellucid.import_predictions(LOGITS.argmax(axis=1), TARGETS, out=tmp_path / "classes")
    assert record.arrays("accuracy") == ["counts"]
    assert record.array("accuracy", "counts").sum(axis=0)[0] == 200


def test_sets_of_many_classes_are_arrays_too(tmp_path: Path, few: None) -> None:
    true = np.random.default_rng(0).random((200, 12)) < 0.3
    record = pellucid.import_predictions(LOGITS, true, out=tmp_path / "sets", kind="logits")
    assert panel_of(record).by_class == []
    assert record.array("accuracy", "counts")[:, 0].tolist() == true.sum(axis=0).tolist()


def test_the_limit_is_that_of_the_format() -> None:
    text = (Path(__file__).parents[2] / "docs" / "format.md").read_text(encoding="utf-8")
    assert f"above {accuracy_classes.MOST_LISTED:,} they are [arrays](#arrays), and `by_class` is empty" in text
