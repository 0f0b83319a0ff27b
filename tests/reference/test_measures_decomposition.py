"""The parts of the log loss and the Brier score: they add up, are what their definitions say, and find what was planted."""

from __future__ import annotations

import math
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy import special, stats
from sklearn import metrics

from pellucid.measures.decomposition import (
    EDGES,
    LEAST_DOUBT,
    Cells,
    Parts,
    Score,
    bin_of,
    contributions,
    entropy_of,
    parts,
    terms,
)

quick = settings(max_examples=40, deadline=None, derandomize=True, database=None)
Floats = NDArray[np.float64]
SCORES = pytest.mark.parametrize("score", ["log", "brier"])


def forecast(number: int, classes: int, seed: int, sharp: float = 2.0) -> tuple[Floats, NDArray[np.int64], Floats]:
    """Probabilities, hard labels drawn from other ones, and these."""
    generator = np.random.default_rng(seed)
    truth = special.softmax(generator.normal(size=(number, classes)) * sharp, axis=1)
    given_logits = np.log(truth) * 1.7 + generator.normal(size=truth.shape) * 0.5
    labels = np.array([generator.choice(classes, p=row) for row in truth])
    return special.softmax(given_logits, axis=1), labels, truth


def added(probabilities: Floats, labels: NDArray[np.int64] | None = None, soft: Floats | None = None) -> Floats:
    """What examples add, from whole rows of probabilities."""
    rows = np.arange(len(probabilities))
    first = probabilities.argmax(axis=1)
    confidence = probabilities.max(axis=1).astype(np.float32)
    if soft is not None:
        log = -(soft * np.log(probabilities)).sum(axis=1)
        brier = ((probabilities - soft) ** 2 + soft * (1 - soft)).sum(axis=1)
        entropy, variance = stats.entropy(soft, axis=1), (soft * (1 - soft)).sum(axis=1)
        return terms(confidence, soft[rows, first], log, brier, entropy, variance)
    assert labels is not None
    one_hot = np.eye(probabilities.shape[1])[labels]
    log, brier = -np.log(probabilities[rows, labels]), ((probabilities - one_hot) ** 2).sum(axis=1)
    return terms(confidence, (first == labels).astype(float), log, brier)


def cells_of(probabilities: Floats, groups: NDArray[np.int64], found: Floats) -> Cells:
    return Cells.of(groups, bin_of(probabilities.max(axis=1).astype(np.float32)), found)


def whole(probabilities: Floats, found: Floats, score: Score, *, soft: bool = False) -> Parts:
    answer = parts(cells_of(probabilities, np.zeros(len(found), np.int64), found), score, soft=soft)
    assert answer is not None
    return answer


@SCORES
@pytest.mark.parametrize("classes", [2, 3, 12])
def test_the_parts_add_up_to_what_scikit_learn_gives(score: Score, classes: int) -> None:
    probabilities, labels, _ = forecast(3000, classes, 0)
    found = whole(probabilities, added(probabilities, labels), score)
    reference = metrics.log_loss if score == "log" else metrics.brier_score_loss
    scale = {} if score == "log" else {"scale_by_half": False}
    expected = reference(labels, probabilities, labels=range(classes), **scale)
    assert found.total == pytest.approx(expected, abs=1e-12)
    assert found.calibration + found.refinement + found.within + found.naming == pytest.approx(expected, abs=1e-9)
    assert found.uncertainty - found.resolution == pytest.approx(found.refinement, abs=1e-12)
    assert found.count == 3000
    if classes == 2:
        # Of two classes the other is known: the log loss has nothing to name, the Brier score counts its event twice.
        assert found.naming == pytest.approx(0.0 if score == "log" else found.total / 2, abs=1e-6)


@SCORES
def test_each_part_is_its_definition_in_a_slow_loop(score: Score) -> None:
    probabilities, labels, _ = forecast(700, 5, 1)
    found = whole(probabilities, added(probabilities, labels), score)
    confidence = probabilities.max(axis=1).astype(np.float32).astype(float)
    right = probabilities.argmax(axis=1) == labels
    calibration = refinement = 0.0
    occupied = 0
    for low, high in pairwise(EDGES):
        inside = (confidence > low) & (confidence <= high)
        if not inside.any():
            continue
        occupied += 1
        number, a, m = inside.sum(), right[inside].mean(), confidence[inside].mean()
        if score == "log":
            calibration += number * stats.entropy([a, 1 - a], [m, 1 - m])
            refinement += number * stats.entropy([a, 1 - a])
        else:
            calibration += number * (a - m) ** 2
            refinement += number * a * (1 - a)
    assert found.calibration == pytest.approx(calibration / 700, abs=1e-12)
    assert found.refinement == pytest.approx(refinement / 700, abs=1e-12)
    assert found.bins == occupied
    answer = np.where(right, confidence, 1 - confidence)
    first = -np.log(answer).mean() if score == "log" else ((1 - answer) ** 2).mean()
    assert found.within == pytest.approx(first - (calibration + refinement) / 700, abs=1e-12)
    assert found.naming == pytest.approx(found.total - first, abs=1e-12)
    wrong = ~right
    if score == "log":
        named = -np.log(probabilities[np.arange(700), labels] / (1 - confidence))[wrong].sum() / 700
        assert found.naming == pytest.approx(named, abs=1e-6)
    else:
        others = probabilities - np.eye(5)[labels]
        others[np.arange(700), probabilities.argmax(axis=1)] = 0
        assert found.naming == pytest.approx((others**2).sum() / 700, abs=1e-6)


@SCORES
def test_confidences_that_are_one_number_a_bin_leave_nothing_within(score: Score) -> None:
    confidence = np.repeat(np.array([0.55, 0.75, 0.97], np.float32), 40)
    right = np.arange(120) % 4 != 0
    log = -np.log(np.where(right, confidence.astype(float), 1 - confidence.astype(float)))
    brier = np.where(right, 1 - confidence.astype(float), confidence.astype(float)) ** 2
    found = parts(
        Cells.of(np.zeros(120, np.int64), bin_of(confidence), terms(confidence, right.astype(float), log, brier)),
        score,
        soft=False,
    )
    assert found is not None
    assert found.within == pytest.approx(0, abs=1e-12)
    assert found.naming == pytest.approx(0, abs=1e-12)
    mean = np.mean([(0.75 - one) ** 2 for one in np.unique(confidence).astype(float)])
    if score == "brier":
        assert found.calibration == pytest.approx(mean, abs=1e-12)
    assert found.resolution == pytest.approx(0, abs=1e-12)  # every bin is as often right as all


@SCORES
def test_the_irreducible_part_is_the_entropy_of_soft_labels_and_within_the_others(score: Score) -> None:
    probabilities, _, truth = forecast(4000, 4, 2)
    found = whole(probabilities, added(probabilities, soft=truth), score, soft=True)
    expected = stats.entropy(truth, axis=1).mean() if score == "log" else (truth * (1 - truth)).sum(axis=1).mean()
    assert found.irreducible == pytest.approx(expected, abs=1e-12)
    assert found.irreducible_answer is not None
    assert 0 <= found.irreducible_answer <= found.refinement + 1e-12
    if score == "log":
        assert found.irreducible - found.irreducible_answer <= found.naming + 1e-9
    perfect = whole(truth, added(truth, soft=truth), score, soft=True)
    assert perfect.total == pytest.approx(expected, abs=1e-9)  # what knows the truth loses the irreducible part alone
    assert perfect.calibration == pytest.approx(0, abs=1e-9)


@SCORES
def test_soft_labels_that_are_certain_are_hard_labels(score: Score) -> None:
    probabilities, labels, _ = forecast(500, 4, 3)
    hard = whole(probabilities, added(probabilities, labels), score)
    soft = whole(probabilities, added(probabilities, soft=np.eye(4)[labels]), score, soft=True)
    for name in ("total", "calibration", "refinement", "within", "naming"):
        assert getattr(soft, name) == pytest.approx(getattr(hard, name), abs=1e-9)
    assert soft.irreducible == pytest.approx(0, abs=1e-12)


@SCORES
def test_what_classes_contribute_adds_up_to_every_part(score: Score) -> None:
    probabilities, labels, _ = forecast(2000, 6, 4)
    found = added(probabilities, labels)
    by_class = cells_of(probabilities, labels, found)
    all_together = parts(by_class, score, soft=False)
    assert all_together is not None
    shares = contributions(by_class, score)
    assert [one.group for one in shares] == list(range(6))
    for name in ("total", "calibration", "refinement", "within", "naming"):
        assert sum(getattr(one, name) for one in shares) == pytest.approx(getattr(all_together, name), abs=1e-9)
    for one in shares:
        own = labels == one.group
        assert one.count == own.sum()
        assert one.total == pytest.approx(found[own, 4 if score == "log" else 6].sum() / 2000, abs=1e-12)
        assert one.calibration + one.refinement + one.within + one.naming == pytest.approx(one.total, abs=1e-9)


def test_a_model_that_is_too_sure_is_found_out_by_its_calibration_and_a_blunt_one_by_its_refinement() -> None:
    generator = np.random.default_rng(5)
    logits = generator.normal(size=20_000) * 1.5
    p = special.expit(logits)
    labels = (generator.random(20_000) < p).astype(np.int64)

    def of(z: Floats) -> Parts:
        two = np.stack([special.expit(-z), special.expit(z)], axis=1)
        return whole(two, added(two, labels), "log")

    honest, sure, blunt = of(logits), of(3 * logits), of(0.2 * logits)
    assert abs(honest.calibration) < 3 * honest.bias
    assert sure.calibration > 0.1
    assert blunt.calibration > 0.05
    assert sure.refinement == pytest.approx(honest.refinement, abs=0.02)
    blind = of(np.zeros(20_000))
    assert blind.refinement == pytest.approx(math.log(2), abs=1e-3)
    assert blind.resolution == pytest.approx(0, abs=1e-9)


@SCORES
def test_the_bias_is_what_chance_adds_to_the_calibration(score: Score) -> None:
    """Perfectly calibrated answers: the calibration is chance alone, and its mean is the bias that is told."""
    generator = np.random.default_rng(6)
    confidence = np.repeat(np.array([0.55, 0.65, 0.75, 0.85], np.float32), 60)
    p = confidence.astype(float)
    found: list[tuple[float, float]] = []
    for _ in range(400):
        right = (generator.random(len(p)) < p).astype(float)
        log = -np.log(np.where(right > 0, p, 1 - p))
        made = terms(confidence, right, log, np.where(right > 0, 1 - p, p) ** 2)
        one = parts(Cells.of(np.zeros(len(p), np.int64), bin_of(confidence), made), score, soft=False)
        assert one is not None
        found.append((one.calibration, one.bias))
    calibration, bias = np.mean(found, axis=0)
    spread = np.std([one for one, _ in found]) / 20
    assert abs(calibration - bias) < 4 * spread


@quick
@given(st.data())
def test_cells_merge_in_any_order_and_split(data: st.DataObject) -> None:
    probabilities, labels, _ = forecast(120, 4, 7)
    found = added(probabilities, labels)
    cut = sorted(data.draw(st.lists(st.integers(0, 120), min_size=2, max_size=4)))
    pieces = [slice(low, high) for low, high in zip([0, *cut], [*cut, 120], strict=True)]
    total = Cells()
    for place in data.draw(st.permutations(range(len(pieces)))):
        piece = pieces[place]
        total.merge(cells_of(probabilities[piece], labels[piece], found[piece]))
    once = cells_of(probabilities, labels, found)
    np.testing.assert_array_equal(total.keys, once.keys)
    np.testing.assert_array_equal(total.sums[:, 0], once.sums[:, 0])
    np.testing.assert_allclose(total.sums, once.sums, rtol=1e-12, atol=1e-12)


@quick
@given(st.integers(0, 10_000), st.integers(2, 9), st.integers(1, 60), st.sampled_from([0.1, 2.0, 40.0]))
def test_the_parts_add_up_and_have_their_signs_whatever_comes(
    seed: int, classes: int, number: int, sharp: float
) -> None:
    probabilities, labels, _ = forecast(number, classes, seed, sharp)
    probabilities = np.maximum(probabilities, 1e-300)
    made = added(probabilities, labels)
    scores: tuple[Score, ...] = ("log", "brier")
    for score in scores:
        found = whole(probabilities, made, score)
        total = found.calibration + found.refinement + found.within + found.naming
        assert total == pytest.approx(found.total, rel=1e-12, abs=1e-9)
        assert found.calibration >= -1e-12
        assert found.refinement >= 0
        assert found.naming >= -1e-5
        assert -1e-12 <= found.uncertainty <= math.log(2) + 1e-12
        assert math.isfinite(found.within)


def test_answers_that_are_called_certain_and_are_wrong_stay_finite() -> None:
    confidence = np.ones(4, np.float32)
    made = terms(confidence, np.array([1.0, 1, 1, 0]), np.array([0.0, 0, 0, 800]), np.array([0.0, 0, 0, 2]))
    found = parts(Cells.of(np.zeros(4, np.int64), bin_of(confidence), made), "log", soft=False)
    assert found is not None
    assert found.total == 200.0
    assert found.calibration + found.refinement + found.within + found.naming == pytest.approx(200.0, abs=1e-9)
    assert found.calibration == pytest.approx(-0.25 * math.log(LEAST_DOUBT) - found.refinement, rel=1e-12)


def test_a_label_without_any_probability_leaves_the_log_loss_without_parts_and_the_brier_score_whole() -> None:
    probabilities = np.array([[1.0, 0], [0.8, 0.2], [0.6, 0.4], [1, 0]])
    labels = np.array([0, 1, 0, 1])
    with np.errstate(divide="ignore"):
        made = added(probabilities, labels)
    cells = cells_of(probabilities, labels, made)
    assert parts(cells, "log", soft=False) is None
    assert contributions(cells, "log") == []
    found = parts(cells, "brier", soft=False)
    assert found is not None
    assert (found.count, found.total) == (4, pytest.approx((0 + 2 * 0.8**2 + 2 * 0.4**2 + 2) / 4, abs=1e-7))
    assert sum(one.total for one in contributions(cells, "brier")) == pytest.approx(found.total, abs=1e-12)


@pytest.mark.parametrize("sharp", [1.0, 20.0, 400.0])
def test_of_two_classes_there_is_nothing_to_name_however_sure_the_model_is(sharp: float) -> None:
    logits = np.random.default_rng(8).normal(size=400) * 2 * sharp
    labels = np.random.default_rng(9).integers(2, size=400)
    log = np.logaddexp(0, np.where(labels == 1, -logits, logits))
    confidence = special.expit(np.abs(logits)).astype(np.float32)
    right = ((logits > 0) == (labels == 1)).astype(float)
    made = terms(confidence, right, log, np.zeros(400), two_classes=True)
    found = parts(Cells.of(labels, bin_of(confidence), made), "log", soft=False)
    assert found is not None
    assert found.naming == 0.0
    assert found.total == pytest.approx(log.mean(), rel=1e-12)
    assert found.within == pytest.approx(log.mean() - found.calibration - found.refinement, rel=1e-9)


def test_without_examples_there_is_nothing_to_take_apart_and_one_is_enough() -> None:
    assert parts(Cells(), "log", soft=False) is None
    assert contributions(Cells(), "log") == []
    one = whole(np.array([[0.75, 0.25]]), added(np.array([[0.75, 0.25]]), np.array([0])), "log")
    assert (one.refinement, one.uncertainty, one.bias) == (0.0, 0.0, 0.0)
    assert one.calibration == pytest.approx(-math.log(0.75))


def test_edges_are_in_the_bin_below_and_one_in_the_last() -> None:
    np.testing.assert_array_equal(bin_of(np.array([0.05, 0.5, 0.5000001, 0.9999, 1.0])), [0, 4, 5, 15, 16])
    every: Any = entropy_of(np.array([0.0, 0.5, 1.0]))
    np.testing.assert_allclose(every, [0, math.log(2), 0])
