"""What a record gives, and what it refuses to believe."""

from __future__ import annotations

import itertools
import random
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import duckdb
import msgspec
import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from safetensors import safe_open

from pellucid.errors import DamagedError, PellucidError, RecordError, SchemaError
from pellucid.record import Record, Writer, schema
from pellucid.record.tables import standard_fields
from support.parts import examples_part


def manifest_of(root: Path) -> dict[str, object]:
    return msgspec.json.decode((root / "manifest.json").read_bytes(), type=dict[str, object])


def write_manifest(root: Path, **changes: object) -> None:
    (root / "manifest.json").write_bytes(msgspec.json.encode(manifest_of(root) | changes))


# --- what it gives --------------------------------------------------------------------------------------------


def test_everything_of_a_whole_record_reads(whole: Path) -> None:
    record = Record(whole)
    assert record.verify() == []
    assert record.panels == [
        "graph", "predictions", "loss", "accuracy", "confusion", "activations", "weights", "gradients", "fit"
    ]  # fmt: skip
    table = record.examples()
    assert table.column_names[: len(standard_fields())] == list(standard_fields())
    assert table["row"].to_pylist() == list(range(300))
    confusion = record.panel("confusion")
    assert isinstance(confusion, schema.ConfusionPanel)
    assert sum(confusion.counts) == 300
    gradients = record.panel("gradients")
    assert isinstance(gradients, schema.GradientsPanel)
    assert sorted(one.row for one in gradients.examples) == record.focused
    focus, tensors = record.focus(record.focused[0])
    assert focus.row == record.focused[0]
    assert tensors["input.gradient"].shape == (3, 28, 28)
    assert record.array("activations", "0.top_rows").dtype == np.int64
    assert record.media(table["media"][7].as_py()).startswith(b"\x89PNG")


def test_findings_come_worst_first(whole: Path) -> None:
    findings = Record(whole).findings
    ranks = [("high", "medium", "low", "info").index(finding.severity) for finding in findings]
    assert ranks == sorted(ranks)
    assert len(set(ranks)) > 1
    for before, after in itertools.pairwise(findings):
        assert before.severity != after.severity or before.weight >= after.weight


def test_the_summary_repeats_the_panels(whole: Path) -> None:
    record = Record(whole)
    summary = record.summary()
    accuracy = record.panel("accuracy")
    assert isinstance(accuracy, schema.AccuracyPanel)
    assert (summary.accuracy, summary.accuracy_interval) == (accuracy.accuracy, accuracy.interval)
    assert (summary.record, summary.examples, summary.state) == ("whole.pellucid", 300, "complete")
    assert [stage.name for stage in summary.passes] == ["trace", "sweep", "focus"]
    assert summary.findings == record.findings
    assert msgspec.json.decode(msgspec.json.encode(summary), type=schema.Summary) == summary


def test_training_goes_on_from_a_cursor(whole: Path) -> None:
    record = Record(whole)
    every, end = record.training()
    assert end == 2
    last, again = record.training(1)
    assert again == 2
    assert 0 < last.num_rows < every.num_rows
    assert every.slice(every.num_rows - last.num_rows).equals(last)
    nothing, same = record.training(end)
    assert (nothing.num_rows, same) == (0, end)
    assert nothing.schema == every.schema


def test_a_record_that_grows_is_followed(tmp_path: Path) -> None:
    with Writer.create(tmp_path / "r", schema.Manifest()) as writer:
        record = Record(tmp_path / "r")
        assert record.examples().num_rows == 0
        assert record.summary().accuracy is None
        assert not record.refresh()
        for index in range(2):
            writer.write_part(index, examples_part(index * 4, 4), {})
            assert record.refresh()
            assert record.examples().num_rows == 4 * (index + 1)
        writer.write_panel(schema.CustomPanel(title="one", tables=[]))
        record.refresh()
        assert record.panels == ["custom"]
        # Replaced since the manifest was read: the reader looks again instead of calling it damaged.
        writer.write_panel(schema.CustomPanel(title="another", tables=[]))
        panel = record.panel("custom")
        assert isinstance(panel, schema.CustomPanel)
        assert panel.title == "another"


def test_what_is_not_there_is_refused_by_naming_what_is(whole: Path) -> None:
    record = Record(whole)
    asked: list[tuple[Callable[[], object], str]] = [
        (lambda: record.panel("confusions"), r"no panel 'confusions'. It has: graph, .*confusion"),
        (lambda: record.array("loss", "x"), r"'loss' has no arrays .*: activations"),
        (lambda: record.array("activations", "9.mean"), r"hold no '9.mean'. They hold: 0.maximum, 0.mean"),
        (lambda: record.focus(299), r"row 299 .* not looked at closely. 4 were: "),
        (lambda: record.media("0" * 64 + ".png"), r"no picture 0000"),
        (lambda: record.media("../manifest.json"), r"named '<sha256>.<ext>'"),
        (lambda: record.table("../x.parquet"), r"holds no ../x.parquet"),
    ]
    for ask, message in asked:
        with pytest.raises(RecordError, match=message):
            ask()


def test_reading_and_exporting_need_no_torch() -> None:
    code = (
        "import sys, pellucid.record, pellucid.export\n"
        "from pellucid.record import Record, Writer\n"
        "assert not {'torch', 'scipy', 'starlette'} & set(sys.modules), 'heavy'\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_the_schema_alone_is_light() -> None:
    code = "import sys, pellucid.record.schema\nassert not {'pyarrow', 'torch'} & set(sys.modules), 'heavy'\n"
    subprocess.run([sys.executable, "-c", code], check=True)


# --- readable without pellucid --------------------------------------------------------------------------------


def test_duckdb_and_pandas_read_it_alone(whole: Path) -> None:
    parts = str(whole / "examples" / "*.parquet")
    sql = f"select count(*), avg((prediction = target)::int), sum(loss) from '{parts}'"  # noqa: S608
    (row,) = duckdb.connect().execute(sql).fetchall()
    frame = pd.concat([pd.read_parquet(part) for part in sorted((whole / "examples").iterdir())])
    panels = {
        path.stem: msgspec.json.decode(path.read_bytes(), type=dict[str, object])
        for path in (whole / "panels").iterdir()
    }
    assert row[0] == len(frame) == manifest_of(whole)["examples"] == 300
    assert row[1] == pytest.approx((frame["prediction"] == frame["target"]).mean())
    assert row[1] == pytest.approx(panels["accuracy"]["accuracy"])
    assert row[2] / 300 == pytest.approx(panels["loss"]["mean"])
    assert {path.stem for path in (whole / "panels").iterdir()} == {panel["lens"] for panel in panels.values()}
    training = duckdb.connect().execute(
        f"select max(step) from '{whole}/training/*.parquet' where quantity = 'loss'"  # noqa: S608
    )
    assert training.fetchall() == [(590,)]
    with safe_open(whole / "arrays" / "activations.safetensors", framework="numpy") as tensors:
        np.testing.assert_array_equal(tensors.get_tensor("1.mean"), Record(whole).array("activations", "1.mean"))


# --- round trips ----------------------------------------------------------------------------------------------

VALUES = st.one_of(
    st.lists(
        st.one_of(st.none(), st.text(st.characters(exclude_categories=["Cs"]), max_size=8)), min_size=12, max_size=12
    ),
    st.lists(st.one_of(st.none(), st.integers(-(2**63), 2**63 - 1)), min_size=12, max_size=12),
    st.lists(st.one_of(st.none(), st.floats()), min_size=12, max_size=12),
    st.lists(st.one_of(st.none(), st.booleans()), min_size=12, max_size=12),
)
NAMES = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=12).filter(
    lambda name: name not in standard_fields()
)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(columns=st.dictionaries(NAMES, VALUES, max_size=3), cut=st.integers(1, 11))
def test_tables_come_back_as_they_were_however_they_are_split(
    tmp_path: Path, columns: dict[str, list[object]], cut: int
) -> None:
    table = examples_part(0, 12, columns)
    root = tmp_path / "r"
    shutil.rmtree(root, ignore_errors=True)
    with Writer.create(root, schema.Manifest()) as writer:
        writer.write_part(0, table.slice(0, cut), {})
        writer.write_part(1, table.slice(cut), {})
    stored = Record(root).examples()
    assert stored.schema.equals(table.schema)
    for name in table.column_names:
        before, after = table[name].combine_chunks(), stored[name].combine_chunks()
        if pa.types.is_floating(before.type):
            bits = [np.asarray(one.fill_null(0)).view(np.uint8) for one in (before, after)]
            np.testing.assert_array_equal(*bits)
            assert before.is_null().equals(after.is_null())
        else:
            assert before.equals(after), name


def test_a_column_that_was_empty_in_one_part_takes_the_type_of_the_other(tmp_path: Path) -> None:
    with Writer.create(tmp_path / "r", schema.Manifest()) as writer:
        writer.write_part(0, examples_part(0, 2, {"source": [None, None]}), {})
        writer.write_part(1, examples_part(2, 2, {"source": ["a", None]}), {})
    assert Record(tmp_path / "r").examples()["source"].to_pylist() == [None, None, "a", None]


# --- what it does not believe ---------------------------------------------------------------------------------


def readers(root: Path, path: str) -> Callable[[], object]:
    """What reads a file of the record."""
    top, _, rest = path.partition("/")
    stem = rest.rpartition(".")[0]
    if path == "manifest.json":
        return lambda: Record(root)
    if top == "examples":
        return lambda: Record(root).examples()
    if top == "state":
        part, lens = stem.split("/")
        return lambda: Record(root).state_of(int(part.removeprefix("part-")), lens)
    if top == "panels":
        return lambda: Record(root).panel(stem)
    if top == "training":
        return lambda: Record(root).training()
    if rest.startswith("focus/"):
        return lambda: Record(root).focus(int(stem.removeprefix("focus/")))
    return lambda: Record(root).array(stem, Record(root).arrays(stem)[0])


def test_every_file_cut_or_altered_anywhere_is_called_damaged_and_the_rest_still_opens(copy: Path) -> None:
    draw = random.Random(0)
    paths = ["manifest.json", *(entry.path for entry in Record(copy).manifest.files)]
    for path in paths:
        place = copy / path
        content = place.read_bytes()
        readers(copy, path)()
        at = draw.randrange(len(content))
        altered = content[:at] + bytes([content[at] ^ 0x20]) + content[at + 1 :]
        versions = [b"", content[:at], content[: len(content) - 1], content + b" "]
        if path == "manifest.json":
            versions = versions[:-1]  # white space after JSON is JSON
        else:
            versions.append(altered)
        for version in versions:
            place.write_bytes(version)
            with pytest.raises(DamagedError, match=place.name):
                readers(copy, path)()
            other = "panels/loss.json" if path != "panels/loss.json" else "panels/accuracy.json"
            if path != "manifest.json":
                readers(copy, other)()
        if path != "manifest.json":
            assert len(Record(copy).verify()) == 1
        place.unlink()
        with pytest.raises(PellucidError):
            readers(copy, path)()
        place.write_bytes(content)
    assert Record(copy).verify() == []


def test_an_altered_picture_is_not_shown(copy: Path) -> None:
    name = Record(copy).examples()["media"][0].as_py()
    (copy / "media" / name).write_bytes(b"something else")
    with pytest.raises(DamagedError, match="not what its name says"):
        Record(copy).media(name)
    assert len(Record(copy).verify()) == 1


def test_a_newer_schema_is_named_with_its_number(copy: Path) -> None:
    write_manifest(copy, schema_version=schema.SCHEMA_VERSION + 41, files="in a shape of the future")
    with pytest.raises(
        SchemaError, match=rf"schema {schema.SCHEMA_VERSION + 41}; .* up to {schema.SCHEMA_VERSION}. Update"
    ):
        Record(copy)
    with pytest.raises(SchemaError):
        Writer.open(copy)


@pytest.mark.parametrize(
    "bad", ["../outside.json", "/etc/hostname", "panels/../../outside.json", "a//b", "", ".hidden"]
)
def test_a_path_that_climbs_out_is_refused(copy: Path, bad: str) -> None:
    (copy.parent / "outside.json").write_text("{}")
    write_manifest(copy, files=[{"path": bad, "bytes": 2, "sha256": "0" * 64}])
    with pytest.raises(DamagedError, match="plain names"):
        Record(copy).table(bad)


def test_a_link_that_leads_out_is_refused(copy: Path) -> None:
    outside = copy.parent / "outside.json"
    shutil.move(copy / "panels" / "loss.json", outside)
    (copy / "panels" / "loss.json").symlink_to(outside)
    with pytest.raises(DamagedError, match="leads out of the record"):
        Record(copy).panel("loss")


def test_a_panel_of_another_shape_with_a_true_checksum_is_still_refused(copy: Path) -> None:
    from pellucid.record.files import sha256

    content = b'{"lens":"loss","count":"many"}'
    (copy / "panels" / "loss.json").write_bytes(content)
    files = [
        entry if entry["path"] != "panels/loss.json" else entry | {"bytes": len(content), "sha256": sha256(content)}
        for entry in msgspec.convert(manifest_of(copy)["files"], list[dict[str, object]])
    ]
    write_manifest(copy, files=files)
    with pytest.raises(DamagedError, match=r"loss.json is damaged: it does not fit the schema: .*count"):
        Record(copy).panel("loss")


def test_what_is_no_record_says_so(tmp_path: Path) -> None:
    with pytest.raises(RecordError, match=r"There is no record at .*pellucid inspect"):
        Record(tmp_path)
    (tmp_path / "manifest.json").write_text('{"name": "a web app"}')
    with pytest.raises(DamagedError, match="schema_version"):
        Record(tmp_path)


@pytest.mark.skipif(not Path("/proc/self/task").is_dir(), reason="threads are counted by Linux")
def test_reading_a_table_begins_no_thread_which_would_abort_a_program_that_ends_at_once(whole: Path) -> None:
    part = whole / "examples/part-000000.parquet"
    program = (
        "import os, pathlib, sys, pyarrow.parquet; from pellucid.record import tables; "
        "content = pathlib.Path(sys.argv[1]).read_bytes(); before = len(os.listdir('/proc/self/task')); "
        "assert tables.table_of(content).num_rows; print(len(os.listdir('/proc/self/task')) - before)"
    )
    ended = subprocess.run([sys.executable, "-c", program, str(part)], capture_output=True, text=True, check=True)
    assert ended.stdout.strip() == "0"
