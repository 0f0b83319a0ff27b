"""A record takes the place of another only when it is whole; whatever stops it leaves the other as it was."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from pellucid.errors import DataError, RecordError, StorageError
from pellucid.record import Record, Writer, schema
from pellucid.record.replacing import BESIDE, made
from support.parts import examples_part
from support.saved import files_below


def contents(root: Path) -> dict[str, bytes]:
    return {name: (root / name).read_bytes() for name in files_below(root)}


def write(path: Path, title: str, rows: int, *, overwrite: bool = False, error: BaseException | None = None) -> None:
    with made(path, schema.Manifest(title=title), overwrite=overwrite) as writer:
        writer.write_media(title.encode(), "png")
        writer.write_part(0, examples_part(0, rows), {})
        if error is not None:
            raise error
        writer.write_panel(schema.CustomPanel(title=title, tables=[]))


def test_a_whole_record_takes_the_place_of_another(tmp_path: Path) -> None:
    path = tmp_path / "r"
    write(path, "one", 30)
    write(path, "two", 20, overwrite=True)
    write(tmp_path / "alone", "two", 20)
    assert files_below(path) == files_below(tmp_path / "alone")
    record = Record(path)
    assert (record.manifest.title, record.manifest.state, record.manifest.examples) == ("two", "complete", 20)
    assert record.verify() == []


@pytest.mark.parametrize("error", [DataError("x"), ValueError("x"), StorageError("x"), KeyboardInterrupt()], ids=repr)
def test_whatever_stops_it_leaves_what_was_there(tmp_path: Path, error: BaseException) -> None:
    path = tmp_path / "r"
    write(path, "one", 30)
    before = contents(path)
    with pytest.raises(type(error)):
        write(path, "two", 20, overwrite=True, error=error)
    assert contents(path) == before
    assert not (path / BESIDE).exists()
    write(path, "two", 20, overwrite=True)
    assert Record(path).manifest.title == "two"


def test_a_refusal_where_nothing_was_leaves_nothing_and_what_stops_otherwise_what_was_finished(tmp_path: Path) -> None:
    for place, error in enumerate((DataError("x"), RecordError("x"))):
        path = tmp_path / str(place)
        with pytest.raises(type(error)):
            write(path, "one", 30, error=error)
        assert not path.exists()
    path = tmp_path / "there"
    path.mkdir()
    with pytest.raises(DataError, match="x"):
        write(path, "one", 30, error=DataError("x"))
    assert list(path.iterdir()) == []
    for state, stop in (
        ("failed", StorageError("x")),
        ("failed", ValueError("x")),
        ("interrupted", KeyboardInterrupt()),
    ):
        path = tmp_path / type(stop).__name__
        with pytest.raises(type(stop)):
            write(path, "one", 30, error=stop)
        assert (Record(path).manifest.state, Record(path).manifest.examples) == (state, 30)


def test_what_must_not_be_replaced_is_not(tmp_path: Path) -> None:
    path = tmp_path / "r"
    write(path, "one", 30)
    before = contents(path)
    with pytest.raises(RecordError, match="There is a record at"):
        write(path, "two", 20)
    (path / "human").mkdir()
    (path / "human" / "someone.json").write_text("{}", encoding="utf-8")
    with pytest.raises(RecordError, match="people's responses"):
        write(path, "two", 20, overwrite=True)
    shutil.rmtree(path / "human")
    with Writer.open(path), pytest.raises(RecordError, match="is being written by"):
        write(path, "two", 20, overwrite=True)
    (path / BESIDE).mkdir()  # of a process that was killed
    (path / BESIDE / "old").write_text("", encoding="utf-8")
    with pytest.raises(DataError):
        write(path, "two", 20, overwrite=True, error=DataError("x"))
    assert {name for name in contents(path) if name != "manifest.json"} == set(before) - {"manifest.json"}


def test_what_a_watch_saw_stays(tmp_path: Path) -> None:
    path = tmp_path / "r"
    with Writer.create(path, schema.Manifest(title="seen", watched=True)) as writer, writer.sealing():
        writer.write_file("training/part-000000.parquet", b"seen")
        writer.write_file("panels/training.json", b"{}")
    seen = contents(path)
    with pytest.raises(DataError):
        write(path, "one", 30, error=DataError("x"))
    assert contents(path) == seen
    for overwrite, rows in ((False, 30), (True, 20)):
        write(path, "one", rows, overwrite=overwrite)
        manifest = Record(path).manifest
        assert (manifest.watched, manifest.examples, manifest.state) == (True, rows, "complete")
        assert (path / "training/part-000000.parquet").read_bytes() == b"seen"
        assert (path / "panels/training.json").read_bytes() == b"{}"
        assert {entry.path for entry in manifest.files} >= {"training/part-000000.parquet", "panels/training.json"}
