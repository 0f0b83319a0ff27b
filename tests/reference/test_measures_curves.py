"""Curves and their areas, against scikit-learn, closed forms, and the exact order that bins forget."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from sklearn import metrics

from pellucid.lenses.accuracy_answer import class_rows
from pellucid.measures.calibration import BINS, bin_of
from pellucid.measures.classification import Tallies
from pellucid.measures.curve_intervals import area_interval, average_precision_interval
from pellucid.measures.curves import (
    Area,
    Ordered,
    average_precision,
    ordered,
    precision_recall,
    roc,
    roc_area,
)
from pellucid.measures.intervals import newcombe_auc, wilson
from pellucid.measures.predictions import log_softmax
from pellucid.measures.score_cells import ScoreCells, bins_of, cut_of, lower_edges, steps_for, width_of

SCORES = st.lists(st.tuples(st.integers(0, 6), st.booleans()), min_size=2, max_size=40)


def logits_and_targets(count: int = 600, classes: int = 6, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    random = np.random.default_rng(seed)
    target = random.integers(0, classes, count)
    logits = random.normal(size=(count, classes)) * 2
    logits[np.arange(count), target] += 2.5
    return logits, target


def mixed(of: Ordered) -> Ordered:
    return replace(of, mixed=np.ones(len(of.scores), np.bool_))


def cells_of(logits: np.ndarray, target: np.ndarray, sampled: np.ndarray | None = None) -> ScoreCells:
    top = logits.max(axis=1)
    normalisers = top + np.log(np.exp(logits - top[:, None]).sum(axis=1))
    return ScoreCells.of(logits, normalisers, target, np.ones(len(target), bool) if sampled is None else sampled)


@settings(max_examples=80, deadline=None, derandomize=True, database=None)
@given(SCORES)
def test_curves_and_areas_are_scikit_learns(pairs: list[tuple[int, bool]]) -> None:
    scores, positive = np.array([float(one) for one, _ in pairs]), np.array([one for _, one in pairs])
    of = ordered(scores, positive)
    if not positive.any():
        assert precision_recall(of) is None
        assert average_precision(of) is None
    else:
        found = average_precision(of)
        assert found is not None
        assert found.value == pytest.approx(metrics.average_precision_score(positive, scores), abs=1e-12)
    if positive.all() or not positive.any():
        assert roc(of) is None
        assert roc_area(of) is None
        return
    area, curve = roc_area(of), roc(of)
    assert area is not None
    assert curve is not None
    assert area.value == pytest.approx(metrics.roc_auc_score(positive, scores), abs=1e-12)
    assert area.error == 0
    false, true, _ = metrics.roc_curve(positive, scores, drop_intermediate=False)
    np.testing.assert_allclose(curve, (false, true), atol=1e-12)
    precision, recall, _ = metrics.precision_recall_curve(positive, scores)
    mine = precision_recall(of)
    assert mine is not None
    np.testing.assert_allclose(mine[0], precision[:-1][::-1], atol=1e-12)
    np.testing.assert_allclose(mine[1], recall[:-1][::-1], atol=1e-12)


def test_closed_forms() -> None:
    """Two of the class at 0.9 and 0.4, two others at 0.6 and 0.1: three of four pairs are in order."""
    of = ordered(np.array([0.9, 0.4, 0.6, 0.1]), np.array([True, True, False, False]))
    assert roc_area(of).value == 0.75  # type: ignore[union-attr]
    assert average_precision(of).value == pytest.approx((1 + 2 / 3) / 2)  # type: ignore[union-attr]


@settings(max_examples=80, deadline=None, derandomize=True, database=None)
@given(SCORES, st.randoms(use_true_random=False))
def test_bins_bound_every_order_that_they_forget(pairs: list[tuple[int, bool]], random: object) -> None:
    """Whatever the distinct scores inside the bins are, the exact areas lie within the stated error."""
    bins, positive = np.array([one for one, _ in pairs]), np.array([one for _, one in pairs])
    if positive.all() or not positive.any():
        return
    inside = np.array(random.sample(range(len(pairs)), len(pairs))) / len(pairs)  # type: ignore[attr-defined]
    coarse = mixed(ordered(bins.astype(float), positive))
    area, precision = roc_area(coarse), average_precision(coarse)
    assert area is not None
    assert precision is not None
    ways = [bins + inside, bins + (positive + inside) / 3, bins + (1 - positive + inside) / 3]
    # Some equal, and all of the class.
    for scores in (*ways, bins + np.round(inside) / 2, bins + positive / 2, bins + (1 - positive) / 2):
        assert abs(metrics.roc_auc_score(positive, scores) - area.value) <= area.error + 1e-12
        assert abs(metrics.average_precision_score(positive, scores) - precision.value) <= precision.error + 1e-12


def test_the_bound_is_reached() -> None:
    of = mixed(Ordered(np.array([1.0]), np.array([3]), np.array([4])))
    area = roc_area(of)
    assert (area.value, area.error) == (0.5, 0.5)  # type: ignore[union-attr]
    worst = (1 / 5 + 2 / 6 + 3 / 7) / 3
    precision = average_precision(of)
    assert precision.value == pytest.approx((1 + worst) / 2)  # type: ignore[union-attr]
    assert precision.error == pytest.approx((1 - worst) / 2)  # type: ignore[union-attr]


@pytest.mark.parametrize("steps", [128, 1024])
def test_bins_ascend_with_the_probability_and_refine_both_partitions(steps: int) -> None:
    probabilities = np.sort(np.concatenate([np.random.default_rng(0).random(4000), 10.0 ** -np.arange(1, 9), [1.0]]))
    bins = bins_of(probabilities, steps)
    assert (np.diff(bins) >= 0).all()
    assert bins.min() >= 0
    assert bins.max() < steps + BINS
    edges = lower_edges(steps)
    assert len(edges) == steps + BINS
    assert (edges[bins] <= probabilities + 1e-12).all()
    # Those of one bin are of one equal-width bin of calibration.
    for own in np.unique(bins):
        assert len(np.unique(bin_of(probabilities[bins == own]))) == 1


def test_the_curves_of_a_batch_are_within_their_bounds_of_scikit_learn() -> None:
    logits, target = logits_and_targets()
    probabilities = np.exp(log_softmax(logits).log_probabilities)
    cells = cells_of(logits, target)
    for index in range(6):
        curve = cells.of_class(index, 6, len(target), len(target))
        assert curve.positives.sum() == (target == index).sum()
        assert (curve.positives + curve.negatives).sum() == len(target)
        area, precision = roc_area(curve), average_precision(curve)
        assert area is not None
        assert precision is not None
        exact = metrics.roc_auc_score(target == index, probabilities[:, index])
        assert abs(area.value - exact) <= area.error + 1e-12
        assert area.error < 0.01
        exact = metrics.average_precision_score(target == index, probabilities[:, index])
        assert abs(precision.value - exact) <= precision.error + 1e-12
        assert precision.error < 0.03
    pairs = cells.of_all(6, len(target), len(target))
    area, exact = roc_area(pairs), metrics.roc_auc_score(np.eye(6)[target], probabilities, average="micro")
    assert area is not None
    assert abs(area.value - exact) <= area.error + 1e-12


def test_probabilities_that_are_next_to_nothing_are_counted_at_the_bottom() -> None:
    """The target of the last example has probability e^-50: no threshold finds it before the others."""
    logits = np.array([[0.0, -30.0], [0.0, -40.0], [0.0, -50.0]])
    cells = cells_of(logits, np.array([0, 0, 1]))
    curve = cells.of_class(1, 2, 3, 3)
    assert (curve.positives.tolist(), curve.negatives.tolist()) == ([1], [2])
    area = roc_area(curve)
    assert (area.value, area.error) == (0.5, 0.5)  # type: ignore[union-attr]
    with np.errstate(divide="ignore"):
        certain = cells_of(np.log([[1.0, 0.0], [0.0, 1.0]]), np.array([0, 0]))
    assert certain.of_class(0, 2, 2, 2).positives.sum() == 2


@settings(max_examples=25, deadline=None, derandomize=True, database=None)
@given(st.lists(st.integers(0, 120), max_size=4), st.permutations(range(5)))
def test_merging_parts_counts_the_whole(cuts: list[int], order: list[int]) -> None:
    logits, target = logits_and_targets(120)
    whole, total = cells_of(logits, target), ScoreCells()
    places = [0, *sorted(cuts), 120]
    parts = [slice(low, high) for low, high in pairwise(places)]
    for place in order:
        if place < len(parts) and parts[place].stop > parts[place].start:
            total.merge(cells_of(logits[parts[place]], target[parts[place]]))
    for name in ("codes", "counts", "positives", "more", "above", "least", "most"):
        np.testing.assert_array_equal(getattr(whole, name), getattr(total, name))
    np.testing.assert_allclose(whole.sums, total.sums, rtol=1e-12)


def test_a_sample_of_the_others_stands_for_all() -> None:
    logits, target = logits_and_targets(6000)
    sampled = np.random.default_rng(1).random(6000) < 0.25
    whole, part = cells_of(logits, target), cells_of(logits, target, sampled)
    exact, found = whole.of_class(2, 6, 6000, 6000), part.of_class(2, 6, 6000, int(sampled.sum()))
    np.testing.assert_array_equal(exact.positives[exact.positives > 0], found.positives[found.positives > 0])
    # From the cut on all others are counted, below it those of the sample.
    counted = sampled | (bins_of(np.exp(log_softmax(logits).log_probabilities)[:, 2], steps_for(6)) >= cut_of(6))
    assert found.negatives.sum() == (counted & (target != 2)).sum()
    assert found.others.sum() == pytest.approx((target != 2).sum())
    one, other = roc_area(exact), roc_area(found)
    assert one.value == pytest.approx(other.value, abs=0.01)  # type: ignore[union-attr]
    one, other = average_precision(exact), average_precision(found)
    assert one.value == pytest.approx(other.value, abs=0.03)  # type: ignore[union-attr]
    narrow, wide = (average_precision_interval(of, 0.8) for of in (exact, found))
    assert wide.high - wide.low > narrow.high - narrow.low  # type: ignore[union-attr]


def test_equal_probabilities_are_one_threshold() -> None:
    """A constant probability is one tie, votes are ties of exact fifths, and classes alone are zeros and ones."""
    random = np.random.default_rng(2)
    target = random.integers(0, 4, 400)
    votes = random.multinomial(5, np.full(4, 0.25), 400) / 5.0
    called = np.where(random.random(400) < 0.6, target, random.integers(0, 4, 400))
    for probabilities in (np.full((400, 4), 0.25), votes, np.eye(4)[called]):
        with np.errstate(divide="ignore"):
            logits = np.log(probabilities)
        parts = ScoreCells()
        for rows in (slice(0, 150), slice(150, 151), slice(151, 400)):
            parts.merge(cells_of(logits[rows], target[rows]))
        for index in range(4):
            curve = parts.of_class(index, 4, 400, 400)
            area, precision = roc_area(curve), average_precision(curve)
            assert area is not None
            assert precision is not None
            own, scores = target == index, probabilities[:, index]
            assert area.value == pytest.approx(metrics.roc_auc_score(own, scores), abs=1e-12)
            assert precision.value == pytest.approx(metrics.average_precision_score(own, scores), abs=1e-12)
            assert max(area.error, precision.error) < 1e-12


def test_what_is_too_improbable_to_be_counted_is_no_tie() -> None:
    """e^-20, e^-30 and e^-40 share the lowest bin with a target of 0; zeros alone do not differ."""
    with np.errstate(divide="ignore"):
        logits = np.array([[0.0, -20.0], [0.0, -30.0], [0.0, -40.0], [0.0, -np.inf]])
        zeros = np.log([[1.0, 0.0], [1.0, 0.0]])
    low, tied = cells_of(logits, np.array([0, 0, 0, 1])), cells_of(zeros, np.array([0, 1]))
    assert roc_area(low.of_class(1, 2, 4, 4)).error == 0.5  # type: ignore[union-attr]
    assert roc_area(tied.of_class(1, 2, 2, 2)) == Area(0.5, 0.0)


@pytest.mark.parametrize(("count", "classes", "gain"), [(1000, 200, 3.0), (1000, 200, 0.0), (1200, 400, 3.0)])
def test_the_exact_areas_of_many_classes_lie_within_the_error(count: int, classes: int, gain: float) -> None:
    """Few of the class and a sample of the others: scikit-learn, from all probabilities, is at most the stated error away."""
    random = np.random.default_rng(4)
    target = np.arange(count) % classes
    logits = random.normal(size=(count, classes))
    logits[np.arange(count), target] += gain
    probabilities = np.exp(log_softmax(logits).log_probabilities)
    sampled = random.random(count) < 1 / 16
    cells = cells_of(logits, target, sampled)
    held, found, exact = [], [], []
    for index in range(classes):
        curve = cells.of_class(index, classes, count, int(sampled.sum()))
        assert curve.others.sum() == pytest.approx((target != index).sum())
        area, precision = roc_area(curve), average_precision(curve)
        assert area is not None
        assert precision is not None
        own, scores = target == index, probabilities[:, index]
        exact.append(metrics.average_precision_score(own, scores))
        found.append(precision.value)
        held.append(abs(exact[-1] - precision.value) <= precision.error + 1e-12)
        held.append(abs(metrics.roc_auc_score(own, scores) - area.value) <= area.error + 1e-12)
    assert np.mean(held) >= 0.99
    assert np.mean(found) == pytest.approx(np.mean(exact), rel=0.02 if gain else 0.15)


def test_a_sample_of_many_classes_merges_to_the_whole() -> None:
    logits, target = logits_and_targets(300, 200)
    sampled = np.random.default_rng(3).random(300) < 1 / 3
    whole, total = cells_of(logits, target, sampled), ScoreCells()
    for rows in (slice(200, 300), slice(0, 1), slice(1, 200)):
        total.merge(cells_of(logits[rows], target[rows], sampled[rows]))
    assert whole.above.sum() > 0
    for name in ("codes", "counts", "positives", "more", "above", "least", "most"):
        np.testing.assert_array_equal(getattr(whole, name), getattr(total, name))


def test_intervals_are_wider_by_the_error() -> None:
    logits, target = logits_and_targets(300, 200)
    cells = cells_of(logits, target, np.random.default_rng(3).random(300) < 1 / 3)
    support = np.bincount(target, minlength=200).astype(np.float64)
    for row in class_rows(Tallies(support, support, support), cells, 300, 100)[:20]:
        curve = cells.of_class(row.index, 200, 300, 100)
        if not row.average_precision_error or row.average_precision is None or row.average_precision_interval is None:
            continue
        narrow = average_precision_interval(curve, row.average_precision)
        assert narrow is not None
        low = max(0.0, narrow.low - row.average_precision_error)
        assert row.average_precision_interval.low == pytest.approx(low)
        assert row.average_precision_interval.high == pytest.approx(min(1.0, narrow.high + row.average_precision_error))
        break
    else:
        pytest.fail("no class has an error")


def test_class_wise_bins_are_those_of_the_probabilities() -> None:
    logits, target = logits_and_targets(400, 3)
    probabilities = np.exp(log_softmax(logits).log_probabilities)
    counts, sums, positives = cells_of(logits, target).reliability(3, 400)
    for index in range(3):
        places = bin_of(probabilities[:, index])
        np.testing.assert_array_equal(counts[index], np.bincount(places, minlength=BINS))
        np.testing.assert_array_equal(positives[index], np.bincount(places[target == index], minlength=BINS))
        # What is below e^-12 is counted, and its probability left out of the sum.
        wanted = np.bincount(places, weights=probabilities[:, index], minlength=BINS)
        np.testing.assert_allclose(sums[index], wanted, atol=400 * np.exp(-12))


def test_memory_is_bounded_by_classes_times_bins() -> None:
    assert [steps_for(classes) for classes in (2, 128, 1000, 21_841)] == [1024, 1024, 131, 128]
    logits, target = logits_and_targets(5000, 3)
    assert len(cells_of(logits, target).codes) <= 3 * width_of(3)


def test_the_interval_of_an_average_precision_is_about_that_of_drawn_examples() -> None:
    random = np.random.default_rng(8)
    positive = random.random(400) < 0.3
    scores = random.normal(1.5 * positive, 1)
    of = ordered(scores, positive)
    value = average_precision(of).value  # type: ignore[union-attr]
    mine = average_precision_interval(of, value)
    drawn = []
    for _ in range(600):
        rows = random.integers(0, 400, 400)
        drawn.append(metrics.average_precision_score(positive[rows], scores[rows]))
    assert mine is not None
    # Half widths on the log-odds are two deviations there.
    half = (np.log(mine.high / (1 - mine.high)) - np.log(mine.low / (1 - mine.low))) / 2
    drawn_odds = np.log(np.array(drawn) / (1 - np.array(drawn)))
    assert half / 1.96 == pytest.approx(drawn_odds.std(), rel=0.12)
    certain = average_precision_interval(ordered(np.arange(10.0), np.arange(10) >= 5), 1.0)
    assert certain is not None
    assert certain.low < 0.6
    assert certain.high == 1.0
    assert average_precision_interval(ordered(np.arange(5.0), np.ones(5, bool)), 1.0) == wilson(5, 5)
    assert average_precision_interval(ordered(np.arange(3.0), np.zeros(3, bool)), 0.0) is None


def test_the_interval_of_an_area_is_that_of_brunner_and_munzel_where_newcombes_is_narrower() -> None:
    """Others spread thrice as far: of an area far from 0 and 1 the score interval is theirs, but for what is lent."""
    random = np.random.default_rng(9)
    positive = np.arange(3000) < 2700
    scores = random.normal(0.5 * positive, np.where(positive, 1.0, 3.0))
    value = roc_area(ordered(scores, positive)).value  # type: ignore[union-attr]
    found, narrow = area_interval(ordered(scores, positive), value), newcombe_auc(value, 2700, 300)
    assert found is not None
    assert narrow is not None
    assert found.method == "outer"
    above = (scores[positive][:, None] > scores[~positive]).astype(float)
    deviation = np.sqrt(above.mean(axis=1).var(ddof=1) / 2700 + above.mean(axis=0).var(ddof=1) / 300)
    half = (found.high - found.low) / 2
    assert half == pytest.approx(stats.t.ppf(0.975, 306) * deviation, rel=0.02)
    assert half > 1.2 * (narrow.high - narrow.low) / 2


@pytest.mark.parametrize(
    "separable", [ordered(np.arange(2.0), np.arange(2) >= 1), ordered(np.arange(9.0), np.arange(9) >= 8)]
)
def test_areas_of_hardly_any_examples_say_hardly_anything(separable: Ordered) -> None:
    for interval in (area_interval(separable, 1.0), average_precision_interval(separable, 1.0)):
        assert interval is not None
        assert interval.low < 0.5
        assert interval.high == 1.0
    assert area_interval(ordered(np.arange(3.0), np.ones(3, bool)), 1.0) is None
