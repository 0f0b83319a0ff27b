"""The model at hand looks closely at any example of its record, with the numbers that are stored."""

from __future__ import annotations

import numpy as np
import pytest
import safetensors.numpy
import torch

from pellucid.data import from_python, open_data
from pellucid.errors import (
    DataError,
    ModelError,
    RecordError,
    TargetError,
)
from pellucid.inspection.live import LiveModel
from pellucid.models.fingerprint import fingerprint
from pellucid.record import Record
from pellucid.types import Example
from support.inspected import SIZE, hundred_digits
from support.nets import TinyNet, digits, trained, untrained


@pytest.fixture(scope="module")
def model() -> TinyNet:
    return trained()


@pytest.fixture(scope="module")
def record(model: TinyNet, tmp_path_factory: pytest.TempPathFactory) -> Record:
    return hundred_digits(model, tmp_path_factory.mktemp("inspected") / "tiny.pellucid")


@pytest.fixture(scope="module")
def live(record: Record) -> LiveModel:
    assert isinstance(record.live, LiveModel)
    assert record.live.reason == ""
    return record.live


def test_a_closer_look_computed_now_has_the_numbers_of_the_stored_one(record: Record, live: LiveModel) -> None:
    for row in record.focused[:4]:
        stored, tensors = record.focus(row)
        content = live.focus(row, None)
        now = safetensors.numpy.load(content)
        from pellucid.record.encoding import focus_of

        told = focus_of(content)
        assert told.live
        assert not stored.live
        assert (told.row, told.example, told.target) == (stored.row, stored.example, stored.target)
        assert (told.prediction, told.explained) == (stored.prediction, stored.explained)
        assert [layer.name for layer in told.layers] == [layer.name for layer in stored.layers]
        np.testing.assert_allclose(told.score, stored.score, rtol=1e-5)
        assert now.keys() == tensors.keys()
        for name, values in tensors.items():
            if name in stored.scales:
                np.testing.assert_allclose(told.scales[name], stored.scales[name], rtol=1e-4)
            np.testing.assert_allclose(now[name], values, rtol=1e-2, atol=2e-3, err_msg=name)


def test_a_layers_attribution_is_gradient_times_activation_summed(record: Record, model: TinyNet) -> None:
    images, _ = digits("test")
    for row in record.focused[:3]:
        told, _ = record.focus(row)
        kept = [images[row : row + 1].clone().requires_grad_()]
        chain = [*model.features, *model.classifier]
        with torch.enable_grad():
            for module in chain:
                kept.append(module(kept[-1]))
            gradients = torch.autograd.grad(kept[-1][0, told.explained], kept[1:])
        masses = [
            float((gradient * value.detach()).abs().sum()) for gradient, value in zip(gradients, kept[1:], strict=True)
        ]
        by_module = dict(zip(map(id, chain), masses, strict=True))
        modules = dict(model.named_modules())
        for layer in told.layers:
            assert layer.attribution == pytest.approx(by_module[id(modules[layer.name])], rel=1e-4)
        assert told.layers[-1].attribution == pytest.approx(abs(told.score or 0), rel=1e-4), (
            "the explained logit itself"
        )


def test_any_example_and_any_class_can_be_asked_for(record: Record, live: LiveModel, model: TinyNet) -> None:
    from pellucid.record.encoding import focus_of

    row = next(row for row in range(SIZE) if row not in record.focused)
    images, _ = digits("test")
    with torch.no_grad():
        logits = model(images[row : row + 1])[0]
    for explained in (0, 9):
        told = focus_of(live.focus(row, explained))
        assert (told.row, told.explained, told.prediction) == (row, explained, int(logits.argmax()))
        np.testing.assert_allclose(told.score, float(logits[explained]), rtol=1e-5)


def test_the_models_closer_look_leaves_it_as_it_was(live: LiveModel, model: TinyNet) -> None:
    before = fingerprint(model)
    model.train()
    try:
        live.focus(3, None)
        assert model.training
    finally:
        model.eval()
    assert fingerprint(model) == before
    assert all(one.grad is None and one.requires_grad for one in model.parameters())


@pytest.mark.parametrize(
    ("row", "explained", "error", "words"),
    [
        (0, 10, TargetError, "The model has 10 outputs, 0 to 9; there is no output 10"),
        (0, -1, TargetError, "0 or more; got -1"),
        (SIZE, None, RecordError, "has 100 examples; there is no row 100"),
    ],
)
def test_a_row_or_an_output_that_is_not_there_is_refused(
    live: LiveModel, row: int, explained: int | None, error: type[Exception], words: str
) -> None:
    with pytest.raises(error, match=words):
        live.focus(row, explained)


def test_another_model_or_other_data_say_why_they_cannot_answer(record: Record, model: TinyNet) -> None:
    images, labels = digits("test")
    same = from_python(list(zip(images[:SIZE], labels[:SIZE], strict=True)))
    other = LiveModel(record, untrained(), same)
    assert other.reason.startswith("The model at hand is not the inspected one: its fingerprint is ")
    with pytest.raises(ModelError, match="is not the inspected one"):
        other.focus(0, None)
    renamed = [Example(f"digit {row}", images[row], int(labels[row])) for row in range(SIZE)]
    shifted = LiveModel(record, model, from_python(renamed))
    with pytest.raises(DataError, match="Row 0 of the record is the example '0'"):
        shifted.focus(0, None)
    prepared = LiveModel(record, model, open_data("digits:test"))
    assert prepared.reason.startswith("The examples at hand are prepared in another way than the inspected ones")
