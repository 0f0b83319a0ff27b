"""Calibration and temperature, against scikit-learn, scipy, netcal and closed forms."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import integrate, optimize, special, stats
from sklearn.calibration import calibration_curve

from pellucid.measures import calibration as measured
from pellucid.measures.calibration_classes import class_wise
from pellucid.measures.calibration_errors import calibration_errors
from pellucid.measures.calibration_kernel import kernel_error
from pellucid.measures.temperature import (
    INVERSE,
    LOSS,
    ONE,
    SLOPE,
    TemperatureSums,
    fit,
    keys,
    share_of,
    temperature,
)
from support.calibrated import fine


def answers(count: int = 3000, seed: int = 0, over: float = 0.08) -> tuple[np.ndarray, np.ndarray]:
    """Confidences, and right answers less often than they say."""
    random = np.random.default_rng(seed)
    confidences = random.beta(4, 1.5, count)
    return confidences, random.random(count) < np.clip(confidences - over, 0, 1)


def sharp_logits(count: int = 4000, sharpness: float = 2.0, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Logits of a calibrated model, multiplied: the right temperature is the sharpness."""
    random = np.random.default_rng(seed)
    logits = random.normal(size=(count, 4)) * 1.5
    target = np.argmax(logits + random.gumbel(size=logits.shape), axis=1)
    return logits * sharpness, target


def sums_of(logits: np.ndarray, target: np.ndarray) -> TemperatureSums:
    sums = TemperatureSums.empty()
    sums.add(logits, target)
    return sums


@pytest.mark.parametrize("number", [5, 10, 15, 20, 30])
def test_equal_width_bins_are_made_of_whole_fine_ones(number: int) -> None:
    # float32, as the table keeps them: their products with the numbers of bins are exact.
    confidences, right = answers()
    confidences = np.append(confidences.astype(np.float32).astype(float), [1.0, 0.0, 0.2, 1 / 3])
    right = np.append(right, [True, False, True, False])
    bins = measured.equal_width(fine(confidences, right), number)
    places = measured.bin_of(confidences, number)
    np.testing.assert_array_equal(bins.counts, np.bincount(places, minlength=number))
    np.testing.assert_array_equal(bins.correct, np.bincount(places[right], minlength=number))
    np.testing.assert_allclose(bins.confidences, np.bincount(places, weights=confidences, minlength=number))
    np.testing.assert_allclose(bins.edges, np.arange(number + 1) / number)


def test_scikit_learn_draws_the_same_diagram() -> None:
    confidences, right = answers()
    bins = measured.equal_width(fine(confidences, right), 10)
    filled = bins.counts > 0
    accuracy, confidence = calibration_curve(right, confidences, n_bins=10)
    np.testing.assert_allclose(bins.correct[filled] / bins.counts[filled], accuracy)
    np.testing.assert_allclose(bins.confidences[filled] / bins.counts[filled], confidence)
    mass = measured.equal_mass(fine(confidences, right), 10)
    accuracy, confidence = calibration_curve(right, confidences, n_bins=10, strategy="quantile")
    # The cuts lie at the next multiple of 1/3000.
    np.testing.assert_allclose(mass.confidences / mass.counts, confidence, atol=2e-3)
    np.testing.assert_allclose(mass.correct / mass.counts, accuracy, atol=2e-2)


def test_netcal_finds_the_same_errors() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from netcal.metrics import ECE

        logits, target = sharp_logits(2000)
        probabilities = special.softmax(logits, axis=1)
        peer = ECE(15).measure(probabilities, target)
    confidences, right = probabilities.max(axis=1), probabilities.argmax(axis=1) == target
    bins = measured.equal_width(fine(confidences, right))
    assert measured.expected_error(bins) == pytest.approx(peer, abs=1e-9)


def test_a_confidence_of_one_lies_in_the_last_bin() -> None:
    """The closed form decides: |1 - 0.5| of four certain answers, two right. torchmetrics adds a bin beyond the last."""
    bins = fine(np.ones(4), np.array([True, True, False, False]))
    assert bins.counts[-1] == 4
    for one in calibration_errors(bins)[:3]:
        assert one.value == 0.5
        assert one.count == 4
    mass = measured.equal_mass(bins)
    assert mass.counts.tolist() == [0, 4] or mass.counts.tolist() == [4]


@settings(max_examples=50, deadline=None, derandomize=True, database=None)
@given(st.lists(st.floats(0, 1), min_size=1, max_size=200), st.integers(1, 20))
def test_equal_mass_bins_hold_all_and_no_more_than_a_share_and_a_fine_bin(values: list[float], number: int) -> None:
    confidences = np.array(values)
    bins = fine(confidences, confidences > 0.5)
    mass = measured.equal_mass(bins, number)
    assert mass.counts.sum() == len(values)
    assert len(mass.counts) <= number
    assert mass.counts.max() <= len(values) / number + bins.counts.max()
    assert mass.edges[0] == 0
    assert mass.edges[-1] == 1


def test_the_debiased_error_is_its_formula_and_is_about_zero_of_a_calibrated_model() -> None:
    bins = measured.Reliability(np.array([0.0, 0.5, 1.0]), np.array([10, 40]), np.array([3.0, 32.0]), np.array([5, 28]))
    first = (0.5 - 0.3) ** 2 - 0.25 / 9
    second = (0.7 - 0.8) ** 2 - 0.21 / 39
    assert measured.debiased_error(bins) == pytest.approx(np.sqrt((10 * first + 40 * second) / 50))
    confidences, right = answers(over=0.0)
    calibrated = measured.equal_mass(fine(confidences, right))
    assert measured.debiased_error(calibrated) < 0.02  # type: ignore[operator]
    assert measured.debiased_error(fine(np.array([0.3]), np.array([True]))) is None


def test_monotone_bins_are_the_most_whose_accuracies_ascend() -> None:
    confidences, right = answers()
    bins = fine(confidences, right)
    found = measured.monotone(bins)
    accuracy = found.correct / found.counts
    assert (np.diff(accuracy) >= 0).all()
    assert len(found.counts) > 3
    more = measured.equal_mass(bins, len(found.counts) + 1)
    assert (np.diff(more.correct / more.counts) < 0).any()


def reflected(gaps: np.ndarray, width: float) -> float:
    """The integral over [0, 1] of |sum of gaps times reflected Gaussians|, by quadrature."""
    places = (np.arange(len(gaps)) + 0.5) / len(gaps)
    some = np.flatnonzero(gaps)

    def height(at: float) -> float:
        images = [shift + sign * places[some] for shift in (-2, 0, 2) for sign in (1, -1)]
        return float(abs(sum((gaps[some] * stats.norm.pdf(at, image, width)).sum() for image in images)))

    return float(integrate.quad(height, 0, 1, limit=200, epsabs=1e-6)[0])


def test_the_kernel_error_is_where_error_and_width_meet() -> None:
    random = np.random.default_rng(2)
    confidences = random.choice([0.25, 0.6, 0.9], 500)
    right = random.random(500) < np.select([confidences < 0.5, confidences < 0.8], [0.5, 0.45], 0.8)
    bins = fine(confidences, right)
    gaps = np.add.reduceat((bins.correct - bins.confidences) / 500, np.arange(0, measured.FINE, 5))
    wanted = optimize.brentq(lambda width: reflected(gaps, width) - width, 0.01, 0.9, xtol=1e-5)
    assert kernel_error(bins) == pytest.approx(wanted, abs=2e-3)
    # One confidence: whatever the kernel is, it holds the whole gap.
    assert kernel_error(fine(np.full(50, 0.9), np.arange(50) < 30)) == pytest.approx(0.3, abs=1e-3)


def test_chance_is_what_calibrated_models_show() -> None:
    random = np.random.default_rng(4)
    confidences = random.beta(4, 1.5, 2000)
    errors = []
    for _ in range(400):
        bins = measured.equal_width(fine(confidences, random.random(2000) < confidences))
        errors.append(measured.expected_error(bins))
    mean, limit = measured.chance(bins)
    assert mean == pytest.approx(np.mean(errors), rel=0.05)
    assert 0.02 <= np.mean(np.array(errors) > limit) <= 0.08


def test_class_wise_is_the_mean_over_classes() -> None:
    counts, sums = np.array([[4, 6], [10, 0]]), np.array([[1.0, 5.0], [2.0, 0.0]])
    positives = np.array([[2, 4], [1, 0]])
    assert class_wise(counts, sums, positives) == pytest.approx(((1 + 1) / 10 + 1 / 10) / 2)
    assert class_wise(counts * 0, sums * 0, positives * 0) is None


def test_nothing_is_not_calibrated() -> None:
    for one in calibration_errors(fine(np.zeros(0), np.zeros(0, bool))):
        assert one.value is None
        assert one.why


def loss_at(logits: np.ndarray, target: np.ndarray, inverse: float) -> float:
    scaled = logits * inverse
    return float((special.logsumexp(scaled, axis=1) - scaled[np.arange(len(target)), target]).mean())


def test_the_sums_are_the_losses_and_slopes_at_every_temperature() -> None:
    logits, target = sharp_logits(300)
    sums = sums_of(logits + 700, target).sums / 300
    for place, inverse in enumerate(INVERSE):
        assert sums[LOSS, place] == pytest.approx(loss_at(logits, target, inverse), rel=1e-9)
        numeric = (loss_at(logits, target, inverse + 1e-5) - loss_at(logits, target, inverse - 1e-5)) / 2e-5
        assert sums[SLOPE, place] == pytest.approx(numeric, abs=1e-6)
    probabilities = special.softmax(logits, axis=1)
    bins = measured.equal_width(fine(probabilities.max(axis=1), probabilities.argmax(axis=1) == target))
    assert measured.expected_error(sums_of(logits, target).reliability(ONE)) == pytest.approx(
        measured.expected_error(bins), abs=1e-9
    )


@pytest.mark.parametrize("sharpness", [0.37, 1.0, 2.9, 6.1])
def test_the_temperature_is_scipys_within_its_stated_error(sharpness: float) -> None:
    logits, target = sharp_logits(2000, sharpness)
    found = fit(sums_of(logits, target).sums)
    assert found is not None
    wanted = optimize.minimize_scalar(
        lambda inverse: loss_at(logits, target, inverse), bounds=(1 / 16, 8), method="bounded", options={"xatol": 1e-9}
    ).x
    inverse, moved = found
    assert abs(np.log(inverse / wanted)) <= moved + 1e-6
    assert moved < 0.01
    assert abs(np.log(inverse / wanted)) < 2e-4


def test_a_model_that_is_too_sure_is_cooled_and_the_other_half_agrees() -> None:
    logits, target = sharp_logits(sharpness=2.0)
    half = keys(np.arange(len(target)), 0) < 0.5
    found = temperature(sums_of(logits[half], target[half]), sums_of(logits[~half], target[~half]))
    assert found is not None
    assert found.interval is not None
    assert found.interval.low < 2.0 < found.interval.high
    assert found.fitted + found.tested == len(target)
    assert found.gain_interval is not None
    assert found.gain_interval.low > 0
    assert found.loss_before - found.loss_after == pytest.approx(found.gain, abs=1e-12)
    assert found.ece_after < found.ece_before / 2  # type: ignore[operator]
    assert abs(np.log2(found.applied / found.temperature)) <= 1 / 8 + 1e-9
    assert found.temperatures == sorted(found.temperatures)


def test_a_certain_and_right_model_has_no_best_temperature() -> None:
    logits = np.eye(3)[[0, 1, 2, 0]] * 5
    sums = sums_of(logits, np.array([0, 1, 2, 0]))
    assert fit(sums.sums) is None
    assert temperature(sums, sums) is None
    assert temperature(TemperatureSums.empty(), sums) is None


def test_impossible_classes_stay_impossible() -> None:
    with np.errstate(divide="ignore"):
        logits = np.log(np.array([[0.5, 0.5, 0.0], [0.25, 0.75, 0.0]]))
    sums = sums_of(logits, np.array([0, 1])).sums
    assert np.isfinite(sums).all()
    assert sums[LOSS, ONE] == pytest.approx(-np.log(0.5) - np.log(0.75))


def test_halves_are_even_and_the_seed_deals_them() -> None:
    rows = np.arange(20_000)
    assert stats.kstest(keys(rows, 0), "uniform").pvalue > 1e-3
    assert abs(np.corrcoef(keys(rows, 0), keys(rows, 1))[0, 1]) < 0.02
    np.testing.assert_array_equal(keys(rows[::-1], 3)[::-1], keys(rows, 3))
    assert [share_of(classes) for classes in (10, 64, 128, 100_000)] == [1, 1, 0.5, 1 / 16]


@settings(max_examples=20, deadline=None, derandomize=True, database=None)
@given(st.integers(0, 60))
def test_merged_halves_are_the_whole(cut: int) -> None:
    logits, target = sharp_logits(60)
    whole = sums_of(logits, target)
    both = sums_of(logits[:cut], target[:cut]).merged(sums_of(logits[cut:], target[cut:]))
    assert whole.count == both.count
    np.testing.assert_allclose(whole.sums, both.sums, rtol=1e-9, atol=1e-9)
    np.testing.assert_array_equal(whole.counts, both.counts)
    np.testing.assert_array_equal(whole.correct, both.correct)


def test_equal_mass_bins_are_cut_where_each_share_is_reached() -> None:
    confidences = np.array([0.1, 0.2, 0.3, 0.4, 0.5, 0.6])
    bins = fine(confidences, np.zeros(6, bool))
    assert measured.equal_mass(bins, 3).counts.tolist() == [2, 2, 2]
    np.testing.assert_allclose(measured.equal_mass(bins, 2).edges, [0, 0.3, 1], atol=1e-12)
