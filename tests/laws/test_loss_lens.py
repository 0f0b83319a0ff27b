"""The loss lens over labels that the harness of all lenses does not have: soft, several at once, and under other losses."""

from __future__ import annotations

from typing import Any

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pellucid.lenses import LensContext
from pellucid.lenses import state as lens_state
from pellucid.lenses.loss import LossLens
from pellucid.measures.labels import labelled_columns
from pellucid.measures.losses import Loss, loss_named
from pellucid.types import Batch, Observation, Task

NUMBER, CLASSES = 60, 4
KINDS = pytest.mark.parametrize("kind", ["soft", "sets", "focal", "hinge", "huber"])
LOSSES: dict[str, str | None] = {"focal": "focal:gamma=1", "hinge": "hinge", "huber": "huber:delta=0.5"}
TASKS: dict[str, Task] = {"sets": "multilabel", "huber": "regression"}


def loss_of(kind: str) -> Loss | None:
    spec = LOSSES.get(kind)
    return None if spec is None else loss_named(spec)


def context(kind: str) -> LensContext:
    return LensContext(tuple("abcd"), TASKS.get(kind, "classification"), loss=loss_of(kind), target_loss=0.1)


def seen(kind: str, rows: slice) -> Observation:
    generator = np.random.default_rng(0)
    task = TASKS.get(kind, "classification")
    outputs = generator.normal(size=(NUMBER, 1 if task == "regression" else CLASSES)).astype(np.float32)
    outputs[::11] = np.nan
    labels: Any = generator.integers(-1, CLASSES, size=NUMBER)
    more: dict[str, Any] = {}
    if kind == "soft":
        more["soft"] = np.where(labels[:, None] >= 0, generator.dirichlet(np.ones(CLASSES), size=NUMBER), np.nan)[rows]
        labels = np.where(labels >= 0, np.nan_to_num(np.full(NUMBER, 0)), -1)
    if kind == "sets":
        drawn = generator.random((NUMBER, CLASSES)) < 0.4
        sets = tuple(
            None if label < 0 else frozenset(np.flatnonzero(row).tolist())
            for label, row in zip(labels, drawn, strict=True)
        )
        more["sets"], labels = sets[rows], None
    if kind == "huber":
        labels = np.where(labels < 0, np.nan, generator.normal(size=NUMBER))
    kept = None if labels is None else labels[rows]
    columns = labelled_columns(outputs[rows], kept, task=task, loss=loss_of(kind), **more)
    ids = tuple(map(str, range(NUMBER)))[rows]
    return Observation("sweep", Batch(rows.start or 0, ids, ()), outputs=outputs[rows], columns=columns)  # type: ignore[arg-type]


def observed(kind: str, *pieces: slice) -> LossLens:
    lens = LossLens(context(kind))
    for piece in pieces:
        lens.observe(seen(kind, piece))
    return lens


def numbers(value: Any) -> list[Any]:
    """Every value of a report, floats for comparing nearly."""
    if isinstance(value, dict):
        return [one for key in sorted(value) for one in (key, *numbers(value[key]))]
    if isinstance(value, list):
        return [one for part in value for one in numbers(part)]
    return [pytest.approx(value, rel=1e-9, abs=1e-9) if isinstance(value, float) else value]


def answer(lens: LossLens) -> Any:
    return msgspec.json.decode(msgspec.json.encode(lens.report()))


def flat(value: Any) -> list[Any]:
    if isinstance(value, dict):
        return [one for key in sorted(value) for one in (key, *flat(value[key]))]
    if isinstance(value, list):
        return [one for part in value for one in flat(part)]
    return [value]


@KINDS
@settings(max_examples=12, deadline=None, derandomize=True, database=None)
@given(cut=st.integers(1, NUMBER - 1), swap=st.booleans())
def test_parts_merge_to_the_whole_in_either_order(kind: str, cut: int, swap: bool) -> None:
    whole = observed(kind, slice(0, NUMBER))
    halves = [observed(kind, slice(0, cut)), observed(kind, slice(cut, NUMBER))]
    first, second = reversed(halves) if swap else halves
    total = LossLens(context(kind))
    total.merge(first)
    total.merge(second)
    assert flat(answer(total)) == numbers(answer(whole))
    assert answer(total)["count"] > 20


@KINDS
def test_a_stored_lens_is_the_same_to_the_bit(kind: str) -> None:
    lens = observed(kind, slice(0, NUMBER))
    values, arrays = lens_state.dump(lens)
    through = msgspec.json.decode(msgspec.json.encode(values))
    restored = lens_state.load(LossLens, context(kind), through, arrays)
    assert answer(restored) == answer(lens)
    again, arrays_again = lens_state.dump(restored)
    assert again == values
    assert {name: one.tobytes() for name, one in arrays_again.items()} == {
        name: one.tobytes() for name, one in arrays.items()
    }


@KINDS
def test_the_empty_lens_changes_nothing_and_says_why_it_has_no_mean(kind: str) -> None:
    empty = answer(LossLens(context(kind)))
    assert (empty["count"], empty["mean"], empty["why"]) == (0, None, "no example has a target")
    lens = observed(kind, slice(0, NUMBER))
    lens.merge(LossLens(context(kind)))
    assert flat(answer(lens)) == numbers(answer(observed(kind, slice(0, NUMBER))))
