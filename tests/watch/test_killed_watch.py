"""A training killed with -9 at any moment leaves a record that opens and shows whole steps."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from pellucid.errors import RecordError
from pellucid.record import Record
from support import killed_training

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="needs fork and SIGKILL")

STRIDE = 5


@pytest.fixture(scope="module")
def graveyard(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("killed")
    command = [sys.executable, killed_training.__file__, str(root), str(STRIDE)]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) > 50  # enough moments to be a test of any moment
    return root


def rows(record: Record) -> list[dict[str, object]]:
    """The training table without its clock."""
    return record.training()[0].drop_columns(["seconds"]).to_pylist()


def test_what_was_flushed_before_the_kill_opens_as_whole_steps(graveyard: Path) -> None:
    expected = rows(Record(graveyard / "uninterrupted"))
    steps_seen: set[int] = set()
    for root in sorted(graveyard.glob("killed-*")):
        if not (root / "manifest.json").exists():
            with pytest.raises(RecordError, match="There is no record"):
                Record(root)
            continue
        record = Record(root)
        assert record.verify() == [], root.name
        assert record.state in ("interrupted", "complete")
        assert record.summary().watched
        found = rows(record)
        # The loss that is logged after a step comes with the next part: all of what came before it is there.
        assert found == expected[: len(found)], root.name
        parts = record.training()[1]
        assert [row["step"] for row in found if row["quantity"] == "update_ratio"] == [
            step for step in range(1, min(parts, killed_training.STEPS) + 1) for _ in range(2)
        ]
        steps_seen.add(parts)
    assert set(range(killed_training.STEPS + 2)) <= steps_seen
