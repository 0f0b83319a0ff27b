"""Rows of very many classes are made once for the panel and its arrays."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import pellucid
from pellucid.lenses import accuracy
from pellucid.lenses.accuracy_answer import class_rows


def test_panel_and_arrays_share_the_rows_and_more_examples_make_them_anew(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = []
    monkeypatch.setattr(accuracy, "class_rows", lambda *given: asked.append(given[2]) or class_rows(*given))
    classes = np.arange(2_100)
    record = pellucid.import_predictions(classes, np.roll(classes, 1), out=tmp_path / "net.pellucid")
    panel = record.panel("accuracy")
    assert isinstance(panel, pellucid.record.schema.AccuracyPanel)
    assert (len(asked), panel.classes) == (1, 2_100)
    assert record.array("accuracy", "counts").sum(axis=0).tolist() == [2_100, 2_100, 0]
    lens = accuracy.AccuracyLens()
    for wanted, added in ((2, [0, 1]), (2, []), (3, [1])):
        targets = np.array(added, np.int64)
        lens.merge(accuracy.AccuracyLens(classes=3, cells=vars(accuracy.SparseCounts.of(targets, targets))))
        assert [row.support for row in lens.report().by_class[:2]] == [1, wanted - 1]
        assert len(asked) == wanted
