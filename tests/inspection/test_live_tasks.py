"""Questions to a regression and to a model of sets of classes: the maps of their own scores, and what makes no sense refused."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import safetensors.numpy
import torch
from torch import Tensor, nn

import pellucid
from pellucid.attribution import deletion
from pellucid.errors import ModelError, RecordError, TargetError
from pellucid.inspection.live import LiveModel
from pellucid.inspection.live.learning import LearningOf
from pellucid.record import Record
from pellucid.record.encoding import focus_of
from support.inspected import column
from support.tasks import IMAGES, LAYER, NUMBERS, SETS, expected, network, of_numbers, of_sets

ROW = 5


def ask(record: Record, question: str, **given: Any) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    """What an address with these parameters is answered, its numbers scaled back."""
    assert isinstance(record.live, LiveModel)
    words = {name: list(map(str, value)) if isinstance(value, list) else [str(value)] for name, value in given.items()}
    content = record.live.inquiry(question, words)[1](lambda _: True)
    header = json.loads(content[8 : 8 + int.from_bytes(content[:8], "little")])
    said = json.loads(header["__metadata__"][question])
    scales = said.get("scales", {})
    tensors = safetensors.numpy.load(content)
    return said, {name: values.astype(np.float64) * scales.get(name, 1) for name, values in tensors.items()}


def check_maps(record: Record, model: nn.Sequential, output: int, **given: Any) -> None:
    """Saliency and Grad-CAM of a question about row 5 are those of autograd."""
    said, tensors = ask(record, "attribute", row=ROW, method=["saliency", "grad_cam"], layers=[LAYER], **given)
    score, by_image, cam = expected(model, ROW, output)
    assert said["score"] == pytest.approx(score, rel=1e-5)
    assert [one["refused"] for one in said["methods"]] == ["", ""]
    wanted = np.abs(by_image).max(0)
    np.testing.assert_allclose(tensors["saliency.input"], wanted, atol=1e-3 * wanted.max())
    (index,) = (one["index"] for one in said["layers"])
    np.testing.assert_allclose(tensors[f"grad_cam.{index}"], cam, atol=1e-3 * max(cam.max(), 1e-6))


def fell(model: nn.Module, ranking: Tensor, scores: Any) -> list[float]:
    """The score of the whole example and of one without the half that the map ranks first, by hand."""
    gone = ranking.sum((0, 1)).flatten().argsort(descending=True, stable=True)[:32]
    image = IMAGES[ROW].clone()
    image.view(1, -1)[:, gone] = 0
    with torch.no_grad():
        return scores(model(torch.stack([IMAGES[ROW], image]))).tolist()


@pytest.mark.parametrize("last", [(), (nn.Flatten(0),)], ids=["batch of one number", "batch"])
def test_a_regression_answers_with_maps_of_its_number(tmp_path: Path, last: tuple[nn.Module, ...]) -> None:
    model = network(1, *last)
    record = of_numbers(tmp_path, model, chosen=2)
    assert record.live is not None
    assert record.live.reason == ""
    check_maps(record, model, 0)
    said, _ = ask(record, "attribute", row=ROW)
    assert (said["aim"], said["explained"], said["prediction"], said["target"]) == ("class", None, None, None)
    told = focus_of(record.live.focus(ROW, None))  # type: ignore[attr-defined]
    assert told.explained is None
    assert told.score == pytest.approx(expected(model, ROW, 0)[0], rel=1e-5)


def test_the_loss_of_a_regression_is_its_squared_error(tmp_path: Path) -> None:
    model = network(1)
    record = of_numbers(tmp_path, model, chosen=2)
    said, tensors = ask(record, "attribute", row=ROW, aim="loss", method=["saliency"])
    image = IMAGES[ROW : ROW + 1].clone().requires_grad_()
    loss = (model(image)[0, 0] - NUMBERS[ROW]) ** 2
    (gradient,) = torch.autograd.grad(loss, image)
    assert said["score"] == pytest.approx(loss.item(), rel=1e-5)
    assert said["score"] == pytest.approx(column(record, "loss")[ROW], rel=1e-5)
    np.testing.assert_allclose(tensors["saliency.input"], gradient[0, 0].abs(), atol=1e-3 * float(gradient.abs().max()))


def test_what_a_regression_has_not_is_refused_by_itself(tmp_path: Path) -> None:
    items = [
        (one, float(number) if row else None) for row, (one, number) in enumerate(zip(IMAGES, NUMBERS, strict=True))
    ]
    record = pellucid.inspect(network(1), items, out=tmp_path / "n", chosen=2)
    for question in ("attribute", "curves", "sanity"):
        with pytest.raises(TargetError, match="gives one number and no classes"):
            ask(record, question, row=ROW, explained=1)
    with pytest.raises(TargetError, match="gives one number and no classes"):
        record.live.focus(ROW, 0)  # type: ignore[union-attr]
    with pytest.raises(TargetError, match="The target of example '0' is not known, so it has no loss to explain"):
        ask(record, "attribute", row=0, aim="loss")
    with pytest.raises(TargetError, match="The target of example '0' is not known, so it has no loss to learn"):
        ask(record, "learning", row=0)
    assert ask(record, "attribute", row=0)[0]["score"] is not None


def test_curves_of_a_regression_are_of_its_number(tmp_path: Path) -> None:
    model = network(1)
    said, _ = ask(of_numbers(tmp_path, model, chosen=2), "curves", row=ROW, steps=2)
    assert said["of"] == "output"
    ranking = pellucid.attribute(model, IMAGES[ROW : ROW + 1], 1, "saliency").input
    wanted = fell(model, ranking, lambda outputs: outputs[:, 0])
    assert said["deletion"]["scores"][:2] == pytest.approx(wanted, rel=1e-5)


def test_a_regressions_gradients_by_the_parameters_are_those_of_its_squared_error(tmp_path: Path) -> None:
    model = network(1)
    record = of_numbers(tmp_path, model, chosen=2, learned=24)
    answer = LearningOf(row=(ROW, 7)).answer(record.live, lambda make: True)  # type: ignore[arg-type]
    for place, row in enumerate((ROW, 7)):
        loss = (model(IMAGES[row : row + 1])[0, 0] - NUMBERS[row]) ** 2
        by_hand = torch.autograd.grad(loss, list(model[0].parameters()))
        norm = torch.cat([one.flatten() for one in by_hand]).norm()
        assert answer.tensors["norms"][place, 0] == pytest.approx(float(norm), rel=1e-4)
        assert answer.tensors["losses"][place] == pytest.approx(loss.item(), rel=1e-5)


@pytest.mark.parametrize("last", [(), (nn.Sigmoid(),)], ids=["logits", "probabilities"])
def test_of_sets_any_class_is_explained_and_by_itself_the_strongest(
    tmp_path: Path, last: tuple[nn.Module, ...]
) -> None:
    model = network(4, *last)
    record = of_sets(tmp_path, model, chosen=2)
    strongest = int(model(IMAGES[ROW : ROW + 1]).argmax())
    check_maps(record, model, strongest)
    assert ask(record, "attribute", row=ROW)[0]["explained"] == strongest
    for output in range(4):
        check_maps(record, model, output, explained=output)
    told = focus_of(record.live.focus(ROW, 3))  # type: ignore[union-attr]
    assert (told.explained, told.prediction) == (3, strongest)
    assert told.score == pytest.approx(expected(model, ROW, 3)[0], rel=1e-5)


def test_the_loss_of_a_set_is_the_mean_binary_cross_entropy(tmp_path: Path) -> None:
    model = network(4)
    record = of_sets(tmp_path, model, chosen=2)
    said, tensors = ask(record, "attribute", row=ROW, aim="loss", method=["saliency"])
    image = IMAGES[ROW : ROW + 1].clone().requires_grad_()
    loss = nn.functional.binary_cross_entropy_with_logits(model(image), torch.from_numpy(SETS[ROW : ROW + 1]).float())
    (gradient,) = torch.autograd.grad(loss, image)
    assert said["score"] == pytest.approx(loss.item(), rel=1e-5)
    np.testing.assert_allclose(tensors["saliency.input"], gradient[0, 0].abs(), atol=1e-3 * float(gradient.abs().max()))


@pytest.mark.parametrize("last", [(), (nn.Sigmoid(),)], ids=["logits", "probabilities"])
def test_curves_of_a_class_of_a_set_are_of_its_own_probability(tmp_path: Path, last: tuple[nn.Module, ...]) -> None:
    model = network(4, *last)
    said, _ = ask(of_sets(tmp_path, model, chosen=2), "curves", row=ROW, explained=2, steps=2)
    assert said["of"] == "probability"
    ranking = pellucid.attribute(model, IMAGES[ROW : ROW + 1], 2, "saliency").input
    wanted = fell(model, ranking, lambda outputs: outputs[:, 2] if last else outputs[:, 2].sigmoid())
    assert said["deletion"]["scores"][:2] == pytest.approx(wanted, rel=1e-5)
    if not last:  # of one true class it would be the softmax
        softmax = deletion(model, IMAGES[ROW : ROW + 1], 2, ranking, 2).scores[0].tolist()
        assert said["deletion"]["scores"] != pytest.approx(softmax, rel=1e-2)


def test_what_sets_have_not_is_refused_by_itself(tmp_path: Path) -> None:
    sets: list[Any] = [None, *[{row % 4} for row in range(23)]]
    record = of_sets(tmp_path, network(4), sets, chosen=2)
    for explained in (4, -1):
        with pytest.raises(TargetError, match=f"no class {explained}: the model has 4, 0 to 3"):
            ask(record, "attribute", row=ROW, explained=explained)
    with pytest.raises(TargetError, match="The target of example '0' is not known, so it has no loss to explain"):
        ask(record, "attribute", row=0, aim="loss")
    with pytest.raises(RecordError, match="keeps no gradients by the parameters"):
        ask(record, "learning", row=ROW)
    assert ask(record, "attribute", row=0)[0]["score"] is not None


def test_a_single_class_that_is_true_or_not_has_maps_of_its_own_logit(tmp_path: Path) -> None:
    model = network(1)
    record = of_sets(tmp_path, model, [{0} if row % 2 else set() for row in range(24)], chosen=2)
    check_maps(record, model, 0)
    check_maps(record, model, 0, explained=0)
    with pytest.raises(TargetError, match="no class 1: the model has 1, 0 to 0"):
        ask(record, "attribute", row=ROW, explained=1)


def test_maps_of_layers_are_there_for_every_task(tmp_path: Path) -> None:
    for record, model in ((of_numbers(tmp_path, network(1)), network(1)), (of_sets(tmp_path, network(4)), network(4))):
        said, tensors = ask(record, "maps", row=ROW, layer=LAYER, channel=[0, 2])
        with torch.no_grad():
            wanted = model[:2](IMAGES[ROW : ROW + 1])[:, [0, 2]].numpy()
        np.testing.assert_allclose(tensors["maps"], wanted, atol=1e-3 * wanted.max())
        assert said["channels"] == [0, 2]


def test_outputs_that_are_no_score_are_refused_as_a_whole(tmp_path: Path) -> None:
    model = nn.Conv2d(1, 2, 3)
    record = pellucid.inspect(model, IMAGES, out=tmp_path / "none")
    assert (record.manifest.task, record.focused) == ("none", [])
    assert record.live is not None
    assert "there is no score to explain" in record.live.reason
    with pytest.raises(ModelError, match="there is no score to explain"):
        record.live.focus(0, None)  # type: ignore[attr-defined]
