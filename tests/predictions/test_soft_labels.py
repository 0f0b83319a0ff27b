"""Soft labels: no confidence is held against the most probable class as if it were the only one."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from pellucid import compare, import_predictions
from pellucid.errors import OptionError
from pellucid.lenses.accuracy import AccuracyLens
from pellucid.measures.calibration_errors import SOFT_LABELS
from pellucid.predictions import panels_of

SHARES = np.random.default_rng(0).dirichlet(np.full(4, 0.6), 600)


def test_a_model_that_gives_the_soft_labels_themselves_is_not_told_to_be_underconfident() -> None:
    panels = panels_of(SHARES, SHARES, label_kind="soft")
    accuracy, loss = panels["accuracy"], panels["loss"]
    assert accuracy.accuracy == 1.0
    assert [finding.kind for panel in panels.values() for finding in panel.findings] == []
    assert accuracy.ece is None
    assert accuracy.temperature is None
    assert {(one.value, one.why) for one in accuracy.calibration_errors} == {(None, SOFT_LABELS)}
    assert all(bin_.count == 0 for bin_ in accuracy.calibration)
    assert loss.parts[0].calibration == pytest.approx(0.0, abs=1e-9)
    assert accuracy.mean_confidence == pytest.approx(SHARES.max(axis=1).mean())
    assert accuracy.without_probabilities == 0


def test_labels_of_one_class_each_that_are_written_as_soft_ones_are_judged() -> None:
    one_hot = np.eye(4)[SHARES.argmax(axis=1)]
    soft, hard = panels_of(SHARES, one_hot, label_kind="soft"), panels_of(SHARES, SHARES.argmax(axis=1))
    assert soft["accuracy"].ece == hard["accuracy"].ece
    assert soft["accuracy"].temperature == hard["accuracy"].temperature
    assert AccuracyLens().soft == 0


def test_models_on_soft_labels_are_not_compared_by_their_calibration_error(tmp_path: Path) -> None:
    flat = SHARES**0.5 / (SHARES**0.5).sum(axis=1, keepdims=True)
    old, new = tmp_path / "old.pellucid", tmp_path / "new.pellucid"
    import_predictions(SHARES, SHARES, label_kind="soft", out=old)
    import_predictions(flat, SHARES, label_kind="soft", out=new)
    found = compare(old, new)
    ece = found.panel.pairs[0].measures[2]
    assert (ece.measure, ece.difference, ece.why) == ("ece", None, SOFT_LABELS)
    assert [model.ece for model in found.panel.models] == [None, None]
    with pytest.raises(OptionError, match="labels are soft"):
        compare(old, new, fail_if="ece rises by 1%")
