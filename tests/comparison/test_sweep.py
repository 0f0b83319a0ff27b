"""The sweep: what it trains, what it keeps, and that it goes on where it was cut short."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
import torch

from pellucid import Record
from pellucid.demo import sweep as sweeping
from pellucid.demo.family import FamilyNet
from pellucid.errors import OptionError
from pellucid.record import schema
from support.program import Program, in_process

# Imported before the program runs: what it imports by itself is let go of after each run, and NumPy's C parts come once.
pytest.importorskip("sklearn.model_selection")
pytest.importorskip("sklearn.datasets")


@pytest.fixture
def pellucid(capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Program:
    return in_process(capfd, monkeypatch)


def test_only_width_and_depth_differ_within_the_family() -> None:
    # 9 weights a channel of the first convolution, 9 w^2 each of the others, 2 w of each normalisation, 10 (w + 1) of the head.
    for width, depth in ((2, 1), (8, 3)):
        expected = 9 * width + depth * 9 * width**2 + (1 + depth) * 2 * width + 10 * (width + 1)
        assert sum(one.numel() for one in FamilyNet(width, depth).parameters()) == expected
    assert FamilyNet(4, 2).eval()(torch.rand(3, 1, 8, 8)).shape == (3, 10)


def test_every_size_and_seed_is_a_run_and_names_say_which() -> None:
    runs = sweeping.runs_of((16, 8, 8), (1, 2), 2)
    assert [run.name for run in runs[:4]] == [
        "width8-depth1-seed0", "width16-depth1-seed0", "width8-depth2-seed0", "width16-depth2-seed0",
    ]  # fmt: skip
    assert len(runs) == 8
    with pytest.raises(OptionError, match="at least two networks"):
        sweeping.runs_of((8,), (1,), 1)
    with pytest.raises(OptionError, match="--depths takes whole numbers"):
        sweeping.runs_of((8,), (), 2)


def test_the_largest_follows_the_smallest_and_no_network_is_compared_with_itself() -> None:
    def names(widths: tuple[int, ...], depths: tuple[int, ...], seeds: int) -> list[str]:
        return [run.name for run in sweeping.in_order(sweeping.runs_of(widths, depths, seeds))]

    assert names((8, 4), (1, 2), 2)[:3] == ["width4-depth1-seed0", "width8-depth2-seed0", "width4-depth1-seed1"]
    assert names((4,), (1,), 3) == ["width4-depth1-seed0", "width4-depth1-seed1", "width4-depth1-seed2"]
    # 2 * 2 * 4 and 4 * 4 * 1 are as many: seeds of one size stay together, and the wider is the larger.
    tied = names((2, 4), (1, 4), 2)
    assert tied[1] == "width4-depth4-seed0"
    assert len(set(tied)) == len(tied) == 8
    assert names((2, 4), (1,), 1) == ["width2-depth1-seed0", "width4-depth1-seed0"]


def test_what_cannot_be_is_refused_before_anything_is_trained(
    pellucid: Program, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sweeping, "make", lambda *given: pytest.fail("trained"))
    asked = ("sweep", "--widths", "2,4", "--depths", "1", "--seeds", 1, "--out", tmp_path / "sweep")
    for more, words in (
        (("--to-accuracy", "94"), "a share between 0 and 1; got 94.0"),
        (("--html", tmp_path / "nowhere" / "a.html"), "is no folder"),
    ):
        refused = pellucid(*asked, *more)
        assert (refused.code, refused.out) == (2, "")
        assert words in refused.err
    assert not (tmp_path / "sweep").exists()


def test_a_sweep_trains_compares_and_goes_on_where_it_stopped(
    pellucid: Program, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "sweep"
    made: list[str] = []
    make = sweeping.make

    def noted(run: sweeping.Run, *rest: object) -> None:
        made.append(run.name)
        make(run, *rest)  # type: ignore[arg-type]

    monkeypatch.setattr(sweeping, "make", noted)
    threads, random = torch.get_num_threads(), torch.random.get_rng_state()
    panel = sweeping.sweep(folder, widths=(2, 4), depths=(1,), seeds=1, epochs=1).panel
    assert [model.name for model in panel.models] == ["width2-depth1-seed0", "width4-depth1-seed0"]
    assert panel.models[0].training_steps == 1257 // 64
    assert (panel.models[0].parameters or 0) < (panel.models[1].parameters or 0)
    assert panel.models[0].accuracy_of == "validation_accuracy"
    assert panel.pairs[0].likeness.array != "", "layers of both are compared: the lens 'similarity' was there"
    assert made == ["width2-depth1-seed0", "width4-depth1-seed0"]
    assert torch.get_num_threads() == threads
    assert torch.equal(torch.random.get_rng_state(), random)

    # One record lost and another size asked for: only these are made.
    shutil.rmtree(folder / "width4-depth1-seed0.pellucid")
    made.clear()
    sweeping.sweep(folder, widths=(2, 3, 4), depths=(1,), seeds=1, epochs=1)
    assert made == ["width3-depth1-seed0", "width4-depth1-seed0"]

    # The command, with nothing left to train.
    made.clear()
    asked = ("sweep", "--widths", "2,3,4", "--depths", "1", "--seeds", 1, "--epochs", 1, "--out", folder)
    done = pellucid(*asked)
    assert (done.code, made) == (0, []), done.err
    assert "width3-depth1" in done.out
    comparison = Record(folder / sweeping.COMPARED).panel("comparison")
    assert isinstance(comparison, schema.ComparisonPanel)
    assert len(json.loads(pellucid(*asked, "--json").out)["models"]) == len(comparison.models) == 3
