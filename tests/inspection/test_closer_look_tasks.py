"""A closer look at a regression explains its one number, and at sets of classes the score of one class."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from pellucid.errors import TargetError
from pellucid.record import Record
from support.inspected import column
from support.tasks import IMAGES, LAYER, SETS, expected, network, of_numbers, of_sets


def whole(record: Record, row: int, name: str) -> np.ndarray:
    focus, tensors = record.focus(row)
    return tensors[name].astype(np.float64) * focus.scales[name]


def check_maps(record: Record, model: nn.Sequential, row: int, output: int) -> None:
    score, by_image, cam = expected(model, row, output)
    focus, _ = record.focus(row)
    layer = next(one for one in focus.layers if one.name == LAYER)
    assert focus.score == pytest.approx(score, rel=1e-5)
    np.testing.assert_allclose(whole(record, row, "input.gradient"), by_image, atol=1e-3 * np.abs(by_image).max())
    np.testing.assert_allclose(whole(record, row, f"{layer.index}.grad_cam"), cam, atol=1e-3 * max(cam.max(), 1e-6))


@pytest.mark.parametrize("last", [(), (nn.Flatten(0),)], ids=["batch of one number", "batch"])
def test_of_a_regression_the_number_itself_is_explained(tmp_path: Path, last: tuple[nn.Module, ...]) -> None:
    model = network(1, *last)
    record = of_numbers(tmp_path, model, chosen=9)
    assert (record.manifest.task, record.manifest.chosen) == ("regression", 9)
    panel: Any = record.panel("gradients")
    assert panel.explains == "the model's output for each example"
    for one in panel.examples:
        assert (one.target, one.prediction, one.explained) == (None, None, None)
        assert one.score == pytest.approx(column(record, "output")[one.row], rel=1e-5)
        focus, _ = record.focus(one.row)
        assert (focus.target, focus.prediction, focus.explained) == (None, None, None)
        check_maps(record, model, one.row, 0)


def test_the_examples_of_a_regression_are_those_of_highest_and_lowest_loss_and_some_at_random(tmp_path: Path) -> None:
    record = of_numbers(tmp_path, network(1), chosen=9)
    panel: Any = record.panel("gradients")
    reasons = {one.row: one.reason for one in panel.examples}
    order = np.argsort(column(record, "loss"), kind="stable").tolist()
    drawn = {row for row, reason in reasons.items() if reason == "random"}
    assert {row for row, reason in reasons.items() if reason == "highest loss"} <= set(order[-4:])
    assert {row for row, reason in reasons.items() if reason == "lowest loss"} <= set(order[:4])
    assert reasons[order[-1]] == "highest loss"
    assert reasons[order[0]] == "lowest loss"
    assert len(drawn) == 3


@pytest.mark.parametrize("target", ["label", 0])
def test_a_regression_has_no_class_to_name(tmp_path: Path, target: Any) -> None:
    with pytest.raises(TargetError, match="gives one number and no classes"):
        of_numbers(tmp_path, network(1), target=target)


@pytest.mark.parametrize("last", [(), (nn.Sigmoid(),)], ids=["logits", "probabilities"])
@pytest.mark.parametrize("target", ["prediction", "label", 2])
def test_of_sets_the_strongest_class_or_true_class_or_the_one_that_is_named_is_explained(
    tmp_path: Path, target: Any, last: tuple[nn.Module, ...]
) -> None:
    model = network(4, *last)
    record = of_sets(tmp_path, model, target=target, chosen=24)
    assert record.manifest.outputs == ("probabilities" if last else "logits")
    with torch.no_grad():
        outputs = model(IMAGES).numpy()
    strongest = outputs.argmax(1)
    true = np.where(SETS.any(1), np.where(SETS, outputs, -np.inf).argmax(1), strongest)
    assert (true != strongest).any()
    wanted = {"prediction": strongest, "label": true, 2: np.full(24, 2)}[target]
    assert len(record.focused) == 24
    panel: Any = record.panel("gradients")
    assert [one.explained for one in panel.examples] == wanted.tolist()
    assert [one.prediction for one in panel.examples] == strongest.tolist()
    for row in range(0, 24, 5):
        assert (record.focus(row)[0].explained, record.focus(row)[0].target) == (wanted[row], None)
        check_maps(record, model, row, int(wanted[row]))


def test_the_strongest_class_is_explained_where_no_class_is_true_or_known(tmp_path: Path) -> None:
    model = network(4)
    sets: list[Any] = [{1}, set(), *[None] * 21, {0, 1}]
    panel: Any = of_sets(tmp_path, model, sets, target="label", chosen=24).panel("gradients")
    outputs = model(IMAGES).detach()
    strongest = outputs.argmax(1).tolist()
    assert [one.explained for one in panel.examples] == [1, *strongest[1:23], int(outputs[23, :2].argmax())]


def test_a_single_class_that_is_true_or_not_is_explained_as_itself(tmp_path: Path) -> None:
    """Of one number z a classifier has two classes, -z and z; a set of one class has z alone."""
    model = network(1)
    record = of_sets(tmp_path, model, [{0} if row % 2 else set() for row in range(24)], chosen=4)
    assert record.manifest.task == "multilabel"
    assert record.manifest.data is not None
    assert record.manifest.data.classes == ["0"]
    for row in record.focused:
        assert record.focus(row)[0].explained == 0
        check_maps(record, model, row, 0)


def test_a_class_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(TargetError, match="The model has 4 outputs, 0 to 3; there is no output 4"):
        of_sets(tmp_path, network(4), target=4)


def test_gradients_of_the_layers_are_those_of_the_score(tmp_path: Path) -> None:
    model = network(1)
    panel: Any = of_numbers(tmp_path, model, chosen=24).panel("gradients")
    activation: Tensor = model[1](model[0](IMAGES)).detach().requires_grad_()
    (gradient,) = torch.autograd.grad(model[2:](activation).sum(), activation)
    norm = gradient.flatten(1).norm(dim=1).mean()
    assert next(one for one in panel.layers if one.name == LAYER).norm == pytest.approx(float(norm), rel=1e-5)
