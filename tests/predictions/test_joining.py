"""Labels in another order are found by their ids; what has no counterpart is counted, and nothing depends on the order."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import pellucid
from pellucid.predictions import joining, panels_of
from pellucid.predictions.files import open_columns
from pellucid.record import Record
from support.program import in_process
from support.saved import answered, integers, softmax

LOGITS, TARGETS = answered(60)
NAMES = [f"image {row}" for row in range(60)]
HERE = pa.table({"id": NAMES, "probabilities": softmax(LOGITS).tolist()})
THERE = pa.table({"id": NAMES, "label": TARGETS, "site": [f"site {row % 3}" for row in range(60)]})


def imported(tmp_path: Path, labels: pa.Table, name: str = "net") -> Record:
    return pellucid.import_predictions(HERE, labels, out=tmp_path / name, overwrite=True)


def test_another_order_gives_the_same_record(tmp_path: Path) -> None:
    order = np.random.default_rng(0).permutation(60)
    wanted, found = imported(tmp_path, THERE, "wanted"), imported(tmp_path, THERE.take(order), "found")
    assert wanted.examples().equals(found.examples())
    panels = ("predictions", "accuracy", "confusion", "loss")
    assert integers(wanted, *panels) == integers(found, *panels)
    assert wanted.manifest.saved is not None
    assert found.manifest.saved is not None
    assert wanted.manifest.saved.matched_by == ""
    saved = found.manifest.saved
    assert (saved.matched_by, saved.unlabelled, saved.unmatched) == ("id", 0, 0)


def test_what_has_no_counterpart_is_counted(tmp_path: Path) -> None:
    extra = pa.table({"id": ["nobody", "no one"], "label": TARGETS[:2], "site": ["x", "x"]})
    record = imported(tmp_path, pa.concat_tables([extra, THERE.slice(10).take(np.arange(49, -1, -1))]))
    saved = record.manifest.saved
    assert saved is not None
    assert (saved.unlabelled, saved.unmatched) == (10, 2)
    rows = record.examples()
    assert rows["target"].to_pylist() == [None] * 10 + TARGETS[10:].tolist()
    assert rows["site"].to_pylist()[:11] == [None] * 10 + ["site 1"]
    assert rows["id"].to_pylist() == NAMES


def test_sets_of_classes_and_numbers_as_ids_come_in_any_order(tmp_path: Path) -> None:
    sets = [[0, 2], [], [3], None]
    labels = pa.table({"id": [3, 2, 1, 0], "label": pa.array(sets, pa.list_(pa.int8()))})
    here = pa.table({"id": ["0", "1", "2", "3"], "logits": (LOGITS[:4] - 3).tolist()})
    record = pellucid.import_predictions(here, labels, out=tmp_path / "net", kind="logits")
    assert record.examples()["targets"].to_pylist() == sets[::-1]


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    here=st.lists(st.integers(0, 30), min_size=1, unique=True),
    there=st.lists(st.integers(0, 30), min_size=1, unique=True),
)
def test_every_prediction_gets_the_label_of_its_id(here: list[int], there: list[int]) -> None:
    if not set(here) & set(there):
        return
    one = open_columns(pa.table({"id": here}), "predictions")
    other = open_columns(pa.table({"id": there, "label": [7 * each for each in there]}), "labels")
    found = joining.joined(one, "id", other, "id", ("label",))
    if found is None:
        assert here == there
        return
    column = pa.Table.from_batches(list(found.labels.pieces(("label",), 5)))["label"]
    assert column.to_pylist() == [7 * each if each in there else None for each in here]
    assert (found.unlabelled, found.unmatched) == (len(set(here) - set(there)), len(set(there) - set(here)))


def test_the_program_says_how_labels_were_found(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    pq.write_table(HERE, tmp_path / "scores.parquet")
    pq.write_table(THERE.slice(1), tmp_path / "labels.parquet")
    monkeypatch.chdir(tmp_path)
    done = in_process(capfd, monkeypatch)("import", "scores.parquet", "--labels", "labels.parquet", "--out", "net")
    assert done.code == 0, done.err
    assert (
        "Labels were found by 'id'. Predictions without a label: 1; labels without a prediction, left out: 0."
        in done.err
    )


def test_the_answers_alone_find_their_labels_by_id_too() -> None:
    order = np.random.default_rng(1).permutation(60)
    accuracy = panels_of(HERE, THERE.take(order), lenses=["accuracy"])["accuracy"]
    assert isinstance(accuracy, pellucid.record.schema.AccuracyPanel)
    assert accuracy.accuracy == (LOGITS.argmax(axis=1) == TARGETS).mean()
