"""Columns of examples with soft labels, sets of classes and any loss, against torch and scikit-learn."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from scipy import special, stats
from sklearn import metrics
from torch.nn import functional

from pellucid.errors import OptionError
from pellucid.measures.labels import labelled_columns, multi_hot
from pellucid.measures.losses import loss_named, own_loss
from pellucid.measures.predictions import columns_of

GENERATOR = np.random.default_rng(0)
LOGITS = (GENERATOR.normal(size=(60, 5)) * 3).astype(np.float32)
LOGITS[7, 2] = np.nan
TARGETS = GENERATOR.integers(5, size=60)
TARGETS[11] = -1
KNOWN = (TARGETS >= 0) & (np.arange(60) != 7)
SOFT = GENERATOR.dirichlet(np.full(5, 0.4), size=60)
SOFT[3] = [0, 0, 1, 0, 0]
SOFT[11] = np.nan
MOST = np.where(np.isnan(SOFT[:, 0]), -1, np.nan_to_num(SOFT).argmax(axis=1))
WIDE = torch.from_numpy(LOGITS.astype(np.float64))


def classified(spec: str | None = None, **more: Any) -> dict[str, Any]:
    loss = None if spec is None else loss_named(spec)
    return labelled_columns(LOGITS, more.pop("targets", TARGETS), task="classification", loss=loss, **more)


def test_the_plain_loss_of_single_labels_is_what_stands_without_asking() -> None:
    plain, asked = columns_of(LOGITS, TARGETS, task="classification"), classified("cross-entropy")
    assert plain.keys() == asked.keys()
    for name in plain:
        np.testing.assert_array_equal(plain[name], asked[name])


def test_the_brier_score_of_each_example_is_that_of_scikit_learn() -> None:
    found = classified()["brier"]
    p = special.softmax(LOGITS[KNOWN].astype(np.float64), axis=1)
    one_by_one = [
        metrics.brier_score_loss([t], [row], labels=range(5), scale_by_half=False)
        for t, row in zip(TARGETS[KNOWN], p, strict=True)
    ]
    np.testing.assert_allclose(found[KNOWN], one_by_one, rtol=1e-10, atol=1e-14)
    assert np.isnan(found[~KNOWN]).all()


def test_soft_labels_cost_what_torch_says_and_their_brier_score_is_the_expected_one() -> None:
    found = classified(targets=MOST, soft=SOFT)
    known = (MOST >= 0) & (np.arange(60) != 7)
    expected = functional.cross_entropy(WIDE[known], torch.from_numpy(SOFT[known]), reduction="none")
    np.testing.assert_allclose(found["loss"][known], expected.numpy(), rtol=1e-12)
    assert np.isnan(found["loss"][~known]).all()
    assert "log_loss" not in found
    np.testing.assert_array_equal(found["soft_target"], SOFT)
    p = special.softmax(LOGITS.astype(np.float64), axis=1)
    by_hand = sum(SOFT[:, k] * ((p - np.eye(5)[k]) ** 2).sum(axis=1) for k in range(5))
    np.testing.assert_allclose(found["brier"][known], by_hand[known], rtol=1e-10)
    # What is not lost to the label's own spread is the divergence.
    spread = stats.entropy(SOFT[known], axis=1)
    divergence = stats.entropy(SOFT[known], p[known], axis=1)
    np.testing.assert_allclose(found["loss"][known], spread + divergence, rtol=1e-10)
    certain = classified(targets=np.where(np.arange(60) == 3, 2, TARGETS))
    assert found["loss"][3] == pytest.approx(certain["loss"][3], rel=1e-12)
    assert found["brier"][3] == pytest.approx(certain["brier"][3], rel=1e-12)


@pytest.mark.parametrize("spec", ["focal:gamma=2", "hinge", "cross-entropy:smoothing=0.1"])
def test_another_loss_stands_as_the_loss_and_the_logarithmic_one_beside_it(spec: str) -> None:
    plain, found = classified(), classified(spec)
    np.testing.assert_array_equal(found["log_loss"], plain["loss"])
    np.testing.assert_allclose(found["loss"][KNOWN], loss_named(spec).of(LOGITS[KNOWN], TARGETS[KNOWN]), rtol=1e-12)
    assert np.isnan(found["loss"][~KNOWN]).all()
    np.testing.assert_array_equal(found["brier"], plain["brier"])


def test_sets_of_classes_are_judged_class_by_class() -> None:
    sets = [frozenset(np.flatnonzero(row).tolist()) for row in GENERATOR.random((60, 5)) < 0.4]
    sets[4], sets[5] = frozenset(), None  # type: ignore[call-overload]
    found = labelled_columns(LOGITS, None, task="multilabel", sets=sets)
    true, known = multi_hot(sets, 5)
    assert known.tolist() == [row != 5 for row in range(60)]
    known[7] = False
    expected = functional.binary_cross_entropy_with_logits(WIDE, torch.from_numpy(true), reduction="none").mean(dim=1)
    np.testing.assert_allclose(found["loss"][known], expected.numpy()[known], rtol=1e-12)
    assert np.isnan(found["loss"][~known]).all()
    p = special.expit(LOGITS.astype(np.float64))
    np.testing.assert_allclose(found["brier"][known], ((p - true) ** 2).mean(axis=1)[known], rtol=1e-9)
    defined = np.arange(60) != 7
    entropy = sum(stats.entropy(np.stack([p[:, k], 1 - p[:, k]]), axis=0) for k in range(5))
    np.testing.assert_allclose(found["entropy"][defined], entropy[defined], rtol=1e-5)
    np.testing.assert_array_equal(found["prediction"][defined], LOGITS[defined].argmax(axis=1))
    np.testing.assert_allclose(found["confidence"][defined], p[defined].max(axis=1), rtol=1e-6)
    assert (found["prediction"][7], found["nonfinite"][7], found["top_classes"][7].tolist()) == (-1, True, [-1] * 5)
    assert (found["targets"][4], found["targets"][5]) == ([], None)
    assert (found["target"] == -1).all()


def test_sure_logits_of_sets_stay_finite() -> None:
    found = labelled_columns(np.array([[1e4, -1e4]]), None, task="multilabel", sets=[frozenset({1})])
    assert found["loss"].tolist() == [1e4]
    assert found["entropy"].tolist() == [0.0]


def test_a_regression_has_the_loss_that_was_asked_for() -> None:
    outputs, targets = np.array([[1.0], [np.nan], [3.0], [4.0]]), np.array([1.5, 2.0, np.nan, 0.0])
    found = labelled_columns(outputs, targets, task="regression", loss=loss_named("huber:delta=1"))
    np.testing.assert_allclose(found["loss"], [0.125, np.nan, np.nan, 3.5])
    assert "brier" not in found


def test_ones_own_loss_is_asked_about_known_examples_only() -> None:
    seen: list[int] = []

    def mine(outputs: Any, targets: Any) -> Any:
        seen.append(len(outputs))
        return (outputs.argmax(axis=1) != targets).astype(float)

    found = labelled_columns(LOGITS, TARGETS, task="classification", loss=own_loss("f.py:mine", mine))
    assert seen == [58]
    np.testing.assert_array_equal(found["loss"][KNOWN], LOGITS[KNOWN].argmax(axis=1) != TARGETS[KNOWN])


@pytest.mark.parametrize(
    ("spec", "task", "more", "words"),
    [
        ("huber", "classification", {}, "loss huber is for regression, but this is classification"),
        ("cross-entropy", "multilabel", {}, "is for classification, but this is multilabel"),
        ("hinge", "classification", {"soft": SOFT}, "needs one class an example; these have soft labels"),
    ],
)
def test_a_loss_of_another_task_is_refused(spec: str, task: Any, more: dict[str, Any], words: str) -> None:
    with pytest.raises(OptionError, match=words):
        labelled_columns(LOGITS, TARGETS, task=task, loss=loss_named(spec), **more)
