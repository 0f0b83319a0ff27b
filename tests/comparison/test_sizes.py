"""Cost against accuracy: the front against a slow loop, replicates, slopes against scipy and a closed form."""

from __future__ import annotations

import math
from types import SimpleNamespace
from typing import cast

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from pellucid.comparison.costs import factors_of, reached
from pellucid.comparison.findings import _trends
from pellucid.comparison.sizes import Group, _accuracy, _Better, front, groups_of, least_squares, welch
from pellucid.comparison.together import Together
from pellucid.measures.intervals import wilson
from pellucid.record.schema import ComparedModel, Interval, LearningPoint, Trend


def model(name: str, parameters: int | None = 100) -> ComparedModel:
    return ComparedModel(
        name=name, record=name, title=name, fingerprint="", parameters=parameters, flops=None, seconds=None, bytes=None,
        device="cpu", count=10, correct=5, accuracy=0.5, accuracy_interval=None, loss=None, loss_interval=None, ece=None,
        confidence=None, calibration=[], factors=factors_of(name), learned=[], accuracy_of="", training_steps=None,
        training_seconds=None, matched=10, unmatched=0, unanswered=0, repeated=0, relabelled=0, matched_by="id",
    )  # fmt: skip


points = st.lists(st.tuples(st.integers(1, 6), st.integers(0, 6)), min_size=1, max_size=8)


@given(points)
def test_the_front_is_what_nothing_dominates(found: list[tuple[int, int]]) -> None:
    places = front([float(cost) for cost, _ in found], [float(value) for _, value in found], lambda one, other: False)
    for (cost, value), place in zip(found, places, strict=True):
        dominated = any(
            (other_cost <= cost and other > value) or (other_cost < cost and other >= value)
            for other_cost, other in found
        )
        assert place == ("maybe" if dominated else "on")


def test_a_better_one_beyond_doubt_takes_another_off_the_front() -> None:
    assert front([1, 2, 3], [0.9, 0.8, 0.95], lambda one, other: (one, other) == (0, 1)) == ["on", "off", "on"]
    assert front([1, None, 3], [0.9, 0.8, None], lambda one, other: True) == ["on", None, None]


def test_models_that_differ_in_the_seed_alone_are_replicates() -> None:
    names = ["width8-seed0", "width8-seed1", "width16-seed0", "old", "new", "seed1"]
    groups = groups_of([model(name) for name in names])
    assert [(group.name, group.members) for group in groups] == [
        ("width8", [0, 1]), ("width16-seed0", [2]), ("old", [3]), ("new", [4]), ("seed1", [5]),
    ]  # fmt: skip


def test_what_else_stands_in_a_name_keeps_models_apart_and_needs_no_number() -> None:
    names = [
        "sgd-width16-seed0",
        "adam-width16-seed0",
        "base-seed0",
        "base_seed1",
        "width4.seed2.late",
        "width4-Seed3-late",
    ]
    groups = groups_of([model(name) for name in [*names, "seed0", "seed1", "seeded2"]])
    assert [(group.name, group.members) for group in groups] == [
        ("sgd-width16-seed0", [0]), ("adam-width16-seed0", [1]), ("base", [2, 3]), ("width4-late", [4, 5]), ("seed", [6, 7]),
        ("seeded2", [8]),
    ]  # fmt: skip
    assert groups[3].factors == {"width": 4.0}
    assert [group.members for group in groups_of([model("base-seed0", 100), model("base-seed1", 200)])] == [[0], [1]]


def test_seeds_that_agree_exactly_have_the_interval_of_the_examples() -> None:
    both = [
        msgspec.structs.replace(model(f"width8-seed{seed}"), correct=48, count=50, accuracy=0.96) for seed in (0, 1)
    ]
    group = Group("width8", [0, 1], {})
    value, interval = _accuracy(both, group)
    assert value == 0.96
    assert interval == wilson(48, 50)
    rights = np.zeros((4, 50))
    rights[:2, :48], rights[2:, :47] = 1, 1
    near = [
        msgspec.structs.replace(model(f"width4-seed{seed}"), correct=47, count=50, accuracy=0.94) for seed in (0, 1)
    ]
    together = cast(Together, SimpleNamespace(common=np.ones(50, bool), rights=rights))
    better = _Better([*both, *near], [group, Group("width4", [2, 3], {})], together)
    assert not better.surely(0, 1), "one example of 50 is no difference, however well the seeds agree"
    rights[2:] = 0
    assert better.surely(0, 1)


def _trend(measure: str, slope: float, low: float, high: float, runs: int = 6) -> Trend:
    return Trend("parameters", measure, slope, Interval(low, high), runs, [])  # type: ignore[arg-type]


def test_what_size_brings_is_said_with_what_is_shown_and_over_which_sizes() -> None:
    (told,) = _trends(
        [
            _trend("accuracy", 0.1, 0.05, 0.15),
            _trend("training_steps", -0.1, -0.5, 0.3, 4),
            _trend("training_seconds", 0.2, -0.3, 0.7, 4),
        ],
        0.24,
    )
    assert told.sentence.startswith(
        "Bigger networks are here more accurate; not shown to be faster to learn in steps or faster to learn in seconds. "
    )
    assert "to reach 24% (0.71 to 1.23, over the 4 sizes that reached it)" in told.sentence
    assert told.sentence.endswith("slopes over 6 sizes, 95% intervals.")
    (worse,) = _trends([_trend("accuracy", -0.1, -0.2, -0.05), _trend("training_steps", 1, 0.5, 1.5)], 0.9)
    assert worse.sentence.startswith("Bigger networks are here less accurate and slower to learn in steps. ")
    assert "that reached it" not in worse.sentence


def test_numbers_in_names_may_have_fractions() -> None:
    assert factors_of("width0.5-depth2_seed0") == {"width": 0.5, "depth": 2.0, "seed": 0.0}
    assert factors_of("resnet18.pretrained") == {"resnet": 18.0}


def test_welch_is_that_of_scipy() -> None:
    one, other = np.array([0.91, 0.93, 0.92]), np.array([0.88, 0.9, 0.86, 0.87])
    found = welch(one, other)
    expected = stats.ttest_ind(one, other, equal_var=False).confidence_interval(0.95)
    assert found is not None
    assert (found.low, found.high) == pytest.approx((expected.low, expected.high))
    assert welch(one[:1], other) is None


def test_a_slope_is_that_of_scipy_with_its_interval() -> None:
    rng = np.random.default_rng(0)
    x = np.arange(6.0)
    y = 0.3 * x + rng.normal(0, 0.1, 6)
    found, intervals = least_squares(np.column_stack([np.ones(6), x]), y)
    expected = stats.linregress(x, y)
    half = stats.t.ppf(0.975, 4) * expected.stderr
    assert found[1] == pytest.approx(expected.slope)
    assert (intervals[1].low, intervals[1].high) == pytest.approx((expected.slope - half, expected.slope + half))


def test_factors_beside_each_other_are_told_apart() -> None:
    width, depth = (column.ravel() for column in np.meshgrid([3.0, 4.0, 5.0], [0.0, 1.0, 2.0]))
    found, intervals = least_squares(np.column_stack([np.ones(9), width, depth]), 0.5 + 0.02 * width - 0.01 * depth)
    assert found == pytest.approx([0.5, 0.02, -0.01])
    assert all(math.isclose(one.low, one.high, abs_tol=1e-9) for one in intervals)


def test_the_first_step_that_reaches_an_accuracy_counts() -> None:
    rise = [LearningPoint(10, 1.0, 0.5), LearningPoint(20, 2.0, 0.9)]
    assert reached(rise, 0.5) == rise[0]
    assert reached(rise, 0.6) == rise[1]
    assert reached(rise, 0.95) is None
