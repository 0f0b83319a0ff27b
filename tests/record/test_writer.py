"""What the writer refuses, keeps and leaves behind."""

from __future__ import annotations

import contextlib
import errno
import hashlib
import os
import resource
import subprocess
import sys
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from pellucid.errors import DamagedError, RecordError, StorageError
from pellucid.record import Record, Writer, schema
from pellucid.record.lock import NAME as LOCK
from pellucid.record.lock import is_held
from support.parts import examples_part


def begun(path: Path, **manifest: object) -> Writer:
    return Writer.create(path, schema.Manifest(title="a", **manifest))  # type: ignore[arg-type]


def custom(text: str = "t", value: float | None = 1.0) -> schema.CustomPanel:
    return schema.CustomPanel(title=text, tables=[schema.Table("x", ["v"], [[value]])])


def names(root: Path) -> set[str]:
    return {str(path.relative_to(root)) for path in root.rglob("*") if path.is_file()}


def test_files_are_listed_with_size_checksum_and_rows(tmp_path: Path) -> None:
    root = tmp_path / "r"
    with begun(root) as writer, writer.sealing():
        writer.write_part(0, examples_part(0, 5), {"loss": ({"sum": 1.5}, {"sums": np.arange(3.0)})})
        writer.write_panel(custom(), {"0.mean": np.ones(2, np.float32)})
    manifest = Record(root).manifest
    assert [entry.path for entry in manifest.files] == [
        "arrays/custom.safetensors",
        "examples/part-000000.parquet",
        "panels/custom.json",
        "state/part-000000/loss.json",
        "state/part-000000/loss.safetensors",
    ]
    for entry in manifest.files:
        content = (root / entry.path).read_bytes()
        assert (entry.bytes, entry.sha256) == (len(content), hashlib.sha256(content).hexdigest())
    assert manifest.files[1].rows == 5
    assert manifest.examples == 5
    assert manifest.state == "complete"
    assert names(root) == {entry.path for entry in manifest.files} | {"manifest.json"}


def test_a_part_needs_the_standard_columns_in_their_types(tmp_path: Path) -> None:
    with begun(tmp_path / "r") as writer:
        with pytest.raises(RecordError, match=r"missing: loss, rank"):
            writer.write_part(0, examples_part(0, 2).drop_columns(["loss", "rank"]), {})
        table = examples_part(0, 2)
        wrong = table.set_column(3, "prediction", pa.array(["cat", "dog"]))
        with pytest.raises(RecordError, match=r"'prediction' of part 0 .* must be int32; got string"):
            writer.write_part(0, wrong, {})
        with pytest.raises(RecordError, match=r"'id' .* must not hold nulls; got 2"):
            writer.write_part(0, table.set_column(1, "id", pa.nulls(2, pa.string())), {})
        writer.write_part(0, table.set_column(2, "target", pa.array([0.5, 1.5])), {})
        with pytest.raises(RecordError, match=r"Part 0 .* finished already; the next one is 1"):
            writer.write_part(0, table, {})


def test_a_lens_state_with_nan_is_refused_and_leaves_nothing(tmp_path: Path) -> None:
    root = tmp_path / "r"
    with begun(root) as writer:
        with pytest.raises(RecordError, match="lens 'loss' does not fit in JSON"):
            writer.write_part(0, examples_part(0, 2), {"loss": ({"sum": float("nan")}, {})})
        with pytest.raises(RecordError, match="name of a lens"):
            writer.write_part(0, examples_part(0, 2), {"../loss": ({}, {})})
        assert names(root) == {"manifest.json", LOCK}


def test_a_panel_that_the_schema_does_not_know_is_refused(tmp_path: Path) -> None:
    with begun(tmp_path / "r") as writer:
        broken = schema.PredictionsPanel(
            classes=["a"], outputs="two", top_k=1, nonfinite=0, without_target=0, columns=[]
        )  # type: ignore[arg-type]
        with pytest.raises(RecordError, match=r"'predictions' does not fit .* `int`, got `str`"):
            writer.write_panel(broken)
        with pytest.raises(RecordError, match="no field 'colour'"):
            writer.update(colour="red")
        with pytest.raises(RecordError, match="would not fit"):
            writer.update(seed="zero")


def test_a_state_comes_back_as_it_was_given(tmp_path: Path) -> None:
    arrays = {
        "scalar": np.array(3.5),
        "turned": np.arange(6, dtype=np.int64).reshape(2, 3).T,
        "half": np.array([np.nan, np.inf, -0.0], np.float16),
        "empty": np.zeros((0, 4), np.float32),
    }
    with begun(tmp_path / "r") as writer:
        writer.write_part(0, examples_part(0, 1), {"loss": ({"n": 2**53, "names": ["é", None]}, arrays)})
        values, stored = writer.state(0, "loss")
        assert values == {"n": 2**53, "names": ["é", None]}
        assert stored.keys() == arrays.keys()
        for name, array in arrays.items():
            assert (stored[name].dtype, stored[name].shape) == (array.dtype, array.shape)
            np.testing.assert_array_equal(stored[name], array)
        with pytest.raises(RecordError, match=r"holds no state/part-000001/loss\.json; 1 parts are finished"):
            writer.state(1, "loss")


# --- what is there already ------------------------------------------------------------------------------------


def test_a_record_is_never_overwritten_silently(tmp_path: Path) -> None:
    root = tmp_path / "r"
    with begun(root) as writer, writer.sealing():
        writer.write_part(0, examples_part(0, 5), {})
    with pytest.raises(RecordError, match=r"a record at .* 5 examples\).*another path.*--resume.*--overwrite"):
        begun(root)
    with Writer.create(root, schema.Manifest(title="b"), overwrite=True) as writer:
        assert writer.parts == 0
        assert names(root) == {"manifest.json", LOCK}
        assert writer.manifest.title == "b"


def test_a_folder_of_something_else_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "thesis.tex").write_text("x")
    for overwrite in (False, True):
        with pytest.raises(RecordError, match=r"other files \(thesis.tex\) and is no record"):
            Writer.create(tmp_path, schema.Manifest(), overwrite=overwrite)
    with pytest.raises(RecordError, match="is a file"):
        begun(tmp_path / "thesis.tex")
    assert names(tmp_path) == {"thesis.tex"}


def test_what_a_watch_saw_is_completed_and_outlives_overwriting(tmp_path: Path) -> None:
    root = tmp_path / "r"
    with begun(root, watched=True) as writer, writer.sealing():
        writer.write_file("training/part-000000.parquet", b"curves", rows=1)
    created = Record(root).manifest.created
    with Writer.create(root, schema.Manifest(seed=7)) as writer, writer.sealing():
        assert (writer.manifest.watched, writer.manifest.title, writer.manifest.created) == (True, "a", created)
        writer.write_part(0, examples_part(0, 5), {})
    with pytest.raises(RecordError, match="already"):
        begun(root)
    with Writer.create(root, schema.Manifest(seed=8), overwrite=True) as writer:
        assert writer.manifest.watched
        assert names(root) == {"manifest.json", LOCK, "training/part-000000.parquet"}
    assert Record(root).verify() == []
    with Writer.create(root, schema.Manifest(watched=True), overwrite=True):
        assert names(root) == {"manifest.json", LOCK}


def test_peoples_responses_are_never_replaced(tmp_path: Path) -> None:
    root = tmp_path / "r"
    begun(root).finish("complete")
    (root / "human").mkdir()
    (root / "human" / "responses.csv").write_text("x")
    with pytest.raises(RecordError, match="people's responses"):
        Writer.create(root, schema.Manifest(), overwrite=True)


def test_resuming_drops_damaged_parts_and_all_after_them(tmp_path: Path) -> None:
    root = tmp_path / "r"
    with begun(root, stages=[schema.StageInfo("sweep", "running", 20)]) as writer:
        for index in range(4):
            writer.write_part(index, examples_part(5 * index, 5), {"loss": ({}, {})})
        writer.finish("interrupted")
    (root / "state/part-000002/loss.json").write_bytes(b"")
    with Writer.create(root, schema.Manifest(), resume=True) as writer:
        assert writer.parts == 2
        assert writer.manifest.examples == 10
        assert writer.manifest.stages[0].examples == 10
        for index in (2, 3):
            writer.write_part(index, examples_part(5 * index, 5), {"loss": ({}, {})})
    assert Record(root).verify() == []
    assert Record(root).examples()["row"].to_pylist() == list(range(20))


def test_resuming_refuses_a_damaged_training(tmp_path: Path) -> None:
    with begun(tmp_path / "r", watched=True) as writer:
        writer.write_file("training/part-000000.parquet", b"curves", rows=1)
        writer.write_part(0, examples_part(0, 5), {})
    (tmp_path / "r/training/part-000000.parquet").write_bytes(b"")
    with pytest.raises(DamagedError, match="cannot be made again"):
        Writer.open(tmp_path / "r")


def test_opening_needs_a_record(tmp_path: Path) -> None:
    with pytest.raises(RecordError, match="There is no record"):
        Writer.open(tmp_path / "nothing")
    assert not (tmp_path / "nothing").exists()


# --- one writer at a time -------------------------------------------------------------------------------------


def test_a_second_writer_is_refused_by_the_process_id_of_the_first(tmp_path: Path) -> None:
    root = tmp_path / "r"
    script = (
        "import sys; from pellucid.record import Writer, schema\n"
        f"Writer.create({str(root)!r}, schema.Manifest()); print('ready', flush=True); sys.stdin.read()"
    )
    with subprocess.Popen([sys.executable, "-c", script], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == b"ready\n"
        assert is_held(root)
        assert Record(root).state == "running"
        with pytest.raises(RecordError, match=f"being written by process {other.pid}"):
            Writer.open(root)
        other.kill()
        other.wait()
    assert (root / LOCK).exists()
    assert not is_held(root)
    assert Record(root).state == "interrupted"
    with Writer.open(root):
        assert is_held(root)
        with pytest.raises(RecordError, match=f"process {os.getpid()}"):
            Writer.open(root)
    assert not (root / LOCK).exists()


def test_a_refused_writer_lets_go(tmp_path: Path) -> None:
    root = tmp_path / "r"
    begun(root).finish("complete")
    with pytest.raises(RecordError, match="already"):
        begun(root)
    assert not is_held(root)
    assert not (root / LOCK).exists()


# --- a disk that refuses --------------------------------------------------------------------------------------


def test_a_file_that_does_not_fit_names_itself_and_what_is_free(tmp_path: Path) -> None:
    root = tmp_path / "r"
    noise = np.random.default_rng(0).random(50_000)
    with begun(root) as writer:
        writer.write_part(0, examples_part(0, 5), {"loss": ({}, {})})
        before = names(root)
        soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, hard))
        try:
            with pytest.raises(
                StorageError, match=r"part-000001.loss.safetensors \(400,\d+ bytes\).*bytes are free"
            ) as caught:
                writer.write_part(1, examples_part(5, 5), {"accuracy": ({}, {}), "loss": ({}, {"x": noise})})
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        assert isinstance(caught.value.__cause__, OSError)
        assert names(root) == before
        assert Record(root).verify() == []
        writer.write_part(1, examples_part(5, 5), {"accuracy": ({}, {}), "loss": ({}, {"x": noise})})
    assert Record(root).examples().num_rows == 10


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EACCES, errno.EROFS])
def test_a_disk_that_is_full_or_refuses_stops_every_write(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: int
) -> None:
    def refuse(descriptor: int) -> None:
        raise OSError(code, os.strerror(code))

    root = tmp_path / "r"
    with begun(root) as writer, monkeypatch.context() as patched:
        patched.setattr(os, "fsync", refuse)
        for write in (
            lambda: writer.write_part(0, examples_part(0, 5), {}),
            lambda: writer.write_panel(custom()),
            lambda: writer.update(seed=1),
        ):
            with pytest.raises(StorageError, match=os.strerror(code)):
                write()
        assert names(root) == {"manifest.json", LOCK}
    assert Record(root).examples().num_rows == 0


def test_a_disk_that_is_full_at_any_moment_leaves_what_the_manifest_lists(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real, calls = os.fsync, [0]
    outcomes: list[int] = []
    for room in range(12):

        def full(descriptor: int, room: int = room) -> None:
            calls[0] += 1
            if calls[0] > room:
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            real(descriptor)

        root = tmp_path / str(room)
        calls[0] = 0
        with begun(root) as writer, monkeypatch.context() as patched:
            patched.setattr(os, "fsync", full)
            with contextlib.suppress(StorageError):
                writer.write_part(0, examples_part(0, 5), {"loss": ({}, {})})
        left = Record(root)
        assert left.verify() == []
        assert left.examples().num_rows == left.manifest.examples
        outcomes.append(left.manifest.examples)
    # The last moment is after the new manifest took the old one's place: the part is listed, so it stays.
    assert outcomes == sorted(outcomes)
    assert set(outcomes) == {0, 5}


def test_a_failure_is_noted_in_its_words(tmp_path: Path) -> None:
    for error, state in ((ValueError("no such layer"), "failed"), (KeyboardInterrupt(), "interrupted")):
        root = tmp_path / state
        writer = begun(root)
        writer.write_part(0, examples_part(0, 5), {})
        with pytest.raises(type(error)), writer.sealing():
            raise error
        manifest = Record(root).manifest
        assert (manifest.state, manifest.error) == (state, str(error) or "KeyboardInterrupt")
        assert Record(root).examples().num_rows == 5


# --- pictures -------------------------------------------------------------------------------------------------


def test_pictures_are_kept_once_and_waited_for_with_their_part(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    root = tmp_path / "r"
    waited: list[int] = []
    real = os.fsync
    with begun(root) as writer:
        monkeypatch.setattr(os, "fsync", lambda descriptor: (waited.append(descriptor), real(descriptor))[1])
        kept = {writer.write_media(bytes([number % 50]) * 10, "png") for number in range(200)}
        assert waited == []
        writer.write_part(0, examples_part(0, 5), {})
        # 50 pictures, their folder, and file and folder of the part and of the manifest.
        assert len(waited) == 50 + 1 + 2 + 2
        assert len(kept) == len(list((root / "media").iterdir())) == 50
        with pytest.raises(RecordError, match="media file is named"):
            writer.write_media(b"x", "../png")


def test_a_picture_cut_short_by_a_crash_is_written_again(tmp_path: Path) -> None:
    root = tmp_path / "r"
    with begun(root) as writer:
        name = writer.write_media(b"a whole picture", "png")
    (root / "media" / name).write_bytes(b"a whole")
    with Writer.open(root) as writer:
        writer.write_media(b"a whole picture", "png")
    assert Record(root).media(name) == b"a whole picture"


def test_replacing_a_panel_never_leaves_an_old_checksum(tmp_path: Path) -> None:
    root = tmp_path / "r"
    with begun(root) as writer:
        writer.write_panel(custom("first"))
        writer.write_panel(custom("second"), name="mine")
        writer.write_panel(custom("third"))
        assert Record(root).panels == ["custom", "mine"]
        panel = Record(root).panel("custom")
        assert isinstance(panel, schema.CustomPanel)
        assert panel.title == "third"
