"""Many rows in few bytes: as fine as fits, never coarser than said, and said in the file."""

from __future__ import annotations

import gzip
import importlib
import json
import math
import struct
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pellucid.export_table import DIGITS, packed
from support import fixtures_packed
from support.answered import answered

exporting = importlib.import_module("pellucid.export")  # the package has a function of this name


def header_of(content: bytes) -> dict[str, object]:
    (size,) = struct.unpack("<I", content[:4])
    found: dict[str, object] = json.loads(content[4 : 4 + size])
    return found


def test_the_finest_digits_that_fit_are_kept() -> None:
    table = fixtures_packed.table()
    assert packed(table, 1 << 30, {}).rounded == {}
    before = math.inf
    for most in (1 << 30, 9000, 8500, 8000, 1):
        size = len(gzip.compress(packed(table, most, {}).content, 9))
        assert size <= before
        assert size <= max(most, len(gzip.compress(packed(table, 1, {}).content, 9)))
        before = size
    assert packed(table, 1, {}).rounded["loss"] == DIGITS[-1][0]


def test_what_follows_from_target_and_loss_takes_no_room() -> None:
    rows = 1000
    confidence = np.linspace(0.3, 0.99, rows).astype(np.float32)
    table = pa.table(
        {
            "row": pa.array(range(rows), pa.int64()),
            "target": pa.array([3] * rows, pa.int32()),
            "prediction": pa.array([3] * rows, pa.int32()),
            "loss": -np.log(confidence.astype(float)),
            "confidence": confidence,
            "rank": pa.array([0] * rows, pa.int32()),
        }
    )
    columns = header_of(packed(table, 1 << 30, {}).content)["columns"]
    assert isinstance(columns, list)
    lengths = {one["name"]: one["length"] for one in columns}
    assert lengths == {"": 125, "target": rows, "prediction": 0, "loss": rows, "confidence": 0, "rank": 0}


@settings(max_examples=30, deadline=None)
@given(st.lists(st.floats(width=32), min_size=1, max_size=40), st.sampled_from(DIGITS))
def test_no_value_is_further_off_than_said(values: list[float], digits: tuple[int, int]) -> None:
    from pellucid.export_table import _packed

    column = pa.array(np.array(values, np.float32), from_pandas=False)
    content, _ = _packed(pa.table({**_plain(len(values)), "entropy": column}), digits, {})
    said = header_of(content)
    (one,) = [column for column in said["columns"] if column["name"] == "entropy"]  # type: ignore[attr-defined]
    octets = np.frombuffer(content[-one["planes"] * len(values) :], np.uint8).reshape(one["planes"], -1)
    codes = sum(octets[plane].astype(np.int64) << (8 * plane) for plane in range(one["planes"]))
    bits = (codes + one["least"] - 1) << (23 - one["digits"])
    for value, found in zip(np.array(values, np.float32), bits.astype(np.uint32).view(np.float32), strict=True):
        if not math.isfinite(value):
            assert math.isnan(found) if math.isnan(value) else found == value
        else:
            # What would round up to infinity is cut, and what is nearly zero has fewer digits anyway.
            off = 1.0 if abs(value) > 1e38 else 0.5
            assert abs(float(found) - float(value)) <= off * 2.0 ** -one["digits"] * max(abs(float(value)), 2.0**-126)


def _plain(rows: int) -> dict[str, pa.Array]:
    whole = pa.array([0] * rows, pa.int32())
    return {
        "target": whole,
        "prediction": whole,
        "rank": whole,
        "loss": pa.array([0.0] * rows),
        "confidence": pa.array([1.0] * rows, pa.float32()),
    }


def test_an_exported_file_says_what_was_rounded_and_left_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    app = tmp_path / "app"
    (app / "assets").mkdir(parents=True)
    (app / "index.html").write_text('<html><body><script src="./assets/a.js"></script></body></html>')
    (app / "assets" / "a.js").write_text("1")
    record = answered(tmp_path / "some.pellucid", targets=[0, 1, 1, 0] * 20, predictions=[0, 1, 0, 0] * 20)
    report = exporting.export(record, tmp_path / "whole.html", app_dir=app)
    assert report.left_out == []
    monkeypatch.setattr(exporting, "PACKED_FROM", 10)
    report = exporting.export(record, tmp_path / "few.html", app_dir=app, limit_bytes=20_000_000)
    text = (tmp_path / "few.html").read_text()
    assert 'data-path="examples/packed"' in text
    assert 'data-path="examples"' not in text
    monkeypatch.setattr(exporting, "_NUMBERS_BYTES", 1)
    report = exporting.export(record, tmp_path / "fewer.html", app_dir=app)
    assert any("off by at most" in sentence and "confidence 0.78%" in sentence for sentence in report.left_out)


def test_pictures_that_the_table_does_not_name_are_left_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    app = tmp_path / "app"
    (app / "assets").mkdir(parents=True)
    (app / "index.html").write_text('<html><body><script src="./assets/a.js"></script></body></html>')
    (app / "assets" / "a.js").write_text("1")
    record = answered(
        tmp_path / "some.pellucid", targets=[0, 1] * 10, predictions=[0, 1] * 10, pictures=list(range(20))
    )
    monkeypatch.setattr(exporting, "PACKED_FROM", 10)
    monkeypatch.setattr(exporting, "_PICTURED", 3)
    report = exporting.export(record, tmp_path / "few.html", app_dir=app)
    assert (tmp_path / "few.html").read_text().count('data-path="media/') == 3
    assert any(sentence.startswith("17 of 20 pictures") for sentence in report.left_out)
