"""The same answers from every format: what is read, which column is what, and what comes along."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from numpy.typing import NDArray
from PIL import Image

import pellucid
from pellucid.errors import DataError
from pellucid.predictions.files import open_columns
from support.saved import CLASSES, answered, integers, softmax

LOGITS, TARGETS = answered(40)
SAVED = softmax(LOGITS)
CALLED = SAVED.argmax(axis=1)


def imported(tmp_path: Path, *given: Any, **options: Any) -> pellucid.Record:
    return pellucid.import_predictions(*given, out=tmp_path / "net.pellucid", overwrite=True, **options)


def csv_of(path: Path, columns: dict[str, Any], separator: str = ",") -> Path:
    lines = [separator.join(columns), *(separator.join(map(str, row)) for row in zip(*columns.values(), strict=True))]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def parquet_of(path: Path, columns: dict[str, Any], **options: Any) -> Path:
    pq.write_table(pa.table(columns), path, **options)
    return path


def by_class(prefix: str, scores: NDArray[Any]) -> dict[str, list[float]]:
    return {f"{prefix}{index}": scores[:, index].tolist() for index in range(scores.shape[1])}


def the_same(record: pellucid.Record) -> None:
    """Its integers are those of the arrays themselves."""
    table = record.examples()
    assert table["target"].to_pylist() == TARGETS.tolist()
    assert table["prediction"].to_pylist() == CALLED.tolist()
    right = int((CALLED == TARGETS).sum())
    accuracy = record.panel("accuracy")
    assert isinstance(accuracy, pellucid.record.schema.AccuracyPanel)
    assert (accuracy.count, accuracy.correct) == (40, right)


def test_every_format_gives_the_same_record(tmp_path: Path) -> None:
    np.save(tmp_path / "p.npy", SAVED)
    np.save(tmp_path / "fortran.npy", np.asfortranarray(SAVED))
    np.save(tmp_path / "swapped.npy", SAVED.astype(">f4"))
    np.save(tmp_path / "labels.npy", TARGETS)
    lists = pa.array(SAVED.tolist(), pa.list_(pa.float32()))
    fixed = pa.FixedSizeListArray.from_arrays(pa.array(SAVED.reshape(-1)), 4)
    reference = integers(imported(tmp_path, SAVED, TARGETS), "accuracy", "confusion", "predictions")
    sources: list[tuple[Any, Any]] = [
        (tmp_path / "p.npy", tmp_path / "labels.npy"),
        (tmp_path / "fortran.npy", TARGETS),
        (tmp_path / "swapped.npy", csv_of(tmp_path / "labels.csv", {"label": TARGETS.tolist()})),
        (parquet_of(tmp_path / "lists.parquet", {"probabilities": lists, "label": TARGETS}, row_group_size=7), "label"),
        (parquet_of(tmp_path / "fixed.parquet", {"anything": fixed, "target": TARGETS}), None),
        (parquet_of(tmp_path / "columns.parquet", {**by_class("p_", SAVED), "truth": TARGETS}), "truth"),
        (csv_of(tmp_path / "columns.csv", {**by_class("score", SAVED), "label": TARGETS.tolist()}), None),
        (csv_of(tmp_path / "columns.tsv", {**by_class("", SAVED), "label": TARGETS.tolist()}, "\t"), None),
        (pa.table({"scores": fixed, "label": TARGETS}), "label"),
    ]
    for predictions, labels in sources:
        record = imported(tmp_path, predictions, labels)
        the_same(record)
        assert record.manifest.saved is not None
        assert record.manifest.saved.kind == "probabilities"
        assert integers(record, "accuracy", "confusion", "predictions") == reference, predictions
        loss = record.panel("loss")
        assert isinstance(loss, pellucid.record.schema.LossPanel)
        expected = -np.log(SAVED.astype(np.float64)[np.arange(40), TARGETS]).mean()
        assert loss.mean == pytest.approx(expected, rel=1e-6)


@pytest.mark.parametrize("comma", [False, True])
@pytest.mark.parametrize("separator", [";", "\t", ","])
def test_a_csv_file_may_have_semicolons_and_commas_before_decimals(tmp_path: Path, separator: str, comma: bool) -> None:
    def written(score: float) -> str:
        text = repr(float(score))
        return f'"{text}"' if not comma else text.replace(".", ",") if separator != "," else text

    scores = {name: [written(one) for one in SAVED[:, place]] for place, name in enumerate(CLASSES)}
    columns = {"id": list(range(40)), **scores, "label": TARGETS.tolist()}
    the_same(imported(tmp_path, csv_of(tmp_path / "p.csv", columns, separator), classes=CLASSES))


def test_half_floats_and_torch_tensors_are_taken(tmp_path: Path) -> None:
    torch = pytest.importorskip("torch")
    np.save(tmp_path / "half.npy", SAVED.astype(np.float16))
    the_same(imported(tmp_path, tmp_path / "half.npy", torch.from_numpy(TARGETS)))
    record = imported(tmp_path, torch.from_numpy(LOGITS), TARGETS)
    the_same(record)
    assert record.manifest.saved is not None
    assert record.manifest.saved.kind == "logits"


def test_columns_may_be_called_as_the_classes_are(tmp_path: Path) -> None:
    columns = {name: SAVED[:, place].tolist() for place, name in reversed(list(enumerate(CLASSES)))}
    path = csv_of(tmp_path / "named.csv", {"age": [5] * 40, **columns, "label": [CLASSES[one] for one in TARGETS]})
    record = imported(tmp_path, path, classes=CLASSES)
    the_same(record)
    assert record.manifest.data is not None
    assert record.manifest.data.classes == list(CLASSES)
    assert record.examples()["age"].to_pylist() == [5] * 40


def test_classes_are_indices_names_or_floats_that_are_whole(tmp_path: Path) -> None:
    names = np.array(CLASSES)
    for called, labels in (
        (CALLED, TARGETS),
        (CALLED.astype(np.float64), TARGETS.astype(np.uint8)),
        (names[CALLED], names[TARGETS]),
        (pa.table({"prediction": pa.array(names[CALLED]).dictionary_encode(), "label": names[TARGETS]}), None),
        (np.array([str(one) for one in CALLED]), TARGETS),
    ):
        record = imported(tmp_path, called, labels)
        the_same(record)
        assert record.manifest.saved is not None
        assert record.manifest.saved.kind == "classes"
        assert record.summary().mean_loss is None


def test_what_was_saved_beside_the_class_is_used(tmp_path: Path) -> None:
    ranks = (SAVED[np.arange(40), TARGETS][:, None] < SAVED).sum(axis=1)
    path = parquet_of(
        tmp_path / "few.parquet",
        {"prediction": CALLED, "confidence": SAVED.max(axis=1), "rank": ranks, "label": TARGETS},
    )
    record = imported(tmp_path, path)
    the_same(record)
    whole = imported(tmp_path / "whole", SAVED, TARGETS)
    few, all_ = record.panel("accuracy"), whole.panel("accuracy")
    assert isinstance(few, pellucid.record.schema.AccuracyPanel)
    assert isinstance(all_, pellucid.record.schema.AccuracyPanel)
    assert few.top_k == all_.top_k
    assert few.ece == pytest.approx(all_.ece)
    assert record.examples()["rank"].to_pylist() == ranks.tolist()


def test_ids_subgroups_and_pictures_come_along(tmp_path: Path) -> None:
    sink = io.BytesIO()
    Image.new("RGB", (6, 4), (200, 30, 30)).save(sink, "PNG")
    pictures = [{"bytes": sink.getvalue(), "path": "a"}] * 38 + [{"bytes": b"none", "path": "b"}, None]
    path = parquet_of(
        tmp_path / "rich.parquet",
        {
            "id": [f"image {row}" for row in range(40)],
            "image": pictures,
            "probabilities": SAVED.tolist(),
            "votes": [[1, 2, 3, 4]] * 40,
            "label": TARGETS,
            "site": pa.array(["north", "south", None, "west"] * 10).dictionary_encode(),
            "confidence": SAVED.max(axis=1),
        },
    )
    record = imported(tmp_path, path)
    the_same(record)
    table = record.examples()
    assert table["id"].to_pylist() == [f"image {row}" for row in range(40)]
    assert table["site"].to_pylist() == ["north", "south", None, "west"] * 10
    assert table["confidence_column"].to_pylist() == pytest.approx(SAVED.max(axis=1).tolist())
    assert [one is not None for one in table["media"].to_pylist()] == [True] * 38 + [False] * 2
    assert Image.open(io.BytesIO(record.media(table["media"][0].as_py()))).size == (6, 4)
    assert record.manifest.saved is not None
    assert record.manifest.saved.left_out == ["votes"]
    assert record.manifest.saved.undecodable == 1
    assert record.verify() == []


def test_labels_bring_their_columns_and_their_ids_along(tmp_path: Path) -> None:
    beside = csv_of(
        tmp_path / "labels.csv", {"id": [f"i{row}" for row in range(40)], "label": TARGETS, "site": ["a", "b"] * 20}
    )
    record = imported(tmp_path, SAVED, beside)
    assert record.examples()["site"].to_pylist() == ["a", "b"] * 20
    assert record.examples()["id"].to_pylist() == [f"i{row}" for row in range(40)]


def test_class_names_come_from_the_metadata_of_a_file(tmp_path: Path) -> None:
    table = pa.table({"probabilities": SAVED.tolist(), "label": TARGETS})
    held = '{"info": {"features": {"label": {"names": ["cat", "dog", "owl", "yak"]}}}}'
    for metadata in ({"class_names": "cat, dog, owl,yak"}, {"huggingface": held}):
        pq.write_table(table.replace_schema_metadata(metadata), tmp_path / "named.parquet")
        record = imported(tmp_path, tmp_path / "named.parquet")
        assert record.manifest.data is not None
        assert record.manifest.data.classes == list(CLASSES)


def test_types_of_a_csv_hold_for_all_of_its_rows(tmp_path: Path) -> None:
    number = 400_000  # more than what is read at once
    lines = [f"{row if row < number - 3 else row + 0.5},{'' if row < 9 else 'x'},{row % 3}" for row in range(number)]
    (tmp_path / "late.csv").write_text("age,site,label\n" + "\n".join(lines), encoding="utf-8")
    columns = open_columns(tmp_path / "late.csv", "predictions")
    assert columns.rows == number
    assert [str(entry.type) for entry in columns.schema] == ["double", "string", "int64"]
    pieces = list(columns.pieces(("label", "age"), 150_000))
    assert sum(piece.num_rows for piece in pieces) == number
    assert pieces[-1].column(1)[-1].as_py() == number - 0.5
    assert max(piece.num_rows for piece in pieces) <= 150_000


def test_pickled_and_unknown_files_are_not_opened(tmp_path: Path) -> None:
    np.save(tmp_path / "objects.npy", np.array([{"a": 1}], dtype=object), allow_pickle=True)
    (tmp_path / "short.npy").write_bytes(b"\x93NUMPY\x01\x00")
    (tmp_path / "scores.pt").write_bytes(b"PK")
    (tmp_path / "scores.parquet").write_bytes(b"PAR1 no")
    for name, words in (
        ("objects.npy", "pickled, which can run code"),
        ("short.npy", "no .npy file"),
        ("scores.pt", r"numpy\.save"),
        ("scores.parquet", "no Parquet file"),
        ("missing.npy", "There is no file"),
    ):
        with pytest.raises(DataError, match=words):
            imported(tmp_path, tmp_path / name)
    assert not (tmp_path / "net.pellucid").exists()
