"""Classes of floating point, as BCEWithLogitsLoss wants them, are classes; the numbers of a regression stay numbers."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.utils.data import TensorDataset

import pellucid
from pellucid.data import from_python
from pellucid.errors import DataError
from pellucid.inspection.landscape import Around, add_landscape

INPUTS = torch.randn(120, 4, generator=torch.Generator().manual_seed(0))
TRUTH = torch.randn(4, 3, generator=torch.Generator().manual_seed(1))
CLASSES = (INPUTS @ TRUTH).argmax(1)
BINARY = (CLASSES == 0).long()


def net(outputs: int = 1) -> nn.Linear:
    torch.manual_seed(0)
    return nn.Linear(4, outputs)


def inspected(folder: Path, targets: Tensor, outputs: int = 1, **more: Any) -> pellucid.Record:
    return pellucid.inspect(net(outputs), TensorDataset(INPUTS, targets), out=folder, chosen=4, **more)


def losses(record: pellucid.Record) -> list[float]:
    found: list[float] = record.examples()["loss"].to_pylist()
    return found


@pytest.mark.parametrize(("targets", "outputs"), [(BINARY, 1), (BINARY.sort().values, 1), (CLASSES, 3)])
def test_whole_numbers_are_classes_whatever_their_type(targets: Tensor, outputs: int, tmp_path: Path) -> None:
    whole = inspected(tmp_path / "whole", targets, outputs)
    floating = inspected(tmp_path / "floating", targets.float(), outputs)
    assert whole.manifest.task == floating.manifest.task == "classification"
    assert losses(whole) == losses(floating)
    assert floating.examples()["target"].to_pylist() == targets.tolist()
    assert floating.panel("accuracy").accuracy == whole.panel("accuracy").accuracy
    logits = net(outputs)(INPUTS).detach().double()
    cost = (
        nn.functional.binary_cross_entropy_with_logits(logits[:, 0], targets.double())
        if outputs == 1
        else nn.functional.cross_entropy(logits, targets)
    )
    assert floating.panel("loss").mean == pytest.approx(float(cost), rel=1e-6)


def test_they_are_classes_later_on_too(tmp_path: Path) -> None:
    data = TensorDataset(INPUTS, BINARY.float())
    record = inspected(tmp_path / "net", BINARY.float())
    live: Any = record.live
    asked, _ = live.inquiry("attribute", {"row": ["3"], "aim": ["loss"], "method": ["saliency"]})
    assert asked.answer(live, lambda _: True).said.score == pytest.approx(losses(record)[3], rel=1e-5)
    panel: Any = add_landscape(
        record.path, net(), from_python(data), Around(resolution=3, limit=120, loss="cross-entropy")
    ).panel("landscape")
    assert panel.plane.rows[1].losses[1] == pytest.approx(record.panel("loss").mean, rel=1e-6)
    found = pellucid.fit(net(3), TensorDataset(INPUTS, CLASSES.float())).panel
    assert found.sentence == pellucid.fit(net(3), TensorDataset(INPUTS, CLASSES)).panel.sentence


def test_they_are_classes_under_other_names(tmp_path: Path) -> None:
    named = [from_python(TensorDataset(INPUTS, one), classes=["no", "yes"]) for one in (BINARY, BINARY.float())]
    records = [
        pellucid.inspect(net(), source, out=tmp_path / str(place), chosen=4, classes=["yes", "no"])
        for place, source in enumerate(named)
    ]
    assert losses(records[0]) == losses(records[1])
    assert records[1].examples()["target"].to_pylist() == (1 - BINARY).tolist()


@pytest.mark.parametrize(
    "targets",
    [
        INPUTS[:, 0],
        CLASSES.float(),  # 0, 1 and 2 of a single output
        torch.ones(120),
        BINARY.float() - 0.5,
    ],
)
def test_other_numbers_are_those_of_a_regression(targets: Tensor, tmp_path: Path) -> None:
    record = inspected(tmp_path / "net", targets)
    assert record.manifest.task == "regression"
    outputs = net()(INPUTS).detach().double()[:, 0]
    assert record.panel("loss").mean == pytest.approx(float((outputs - targets.double()).square().mean()), rel=1e-6)


def test_a_regression_of_zeros_and_ones_is_one_where_somebody_says_so(tmp_path: Path) -> None:
    record = pellucid.inspect(
        net(), TensorDataset(INPUTS, BINARY.float()), out=tmp_path / "net", chosen=4, outputs="numbers"
    )
    assert record.manifest.task == "regression"


def test_a_later_number_that_is_no_class_is_refused_and_what_is_missing_stays_out(tmp_path: Path) -> None:
    rare = BINARY.float()
    rare[5] = 0.25  # not among those that are looked at first
    with pytest.raises(DataError, match=r"The target of 5 is 0\.25, but .* whole numbers .*--outputs numbers"):
        inspected(tmp_path / "refused", rare)
    missing = BINARY.float()
    missing[7] = torch.nan
    record = inspected(tmp_path / "missing", missing)
    assert record.panel("loss").count == 119
    assert losses(record)[7] is None
    assert record.examples()["target"][7].as_py() in (None, -1)


def test_examples_of_several_shapes_have_labels_too(tmp_path: Path) -> None:
    class Mean(nn.Module):
        def forward(self, inputs: Tensor) -> Tensor:
            return inputs.mean((1, 2, 3), keepdim=False)[:, None]

    examples = [(torch.randn(1, 4 + row % 3, 5), float(row % 2)) for row in range(12)]
    record = pellucid.inspect(Mean(), examples, out=tmp_path / "net", chosen=4, batch_size=1)
    assert record.manifest.task == "classification"
