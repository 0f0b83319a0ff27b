"""Pictures by optimisation, tuning, concepts, landscape and fit, with the model on a GPU."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

import pellucid
from pellucid.capture import Session
from pellucid.features import maximise
from pellucid.features.concepts import Generated, dissect
from pellucid.landscape import objective_of
from pellucid.landscape.curvature import Curvature, twice_differentiable
from pellucid.landscape.norms import Labelled
from pellucid.landscape.sharpness import extreme_eigenvalues
from pellucid.landscape.surface import surveyed
from pellucid.landscape.weights import moved_to, random_direction, values_of
from pellucid.mapping.effective import effective_field
from support.nets import digits, trained
from support.program import in_process
from support.untouched import Untouched


class Net(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.one, self.norm, self.two = nn.Conv2d(3, 6, 5), nn.BatchNorm2d(6), nn.Conv2d(6, 8, 3)
        self.head = nn.Linear(8, 4)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        hidden = torch.relu(self.norm(self.one(images)))
        return self.head(torch.relu(self.two(hidden)).mean((2, 3)))


def net() -> Net:
    torch.manual_seed(0)
    return Net().eval()


@pytest.mark.parametrize("method", ["fourier", "maco"])
@pytest.mark.parametrize("home", ["there", "on the processor"])
def test_pictures_are_made_where_the_model_is_or_where_it_is_asked_to_be(method: str, home: str, device: str) -> None:
    images = torch.rand(16, 3, 32, 32, generator=torch.Generator().manual_seed(1))
    ours = maximise(net(), "two", [0, 5], images, method=method, steps=6)  # type: ignore[arg-type]
    model = net().to(device if home == "there" else "cpu")
    before = Untouched(model)
    found = maximise(model, "two", [0, 5], images, method=method, steps=6, device=None if home == "there" else device)  # type: ignore[arg-type]
    assert before.differences() == []
    np.testing.assert_allclose(found.pictures, ours.pictures, atol=0.02)
    np.testing.assert_allclose(found.responses, ours.responses, rtol=0.02, atol=1e-3)


@pytest.mark.parametrize("home", ["there", "on the processor"])
def test_concepts_agree_with_the_same_channels(home: str, device: str) -> None:
    concepts = Generated((3, 32, 32), 40)
    ours = dissect(net(), ["one", "two"], concepts=concepts)
    model = net().to(device if home == "there" else "cpu")
    found = dissect(model, ["one", "two"], concepts=concepts, device=None if home == "there" else device)
    for name, one in ours.items():
        np.testing.assert_allclose(found[name].iou, one.iou, atol=2e-3)


def test_the_effective_field_is_the_same(device: str) -> None:
    images = torch.rand(4, 3, 32, 32, generator=torch.Generator().manual_seed(1))
    fields = []
    for place in ("cpu", device):
        model = net().to(place)
        graph = pellucid.graph(model, images.to(place))
        with Session(model, [graph.layer("two")]) as session:
            fields.append(effective_field(session, graph.layer("two"), images.to(place)).mean)
    np.testing.assert_allclose(fields[1], fields[0], rtol=1e-4, atol=1e-7)


@pytest.mark.parametrize("mode", ["eval", "train", "recalculate"])
def test_the_landscape_and_its_sharpness_are_the_same(mode: str, device: str) -> None:
    images, labels = digits("test")
    found = []
    for place in ("cpu", device):
        model = trained().double().to(place)
        data = [Labelled(images[:64].double().to(place), labels[:64].to(place))]
        objective = objective_of("cross-entropy", "classification")
        direction = random_direction(model, "filter", torch.Generator().manual_seed(0))
        moved = partial(moved_to, values_of(model))
        points = [partial(moved, [(step, direction)]) for step in (-0.5, 0.0, 0.5)]
        sums = surveyed(model, objective, data, points, mode)  # type: ignore[arg-type]
        with twice_differentiable(model):
            curvature = Curvature(model, objective, data, 64)
            top = extreme_eigenvalues(curvature, 2, 1)
        found.append(([sums.mean(point) for point in range(3)], top.values))
    for ours, theirs in zip(*found, strict=True):
        np.testing.assert_allclose(theirs, ours, rtol=1e-6)


def test_fit_says_the_same(device: str) -> None:
    images, labels = digits("test")
    data = list(zip(images[:300], labels[:300].tolist(), strict=True))
    model = trained()
    ours, theirs = (pellucid.fit(model, data, trained_on=data, device=place) for place in ("cpu", device))
    assert theirs.verdict == ours.verdict
    assert next(model.parameters()).device.type == "cpu"


def test_the_commands_run_there(
    device: str, tmp_path: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "net.py").write_text(
        "import torch\nfrom torch import nn\n\n\ndef make():\n    torch.manual_seed(0)\n"
        "    return nn.Sequential(nn.Conv2d(1, 4, 3), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(), nn.Linear(36, 10))\n"
    )
    monkeypatch.chdir(tmp_path)
    run = in_process(capfd, monkeypatch)
    named = ["--data", "digits:test", "--device", device, "--no-progress"]
    again = ["net.pellucid", "--model", "net.py:make", *named]
    for command in (
        ["inspect", "net.py:make", *named, "--limit", "64", "--out", "net.pellucid"],
        ["features", *again],
        ["features", *again, "--stimuli", "--layer", "1"],
        ["features", *again, "--optimise", "--steps", "4", "--layer", "1"],
        ["landscape", *again, "--resolution", "3", "--sharpness", "--limit", "32"],
        ["fit", "net.py:make", *named, "--trained-on", "digits:train", "--limit", "100"],
    ):
        ended = run(*command)
        assert ended.code == 0, (command, ended.err)
