"""How a Watch ends: on a full disk, with findings that fail, entered again; what is told of another's record."""

from __future__ import annotations

import subprocess
import sys
import warnings
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn
from torch.nn import functional as F

import pellucid
from pellucid.errors import OptionError, RecordError, StorageError
from pellucid.record import Record, schema
from pellucid.record.training import TrainingWriter
from support.watched import batches, hooks, small, take_step, values


def descent(model: nn.Module) -> torch.optim.Optimizer:
    return torch.optim.SGD(model.parameters(), lr=0.1)


def refuse_to_write(monkeypatch: pytest.MonkeyPatch) -> None:
    def full(self: TrainingWriter) -> None:
        raise StorageError("no room is left")

    monkeypatch.setattr(TrainingWriter, "flush", full)


def test_a_full_disk_at_the_end_is_told_in_a_warning(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    model = small()
    optimizer = descent(model)
    refuse_to_write(monkeypatch)
    with (
        pytest.warns(UserWarning, match="could not finish its record.*no room is left"),
        pellucid.watch(model, optimizer, out=tmp_path / "run") as watch,
    ):
        take_step(model, optimizer, watch, *next(batches((6, 5), 1)))
    assert hooks(model, optimizer) == 0
    assert Record(tmp_path / "run").state == "interrupted"


def test_a_full_disk_at_the_end_of_a_training_that_failed_is_a_note_on_its_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = small()
    refuse_to_write(monkeypatch)
    with pytest.raises(ValueError, match="broke") as error, pellucid.watch(model, descent(model), out=tmp_path / "run"):
        raise ValueError("broke")
    assert any("no room is left" in note for note in error.value.__notes__)


def test_findings_that_fail_leave_a_complete_record_and_a_warning(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(table: object) -> list[schema.Finding]:
        raise ZeroDivisionError("planted")

    monkeypatch.setattr("pellucid.watch.sealing.training_findings", broken)
    model = small()
    optimizer = descent(model)
    with (
        pytest.warns(UserWarning, match="without them: ZeroDivisionError: planted"),
        pellucid.watch(model, optimizer, out=tmp_path / "run") as watch,
    ):
        take_step(model, optimizer, watch, *next(batches((6, 5), 1)))
    record = Record(tmp_path / "run")
    assert record.state == "complete"
    assert record.verify() == []
    assert isinstance(record.panel("training"), schema.TrainingPanel)


def test_gradients_that_are_all_nan_at_the_end_warn_of_nothing(tmp_path: Path) -> None:
    model = small()
    optimizer = descent(model)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with pellucid.watch(model, optimizer, out=tmp_path / "run", every=1) as watch:
            for step, (inputs, targets) in enumerate(batches((6, 5), 20)):
                loss = F.cross_entropy(model(inputs), targets) * (1.0 if step < 8 else float("nan"))
                optimizer.zero_grad()
                loss.backward()
                optimizer.step()
                watch.log(loss=loss)
    assert Record(tmp_path / "run").state == "complete"


def test_a_watch_that_is_entered_again_begins_anew(tmp_path: Path) -> None:
    model = small()
    optimizer = descent(model)
    watch = pellucid.watch(model, optimizer, out=tmp_path / "run", every=1, overwrite=True)
    for _ in range(2):
        with watch:
            for inputs, targets in batches((6, 5), 3):
                take_step(model, optimizer, watch, inputs, targets)
        assert watch.step == 3
        assert list(values(Record(tmp_path / "run").training()[0], "loss")) == [1, 2, 3]


def test_a_watch_in_its_block_is_not_entered_again(tmp_path: Path) -> None:
    model = small()
    optimizer = descent(model)
    watch = pellucid.watch(model, optimizer, out=tmp_path / "run", every=1, overwrite=True)
    with watch:
        take_step(model, optimizer, watch, *next(batches((6, 5), 1)))
        with pytest.raises(RecordError, match="entered already"):
            watch.__enter__()
    assert hooks(model, optimizer) == 0
    assert list(values(Record(tmp_path / "run").training()[0], "loss")) == [1]


def test_a_watch_that_was_refused_its_record_keeps_what_it_counted_and_can_be_entered_later(tmp_path: Path) -> None:
    model = small()
    optimizer = descent(model)
    watch = pellucid.watch(model, optimizer, out=tmp_path / "run", every=1)
    with watch:
        take_step(model, optimizer, watch, *next(batches((6, 5), 1)))
    with pytest.raises(RecordError, match="complete"):
        watch.__enter__()
    assert watch.step == 1
    (tmp_path / "run").rename(tmp_path / "kept")
    with watch:
        take_step(model, optimizer, watch, *next(batches((6, 5), 1)))
    assert watch.step == 1


@pytest.mark.skipif(sys.platform == "win32", reason="needs SIGKILL")
def test_a_record_whose_training_was_killed_is_told_as_interrupted(tmp_path: Path) -> None:
    out = tmp_path / "run"
    words = (
        "import os, torch, pellucid\n"
        "model = torch.nn.Linear(2, 2)\n"
        f"with pellucid.watch(model, torch.optim.SGD(model.parameters(), lr=0.1), out={str(out)!r}):\n"
        "    os.kill(os.getpid(), 9)\n"
    )
    assert subprocess.run([sys.executable, "-c", words]).returncode == -9
    model = small()
    with pytest.raises(RecordError, match=r"\(Linear, interrupted\)"), pellucid.watch(model, descent(model), out=out):
        pass


@pytest.mark.parametrize("given", [None, "adam", [torch.zeros(2)]])
def test_what_is_no_optimizer_is_refused_in_words(tmp_path: Path, given: Any) -> None:
    with pytest.raises(OptionError, match=rf"torch.optim.Optimizer.* got {type(given).__name__}"):
        pellucid.watch(small(), given, out=tmp_path / "run")


def test_what_is_no_model_is_refused_in_words(tmp_path: Path) -> None:
    with pytest.raises(OptionError, match=r"torch.nn.Module; got function"):
        pellucid.watch(descent, descent(small()), out=tmp_path / "run")  # type: ignore[arg-type]
