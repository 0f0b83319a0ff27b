"""What the interval of the smooth calibration error is made of, against simulation, closed forms and a slow twin."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from scipy import stats

from pellucid.measures import calibration_kernel as measured
from pellucid.measures.calibration import Reliability
from pellucid.record.schema import Interval
from support.calibrated import fine
from support.simulated_calibration import CONFIDENCES, FEW_OR_CERTAIN, KINDS, MODELS, TRUTHS, drawn, simulated

Floats = np.ndarray


def record(number: int = 1000, truth: str = "slightly overconfident", seed: int = 0) -> Reliability:
    return drawn(np.random.default_rng(seed), MODELS["10 classes"], TRUTHS[truth], number)


@pytest.mark.parametrize(
    ("width", "truth"),
    [(0.004, "slightly overconfident"), (0.03, "slightly overconfident"), (0.2, "badly overconfident")],
)
def test_the_bins_are_what_a_kernel_sees_and_their_error_is_the_integral(width: float, truth: str) -> None:
    bins = record(truth=truth)
    gaps = (bins.correct - bins.confidences) / bins.total
    found = measured.Smoothed.of(bins, width)
    assert found.shares.sum() == pytest.approx(1)
    assert found.number == bins.total
    # Where nothing lies between points, a sum over them is the integral; |gaps| have kinks at their zeros.
    assert found.error(found.gaps) == pytest.approx(measured.smoothed(gaps, width), rel=0.03)


def test_a_kernel_that_sees_one_confidence_sees_it_from_everywhere_as_one_bin() -> None:
    bins = fine(np.full(400, 0.6), np.arange(400) < 200)
    found = measured.Smoothed.of(bins, 0.05)
    np.testing.assert_allclose(found.counts, 400)
    np.testing.assert_allclose(found.gaps, -0.1)
    np.testing.assert_allclose(found.correlations, 1)
    # The gap's own variance, and that of any weighted mean.
    weights = found.shares
    assert found.spread(weights) == pytest.approx(float(found.variances[0]))


def test_moments_are_those_of_jointly_normal_gaps() -> None:
    bins = record(1000)
    for width, gap in ((0.02, 0.0), (0.02, -0.02), (0.06, -0.05), (0.06, 0.01)):
        of = measured.Smoothed.of(bins, width)
        means = of.shares * gap * np.sin(9 * of.confidence)
        deviations = of.shares * np.sqrt(of.confidence * (1 - of.confidence) / of.counts)
        covariance = of.correlations * np.outer(deviations, deviations)
        drawn_values = np.random.default_rng(1).multivariate_normal(means, covariance, 40_000, method="eigh")
        sums = np.abs(drawn_values).sum(axis=1)
        mean, variance, third = of.of_sum(means, deviations)
        assert mean == pytest.approx(sums.mean(), rel=0.01)
        assert np.sqrt(variance) == pytest.approx(sums.std(), rel=0.04)
        assert third / variance**1.5 == pytest.approx(stats.skew(sums), abs=0.2)


def test_covariances_of_absolute_values_are_the_closed_form() -> None:
    """Of two standard normal values without a mean: 2 / pi (sqrt(1 - r^2) + r arcsin r - 1)."""
    _, slope, _, curve = measured.derivatives(np.zeros(1), np.ones(1))
    for correlation in (0.2, 0.5, 0.8):
        wanted = 2 / np.pi * (np.sqrt(1 - correlation**2) + correlation * np.arcsin(correlation) - 1)
        found = slope[0] ** 2 * correlation**2 / 2 + curve[0] ** 2 * correlation**4 / 24
        assert found == pytest.approx(wanted, rel=0.02)


def test_a_record_s_interval_lies_about_its_error_and_a_calibrated_one_begins_at_0() -> None:
    calibrated = measured.kernel_interval(record(2000, "calibrated"))
    assert calibrated is not None
    assert calibrated.low == 0
    for number in (200, 2000, 50_000):
        bins = record(number, "badly overconfident")
        interval, value = measured.kernel_interval(bins), measured.kernel_error(bins)
        assert interval is not None
        assert value is not None
        assert 0 < interval.low < value < interval.high < 0.2


def test_few_examples_and_certain_ones_have_an_interval_and_none_has_none() -> None:
    assert measured.kernel_interval(fine(np.zeros(0), np.zeros(0, bool))) is None
    for confidences, right in FEW_OR_CERTAIN:
        interval = measured.kernel_interval(fine(confidences, right))
        assert interval is not None
        assert 0 <= interval.low <= interval.high <= 1
        assert np.isfinite([interval.low, interval.high]).all()


def test_bins_taken_as_independent_are_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    """The simulation can fail: without what overlapping bins share, the interval holds the truth far too seldom."""

    def apart(bins: Reliability) -> Interval | None:
        gaps = (bins.correct - bins.confidences) / bins.total
        of = measured.Smoothed.of(bins, measured.width_of(gaps))
        return measured.error_interval(dataclasses.replace(of, correlations=np.eye(len(of.counts))))

    right = simulated("2 classes", "badly overconfident", 500, {"kernel": KINDS["kernel"]}, 60)["kernel"]
    monkeypatch.setattr("support.simulated_calibration.kernel_interval", apart)
    wrong = simulated("2 classes", "badly overconfident", 500, {"kernel": KINDS["kernel"]}, 60)["kernel"]
    assert right.share > 0.87
    assert wrong.share < 0.8
    assert len(CONFIDENCES) == measured.GRID
