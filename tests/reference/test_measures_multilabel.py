"""Sets of classes, against scikit-learn and drawn examples; and what the lens says of a model that calls sets."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn import metrics

from pellucid.lenses import LensContext
from pellucid.lenses.accuracy import AccuracyLens
from pellucid.measures.classification import f_beta
from pellucid.measures.intervals import wilson
from pellucid.measures.multilabel import SetSums, set_scores
from pellucid.record.schema import AccuracyPanel
from pellucid.types import Batch, Observation

CLASSES = 5


def answers(count: int = 300, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    random = np.random.default_rng(seed)
    true = random.random((count, CLASSES)) < np.linspace(0.1, 0.5, CLASSES)
    return true, (random.normal(size=true.shape) + 2.5 * true - 1.2).astype(np.float32)


def seen(true: np.ndarray, logits: np.ndarray, start: int = 0) -> Observation:
    ids = tuple(str(start + row) for row in range(len(true)))
    sets = tuple(frozenset(np.flatnonzero(row).tolist()) for row in true)
    return Observation("sweep", batch=Batch(start, ids, None, sets=sets), outputs=logits)  # type: ignore[arg-type]


def reported(*observations: Observation) -> AccuracyPanel:
    lens = AccuracyLens(LensContext(tuple("abcde"), "multilabel"))
    for one in observations:
        lens.observe(one)
    return lens.report()


def test_scikit_learn_gives_the_same_numbers() -> None:
    true, logits = answers()
    called = logits >= 0
    sums = SetSums.of(true, called)
    listed = {one.name: one for one in set_scores(sums)}
    assert listed["exact sets"].value == pytest.approx(metrics.accuracy_score(true, called))
    assert listed["exact sets"].interval == wilson(sums.exact, 300)
    assert listed["single labels"].value == pytest.approx(1 - metrics.hamming_loss(true, called))
    assert listed["micro F1"].value == pytest.approx(metrics.f1_score(true, called, average="micro"))
    np.testing.assert_allclose(f_beta(sums.tallies), metrics.f1_score(true, called, average=None))


def test_the_interval_of_micro_f1_draws_examples_and_not_pairs() -> None:
    true, logits = answers()
    # Copies of one class in all others: pairs of one example are as alike as they can be.
    true[:, 1:], logits[:, 1:] = true[:, :1], logits[:, :1]
    called = logits >= 0
    random = np.random.default_rng(1)
    drawn = [
        metrics.f1_score(true[rows], called[rows], average="micro")
        for rows in (random.integers(0, 300, 300) for _ in range(400))
    ]
    interval = set_scores(SetSums.of(true, called))[2].interval
    assert interval is not None
    assert interval.high - interval.low == pytest.approx(np.diff(np.quantile(drawn, [0.025, 0.975]))[0], rel=0.15)


def test_the_panel_has_areas_of_every_class_within_their_bounds() -> None:
    true, logits = answers()
    panel = reported(seen(true[:100], logits[:100]), seen(true[100:], logits[100:], 100))
    assert panel.count == 300
    assert panel.correct == ((logits >= 0) == true).all(axis=1).sum()
    for entry in panel.by_class:
        own, score = true[:, entry.index], logits[:, entry.index]
        assert entry.area is not None
        assert entry.average_precision is not None
        assert abs(entry.area - metrics.roc_auc_score(own, score)) <= entry.area_error + 1e-9  # type: ignore[operator]
        exact = metrics.average_precision_score(own, score)
        assert abs(entry.average_precision - exact) <= entry.average_precision_error + 1e-9  # type: ignore[operator]
        assert entry.recall == pytest.approx(metrics.recall_score(own, score >= 0))
    areas = {one.name: one for one in panel.areas}
    mean = areas["macro average precision"]
    assert abs(mean.value - metrics.average_precision_score(true, logits)) <= mean.error + 1e-9  # type: ignore[operator]
    both = areas["micro average precision"]
    exact = metrics.average_precision_score(true, logits, average="micro")
    assert abs(both.value - exact) <= both.error + 1e-9  # type: ignore[operator]


def test_parts_in_any_order_are_the_whole_and_unknown_sets_do_not_count() -> None:
    true, logits = answers(60)
    parts = [AccuracyLens(LensContext(tuple("abcde"), "multilabel")) for _ in range(3)]
    for place, lens in enumerate(parts):
        lens.observe(seen(true[place * 20 : place * 20 + 20], logits[place * 20 : place * 20 + 20], place * 20))
    parts[2].merge(parts[0])
    parts[2].merge(parts[1])
    whole = reported(seen(true, logits))
    assert parts[2].report().by_class == whole.by_class
    assert parts[2].report().scores == whole.scores
    none = Batch(0, ("x",), None, sets=(None,))  # type: ignore[arg-type]
    empty = reported(Observation("sweep", batch=none, outputs=logits[:1]))  # type: ignore[arg-type]
    assert empty.count == 0
    assert empty.accuracy is None
    assert all(one.value is None and one.why for one in (*empty.scores, *empty.areas))


def test_nothing_true_and_nothing_called_has_no_f1() -> None:
    nothing = np.zeros((4, 2), bool)
    listed = {one.name: one for one in set_scores(SetSums.of(nothing, nothing))}
    assert listed["exact sets"].value == 1.0
    assert listed["micro F1"].value is None
    assert "no class" in listed["micro F1"].why


def test_shares_near_the_ends_stay_within_0_and_1_and_have_a_width() -> None:
    true = np.random.default_rng(0).random((60, 3)) < 0.4
    one_wrong = true.copy()
    one_wrong[0, 0] ^= True
    for called, correct in ((one_wrong, 179), (~one_wrong, 1)):
        labels = set_scores(SetSums.of(true, called))[1].interval
        # One label in one example: as if all 180 were independent, but for the t of 59 degrees of freedom.
        trials = 180 * (1 - 1 / 180) / (1 - 1 / 60) * 59 / 60 * (1.959964 / 2.000995) ** 2
        expected = wilson(correct / 180 * trials, trials)
        assert labels is not None
        assert expected is not None
        assert [labels.low, labels.high] == pytest.approx([expected.low, expected.high], rel=1e-5)
    right, wrong = (set_scores(SetSums.of(true, called)) for called in (true, ~true))
    assert right[1].interval == wilson(60, 60)
    assert wrong[1].interval == wilson(0, 60)
    sizes = true.sum(axis=1)
    share = wilson(*[sizes.sum() ** 2 / (sizes**2).sum()] * 2)
    assert right[2].interval is not None
    assert share is not None
    assert [right[2].interval.low, right[2].interval.high] == pytest.approx([2 * share.low / (1 + share.low), 1.0])
    assert wrong[2].interval is not None
    # Every class of every example is true or called: three by example.
    ends = wilson(0, 60)
    assert ends is not None
    assert [wrong[2].interval.low, wrong[2].interval.high] == pytest.approx([0.0, 2 * ends.high / (1 + ends.high)])


def test_labels_that_are_right_together_count_as_one() -> None:
    true = np.zeros((200, 4), bool)
    called = true ^ (np.arange(200) < 50)[:, None]
    labels, alone = set_scores(SetSums.of(true, called))[1].interval, wilson(150, 200)
    assert labels is not None
    assert alone is not None
    assert [labels.low, labels.high] == pytest.approx([alone.low, alone.high], rel=1e-9)
