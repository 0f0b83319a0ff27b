"""Confident learning against cleanlab, its equations read slowly, and errors that were planted."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from pellucid.measures.label_errors import (
    NO_CLASS,
    SLACK,
    ConfidentJoint,
    Thresholds,
    confident_class,
    normalised_margin,
)
from support.shared import REASON, SHARED

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    from cleanlab import count, filter, rank  # noqa: A004

quick = settings(max_examples=60, deadline=None, derandomize=True, database=None)
Floats = NDArray[np.float64]
Indices = NDArray[np.int64]


def noisy(
    number: int, classes: int, seed: int, noise: float = 0.1, strength: float = 3.0
) -> tuple[Floats, Indices, Indices]:
    """Probabilities of a decent model, labels of which some are wrong, and the true classes."""
    generator = np.random.default_rng(seed)
    truth = generator.integers(classes, size=number)
    logits = generator.normal(size=(number, classes)) * 1.2
    logits[np.arange(number), truth] += strength
    probabilities = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    wrong = generator.random(number) < noise
    return probabilities, np.where(wrong, generator.integers(classes, size=number), truth), truth


def thresholds_of(probabilities: Floats, labels: Indices) -> Thresholds:
    classes = probabilities.shape[1]
    own = probabilities[np.arange(len(labels)), labels]
    return Thresholds.of(np.bincount(labels, minlength=classes), np.bincount(labels, own, minlength=classes))


def top(probabilities: Floats, k: int) -> tuple[Indices, Floats]:
    order = np.argsort(-probabilities, axis=1, kind="stable")[:, :k]
    # As the examples table keeps them.
    return order, np.take_along_axis(probabilities, order, axis=1).astype(np.float32).astype(np.float64)


def slow_joint(probabilities: Floats, labels: Indices, thresholds: Floats) -> Indices:
    """Equation 1 as it stands: of the classes that reach their threshold, the most probable one."""
    joint = np.zeros((probabilities.shape[1],) * 2, np.int64)
    for row, label in zip(probabilities, labels, strict=True):
        reaching = [j for j in range(len(row)) if row[j] >= thresholds[j] - SLACK]
        if reaching:
            joint[label, max(reaching, key=lambda j: row[j])] += 1
    return joint


def square(found: ConfidentJoint, classes: int) -> Indices:
    joint = np.zeros((classes, classes), np.int64)
    joint[found.counts.rows, found.counts.columns] = found.counts.counts
    return joint


@pytest.mark.parametrize("classes", [2, 5, 9])
def test_thresholds_and_joint_are_those_of_the_paper(classes: int) -> None:
    probabilities, labels, _ = noisy(1500, classes, 0)
    thresholds = thresholds_of(probabilities, labels)
    np.testing.assert_allclose(thresholds.values, count.get_confident_thresholds(labels, probabilities), rtol=1e-12)
    confident = confident_class(*top(probabilities, classes), thresholds, classes)
    found = ConfidentJoint.of(labels, confident)
    np.testing.assert_array_equal(square(found, classes), slow_joint(probabilities, labels, thresholds.values))
    assert found.undecided == 0
    assert int(square(found, classes).sum()) + found.unplaced == 1500


def test_joint_issues_ranks_and_estimate_are_those_of_cleanlab() -> None:
    """Where several classes reach their threshold cleanlab takes the most probable of all, though it may not reach its own; the
    paper takes it of those that do. Such examples are set aside, and counted apart."""
    probabilities, labels, _ = noisy(2500, 5, 1)
    thresholds = count.get_confident_thresholds(labels, probabilities)
    reaching = probabilities >= thresholds - SLACK
    first = probabilities.argmax(axis=1)
    apart = (reaching.sum(axis=1) > 1) & ~reaching[np.arange(len(first)), first]
    probabilities, labels = probabilities[~apart], labels[~apart]
    confident = confident_class(*top(probabilities, 5), Thresholds(thresholds), 5)
    found = ConfidentJoint.of(labels, confident)
    theirs, issues = count.compute_confident_joint(
        labels, probabilities, thresholds=thresholds, calibrate=False, return_indices_of_off_diagonals=True
    )
    np.testing.assert_array_equal(square(found, 5), theirs)
    ours = np.flatnonzero((confident.classes >= 0) & (confident.classes != labels))
    np.testing.assert_array_equal(ours, issues)
    assert found.disputed() == len(issues)
    joint = count.estimate_joint(labels, probabilities, confident_joint=theirs)
    estimate = found.estimated_errors(np.bincount(labels, minlength=5))
    # cleanlab rounds the scaled counts of each row to whole examples.
    assert estimate == pytest.approx(len(labels) * (1 - np.trace(joint)), abs=5)
    labelled = np.bincount(labels, minlength=5)
    assert estimate == pytest.approx(
        sum(labelled[row] * (1 - theirs[row, row] / theirs[row].sum()) for row in range(5)), rel=1e-12
    )
    own = probabilities[np.arange(len(labels)), labels]
    margin = normalised_margin(own, np.sort(probabilities, axis=1)[:, ::-1], probabilities.argmax(axis=1) == labels)
    # cleanlab maps the margin to 0..1.
    theirs = rank.get_normalized_margin_for_each_label(labels, probabilities)
    np.testing.assert_allclose((margin + 1) / 2, theirs, rtol=1e-12)
    np.testing.assert_array_equal(own, rank.get_self_confidence_for_each_label(labels, probabilities))


def test_the_whole_way_is_that_of_cleanlabs_filter() -> None:
    probabilities, labels, _ = noisy(1200, 4, 2)
    found = confident_class(*top(probabilities, 4), thresholds_of(probabilities, labels), 4)
    ours = set(np.flatnonzero((found.classes >= 0) & (found.classes != labels)).tolist())
    theirs = set(
        filter.find_label_issues(
            labels, probabilities, filter_by="confident_learning", return_indices_ranked_by="self_confidence", n_jobs=1
        ).tolist()
    )
    reaching = probabilities >= thresholds_of(probabilities, labels).values - SLACK
    first = probabilities.argmax(axis=1)
    apart = set(np.flatnonzero((reaching.sum(axis=1) > 1) & ~reaching[np.arange(len(first)), first]).tolist())
    # Its filter also drops those whose most probable class is the label.
    dropped = set(np.flatnonzero(first == labels).tolist())
    assert ours - apart - dropped == theirs - apart
    assert len(theirs) > 30


def test_planted_errors_are_found_and_named() -> None:
    probabilities, labels, truth = noisy(4000, 6, 3, noise=0.08, strength=5.0)
    found = confident_class(*top(probabilities, 5), thresholds_of(probabilities, labels), 6)
    disputed = (found.classes != NO_CLASS) & (found.classes != labels)
    wrong = labels != truth
    assert (disputed & wrong).sum() > 0.8 * wrong.sum()
    assert (found.classes == truth)[disputed & wrong].mean() > 0.9
    estimate = ConfidentJoint.of(labels, found).estimated_errors(np.bincount(labels, minlength=6))
    assert estimate == pytest.approx(wrong.sum(), rel=0.35)


@quick
@given(st.integers(0, 10_000), st.integers(2, 8), st.integers(1, 60), st.integers(2, 8))
def test_the_most_probable_classes_are_enough_or_it_is_said(seed: int, classes: int, number: int, k: int) -> None:
    probabilities, labels, _ = noisy(number, classes, seed, noise=0.5)
    probabilities = 0.5 * probabilities + 0.5 / classes
    thresholds = thresholds_of(probabilities, labels)
    every = confident_class(*top(probabilities, classes), thresholds, classes)
    few = confident_class(*top(probabilities, min(k, classes)), thresholds, classes)
    told = ~few.undecided
    np.testing.assert_array_equal(few.classes[told], every.classes[told])
    assert not every.undecided.any()
    assert (few.classes[few.undecided] == NO_CLASS).all()


@quick
@given(st.data())
def test_the_second_pass_merges_in_any_split(data: st.DataObject) -> None:
    probabilities, labels, _ = noisy(90, 5, 4)
    confident = confident_class(*top(probabilities, 3), thresholds_of(probabilities, labels), 5)
    once = ConfidentJoint.of(labels, confident)
    cut = data.draw(st.integers(0, 90))
    halves = []
    for piece in (slice(0, cut), slice(cut, None)):
        part = confident_class(*(one[piece] for one in top(probabilities, 3)), thresholds_of(probabilities, labels), 5)
        halves.append(ConfidentJoint.of(labels[piece], part))
    halves[1].merge(halves[0])
    np.testing.assert_array_equal(square(halves[1], 5), square(once, 5))
    assert (halves[1].undecided, halves[1].unplaced) == (once.undecided, once.unplaced)


def test_one_class_nothing_and_a_class_of_one_example() -> None:
    nothing = ConfidentJoint()
    assert nothing.estimated_errors(np.zeros(3, np.int64)) is None
    assert nothing.disputed() == 0
    empty = confident_class(np.zeros((0, 2), np.int64), np.zeros((0, 2)), Thresholds(np.ones(3)), 3)
    assert len(empty.classes) == 0
    # Of all examples one label: nothing but it can be claimed, as no other class has a threshold.
    probabilities = np.array([[0.2, 0.8], [0.6, 0.4]])
    labels = np.array([0, 0])
    found = confident_class(*top(probabilities, 2), thresholds_of(probabilities, labels), 2)
    np.testing.assert_array_equal(found.classes, [-1, 0])
    # A class of one example has that one's probability as its threshold, which float32 must not lose.
    probabilities = np.array([[1 / 3, 2 / 3]])
    found = confident_class(*top(probabilities, 2), thresholds_of(probabilities, np.array([1])), 2)
    np.testing.assert_array_equal(found.classes, [1])


@pytest.mark.data
@pytest.mark.skipif(SHARED is None, reason=REASON)
def test_people_confirm_what_is_disputed_on_cifar10() -> None:
    """Of the labels that the reference network disputes people agree with far fewer than with the others."""
    import pyarrow.parquet as pq

    assert SHARED is not None
    table = pq.read_table(
        SHARED / "data" / "cifar10" / "test.parquet", columns=["label", "human_counts", "reference_probabilities"]
    )
    labels = table["label"].to_numpy().astype(np.int64)
    probabilities = np.stack(table["reference_probabilities"].to_numpy()).astype(np.float64)
    votes = np.stack(table["human_counts"].to_numpy()).astype(np.float64)
    votes /= votes.sum(axis=1, keepdims=True)
    found = confident_class(*top(probabilities, 5), thresholds_of(probabilities, labels), 10)
    disputed = (found.classes != NO_CLASS) & (found.classes != labels)
    assert 0 < disputed.sum() < 1000
    agreed = votes[np.arange(len(labels)), labels]
    assert agreed[disputed].mean() < agreed[~disputed].mean() - 0.1
