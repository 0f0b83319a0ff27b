"""Made pictures added to a record: what is kept, what is replaced, what was spent, what is refused."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

import pellucid
from pellucid.data import from_python
from pellucid.errors import MethodError, OptionError
from pellucid.features import Ascent
from pellucid.inspection.features import Asked, add_features
from pellucid.record import Record

IMAGES = torch.rand(12, 3, 16, 16, generator=torch.Generator().manual_seed(2))


class Rounded(nn.Module):
    """No gradient passes it."""

    def forward(self, values: torch.Tensor) -> torch.Tensor:
        return (8 * values.detach()).round() / 8


def net(*more: nn.Module) -> nn.Sequential:
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Conv2d(3, 6, 5), nn.ReLU(), *more, nn.Conv2d(6, 4, 3), nn.ReLU(), nn.Flatten(), nn.Linear(400, 2)
    ).eval()


def inspected(model: nn.Module, out: Path) -> Path:
    lenses = ["graph", "predictions", "activations"]
    pellucid.inspect(model, data(), out=out, chosen=0, classes=("a", "b"), lenses=lenses)
    return out


def data() -> pellucid.data.Source:
    return from_python([(image, at % 2) for at, image in enumerate(IMAGES)])


def test_pictures_stand_beside_those_of_other_layers_and_methods_and_replace_their_own(tmp_path: Path) -> None:
    path, model = inspected(net(), tmp_path / "net.pellucid"), net().train()
    states = torch.random.get_rng_state()
    asked = Asked(ascent=Ascent(steps=3, variants=2), channels=(2, 0), layers=("1",))
    first = add_features(path, model, data(), asked)
    assert first.array("optimised", "0.fourier.units").tolist() == [0, 2]
    responses = first.array("optimised", "0.fourier.responses")
    assert responses.shape == (2, 2)
    side = first.panel("optimised").layers[0].side
    sheet = Image.open(io.BytesIO(first.array("optimised", "0.fourier.sheet").tobytes()))
    assert sheet.size == (2 * side, 2 * side) == (32, 32)
    stage = next(stage for stage in first.manifest.stages if stage.name == "optimise")
    assert (stage.state, stage.examples, stage.backward, stage.backward_examples) == ("complete", 4, 3, 12)

    add_features(path, net(), data(), Asked(ascent=Ascent("maco", steps=3), channels=(1,), layers=("1",)))
    every = add_features(path, net(), data(), Asked(ascent=Ascent(steps=3), channels=(1,)))
    panel = every.panel("optimised")
    assert [(row.name, row.method, row.stored, row.variants) for row in panel.layers] == [
        ("1", "fourier", 1, 1), ("1", "maco", 1, 1), ("3", "fourier", 1, 1), ("5", "fourier", 1, 1),
    ]  # fmt: skip
    assert panel.count == 4
    assert every.verify() == []
    assert model.training
    assert torch.equal(torch.random.get_rng_state(), states)

    again = add_features(path, net(), data(), asked)
    np.testing.assert_array_equal(again.array("optimised", "0.fourier.responses"), responses)


def test_a_few_channels_are_chosen_where_none_is_named_and_wrong_ones_are_refused_before_anything_runs(
    tmp_path: Path,
) -> None:
    path = inspected(net(), tmp_path / "net.pellucid")
    with pytest.raises(OptionError, match="'3' has 4 channels, 0 to 3; there is no 5"):
        add_features(path, net(), data(), Asked(ascent=Ascent(steps=2), channels=(5,)))
    assert "optimised" not in Record(path).panels
    record = add_features(path, net(), data(), Asked(ascent=Ascent(steps=2), layers=("3",)))
    assert record.array("optimised", "1.fourier.units").tolist() == [0, 1, 2, 3]


def test_a_layer_behind_something_without_a_gradient_is_refused(tmp_path: Path) -> None:
    path = inspected(net(Rounded()), tmp_path / "net.pellucid")
    add_features(path, net(Rounded()), data(), Asked(ascent=Ascent(steps=2), layers=("1",), channels=(0,)))
    with pytest.raises(MethodError, match="'4' has no gradient by the inputs"):
        add_features(path, net(Rounded()), data(), Asked(ascent=Ascent(steps=2), layers=("4",), channels=(0,)))
    stage = next(stage for stage in Record(path).manifest.stages if stage.name == "optimise")
    assert stage.state == "failed"
    assert [row.name for row in Record(path).panel("optimised").layers] == ["1"]
