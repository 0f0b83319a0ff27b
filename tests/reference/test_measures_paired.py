"""Paired tests and intervals against closed forms, published examples, scipy and scikit-learn."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import optimize, stats
from sklearn.metrics import cohen_kappa_score

from pellucid.measures.intervals import LEAST_P, p_words
from pellucid.measures.paired import (
    calibration_difference,
    kappa,
    mcnemar,
    mean_difference,
    share_difference,
)
from pellucid.measures.slices import fisher, slices_of

counts = st.integers(0, 60)


@given(counts, counts)
def test_mcnemar_is_the_binomial_test_of_scipy(fixed: int, broken: int) -> None:
    expected = 1.0 if fixed + broken == 0 else stats.binomtest(fixed, fixed + broken).pvalue
    assert float(mcnemar(fixed, broken)) == pytest.approx(expected, abs=1e-12)


def test_mcnemar_of_counts_by_hand() -> None:
    assert float(mcnemar(0, 5)) == 2 / 2**5
    assert mcnemar([3, 0, 1], [3, 0, 4]).tolist() == pytest.approx([1.0, 1.0, 2 * (1 + 5) / 2**5])


def test_the_interval_of_a_difference_is_the_published_one() -> None:
    # Airway hyper-responsiveness before and after stem cell transplantation: Fagerland, Lydersen & Laake 2014.
    low, high = share_difference(1, 7, 21)
    assert (round(float(low), 3), round(float(high), 3)) == (-0.517, -0.026)


@given(counts, counts, counts)
@settings(max_examples=60)
def test_the_ends_are_where_the_restricted_likelihood_says(fixed: int, broken: int, rest: int) -> None:
    total = fixed + broken + rest
    if total == 0:
        return
    low, high = (float(end) for end in share_difference(fixed, broken, total))
    estimate = (fixed - broken) / total
    assert -1 <= low <= estimate <= high <= 1
    for end, sign in ((low, 1.0), (high, -1.0)):
        if min(abs(end - 1), abs(end + 1), abs(end - estimate)) < 1e-6:
            continue

        def likelihood(lost: float, end: float = end) -> float:
            """Of the multinomial with gained = lost + end, up to a constant; negative."""
            parts = ((fixed, lost + end), (broken, lost), (rest, 1 - 2 * lost - end))
            return -sum(number * np.log(max(share, 1e-300)) for number, share in parts if number)

        least, most = max(0.0, -end), (1 - end) / 2
        found = optimize.minimize_scalar(likelihood, bounds=(least, most), method="bounded", options={"xatol": 1e-12})
        lost = min((least, most, float(found.x)), key=likelihood)
        deviation = np.sqrt((2 * lost + end - end * end) / total)
        assert (estimate - end) / deviation == pytest.approx(sign * 1.959964, abs=2e-3)


@given(counts, counts, counts, st.sampled_from([0.8, 0.95, 0.99]))
def test_swapping_the_models_mirrors_the_interval(fixed: int, broken: int, rest: int, level: float) -> None:
    total = max(1, fixed + broken + rest)
    low, high = share_difference(fixed, broken, total, level)
    other_low, other_high = share_difference(broken, fixed, total, level)
    assert (float(low), float(high)) == pytest.approx((-float(other_high), -float(other_low)), abs=1e-9)


def test_no_examples_have_no_interval_and_none_that_flipped_have_one() -> None:
    low, high = share_difference([0, 0], [0, 0], [0, 100])
    assert np.isnan(low[0])
    assert np.isnan(high[0])
    z = stats.norm.ppf(0.975)
    assert (low[1], high[1]) == pytest.approx((-z * z / (100 + z * z), z * z / (100 + z * z)), abs=1e-9)


@pytest.mark.parametrize(("gain", "loss"), [(0.05, 0.05), (0.02, 0.08), (0.2, 0.1)])
def test_the_interval_of_a_difference_holds_the_truth_in_95_of_100_draws(gain: float, loss: float) -> None:
    rng = np.random.default_rng(0)
    draws = rng.multinomial(200, [gain, loss, 1 - gain - loss], 20_000)
    low, high = share_difference(draws[:, 0], draws[:, 1], 200)
    assert 0.94 <= np.mean((low <= gain - loss) & (gain - loss <= high)) <= 0.96


def test_the_mean_difference_is_the_paired_t_test_of_scipy() -> None:
    rng = np.random.default_rng(1)
    old, new = rng.normal(size=50), rng.normal(0.3, 1, 50)
    old[3] = np.nan
    difference, interval = mean_difference(old, new)
    kept = np.isfinite(old)
    expected = stats.ttest_rel(new[kept], old[kept])
    assert difference == pytest.approx((new - old)[kept].mean())
    assert interval is not None
    assert (interval.low, interval.high) == pytest.approx(tuple(expected.confidence_interval(0.95)))
    assert mean_difference(old[:0], new[:0]) == (None, None)
    assert mean_difference(old[:1], new[:1])[1] is None


# --- calibration ----------------------------------------------------------------------------------------------


def test_the_calibration_errors_are_those_of_the_definition() -> None:
    confidence = np.array([0.95, 0.95, 0.55, 1.0])
    old_right, new_right = np.array([True, False, True, True]), np.array([True, True, False, True])
    found = calibration_difference(confidence, old_right, confidence, new_right)
    assert found is not None
    # 15 bins: 0.95 and 1.0 lie in the last one, 0.55 in the ninth.
    assert found.old == pytest.approx((abs(2 - 2.9) + abs(1 - 0.55)) / 4)
    assert found.new == pytest.approx((abs(3 - 2.9) + abs(0 - 0.55)) / 4)
    assert calibration_difference(confidence[:0], old_right[:0], confidence[:0], new_right[:0]) is None


def test_a_confidence_of_one_lies_in_the_last_bin() -> None:
    sure, right = np.ones(4), np.array([True, True, False, True])
    found = calibration_difference(sure, right, sure, right)
    assert found is not None
    assert found.old == 0.25


@pytest.mark.parametrize(("old_bias", "new_bias"), [(0.1, 0.02), (0.1, 0.0), (0.0, 0.0), (0.0, 0.1), (0.15, 0.05)])
def test_the_interval_of_the_calibration_error_holds_the_truth(old_bias: float, new_bias: float) -> None:
    rng = np.random.default_rng(2)
    held, draws, number = 0, 300, 800
    for _ in range(draws):
        confidence = rng.uniform(0.05, 0.85, number)
        noise = rng.random(number)
        old_right, new_right = noise < confidence + old_bias, noise < confidence + new_bias
        found = calibration_difference(confidence, old_right, confidence, new_right)
        assert found is not None
        assert found.interval is not None
        held += found.interval.low <= new_bias - old_bias <= found.interval.high
    assert held / draws >= 0.94


# --- agreement ------------------------------------------------------------------------------------------------


@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 3)), min_size=1, max_size=60))
def test_kappa_is_that_of_scikit_learn(pairs: list[tuple[int, int]]) -> None:
    first, second = (np.array(column) for column in zip(*pairs, strict=True))
    value, interval = kappa(first, second)
    if len(set(first.tolist()) | set(second.tolist())) == 1:
        assert (value, interval) == (None, None)
        return
    assert value == pytest.approx(cohen_kappa_score(first, second), abs=1e-12)
    if len(set(first.tolist())) == 1 or len(set(second.tolist())) == 1:
        assert (value, interval) == (pytest.approx(0.0, abs=1e-12), None)
        return
    assert interval is not None
    assert interval.low <= value <= interval.high


def test_the_interval_of_kappa_is_about_that_of_fleiss_cohen_and_everitt_where_models_differ_often() -> None:
    # The formula as printed, cell by cell.
    table = np.array([[53, 5, 2], [11, 14, 5], [1, 6, 3]]) * 10
    first, second = (np.repeat(np.indices((3, 3))[axis].ravel(), table.ravel()) for axis in (0, 1))
    shares = table / table.sum()
    rows, columns = shares.sum(1), shares.sum(0)
    observed, expected = np.trace(shares), rows @ columns
    total = sum(shares[i, i] * ((1 - expected) - (columns[i] + rows[i]) * (1 - observed)) ** 2 for i in range(3)) + (
        1 - observed
    ) ** 2 * sum(shares[i, j] * (columns[i] + rows[j]) ** 2 for i in range(3) for j in range(3) if i != j)
    total -= (observed * expected - 2 * expected + observed) ** 2
    deviation = np.sqrt(total / (table.sum() * (1 - expected) ** 4))
    value, interval = kappa(first, second)
    assert interval is not None
    assert value == pytest.approx((observed - expected) / (1 - expected))
    assert (interval.high - interval.low) / 2 == pytest.approx(stats.norm.ppf(0.975) * deviation, rel=0.03)


@pytest.mark.parametrize(("count", "agreed", "shares"), [(100, 0.99, [0.5, 0.5]), (300, 0.97, [0.97, 0.03])])
def test_the_interval_of_kappa_holds_it_where_models_agree_nearly_always(
    count: int, agreed: float, shares: list[float]
) -> None:
    """Kappa is then `agreed`: the other model says the same, or any class by its share. At least 92%; asymptotic: 38 and 41%."""
    rng, held, draws = np.random.default_rng(4), 0, 400
    for _ in range(draws):
        first, other = rng.choice(len(shares), (2, count), p=shares)
        _, interval = kappa(first, np.where(rng.random(count) < agreed, first, other))
        held += interval is not None and interval.low <= agreed <= interval.high
    assert held / draws >= 0.9


def test_models_that_agree_on_all_that_was_seen_have_an_interval_with_a_width() -> None:
    first = np.arange(50) % 3
    value, interval = kappa(first, first)
    assert value == 1.0
    assert interval is not None
    assert interval.low < 0.95
    assert interval.high == 1.0


def test_what_does_not_vary_has_no_interval_unless_the_models_are_the_same() -> None:
    losses = np.array([0.5, 0.7, 1.1])
    assert mean_difference(losses, losses + 0.1) == (pytest.approx(0.1), None)
    unchanged = mean_difference(losses, losses)[1]
    assert unchanged is not None
    assert (unchanged.low, unchanged.high) == (0.0, 0.0)
    right = np.ones(2, bool)
    found = calibration_difference(np.full(2, 0.8), right, np.full(2, 0.9), right)
    assert found is not None
    assert (found.old, found.new) == (pytest.approx(0.2), pytest.approx(0.1))
    assert found.interval is None
    same = calibration_difference(np.full(2, 0.8), right, np.full(2, 0.8), right)
    assert same is not None
    assert same.interval is not None
    assert (same.interval.low, same.interval.high) == (0.0, 0.0)


def test_a_difference_of_calibration_errors_lies_within_1_of_0() -> None:
    sure, right = np.ones(3), np.array([True, False, False])
    for old, new, end in ((right, sure == 1, "low"), (sure == 1, right, "high")):
        found = calibration_difference(sure, old, sure, new)
        assert found is not None
        assert found.interval is not None
        assert getattr(found.interval, end) == (-1.0 if end == "low" else 1.0)
        assert -1 <= found.interval.low < found.interval.high <= 1


def test_no_p_value_is_0_and_one_that_is_too_small_is_said_in_words() -> None:
    # 2 * 2^-5900, and one column that tells 3,000 right answers from 3,000 wrong ones: below every number of 64 bits.
    assert float(mcnemar(5900, 0)) == LEAST_P == 5e-324
    assert 0 < fisher(0, 3000, 3000, 6000) < 1e-300
    assert fisher(0, 5, 5, 10) == pytest.approx(2 / 252)
    listed = slices_of({("side", "l"): (3000, 3000), ("side", "r"): (3000, 0)}, {"side": (6000, 3000)})
    assert all(0 < one.adjusted < 1e-300 for one in listed)
    assert [p_words(one) for one in (LEAST_P, 0.0, 0.0312, None)] == [
        "p < 1e-300", "p < 1e-300", "p = 0.031", "p not defined",
    ]  # fmt: skip
