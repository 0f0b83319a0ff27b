"""Soft labels, shape bias, rank correlations and shares of clustered answers, against scipy, closed forms and simulation."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from numpy.typing import NDArray
from scipy import stats

from pellucid.measures import soft_labels
from pellucid.measures.clustered import clustered_mean, clustered_share, swap_test
from pellucid.measures.rank_correlation import ranks, spearman
from pellucid.measures.shape_bias import cues_of, shape_counts

COUNTS = arrays.arrays(np.int64, st.tuples(st.integers(1, 8), st.integers(2, 5)), elements=st.integers(0, 6))


@settings(max_examples=60, deadline=None)
@given(COUNTS)
def test_entropy_and_agreement_are_those_of_all_answers_written_out(counts: NDArray[np.int64]) -> None:
    entropy, pairwise = soft_labels.entropies(counts), soft_labels.pairwise_agreement(counts)
    others, first = soft_labels.agreement_with_others(counts), soft_labels.most_frequent(counts)
    for image, row in enumerate(counts):
        answers = np.repeat(np.arange(len(row)), row)
        if not len(answers):
            assert np.isnan(entropy[image])
            assert first[image] == -1
            continue
        assert entropy[image] == pytest.approx(stats.entropy(row), abs=1e-12)
        if len(answers) < 2:
            assert np.isnan(pairwise[image])
            assert np.isnan(others[image])
            continue
        same = [a == b for i, a in enumerate(answers) for b in answers[i + 1 :]]
        assert pairwise[image] == pytest.approx(np.mean(same))
        parts = []
        for place, one in enumerate(answers):
            rest = np.bincount(np.delete(answers, place), minlength=len(row))
            parts.append((rest[one] == rest.max()) / (rest == rest.max()).sum())
        assert others[image] == pytest.approx(np.mean(parts))
        best = np.flatnonzero(row == row.max())
        assert first[image] == (best[0] if len(best) == 1 else -1)


def test_second_choices_are_single_ones_after_a_single_first() -> None:
    counts = np.array([[5, 2, 1], [5, 2, 2], [4, 4, 1], [5, 0, 0], [1, 3, 2]])
    assert soft_labels.second_most_frequent(counts).tolist() == [1, -1, -1, -1, 2]


def test_cross_entropy_is_least_where_the_model_says_what_people_do() -> None:
    rng = np.random.default_rng(0)
    counts = rng.multinomial(50, [0.6, 0.3, 0.1], 20)
    shares = counts / 50
    own = soft_labels.cross_entropies(counts, shares)
    assert own == pytest.approx(soft_labels.entropies(counts))
    other = rng.dirichlet([2, 1, 1], 20)
    found = soft_labels.cross_entropies(counts, other)
    assert found - own == pytest.approx([stats.entropy(p, q) for p, q in zip(shares, other, strict=True)])
    assert np.isinf(soft_labels.cross_entropies(np.array([[1, 1]]), np.array([[1.0, 0.0]])))[0]


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.integers(-5, 5), st.integers(-5, 5)), min_size=1, max_size=40))
def test_spearman_is_scipys(pairs: list[tuple[int, int]]) -> None:
    first, second = np.array(pairs, np.float64).T
    assert ranks(first).tolist() == stats.rankdata(first).tolist()
    count, value, interval = spearman(first, second)
    assert count == len(pairs)
    if count < 4 or len(set(first)) == 1 or len(set(second)) == 1:
        assert value is interval is None
        return
    assert value == pytest.approx(stats.spearmanr(first, second).statistic, abs=1e-12)
    assert interval is None if abs(value) == 1 else interval is not None and interval.low < value < interval.high


def test_spearmans_interval_holds_the_truth_in_95_of_100_draws() -> None:
    rng, rho, held = np.random.default_rng(1), 0.5, 0
    truth = 6 / np.pi * np.arcsin(rho / 2)
    for _ in range(2000):
        drawn = rng.multivariate_normal([0, 0], [[1, rho], [rho, 1]], 60)
        interval = spearman(drawn[:, 0], drawn[:, 1])[2]
        assert interval is not None
        held += interval.low <= truth <= interval.high
    assert 0.94 <= held / 2000 <= 0.965


def test_answers_to_one_image_do_not_count_as_independent() -> None:
    rng, held, narrow = np.random.default_rng(4), 0, 0
    for _ in range(2000):
        ease = rng.beta(3, 2, 100)
        hits = rng.binomial(10, ease)
        share, interval = clustered_share(hits, np.full(100, 10))
        assert share is not None
        assert interval is not None
        held += interval.low <= 0.6 <= interval.high
        half = 1.96 * np.sqrt(share * (1 - share) / 1000)
        narrow += abs(share - 0.6) <= half
    assert 0.94 <= held / 2000 <= 0.965
    assert narrow / 2000 < 0.85, "answers taken as independent are too sure"
    assert clustered_share(np.zeros(3), np.zeros(3)) == (None, None)
    assert clustered_share(np.array([2]), np.array([3])) == (2 / 3, None)
    every = clustered_share(np.array([2, 3]), np.array([2, 3]))[1]
    assert every is not None
    assert every.low < every.high == 1


def test_a_mean_of_what_images_share_is_as_wide_as_the_images_allow() -> None:
    rng = np.random.default_rng(0)
    held = narrow = 0
    for _ in range(1500):
        counts = rng.integers(0, 6, 60)
        own = rng.normal(2.0, 1.0, 60)  # what an image is like is in all of its numbers
        sums = np.array([rng.normal(level, 0.3, size).sum() for level, size in zip(own, counts, strict=True)])
        mean, interval = clustered_mean(sums, counts)
        assert interval is not None
        held += interval.low <= 2.0 <= interval.high
        narrow += abs(mean - 2.0) <= 1.96 * 1.05 / np.sqrt(counts.sum())
    assert 0.935 <= held / 1500 <= 0.965
    assert narrow / 1500 < 0.85, "numbers taken as independent are too sure"
    values = np.array([1.0, 2.0, 4.0, 0.5])
    mean, interval = clustered_mean(values, np.ones(4))
    wanted = stats.t.interval(0.95, 3, values.mean(), stats.sem(values))
    assert interval is not None
    assert (mean, interval.low, interval.high) == pytest.approx((values.mean(), *wanted), rel=1e-12)
    assert clustered_mean(np.zeros(3), np.zeros(3)) == (None, None)
    assert clustered_mean(np.array([2]), np.array([4])) == (0.5, None)


@pytest.mark.parametrize("number", [3, 9, 13])
def test_swapping_is_the_permutation_test_of_scipy(number: int) -> None:
    rng = np.random.default_rng(number)
    differences = rng.integers(0, 2, number) - rng.random(number)
    wanted = stats.permutation_test(
        (differences, np.zeros(number)), lambda a, b, axis: (a - b).mean(axis=axis), permutation_type="samples", n_resamples=np.inf,
        vectorized=True,
    ).pvalue  # fmt: skip
    assert swap_test(differences) == pytest.approx(wanted, abs=1e-9)


def test_swapping_many_is_drawn_and_near_the_normal_law() -> None:
    rng = np.random.default_rng(0)
    differences = rng.normal(0.15, 1, 200)
    z = differences.sum() / np.sqrt((differences**2).sum())
    assert swap_test(differences) == pytest.approx(2 * stats.norm.sf(abs(z)), abs=0.01)
    assert swap_test(np.zeros(5)) == 1
    assert swap_test(np.zeros(0)) is None


def test_shape_and_texture_are_read_off_names_and_equal_ones_tell_nothing() -> None:
    names = ["cat4-truck2.png", "cat1-cat3.png", "x/truck10-cat1", "n03041632_7380.png", "cat4-hat2.png"]
    cues = cues_of(names, ["cat", "truck"])
    assert cues.shape.tolist() == [0, 0, 1, -1, -1]
    assert cues.texture.tolist() == [1, 0, 0, -1, -1]
    assert cues.conflict.tolist() == [True, False, True, False, False]
    found = shape_counts(cues, np.array([[3, 1, 1], [9, 0, 0], [1, 4, 2], [5, 5, 5], [5, 5, 5]]))
    assert found.count.tolist() == [5, 0, 7, 0, 0]
    assert found.shape.tolist() == [3, 0, 4, 0, 0]
    assert found.texture.tolist() == [1, 0, 1, 0, 0]
