"""Intervals of calibration errors hold the model's own error as often as docs/accuracy.md says."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest
from scipy import stats

from pellucid.measures import calibration_intervals as measured
from pellucid.measures.calibration import Reliability, equal_width, expected_error, interval_of
from pellucid.measures.calibration_errors import calibration_errors
from pellucid.measures.calibration_intervals import Gaps, error_interval
from pellucid.record.schema import Interval
from support.calibrated import fine
from support.simulated_calibration import FEW_OR_CERTAIN, KINDS, NUMBERS, TRUTHS, Held, simulated, together

PAGE = (Path(__file__).parents[2] / "docs" / "accuracy.md").read_text(encoding="utf-8")
ROW = re.compile(r"^\| ([^|]+) \| ([^|]+) \| ([\d.]+)% \| ([\d.]+)% \| ([\d.]+)% \| ([\d.]+)% \|$", re.MULTILINE)
DOCUMENTED = {
    (truth, kind): [float(one) / 100 for one in shares] for truth, kind, *shares in ROW.findall(PAGE) if kind in KINDS
}
# Gaps that are exactly none in some bins and large in others: which bins is not known, and costs coverage.
STEP = next(truth for truth in TRUTHS if "else calibrated" in truth)
TIMES = 150


def test_every_documented_coverage_but_that_of_a_step_lies_about_95_percent() -> None:
    assert {truth for truth, _ in DOCUMENTED} <= set(TRUTHS)
    assert (STEP, "equal width") in DOCUMENTED
    assert {kind for _, kind in DOCUMENTED} == set(KINDS)
    for (truth, kind), shares in DOCUMENTED.items():
        least = 0.75 if truth == STEP else 0.93
        # Bins that are chosen by the right answers hold less chance than given ones; a kernel's upper end is for gaps of one sign.
        most = 0.985 if kind in ("monotone", "kernel") else 0.97
        assert all(least <= share <= most for share in shares), (truth, kind)


@pytest.mark.parametrize("truth", ["calibrated", "slightly overconfident", "badly overconfident"])
@pytest.mark.parametrize("kind", ["equal width", "monotone", "debiased", "kernel"])
def test_simulating_again_agrees_with_the_page(truth: str, kind: str) -> None:
    for number, documented in zip(NUMBERS, DOCUMENTED[truth, kind], strict=True):
        if number in (500, 100_000):
            cells = [
                simulated(model, truth, number, {kind: KINDS[kind]}, TIMES, seed=1)[kind]
                for model in ("2 classes", "10 classes")
            ]
            found = together(cells)
            # Four standard errors of the shorter simulation.
            assert found.share == pytest.approx(documented, abs=4 * np.sqrt(0.05 * 0.95 / found.times)), number


def test_too_narrow_an_interval_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    """The simulation can fail: the delta method's interval about the found error holds next to none of a small error."""
    from support import simulated_calibration as simulation

    def plain(bins: Reliability, *, squared: bool = False) -> Interval:
        found = expected_error(bins)
        assert found is not None
        half = 1.96 * 0.4 / np.sqrt(bins.total)
        return Interval(found - half, found + half, 0.95, "delta")

    monkeypatch.setattr(simulation, "interval_of", plain)
    found = simulated("10 classes", "slightly overconfident", 500, {"equal width": KINDS["equal width"]}, TIMES)
    assert found["equal width"].share < 0.9


def test_the_order_of_likelihood_ratios_leaves_out_5_percent_at_every_mean_and_no_value_below_0_at_0() -> None:
    values = np.linspace(-9, 16, 50_001)
    for mean in (0.0, 0.05, 0.5, 1.0, 2.0, 3.5, 7.0):
        kept = np.array([abs(measured._surprise(mean, value)) <= 0.95 for value in values])
        share = (stats.norm.pdf(values, mean) * kept).sum() * (values[1] - values[0])
        assert share == pytest.approx(0.95, abs=5e-4), mean
        # One run of values, and a test that goes from one side to two.
        assert np.abs(np.diff(kept.astype(int))).sum() in ((1,) if mean == 0 else (1, 2))
    # At 0 found the means up to 1.96 are kept; far from 0 it is the interval of a normal mean.
    for found, low, high in ((0.0, 0.0, 1.96), (5.0, 3.04, 6.96)):
        means = np.linspace(0, 8, 8001)
        there = means[[abs(measured._surprise(mean, found)) <= 0.95 for mean in means]]
        assert (there.min(), there.max()) == pytest.approx((low, high), abs=0.006)


def test_moments_of_a_folded_normal_are_scipys() -> None:
    for mean, deviation in ((0.0, 1.0), (0.3, 0.5), (-2.0, 0.7), (5.0, 1.0)):
        own = stats.foldnorm(abs(mean) / deviation, scale=deviation)
        wanted = (own.mean(), own.var(), own.stats("s") * own.std() ** 3)
        found = measured.folded(np.array([mean]), np.array([deviation]))
        np.testing.assert_allclose([one[0] for one in found], wanted, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("squared", [False, True])
def test_moments_of_the_error_are_those_of_simulated_records(squared: bool) -> None:
    random = np.random.default_rng(3)
    shares, confidence = np.array([0.2, 0.3, 0.5]), np.array([0.4, 0.7, 0.9])
    gaps = np.array([0.05, -0.01, -0.03])
    found = []
    for _ in range(4000):
        counts = random.multinomial(3000, shares)
        accuracy = random.binomial(counts, confidence + gaps) / counts
        found.append(Gaps(counts.astype(float), confidence, accuracy, squared))
    errors = np.array([one.error(one.gaps) for one in found])
    mean, deviation, skewness = Gaps(3000 * shares, confidence, confidence, squared).moments(gaps)
    assert errors.mean() == pytest.approx(mean, rel=0.01)
    assert errors.std() == pytest.approx(deviation, rel=0.05)
    assert stats.skew(errors) == pytest.approx(skewness, abs=0.15)


def test_an_error_that_chance_explains_has_an_interval_from_0_and_one_that_it_does_not_has_none() -> None:
    random = np.random.default_rng(0)
    confidences = random.beta(4, 1.5, 2000)
    listed = {one.name: one for one in calibration_errors(fine(confidences, random.random(2000) < confidences))}
    chance = listed["equal width"]
    assert chance.interval is not None
    assert chance.limit is not None
    assert chance.interval.low == 0
    assert 0 < chance.interval.high < chance.limit
    assert chance.interval.method == "test inversion"
    listed = {one.name: one for one in calibration_errors(fine(confidences, random.random(2000) < confidences - 0.15))}
    for name in ("equal width", "equal mass", "monotone", "debiased", "kernel"):
        interval = listed[name].interval
        assert interval is not None
        assert 0.1 < interval.low < 0.15 < interval.high < 0.2, name


def test_few_examples_and_certain_ones_have_an_interval_and_none_has_none() -> None:
    assert error_interval(Gaps(np.zeros(0), np.zeros(0), np.zeros(0))) is None
    for confidences, right in FEW_OR_CERTAIN:
        for squared in (False, True):
            bins = equal_width(fine(confidences, right))
            interval = interval_of(bins, squared=squared)
            if interval is None:
                assert squared
                assert bins.counts.max() == 1
                continue
            assert 0 <= interval.low <= interval.high <= 1
            assert np.isfinite([interval.low, interval.high]).all()
    # Sure and wrong half the time: nothing but a large error is left.
    wrong = interval_of(equal_width(fine(np.full(50, 1.0), np.arange(50) < 25)))
    assert wrong is not None
    assert 0.3 < wrong.low < 0.5 < wrong.high < 0.7


def test_simulations_add_up() -> None:
    assert together([Held(10, 1, 0), Held(30, 0, 3)]) == Held(40, 1, 3)


FEW = [(confidence, accuracy) for confidence in (0.6, 0.99) for accuracy in (0.3, 0.6, 0.9, 0.99)]


def one_bin(number: int, confidence: float, right: int) -> Interval:
    interval = error_interval(Gaps(np.array([number]) * 1.0, np.array([confidence]), np.array([right / number])))
    assert interval is not None
    return interval


@pytest.mark.parametrize(("confidence", "accuracy"), FEW)
def test_of_few_examples_as_many_intervals_hold_the_error_as_the_page_says(confidence: float, accuracy: float) -> None:
    shares = []
    for number in (10, 50, 1000):
        held = 0.0
        # Exactly, by the binomial distribution of the right answers.
        for right in range(number + 1):
            if (likely := float(stats.binom.pmf(right, number, accuracy))) > 1e-6:
                interval = one_bin(number, confidence, right)
                assert interval.high - interval.low > 1e-3
                held += likely * (interval.low - 1e-12 <= abs(accuracy - confidence) <= interval.high + 1e-12)
        shares.append(f"{held:.1%}")
    assert f"| {confidence} | {accuracy} | {' | '.join(shares)} |" in PAGE


def test_answers_that_are_all_right_or_all_wrong_leave_as_much_open_as_their_share_does() -> None:
    share = stats.binomtest(0, 10).proportion_ci(method="wilson")
    wrong, right = one_bin(10, 0.99, 0), one_bin(10, 0.99, 10)
    assert (wrong.low, wrong.high) == pytest.approx((0.99 - share.high, 0.99))
    assert (right.low, right.high) == pytest.approx((0.0, 0.99 - (1 - share.high)))
    # And in bins and kernels of any kind.
    for one in calibration_errors(fine(np.full(10, 0.99), np.zeros(10, bool))):
        assert one.interval is not None
        assert (one.interval.low, one.interval.high) == pytest.approx((0.99 - share.high, 0.99), abs=1e-6), one.name


@pytest.mark.parametrize(("number", "right"), [(4, 3), (6, 3), (10, 9)])
def test_the_interval_of_the_debiased_error_holds_it_where_confidences_are_certain(number: int, right: int) -> None:
    listed = {one.name: one for one in calibration_errors(fine(np.ones(number), np.arange(number) < right))}
    one = listed["debiased"]
    gap, accuracy = 1 - right / number, right / number
    value = np.sqrt(max(0.0, gap**2 - accuracy * gap / (number - 1)))
    assert one.value == pytest.approx(value)
    assert one.interval is not None
    assert one.interval.low <= value < one.interval.high
