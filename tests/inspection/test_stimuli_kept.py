"""Stimuli cost minutes: what a layer answered is on disk before the next is asked, and an end by force loses no more."""

from __future__ import annotations

import shutil
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import pellucid
from pellucid.data import from_python
from pellucid.inspection.features import Asked, add_features
from pellucid.record import Record
from support import killed_stimuli
from support.experts import MapExperts, pictures
from support.killed_stimuli import data, net


@pytest.fixture
def path(tmp_path: Path) -> Path:
    out = tmp_path / "net.pellucid"
    pellucid.inspect(net(), data(), out=out, chosen=0, classes=("a", "b"), lenses=("activations",))
    return out


def test_a_kill_loses_the_layers_under_way_alone_and_the_next_run_goes_on_with_them(path: Path, tmp_path: Path) -> None:
    whole_path = shutil.copytree(path, tmp_path / "whole.pellucid")
    done = subprocess.run([sys.executable, killed_stimuli.__file__, str(path)], check=False)
    assert done.returncode == -signal.SIGKILL
    kept = Record(path)
    assert kept.verify() == []
    assert [row.name for row in kept.panel("tuning").layers] == ["1"]
    assert next(one.state for one in kept.manifest.stages if one.name == "stimuli") == "running"

    whole = add_features(whole_path, net(), data(), Asked(stimuli=True))
    resumed = add_features(path, net(), data(), Asked(stimuli=True))
    costs = [next(one for one in record.manifest.stages if one.name == "stimuli") for record in (whole, resumed)]
    assert costs[1].forward_examples < costs[0].forward_examples, "what was there was not done again"
    assert costs[1].state == "complete"
    assert [row.name for row in resumed.panel("tuning").layers] == [row.name for row in whole.panel("tuning").layers]
    assert resumed.arrays("tuning") == whole.arrays("tuning")
    for name in whole.arrays("tuning"):
        np.testing.assert_array_equal(resumed.array("tuning", name), whole.array("tuning", name))


def test_a_run_with_another_seed_does_not_go_on_with_what_a_kill_left(path: Path) -> None:
    subprocess.run([sys.executable, killed_stimuli.__file__, str(path)], check=False)
    found = add_features(path, net(), data(), Asked(stimuli=True, seed=1))
    assert {row.seed for row in found.panel("tuning").layers} == {1}


def test_stimuli_that_do_not_fit_into_memory_are_shown_half_as_many_at_a_time(
    path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from pellucid.features import probing

    whole_path = shutil.copytree(path, tmp_path / "whole.pellucid")
    whole = add_features(whole_path, net(), data(), Asked(stimuli=True))
    forward = probing.until

    def cramped(session: Any, shown: Any, names: Any, **others: Any) -> Any:
        if len(shown) > 20:
            raise MemoryError
        return forward(session, shown, names, **others)

    monkeypatch.setattr(probing, "until", cramped)
    halved = add_features(path, net(), data(), Asked(stimuli=True))
    note = halved.panel("tuning").note
    assert note.startswith("Memory did not suffice for 128 examples at a time: 16 were used")
    assert whole.panel("tuning").note == ""
    for name in whole.arrays("tuning"):
        np.testing.assert_allclose(halved.array("tuning", name), whole.array("tuning", name), atol=1e-5)


def test_layers_that_a_gate_leaves_out_are_refused_by_name_and_the_others_answer(tmp_path: Path) -> None:
    model, names = MapExperts(1, shared=False).eval(), ("a", "b", "c")
    examples = from_python([(image, place % 3) for place, image in enumerate(pictures())], classes=names)
    pellucid.inspect(model, examples, out=tmp_path / "net", chosen=0, lenses=("activations",))
    panel = add_features(tmp_path / "net", model, examples, Asked(stimuli=True)).panel("tuning")
    assert "pictures: a unit's tuning is told from all" in panel.refused["experts.1.1"]
    assert not {row.name for row in panel.layers} & panel.refused.keys()
