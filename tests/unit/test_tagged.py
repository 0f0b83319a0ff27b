"""Pictures labelled as wholes, from folders and tables: what is read, what is not said, what is refused."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image

from pellucid.data.tagged import is_tagged, open_tagged
from pellucid.errors import DataError
from pellucid.features.concepts import Concept
from pellucid.recipe import Recipe

SIZE = (3, 8, 12)


def write(place: Path, seed: int) -> None:
    place.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.random.default_rng(seed).integers(0, 255, (8, 12, 3), np.uint8)).save(place)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for seed, name in enumerate(("cat/1.png", "cat/deep/2.png", "dog/1.png", ".hidden/3.png")):
        write(tmp_path / name, seed)
    (tmp_path / "cat" / "notes.txt").write_text("no picture")
    return tmp_path


def test_a_folder_a_concept(folder: Path) -> None:
    found = open_tagged(folder, SIZE)
    assert found.concepts == (Concept("cat", "label"), Concept("dog", "label"))
    assert [place.relative_to(folder).as_posix() for place in found.images] == [
        "cat/1.png",
        "cat/deep/2.png",
        "dog/1.png",
    ]
    assert found.labels.tolist() == [[1, 0], [1, 0], [0, 1]]
    assert len(found) == 3
    expected = np.asarray(Image.open(folder / "dog" / "1.png"), np.float32).transpose(2, 0, 1) / 255
    np.testing.assert_allclose(found.picture(2), expected)
    assert open_tagged(folder, (1, 6, 6), Recipe(resize=6, crop=(6, 6))).picture(0).shape == (1, 6, 6)


@pytest.mark.parametrize("suffix", [".csv", ".tsv", ".parquet"])
def test_a_table_says_several_things_of_an_image_or_nothing(folder: Path, suffix: str) -> None:
    rows = [
        ("cat/1.png", "cat", "animal"),
        ("cat/1.png", "striped", "coat"),
        ("cat/1.png", "furry", "coat"),
        ("dog/1.png", "dog", "animal"),
        ("dog/1.png", "", "coat"),
        ("cat/deep/2.png", "cat", "animal"),
    ]
    file = folder / f"shown{suffix}"
    if suffix == ".parquet":
        columns = dict(zip(("image", "concept", "kind"), zip(*rows, strict=True), strict=True))
        pq.write_table(pa.table({**{name: list(held) for name, held in columns.items()}, "seen": [1] * 6}), file)
    else:
        between = "," if suffix == ".csv" else "\t"
        file.write_text("\n".join(between.join(row) for row in [("image", "concept", "kind"), *rows]) + "\n")
    assert is_tagged(file)
    found = open_tagged(file, SIZE)
    assert found.concepts == tuple(
        Concept(*one) for one in (("cat", "animal"), ("dog", "animal"), ("furry", "coat"), ("striped", "coat"))
    )
    assert found.labels.tolist() == [[1, 0, 1, 1], [1, 0, -1, -1], [0, 1, 0, 0]]


def test_a_table_needs_no_kinds(folder: Path) -> None:
    (folder / "two.csv").write_text("concept,image\r\nold,cat/1.png\r\nyoung,dog/1.png\r\n")
    found = open_tagged(folder / "two.csv", SIZE)
    assert found.concepts == (Concept("old", "label"), Concept("young", "label"))


def test_what_cannot_be_read_is_refused_by_name(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    with pytest.raises(DataError, match="names no concept: expected a folder a concept"):
        open_tagged(tmp_path_factory.mktemp("nothing"), SIZE)
    with pytest.raises(DataError, match="one channel or three; the model takes 5"):
        open_tagged(folder, (5, 8, 12))

    def table(text: str) -> Path:
        file = folder / "table.csv"
        file.write_bytes(text.encode("latin-1"))
        return file

    for text, message in (
        ("image,label\ncat/1.png,cat", "has the columns image, label; expected"),
        ("", "has the columns none"),
        ("image,concept\ncat/1.png", "Row 2 of .* has 1 cells; expected 2"),
        ("image,concept\n../outside.png,cat", "lies outside its folder"),
        ("image,concept\ncat/9.png,cat", "there is no file"),
        ("image,concept\ncat/1.png,\xe9", "no table of UTF-8 text"),
        ("image,concept\ncat/1.png,", "names no concept"),
    ):
        with pytest.raises(DataError, match=message):
            open_tagged(table(text), SIZE)
    (folder / "bad.parquet").write_bytes(b"no table")
    with pytest.raises(DataError, match="no Parquet file"):
        open_tagged(folder / "bad.parquet", SIZE)
    pq.write_table(pa.table({"image": [1], "concept": ["a"]}), folder / "bad.parquet")
    with pytest.raises(DataError, match=r"'image' of .* is int64; expected text"):
        open_tagged(folder / "bad.parquet", SIZE)
    (folder / "cat" / "1.png").write_bytes(b"no picture")
    with pytest.raises(DataError, match="cannot be decoded"):
        open_tagged(folder, SIZE).picture(0)
    with pytest.raises(DataError, match="the model takes"):
        open_tagged(folder, SIZE, Recipe(crop=(4, 4))).picture(1)
