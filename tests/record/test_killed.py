"""A writer killed with -9 at any moment leaves a record that reads and can be finished to the same bytes."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import msgspec
import pytest

from pellucid.errors import RecordError
from pellucid.record import Record
from pellucid.record.manifest import read_manifest
from support import killed

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="needs fork and SIGKILL")

STRIDE = 3


@pytest.fixture(scope="module")
def graveyard(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("killed")
    done = subprocess.run([sys.executable, killed.__file__, str(root), str(STRIDE)], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) > 100  # enough moments to be a test of any moment
    return root


def contents(root: Path) -> dict[str, bytes]:
    """Every file; the manifest without its clock."""
    found = {str(path.relative_to(root)): path.read_bytes() for path in root.rglob("*") if path.is_file()}
    manifest = read_manifest(root)
    manifest.updated = manifest.created = ""
    return found | {"manifest.json": msgspec.json.encode(manifest)}


def test_every_remainder_reads_up_to_its_last_finished_part(graveyard: Path) -> None:
    seen: set[tuple[int, int, bool]] = set()
    for root in sorted(graveyard.glob("killed-*")):
        if not (root / "manifest.json").exists():
            with pytest.raises(RecordError, match="There is no record"):
                Record(root)
            continue
        record = Record(root)
        assert record.verify() == [], root.name
        assert record.examples()["row"].to_pylist() == list(range(record.parts * killed.SIZE))
        for name in record.examples()["media"].to_pylist():
            assert record.media(name).startswith(b"picture")
        for row in record.focused:
            assert record.focus(row)[0].row == row
        for name in record.panels:
            # A panel never meets the arrays of another answer.
            assert record.array(name, "0.mean")[0] == len(record.panel(name).title)  # type: ignore[union-attr]
        assert record.state in ("interrupted", "complete")
        seen.add((record.parts, len(record.focused), bool(record.panels)))
    assert {(0, 0, False), (1, 0, False), (2, 0, False), (3, 0, False), (3, 3, True)} <= seen


def test_every_remainder_is_finished_to_the_same_bytes(graveyard: Path) -> None:
    expected = contents(graveyard / "uninterrupted")
    for root in sorted(graveyard.glob("killed-*")):
        killed.write(root)
        assert contents(root) == expected, root.name
