"""Parquet files as data: what columns mean, and what is no data."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch

from pellucid.data import open_data
from pellucid.errors import DataError, UnreadableError
from support.pictures import encoded, picture, rows_of
from support.shared import REASON, SHARED


def write_parquet(path: Path, rows: int, names: list[str] | None = None, **columns: list[Any]) -> Path:
    """A file in the Hugging Face layout, in row groups of two."""
    pictures = [{"bytes": encoded(picture(row)), "path": f"{row}.png"} for row in range(rows)]
    image = pa.array(pictures, pa.struct([("bytes", pa.binary()), ("path", pa.string())]))
    table = pa.table({"image": image, **columns})
    if names is not None:
        told = {"info": {"features": {"label": {"names": names, "_type": "ClassLabel"}, "image": {"_type": "Image"}}}}
        table = table.replace_schema_metadata({"huggingface": json.dumps(told)})
    pq.write_table(table, path, row_group_size=2)
    return path


def test_parquet_in_the_hugging_face_layout_gives_images_labels_names_and_what_came_along(tmp_path: Path) -> None:
    place = write_parquet(
        tmp_path / "test.parquet", 5, ["cat", "dog"], label=[0, 1, None, 1, -1], place=["a", None, "c", "d", "e"]
    )
    source = open_data(str(place))
    assert (source.name, source.classes, len(source)) == ("test", ("cat", "dog"), 5)
    assert [source.example(row).target for row in range(5)] == [0, 1, None, 1, -1]
    assert [batch.targets.tolist() for batch in source.batches(3) if batch.targets is not None] == [[0, 1, -1], [1, -1]]
    assert [source.example(row).columns for row in (0, 1)] == [{"place": "a"}, {"place": None}]
    expected = torch.from_numpy(np.asarray(picture(4)).transpose(2, 0, 1) / np.float32(255))
    torch.testing.assert_close(source.example(4).inputs, expected, rtol=0, atol=0)
    assert source.example(4).id == "4"


def test_class_names_may_be_a_list_in_the_metadata(tmp_path: Path) -> None:
    place = write_parquet(tmp_path / "test.parquet", 2, label=[1, 0])
    table = pq.read_table(place).replace_schema_metadata({"class_names": "cat, dog"})
    pq.write_table(table, place)
    assert open_data(str(place)).classes == ("cat", "dog")


def test_a_folder_of_parquet_files_is_one_source_in_order_of_name(tmp_path: Path) -> None:
    write_parquet(tmp_path / "b.parquet", 3, label=["owl", "cat", "owl"], id=["b0", "b1", "b2"])
    write_parquet(tmp_path / "a.parquet", 2, label=["dog", "cat"], id=["a0", "a1"])
    source = open_data(str(tmp_path))
    assert source.classes == ("cat", "dog", "owl")
    assert rows_of(source, 2) == [("a0", 1), ("a1", 0), ("b0", 2), ("b1", 0), ("b2", 2)]
    assert rows_of(open_data(str(tmp_path), limit=3)) == [("a0", 1), ("a1", 0), ("b0", 2)]
    assert [name for batch in source.batches(2, start=3) for name in batch.ids] == ["b1", "b2"]


def test_parquet_without_labels_has_no_targets_and_images_may_be_bare_bytes(tmp_path: Path) -> None:
    pq.write_table(pa.table({"image": [encoded(picture(1)), encoded(picture(2))]}), tmp_path / "bare.parquet")
    source = open_data(str(tmp_path / "bare.parquet"))
    assert source.classes is None
    assert rows_of(source) == [("0", None), ("1", None)]


def test_a_damaged_image_in_parquet_is_refused_by_its_id_or_left_out(tmp_path: Path) -> None:
    pictures = [{"bytes": encoded(picture(0))}, {"bytes": b"nothing"}, {"bytes": None}, {"bytes": encoded(picture(1))}]
    pq.write_table(pa.table({"image": pictures, "id": ["a", "b", "c", "d"]}), tmp_path / "some.parquet")
    with pytest.raises(UnreadableError, match="The image b of"):
        rows_of(open_data(str(tmp_path / "some.parquet")))
    source = open_data(str(tmp_path / "some.parquet"), skip_bad=True)
    assert [name for name, _ in rows_of(source)] == ["a", "d"]
    assert [(entry.id, entry.reason) for entry in source.skipped][1] == ("c", "the row holds no image bytes")


def test_a_row_group_is_read_once_however_many_threads_ask(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source = open_data(str(write_parquet(tmp_path / "some.parquet", 8, label=[0, 1] * 4)))
    read: list[int] = []
    real = pq.ParquetFile.read_row_group

    def counted(self: pq.ParquetFile, group: int, **named: Any) -> pa.Table:
        read.append(group)
        return real(self, group, **named)

    monkeypatch.setattr(pq.ParquetFile, "read_row_group", counted)
    list(source.batches(3))
    assert sorted(read) == [0, 1, 2, 3]


@pytest.mark.parametrize(
    ("columns", "words"),
    [
        ({"picture": [b""], "label": [0]}, "has the columns picture: binary, label: int64; expected image: struct"),
        ({"image": ["a.png"], "label": [0]}, "has the columns image: string, label: int64; expected image: struct"),
        ({"image": [{"path": "a.png"}]}, "expected image: struct<bytes: binary, path: string> and label"),
        ({"image": [b""], "label": [{"of": 1}]}, "The column 'label' of .* is struct<.*>; expected one class an image"),
    ],
)
def test_parquet_of_another_layout_is_refused_with_its_columns(
    columns: dict[str, list[Any]], words: str, tmp_path: Path
) -> None:
    pq.write_table(pa.table(columns), tmp_path / "other.parquet")
    with pytest.raises(DataError, match=words):
        open_data(str(tmp_path / "other.parquet"))


def test_parquet_that_is_empty_cut_short_or_of_two_minds_is_refused(tmp_path: Path) -> None:
    place = write_parquet(tmp_path / "some.parquet", 4, label=[0, 1, 0, 1])
    content = place.read_bytes()
    (tmp_path / "cut.parquet").write_bytes(content[: len(content) // 2])
    with pytest.raises(DataError, match=r"cut\.parquet is no Parquet file that can be read"):
        open_data(str(tmp_path / "cut.parquet"))
    write_parquet(tmp_path / "none.parquet", 0, label=[])
    with pytest.raises(DataError, match="holds no rows"):
        open_data(str(tmp_path / "none.parquet"))
    two = tmp_path / "two"
    two.mkdir()
    write_parquet(two / "a.parquet", 2, label=[0, 1])
    write_parquet(two / "b.parquet", 2)
    with pytest.raises(DataError, match=r"b.parquet lacks the columns label that .*a.parquet has"):
        open_data(str(two))
    write_parquet(tmp_path / "unknown.parquet", 2, ["cat", "dog"], label=["cat", "owl"])
    with pytest.raises(DataError, match="The label 'owl' is none of the classes cat, dog"):
        open_data(str(tmp_path / "unknown.parquet"))


@pytest.mark.data
@pytest.mark.skipif(SHARED is None, reason=REASON)
def test_cifar_10_opens_with_its_labels_and_32_pixels() -> None:
    assert SHARED is not None
    source = open_data(str(SHARED / "data" / "cifar10" / "test.parquet"), limit=100)
    batch = next(iter(source.batches(100)))
    assert batch.inputs.shape == (100, 3, 32, 32)  # type: ignore[union-attr]
    assert batch.targets is not None
    assert (len(source), int(batch.targets.min()), int(batch.targets.max())) == (100, 0, 9)
    assert batch.targets[:4].tolist() == [3, 8, 8, 0]  # cat, ship, ship, airplane: the original order
