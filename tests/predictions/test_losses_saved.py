"""Losses of saved predictions: the user's own on one number an example, what soft labels cost at least, labels of probability 0."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pyarrow as pa
import pytest
import torch
from torch.nn import functional

import pellucid
from pellucid.lenses.loss import NO_NUMBER
from pellucid.predictions import panels_of

GENERATOR = np.random.default_rng(3)
LOGITS = GENERATOR.normal(size=200) * 2
LABELS = (GENERATOR.random(200) < 1 / (1 + np.exp(-LOGITS))).astype(np.int64)


def doubled(outputs: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
    assert outputs.shape == targets.shape
    return 2 * functional.binary_cross_entropy_with_logits(outputs, targets, reduction="none")


@pytest.mark.parametrize("kind", ["logits", "probabilities"])
def test_ones_own_loss_is_given_the_one_number_of_an_example(kind: Any) -> None:
    saved = LOGITS if kind == "logits" else 1 / (1 + np.exp(-LOGITS))
    panel: Any = panels_of(saved[:, None], LABELS, kind=kind, loss=doubled, lenses=["loss"])["loss"]
    wanted = functional.binary_cross_entropy_with_logits(torch.from_numpy(LOGITS), torch.from_numpy(LABELS).double())
    assert panel.mean == pytest.approx(2 * float(wanted), rel=1e-12)


def test_a_saved_probability_of_one_is_a_logit_of_ten_thousand() -> None:
    panel: Any = panels_of(np.array([[1.0], [0.0]]), np.array([0, 0]), kind="probabilities", loss=doubled)["loss"]
    assert panel.mean == pytest.approx(1e4)


def test_soft_labels_have_the_least_that_any_model_could_lose() -> None:
    soft = np.random.default_rng(0).dirichlet(np.full(4, 0.5), 300)
    for spec in (None, "cross-entropy:smoothing=0.2", "cross-entropy:weights=1/2/3/4"):
        own = soft if spec is None or "weights" in spec else 0.8 * soft + 0.05
        weighted = own * np.arange(1, 5) if spec and "weights" in spec else own
        best = weighted / weighted.sum(axis=1, keepdims=True)
        panel: Any = panels_of(best, soft, label_kind="soft", loss=spec, lenses=["loss"])["loss"]
        least = next(one.value for one in panel.benchmarks if one.name == "least possible")
        assert panel.mean == pytest.approx(least, rel=1e-9)


def test_labels_of_no_probability_dispute_sure_answers_too() -> None:
    classes = np.arange(400) % 4
    certain = np.eye(4)[classes]
    labels = np.where(np.arange(400) < 40, (classes + 1) % 4, classes)
    panel: Any = panels_of(certain, labels, kind="probabilities", lenses=["loss"])["loss"]
    assert panel.infinite == 40
    (finding,) = [one for one in panel.findings if one.kind == "label-errors"]
    assert finding.evidence["disputed"] == 40
    assert finding.count == 400


def test_every_example_counts_in_the_class_wise_error_of_few_scores() -> None:
    logits = GENERATOR.normal(size=(500, 100)) * 2
    probabilities = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    labels = GENERATOR.integers(0, 100, 500)
    panel: Any = panels_of(probabilities, labels, lenses=["accuracy"])["accuracy"]
    found = panel.calibration_errors[-1]
    bins = np.clip(np.ceil(probabilities * 15).astype(int) - 1, 0, 14)
    gaps = np.zeros((100, 15))
    np.add.at(gaps, (np.arange(100)[None], bins), np.eye(100)[labels] - probabilities)
    assert (found.name, found.count) == ("class-wise", 500)
    assert found.value == pytest.approx(np.abs(gaps).sum(axis=1).mean() / 500, rel=1e-6)


def test_panels_without_a_record_doubt_the_same_labels_as_one(tmp_path: Path) -> None:
    scores = GENERATOR.dirichlet(np.full(5, 0.3), 400)
    table = {"p": scores.tolist(), "label": GENERATOR.integers(0, 5, 400), "id": [f"e{row}" for row in range(400)]}
    saved = pa.table(table)
    record = pellucid.import_predictions(saved, out=tmp_path / "net.pellucid")
    alone: Any = panels_of(saved)["loss"]
    assert len(alone.label_issues) > 100
    assert msgspec.json.encode(alone) == msgspec.json.encode(record.panel("loss"))


def test_ones_own_loss_that_is_no_number_is_counted_and_told_as_such() -> None:
    def giving(*numbers: float) -> Any:
        values = torch.tensor(numbers, dtype=torch.float64)
        given = panels_of(np.eye(3) * 2 - 1, np.arange(3), kind="logits", loss=lambda *_: values, lenses=["loss"])
        return given["loss"]

    some, none = giving(1.0, float("nan"), 3.0), giving(*[float("nan")] * 3)
    assert (some.mean, some.count, some.nonfinite) == (2.0, 2, 1)
    assert (none.mean, none.nonfinite, none.why) == (None, 3, NO_NUMBER)
    infinite = giving(float("inf"), float("-inf"), 3.0)
    assert (infinite.mean, infinite.infinite) == (None, 2)
    assert infinite.why.startswith("2 examples have an infinite loss, which")
