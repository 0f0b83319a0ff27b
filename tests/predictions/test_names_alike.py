"""Names of classes that look the same: accents that are written in two ways are one name, case makes two, which is said."""

from __future__ import annotations

import unicodedata
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

import pellucid
from pellucid.predictions import panels_of
from support.program import in_process
from support.saved import answered, softmax

LOGITS, TARGETS = answered(40)
CALLED = LOGITS.argmax(axis=1)
RIGHT = int((CALLED == TARGETS).sum())
COMPOSED = ("caf\u00e9", "dog", "owl", "yak")
APART = tuple(unicodedata.normalize("NFD", name) for name in COMPOSED)


def correct(*given: object, **options: object) -> int:
    panel = panels_of(*given, lenses=["accuracy"], **options)["accuracy"]  # type: ignore[arg-type]
    assert isinstance(panel, pellucid.record.schema.AccuracyPanel)
    assert panel.count == 40
    return panel.correct


@pytest.mark.parametrize(("one", "other"), [(COMPOSED, APART), (APART, COMPOSED)])
def test_an_accent_is_the_same_however_it_is_written(one: tuple[str, ...], other: tuple[str, ...]) -> None:
    ours, theirs = np.array(one), np.array(other)
    assert correct(ours[CALLED], theirs[TARGETS]) == RIGHT
    assert correct(softmax(LOGITS), theirs[TARGETS], classes=one) == RIGHT
    scores = softmax(LOGITS)
    table = pa.table({name: scores[:, place] for place, name in enumerate(other)} | {"label": theirs[TARGETS]})
    assert correct(table, classes=one) == RIGHT
    hot = pa.table({name: (place == TARGETS).astype(int) for place, name in enumerate(other)})
    assert correct(softmax(LOGITS), hot, classes=one) == RIGHT


def test_names_that_differ_by_case_alone_are_kept_apart_and_said(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("called.csv").write_text("prediction,label\nCat,cat\ndog,dog\ncat,cat\n")
    done = in_process(capfd, monkeypatch)("import", "called.csv", "--out", "net")
    assert done.code == 0, done.err
    assert "differ by case alone are kept apart: Cat, cat" in " ".join(done.err.split())
    record = pellucid.Record("net")
    assert record.manifest.saved is not None
    assert record.manifest.saved.alike == ["Cat", "cat"]
    assert record.manifest.data is not None
    assert record.manifest.data.classes == ["Cat", "cat", "dog"]
