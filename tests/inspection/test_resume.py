"""An inspection that was cut short goes on to the bytes of one that was not, and only with the same model and data."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest
import torch

import pellucid
from pellucid.errors import RecordError, StorageError
from pellucid.inspection.options import Progress
from pellucid.record import Record
from pellucid.record.manifest import read_manifest
from pellucid.types import Stage
from support import killed_inspection
from support.killed_inspection import BATCH, CHOSEN, EXAMPLES, MOMENTS, inspect
from support.nets import digits, untrained

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="needs fork and SIGKILL")


@pytest.fixture(autouse=True)
def _small_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pellucid.inspection.run.PART_EXAMPLES", killed_inspection.PART)


@pytest.fixture(scope="module")
def killed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("killed")
    done = subprocess.run([sys.executable, killed_inspection.__file__, str(root)], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return root


@pytest.fixture(scope="module")
def uninterrupted(killed: Path) -> Path:
    """The whole inspection, made in another process."""
    return killed / "uninterrupted"


def contents(root: Path, *, passes: bool = True) -> dict[str, bytes]:
    """Every file; the manifest without its clock, and without what was spent where that may differ."""
    found = {str(path.relative_to(root)): path.read_bytes() for path in root.rglob("*") if path.is_file()}
    manifest = read_manifest(root)
    manifest.updated = manifest.created = ""
    manifest.call_seconds = [seconds and 1.0 for seconds in manifest.call_seconds]
    for stage in manifest.stages:
        stage.seconds = 0.0
        if not passes:
            stage.forward = stage.forward_examples = 0
    return found | {"manifest.json": msgspec.json.encode(manifest)}


@pytest.mark.parametrize("moment", MOMENTS)
def test_an_inspection_killed_at_any_moment_is_finished_to_the_same_bytes(
    moment: tuple[Stage, int], killed: Path, uninterrupted: Path
) -> None:
    stage, done = moment
    out = killed / f"{stage}-{done}"
    left = Record(out)
    assert left.state == "interrupted"
    assert left.verify() == []
    kept = EXAMPLES if stage in ("focus", "learn") else (done - 1) // killed_inspection.PART * killed_inspection.PART
    assert len(left.examples()) == kept
    assert left.panels == (["graph", "weights", "mapping"] if stage == "sweep" else left.panels)
    model = untrained()
    finished = inspect(out, model=model, resume=True)
    assert finished.state == "complete"
    assert contents(out) == contents(uninterrupted)
    # What was finished was not run again: eight for the trace, two of them together and one without values, the rest of the
    # sweep, the closer look, and one for each forward for gradients by the parameters, which it sees one example of.
    assert model.seen == 8 + EXAMPLES - kept + CHOSEN + 2


def test_an_interrupt_leaves_a_record_that_is_finished_to_the_same_numbers(tmp_path: Path, uninterrupted: Path) -> None:
    with pytest.raises(KeyboardInterrupt):
        inspect(tmp_path / "net", progress=_stopping(("sweep", 80), KeyboardInterrupt))
    left = Record(tmp_path / "net")
    assert (left.state, left.manifest.examples) == ("interrupted", 48)
    assert [(stage.name, stage.state) for stage in left.manifest.stages] == [
        ("trace", "complete"), ("sweep", "interrupted"),
    ]  # fmt: skip
    inspect(tmp_path / "net", resume=True)
    assert contents(tmp_path / "net", passes=False) == contents(uninterrupted, passes=False)


def test_a_complete_record_is_given_back_without_a_pass(tmp_path: Path, uninterrupted: Path) -> None:
    before = contents(uninterrupted)
    model = untrained()
    again = inspect(uninterrupted, model=model, resume=True)
    assert again.live is not None
    assert model.seen == 0
    assert contents(uninterrupted) == before


def _stopping(moment: tuple[Stage, int], error: type[BaseException]) -> Progress:
    def stop(stage: Stage, done: int, total: int | None) -> None:
        if (stage, done) == moment:
            raise error

    return stop


# --- a full disk ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("share", [0.1, 0.5, 0.9])
def test_a_full_disk_is_said_and_what_was_finished_is_kept(
    share: float, tmp_path: Path, uninterrupted: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real, calls = os.fsync, [0]

    def counted(descriptor: int) -> None:
        calls[0] += 1
        real(descriptor)

    monkeypatch.setattr(os, "fsync", counted)
    inspect(tmp_path / "measured")
    room = int(calls[0] * share)

    def full(descriptor: int) -> None:
        calls[0] += 1
        if calls[0] > room:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        real(descriptor)

    calls[0] = 0
    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(StorageError, match=r"(?s)Could not write .* bytes\): No space left on device; .*--resume"):
        inspect(tmp_path / "net")
    monkeypatch.setattr(os, "fsync", real)
    left = Record(tmp_path / "net")
    assert left.state in ("failed", "interrupted")
    assert left.verify() == []
    assert len(left.examples()) == left.manifest.examples
    assert left.manifest.examples >= (48 if share >= 0.5 else 0)
    inspect(tmp_path / "net", resume=True)
    assert contents(tmp_path / "net", passes=False) == contents(uninterrupted, passes=False)


# --- only with the same ---------------------------------------------------------------------------------------


@pytest.fixture
def begun(tmp_path: Path) -> Callable[..., pellucid.Record]:
    """Begins an inspection and stops it; then goes on with what is given."""

    def ask(*, model: torch.nn.Module | None = None, data: Any = None, **settings: Any) -> pellucid.Record:
        images, labels = digits("test")
        examples = list(zip(images[:EXAMPLES], labels[:EXAMPLES], strict=True)) if data is None else data
        return pellucid.inspect(
            untrained() if model is None else model, examples, out=tmp_path / "net", **{"batch_size": BATCH} | settings
        )

    with pytest.raises(KeyboardInterrupt):
        ask(progress=_stopping(("sweep", 80), KeyboardInterrupt))
    return ask


def other_data() -> list[Any]:
    images, labels = digits("test")
    return list(zip(images[1 : EXAMPLES + 1], labels[1 : EXAMPLES + 1], strict=True))


@pytest.mark.parametrize(
    ("settings", "named"),
    [
        ({"model": untrained(1)}, "the model's weights"),
        ({"data": other_data}, "the data"),
        ({"seed": 3}, "the seed"),
        ({"batch_size": 8}, "--batch-size"),
        ({"limit": 149}, "the data, --limit"),
        ({"target": "label"}, "--target"),
        ({"chosen": 5}, "--chosen"),
        ({"lenses": ["accuracy"]}, "--lens"),
        ({"classes": list("abcdefghij")}, "the class names"),
        ({"model": untrained(1), "seed": 3}, "the model's weights, the seed"),
    ],
)
def test_going_on_with_something_else_is_refused_by_its_name(
    settings: dict[str, Any], named: str, begun: Callable[..., pellucid.Record], tmp_path: Path
) -> None:
    given = {name: value() if value is other_data else value for name, value in settings.items()}
    before = contents(tmp_path / "net")
    with pytest.raises(RecordError, match=rf"begun with something else: {named} differ.*--overwrite, or another --out"):
        begun(**given, resume=True)
    assert contents(tmp_path / "net") == before, "a refusal changes nothing"
    assert begun(resume=True, classes=list("0123456789")).state == "complete"
