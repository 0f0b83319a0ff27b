"""Saved predictions with soft labels, with sets of classes, and under another loss: the numbers of torch and scikit-learn."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
import torch
from sklearn import metrics

import pellucid
from pellucid.errors import DataError, OptionError, PellucidError
from pellucid.record import Record, schema
from support.saved import CLASSES, answered, softmax
from support.shared import REASON, SHARED

LOGITS, TARGETS = answered(80)
SAVED = softmax(LOGITS)
GENERATOR = np.random.default_rng(3)
COUNTS = GENERATOR.multinomial(20, np.full(4, 0.25), size=80)
SOFT = COUNTS / 20
TRUE = GENERATOR.random((80, 4)) < 0.4
SIGMOIDS = 1 / (1 + np.exp(-LOGITS.astype(np.float64)))
SETS = [np.flatnonzero(row).tolist() for row in TRUE]


def lists(values: Any, kind: pa.DataType) -> pa.Array:
    return pa.array([None if one is None else list(one) for one in values], kind)


def made(tmp_path: Path, scores: Any, label: pa.Array, **options: Any) -> Record:
    table = pa.table({"scores": scores.tolist(), "label": label})
    return pellucid.import_predictions(table, "label", out=tmp_path / "net", overwrite=True, **options)


def loss_of(record: Record) -> schema.LossPanel:
    panel = record.panel("loss")
    assert isinstance(panel, schema.LossPanel)
    return panel


def accuracy_of(record: Record) -> schema.AccuracyPanel:
    panel = record.panel("accuracy")
    assert isinstance(panel, schema.AccuracyPanel)
    return panel


# --- soft labels ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("label", "scores"),
    [
        (lists(COUNTS, pa.list_(pa.int16(), 4)), LOGITS),
        (lists(SOFT, pa.list_(pa.float64())), LOGITS),
        (lists(COUNTS, pa.list_(pa.int16(), 4)), softmax(LOGITS)),
    ],
)
def test_soft_labels_cost_what_torch_says(tmp_path: Path, label: pa.Array, scores: Any) -> None:
    record = made(tmp_path, scores, label)
    logits = torch.tensor(np.log(SAVED.astype(np.float64)) if scores is not LOGITS else LOGITS.astype(np.float64))
    wanted = torch.nn.functional.cross_entropy(logits, torch.tensor(SOFT), reduction="none").numpy()
    rows = record.examples()
    np.testing.assert_allclose(rows["loss"].to_numpy(), wanted, atol=1e-6)
    np.testing.assert_allclose(np.array(rows["soft_target"].to_pylist()), SOFT, atol=1e-12)
    assert rows["target"].to_pylist() == SOFT.argmax(axis=1).tolist()
    panel = loss_of(record)
    assert panel.soft
    assert panel.mean == pytest.approx(wanted.mean(), abs=1e-6)
    assert record.manifest.task == "classification"


def test_a_soft_label_that_is_missing_is_counted_and_one_class_that_is_impossible_costs_nothing_unless_it_is_true(
    tmp_path: Path,
) -> None:
    scores, soft = np.eye(4)[TARGETS] * 0.5 + 0.125, SOFT.copy()
    scores[0], soft[0] = [0.5, 0.5, 0, 0], [0.25, 0.75, 0, 0]
    scores[1], soft[1] = [0.5, 0.5, 0, 0], [0.25, 0.5, 0.25, 0]
    record = made(tmp_path, scores, lists([*soft[:79], None], pa.list_(pa.float64())))
    rows = record.examples()["loss"].to_pylist()
    assert rows[0] == pytest.approx(np.log(2))
    assert rows[1] is None
    assert rows[79] is None
    panel = loss_of(record)
    assert (panel.count, panel.infinite) == (78, 1)
    predictions = record.panel("predictions")
    assert isinstance(predictions, schema.PredictionsPanel)
    assert predictions.without_target == 1


# --- sets of classes --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("label", "scores", "options"),
    [
        (lists(SETS, pa.list_(pa.int32())), SIGMOIDS, {}),
        (lists(TRUE.tolist(), pa.list_(pa.bool_())), LOGITS, {}),
        (
            lists([[CLASSES[index] for index in one] for one in SETS], pa.list_(pa.string())),
            LOGITS,
            {"classes": CLASSES, "kind": "logits"},
        ),
    ],
)
def test_sets_of_classes_are_judged_as_torch_and_scikit_learn_do(
    tmp_path: Path, label: pa.Array, scores: Any, options: dict[str, Any]
) -> None:
    record = made(tmp_path, scores, label, **options)
    assert record.manifest.task == "multilabel"
    assert record.manifest.saved is not None
    assert record.manifest.saved.unnormalised == 0
    rows = record.examples()
    wanted = torch.nn.functional.binary_cross_entropy(
        torch.tensor(SIGMOIDS), torch.tensor(TRUE, dtype=torch.float64), reduction="none"
    ).numpy()
    np.testing.assert_allclose(rows["loss"].to_numpy(), wanted.mean(axis=1), atol=1e-6)
    assert rows["targets"].to_pylist() == SETS
    called = SIGMOIDS >= 0.5
    assert rows["called"].to_pylist() == [np.flatnonzero(row).tolist() for row in called]
    panel = accuracy_of(record)
    assert panel.accuracy == pytest.approx(metrics.accuracy_score(TRUE, called))
    micro = next(score for score in panel.scores if score.name == "micro F1")
    assert micro.value == pytest.approx(metrics.f1_score(TRUE, called, average="micro"))


def test_sets_in_an_array_beside_the_scores_and_one_that_is_not_known(tmp_path: Path) -> None:
    record = pellucid.import_predictions(SIGMOIDS, TRUE, out=tmp_path / "array")
    assert record.manifest.task == "multilabel"
    record = made(tmp_path, SIGMOIDS, lists([None, [], *SETS[2:]], pa.list_(pa.int32())))
    assert record.examples()["targets"].to_pylist()[:2] == [None, []]
    assert accuracy_of(record).count == 79


def test_a_true_class_that_is_given_no_probability_makes_the_loss_infinite(tmp_path: Path) -> None:
    scores = SIGMOIDS.copy()
    scores[0] = [0.0, 1.0, 0.5, 0.5]
    scores[1] = [0.0, 1.0, 0.5, 0.5]
    record = made(tmp_path, scores, lists([[1], [0], *SETS[2:]], pa.list_(pa.int32())))
    rows = record.examples()
    assert rows["loss"].to_pylist()[0] == pytest.approx(np.log(2) / 2)
    assert rows["loss"].to_pylist()[1] is None
    assert not any(rows["nonfinite"].to_pylist())
    assert loss_of(record).infinite == 1
    # A class of no weight costs nothing, whatever was said of it.
    weighed = made(
        tmp_path,
        scores,
        lists([[1], [0], *SETS[2:]], pa.list_(pa.int32())),
        loss="binary-cross-entropy:weights=0/0/1/1",
    )
    assert loss_of(weighed).infinite == 0


# --- losses -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("scores", [LOGITS, SAVED])
def test_another_loss_is_looked_at_beside_cross_entropy(tmp_path: Path, scores: Any) -> None:
    record = pellucid.import_predictions(scores, TARGETS, out=tmp_path / "net", loss="focal:gamma=2", target_loss=0.25)
    own = SAVED[np.arange(80), TARGETS].astype(np.float64)
    rows = record.examples()
    np.testing.assert_allclose(rows["loss"].to_numpy(), (1 - own) ** 2 * -np.log(own), atol=1e-6)
    np.testing.assert_allclose(rows["log_loss"].to_numpy(), -np.log(own), atol=1e-6)
    panel = loss_of(record)
    assert panel.spec == "focal:gamma=2"
    assert any(benchmark.value == 0.25 for benchmark in panel.benchmarks)
    assert record.manifest.options["loss"] == "focal:gamma=2"


def test_ones_own_loss_is_called_with_logits(tmp_path: Path) -> None:
    def twice(outputs: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
        """Twice the cross-entropy."""
        return 2 * torch.nn.functional.cross_entropy(outputs, targets, reduction="none")

    record = pellucid.import_predictions(SAVED, TARGETS, out=tmp_path / "net", loss=twice)
    assert loss_of(record).mean == pytest.approx(2 * metrics.log_loss(TARGETS, SAVED), rel=1e-5)


def refused(tmp_path: Path, *given: Any, error: type[PellucidError] = DataError, **options: Any) -> str:
    with pytest.raises(error) as told:
        pellucid.import_predictions(*given, out=tmp_path / "refused", **options)
    assert not (tmp_path / "refused").exists()
    return str(told.value)


def test_what_does_not_go_together_is_refused(tmp_path: Path) -> None:
    def label(values: Any, kind: pa.DataType, scores: Any = SAVED) -> pa.Table:
        return pa.table({"scores": scores.tolist(), "label": lists(values, kind)})

    floats, whole = pa.list_(pa.float64()), pa.list_(pa.int32())
    for table, words in (
        (label(SOFT[:, :3] + 1 / 60, floats), "There are"),
        (label([[-1, 2, 0, 0], *SOFT[1:]], floats), "row 0, [-1, 2, 0, 0], must hold numbers of at least 0"),
        (label([*SOFT[:5], [0.5, 0.1, 0, 0], *SOFT[6:]], floats), "row 5, [0.5, 0.1, 0, 0], does not sum to 1"),
        (label([[1, 1, 0, 0], *COUNTS[1:]], pa.list_(pa.int8(), 4)), "may be counts or a set of classes"),
        (label([[0], [4], *SETS[2:]], whole, LOGITS), "The set of classes of row 1 holds 4, none of the 4 classes"),
        (label([[True], *TRUE[1:].tolist()], pa.list_(pa.bool_()), LOGITS), "row 0 has 1 values"),
        (label([[1, 1, 0, 0], *COUNTS[1:]], pa.list_(pa.int8(), 4)), "--label-kind sets"),
        (label([[1.0, 1.0, 0, 0], *SOFT[1:]], floats), "--label-kind sets of one 0 or 1 a class"),
        (label([["dog"], *[["cat"]] * 79], pa.list_(pa.string()), LOGITS), "nothing says which score is whose"),
    ):
        found = refused(tmp_path, table)
        assert words in found or "The soft labels name 3 classes" in found, found
    mixed = np.concatenate([SIGMOIDS[:60], LOGITS[60:] * 0 + 2])
    assert "--kind logits" in refused(tmp_path, label(SETS, whole, mixed))
    classes = pa.table({"prediction": TARGETS, "label": lists(SETS, whole)})
    assert "only one class an example was saved" in refused(tmp_path, classes)
    assert "Leave --loss out" in refused(tmp_path, TARGETS, TARGETS, loss="focal", error=OptionError)
    assert "is for multilabel" in refused(tmp_path, SAVED, TARGETS, loss="binary-focal", error=OptionError)
    assert "must be a number" in refused(tmp_path, SAVED, TARGETS, target_loss=float("nan"), error=OptionError)


@pytest.mark.skipif(SHARED is None, reason=REASON)
def test_cifar_10_h_is_read_as_it_stands(tmp_path: Path) -> None:
    import pyarrow.parquet as pq

    path = Path(str(SHARED)) / "data" / "cifar10" / "test.parquet"
    table = pq.read_table(path, columns=["label", "human_counts", "reference_probabilities"])
    record = pellucid.import_predictions(table, "human_counts", out=tmp_path / "net")
    counts = np.array(table["human_counts"].to_pylist(), np.float64)
    soft = counts / counts.sum(axis=1, keepdims=True)
    p = np.array(table["reference_probabilities"].to_pylist(), np.float64)
    p /= p.sum(axis=1, keepdims=True)
    wanted = -np.where(soft > 0, soft * np.log(np.maximum(p, 1e-300)), 0).sum(axis=1)
    rows = record.examples()["loss"].to_numpy()
    known = ~np.isnan(rows)
    np.testing.assert_allclose(rows[known], wanted[known], atol=1e-9)
    assert known.sum() + loss_of(record).infinite == 10_000


@pytest.mark.parametrize("kind", [np.int64, np.float32])
def test_zeros_and_ones_are_sets_where_somebody_says_so(tmp_path: Path, kind: Any) -> None:
    one = pellucid.import_predictions(LOGITS, TRUE, out=tmp_path / "booleans")
    other = pellucid.import_predictions(LOGITS, TRUE.astype(kind), out=tmp_path / "numbers", label_kind="sets")
    assert other.manifest.task == "multilabel"
    assert other.examples()["targets"].to_pylist() == one.examples()["targets"].to_pylist()
    assert loss_of(other).mean == loss_of(one).mean
    counts = TRUE.astype(kind)
    counts[3, 1] = 2
    said = refused(tmp_path, LOGITS, counts, label_kind="sets")
    assert "set of classes of row 3 holds other numbers than 0 and 1 (1 such rows among 80)" in said
