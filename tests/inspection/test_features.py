"""Features added to a record: what is kept, what is replaced, what is refused, and that nothing is harmed."""

from __future__ import annotations

import io
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
import torch
from PIL import Image
from torch import nn

import pellucid
from pellucid.data import from_python
from pellucid.errors import DataError, LayerError, ModelError, OptionError, RecordError
from pellucid.inspection.features import Asked, add_features
from pellucid.inspection.live import LiveModel
from pellucid.record import Record

IMAGES = torch.rand(12, 3, 16, 16, generator=torch.Generator().manual_seed(2))


def net(seed: int = 0) -> nn.Sequential:
    torch.manual_seed(seed)
    return nn.Sequential(
        nn.Conv2d(3, 6, 5), nn.ReLU(), nn.Conv2d(6, 4, 3), nn.ReLU(), nn.Flatten(), nn.Linear(400, 2)
    ).eval()


def data() -> pellucid.data.Source:
    return from_python([(image, at % 2) for at, image in enumerate(IMAGES)])


@pytest.fixture(scope="module")
def inspected(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("features") / "net.pellucid"
    pellucid.inspect(net(), data(), out=out, chosen=0, classes=("a", "b"))
    return out


@pytest.fixture
def path(inspected: Path, tmp_path: Path) -> Path:
    return shutil.copytree(inspected, tmp_path / "net.pellucid")


def test_stimuli_of_one_layer_stand_beside_those_of_another_and_replace_their_own(path: Path) -> None:
    first = add_features(path, net(), data(), Asked(stimuli=True, layers=("1",)))
    one = first.panel("tuning")
    values = {name: first.array("tuning", name) for name in first.arrays("tuning")}
    both = add_features(path, net(), data(), Asked(stimuli=True, layers=("3",)))
    panel = both.panel("tuning")
    assert [(row.name, row.units) for row in panel.layers] == [("1", 6), ("3", 4)]
    assert panel.layers[0] == one.layers[0]
    assert panel.count > one.count > 0
    for name, value in values.items():
        np.testing.assert_array_equal(both.array("tuning", name), value)
    again = add_features(path, net(), data(), Asked(stimuli=True, layers=("1",)))
    assert [row.name for row in again.panel("tuning").layers] == ["1", "3"]
    assert again.arrays("tuning") == both.arrays("tuning")
    assert again.verify() == []
    everything = add_features(path, net(), data(), Asked(stimuli=True))
    stage = next(stage for stage in everything.manifest.stages if stage.name == "stimuli")
    assert everything.panel("tuning").count == stage.forward_examples  # nothing of an earlier answer is left


def test_what_was_spent_is_stated_and_the_model_is_left_as_it_was(path: Path) -> None:
    model = net().train()
    before = {name: value.clone() for name, value in model.state_dict().items()}
    states = torch.random.get_rng_state()
    record = add_features(path, model, data(), Asked(stimuli=True, layers=("1",)))
    stages = {stage.name: stage for stage in record.manifest.stages}
    assert (stages["features"].forward, stages["features"].backward) == (0, 0)
    assert (stages["stimuli"].state, stages["stimuli"].backward) == ("complete", 0)
    assert stages["stimuli"].forward_examples == stages["stimuli"].examples == record.panel("tuning").count > 0
    assert model.training
    assert all(parameter.requires_grad for parameter in model.parameters())
    assert all(not module._forward_hooks for module in model.modules())
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())
    assert torch.equal(torch.random.get_rng_state(), states)


def test_what_does_not_fit_is_refused_and_leaves_the_record_as_it_was(path: Path) -> None:
    with pytest.raises(LayerError, match="There is no layer '11'"):
        add_features(path, net(), data(), Asked(stimuli=True, layers=("11",)))
    with pytest.raises(ModelError, match="not the inspected one"):
        add_features(path, net(1), data(), Asked(stimuli=True))
    with pytest.raises(DataError, match="units that look at images"):
        add_features(path, net(), from_python([(torch.zeros(5), at % 2) for at in range(12)]), Asked())
    for other, said in (
        ([(image, at % 2) for at, image in enumerate(IMAGES[:5])], "There is no example 6: list has 5"),
        ([(image, 1) for image in IMAGES], "Row 0 of the record, '0', has the label 0, but 1 in list"),
        ([{"id": f"x{at}", "inputs": image, "target": at % 2} for at, image in enumerate(IMAGES)], "holds 'x0' there"),
    ):
        with pytest.raises(DataError, match=said):
            add_features(path, net(), from_python(other), Asked())
    record = Record(path)
    assert "tuning" not in record.panels
    assert {stage.name for stage in record.manifest.stages} == {"trace", "sweep", "features", "focus", "learn"}


def test_a_record_without_strongest_examples_is_refused(tmp_path: Path) -> None:
    pellucid.inspect(net(), data(), out=tmp_path / "net", chosen=0, classes=("a", "b"), lenses=["graph", "predictions"])
    with pytest.raises(RecordError, match="without the activations lens"):
        add_features(tmp_path / "net", net(), data(), Asked())


def test_a_record_of_saved_predictions_has_no_model_to_look_into(tmp_path: Path) -> None:
    saved = {"prediction": np.arange(12) % 2, "label": np.arange(12) % 2}
    record = pellucid.import_predictions(pa.table(saved), out=tmp_path / "saved.pellucid")
    with pytest.raises(
        RecordError, match="is of saved predictions, without a model: features belong to a record of a model"
    ):
        add_features(record.path, net(), data(), Asked())
    assert "of saved predictions" in LiveModel(record, net(), data()).reason


def test_concepts_are_kept_by_layer_beside_each_other(path: Path) -> None:
    asked = Asked(concepts="generated", pictures=24, layers=("1",))
    first = add_features(path, net(), data(), asked)
    one = first.panel("concepts")
    name = f"{one.layers[0].index}.iou"
    iou = first.array("concepts", name)
    both = add_features(path, net(), data(), replace(asked, layers=("3",)))
    panel = both.panel("concepts")
    assert [(row.name, row.units) for row in panel.layers] == [("1", 6), ("3", 4)]
    assert panel.layers[0] == one.layers[0]
    np.testing.assert_array_equal(both.array("concepts", name), iou)
    assert iou.shape == (6, len(panel.concepts))
    stage = next(stage for stage in both.manifest.stages if stage.name == "concepts")
    assert (stage.state, stage.examples, stage.forward_examples, stage.backward) == ("complete", 24, 48, 0)
    for info, best in zip(panel.concepts, range(len(panel.concepts)), strict=True):
        for channel in info.strongest:
            assert channel.iou == pytest.approx(
                float(both.array("concepts", f"{channel.layer}.iou")[channel.unit, best])
            )
    for row in panel.layers:
        sheet = Image.open(io.BytesIO(both.array("concepts", f"{row.index}.sheet").tobytes()))
        assert sheet.size == (panel.side * panel.ranks, panel.side * row.stored)
    assert both.verify() == []
    other = add_features(path, net(), data(), replace(asked, pictures=25))
    assert [row.name for row in other.panel("concepts").layers] == ["1"]  # agreement with other pictures is another's


def test_labels_of_whole_pictures_are_kept_by_layer_beside_each_other(path: Path, tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    for row in range(40):
        picture = random.integers(0, 120, (16, 16, 3), np.uint8)
        picture[:, :, row % 2] //= 4
        folder = tmp_path / "shown" / ("greenish" if row % 2 == 0 else "reddish")
        folder.mkdir(parents=True, exist_ok=True)
        Image.fromarray(picture).save(folder / f"{row}.png")
    asked = Asked(concepts=str(tmp_path / "shown"), layers=("1",))
    one = add_features(path, net(), data(), asked).panel("separation")
    both = add_features(path, net(), data(), replace(asked, layers=("3", "5")))
    panel = both.panel("separation")
    assert [(row.name, row.units) for row in panel.layers] == [("1", 6), ("3", 4), ("5", 2)]
    assert panel.layers[0] == one.layers[0]
    assert (panel.count, panel.pooled, panel.source) == (40, "maximum", "40 pictures of shown, labelled as wholes")
    assert [(info.name, info.shown, info.others, info.asked) for info in panel.concepts] == [
        ("greenish", 20, 20, True), ("reddish", 20, 20, True),
    ]  # fmt: skip
    stage = next(stage for stage in both.manifest.stages if stage.name == "separation")
    assert (stage.state, stage.examples, stage.forward_examples, stage.backward) == ("complete", 40, 40, 0)
    for row in panel.layers:
        area, best = (both.array("separation", f"{row.index}.{name}") for name in ("area", "best"))
        assert area.shape == (row.units, 2)
        np.testing.assert_allclose(area.sum(1), 1.0, atol=1e-6)  # what tells one of two tells the other
        chance = both.array("separation", f"{row.index}.chance")[best]
        alive = both.array("separation", f"{row.index}.alive") > 0
        assert row.beyond == (alive & (area.max(1) > chance)).sum()
        low, high = (both.array("separation", f"{row.index}.{name}") for name in ("low", "high"))
        assert ((low <= area.max(1)) & (area.max(1) <= high)).all()
        sheet = Image.open(io.BytesIO(both.array("separation", f"{row.index}.sheet").tobytes()))
        assert sheet.size == (panel.side * panel.ranks, panel.side * row.stored)
    for info in panel.concepts:
        assert [one.area for one in info.strongest] == sorted((one.area for one in info.strongest), reverse=True)
    assert any(info.strongest for info in panel.concepts)
    assert both.verify() == []
    (tmp_path / "shown" / "reddish" / "1.png").unlink()
    other = add_features(path, net(), data(), asked)
    assert [row.name for row in other.panel("separation").layers] == ["1"]


def test_a_set_of_concepts_that_is_none_is_refused_before_anything_is_run(path: Path) -> None:
    with pytest.raises(OptionError, match="there is no folder or table 'colours'"):
        add_features(path, net(), data(), Asked(concepts="colours"))
    assert "concepts" not in Record(path).panels
