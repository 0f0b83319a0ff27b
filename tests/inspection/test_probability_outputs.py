"""Models whose own last step is a softmax or a sigmoid: every number is that of the same model without it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from sklearn import metrics
from torch import Tensor, nn
from torch.utils.data import TensorDataset

import pellucid
from pellucid.attribution import deletion
from pellucid.data import from_python
from pellucid.errors import ModelError, OptionError
from pellucid.inspection.landscape import Around, add_landscape

NUMBER = 200
INPUTS = torch.randn(NUMBER, 4, generator=torch.Generator().manual_seed(0))
TRUTH = torch.randn(4, 3, generator=torch.Generator().manual_seed(1))
NOISE = torch.randn(NUMBER, 3, generator=torch.Generator().manual_seed(2))
CLASSES = (INPUTS @ TRUTH + NOISE).argmax(1)
SETS = [frozenset(np.flatnonzero(row).tolist()) for row in ((INPUTS @ TRUTH + NOISE) > 0).numpy()]
COLUMNS = ("prediction", "loss", "confidence", "entropy", "margin", "rank", "top_classes", "top_probabilities")


def head(outputs: int = 3) -> nn.Linear:
    layer = nn.Linear(4, outputs)
    with torch.no_grad():
        layer.weight.copy_(2 * TRUTH.T[:outputs])
        layer.bias.zero_()
    return layer


def inspected(folder: Path, model: nn.Module, examples: Any, **more: Any) -> pellucid.Record:
    return pellucid.inspect(model, examples, out=folder, chosen=4, **more)


def same(first: pellucid.Record, second: pellucid.Record, columns: tuple[str, ...] = COLUMNS) -> None:
    for name in columns:
        one, other = (np.array(each.examples()[name].to_pylist(), np.float64) for each in (first, second))
        np.testing.assert_allclose(one, other, rtol=2e-5, atol=1e-6, err_msg=name)


def kinds(record: pellucid.Record) -> list[str]:
    return [finding.kind for finding in record.panel("predictions").findings]


@pytest.fixture(scope="module")
def classified(tmp_path_factory: pytest.TempPathFactory) -> tuple[pellucid.Record, pellucid.Record]:
    folder, data = tmp_path_factory.mktemp("kinds"), TensorDataset(INPUTS, CLASSES)
    plain = inspected(folder / "plain", head(), data)
    return plain, inspected(folder / "soft", nn.Sequential(head(), nn.Softmax(1)), data)


def test_a_softmax_at_the_end_changes_no_number(classified: tuple[pellucid.Record, pellucid.Record]) -> None:
    plain, soft = classified
    assert (plain.manifest.outputs, soft.manifest.outputs) == ("logits", "probabilities")
    same(plain, soft)
    probabilities = head()(INPUTS).detach().double().softmax(1).numpy()
    assert soft.panel("loss").mean == pytest.approx(metrics.log_loss(CLASSES, probabilities), rel=1e-6)
    assert soft.panel("accuracy").ece == pytest.approx(plain.panel("accuracy").ece, rel=1e-5)
    fitted = [record.panel("accuracy").temperature.temperature for record in classified]
    assert fitted[0] == pytest.approx(fitted[1], rel=1e-3)
    assert kinds(soft) == ["probability-outputs"]
    assert kinds(plain) == []


def test_the_layers_learn_the_same(classified: tuple[pellucid.Record, pellucid.Record]) -> None:
    plain, soft = (record.panel("learning") for record in classified)
    for one, other in zip(plain.layers, soft.layers, strict=True):
        assert one.mean_norm == pytest.approx(other.mean_norm, rel=1e-4)
    np.testing.assert_allclose(*(record.array("learning", "losses") for record in classified), rtol=1e-5)


def test_a_loss_asked_of_the_live_model_is_the_one_in_the_record(
    classified: tuple[pellucid.Record, pellucid.Record],
) -> None:
    for record in classified:
        live: Any = record.live
        asked, _ = live.inquiry("attribute", {"row": ["3"], "aim": ["loss"], "method": ["saliency"]})
        said = asked.answer(live, lambda _: True).said
        assert said.score == pytest.approx(record.examples()["loss"][3].as_py(), rel=1e-5)


def test_a_landscape_stands_on_the_same_loss(
    classified: tuple[pellucid.Record, pellucid.Record], tmp_path: Path
) -> None:
    found = []
    for record, model in zip(classified, (head(), nn.Sequential(head(), nn.Softmax(1))), strict=True):
        source = from_python(TensorDataset(INPUTS, CLASSES))
        around = Around(resolution=3, limit=50, loss="cross-entropy")
        found.append(add_landscape(record.path, model, source, around).panel("landscape"))
    one, other = ([points.losses for points in panel.plane.rows] for panel in found)
    np.testing.assert_allclose(one, other, rtol=1e-5)


def test_a_single_sigmoid_is_two_classes(tmp_path: Path) -> None:
    data = TensorDataset(INPUTS, (CLASSES == 0).long())
    plain = inspected(tmp_path / "plain", head(1), data)
    soft = inspected(tmp_path / "soft", nn.Sequential(head(1), nn.Sigmoid()), data)
    assert soft.manifest.outputs == "probabilities"
    same(plain, soft)
    predicted = np.array(soft.examples()["prediction"].to_pylist())
    assert 0 < predicted.sum() < NUMBER  # taken for a logit, every p > 0 would be the second class
    explained = {one.row: one.explained for one in soft.panel("gradients").examples}
    assert explained == {row: predicted[row] for row in explained} != {}


def test_sigmoids_of_several_true_classes(tmp_path: Path) -> None:
    data = list(zip(INPUTS, SETS, strict=True))
    plain = inspected(tmp_path / "plain", head(), data)
    soft = inspected(tmp_path / "soft", nn.Sequential(head(), nn.Sigmoid()), data)
    assert soft.manifest.outputs == "probabilities"
    same(plain, soft, ("prediction", "loss", "confidence", "entropy"))
    assert soft.panel("accuracy").accuracy == plain.panel("accuracy").accuracy


class Unsure(nn.Module):
    """Gives probabilities of most examples, and of one with a large first value something else."""

    def forward(self, inputs: Tensor) -> Tensor:
        soft = inputs[:, :3].softmax(1)
        return torch.where(inputs[:, :1] > 2.5, soft * 3, soft)


def test_what_is_no_probability_after_all_is_refused_and_can_be_said(tmp_path: Path) -> None:
    inputs = INPUTS.clone()
    inputs[150, 0] = 3
    inputs[:150, 0].clamp_(max=2)
    data = TensorDataset(inputs, CLASSES)
    with pytest.raises(ModelError, match=r"taken for probabilities, but those of 150 add up to 3\. .*--outputs logits"):
        inspected(tmp_path / "refused", Unsure(), data)
    said = inspected(tmp_path / "said", Unsure(), data, outputs="logits")
    assert said.manifest.outputs == "logits"
    assert kinds(said) == []  # nobody had to guess


def test_outputs_that_could_be_either_are_told_of(tmp_path: Path) -> None:
    class Hand(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.head = head(1)

        def forward(self, inputs: Tensor) -> Tensor:
            return 1 / (1 + torch.exp(-self.head(inputs)))

    data = TensorDataset(INPUTS, (CLASSES == 0).long())
    guessed = inspected(tmp_path / "guessed", Hand(), data)
    assert guessed.manifest.outputs == "logits"
    assert kinds(guessed) == ["unit-outputs"]
    said = inspected(tmp_path / "said", Hand(), data, outputs="probabilities")
    assert kinds(said) == ["probability-outputs"]
    same(said, inspected(tmp_path / "plain", head(1), data))
    with pytest.raises(OptionError, match="outputs must be one of auto, logits, probabilities, numbers; got 'odds'"):
        inspected(tmp_path / "odd", Hand(), data, outputs="odds")


def test_a_fit_sees_the_same_confidence_and_knows_of_no_energy() -> None:
    data = TensorDataset(INPUTS, CLASSES)
    plain = pellucid.fit(head(), data, trained_on=data).panel
    soft = pellucid.fit(nn.Sequential(head(), nn.Softmax(1)), data, trained_on=data).panel
    assert plain.verdict == soft.verdict
    by_name = [{one.name: one for one in panel.scores} for panel in (plain, soft)]
    np.testing.assert_allclose(by_name[0]["confidence"].edges, by_name[1]["confidence"].edges, rtol=1e-5)
    assert by_name[0]["negative energy"].auroc is not None
    assert by_name[1]["negative energy"].auroc is None
    assert "the model gives probabilities" in by_name[1]["negative energy"].why


def test_a_fit_is_of_no_numbers() -> None:
    with pytest.raises(OptionError, match=r"A fit is about classifiers.*got 'numbers'"):
        pellucid.fit(head(), TensorDataset(INPUTS, CLASSES), outputs="numbers")  # type: ignore[arg-type]


@pytest.mark.parametrize(("outputs", "end"), [(3, nn.Softmax(1)), (1, nn.Sigmoid())])
def test_a_deletion_curve_is_of_the_probability_itself(outputs: int, end: nn.Module) -> None:
    inputs, ranking = INPUTS[:5], INPUTS[:5].abs()
    plain = deletion(head(outputs), inputs, "prediction" if outputs > 1 else 1, ranking, steps=4)
    soft = deletion(nn.Sequential(head(outputs), end), inputs, "prediction" if outputs > 1 else 1, ranking, steps=4)
    torch.testing.assert_close(plain.scores, soft.scores, rtol=1e-5, atol=1e-6)


def test_ones_own_loss_takes_the_probabilities_themselves(tmp_path: Path) -> None:
    def ours(p: Tensor, target: Tensor) -> Tensor:
        return 1 - p.gather(1, target[:, None])[:, 0]

    soft, data = nn.Sequential(head(), nn.Softmax(1)), TensorDataset(INPUTS, CLASSES)
    record = inspected(tmp_path / "soft", soft, data, loss=ours)
    wanted = 1 - soft(INPUTS).detach().double().gather(1, CLASSES[:, None])[:, 0]
    np.testing.assert_allclose(record.examples()["loss"].to_numpy(), wanted, rtol=1e-6)
    single, labels = nn.Sequential(head(1), nn.Sigmoid()), (CLASSES > 0).long()
    one = inspected(tmp_path / "single", single, TensorDataset(INPUTS, labels), loss=nn.BCELoss(reduction="none"))
    wanted = nn.functional.binary_cross_entropy(single(INPUTS)[:, 0].double(), labels.double(), reduction="none")
    np.testing.assert_allclose(one.examples()["loss"].to_numpy(), wanted.detach(), rtol=1e-5)
    sigmoids = nn.Sequential(head(), nn.Sigmoid())
    sets = list(zip(INPUTS, SETS, strict=True))
    several = inspected(tmp_path / "sets", sigmoids, sets, loss=lambda p, t: (p - t).square().sum(1))
    true = torch.tensor([[float(k in one) for k in range(3)] for one in SETS])
    np.testing.assert_allclose(
        several.examples()["loss"], (sigmoids(INPUTS) - true).square().sum(1).detach(), rtol=1e-4
    )


def test_a_landscape_hands_ones_own_loss_the_same(tmp_path: Path) -> None:
    for model, loss, labels in (
        (nn.Sequential(head(), nn.Softmax(1)), lambda p, t: 1 - p.gather(1, t[:, None])[:, 0], CLASSES),
        (head(1), nn.BCEWithLogitsLoss(reduction="none"), (CLASSES > 0).long()),
    ):
        data = TensorDataset(INPUTS, labels)
        record = inspected(tmp_path / type(model).__name__, model, data, loss=loss)
        around = Around(limit=NUMBER, resolution=3, loss=loss)
        found = add_landscape(record.path, model, from_python(data), around).panel("landscape")
        mean = float(np.mean(record.examples()["loss"].to_numpy()))
        assert found.centre == pytest.approx(mean, rel=1e-5)
