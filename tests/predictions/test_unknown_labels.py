"""Labels that are not known are counted, however they are written; those that are counted from 1 are asked about."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

import pellucid
from pellucid.errors import DataError
from pellucid.predictions import panels_of
from support.program import in_process
from support.saved import CLASSES, answered, softmax


def test_minus_100_is_a_label_that_is_not_known_and_is_said(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    logits, targets = answered(40)
    left = np.where(np.arange(40) % 8 == 0, -100, targets)
    np.save("p.npy", softmax(logits))
    np.save("labels.npy", left)
    done = in_process(capfd, monkeypatch)("import", "p.npy", "--labels", "labels.npy", "--out", "net")
    assert done.code == 0, done.err
    assert "5 labels are -100" in done.err
    record = pellucid.Record("net")
    assert record.manifest.saved is not None
    assert record.manifest.saved.ignored == 5
    assert record.examples()["target"].to_pylist() == [None if one < 0 else one for one in left.tolist()]
    for labels in (left.astype(np.float64), pa.table({"label": left})):
        read = pellucid.import_predictions(softmax(logits), labels, out=tmp_path / "again", overwrite=True)
        assert read.manifest.saved is not None
        assert read.manifest.saved.ignored == 5
    with pytest.raises(DataError, match="The prediction of row 0 is -100"):
        pellucid.import_predictions(left, targets, out=tmp_path / "other")
    with pytest.raises(DataError, match="The label of row 0 is -99"):
        pellucid.import_predictions(softmax(logits), np.where(left == -100, -99, left), out=tmp_path / "other")


def test_labels_from_1_are_asked_whether_they_are_counted_from_1(tmp_path: Path) -> None:
    logits, targets = answered(40)
    with pytest.raises(DataError, match=r"They go from 1 to 4: are they counted from 1\? Subtract 1"):
        pellucid.import_predictions(softmax(logits), targets + 1, out=tmp_path / "net")


@pytest.mark.parametrize("word", ["", "NA", "N/A", "None", "nan", "NaN", "NULL", "<NA>"])
def test_words_for_nothing_are_labels_that_are_not_known(tmp_path: Path, word: str) -> None:
    logits, targets = answered(40)
    for names in (CLASSES, tuple(map(str, range(4)))):
        texts = [word if row % 8 == 0 else names[target] for row, target in enumerate(targets)]
        (tmp_path / "labels.csv").write_text(
            "\n".join(["row,label", *(f"{row},{one}" for row, one in enumerate(texts))])
        )
        for labels in (tmp_path / "labels.csv", pa.table({"label": texts})):
            accuracy = panels_of(softmax(logits), labels, classes=names, lenses=["accuracy"])["accuracy"]
            known = np.arange(40) % 8 != 0
            assert isinstance(accuracy, pellucid.record.schema.AccuracyPanel)
            assert accuracy.count == known.sum()
            assert accuracy.correct == (logits.argmax(axis=1) == targets)[known].sum()


def test_classes_may_be_called_by_such_words(tmp_path: Path) -> None:
    logits, targets = answered(40)
    names = ("nan", "null", "NA", "None")
    rows = [f"{row},{names[target]},null" for row, target in enumerate(targets)]
    (tmp_path / "labels.csv").write_text("\n".join(["id,label,site", *rows]))
    for labels in (tmp_path / "labels.csv", np.array(names)[targets]):
        accuracy = panels_of(softmax(logits), labels, classes=names, lenses=["accuracy"])["accuracy"]
        assert isinstance(accuracy, pellucid.record.schema.AccuracyPanel)
        assert (accuracy.count, accuracy.correct) == (40, (logits.argmax(axis=1) == targets).sum())
    # Text that is no class keeps what it says: a column "country" may say NA.
    (tmp_path / "called.csv").write_text("prediction,label,country\n0,0,NA\n1,NA,DE\n")
    record = pellucid.import_predictions(tmp_path / "called.csv", out=tmp_path / "net")
    assert record.examples()["country"].to_pylist() == ["NA", "DE"]
    assert record.examples()["target"].to_pylist() == [0, None]


@pytest.mark.parametrize("cells", [("cat;owl", "NA", ";"), ("0.7;0.1;0.1;0.1", "None", ""), ("[0, 2]", "NA", "[]")])
def test_a_list_may_be_such_a_word_too(cells: tuple[str, ...]) -> None:
    logits, _ = answered(3)
    loss = panels_of(softmax(logits), pa.table({"label": list(cells)}), classes=CLASSES, lenses=["loss"])["loss"]
    assert isinstance(loss, pellucid.record.schema.LossPanel)
    assert loss.count == (1 if cells[2] == "" else 2)
