"""Records of older versions of the format mean today what they meant then."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import pellucid
from pellucid.record import Record, Writer, schema

PLACE = "panels/loss.json"


def sets(out: Path) -> list[schema.ClassLoss]:
    random = np.random.default_rng(0)
    scores = random.uniform(0.05, 0.95, (20, 4))
    return (
        pellucid.import_predictions(scores, random.uniform(size=scores.shape) < scores, out=out).panel("loss").by_class
    )


def first_version(root: Path, classes: int) -> None:
    """Makes a record one of version 1, whose means of classes are divided by their number."""
    panel = json.loads((root / PLACE).read_text())
    for one in panel["by_class"]:
        one["mean"] /= classes
        one["interval"] |= {end: one["interval"][end] / classes for end in ("low", "high")}
    content = json.dumps(panel).encode()
    (root / PLACE).write_bytes(content)
    manifest = manifest_of(root) | {"schema_version": 1}
    for entry in manifest["files"]:
        if entry["path"] == PLACE:
            entry |= {"bytes": len(content), "sha256": hashlib.sha256(content).hexdigest()}
    (root / "manifest.json").write_text(json.dumps(manifest))


def manifest_of(root: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((root / "manifest.json").read_text())
    return found


def numbers(by_class: list[schema.ClassLoss]) -> list[float | None]:
    ends = [(one.interval.low, one.interval.high) for one in by_class if one.interval is not None]
    return [*(one.mean for one in by_class), *(one.share for one in by_class), *(end for both in ends for end in both)]


def test_a_class_of_a_multilabel_loss_of_version_1_reads_with_its_own_mean(tmp_path: Path) -> None:
    expected = sets(tmp_path / "r")
    first_version(tmp_path / "r", classes=4)
    read = Record(tmp_path / "r").panel("loss").by_class
    assert len(numbers(read)) == 16
    assert numbers(read) == pytest.approx(numbers(expected), rel=1e-12)


def test_one_class_an_example_means_what_it_did(tmp_path: Path) -> None:
    scores = np.random.default_rng(0).dirichlet(np.ones(3), 30)
    expected = pellucid.import_predictions(scores, np.arange(30) % 3, out=tmp_path / "r").panel("loss").by_class
    first_version(tmp_path / "r", classes=1)
    assert Record(tmp_path / "r").panel("loss").by_class == expected


def test_going_on_with_a_record_of_version_1_makes_it_one_of_today(tmp_path: Path) -> None:
    root = tmp_path / "r"
    expected = sets(root)
    first_version(root, classes=4)
    with Writer.open(root):
        pass
    assert manifest_of(root)["schema_version"] == schema.SCHEMA_VERSION
    written = [one["mean"] for one in json.loads((root / PLACE).read_text())["by_class"]]
    assert written == pytest.approx([one.mean for one in expected], rel=1e-12)
    assert numbers(Record(root).panel("loss").by_class) == pytest.approx(numbers(expected), rel=1e-12)
    assert Record(root).verify() == []
    before = (root / "manifest.json").read_bytes()
    with Writer.open(root):
        pass
    assert (root / "manifest.json").read_bytes() == before


def test_a_killed_writer_leaves_no_answer_that_is_read_wrongly(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Between the two writes there is no answer rather than the old one under the new version."""
    root = tmp_path / "r"
    sets(root)
    first_version(root, classes=4)

    def killed(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(Writer, "_put", killed)
    with pytest.raises(KeyboardInterrupt):
        Writer.open(root)
    assert Record(root).manifest.schema_version == schema.SCHEMA_VERSION
    assert "loss" not in Record(root).panels
