"""Regression scores and slices, against scikit-learn, scipy and closed forms."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from sklearn import metrics
from sklearn.tree import DecisionTreeClassifier

from pellucid.lenses.accuracy_slices import MOST_VALUES, ValueCounts
from pellucid.measures.regression import NAMES, Moments, regression_scores
from pellucid.measures.slices import LEAST, Condition, best_split, fisher, found_slices, slices_of
from pellucid.types import Batch, Scalar


def numbers(count: int = 300, seed: int = 0, shift: float = 0.0) -> tuple[np.ndarray, np.ndarray]:
    random = np.random.default_rng(seed)
    target = random.gamma(2, 3, count) + shift
    return target, target + random.normal(0.4, 1.5, count)


@pytest.mark.parametrize("shift", [0.0, 1e6])
def test_scikit_learn_gives_the_same_errors(shift: float) -> None:
    target, output = numbers(shift=shift)
    listed = {one.name: one.value for one in regression_scores(Moments.of(target, output - target))}
    assert listed["R2"] == pytest.approx(metrics.r2_score(target, output), rel=1e-8)
    assert listed["root mean squared error"] == pytest.approx(metrics.root_mean_squared_error(target, output))
    assert listed["mean absolute error"] == pytest.approx(metrics.mean_absolute_error(target, output))
    assert listed["bias"] == pytest.approx((output - target).mean())


def test_intervals_of_means_are_scipys() -> None:
    target, output = numbers()
    listed = {one.name: one.interval for one in regression_scores(Moments.of(target, output - target))}
    for name, values in (("bias", output - target), ("mean absolute error", np.abs(output - target))):
        wanted = stats.ttest_1samp(values, 0).confidence_interval(0.95)
        assert (listed[name].low, listed[name].high) == pytest.approx((wanted.low, wanted.high), rel=1e-9)  # type: ignore[union-attr]


def test_the_mean_of_absolute_values_has_no_negative_end() -> None:
    residual = np.array([0.1, -0.4])
    listed = {one.name: one.interval for one in regression_scores(Moments.of(np.array([1.0, 3.0]), residual))}
    wanted = stats.ttest_1samp(np.abs(residual), 0).confidence_interval(0.95)
    assert wanted.low < 0
    assert listed["mean absolute error"].low == 0.0  # type: ignore[union-attr]
    assert listed["mean absolute error"].high == pytest.approx(wanted.high)  # type: ignore[union-attr]
    assert listed["bias"].low < 0  # type: ignore[union-attr]


def test_the_intervals_of_r2_and_of_the_root_are_about_those_of_drawn_examples() -> None:
    target, output = numbers(400)
    listed = {one.name: one.interval for one in regression_scores(Moments.of(target, output - target))}
    for name, statistic in (
        ("R2", lambda t, o: 1 - ((o - t) ** 2).sum() / ((t - t.mean()) ** 2).sum()),
        ("root mean squared error", lambda t, o: np.sqrt(((o - t) ** 2).mean())),
    ):
        peer = stats.bootstrap((target, output), statistic, paired=True, vectorized=False, n_resamples=1500, rng=1)
        width = peer.confidence_interval.high - peer.confidence_interval.low
        mine = listed[name]
        assert mine is not None
        assert (mine.low, mine.high) == pytest.approx(tuple(peer.confidence_interval), abs=0.15 * width)


@settings(max_examples=40, deadline=None, derandomize=True, database=None)
@given(st.lists(st.integers(0, 90), max_size=4), st.permutations(range(5)), st.sampled_from([0.0, 1e4]))
def test_moments_merge_in_any_split_and_order(cuts: list[int], order: list[int], shift: float) -> None:
    target, output = numbers(90, shift=shift)
    places = [0, *sorted(cuts), 90]
    parts = [Moments.of(target[low:high], (output - target)[low:high]) for low, high in pairwise(places)]
    total = Moments()
    for place in order:
        if place < len(parts):
            total = total.merged(parts[place])
    whole = regression_scores(Moments.of(target, output - target))
    for one, other in zip(whole, regression_scores(total), strict=True):
        assert one.count == other.count
        assert one.value == pytest.approx(other.value, rel=1e-9)
        assert (one.interval.low, one.interval.high) == pytest.approx(
            (other.interval.low, other.interval.high), rel=1e-7
        )  # type: ignore[union-attr]


def test_what_is_not_defined_of_numbers_says_why() -> None:
    assert [(one.name, one.value, one.count) for one in regression_scores(Moments())] == [
        (name, None, 0) for name in NAMES
    ]
    equal = regression_scores(Moments.of(np.full(5, 2.0), np.arange(5.0)))[0]
    assert equal.value is None
    assert "no spread" in equal.why
    perfect = regression_scores(Moments.of(np.arange(5.0), np.zeros(5)))
    assert perfect[0].value == 1.0
    assert perfect[0].interval is None


@pytest.mark.parametrize(("correct", "count"), [(3, 20), (19, 20), (10, 20), (0, 5)])
def test_the_p_value_of_a_slice_is_fishers_exact_test(correct: int, count: int) -> None:
    table = [[correct, count - correct], [60 - correct, 100 - 60 - count + correct]]
    tails = [stats.fisher_exact(table, alternative=side).pvalue for side in ("less", "greater")]
    assert fisher(correct, count, 60, 100) == pytest.approx(min(1, 2 * min(tails)), abs=1e-12)


def test_slices_are_told_against_their_rest_and_adjusted_together() -> None:
    counts = {
        ("site", "a"): (50, 10),
        ("site", "b"): (50, 40),
        ("site", "c"): (100, 80),
        ("day", "1"): (4, 0),
        ("day", "2"): (96, 90),
    }
    listed = slices_of(counts, {"site": (200, 130), "day": (100, 90)})
    assert (listed[0].column, listed[0].value) == ("site", "a")
    # Four examples are too few for a slice; the 96 others are one.
    assert LEAST == 5
    assert ("day", "1") not in [(one.column, one.value) for one in listed]
    worst = listed[0]
    assert (worst.accuracy, worst.rest) == (0.2, 120 / 150)
    np.testing.assert_allclose(
        [one.adjusted for one in listed], stats.false_discovery_control([one.p_value for one in listed])
    )
    assert slices_of({("only", "x"): (30, 10)}, {"only": (30, 10)}) == []


def test_the_first_split_is_scikit_learns() -> None:
    random = np.random.default_rng(3)
    features = np.stack([random.integers(0, 12, 400), random.integers(0, 9, 400)], axis=1).astype(float)
    right = random.random(400) < np.where(features[:, 1] <= 3, 0.5, 0.9)
    split = best_split(features, (False, False), right.astype(float))
    tree = DecisionTreeClassifier(max_depth=1, min_samples_leaf=20).fit(features, right).tree_
    assert split is not None
    assert split.feature == tree.feature[0] == 1
    assert split.cut < tree.threshold[0] < split.cut + 1


def test_a_planted_slice_is_found_and_judged_on_examples_that_did_not_grow_the_tree() -> None:
    random = np.random.default_rng(5)
    site, size = random.integers(0, 4, 4000).astype(float), random.normal(size=4000)
    size[::50] = np.nan
    planted = (site == 2) & (size > 0.5)
    right = random.random(4000) < np.where(planted, 0.3, 0.9)
    grown = random.random(4000) < 0.5
    found = found_slices(np.stack([site, size], axis=1), (True, False), right, grown)
    worst = min(found, key=lambda one: one.correct / one.count)
    assert worst.adjusted < 1e-6
    assert Condition(0, "is", 2.0) in worst.rule
    inside = ~grown & np.all([condition.holds(np.stack([site, size], axis=1)) for condition in worst.rule], axis=0)
    assert (worst.count, worst.correct) == (inside.sum(), right[inside].sum())
    assert (inside & planted).sum() > 0.9 * inside.sum()


def test_where_nothing_differs_little_is_discovered() -> None:
    """Of 200 records without any slice, at most one in ten shows one at a false-discovery rate of 5%."""
    random = np.random.default_rng(6)
    shown = 0
    for _ in range(200):
        features = random.integers(0, 5, (300, 2)).astype(float)
        found = found_slices(features, (True, True), random.random(300) < 0.8, random.random(300) < 0.5)
        shown += any(one.adjusted < 0.05 for one in found)
    assert shown <= 20


def test_too_little_to_split_is_not_split() -> None:
    assert best_split(np.arange(30.0)[:, None], (False,), np.ones(30)) is None
    assert best_split(np.zeros((100, 1)), (False,), (np.arange(100) % 2).astype(float)) is None
    assert found_slices(np.zeros((0, 1)), (False,), np.zeros(0, bool), np.zeros(0, bool)) == []


def test_powers_of_the_residuals_come_from_moments_about_their_mean() -> None:
    target, output = numbers(50)
    of = Moments.of(target, output - target)
    assert of.squared == pytest.approx(((output - target) ** 2).sum(), rel=1e-12)
    assert of.fourth == pytest.approx(((output - target) ** 4).sum(), rel=1e-12)


def batch(columns: list[dict[str, Scalar]]) -> Batch:
    return Batch(0, tuple(map(str, range(len(columns)))), None, columns=tuple(columns))  # type: ignore[arg-type]


def test_values_are_counted_as_the_address_writes_them() -> None:
    counts = ValueCounts()
    columns: list[dict[str, Scalar]] = [
        {"flag": True, "level": 3, "size": 0.5},
        {"flag": False, "level": 3},
        {"flag": None, "level": "x"},
        {"flag": True, "level": 4},
    ]
    counts.add(batch(columns), np.array([True, True, True, False]), np.array([True, False, True, True]))
    assert counts.values == {"flag": {"true": [1, 1], "false": [1, 0]}, "level": {"3": [2, 1], "x": [1, 1]}}


@settings(max_examples=15, deadline=None, derandomize=True, database=None)
@given(st.permutations(range(3)))
def test_a_column_of_too_many_values_is_left_out_whatever_part_sees_them(order: list[int]) -> None:
    """No part alone holds more than the most; all together do."""
    parts = []
    for part in range(3):
        counts, every = ValueCounts(), np.ones(90, bool)
        rows: list[dict[str, Scalar]] = [{"many": 90 * part + row, "few": row % 2} for row in range(90)]
        counts.add(batch(rows), every, every)
        assert counts.left_out == []
        parts.append(counts)
    total = ValueCounts()
    for part in order:
        total.merge(parts[part])
    assert MOST_VALUES == 200
    assert total.left_out == ["many"]
    assert total.values == {"few": {"0": [135, 135], "1": [135, 135]}}
    assert [one.column for one in total.slices()] == ["few", "few"]
