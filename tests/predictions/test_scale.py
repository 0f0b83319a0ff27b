"""Any pieces, any order: the same integers; and a kill at any moment leaves a record that reads."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import pellucid
from pellucid import lenses
from pellucid.errors import DataError, OptionError
from pellucid.lenses import LensContext
from pellucid.measures import confusion
from pellucid.predictions import files, panels_of, run, saved
from pellucid.record import Record
from support import killed_import
from support.saved import answered, integers, leaves, softmax

COUNTED = ("predictions", "accuracy", "confusion")


def test_pieces_and_parts_of_any_size_give_the_same_integers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    logits, targets = answered(200, 6)
    logits[50, 1] = np.nan
    table = pa.table({"logits": logits.tolist(), "shelf": [row % 3 for row in range(200)]})
    whole = pellucid.import_predictions(table, targets, out=tmp_path / "whole")
    expected = integers(whole, *COUNTED)
    for rows, part in ((1, 64), (7, 20), (33, 1000)):
        monkeypatch.setattr(saved, "MOST_ROWS", rows)
        monkeypatch.setattr(run, "PART_EXAMPLES", part)
        record = pellucid.import_predictions(table, targets, out=tmp_path / "pieces", overwrite=True)
        assert integers(record, *COUNTED) == expected
        assert record.parts > 1 or part == 1000
        assert record.examples().to_pylist() == whole.examples().to_pylist()
        assert record.summary().mean_loss == pytest.approx(whole.summary().mean_loss, rel=1e-12)
        assert record.verify() == []


def saved_classes(number: int = 4000, classes: int = 12) -> pa.Table:
    """Predicted classes with confidences and ranks, as narrow as somebody would save them; some targets are not known."""
    generator = np.random.default_rng(3)
    target = generator.integers(-1, classes, size=number)
    rank = np.minimum(generator.geometric(0.7, size=number) - 1, classes - 1)
    called = np.where((rank == 0) & (target >= 0), target, (target + 1 + rank) % classes)
    return pa.table(
        {
            "prediction": called.astype(np.int16),
            "confidence": generator.beta(4, 1, size=number).astype(np.float32),
            "rank": rank.astype(np.uint8),
            "label": target.astype(np.int32),
        }
    )


def counted_in(panels: dict[str, object]) -> dict[str, int]:
    """Every whole number of panels."""
    found = leaves(msgspec.json.decode(msgspec.json.encode(panels)))
    return {path: value for path, value in found if isinstance(value, int)}


@pytest.mark.parametrize("statistics", [True, False])
def test_files_written_in_any_row_groups_give_the_same_integers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, statistics: bool
) -> None:
    table = saved_classes()
    shuffled = table.take(np.random.default_rng(4).permutation(table.num_rows))
    expected = counted_in(panels_of(table))
    assert sum(panels_of(table)["accuracy"].ranks) == int(np.count_nonzero(np.asarray(table["label"]) >= 0))
    for number, (rows, at_once) in enumerate(((4000, 4000), (7, 64), (1500, 1000), (64, 300))):
        monkeypatch.setattr(run, "MOST_AT_ONCE", at_once)
        for place, one in enumerate((table, shuffled)):
            path = tmp_path / f"{number}{place}.parquet"
            pq.write_table(one, path, row_group_size=rows, write_statistics=statistics)
            assert counted_in(panels_of(path)) == expected
    monkeypatch.setattr(confusion, "_CELLS_A_CODE", 0)  # no square of cells, whatever the number of classes
    assert counted_in(panels_of(path)) == expected


def test_what_a_file_says_of_its_columns_is_held_against_what_is_in_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pq.write_table(saved_classes(), tmp_path / "p.parquet")
    assert panels_of(tmp_path / "p.parquet")["accuracy"].classes == 12
    monkeypatch.setattr(files._Parquet, "extremes", lambda self, column: (-1, 5))
    with pytest.raises(DataError, match="6 classes, but a prediction from row 0 on is 11"):
        panels_of(tmp_path / "p.parquet")


def test_a_class_beyond_the_names_is_told_with_its_row_though_the_file_says_so_itself(tmp_path: Path) -> None:
    table = saved_classes()
    pq.write_table(table, tmp_path / "p.parquet")
    row = int(np.argmax(np.asarray(table["label"])))
    with pytest.raises(DataError, match=f"The label of row {row} is 11, but there are 11 classes"):
        panels_of(tmp_path / "p.parquet", classes=tuple("abcdefghijk"))


def test_any_order_of_the_examples_gives_the_same_integers(tmp_path: Path) -> None:
    logits, targets = answered(300, 5)
    expected = None
    for seed in range(3):
        order = np.random.default_rng(seed).permutation(300)
        record = pellucid.import_predictions(softmax(logits[order]), targets[order], out=tmp_path / str(seed))
        # The temperature is fitted on every other row, and its calibration is that of the others.
        counted = {
            path: value
            for path, value in integers(record, "accuracy", "confusion").items()
            if not path.startswith("accuracy.temperature")
        }
        expected = expected or counted
        assert counted == expected


def test_only_lenses_that_need_answers_alone_are_asked() -> None:
    fresh = lenses.build(tuple(lenses.available()), LensContext())
    every = {lens.name for lens in fresh if lenses.needs_answers_only(lens)}
    assert every == set(lenses.OF_ANSWERS)
    assert {lens.name for lens in lenses.without_model(LensContext())} >= every


def test_the_answers_without_a_record_are_those_of_the_record(tmp_path: Path) -> None:
    logits, targets = answered(120, 5)
    table = pa.table({"scores": logits.tolist(), "label": targets, "shelf": ["a", "b", "c"] * 40})
    record = pellucid.import_predictions(table, out=tmp_path / "net")
    panels = panels_of(table)
    assert set(panels) == {"predictions", "loss", "accuracy", "confusion"}
    for name in ("predictions", "accuracy", "confusion"):
        assert panels[name] == record.panel(name)
    assert list(panels_of(table, lenses=["accuracy"])) == ["accuracy"]
    with pytest.raises(OptionError, match="no lens 'acuracy'"):
        panels_of(table, lenses=["acuracy"])


def test_importing_needs_no_torch(tmp_path: Path) -> None:
    np.save(tmp_path / "p.npy", softmax(answered(50)[0]))
    script = (
        "import sys, pellucid\n"
        f"pellucid.import_predictions(r'{tmp_path / 'p.npy'}', out=r'{tmp_path / 'net'}')\n"
        "assert 'torch' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", script], check=True)


@pytest.mark.skipif(sys.platform == "win32", reason="needs fork and SIGKILL")
def test_an_import_killed_at_any_moment_leaves_a_record_that_reads(tmp_path: Path) -> None:
    done = subprocess.run([sys.executable, killed_import.__file__, str(tmp_path)], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert not (tmp_path / "read-80").exists(), "nothing is written while it is looked through"
    for moment, rows in (("sweep-20", 0), ("sweep-60", 40), ("sweep-200", 160)):
        record = Record(tmp_path / moment)
        assert record.state == "interrupted"
        assert record.verify() == []
        assert record.examples()["row"].to_pylist() == list(range(rows))
        assert record.summary().examples == rows
        assert record.panels == []
        pellucid.import_predictions(killed_import.SCORES, killed_import.TARGETS, out=record.path, overwrite=True)
        assert Record(record.path).summary().examples == 200


def test_an_import_that_fails_says_so_in_its_record(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def failing(stage: str, done: int, total: int | None) -> None:
        if stage == "sweep":
            raise RuntimeError("the disk is on fire")

    with pytest.raises(RuntimeError):
        pellucid.import_predictions(killed_import.SCORES, out=tmp_path / "net", progress=failing)
    record = Record(tmp_path / "net")
    assert (record.state, record.manifest.error) == ("failed", "the disk is on fire")
    assert record.manifest.stages[0].state == "failed"
