"""Inspections with any loss and any kind of label: what stands in the table and the panel is what other libraries compute."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from scipy import special, stats
from sklearn import metrics
from torch import nn
from torch.nn import functional

import pellucid
from pellucid.errors import OptionError
from pellucid.lenses import LensContext
from pellucid.lenses.again import look_again
from pellucid.lenses.loss import NO_SCORES, LossLens
from pellucid.measures.losses import loss_named
from pellucid.measures.predictions import columns_of
from pellucid.record import Record, schema
from pellucid.types import Batch, Observation

NUMBER, CLASSES = 90, 4
LENSES = ["predictions", "loss", "accuracy", "confusion"]


class Scores(nn.Module):
    """Gives back the logits that it is given."""

    def forward(self, logits: torch.Tensor) -> torch.Tensor:
        return logits * 1.0


def logits_of(seed: int = 0, classes: int = CLASSES) -> np.ndarray:
    return (np.random.default_rng(seed).normal(size=(NUMBER, classes)) * 2).astype(np.float32)


def labels_of(seed: int = 1) -> np.ndarray:
    logits = logits_of()
    generator = np.random.default_rng(seed)
    return np.array([generator.choice(CLASSES, p=row) for row in special.softmax(logits.astype(float), axis=1)])


def soft_of(seed: int = 2) -> np.ndarray:
    return np.random.default_rng(seed).dirichlet(np.full(CLASSES, 0.5), size=NUMBER)


def inspected(folder: Path, targets: Any, logits: np.ndarray | None = None, **options: Any) -> Record:
    values = logits_of() if logits is None else logits
    examples = list(zip(torch.from_numpy(values), targets, strict=True))
    return pellucid.inspect(
        Scores(),
        examples,
        out=folder / "net",
        lenses=options.pop("lenses", LENSES),
        batch_size=16,
        learned=0,
        **options,
    )


def panel_of(record: Record) -> schema.LossPanel:
    panel = record.panel("loss")
    assert isinstance(panel, schema.LossPanel)
    return panel


def column(record: Record, name: str) -> np.ndarray:
    return np.asarray(record.examples()[name].to_numpy(zero_copy_only=False), np.float64)


@pytest.mark.parametrize("spec", ["focal:gamma=2", "cross-entropy:smoothing=0.1", "hinge"])
def test_a_loss_by_name_is_named_and_stands_beside_the_log_loss(tmp_path: Path, spec: str) -> None:
    record = inspected(tmp_path, labels_of().tolist(), loss=spec, target_loss=0.5)
    loss, panel = loss_named(spec), panel_of(record)
    expected = loss.of(logits_of().astype(float), labels_of())
    np.testing.assert_allclose(column(record, "loss"), expected, rtol=1e-6, atol=1e-7)
    plain = -special.log_softmax(logits_of().astype(float), axis=1)[np.arange(NUMBER), labels_of()]
    np.testing.assert_allclose(column(record, "log_loss"), plain, rtol=1e-12)
    assert (panel.name, panel.spec, panel.unit, panel.source) == (loss.name, spec, loss.unit, loss.source)
    assert panel.mean == pytest.approx(expected.mean(), rel=1e-9)
    names = {one.name: one.value for one in panel.benchmarks}
    assert names["target"] == 0.5
    assert {"uniform guess", "class prior", "best constant"} <= names.keys()
    # The parts are of the log loss, whatever the loss is.
    assert panel.parts[0].total == pytest.approx(plain.mean(), rel=1e-9)
    assert record.manifest.options["loss"] == spec


def test_soft_labels_have_an_irreducible_part_and_the_parts_add_up(tmp_path: Path) -> None:
    soft = soft_of()
    record = inspected(tmp_path, [None, *torch.from_numpy(soft[1:])])
    panel = panel_of(record)
    log_p = torch.from_numpy(special.log_softmax(logits_of().astype(float), axis=1))
    expected = functional.cross_entropy(log_p[1:], torch.from_numpy(soft[1:]), reduction="none").numpy()
    np.testing.assert_allclose(column(record, "loss")[1:], expected, rtol=1e-10)
    assert panel.soft
    assert panel.count == NUMBER - 1
    log, brier = panel.parts
    assert log.total == pytest.approx(expected.mean(), rel=1e-12)
    assert log.irreducible == pytest.approx(stats.entropy(soft[1:], axis=1).mean(), rel=1e-12)
    assert brier.irreducible == pytest.approx((soft[1:] * (1 - soft[1:])).sum(axis=1).mean(), rel=1e-12)
    for one in panel.parts:
        assert one.calibration + one.refinement + one.within + one.naming == pytest.approx(one.total, abs=1e-9)
        for name in ("total", "calibration", "refinement", "within", "naming"):
            assert sum(getattr(part, name) for part in one.by_class) == pytest.approx(getattr(one, name), abs=1e-9)
    prior = next(one.value for one in panel.benchmarks if one.name == "class prior")
    assert prior == pytest.approx(stats.entropy(soft[1:].mean(axis=0)), rel=1e-12)
    np.testing.assert_array_equal(column(record, "target")[1:], soft[1:].argmax(axis=1))
    stored = record.examples()["soft_target"].to_pylist()
    assert stored[0] is None
    np.testing.assert_allclose(stored[1:], soft[1:], rtol=1e-14)


def test_sets_of_classes_are_a_task_of_their_own(tmp_path: Path) -> None:
    true = np.random.default_rng(3).random((NUMBER, CLASSES)) < [0.1, 0.3, 0.5, 0.7]
    sets: list[Any] = [set(np.flatnonzero(row).tolist()) for row in true]
    sets[5] = None
    record = inspected(tmp_path, sets)
    panel = panel_of(record)
    assert record.manifest.task == "multilabel"
    known = np.arange(NUMBER) != 5
    costs = functional.binary_cross_entropy_with_logits(
        torch.from_numpy(logits_of().astype(float)), torch.from_numpy(true.astype(float)), reduction="none"
    ).numpy()[known]
    np.testing.assert_allclose(column(record, "loss")[known], costs.mean(axis=1), rtol=1e-12)
    assert (panel.name, panel.unit, panel.count) == ("binary cross-entropy", "nats a class", NUMBER - 1)
    assert panel.mean == pytest.approx(costs.mean(), rel=1e-12)
    for one in panel.by_class:
        assert one.mean == pytest.approx(costs[:, one.index].mean(), rel=1e-12)
    assert sum(one.share or 0 for one in panel.by_class) == pytest.approx(1)
    prior = next(one.value for one in panel.benchmarks if one.name == "class prior")
    by_class = [stats.entropy([share, 1 - share]) for share in true[known].mean(axis=0)]
    assert prior == pytest.approx(np.mean(by_class), rel=1e-12)
    stored = record.examples()["targets"].to_pylist()
    assert stored[5] is None
    assert stored[0] == sorted(sets[0])
    assert record.examples()["target"].null_count == NUMBER
    assert record.panel("predictions").without_target == 1  # type: ignore[union-attr]


@pytest.mark.parametrize(("spec", "centre"), [("absolute-error", np.median), ("squared-error", np.mean)])
def test_the_best_constant_of_a_regression_is_seen_at_the_second_look(tmp_path: Path, spec: str, centre: Any) -> None:
    targets = np.random.default_rng(4).standard_t(3, size=NUMBER)
    record = inspected(tmp_path, targets.tolist(), logits_of(classes=1), loss=spec)
    panel = panel_of(record)
    reference = metrics.mean_absolute_error if spec == "absolute-error" else metrics.mean_squared_error
    assert panel.mean == pytest.approx(reference(targets, logits_of(classes=1)[:, 0].astype(float)), rel=1e-9)
    (best,) = panel.benchmarks
    assert best.value == pytest.approx(reference(targets, np.full(NUMBER, centre(targets))), rel=1e-9)


def test_ones_own_loss_is_a_function_or_a_module_of_tensors(tmp_path: Path) -> None:
    def mine(outputs: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
        """Half of the squared distance to the label."""
        return (outputs.softmax(dim=1) - nn.functional.one_hot(targets, CLASSES)).square().sum(dim=1) / 2

    targets = labels_of().tolist()
    record = inspected(tmp_path / "function", targets, loss=mine)
    panel = panel_of(record)
    np.testing.assert_allclose(column(record, "loss"), column(record, "brier") / 2, rtol=1e-9)
    assert (panel.name, panel.definition) == ("mine", "Half of the squared distance to the label.")
    assert {one.name: one.why for one in panel.benchmarks}["best constant"] == "it is not known of a loss of your own"
    smooth = nn.CrossEntropyLoss(label_smoothing=0.1, reduction="none")
    module = inspected(tmp_path / "module", targets, loss=smooth)
    np.testing.assert_allclose(
        column(module, "loss"), loss_named("cross-entropy:smoothing=0.1").of(logits_of(), labels_of()), rtol=1e-6
    )
    (tmp_path / "losses.py").write_text(
        "def double(outputs, targets):\n    return outputs[:, 0] * 2\n", encoding="utf-8"
    )
    by_file = inspected(tmp_path / "file", targets, loss=f"{tmp_path}/losses.py:double")
    np.testing.assert_allclose(column(by_file, "loss"), logits_of()[:, 0].astype(float) * 2, rtol=1e-9)


@pytest.mark.parametrize(
    ("loss", "words"),
    [
        ("huber", "The loss huber is for regression, but this is classification"),
        ("entropy", "There is no loss 'entropy'"),
        ("nowhere.py:mine", "There is no file nowhere.py"),
        (nn.CrossEntropyLoss(), "has reduction='mean'; make it with reduction='none'"),
        (
            lambda outputs, targets: outputs.mean(),
            r"must give one number an example, shape \(16,\); it gave shape \(\)",
        ),
        (lambda outputs, targets: outputs.nowhere, "raised AttributeError: .*outputs of shape"),
    ],
)
def test_a_loss_that_cannot_be_is_refused(tmp_path: Path, loss: Any, words: str) -> None:
    with pytest.raises(OptionError, match=words):
        inspected(tmp_path, labels_of().tolist(), loss=loss)


def test_disputed_labels_are_those_of_a_whole_table(tmp_path: Path) -> None:
    generator = np.random.default_rng(5)
    truth = generator.integers(CLASSES, size=NUMBER)
    logits = generator.normal(size=(NUMBER, CLASSES)).astype(np.float32)
    logits[np.arange(NUMBER), truth] += 5
    labels = truth.copy()
    labels[:9] = (truth[:9] + 1) % CLASSES
    record = inspected(tmp_path, labels.tolist(), logits)
    panel = panel_of(record)
    assert panel.label_errors is not None
    p = special.softmax(logits.astype(float), axis=1)
    own = p[np.arange(NUMBER), labels]
    thresholds = [own[labels == k].mean() for k in range(CLASSES)]
    np.testing.assert_allclose(np.array(panel.label_errors.thresholds, float), thresholds, rtol=1e-9)
    assert {issue.row for issue in panel.label_issues} >= set(range(9)) - set(
        np.flatnonzero(p.max(axis=1) < 0.6).tolist()
    )
    margins = [issue.margin for issue in panel.label_issues]
    assert margins == sorted(margins)
    for issue in panel.label_issues:
        assert issue.given_probability == pytest.approx(own[issue.row], rel=1e-9)
        assert issue.margin == pytest.approx(own[issue.row] - np.delete(p[issue.row], issue.given).max(), abs=1e-6)
        assert issue.example == str(issue.row)
    assert (
        panel.label_errors.disputed == len(panel.label_issues) == sum(pair.count for pair in panel.label_errors.pairs)
    )


def observed(logits: np.ndarray, targets: np.ndarray, **changed: Any) -> LossLens:
    lens = LossLens(LensContext(tuple("abcd")))
    columns = {**columns_of(logits, targets, task="classification"), **changed}
    lens.observe(
        Observation("sweep", Batch(0, tuple(map(str, range(len(logits)))), ()), outputs=logits, columns=columns)  # type: ignore[arg-type]
    )
    return lens


def test_a_label_without_any_probability_makes_the_mean_undefined_and_says_so() -> None:
    losses = columns_of(logits_of(), labels_of(), task="classification")["loss"].copy()
    losses[3] = np.inf
    panel = observed(logits_of(), labels_of(), loss=losses).report()
    assert (panel.mean, panel.interval, panel.infinite, panel.count) == (None, None, 1, NUMBER - 1)
    mean = np.delete(losses, 3).mean()
    assert panel.why == (
        "1 label was given no probability at all, which makes the mean infinite; the mean of the other 89 examples is "
        f"{mean:.4g}"
    )
    panel = observed(logits_of(), labels_of(), loss=np.full(NUMBER, np.inf)).report()
    assert panel.why == (
        "90 labels were given no probability at all, which makes the mean infinite; no other example has a loss"
    )


def test_the_brier_score_counts_labels_without_any_probability(tmp_path: Path) -> None:
    """One-hot answers: calibration (1 - accuracy)² and refinement accuracy (1 - accuracy), of each of two classes."""
    labels = np.arange(100) % 2
    answers = np.where(np.arange(100) < 61, labels, 1 - labels)
    (brier,) = panel_of(pellucid.import_predictions(np.eye(2)[answers], labels, out=tmp_path / "sure")).parts
    assert (brier.score, brier.count) == ("brier", 100)
    assert brier.calibration == pytest.approx(0.39**2)
    assert brier.refinement == pytest.approx(0.39 * 0.61)
    assert (brier.naming, brier.total) == pytest.approx((0.39, 0.78))
    assert brier.calibration_interval is not None
    assert brier.calibration_interval.low < 0.39**2 < brier.calibration_interval.high
    votes = np.random.default_rng(4).multinomial(5, [0.7, 0.2, 0.1], size=200) / 5
    targets = np.random.default_rng(5).choice(3, p=[0.7, 0.2, 0.1], size=200)
    panel = panel_of(pellucid.import_predictions(votes, targets, out=tmp_path / "neighbours"))
    assert panel.infinite == np.count_nonzero(votes[np.arange(200), targets] == 0) > 0
    (brier,) = panel.parts
    assert brier.total == pytest.approx(metrics.brier_score_loss(targets, votes, scale_by_half=False))
    assert sum(one.total for one in brier.by_class) == pytest.approx(brier.total)


def test_an_infinite_loss_of_a_set_may_come_of_a_class_that_is_not_true(tmp_path: Path) -> None:
    probabilities = np.full((3, 2), 0.5)
    probabilities[1, 1] = 1.0
    record = pellucid.import_predictions(probabilities, np.array([[1, 0], [1, 0], [0, 0]]) == 1, out=tmp_path / "net")
    assert panel_of(record).why == (
        "1 example has an infinite loss: a class that is true was given the probability 0, or one that is not true the "
        "probability 1, which makes the mean infinite; the mean of the other 2 examples is 0.6931"
    )


def test_classes_alone_have_no_loss_and_say_why() -> None:
    nothing = np.full(NUMBER, np.nan)
    lens = observed(
        np.full((NUMBER, CLASSES), np.nan), labels_of(), loss=nothing, brier=nothing, confidence=nothing,
        nonfinite=np.zeros(NUMBER, bool),
    )  # fmt: skip
    panel = lens.report()
    assert (panel.mean, panel.why, panel.parts, panel.findings) == (None, NO_SCORES, [], [])


def test_one_class_only_has_a_prior_of_nothing_to_guess() -> None:
    panel = observed(logits_of(), np.zeros(NUMBER, np.int64)).report()
    assert next(one.value for one in panel.benchmarks if one.name == "class prior") == 0.0
    assert panel.parts[0].by_class[0].total == pytest.approx(panel.parts[0].total)


def test_labels_of_one_class_do_not_say_that_the_confidence_misleads() -> None:
    """The prior of one class costs nothing, so that the best of models is worse than it."""
    logits = np.eye(CLASSES, dtype=np.float32)[np.zeros(NUMBER, np.int64)] * 8
    panel = observed(logits, np.zeros(NUMBER, np.int64)).report()
    assert panel.mean == pytest.approx(
        metrics.log_loss([0] * NUMBER, special.softmax(logits.astype(float), axis=1), labels=range(4))
    )
    assert panel.interval is not None
    assert panel.interval.low > 0.0
    assert panel.findings == []
    (finding,) = observed(-3 * logits_of(), labels_of()).report().findings
    assert finding.kind == "worse-than-prior"


def test_looking_again_reads_nothing_for_lenses_that_do_not() -> None:
    def never() -> Any:
        raise AssertionError
        yield

    look_again([], never())


def test_ones_own_loss_of_a_single_output_takes_it_alone_as_torchs_do(tmp_path: Path) -> None:
    logits, labels = logits_of(classes=1), (labels_of() > 1).astype(float)
    weight = torch.tensor(9.0, dtype=torch.float64)
    wanted = functional.binary_cross_entropy_with_logits(
        torch.from_numpy(logits[:, 0]).double(), torch.from_numpy(labels), reduction="none", pos_weight=weight
    )
    losses: tuple[Any, ...] = (
        nn.BCEWithLogitsLoss(reduction="none", pos_weight=weight),
        lambda z, t: functional.softplus(-z) * 9 * t + functional.softplus(z) * (1 - t),
    )
    for index, loss in enumerate(losses):
        record = inspected(tmp_path / str(index), labels.tolist(), logits, loss=loss)
        np.testing.assert_allclose(column(record, "loss"), wanted.numpy(), rtol=1e-12)
    with pytest.raises(OptionError, match=r"outputs of shape \(16,\)"):
        inspected(tmp_path / "first", labels.tolist(), logits, loss=lambda z, t: z[:, 0])


def test_weights_of_a_criterion_are_taken_in_the_type_of_the_outputs(tmp_path: Path) -> None:
    weight = torch.tensor([1.0, 2.0, 0.5, 3.0])
    criterion = nn.CrossEntropyLoss(weight=weight, reduction="none")
    record = inspected(tmp_path, labels_of().tolist(), loss=criterion)
    wanted = criterion(torch.from_numpy(logits_of()), torch.from_numpy(labels_of()))
    np.testing.assert_allclose(column(record, "loss"), wanted.numpy(), rtol=1e-5)
    assert criterion.weight is weight
    assert weight.dtype == torch.float32


@pytest.mark.parametrize("names", [np.array(["a", "b", "c", "d"]), np.array(["a", "b", "c", "d"]).tolist()])
def test_names_of_classes_may_be_numpys(tmp_path: Path, names: Any) -> None:
    record = inspected(tmp_path, labels_of().tolist(), classes=names)
    assert record.manifest.data is not None
    assert record.manifest.data.classes == ["a", "b", "c", "d"]
