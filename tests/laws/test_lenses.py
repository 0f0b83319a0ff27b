"""What every lens owes, whoever wrote it: splitting, merging, storing and asking twice change no answer.

One harness over all installed lenses, on what a real inspection of a real network shows them.
"""

from __future__ import annotations

import pickle
from dataclasses import dataclass, field, fields
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import msgspec
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

import pellucid
from pellucid import lenses
from pellucid.lenses import ArrayLens, Lens, LensContext
from pellucid.lenses import state as lens_state
from pellucid.lenses.again import look_again
from pellucid.lenses.predictions import PredictionsLens
from pellucid.lenses.reductions import summarise
from pellucid.types import Layer, Task
from support.shown_lenses import (
    CLASSES,
    SCENARIOS,
    answer,
    assert_same,
    differences,
    examples,
    fresh,
    network,
    observed,
    pieces_of,
    shown,
    sweep_lenses,
    whole,
    whole_answer,
)

LENSES = pytest.mark.parametrize("name", sorted(lenses.available()))
SCENARIO = pytest.mark.parametrize("task", SCENARIOS)


@SCENARIO
def test_the_observations_hold_what_makes_merging_hard(task: Task) -> None:
    seen = shown(task).observations
    sweep = [one for one in seen if one.stage == "sweep"]
    assert [len(one.batch) for one in sweep] == [8] * 8 + [6]
    assert sum(int(np.sum(one.columns["nonfinite"])) for one in sweep) == 8
    targets = np.concatenate([np.asarray(one.columns["target"]) for one in sweep])
    assert np.sum(np.isnan(targets) if task == "regression" else targets < 0) == 10
    assert {one.stage for one in seen} == {"trace", "sweep", "focus", "learn"}
    assert [len(one.batch) for one in seen if one.stage == "focus"] == [8, 3]


@LENSES
def test_a_lens_has_the_name_it_is_installed_under(name: str) -> None:
    assert fresh(name, LensContext()).name == name
    assert isinstance(fresh(name, LensContext()), Lens)


@LENSES
@SCENARIO
def test_a_lens_answers_on_what_it_saw(name: str, task: Task) -> None:
    report = whole(name, task).report()
    assert report.__struct_config__.tag == name
    wanted = fresh(name, shown(task).context)
    answers = bool(shown(task).of(wanted)) and not (task == "regression" and name == "confusion")
    assert (report.count > 0) == answers


@LENSES
@SCENARIO
@settings(max_examples=15, deadline=None, derandomize=True, database=None)
@given(data=st.data())
def test_merging_parts_is_observing_all_at_once(name: str, task: Task, data: st.DataObject) -> None:
    there = shown(task)
    seen = there.of(fresh(name, there.context))
    pieces = pieces_of(seen, data.draw(st.lists(st.integers(0, len(seen)), max_size=5)))
    order = data.draw(st.permutations(range(len(pieces))))
    total, shuffled = fresh(name, there.context), fresh(name, there.context)
    for piece in pieces:
        total.merge(observed(name, there.context, piece))
    for place in order:
        shuffled.merge(observed(name, there.context, pieces[place]))
    for lens in (total, shuffled):
        assert list(differences(answer(lens), whole_answer(name, task))) == []


@LENSES
@SCENARIO
def test_merging_takes_nothing_from_the_lens_that_is_merged(name: str, task: Task) -> None:
    one, other = whole(name, task), fresh(name, shown(task).context)
    other.merge(one)
    before = answer(one)
    for seen in shown(task).of(one):
        other.observe(seen)
    other.merge(whole(name, task))
    assert list(differences(before, answer(one))) == []


@LENSES
@SCENARIO
def test_the_empty_lens_reports_and_merging_it_changes_nothing(name: str, task: Task) -> None:
    for context in (LensContext(), shown(task).context):
        empty = fresh(name, context)
        assert empty.report().count == 0
        assert answer(empty)["report"]["findings"] == []
    left, right = fresh(name, shown(task).context), whole(name, task)
    left.merge(whole(name, task))
    right.merge(fresh(name, shown(task).context))
    assert_same(left, whole(name, task))
    assert_same(right, whole(name, task))
    left.merge(fresh(name, shown(task).context))
    assert_same(left, right)


@LENSES
@SCENARIO
def test_pickling_keeps_the_answer(name: str, task: Task) -> None:
    lens = whole(name, task)
    assert_same(pickle.loads(pickle.dumps(lens)), lens)  # noqa: S301 - our own bytes


@LENSES
@SCENARIO
def test_asking_twice_gives_the_same_answer(name: str, task: Task) -> None:
    lens = whole(name, task)
    assert list(differences(answer(lens), answer(lens))) == []
    # And answering leaves the state alone.
    assert_same(lens, whole(name, task))


@LENSES
def test_an_answer_depends_on_no_batch_size(name: str) -> None:
    there = shown("classification", batch_size=3)
    lens = observed(name, there.context, there.of(fresh(name, there.context)))
    assert_same(lens, whole(name, "classification"))


def plain_state(lens: Lens) -> dict[str, Any]:
    return {entry.name: getattr(lens, entry.name) for entry in fields(lens) if entry.name != "context"}


@pytest.mark.parametrize("name", sweep_lenses())
@SCENARIO
def test_a_stored_lens_is_the_same_lens(name: str, task: Task) -> None:
    there = shown(task)
    for lens in (whole(name, task), fresh(name, there.context)):
        values, arrays = lens_state.dump(lens)
        through_json = msgspec.json.decode(msgspec.json.encode(values))
        restored = lens_state.load(type(lens), there.context, through_json, arrays)
        assert list(differences(answer(lens), answer(restored))) == []
        assert list(differences(plain_state(lens), plain_state(restored))) == []
        again, arrays_again = lens_state.dump(restored)
        # To the bit: a resumed inspection ends in the same numbers.
        assert again == values
        assert {key: one.tobytes() for key, one in arrays_again.items()} == {
            key: one.tobytes() for key, one in arrays.items()
        }


@pytest.mark.parametrize("name", sweep_lenses())
def test_a_stored_lens_goes_on_as_if_it_had_never_been_stored(name: str) -> None:
    there = shown("classification")
    seen = there.of(fresh(name, there.context))
    first = observed(name, there.context, seen[:4])
    restored = lens_state.load(type(first), there.context, *lens_state.dump(first))
    for one in seen[4:]:
        restored.observe(one)
    assert_same(restored, whole(name, "classification"))


@pytest.mark.parametrize("name", sweep_lenses())
def test_a_stored_state_with_other_fields_is_refused(name: str) -> None:
    lens = whole(name, "classification")
    values, arrays = lens_state.dump(lens)
    values.popitem()
    with pytest.raises(pellucid.errors.DamagedError, match=f"'{name}'"):
        lens_state.load(type(lens), lens.context, values, arrays)


def test_what_a_state_cannot_hold_is_refused_when_it_is_stored() -> None:
    @dataclass
    class Held(PredictionsLens):
        columns: Any = field(default_factory=set)

    assert "columns" in [entry.name for entry in fields(Held)]
    with pytest.raises(TypeError, match="'columns' holds a set"):
        lens_state.dump(Held())


@SCENARIO
def test_skipping_examples_that_cannot_be_strongest_changes_no_answer(task: Task) -> None:
    """The activations lens asks for less once it knows the strongest; what the others saw asked for all."""
    with TemporaryDirectory() as folder:
        record = pellucid.inspect(
            network(task),
            examples(task),
            out=Path(folder) / "record",
            classes=CLASSES if task == "classification" else None,
            batch_size=8,
            chosen=11,
        )
        for name in lenses.available():
            lens = whole(name, task)
            if not shown(task).of(lens):
                continue
            look_again([lens], record.example_parts())
            panel = msgspec.json.decode(msgspec.json.encode(record.panel(name)))
            assert list(differences(panel, answer(lens)["report"])) == []
            if isinstance(lens, ArrayLens):
                stored = {key: np.asarray(record.array(name, key)) for key in lens.arrays()}
                assert list(differences(stored, answer(lens)["arrays"])) == []


def test_an_infinite_response_is_the_strongest_and_has_its_place() -> None:
    output = torch.zeros(3, 2, 2, 2)
    output[1, 0, 1, 0] = torch.inf
    output[2, 1] = torch.nan
    found = summarise(output, Layer(0, "layer", "Conv2d", (2, 2, 2), "maps"), None, 1)
    chosen = {int(unit): place for place, unit in enumerate(found["unit"])}
    assert [int(found[key][chosen[0]]) for key in ("example", "position")] == [1, 2]
    assert float(found["value"][chosen[0]]) == np.inf
    assert [int(found[key][chosen[1]]) for key in ("example", "position")] == [0, 0]
    assert found["maximum"].tolist() == [np.inf, 0.0]
    assert found["totals"][4] == 5


def test_an_example_without_a_prediction_has_none_in_the_gradients_either() -> None:
    there = shown("classification")
    broken = {
        place.batch.row(row)
        for place in there.observations
        if place.stage == "focus"
        for row in range(len(place.batch))
        if not torch.isfinite(place.outputs[row]).all()
    }
    entries = whole("gradients", "classification").report().examples
    assert broken
    assert {entry.row for entry in entries if entry.prediction is None} == broken
