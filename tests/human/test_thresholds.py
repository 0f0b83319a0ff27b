"""Psychometric curves: the fit against planted curves and a maximum-likelihood fit by scipy, and the panel of a record."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import optimize, stats

from pellucid.errors import MissingExtraError, OptionError
from pellucid.human import import_people
from pellucid.human.levels import by_distortion, falls, scale_of
from pellucid.human.thresholds import add_thresholds
from pellucid.measures.psychometric import Fit, accuracy_at, fit_curve, threshold_difference
from pellucid.record import Record, schema
from support.answered import answered
from support.judged import model_vs_human

SPAN = stats.norm.ppf(0.95) - stats.norm.ppf(0.05)
LEVELS = np.array([0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0])


def truth(
    levels: NDArray[np.float64], threshold: float, width: float, choices: int, lapse: float
) -> NDArray[np.float64]:
    rising = stats.norm.cdf(SPAN * (np.log10(levels) - np.log10(threshold)) / width)
    return np.asarray(1 / choices + (1 - 1 / choices - lapse) * rising)


def test_the_curve_is_the_cumulative_gaussian_with_guesses_and_lapses() -> None:
    places = np.log10(LEVELS)
    np.testing.assert_allclose(accuracy_at(places, -1, 0.8, 0.25, 0.02, False), truth(LEVELS, 0.1, 0.8, 4, 0.02))
    falling = accuracy_at(places, -1, 0.8, 0.25, 0.02, True)
    np.testing.assert_allclose(falling + accuracy_at(places, -1, 0.8, 0.25, 0.02, False), 2 * 0.25 + 0.73)
    # The width lies between F = 0.05 and F = 0.95.
    ends = accuracy_at(np.array([-1.4, -0.6]), -1, 0.8, 0.0, 0.0, False)
    np.testing.assert_allclose(ends, [0.05, 0.95])


def test_a_fit_to_many_answers_is_the_truth_and_that_of_scipys_maximum_likelihood() -> None:
    counts = np.full(7, 4000)
    right = np.random.default_rng(0).binomial(counts, truth(LEVELS, 0.08, 0.9, 16, 0.05))
    fit = fit_curve(LEVELS, right, counts, choices=16, scale="log")

    def loss(parameters: NDArray[np.float64]) -> float:
        share = truth(LEVELS, 10 ** parameters[0], parameters[1], 16, parameters[2])
        return -float(stats.binom.logpmf(right, counts, share).sum())

    best = optimize.minimize(loss, [-1, 1, 0.02], method="Nelder-Mead", options={"xatol": 1e-6, "fatol": 1e-8}).x
    assert fit.threshold is not None
    assert fit.width is not None
    assert fit.lapse is not None
    assert np.log10(fit.threshold) == pytest.approx(best[0], abs=0.01)
    assert fit.width == pytest.approx(best[1], abs=0.03)
    assert fit.lapse == pytest.approx(best[2], abs=0.005)
    assert fit.threshold == pytest.approx(0.08, rel=0.05)
    assert fit.at == pytest.approx(1 / 16 + (1 - 1 / 16 - fit.lapse) / 2)
    assert not fit.falling
    assert fit.overdispersion is None


def test_answers_that_vary_more_than_independent_ones_widen_the_interval_where_that_is_allowed() -> None:
    counts = np.full(7, 200)
    wild = np.clip(truth(LEVELS, 0.08, 0.9, 16, 0.05) + np.array([0.05, -0.05, 0.15, -0.15, 0.15, -0.1, 0.03]), 0, 1)
    right = np.round(wild * counts).astype(int)
    alone, together = (
        fit_curve(LEVELS, right, counts, choices=16, scale="log", falling=False, overdispersed=one)
        for one in (False, True)
    )
    assert together.overdispersion is not None
    assert together.overdispersion > 0.1
    assert alone.threshold_interval is not None
    assert together.threshold_interval is not None
    widths = [np.log(one.high / one.low) for one in (alone.threshold_interval, together.threshold_interval)]
    assert widths[1] > 1.5 * widths[0]


def test_a_falling_curve_with_a_level_of_zero_is_the_rising_one_turned_about() -> None:
    levels = np.array([0, 1, 2, 4, 8, 16, 32.0])
    share = accuracy_at(np.log10(np.maximum(levels, 1e-9)), np.log10(6), 0.8, 1 / 16, 0.03, True)
    fit = fit_curve(levels, np.round(share * 500).astype(int), np.full(7, 500), choices=16, scale="log")
    assert fit.falling
    assert fit.threshold == pytest.approx(6, rel=0.05)
    assert fit.threshold_interval is not None
    assert fit.threshold_interval.low < 6 < fit.threshold_interval.high


def test_simulated_observers_thresholds_lie_within_their_intervals() -> None:
    # Twenty here; docs/human-measures.md has the run of hundreds. Fewer than 16 come by chance in one of four hundred draws.
    rng = np.random.default_rng(7)
    hits = 0
    for _ in range(20):
        threshold = 10 ** rng.uniform(-1.5, -0.6)
        right = rng.binomial(40, truth(LEVELS, threshold, 0.9, 16, 0.03))
        fit = fit_curve(LEVELS, right, np.full(7, 40), choices=16, scale="log", falling=False)
        one = fit.threshold_interval
        hits += one is not None and one.low <= threshold <= one.high
    assert hits >= 16


@pytest.mark.parametrize(
    ("levels", "right", "said"),
    [
        ([0.1, 0.2], [3, 9], "3 levels at least, there are 2"),
        ([0.1, 0.2, 0.3], [10, 10, 10], "every answer at every level is right"),
        ([0.1, 0.2, 0.3], [0, 0, 0], "no answer"),
        ([0.1, 0.2, 0.3, 0.4], [1, 0, 1, 2], "above the levels"),
    ],
)
def test_what_has_no_threshold_says_why(levels: list[float], right: list[int], said: str) -> None:
    fit = fit_curve(levels, right, [10] * len(levels), choices=16, scale="linear", falling=False)
    assert (fit.threshold, fit.at) == (None, None)
    assert said in fit.why
    assert threshold_difference(fit, fit, "linear") == (None, None)


def test_thresholds_are_compared_by_ratios_on_a_log_scale_and_differences_on_a_linear_one() -> None:
    def fit(threshold: float, low: float, high: float) -> Fit:
        return Fit(False, 0.1, threshold=threshold, threshold_interval=schema.Interval(low, high))

    value, interval = threshold_difference(fit(4, 3, 5), fit(1, 0.5, 1.5), "linear")
    assert interval is not None
    assert value == 3
    assert interval.low == pytest.approx(3 - np.hypot(1, 0.5))
    value, interval = threshold_difference(fit(4, 2, 8), fit(1, 0.5, 2), "log")
    assert interval is not None
    assert value == pytest.approx(4)
    assert (interval.low, interval.high) == pytest.approx((4 / 2 ** np.sqrt(2), 4 * 2 ** np.sqrt(2)))


def test_conditions_are_read_as_levels() -> None:
    found, rest = by_distortion(["contrast=1", "contrast=.5", "blur=2", "grey", "blur = 0"])
    assert {name: [level.value for level in levels] for name, levels in found.items()} == {
        "contrast": [0.5, 1.0], "blur": [0.0, 2.0]
    }  # fmt: skip
    assert rest == [3]
    found, rest = by_distortion(["c05", "c100", "c10", "x1"], "contrast")
    assert [level.value for level in found["contrast"]] == [5, 10, 100]
    assert rest == [3]
    found, _ = by_distortion(["0.6", "0", "0.35"], "uniform-noise")
    assert scale_of("uniform-noise", found["uniform-noise"]) == "linear"
    assert falls("uniform-noise") is None
    assert (falls("blur"), falls("contrast"), falls("jpeg")) == (True, False, False)


def planted(folder: Path, model_threshold: float) -> Path:
    """Two people with a threshold of 0.05 and a model with another, on 40 images at seven levels of contrast."""
    rng = np.random.default_rng(5)
    classes, conditions = ["cat", "dog", "bird", "bear"], [f"contrast={level:g}" for level in LEVELS]
    shown = [(condition, image) for condition in range(7) for image in range(40)]
    category = rng.integers(0, 4, len(shown))
    levels = LEVELS[[condition for condition, _ in shown]]

    def answers(threshold: float) -> list[int]:
        right = rng.random(len(shown)) < truth(levels, threshold, 0.8, 4, 0.02)
        other = (category + rng.integers(1, 4, len(shown))) % 4
        return np.where(right, category, other).tolist()

    ids = [f"{conditions[condition]}/i{image}.png" for condition, image in shown]
    record = answered(
        folder / "net.pellucid",
        category.tolist(),
        answers(model_threshold),
        classes=classes,
        ids=ids,
        columns={"condition": [conditions[condition] for condition, _ in shown]},
    )
    for person in range(2):
        said = [classes[place] for place in answers(0.05)]
        model_vs_human(
            folder / "answers" / f"exp_subject-{person}_session_1.csv", f"s{person}", [f"i{image}.png" for _, image in shown],
            [classes[place] for place in category], said, conditions=[conditions[place] for place, _ in shown],
        )  # fmt: skip
    import_people(folder / "answers", record)
    return record


def test_a_record_says_who_stands_more_with_everybodys_curve(tmp_path: Path) -> None:
    record = planted(tmp_path, 0.2)
    panel = add_thresholds(record)
    assert Record(record).panel("psychometrics") == panel
    (series,) = panel.series
    assert (series.distortion, series.scale, series.count) == ("contrast", "log", 560)
    assert [curve.kind for curve in series.curves] == ["person"] * 2 + ["people", "model"]
    people, model = series.curves[-2:]
    assert people.guess == 0.25
    assert people.threshold == pytest.approx(0.05, rel=0.35)
    assert model.threshold == pytest.approx(0.2, rel=0.5)
    assert [point.count for point in people.points] == [80] * 7
    assert [point.count for point in model.points] == [40] * 7
    assert people.points[0].condition == "contrast=0.01"
    assert series.ratio == pytest.approx(model.threshold / people.threshold)
    assert series.ratio_interval is not None
    assert series.ratio_interval.low > 1
    assert series.answer.startswith("People stand more contrast")
    assert [finding.kind for finding in panel.findings] == ["distortion-threshold"]
    assert panel.left_out == {}


def test_answers_without_levels_and_records_without_answers_are_refused(tmp_path: Path) -> None:
    record = answered(tmp_path / "net.pellucid", [0, 1, 2], [0, 1, 2], ids=["a.png", "b.png", "c.png"])
    with pytest.raises(OptionError, match="holds no answers of people"):
        add_thresholds(record)
    model_vs_human(tmp_path / "s_1.csv", "s", ["a.png", "b.png"], ["cat", "dog"], ["cat", "dog"])
    import_people(tmp_path / "s_1.csv", record)
    with pytest.raises(OptionError, match="answers at 3 levels of a distortion"):
        add_thresholds(record)


def test_without_psignifit_its_install_line_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "psignifit", None)
    with pytest.raises(MissingExtraError, match=r"pip install 'pellucid\[psychometrics\]'"):
        fit_curve([1, 2, 3], [1, 5, 9], [10, 10, 10], choices=4, scale="linear")
