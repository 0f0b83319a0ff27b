"""A series on the disk: every picture is what its row says, opens as data, and is refused when it is not whole."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image as Pillow

from pellucid.data import open_data
from pellucid.distort import read_series, write_series
from pellucid.errors import DataError, RecordError, UnreadableError
from pellucid.recipe import Recipe
from pellucid.record.files import sha256

LEVELS = ["contrast=1,0.25", "noise=0.2"]


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    rng = np.random.default_rng(0)
    for name in ("cat/a_1.png", "cat/b=2.png", "dog/a_1.png", "dog/un gató.png"):
        place = tmp_path / "photos" / name
        place.parent.mkdir(parents=True, exist_ok=True)
        Pillow.fromarray(rng.integers(60, 190, (24, 20, 3), dtype=np.uint8)).save(place)
    return tmp_path / "photos"


def made(photos: Path, out: Path, levels: list[str] = LEVELS, **options: object) -> Path:
    source = open_data(str(photos), recipe=Recipe(crop=(16, 16)))
    return write_series(source, read_series(levels), out, **options).out  # type: ignore[arg-type]


def rows(folder: Path) -> list[dict[str, str]]:
    with (folder / "series.csv").open(encoding="utf-8") as file:
        return list(csv.DictReader(file))


def test_every_picture_is_what_its_row_says(photos: Path, tmp_path: Path) -> None:
    heard: list[tuple[int, int]] = []
    folder = made(photos, tmp_path / "out", seed=7, progress=lambda done, of: heard.append((done, of)))
    table = rows(folder)
    assert len(table) == 12
    assert heard == [(1, 4), (2, 4), (3, 4), (4, 4)]
    assert {row["condition"] for row in table} == {"contrast=1", "contrast=0.25", "noise=0.2"}
    assert len({row["id"] for row in table}) == 12
    series = read_series(LEVELS)
    for row in table:
        content = (folder / "images" / row["id"]).read_bytes()
        assert sha256(content) == row["sha256"]
        with Pillow.open(photos / row["original"]) as opened:
            image = np.asarray(Recipe(crop=(16, 16)).geometry(opened), np.float64) / 255
        step = next(one for one in series.steps if one.condition == row["condition"])
        expected = series.of(image, step, 7, row["original"])
        with Pillow.open(folder / "images" / row["id"]) as opened:
            shown = np.asarray(opened, np.float64)
        np.testing.assert_array_equal(shown, (np.clip(expected, 0, 1) * 255).round())
        assert (row["height"], row["width"]) == ("16", "16")
        assert (row["seed"] != "") == (row["distortion"] == "noise")
        if row["distortion"] == "contrast":
            assert float(row["measured"]) == pytest.approx(step.level, abs=0.01)
            assert float(row["clipped"]) == 0
        else:
            assert float(row["clipped"]) == pytest.approx(((expected < 0) | (expected > 1)).mean(), abs=1e-6)
    said = json.loads((folder / "series.json").read_text())
    assert said["classes"] == ["cat", "dog"]
    assert said["preprocessing"] == [{"step": "centre crop", "size": [16, 16]}]


def test_a_series_opens_as_data_with_what_was_done_as_columns(photos: Path, tmp_path: Path) -> None:
    folder = made(photos, tmp_path / "out")
    source = open_data(str(folder))
    assert source.classes == ("cat", "dog")
    assert len(source) == 12
    examples = [source.example(row) for row in range(12)]
    assert [one.target for one in examples] == [0] * 6 + [1] * 6
    assert examples[1].id == "contrast=0.25/cat-a_1.png"
    assert dict(examples[1].columns) | {"measured": 0, "clipped": 0} == {
        "distortion": "contrast", "level": 0.25, "condition": "contrast=0.25", "original": "cat/a_1.png", "seed": None,
        "measured": 0, "clipped": 0,
    }  # fmt: skip
    assert isinstance(examples[2].columns["seed"], int)
    assert len(open_data(str(folder), limit=5)) == 5


def test_the_same_series_is_the_same_bytes_and_another_seed_is_not(photos: Path, tmp_path: Path) -> None:
    first, second, other = (
        rows(made(photos, tmp_path / name, seed=seed)) for name, seed in (("a", 1), ("b", 1), ("c", 2))
    )
    assert first == second
    assert [a["sha256"] == b["sha256"] for a, b in zip(first, other, strict=True)] == [
        row["distortion"] == "contrast" for row in first
    ]


def test_no_picture_takes_the_name_of_another(tmp_path: Path) -> None:
    for place, name in enumerate(("cat/a-2.png", "cat/a.jpg", "cat/a.png", "cat/a.webp", "dog/a.png")):
        path = tmp_path / "photos" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        Pillow.fromarray(np.full((24, 20, 3), 40 * place, np.uint8)).save(path)
    series = made(tmp_path / "photos", tmp_path / "out", ["contrast=1,0.5"])
    assert len({row["id"] for row in rows(series)}) == len(rows(series)) == 10
    assert len(list((series / "images").rglob("*.png"))) == 10
    for row in rows(series):
        assert sha256((series / "images" / row["id"]).read_bytes()) == row["sha256"]


def test_a_folder_with_anything_in_it_is_refused_or_replaced_where_that_is_asked(photos: Path, tmp_path: Path) -> None:
    folder = made(photos, tmp_path / "out")
    with pytest.raises(RecordError, match="holds a series already"):
        made(photos, folder)
    made(photos, folder, ["contrast=1"], overwrite=True)
    assert len(rows(folder)) == len(list((folder / "images").rglob("*.png"))) == 4
    (folder / "letter.txt").write_text("mine")
    with pytest.raises(RecordError, match=r"letter\.txt"):
        made(photos, folder, overwrite=True)
    assert (folder / "letter.txt").exists()


def test_what_was_cut_short_or_altered_is_refused(photos: Path, tmp_path: Path) -> None:
    folder = made(photos, tmp_path / "out")
    text = (folder / "series.csv").read_text(encoding="utf-8")
    picture = folder / "images" / rows(folder)[0]["id"]
    with Pillow.open(picture) as opened:
        opened.convert("L").save(picture)
    with pytest.raises(UnreadableError, match="SHA-256"):
        open_data(str(folder)).example(0)
    for wrong, said in (
        (text.replace("contrast=1/", "../../"), "no path below"),
        (text.replace(",cat,", ",cow,", 1), "'cow'"),
        (text[: len(text) // 2].rstrip("0123456789abcdef").rstrip(","), "cut short"),
        (text.split("\n")[0] + "\n", "no rows"),
        (text.replace("condition", "condtion", 1), "lacks the columns condition"),
    ):
        (folder / "series.csv").write_text(wrong, encoding="utf-8")
        with pytest.raises(DataError, match=said):
            open_data(str(folder))
    (folder / "series.csv").unlink()
    with pytest.raises(DataError, match="Make the series again"):
        open_data(str(folder))


def test_images_that_cannot_be_read_are_refused_by_name_or_counted(photos: Path, tmp_path: Path) -> None:
    (photos / "cat" / "c.png").write_bytes(b"no picture")
    with pytest.raises(UnreadableError, match=r"cat/c\.png"):
        made(photos, tmp_path / "out")
    source = open_data(str(photos), skip_bad=True)
    written = write_series(source, read_series(["jpeg=20"]), tmp_path / "two")  # type: ignore[arg-type]
    assert (written.images, written.pictures, written.skipped) == (4, 4, ["cat/c.png"])
