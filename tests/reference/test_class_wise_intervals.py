"""The interval of the class-wise calibration error holds the model's own at least as often as it says."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest
from scipy import stats

from pellucid.lenses.accuracy_answer import class_wise_error
from pellucid.measures.calibration_classes import class_wise, class_wise_interval, mean_distances
from pellucid.measures.score_cells import ScoreCells
from pellucid.record.schema import Interval
from support.simulated_class_wise import CLASSES, TRUTHS, answers_of, simulated

PAGE = (Path(__file__).parents[2] / "docs" / "accuracy.md").read_text(encoding="utf-8")
ROW = re.compile(r"^\| (\d+) \| ([^|]+) \| ([\d.]+)% \| ([\d.]+)% \| ([\d.]+)% \| ([\d.]+)% \|$", re.MULTILINE)
DOCUMENTED = {
    (int(classes), truth): [float(one) / 100 for one in shares]
    for classes, truth, *shares in ROW.findall(PAGE)
    if truth in TRUTHS
}
TIMES = 60


def test_every_documented_coverage_is_at_least_95_percent() -> None:
    assert set(DOCUMENTED) == {(classes, truth) for classes in CLASSES for truth in TRUTHS}
    for shares in DOCUMENTED.values():
        assert all(0.95 <= share <= 1 for share in shares)


@pytest.mark.parametrize("classes", CLASSES)
@pytest.mark.parametrize("truth", ["calibrated", "badly overconfident"])
def test_simulating_again_holds_the_truth(classes: int, truth: str) -> None:
    for alike in (False, True):
        assert simulated(classes, truth, 1000, TIMES, alike=alike).share > 0.9


def test_an_interval_about_the_found_error_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    """The simulation can fail: an interval that does not take off what chance adds lies above a calibrated model's error."""

    def about(counts: np.ndarray, sums: np.ndarray, positives: np.ndarray, *, exclusive: bool) -> Interval:
        found, value = (
            class_wise_interval(counts, sums, positives, exclusive=exclusive),
            class_wise(counts, sums, positives),
        )
        assert found is not None
        assert value is not None
        return Interval(2 * value - found.high, found.high, 0.95, "about")

    monkeypatch.setattr("support.simulated_class_wise.class_wise_interval", about)
    assert simulated(10, "calibrated", 1000, TIMES).share < 0.1


@pytest.mark.parametrize("classes", [2, 3, 10])
@pytest.mark.parametrize("alike", [False, True])
def test_the_found_error_varies_no_more_than_twice_as_much_as_that_of_independent_cells(
    classes: int, alike: bool
) -> None:
    of, random = answers_of(classes, "calibrated", alike=alike), np.random.default_rng(1)
    found, independent = [], []
    for _ in range(300):
        counts, sums, positives = of.drawn(random, 2000)
        found.append(class_wise(counts, sums, positives))
        share = sums / np.maximum(counts, 1)
        independent.append((1 - 2 / np.pi) * float((counts * share * (1 - share)).sum()) / (2000 * classes) ** 2)
    ratio = np.var(found) / np.mean(independent)
    # Three standard errors of a variance of 300.
    assert ratio < 2 * 1.25
    if classes == 2:
        assert ratio > 2 / 1.25


def test_mean_distances_are_those_of_the_binomial_distribution() -> None:
    random = np.random.default_rng(0)
    numbers, shares = random.integers(1, 40, 60).astype(float), random.random(60)
    numbers[:5], shares[5:7] = 1.0, (0.0, 1.0)
    places = random.random(60) * numbers
    places[7:9] = 0.0, numbers[8]
    wanted = [
        sum(abs(count - place) * stats.binom.pmf(count, int(number), share) for count in range(int(number) + 1))
        for number, share, place in zip(numbers, shares, places, strict=True)
    ]
    np.testing.assert_allclose(mean_distances(numbers, shares, places), wanted, atol=1e-12)


def test_classes_that_are_copies_of_one_another_are_allowed_for_where_several_may_be_true() -> None:
    random, copies = np.random.default_rng(2), 20
    above = 0
    for _ in range(200):
        counts = np.full((1, 3), 300)
        sums = counts * np.array([0.2, 0.5, 0.9])
        positives = random.binomial(counts, sums / counts)
        many = [np.repeat(one, copies, axis=0) for one in (counts, sums, positives)]
        interval = class_wise_interval(*many, exclusive=False)
        assert interval is not None
        above += interval.low > 0
    assert above <= 20


def test_the_panel_has_it_and_of_sets_of_classes_a_wider_one() -> None:
    random = np.random.default_rng(3)
    logits = random.normal(0, 3, (500, 4))
    target = np.argmax(logits / 2 + random.gumbel(size=logits.shape), axis=1)
    cells = ScoreCells.of(logits, np.logaddexp.reduce(logits, axis=1), target, np.ones(500, bool))
    one, several = (class_wise_error(cells, 4, 500, exclusive=exclusive) for exclusive in (True, False))
    assert one.value is not None
    assert one.interval is not None
    assert several.interval is not None
    assert several.interval.low < one.interval.low < one.value < one.interval.high < several.interval.high
    assert class_wise_error(ScoreCells(), 4, 0, exclusive=True).interval is None


def test_the_ends_of_what_there_is() -> None:
    nothing = np.zeros((3, 15), np.int64)
    assert class_wise_interval(nothing, nothing * 0.0, nothing, exclusive=True) is None
    one = np.array([[1, 0], [0, 1]])
    interval = class_wise_interval(one, np.array([[0.0, 0], [0, 1.0]]), np.array([[1, 0], [0, 0]]), exclusive=True)
    assert interval is not None
    assert 0 <= interval.low <= interval.high <= 1
    assert interval.method == "at least"
