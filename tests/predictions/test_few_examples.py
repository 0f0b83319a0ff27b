"""Saved predictions of few examples, of very many classes, or of both: no more is said than they show, at no more cost."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

import pellucid
from pellucid.lenses import LensContext
from pellucid.lenses.loss import LossLens
from pellucid.lenses.loss_labels import disputed_by
from pellucid.measures import histogram
from pellucid.record.schema import Finding, LabelIssue


def findings(tmp_path: Path, labels: list[int], predictions: list[int]) -> list[Finding]:
    record = pellucid.import_predictions(
        pa.table({"prediction": predictions, "label": labels}), out=tmp_path / "record", overwrite=True
    )
    return [one for one in record.panel("accuracy").findings if one.kind in ("weak-class", "never-predicted")]


@pytest.mark.parametrize("right", [1, 3])
def test_one_wrong_example_is_no_finding(tmp_path: Path, right: int) -> None:
    assert findings(tmp_path, [0] + [1] * right, [1] + [1] * right) == []


def test_a_class_that_is_not_recognised_is_found_however_few_the_others_are(tmp_path: Path) -> None:
    (weak,) = findings(tmp_path, [0] * 40 + [1] * 20, [1] * 39 + [0] + [1] * 20)
    assert weak.kind == "weak-class"
    assert weak.severity == "high"
    assert "the other classes in 100.0% of 20." in weak.sentence
    assert weak.evidence["p_value"] < 1e-3


def test_five_examples_are_too_few_for_a_grave_finding(tmp_path: Path) -> None:
    """Never predicted it is, but the others need not be recognised twice as often."""
    (never,) = findings(tmp_path, [0] * 5 + [1] * 3, [1] * 8)
    assert never.kind == "never-predicted"
    assert never.severity == "medium"


def test_a_class_that_only_examples_without_a_label_are_called_is_never_predicted_among_the_others(
    tmp_path: Path,
) -> None:
    never, *_ = findings(tmp_path, [0] * 40 + [1] * 40 + [2] * 20 + [-1] * 30, [0] * 40 + [1] * 60 + [2] * 30)
    assert never.kind == "never-predicted"
    assert never.sentence == "Of 100 examples with a label none is called class 2, though 20 are of it."


def test_the_others_of_a_slice_are_those_that_have_its_column(tmp_path: Path) -> None:
    """80 examples have a site; 800 wrong ones without one are no others."""
    site = pa.array(["a"] * 40 + ["b"] * 40 + [None] * 800)
    labels = np.arange(880) % 2
    wrong = np.r_[np.ones(30), np.zeros(50), np.ones(800)].astype(np.int64)
    table = pa.table({"prediction": (labels + wrong) % 2, "label": labels, "site": site})
    record = pellucid.import_predictions(table, out=tmp_path / "record")
    (weak,) = [one for one in record.panel("accuracy").findings if one.kind == "weak-slice"]
    assert weak.sentence.endswith("; of the 40 others with another site 100.0%.")


def test_a_label_error_is_not_said_to_be_called_what_the_model_does_not_call_it(tmp_path: Path) -> None:
    """60 examples labelled b are called a, which is less sure of them than of its own; c is, which is hardly ever sure."""
    kinds = [([0.9994, 0.0003, 0.0003], 0, 400), ([0.9, 0.0985, 0.0015], 2, 50), ([0.0005, 0.999, 0.0005], 1, 100)]
    kinds.append(([0.994, 0.002, 0.004], 1, 60))
    scores = np.concatenate([np.tile(row, (count, 1)) for row, _, count in kinds])
    labels = np.concatenate([np.full(count, label) for _, label, count in kinds])
    record = pellucid.import_predictions(scores, labels, classes=["a", "b", "c"], out=tmp_path / "record")
    (told,) = [one for one in record.panel("loss").findings if one.kind == "label-errors"]
    assert told.sentence.endswith(" is b, and c is given 0.4%, no less than examples labelled c are on average.")
    called = LabelIssue(0, "0", 1, 0, 0.002, 0.994, 0.002 - 0.994)
    assert disputed_by(called, "a") == "it is called a with 99.4%"


class Counted(np.ndarray):
    """An array that counts how often it is added up."""

    times = 0

    def sum(self, *given: object, **options: object) -> object:
        type(self).times += 1
        return super().sum(*given, **options)  # type: ignore[call-overload]


def test_losses_of_many_classes_are_added_up_once_and_not_once_a_class() -> None:
    lens = LossLens(context=LensContext(task="classification"))
    lens.counts, lens.sums, lens.squares = np.ones(500, np.int64), np.ones(500).view(Counted), np.ones(500)
    Counted.times = 0
    assert [one.share for one in lens.report().by_class] == [1 / 500] * 500
    assert Counted.times <= 2


def test_a_mean_of_losses_that_cannot_be_negative_has_no_negative_end(tmp_path: Path) -> None:
    table = pa.table({"probabilities": [[0.9, 0.1], [0.85, 0.15]], "label": [0, 1]})
    panel = pellucid.import_predictions(table, out=tmp_path / "record").panel("loss")
    assert panel.interval is not None
    assert panel.interval.low == 0.0
    assert panel.interval.high > 5
    lens = LossLens(context=LensContext(task="regression"))
    cut = lens._interval(2, 1.0, 5.0)
    lens.bins = histogram.of(np.array([-1.0, 2.0])).counts
    whole = lens._interval(2, 1.0, 5.0)
    assert cut is not None
    assert whole is not None
    assert whole.low < cut.low == 0.0


def test_a_class_of_a_multilabel_loss_has_its_own_mean(tmp_path: Path) -> None:
    """Not the part of it that is left in the mean over classes, which its share of the loss is."""
    probabilities = np.array([[0.9, 0.2, 0.6], [0.3, 0.8, 0.1], [0.7, 0.6, 0.5], [0.2, 0.3, 0.9]])
    true = np.array([[1, 0, 1], [0, 1, 0], [0, 1, 1], [1, 0, 1]])
    panel = pellucid.import_predictions(probabilities, true == 1, out=tmp_path / "record").panel("loss")
    costs = -np.where(true == 1, np.log(probabilities), np.log(1 - probabilities))
    assert [one.mean for one in panel.by_class] == pytest.approx(costs.mean(axis=0), rel=1e-6)
    shares = [one.share for one in panel.by_class]
    assert shares == pytest.approx(costs.sum(axis=0) / costs.sum(), rel=1e-6)
    assert np.multiply(shares, panel.mean) == pytest.approx(costs.mean(axis=0) / 3, rel=1e-6)
    for one, own in zip(panel.by_class, costs.T, strict=True):
        assert one.interval is not None
        assert one.mean is not None
        assert one.interval.high - one.mean == pytest.approx(3.182446 * own.std(ddof=1) / 2, rel=1e-5)
