"""What every lens owes, whoever wrote it: splitting, merging, storing and asking twice change no answer.

One harness over all installed lenses, on what a real inspection of a real network shows them.
"""

from __future__ import annotations

import pickle
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields
from functools import cache
from itertools import pairwise
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, ClassVar

import msgspec
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

import pellucid
from pellucid import lenses
from pellucid.inspection import Inspection
from pellucid.lenses import ArrayLens, Lens, LensContext
from pellucid.lenses import state as lens_state
from pellucid.lenses.again import look_again
from pellucid.lenses.predictions import PredictionsLens
from pellucid.lenses.reductions import summarise
from pellucid.types import Example, Layer, Needs, Observation, Stage, Task

CLASSES = ("cat", "dog", "owl", "yak")
EXAMPLES = 70
SCENARIOS: tuple[Task, ...] = ("classification", "regression")
LENSES = pytest.mark.parametrize("name", sorted(lenses.available()))
SCENARIO = pytest.mark.parametrize("task", SCENARIOS)


class Network(nn.Module):
    """Small, with maps, a vector, a dead unit and a saturating activation."""

    def __init__(self, outputs: int) -> None:
        super().__init__()
        self.features = nn.Sequential(
            nn.Conv2d(3, 8, 3), nn.BatchNorm2d(8), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(8, 6, 3), nn.ReLU6()
        )
        self.squash = nn.Linear(6, 5)
        self.head = nn.Linear(5, outputs)
        self.unused = nn.Linear(2, 2)
        with torch.no_grad():
            self.features[4].bias[1:3] = -100.0

    def forward(self, images: Tensor) -> Tensor:
        return self.head(torch.tanh(4 * self.squash(self.features(images).mean(dim=(2, 3)))))


def network(task: Task) -> nn.Module:
    torch.manual_seed(0)
    return Network(len(CLASSES) if task == "classification" else 1).eval()


def examples(task: Task) -> list[Example]:
    """Random images; every ninth makes the logits NaN, every seventh has no target."""
    images = torch.randn(EXAMPLES, 3, 12, 12, generator=torch.Generator().manual_seed(1))
    images[::9, :, 3, 4] = torch.nan
    generator = np.random.default_rng(2)
    found = []
    for row, image in enumerate(images):
        target: int | float = int(generator.integers(len(CLASSES)))
        if task == "regression":
            target = float(generator.normal())
        columns = {"shelf": row % 3} if row > 20 else {}
        found.append(Example(f"image {row}", image, None if row % 7 == 3 else target, columns=columns))
    return found


SEEN: list[Observation] = []


@dataclass
class Watcher(PredictionsLens):
    """Writes down all that the lenses of an inspection would be shown."""

    name: ClassVar[str] = "predictions"
    needs: ClassVar[Needs] = Needs()  # type: ignore[misc]
    asked: list[str] = field(default_factory=list)

    @classmethod
    def of_everything(cls, context: LensContext) -> Watcher:
        """Asks for the union of what fresh lenses need, so that no reduction leaves out what another batch has shown."""
        fresh = lenses.build(tuple(lenses.available()), context)
        cls.needs = Needs(reductions={key: one for lens in fresh for key, one in lens.needs.reductions.items()})
        return cls(context)

    def observe(self, seen: Observation) -> None:
        SEEN.append(seen)
        if seen.stage == "sweep":
            super().observe(seen)


@dataclass(frozen=True)
class Shown:
    """What an inspection has shown, batch by batch, and the context of its lenses."""

    context: LensContext
    observations: tuple[Observation, ...]

    def of(self, lens: Lens) -> list[Observation]:
        """What a lens would have been shown."""
        return [seen for seen in self.observations if seen.stage in lens.needs.stages]


@cache
def shown(task: Task, batch_size: int = 8) -> Shown:
    SEEN.clear()
    contexts: list[LensContext] = []

    def watching(inspection: Inspection, stage: Stage) -> list[Lens]:
        context = LensContext(inspection.classes, inspection.task, inspection.options.seed)
        contexts.append(context)
        return [Watcher.of_everything(context)]

    with pytest.MonkeyPatch.context() as patch, TemporaryDirectory() as folder:
        patch.setattr(Inspection, "_lenses", watching)
        pellucid.inspect(
            network(task),
            examples(task),
            out=Path(folder) / "record",
            classes=CLASSES if task == "classification" else None,
            batch_size=batch_size,
            chosen=11,
        )
    assert contexts[-1].task == task
    return Shown(contexts[-1], tuple(SEEN))


def fresh(name: str, context: LensContext) -> Lens:
    return lenses.build((name,), context)[0]


def observed(name: str, context: LensContext, seen: Sequence[Observation]) -> Lens:
    lens = fresh(name, context)
    for one in seen:
        lens.observe(one)
    return lens


def whole(name: str, task: Task) -> Lens:
    there = shown(task)
    return observed(name, there.context, there.of(fresh(name, there.context)))


def answer(lens: Lens) -> dict[str, Any]:
    """The report and the large arrays, as plain values."""
    # Through JSON: what cannot be written is no answer.
    report = msgspec.json.decode(msgspec.json.encode(lens.report()))
    arrays = lens.arrays() if isinstance(lens, ArrayLens) else {}
    return {"report": report, "arrays": {name: np.array(values) for name, values in arrays.items()}}


def _absolute(where: str, values: np.ndarray) -> float:
    """How far numbers near 0 may differ: for coordinates about a mean the float32 rounding of what the mean was taken from."""
    if where.endswith(".principal") and values.size:
        return 1e-5 * float(np.abs(values).max())
    return 1e-9


def _small(where: str) -> float:
    """How far floats near 0 may differ: where a part of a loss is what others leave of it, by the rounding of float32 outputs."""
    return 1e-7 if ".parts[" in where else 1e-9


def differences(one: Any, other: Any, where: str = "") -> Iterator[str]:
    """Where two answers differ by more than the order of adding floats explains."""
    if isinstance(one, Mapping) and isinstance(other, Mapping):
        if one.keys() != other.keys():
            yield f"{where}: {sorted(one)} and {sorted(other)}"
        else:
            for key in one:
                yield from differences(one[key], other[key], f"{where}.{key}")
    elif isinstance(one, np.ndarray) and isinstance(other, np.ndarray):
        same = one.dtype == other.dtype and one.shape == other.shape
        close = same and np.allclose(one, other, rtol=1e-6, atol=_absolute(where, one), equal_nan=True)
        if not (close if one.dtype.kind == "f" else same and np.array_equal(one, other)):
            yield f"{where}: {one} and {other}"
    elif isinstance(one, list) and isinstance(other, list):
        if len(one) != len(other):
            yield f"{where}: {len(one)} and {len(other)} entries"
        for index, pair in enumerate(zip(one, other, strict=False)):
            yield from differences(*pair, f"{where}[{index}]")
    elif isinstance(one, float) and isinstance(other, float):
        if one != pytest.approx(other, rel=1e-6, abs=_small(where), nan_ok=True):
            yield f"{where}: {one} and {other}"
    elif type(one) is not type(other) or one != other:
        yield f"{where}: {one!r} and {other!r}"


@cache
def whole_answer(name: str, task: Task) -> dict[str, Any]:
    return answer(whole(name, task))


def assert_same(one: Lens, other: Lens) -> None:
    assert list(differences(answer(one), answer(other))) == []


def pieces_of(seen: Sequence[Observation], cuts: Sequence[int]) -> list[Sequence[Observation]]:
    places = [0, *sorted(cut % (len(seen) + 1) for cut in cuts), len(seen)]
    return [seen[low:high] for low, high in pairwise(places)]


def sweep_lenses() -> list[str]:
    # Only the lenses that observe in the sweep are stored part by part. The others are never dumped: they see the model
    # once, or the few chosen examples, which a resumed inspection does anew (weights keep structs, which `dump` refuses).
    return [name for name in sorted(lenses.available()) if "sweep" in fresh(name, LensContext()).needs.stages]


@SCENARIO
def test_the_observations_hold_what_makes_merging_hard(task: Task) -> None:
    seen = shown(task).observations
    sweep = [one for one in seen if one.stage == "sweep"]
    assert [len(one.batch) for one in sweep] == [8] * 8 + [6]
    assert sum(int(np.sum(one.columns["nonfinite"])) for one in sweep) == 8
    targets = np.concatenate([np.asarray(one.columns["target"]) for one in sweep])
    assert np.sum(np.isnan(targets) if task == "regression" else targets < 0) == 10
    stages = {"trace", "sweep", "learn"} | ({"focus"} if task == "classification" else set())
    assert {one.stage for one in seen} == stages
    if task == "classification":
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
