"""The programs of examples/ whose figures stand in the documentation, on networks so small that they take no time."""

from __future__ import annotations

import importlib.util
import re
import sys
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
import torch
from torch import Tensor, nn

import pellucid
from support.shared import REASON, SHARED

ROOT = Path(__file__).parents[2]


def program(name: str) -> ModuleType:
    """A file of examples/ as a module; it finds those beside it."""
    spec = importlib.util.spec_from_file_location(f"examples_{name}", ROOT / "examples" / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # dataclasses look their module up
    sys.path.insert(0, str(ROOT / "examples"))
    try:
        spec.loader.exec_module(module)
    finally:
        sys.path.pop(0)
    return module


class Tiny(nn.Module):
    """Built as torchvision builds a VGG, of two blocks."""

    def __init__(self, seed: int = 0) -> None:
        super().__init__()
        torch.manual_seed(seed)
        self.features = nn.Sequential(
            nn.Conv2d(3, 4, 3, padding=1), nn.ReLU(True), nn.Conv2d(4, 4, 3, padding=1), nn.ReLU(True), nn.MaxPool2d(2, 2),
            nn.Conv2d(4, 8, 3, padding=1), nn.ReLU(True), nn.MaxPool2d(2, 2),
        )  # fmt: skip
        self.avgpool = nn.AdaptiveAvgPool2d(2)
        self.classifier = nn.Sequential(nn.Linear(32, 6), nn.ReLU(True), nn.Dropout(), nn.Linear(6, 5))

    def forward(self, images: Tensor) -> Tensor:
        logits: Tensor = self.classifier(torch.flatten(self.avgpool(self.features(images)), 1))
        return logits


@pytest.fixture(scope="module")
def vgg16() -> ModuleType:
    return program("vgg16")


def test_the_worked_example_lists_every_layer_and_nothing_twice(vgg16: ModuleType) -> None:
    model = Tiny().eval()
    graph = pellucid.graph(model, torch.zeros(1, 3, 16, 16))
    rows = list(vgg16.architecture(graph))
    assert [row[0].strip("`") for row in rows] == [layer.name for layer in graph.layers]
    assert sum(int(row[3].replace(",", "")) for row in rows) == sum(one.numel() for one in model.parameters())
    assert rows[0][1] == "Conv2d, ReLU"
    assert rows[1][-1] == "5 x 5", "two convolutions of three pixels"
    assert f"{sum(one.numel() for one in model.parameters()):,} parameters" in vgg16.totals(graph)


def test_the_worked_example_counts_what_each_view_costs(vgg16: ModuleType) -> None:
    model, image = Tiny().eval(), torch.randn(1, 3, 16, 16)
    rows = {row[0]: row[1] for row in vgg16.costs(model, image, 1)}
    assert rows["all 8 plain views"] == "1 + 1"
    assert rows["all 8 plain and all 5 modified views"] == "6 + 6"
    with pytest.raises(RuntimeError, match="expected 2 and 2"):
        vgg16.spent(model, image, vgg16.View("Grad-CAM", ("grad_cam",), 2, 2))


def test_the_worked_example_measures_pools_fields_and_what_maps_of_two_networks_share(vgg16: ModuleType) -> None:
    model, images = Tiny().eval(), torch.randn(2, 3, 16, 16)
    kept = {row[0]: row[1:] for row in vgg16.pools(model, images[:1])}
    assert list(kept) == ["`features.4`", "`features.7`"]
    assert kept["`features.4`"][0] == "16 x 16"
    field = next(vgg16.fields(model, images, ["features.6"]))
    assert field[1] == "10 x 10"
    assert field[-1] == "100%", "nothing outside the box"
    same, other = [model, model], [model, Tiny(1).eval()]
    assert next(vgg16.agreement(same, images[:1], ["saliency"]))[1] == "1.00"
    assert float(next(vgg16.agreement(other, images[:1], ["saliency"]))[1]) < 0.9


def test_the_worked_example_is_told_with_the_rows_that_it_prints(vgg16: ModuleType) -> None:
    text = (ROOT / "docs" / "vgg16.md").read_text(encoding="utf-8")
    told = dict(re.findall(r"^\| ([\w -]+) \| (\d \+ \d) \|", text, re.MULTILINE))
    assert {view.words: f"{view.forwards} + {view.backwards}" for view in vgg16.VIEWS}.items() <= told.items()
    assert "138,357,544" in text


def test_the_features_example_tells_units_of_one_class_and_reads_the_pooled_head() -> None:
    features = program("features")
    top = {"top_rows": [[0, 1, 2], [0, 3, -1], [1, 2, 3]], "top_values": [[9, 8, 7], [5, 4, 0], [0, 0, 0]]}

    class Kept:
        def array(self, _: str, name: str) -> np.ndarray:
            return np.array(top[name.partition(".")[2]])

    shares = features.purity(Kept(), 4, np.array([1, 1, 2, 1]))
    assert shares.tolist() == [2 / 3, 1.0], "a unit that never fires has no class; a place that is empty does not count"
    torch.manual_seed(0)
    model = features.SmallVgg(2).eval()
    assert features.weighed(model, torch.randn(3, 3, 32, 32)) < 1e-5


def test_the_quadrants_example_measures_where_a_map_lies() -> None:
    pytest.importorskip("skimage", reason="the photographs are those of scikit-image")
    quadrants = program("quadrants")
    side = quadrants.SIDE
    map_ = np.zeros((3, 2 * side, 2 * side))
    map_[0, :side, side:] = -1.0
    map_[1, side:, :side] = 0.5
    assert quadrants.shares(map_) == pytest.approx([0, 2 / 3, 1 / 3, 0])
    assert quadrants.strongest(map_) == 1
    pictures = [quadrants.composed("espresso", place) for place in range(4)]
    assert {picture.size for picture in pictures} == {(2 * side, 2 * side)}
    corners = [picture.crop((0, 0, side, side)).tobytes() for picture in pictures]
    assert corners[1] == corners[2] == corners[3] != corners[0], "only in the first is the cup at the upper left"


@pytest.mark.skipif(SHARED is None, reason=REASON)
@pytest.mark.data
def test_the_example_of_fit_tells_right_from_wrong_preparation(capsys: pytest.CaptureFixture[str]) -> None:
    fitting = program("fit")
    found = fitting.main(SHARED / "data" / "cifar10", most=640, epochs=1, sample=120)
    assert set(found) == {
        "unseen animals", "vehicles", "animals, not normalised", "animals, red and blue exchanged", "digits",
    }  # fmt: skip
    assert all(fit.panel.reference for fit in found.values())
    assert "unseen animals: " in capsys.readouterr().out


@pytest.mark.skipif(SHARED is None, reason=REASON)
@pytest.mark.data
def test_two_sizes_and_a_stranger_are_compared_on_the_same_images(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sizes = program("compare_sizes")
    cifar10 = sys.modules["cifar10"]
    images = torch.rand(200, 3, 32, 32)
    monkeypatch.setattr(cifar10, "whole", lambda path: (images.repeat(14, 1, 1, 1), torch.arange(2800) % 10))
    monkeypatch.setattr(sizes, "WIDTHS", (2, 3))
    found = sizes.main(SHARED / "data" / "cifar10", tmp_path, epochs=1, limit=60)
    assert [model.name for model in found.panel.models] == ["width2", "width3", "stranger"]
    assert [pair.count for pair in found.panel.pairs] == [60, 60]
    assert found.panel.models[2].accuracy > 0.8
    assert (tmp_path / "compared.pellucid" / "manifest.json").is_file()
