"""What cannot be right is refused before anything is written, with where it stands; what is missing is counted."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch
from torch import nn

import pellucid
from pellucid.cli.drawing import summary_lines
from pellucid.errors import DataError, OptionError, PellucidError
from pellucid.predictions import ids, panels_of
from pellucid.record import Record, schema
from support.saved import CLASSES, answered, files_below, softmax

LOGITS, TARGETS = answered(30)
SAVED = softmax(LOGITS)
LISTS = SAVED.tolist()


def refused(tmp_path: Path, *given: Any, error: type[PellucidError] = DataError, **options: Any) -> str:
    with pytest.raises(error) as told:
        pellucid.import_predictions(*given, out=tmp_path / "net.pellucid", **options)
    assert not (tmp_path / "net.pellucid").exists(), "nothing is left behind"
    return str(told.value)


def with_(index: int, value: Any, values: Any) -> list[Any]:
    changed = list(values)
    changed[index] = value
    return changed


def test_tables_that_do_not_go_together(tmp_path: Path) -> None:
    assert "has 30 rows and labels in memory has 29" in refused(tmp_path, SAVED, TARGETS[:29])
    assert "holds no rows" in refused(tmp_path, SAVED[:0], TARGETS[:0])
    assert "holds no rows" in refused(tmp_path, pa.table({"prediction": pa.array([], pa.int64())}))
    here = pa.table({"id": [f"i{row}" for row in range(30)], "probabilities": LISTS})
    there = pa.table({"id": [f"j{row}" for row in range(30)], "label": TARGETS})
    assert "the first of predictions in memory is 'i0', the first of labels in memory is 'j0'" in refused(
        tmp_path, here, there
    )
    twice = pa.table({"id": with_(9, "i3", [f"i{row}" for row in range(30)]), "label": TARGETS})
    assert "'i3' stands in 2 rows" in refused(tmp_path, here, twice)
    assert "Row 9 has no id" in refused(tmp_path, here, pa.table({"id": with_(9, None, here["id"]), "label": TARGETS}))


def test_rows_of_different_length(tmp_path: Path) -> None:
    message = refused(tmp_path, pa.table({"probabilities": with_(17, [0.5, 0.5], LISTS), "label": TARGETS}))
    assert "row 0 has 4, row 17 has 2 (1 such rows among 30)" in message


def test_ids_that_repeat_are_refused_however_many_there_are(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    names = [f"i{row}" for row in range(30)]
    table = pa.table({"id": with_(3, "i20", with_(4, "i20", names)), "probabilities": LISTS, "label": TARGETS})
    for most in (1 << 22, 7):  # at once, and a share after the other
        monkeypatch.setattr(ids, "MOST_HASHES", most)
        message = refused(tmp_path, table)
        assert "'i20' stands in 3 rows" in message
        assert "--id-column row" in message
        twice = table.set_column(0, "id", pa.array([f"i{row % 15}" for row in range(30)]))
        assert "and 12 more" in refused(tmp_path, twice)
    record = pellucid.import_predictions(table, out=tmp_path / "numbered", id_column="row")
    assert record.examples()["id"].to_pylist() == [str(row) for row in range(30)]
    assert record.examples()["id_column"].to_pylist()[3] == "i20"
    assert "Row 2 has no id" in refused(tmp_path, table.set_column(0, "id", pa.array(with_(2, None, names))))


@pytest.mark.parametrize(
    ("labels", "words"),
    [
        (with_(5, 4, TARGETS), "The label of row 5 is 4, but there are 4 classes, 0 to 3"),
        (with_(5, -2, TARGETS), "The label of row 5 is -2, which is no class"),
        (with_(5, 0.5, TARGETS.astype(float)), "The label of row 5 is 0.5, which is no class"),
        (with_(5, 1e300, TARGETS.astype(float)), "The label of row 5 is 1e+300"),
        ([{"a": 1}] * 30, "The labels are"),
    ],
)
def test_labels_that_are_no_class(tmp_path: Path, labels: list[Any], words: str) -> None:
    if isinstance(labels[0], dict):
        table = pa.table({"probabilities": LISTS, "label": labels})
        assert words in refused(tmp_path, table, "label")
        return
    assert words in refused(tmp_path, SAVED, np.array(labels))


def test_names_that_are_no_class(tmp_path: Path) -> None:
    names = np.array(CLASSES)[TARGETS]
    assert "nothing says which score is whose" in refused(tmp_path, SAVED, names)
    message = refused(tmp_path, SAVED, np.array(with_(0, "cow", names)), classes=CLASSES)
    assert message.startswith("The classes are cat, dog, owl, yak; the files also name 'cow'.")
    assert "has 4 scores an example, but 3 class names" in refused(tmp_path, SAVED, TARGETS, classes=CLASSES[:3])
    beyond = with_(7, 9, TARGETS)
    assert "The prediction of row 7 is 9" in refused(tmp_path, np.array(beyond), TARGETS, classes=CLASSES)


def test_numbers_beside_names_are_refused_until_the_order_of_the_names_is_said(tmp_path: Path) -> None:
    names, order = ["zero", "one", "two", "zero"], ["zero", "one", "two"]
    for row in ([0, 1, 2, 0], ["0", "1", "2", "0"]):
        for table in (pa.table({"prediction": row, "label": names}), pa.table({"prediction": names, "label": row})):
            message = refused(tmp_path, table)
            assert "are names (one, two, zero)" in message
            assert "--classes" in message
            if row[0] == 0:
                record = pellucid.import_predictions(table, out=tmp_path / "said", classes=order, overwrite=True)
                assert record.summary().accuracy == 1.0
    # Of classes that are called by numbers and by words some columns have the numbers only.
    both = pa.table({"prediction": ["1", "1", "1"], "label": ["1", "none", "none"]})
    assert pellucid.import_predictions(both, out=tmp_path / "both").summary().accuracy == pytest.approx(1 / 3)


def test_spaces_around_names_are_left_out_and_counted(tmp_path: Path) -> None:
    path = tmp_path / "p.csv"
    path.write_text("prediction,label\ncat ,cat\n cat,cat\ndog,cat\ndog,  \n", encoding="utf-8")
    for place, classes in enumerate((None, ["cat", "dog "])):
        record = pellucid.import_predictions(path, out=tmp_path / str(place), classes=classes)
        assert record.manifest.data is not None
        assert record.manifest.data.classes == ["cat", "dog"]
        assert record.summary().accuracy == pytest.approx(2 / 3)
        assert record.manifest.saved is not None
        assert record.manifest.saved.trimmed == 1


def test_two_classes_of_one_name_are_refused_where_names_say_which_is_meant(tmp_path: Path) -> None:
    names = ["cat", "dog", "cat", "yak"]
    message = refused(tmp_path, SAVED, np.array(names)[TARGETS], classes=names)
    assert message.startswith("Classes 0 and 2 are both called 'cat'")
    assert pellucid.import_predictions(SAVED, TARGETS, out=tmp_path / "numbers", classes=names).summary().examples == 30


def test_numbers_that_would_be_more_classes_than_there_can_be(tmp_path: Path) -> None:
    for largest in (3 * 10**8, 2**31 - 1):
        message = refused(tmp_path, np.array([5, largest, 5]), np.array([5, 5, 5]))
        assert f"the prediction of row 1 is {largest}" in message
        assert "at most 1,048,576" in message
        assert "the label of row 2" in refused(tmp_path, np.array([5, 5, 5]), np.array([5, 5, largest]))
        assert "--column" in refused(tmp_path, pa.table({"prediction": [str(largest)], "label": ["1"]}))
    path = tmp_path / "p.parquet"
    pq.write_table(pa.table({"prediction": [5, 2**30], "label": [5, 5]}), path)
    assert "the prediction of row 1" in refused(tmp_path, path)
    confusion = panels_of(np.array([0, 999_999]), np.array([0, 1]), lenses=["confusion"])["confusion"]
    assert isinstance(confusion, schema.ConfusionPanel)
    assert confusion.columns == [0, 999_999]


def test_columns_that_are_not_there_or_could_be_two(tmp_path: Path) -> None:
    table = pa.table({"a": LISTS, "b": LISTS, "label": TARGETS})
    assert "'a' and 'b' could be the answers" in refused(tmp_path, table)
    assert pellucid.import_predictions(table, out=tmp_path / "a", column="a").summary().examples == 30
    assert "--column names 'c'" in refused(tmp_path, table, column="c", error=OptionError)
    assert "--id-column names 'c'" in refused(tmp_path, table, column="a", id_column="c", error=OptionError)
    assert "expected a column of lists" in refused(tmp_path, pa.table({"label": TARGETS, "age": TARGETS}))
    assert "There is no file nowhere.npy" in refused(tmp_path, SAVED, "nowhere.npy")
    assert "expected a column 'label'" in refused(tmp_path, SAVED, pa.table({"x": TARGETS, "y": TARGETS}))
    assert "shape (30, 4, 1)" in refused(tmp_path, SAVED[..., None])
    assert "of objects" in refused(tmp_path, [{}])
    assert "kind must be" in refused(tmp_path, SAVED, kind="odds", error=OptionError)
    assert "--kind classes, but" in refused(tmp_path, SAVED, kind="classes", error=OptionError)
    assert "no scores" in refused(tmp_path, TARGETS, kind="logits", error=OptionError)


def test_csv_files_that_are_none(tmp_path: Path) -> None:
    path = tmp_path / "p.csv"
    for raw, words in (
        (b"caf\xe9,label\ncat,cat\n", "first line of"),
        (b"prediction,label\ncaf\xe9,cat\n", "column 'prediction' of"),
    ):
        path.write_bytes(raw)
        message = refused(tmp_path, path)
        assert words in message
        assert "not UTF-8" in message
    for text, words in (
        ("", "no CSV file with a header"),
        ("prediction,label\n", "holds no rows"),
        ("prediction,label\n1,0\n1\n0,0,0\n", "2 rows of it have another number of values; line 3 has 1"),
        ("label,label\n1,0\n", "names a column twice"),
    ):
        path.write_text(text, encoding="utf-8")
        assert words in refused(tmp_path, path), text


def test_lists_without_a_score(tmp_path: Path) -> None:
    path = tmp_path / "p.parquet"
    for rows, words in (
        ([[], [], []], "are empty"),
        ([None] * 3, "None of the 3 rows"),
        ([[], [0.5, 0.5], []], "differ"),
    ):
        table = pa.table({"probabilities": pa.array(rows, pa.list_(pa.float64())), "label": [0, 1, 0]})
        pq.write_table(table, path)
        assert words in refused(tmp_path, path)


def test_numbers_that_numpy_or_arrow_do_not_have(tmp_path: Path) -> None:
    assert "of which NumPy makes no array" in refused(tmp_path, [[0.5, 0.5], [1.0]])
    assert "to_dense" in refused(tmp_path, torch.from_numpy(SAVED).to_sparse())
    accuracy = (LOGITS.argmax(axis=1) == TARGETS).mean()
    path = tmp_path / "long.npy"
    np.save(path, SAVED.astype(np.longdouble))
    half = torch.from_numpy(LOGITS).bfloat16()
    for place, scores in enumerate((half, half.requires_grad_(), SAVED.astype(np.longdouble), path)):
        record = pellucid.import_predictions(scores, TARGETS, out=tmp_path / str(place))
        assert record.summary().accuracy == pytest.approx(accuracy)


def test_what_is_masked_is_missing(tmp_path: Path) -> None:
    masked = np.arange(30) < 4
    for place, (scores, labels) in enumerate(
        (
            (SAVED, np.ma.masked_array(TARGETS, masked)),
            (SAVED, np.ma.masked_array(TARGETS.astype(np.uint8), masked)),
            (np.ma.masked_array(SAVED, np.repeat(masked[:, None], 4, axis=1)), TARGETS),
            (np.ma.masked_array(TARGETS, masked), TARGETS),
            (TARGETS, np.ma.masked_array(TARGETS.astype(float), masked)),
            (np.ma.masked_array(SAVED), np.where(masked, -1, TARGETS)),
        )
    ):
        record = pellucid.import_predictions(scores, labels, out=tmp_path / str(place))
        accuracy = record.panel("accuracy")
        assert isinstance(accuracy, schema.AccuracyPanel)
        assert accuracy.count == 26, place
    assert "nothing stands for what is masked" in refused(
        tmp_path, SAVED, np.ma.masked_array(np.eye(4, dtype=bool)[TARGETS], np.repeat(masked[:, None], 4, axis=1))
    )


def test_a_record_that_is_there_is_not_replaced_unasked(tmp_path: Path) -> None:
    pellucid.import_predictions(SAVED, TARGETS, out=tmp_path / "net")
    with pytest.raises(pellucid.errors.RecordError, match="There is a record at"):
        pellucid.import_predictions(SAVED, TARGETS, out=tmp_path / "net")


def test_a_loss_that_is_refused_late_leaves_the_record_that_was_there(tmp_path: Path) -> None:
    for loss in ("cross-entropy:weights=1/2", nn.CrossEntropyLoss(reduction="mean"), lambda outputs, targets: outputs):
        refused(tmp_path, SAVED, TARGETS, loss=loss, error=OptionError)
        record = pellucid.import_predictions(SAVED, TARGETS, out=tmp_path / "old", overwrite=True)
        before = files_below(record.path), record.summary()
        with pytest.raises(OptionError):
            pellucid.import_predictions(SAVED, TARGETS, out=tmp_path / "old", overwrite=True, loss=loss)
        assert (files_below(record.path), Record(record.path).summary()) == before


# --- counted, or not defined ------------------------------------------------------------------------------------


def test_what_is_missing_is_counted(tmp_path: Path) -> None:
    scores = SAVED.copy()
    scores[[3, 8]] = np.nan
    table = pa.table(
        {
            "probabilities": pa.array(with_(11, None, scores.tolist()), pa.list_(pa.float32())),
            "label": pa.array(with_(20, None, with_(21, -1, TARGETS.tolist()))),
        }
    )
    record = pellucid.import_predictions(table, out=tmp_path / "net")
    panel = record.panel("predictions")
    assert isinstance(panel, schema.PredictionsPanel)
    assert (panel.count, panel.nonfinite, panel.without_target) == (30, 3, 2)
    assert record.manifest.nonfinite == 3
    rows = record.examples()
    assert np.flatnonzero(rows["nonfinite"].to_numpy()).tolist() == [3, 8, 11]
    for name in ("prediction", "loss", "confidence", "top_classes"):
        assert [row for row, value in enumerate(rows[name].to_pylist()) if value is None and row in (3, 8, 11)] == [
            3,
            8,
            11,
        ]
    accuracy = record.panel("accuracy")
    assert isinstance(accuracy, schema.AccuracyPanel)
    assert accuracy.count == 25


def test_a_row_that_is_missing_has_no_numbers_whatever_the_type_of_the_lists(tmp_path: Path) -> None:
    for name, kind in (("lists", pa.list_(pa.float32())), ("fixed", pa.list_(pa.float32(), 4))):
        table = pa.table({"probabilities": pa.array(with_(11, None, LISTS), kind), "label": TARGETS})
        record = pellucid.import_predictions(table, out=tmp_path / name)
        assert np.flatnonzero(record.examples()["nonfinite"].to_numpy()).tolist() == [11], name


def test_without_targets_nothing_is_said_of_right_and_wrong(tmp_path: Path) -> None:
    record = pellucid.import_predictions(SAVED, out=tmp_path / "net")
    summary = record.summary()
    assert (summary.examples, summary.accuracy, summary.accuracy_interval, summary.mean_loss) == (30, None, None, None)
    every = pellucid.import_predictions(SAVED, np.full(30, -1), out=tmp_path / "unknown")
    assert every.summary().accuracy is None


def test_one_class_only(tmp_path: Path) -> None:
    record = pellucid.import_predictions(np.zeros(30, np.int64), np.zeros(30, np.int64), out=tmp_path / "net")
    assert record.summary().accuracy == 1.0
    confusion = record.panel("confusion")
    assert isinstance(confusion, schema.ConfusionPanel)
    assert (confusion.rows, confusion.columns, confusion.counts) == ([0], [0], [30])


def test_losses_too_large_to_be_summed_have_no_mean(tmp_path: Path) -> None:
    for scale, mean in ((1e300, True), (1e308, False)):
        record = pellucid.import_predictions(
            SAVED, TARGETS, out=tmp_path / f"{scale}", loss=lambda outputs, targets, by=scale: outputs[:, 0] * 0 + by
        )
        loss = record.panel("loss")
        assert isinstance(loss, schema.LossPanel)
        assert loss.interval is None
        assert (loss.mean is not None) == mean
        assert mean or "beyond every number" in loss.why


def test_a_predicted_class_that_is_missing_is_no_answer_and_no_logit_that_is_not_finite(tmp_path: Path) -> None:
    record = pellucid.import_predictions(np.array([0, -1, 1, -1]), np.array([0, 1, 1, 0]), out=tmp_path / "net")
    (finding,) = [one for one in record.findings if one.evidence.get("nonfinite")]
    assert (finding.kind, finding.severity, finding.selection) == ("unanswered", "medium", {"rows": "1,3"})
    assert finding.sentence == "No predicted class was saved for 2 of 4 examples, which are not judged."
    loss = record.panel("loss")
    assert isinstance(loss, schema.LossPanel)
    assert loss.nonfinite == 0
    assert "only the predicted classes are known" in loss.why
    assert any("2 without an answer" in line for line in summary_lines(record.summary()))


def test_a_probability_of_zero_for_the_target_is_no_number_and_is_counted(tmp_path: Path) -> None:
    scores = np.eye(4)[TARGETS]
    scores[2] = np.eye(4)[(TARGETS[2] + 1) % 4]
    record = pellucid.import_predictions(scores, TARGETS, out=tmp_path / "net")
    loss = record.panel("loss")
    assert isinstance(loss, schema.LossPanel)
    assert loss.count == 29
    assert record.examples()["loss"].to_pylist()[2] is None


def test_a_table_whose_first_line_names_nothing_is_told_so(tmp_path: Path) -> None:
    (tmp_path / "called.csv").write_text("3\n1\n2\n")
    (tmp_path / "true.csv").write_text("1\n1\n2\n")
    with pytest.raises(DataError, match="here it is 3: is there no line of names"):
        panels_of(tmp_path / "called.csv", tmp_path / "true.csv")
    with pytest.raises(DataError, match=r"2: expected one label.*here it is 1: is there no line of names"):
        panels_of(np.array([0, 1, 2]), tmp_path / "true.csv")
