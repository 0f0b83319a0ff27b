"""Intervals of the parts of a score: against the bootstrap, against each example's influence, and covered as often as they say."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import special, stats

from pellucid.measures.decomposition import LEAST_DOUBT, Cells, Score, bin_of, parts, terms
from pellucid.measures.part_intervals import part_intervals, products_of

Floats = NDArray[np.float64]
NAMES = ("total", "calibration", "refinement", "within", "naming")
SCORES = pytest.mark.parametrize("score", ["log", "brier"])


def drawn(number: int, generator: Any, *, soft: bool = False) -> tuple[NDArray[np.float32], Floats]:
    """Confidences, and what examples of an overconfident model of four classes add."""
    truth = special.softmax(generator.normal(size=(number, 4)) * 2, axis=1)
    given = special.softmax(np.log(truth) * 1.8, axis=1)
    first, rows = given.argmax(axis=1), np.arange(number)
    confidence = given[rows, first].astype(np.float32)
    label = truth
    if not soft:
        label = np.eye(4)[(truth.cumsum(axis=1) > generator.random((number, 1))).argmax(axis=1)]
    log = -(label * np.log(given)).sum(axis=1)
    brier = ((given - label) ** 2 + label * (1 - label)).sum(axis=1)
    return confidence, terms(confidence, label[rows, first], log, brier)


def found(confidence: NDArray[np.float32], added: Floats, score: Score) -> tuple[Any, Any]:
    bins = bin_of(confidence)
    cells = Cells.of(np.zeros(len(added), np.int64), bins, added)
    return parts(cells, score, soft=False), part_intervals(cells, products_of(bins, added), score)


@SCORES
@pytest.mark.parametrize("soft", [False, True])
def test_they_are_the_spread_of_each_examples_influence(score: Score, soft: bool) -> None:
    """The influence of one example is what the part changes by where the example counts a little more."""
    confidence, added = drawn(150, np.random.default_rng(0), soft=soft)
    whole, intervals = found(confidence, added, score)
    step = 1e-5
    influence: dict[str, list[float]] = {name: [] for name in NAMES}
    bins = bin_of(confidence)
    for row in range(len(added)):
        for sign in (1, -1):
            weights = np.ones(len(added))
            weights[row] += sign * step
            one: Any = parts(
                Cells.of(np.zeros(len(added), np.int64), bins, added * weights[:, None]), score, soft=False
            )
            for name in NAMES:
                # As sums over the examples: their derivative by the weight is the example's own part.
                influence[name].append(sign * getattr(one, name) * weights.sum() / (2 * step))
    for name in NAMES:
        own = np.array(influence[name]).reshape(-1, 2).sum(axis=1)
        interval = getattr(intervals, name)
        low, high = stats.t.interval(0.95, len(own) - 1, loc=getattr(whole, name), scale=stats.sem(own))
        assert interval.low == pytest.approx(low, rel=1e-4, abs=1e-6), name
        assert interval.high == pytest.approx(high, rel=1e-4, abs=1e-6), name
        assert interval.method == "delta method, t"


@SCORES
def test_they_are_as_wide_as_the_bootstrap_says(score: Score) -> None:
    generator = np.random.default_rng(1)
    confidence, added = drawn(3000, generator)
    _, intervals = found(confidence, added, score)
    draws: dict[str, list[float]] = {name: [] for name in NAMES}
    for _ in range(300):
        chosen = generator.integers(3000, size=3000)
        one, _ = found(confidence[chosen], added[chosen], score)
        for name in NAMES:
            draws[name].append(getattr(one, name))
    for name in NAMES:
        interval = getattr(intervals, name)
        assert (interval.high - interval.low) / 2 / 1.96 == pytest.approx(np.std(draws[name]), rel=0.15), name


@SCORES
def test_they_hold_the_truth_as_often_as_they_say(score: Score) -> None:
    """Of 600 samples of 1,500 the parts of very many examples lie within between 92 and 98 in a hundred."""
    generator = np.random.default_rng(2)
    truth, _ = found(*drawn(400_000, generator), score)
    held = dict.fromkeys(NAMES, 0)
    for _ in range(600):
        confidence, added = drawn(1500, generator)
        whole, intervals = found(confidence, added, score)
        for name in NAMES:
            # What chance adds to the calibration, and takes from the refinement, is told and taken off.
            off = {"calibration": whole.bias, "refinement": -whole.bias}.get(name, 0.0)
            interval = getattr(intervals, name)
            held[name] += interval.low - off <= getattr(truth, name) <= interval.high - off
    for name, often in held.items():
        assert 0.92 * 600 <= often <= 0.98 * 600, (name, often / 600)


def test_one_example_has_none_and_equal_ones_have_no_width() -> None:
    confidence = np.array([0.7], np.float32)
    added = terms(confidence, np.ones(1), np.array([0.36]), np.array([0.18]))
    assert found(confidence, added, "log")[1].refinement is None
    twice = found(np.repeat(confidence, 5), np.repeat(added, 5, axis=0), "log")[1]
    assert twice.total.high - twice.total.low == pytest.approx(0, abs=1e-6)
    assert part_intervals(Cells(), products_of(np.zeros(0, np.int64), np.zeros((0, 11))), "log").total is None


def test_answers_that_are_all_called_certain_have_intervals_around_their_parts() -> None:
    """All in one bin with the mean confidence 1: what an example adds is a number for right and one for wrong answers."""
    hit = (np.arange(300) % 5 != 0).astype(float)
    confidence = np.ones(300, np.float32)
    whole, intervals = found(confidence, terms(confidence, hit, (1 - hit) * 40, 2 * (1 - hit)), "log")
    refinement = np.where(hit > 0, -np.log(0.8), -np.log(0.2))
    first = np.where(hit > 0, 0.0, -np.log(LEAST_DOUBT))
    own = {"calibration": first - refinement, "refinement": refinement, "naming": (1 - hit) * 40 - first}
    for name, values in own.items():
        low, high = stats.t.interval(0.95, 299, loc=getattr(whole, name), scale=stats.sem(values))
        assert getattr(intervals, name).low == pytest.approx(low, rel=1e-9), name
        assert getattr(intervals, name).high == pytest.approx(high, rel=1e-9), name
    assert whole.within == pytest.approx(0.0, abs=1e-12)
    assert (intervals.within.low, intervals.within.high) == pytest.approx((0.0, 0.0), abs=1e-6)
