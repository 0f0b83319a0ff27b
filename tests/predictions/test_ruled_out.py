"""A logit of -infinity rules a class out: its probability is 0, as a mask makes it; only a row without a number is no answer."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from pellucid.measures.saved import columns_of_scores
from pellucid.predictions import panels_of
from support.saved import answered

LOGITS = answered(120, 5)[0].astype(np.float64)
TARGETS = answered(120, 5)[1]
LOGITS[:, 4] = -np.inf
LOGITS[::7, 2] = -np.inf
SCORES = np.exp(LOGITS) / np.exp(LOGITS).sum(axis=1, keepdims=True)
SETS = np.random.default_rng(1).random((120, 5)) < 0.4


def soft() -> np.ndarray:
    return np.random.default_rng(0).dirichlet(np.ones(5), 120)


@pytest.mark.parametrize("loss", [None, "focal", "cross-entropy:smoothing=0.1"])
@pytest.mark.parametrize("labels", [TARGETS, soft()], ids=["classes", "soft"])
def test_the_columns_are_those_of_the_probabilities(labels: np.ndarray, loss: str | None) -> None:
    options: dict[str, Any] = {} if labels.ndim == 1 or loss != "focal" else {"label_kind": "soft"}
    logits = panels_of(LOGITS, labels, loss=loss, kind="logits", **options)
    scores = panels_of(SCORES, labels, loss=loss, **options)
    assert logits["confusion"] == scores["confusion"]
    one, other = logits["accuracy"], scores["accuracy"]
    assert (one.accuracy, one.top_k, one.count) == (other.accuracy, other.top_k, other.count)  # type: ignore[union-attr]
    assert one.ece == pytest.approx(other.ece)  # type: ignore[union-attr]
    assert logits["loss"].mean == pytest.approx(scores["loss"].mean)  # type: ignore[union-attr]
    assert logits["loss"].infinite == scores["loss"].infinite  # type: ignore[union-attr]
    assert logits["predictions"].nonfinite == 0  # type: ignore[union-attr]


def test_every_column_of_an_example_is_that_of_its_probabilities() -> None:
    _, one = columns_of_scores(LOGITS, "logits", "classification", TARGETS)
    _, other = columns_of_scores(SCORES, "probabilities", "classification", TARGETS)
    assert one.keys() == other.keys()
    for name, values in one.items():
        np.testing.assert_allclose(values, other[name], rtol=1e-6, atol=1e-9, err_msg=name)
    assert np.isposinf(one["loss"]).sum() == ((TARGETS == 4) | ((TARGETS == 2) & (np.arange(120) % 7 == 0))).sum() > 0


def test_of_sets_a_class_that_is_ruled_out_has_a_sigmoid_of_zero() -> None:
    sigmoids = 1 / (1 + np.exp(-LOGITS))
    logits, scores = panels_of(LOGITS, SETS, kind="logits"), panels_of(sigmoids, SETS)
    assert logits["confusion"] == scores["confusion"]
    assert logits["loss"].infinite == scores["loss"].infinite > 0  # type: ignore[union-attr]
    assert logits["accuracy"].accuracy == scores["accuracy"].accuracy  # type: ignore[union-attr]


def test_no_number_at_all_nan_and_plus_infinity_are_no_answer() -> None:
    broken = LOGITS.copy()
    broken[3], broken[5, 0], broken[9, 1] = -np.inf, np.inf, np.nan
    assert panels_of(broken, TARGETS)["predictions"].nonfinite == 3  # type: ignore[union-attr]
