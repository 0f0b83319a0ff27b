"""Which examples and labels the loss around the weights is over: those of the record, whatever they are."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import nn

import pellucid
from pellucid.data import from_python
from pellucid.inspection.labelled import LabelledExamples
from pellucid.inspection.landscape import add_landscape
from pellucid.landscape import objective_of
from pellucid.record import schema
from support.landscapes import IMAGES, SMALL, data, net, panel_of


def test_labels_are_the_model_s_classes_whatever_the_data_s_order(tmp_path: Path) -> None:
    """Of a folder the classes are in the order of their names, and the model has its own."""
    source = from_python([(image, at % 3) for at, image in enumerate(IMAGES)])
    source.classes = ("ant", "bee", "zebra")
    torch.manual_seed(0)
    model = nn.Sequential(nn.Flatten(), nn.Linear(16, 3)).eval()
    record = pellucid.inspect(model, source, out=tmp_path / "named", chosen=0, classes=("zebra", "ant", "bee"))
    panel = panel_of(add_landscape(tmp_path / "named", model, source, replace(SMALL, limit=100)))
    loss = record.panel("loss")
    assert isinstance(loss, schema.LossPanel)
    assert panel.centre == pytest.approx(loss.mean, rel=1e-6)
    assert panel.centre_correct == sum(
        one == other
        for one, other in zip(*(record.examples()[of].to_pylist() for of in ("target", "prediction")), strict=True)
    )


def test_examples_that_do_not_fit_into_the_room_are_read_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    from pellucid.inspection import labelled

    read: list[int] = []
    source = data()
    plain = source.example
    monkeypatch.setattr(source, "example", lambda row: (read.append(row), plain(row))[1])
    held = LabelledExamples(net(), source, objective_of("cross-entropy", "classification"), SMALL, "cpu")
    first = [(one.inputs.clone(), one.targets) for one in held]  # type: ignore[union-attr]
    monkeypatch.setattr(labelled, "KEPT", 0)
    tight = LabelledExamples(net(), source, objective_of("cross-entropy", "classification"), SMALL, "cpu")
    read.clear()
    assert len(list(held)) == held.batches == 3
    assert read == [], "small data is kept"
    for _ in range(2):
        again = [(one.inputs, one.targets) for one in tight]
        assert all(torch.equal(a, c) and torch.equal(b, d) for (a, b), (c, d) in zip(first, again, strict=True))  # type: ignore[arg-type]
    assert len(read) == 2 * len(tight)
    sizes = [len(one) for one in held]
    assert max(sizes) - min(sizes) <= 1


def test_soft_labels_sets_and_numbers(tmp_path: Path) -> None:
    from pellucid.types import Example

    model = net()
    for name, task, examples in (
        ("soft", "classification", [Example(str(at), one, 0, soft=(0.75, 0.25)) for at, one in enumerate(IMAGES)]),
        (
            "sets",
            "multilabel",
            [Example(str(at), one, classes=frozenset({at % 2} if at % 3 else {0, 1})) for at, one in enumerate(IMAGES)],
        ),
        ("numbers", "regression", [(one, float(at)) for at, one in enumerate(IMAGES)]),
    ):
        if task == "regression":
            model = nn.Sequential(nn.Flatten(), nn.Linear(16, 1)).eval()
        source = from_python(examples)
        out = tmp_path / name
        record = pellucid.inspect(model, source, out=out, chosen=0)
        assert record.manifest.task == task
        panel = panel_of(add_landscape(out, model, source, replace(SMALL, limit=100, matrices=("hessian",))))
        loss = record.panel("loss")
        assert isinstance(loss, schema.LossPanel)
        assert panel.centre == pytest.approx(loss.mean, rel=1e-5)
        assert (panel.centre_correct is None) == (task != "classification")
