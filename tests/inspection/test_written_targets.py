"""Targets as PyTorch's losses want them: zeros and ones of several classes, whole numbers of a regression, signs of two classes."""

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
from pellucid.data import from_python
from pellucid.errors import DataError, OptionError
from pellucid.inspection.landscape import Around, add_landscape

NUMBER = 90
INPUTS = torch.randn(NUMBER, 4, generator=torch.Generator().manual_seed(0))
TRUTH = torch.randn(4, 3, generator=torch.Generator().manual_seed(1))
SETS = (INPUTS @ TRUTH) > 0.5
BINARY = (INPUTS @ TRUTH)[:, 0] > 0


def net(outputs: int) -> nn.Linear:
    torch.manual_seed(0)
    return nn.Linear(4, outputs)


def inspected(folder: Path, targets: Any, width: int, **more: Any) -> pellucid.Record:
    data = TensorDataset(INPUTS, targets) if isinstance(targets, Tensor) else list(zip(INPUTS, targets, strict=True))
    return pellucid.inspect(net(width), data, out=folder, chosen=4, batch_size=16, **more)


@pytest.mark.parametrize("kind", [torch.float32, torch.int64])
def test_zeros_and_ones_of_several_classes_are_sets_of_them(tmp_path: Path, kind: torch.dtype) -> None:
    assert SETS.sum(1).unique().tolist() == [0, 1, 2, 3]
    first_alone = torch.cat([SETS[SETS.sum(1) == 1], SETS[SETS.sum(1) != 1]])
    inputs = torch.cat([INPUTS[SETS.sum(1) == 1], INPUTS[SETS.sum(1) != 1]])
    data = TensorDataset(inputs, first_alone.to(kind))
    record = pellucid.inspect(net(3), data, out=tmp_path / "net", chosen=4, batch_size=16)
    assert record.manifest.task == "multilabel"
    held = [sorted(np.flatnonzero(row).tolist()) for row in first_alone.numpy()]
    assert record.examples()["targets"].to_pylist() == held
    logits = net(3)(inputs).detach().double()
    cost = nn.functional.binary_cross_entropy_with_logits(logits, first_alone.double())
    assert record.panel("loss").mean == pytest.approx(float(cost), rel=1e-6)
    exact = metrics.accuracy_score(first_alone.numpy(), (logits > 0).numpy())
    assert record.panel("accuracy").accuracy == pytest.approx(exact, rel=1e-12)
    # Later questions read the same targets again.
    found = add_landscape(record.path, net(3), from_python(data), Around(resolution=3)).panel("landscape")
    assert found.centre == pytest.approx(float(cost), rel=1e-6)


def test_one_class_each_stays_one_class(tmp_path: Path) -> None:
    classes = (INPUTS @ TRUTH).argmax(1)
    record = inspected(tmp_path / "net", nn.functional.one_hot(classes, 3).float(), 3)
    assert record.manifest.task == "classification"
    assert record.examples()["target"].to_pylist() == classes.tolist()


def test_targets_of_two_kinds_are_refused(tmp_path: Path) -> None:
    classes = nn.functional.one_hot((INPUTS @ TRUTH).argmax(1), 3).float()
    # Not among those that are looked at first.
    late = [*classes[:41], torch.tensor([1.0, 1.0, 0.0]), *classes[42:]]
    with pytest.raises(
        DataError, match="target of 41 is a set of 2 classes, but those that were looked at first had one class"
    ):
        inspected(tmp_path / "late", late, 3)
    spread = [*SETS.float()[:-1], torch.tensor([0.5, 0.5, 0.0])]
    with pytest.raises(DataError, match="target of 89 is a soft label, but others are sets of classes"):
        inspected(tmp_path / "spread", spread, 3)
    with pytest.raises(DataError, match="target of 7 is 2, but others are sets of classes"):
        inspected(tmp_path / "class", [*SETS[:7], 2, *SETS[8:]], 3)


def test_whole_numbers_of_a_single_output_are_a_regressions(tmp_path: Path) -> None:
    stars = (INPUTS[:, 0] * 2).round().long()
    assert {-1, 0, 1, 3} <= set(stars.tolist())
    record = inspected(tmp_path / "net", [None if row == 5 else int(star) for row, star in enumerate(stars)], 1)
    assert record.manifest.task == "regression"
    known = np.arange(NUMBER) != 5
    errors = (net(1)(INPUTS)[:, 0].detach().double() - stars).square().numpy()
    np.testing.assert_allclose(record.examples()["loss"].to_numpy()[known], errors[known], rtol=1e-5)
    assert record.examples()["loss"][5].as_py() is None or np.isnan(record.examples()["loss"][5].as_py())
    found = add_landscape(
        record.path, net(1), from_python(list(zip(INPUTS, stars.tolist(), strict=True))), Around(resolution=3)
    )
    assert found.panel("landscape").centre == pytest.approx(errors.mean(), rel=1e-5)


def test_a_count_that_comes_late_says_what_to_do(tmp_path: Path) -> None:
    counts = BINARY.long()
    counts[1] = 2
    with pytest.raises(DataError, match=r"label of 1 is 2, but the model has one output, .*--outputs numbers"):
        inspected(tmp_path / "net", counts, 1)
    assert inspected(tmp_path / "said", counts, 1, outputs="numbers").manifest.task == "regression"


@pytest.mark.parametrize("kind", [torch.float32, torch.int64])
def test_two_classes_by_their_signs_are_not_half_of_them_without_a_label(tmp_path: Path, kind: torch.dtype) -> None:
    signs = 2 * BINARY.to(kind) - 1
    with pytest.raises(DataError, match=r"targets of TensorDataset are -1 and 1\. Give the two classes as 0 and 1"):
        inspected(tmp_path / "net", signs, 1)
    numbers = inspected(tmp_path / "numbers", signs, 1, outputs="numbers")
    error = (net(1)(INPUTS)[:, 0].detach().double() - signs).square().mean()
    assert numbers.panel("loss").mean == pytest.approx(float(error), rel=1e-5)
    missing = [None if not one else 1 for one in BINARY.tolist()]
    assert inspected(tmp_path / "missing", missing, 1).manifest.task == "classification"


def test_a_loss_that_nothing_can_be_taken_of_is_refused(tmp_path: Path) -> None:
    with pytest.raises(OptionError, match="own:<lambda> cannot be looked at: the model's outputs, of shape"):
        inspected(tmp_path / "asked", INPUTS[:, 0], 3, loss=lambda z, t: (z - t).abs())
    plain = inspected(tmp_path / "plain", INPUTS[:, 0], 3)
    assert (
        plain.panel("loss").why.startswith("this model's task has no loss") or "no loss here" in plain.panel("loss").why
    )


class Squeezed(nn.Module):
    """Drops every axis of length one, as many tutorials do."""

    def __init__(self, outputs: int) -> None:
        super().__init__()
        self.inner = net(outputs)

    def forward(self, inputs: Tensor) -> Tensor:
        scores: Tensor = self.inner(inputs)
        return scores.squeeze()


@pytest.mark.parametrize("outputs", [1, 2, 3])
@pytest.mark.parametrize("batch_size", [1, 89, 90])
def test_a_squeezed_batch_of_one_is_a_batch(tmp_path: Path, outputs: int, batch_size: int) -> None:
    classes = BINARY.long() if outputs < 3 else (INPUTS @ TRUTH).argmax(1)
    data, found = TensorDataset(INPUTS, classes), []
    for model in (net(outputs), Squeezed(outputs)):
        record = pellucid.inspect(model, data, out=tmp_path / type(model).__name__, chosen=3, batch_size=batch_size)
        assert {stage.state for stage in record.manifest.stages} == {"complete"}
        found.append((record.manifest.data.classes, record.examples()["loss"].to_pylist()))  # type: ignore[union-attr]
    assert found[0][0] == found[1][0]
    np.testing.assert_allclose(found[0][1], found[1][1], rtol=1e-5)


def test_outputs_that_are_not_by_example_are_no_scores(tmp_path: Path) -> None:
    class Flat(nn.Module):
        def forward(self, inputs: Tensor) -> Tensor:
            return inputs.reshape(-1, 2)

    data = TensorDataset(INPUTS, BINARY.long())
    record = pellucid.inspect(Flat(), data, out=tmp_path / "flat", batch_size=16)
    assert record.manifest.task == "none"
    (finding,) = [one for one in record.findings if one.kind == "unscored-outputs"]
    assert "the shape (2, 2) for 1 example: its first axis is not the examples" in finding.sentence


def test_which_of_several_outputs_is_taken_is_said(tmp_path: Path) -> None:
    class Several(nn.Module):
        def __init__(self, form: Any) -> None:
            super().__init__()
            self.inner, self.form = net(2), form

        def forward(self, inputs: Tensor) -> Any:
            return self.form(inputs, self.inner(inputs))

    said = {}
    for name, form in {
        "tuple": lambda x, z: (x, z),
        "dict": lambda x, z: {"features": x, "told": z},
        "scores": lambda x, z: {"features": x, "scores": z},
        "named": lambda x, z: {"features": x, "logits": z},
        "mask": lambda x, z: (z, x > 0),
    }.items():
        record = pellucid.inspect(Several(form), TensorDataset(INPUTS, BINARY.long()), out=tmp_path / name, chosen=4)
        said[name] = [finding.sentence for finding in record.findings if finding.kind == "several-outputs"]
    assert [len(one) for one in said.values()] == [1, 1, 0, 0, 0]
    assert "the first of 2 tensors was taken for the scores" in said["tuple"][0]
    assert "'features' of the entries 'features', 'told' was taken" in said["dict"][0]


def test_a_detector_is_inspected_without_a_task(tmp_path: Path) -> None:
    class Boxes(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.inner = nn.Conv2d(3, 4, 3)

        def forward(self, images: Tensor) -> list[dict[str, Tensor]]:
            return [{"boxes": one.flatten(1).T, "scores": one.mean((1, 2))} for one in self.inner(images)]

    record = pellucid.inspect(
        Boxes(), [(image, None) for image in torch.rand(6, 3, 8, 8)], out=tmp_path / "net", batch_size=4
    )
    assert record.manifest.task == "none"
    assert {stage.state for stage in record.manifest.stages} == {"complete"}
    assert [layer.name for layer in record.panel("activations").layers] == ["inner"]
    with pytest.raises(OptionError, match="cannot be looked at: the model's outputs, of shape"):
        pellucid.inspect(Boxes(), torch.rand(6, 3, 8, 8), out=tmp_path / "loss", loss=lambda z, t: z)


def test_a_regression_in_double_precision_stays_so(tmp_path: Path) -> None:
    generator = torch.Generator().manual_seed(3)
    seconds = 1.7e9 + 30 * torch.randn(NUMBER, generator=generator, dtype=torch.float64)
    inputs = (seconds + torch.randn(NUMBER, generator=generator, dtype=torch.float64))[:, None]
    record = pellucid.inspect(nn.Identity(), TensorDataset(inputs, seconds), out=tmp_path / "net", batch_size=16)
    scores = {one.name: one.value for one in record.panel("accuracy").scores}
    error = (inputs[:, 0] - seconds).numpy()
    assert scores["root mean squared error"] == pytest.approx(np.sqrt(np.mean(error**2)), rel=1e-9)
    assert scores["mean absolute error"] == pytest.approx(np.abs(error).mean(), rel=1e-9)
    assert record.panel("loss").mean == pytest.approx(np.mean(error**2), rel=1e-9)
    r2 = metrics.r2_score(seconds.numpy(), inputs[:, 0].numpy())
    assert scores["R2"] == pytest.approx(r2, rel=1e-9)
