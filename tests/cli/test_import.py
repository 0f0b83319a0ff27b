"""`pellucid import`, as a person would use it, and on real predictions where they are at hand."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from sklearn import metrics

import pellucid
from support.program import Program, in_process
from support.saved import CLASSES, answered, softmax
from support.shared import REASON, SHARED

LOGITS, TARGETS = answered(60)


@pytest.fixture
def saved(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    np.save("scores.npy", softmax(LOGITS))
    np.save("labels.npy", TARGETS)
    Path("names.txt").write_text("\n".join(CLASSES), encoding="utf-8")
    return tmp_path


@pytest.fixture
def program(saved: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Program:
    return in_process(capfd, monkeypatch)


def test_an_import_prints_what_it_found_and_how_it_read_it(program: Program) -> None:
    done = program("import", "scores.npy", "--labels", "labels.npy", "--classes", "names.txt", "--out", "net")
    assert done.code == 0, done.err
    right = int((LOGITS.argmax(axis=1) == TARGETS).sum())
    assert f"accuracy   {right / 60:.1%}" in done.out
    assert "Read as probabilities: values of scores.npy." in done.err
    assert "pellucid open net" in done.err
    record = pellucid.Record("net")
    assert record.manifest.data is not None
    assert record.manifest.data.classes == list(CLASSES)
    assert record.manifest.model is None
    again = program("import", "scores.npy", "--labels", "labels.npy", "--out", "net")
    assert again.code == 2
    assert "--overwrite" in again.err


def test_a_refusal_is_one_json_document(program: Program) -> None:
    np.save("mixed.npy", np.concatenate([softmax(LOGITS[:30]), LOGITS[30:]]))
    done = program("import", "mixed.npy", "--out", "net", "--json")
    assert done.code == 2
    answer = json.loads(done.out)
    assert answer["kind"] == "DataError"
    assert "30 add up to one" in answer["message"]
    assert not Path("net").exists()
    done = program("import", "mixed.npy", "--kind", "logits", "--out", "net", "--json", "--title", "mixed")
    assert done.code == 0, done.err
    assert json.loads(done.out)["title"] == "mixed"


@pytest.mark.data
@pytest.mark.skipif(SHARED is None, reason=REASON)
def test_a_real_network_of_cifar_10_is_imported_with_its_pictures(tmp_path: Path) -> None:
    import pyarrow.parquet as pq

    assert SHARED is not None
    table = pq.read_table(SHARED / "data" / "cifar10" / "test.parquet").slice(0, 600)
    record = pellucid.import_predictions(table, out=tmp_path / "cifar")
    scores = np.array(table["reference_probabilities"].to_pylist())
    targets = np.array(table["label"].to_pylist())
    summary = record.summary()
    assert summary.accuracy == pytest.approx(metrics.accuracy_score(targets, scores.argmax(axis=1)))
    normalised = scores / scores.sum(axis=1, keepdims=True)
    assert summary.mean_loss == pytest.approx(metrics.log_loss(targets, normalised, labels=range(10)), rel=1e-6)
    confusion = record.panel("confusion")
    assert isinstance(confusion, pellucid.record.schema.ConfusionPanel)
    matrix = metrics.confusion_matrix(targets, scores.argmax(axis=1))
    assert confusion.counts == matrix[matrix > 0].tolist()
    assert confusion.classes[3] == "cat"
    assert record.examples()["media"].null_count == 0
    assert record.manifest.saved is not None
    assert record.manifest.saved.left_out == ["human_counts"]
