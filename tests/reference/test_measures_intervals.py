"""Intervals and tests of counts and means, against scipy."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from pellucid.measures.intervals import holm, hypergeometric_tail, mean_interval, wilson
from support.counted import plain_holm, quick


@quick
@given(trials=st.integers(1, 10_000), share=st.floats(0, 1), level=st.sampled_from([0.5, 0.9, 0.95, 0.99]))
def test_the_interval_of_a_share_is_the_score_interval_of_scipy(trials: int, share: float, level: float) -> None:
    successes = round(share * trials)
    interval = wilson(successes, trials, level)
    expected = stats.binomtest(successes, trials).proportion_ci(level, method="wilson")
    assert interval.low == pytest.approx(expected.low, abs=1e-12)
    assert interval.high == pytest.approx(expected.high, abs=1e-12)
    assert 0 <= interval.low <= successes / trials <= interval.high <= 1
    assert (interval.level, interval.method) == (level, "wilson")


def test_no_trials_have_no_interval() -> None:
    assert wilson(0, 0) is None


@pytest.mark.parametrize("trials", [40, 200, 1000])
@pytest.mark.parametrize("probability", [0.1, 0.3, 0.5, 0.83])
def test_the_interval_of_a_share_covers_it_as_often_as_promised(trials: int, probability: float) -> None:
    generator = np.random.default_rng(trials)
    draws = generator.binomial(trials, probability, size=20_000)
    intervals = {int(successes): wilson(int(successes), trials) for successes in np.unique(draws)}
    covered = {successes: one.low <= probability <= one.high for successes, one in intervals.items()}
    assert 0.935 <= np.mean([covered[int(draw)] for draw in draws]) <= 0.965


@quick
@given(values=st.lists(st.floats(-1e3, 1e3, width=32), min_size=2, max_size=30), level=st.sampled_from([0.9, 0.95]))
def test_the_interval_of_a_mean_is_that_of_student_in_scipy(values: list[float], level: float) -> None:
    mean = sum(values) / len(values)
    interval = mean_interval(len(values), sum(values), sum((value - mean) ** 2 for value in values), level)
    half = stats.t.ppf(0.5 + level / 2, len(values) - 1) * stats.sem(values)
    assert interval.low == pytest.approx(mean - half, rel=1e-9, abs=1e-9)
    assert interval.high == pytest.approx(mean + half, rel=1e-9, abs=1e-9)
    assert interval.method == "t"


def test_one_value_has_no_interval() -> None:
    assert mean_interval(1, 3.0, 0.0) is None


def test_rounding_below_zero_makes_no_interval_of_a_mean_fail() -> None:
    interval = mean_interval(5, 5.0, -1e-18)
    assert (interval.low, interval.high) == (1.0, 1.0)


@quick
@given(population=st.integers(1, 90), marked=st.integers(0, 60), drawn=st.integers(0, 60), hits=st.integers(0, 60))
def test_the_hypergeometric_tail_is_that_of_scipy(population: int, marked: int, drawn: int, hits: int) -> None:
    marked, drawn = min(marked, population), min(drawn, population)
    expected = float(stats.hypergeom.sf(hits - 1, population, marked, drawn))
    assert hypergeometric_tail(hits, drawn, marked, population) == pytest.approx(expected, rel=1e-9, abs=1e-300)


@quick
@given(values=st.lists(st.floats(0, 1), max_size=12), more=st.integers(0, 20))
def test_holm_is_the_loop_of_its_paper(values: list[float], more: int) -> None:
    tests = len(values) + more
    np.testing.assert_allclose(holm(np.array(values), tests), plain_holm(values, tests), rtol=1e-12)
    np.testing.assert_allclose(holm(np.array(values)), plain_holm(values, len(values)), rtol=1e-12)
