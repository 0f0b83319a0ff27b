"""What a map of a colour image shows at a position: what its channels add up to, or the one value that they share."""

from __future__ import annotations

import json
import struct
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import safetensors.numpy
import torch
from torch import Tensor, nn

import pellucid
from pellucid.attribution import METHODS
from pellucid.data import from_python
from pellucid.inspection.live import LiveModel
from pellucid.types import Example

ADDING_UP = ("kernel_shap", "lime", "shapley_sampling")  # a cell's number in equal parts on its positions and channels


class Colours(nn.Module):
    """Two convolutions of a colour image and a pooled linear head."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Conv2d(3, 4, 3, padding=1)
        self.second = nn.Conv2d(4, 6, 3, padding=1)
        self.head = nn.Linear(6, 3)

    def forward(self, images: Tensor) -> Tensor:
        return self.head(torch.relu(self.second(torch.relu(self.first(images)))).mean((2, 3)))


class Patches(nn.Module):
    """A colour image in 16 patches, one attention among them."""

    def __init__(self) -> None:
        super().__init__()
        self.patch = nn.Conv2d(3, 8, 2, stride=2)
        self.attention = nn.MultiheadAttention(8, 2, batch_first=True)
        self.head = nn.Linear(8, 3)

    def forward(self, images: Tensor) -> Tensor:
        tokens = self.patch(images).flatten(2).transpose(1, 2)
        return self.head((tokens + self.attention(tokens, tokens, tokens, need_weights=False)[0]).mean(1))


def ask(live: LiveModel, **given: Any) -> tuple[dict[str, str], dict[str, np.ndarray]]:
    """Why methods refused, and the tensors as they are drawn."""
    words = {name: list(map(str, value)) if isinstance(value, list) else [str(value)] for name, value in given.items()}
    content = live.inquiry("attribute", words)[1](lambda _: True)
    header = json.loads(content[8 : 8 + struct.unpack("<Q", content[:8])[0]])
    said = json.loads(header["__metadata__"]["attribute"])
    tensors = {name: one.astype(np.float64) for name, one in safetensors.numpy.load(content).items()}
    drawn = {name: one * said["scales"].get(name, 1) for name, one in tensors.items()}
    return {one["name"]: one["refused"] for one in said["methods"] if one["refused"]}, drawn


@pytest.mark.parametrize("kind", [Colours, Patches])
def test_a_map_alike_on_all_channels_is_drawn_once_and_any_other_added_up(
    kind: type[nn.Module], tmp_path: Path
) -> None:
    torch.manual_seed(0)
    model = kind().eval()
    images = torch.randn(4, 3, 8, 8, generator=torch.Generator().manual_seed(1))
    examples = [Example(f"image {row}", one, row % 3) for row, one in enumerate(images)]
    live = pellucid.inspect(model, from_python(examples), out=tmp_path / "colours.pellucid", chosen=1).live
    assert isinstance(live, LiveModel)
    refused, drawn = ask(live, row=1, explained=2, method=list(METHODS))
    alike = []
    for name in METHODS:
        if name in refused:
            continue
        map_ = pellucid.attribute(model, images[1:2], 2, name).input[0].double()
        same = bool((map_ == map_[:1]).all())
        if same and name not in ADDING_UP:
            alike.append(name)
            wanted = map_[0]
        else:
            wanted = map_.abs().amax(0) if name in ("saliency", "vargrad") else map_.sum(0)
        size = float(wanted.abs().max())
        np.testing.assert_allclose(drawn[f"{name}.input"], wanted, atol=2e-3 * size + 1e-12, err_msg=name)
    expected = {"attention_rollout", "gradient_rollout"} if kind is Patches else {"score_cam", "ablation_cam", "cam"}
    assert {"occlusion", "rise", "grad_cam", *expected} <= set(alike)


def test_grad_cam_of_a_colour_image_is_as_large_on_it_as_in_its_layer(tmp_path: Path) -> None:
    torch.manual_seed(0)
    model = Colours().eval()
    images = torch.randn(3, 3, 8, 8, generator=torch.Generator().manual_seed(1))
    examples = [Example(f"image {row}", one, row) for row, one in enumerate(images)]
    live = pellucid.inspect(model, from_python(examples), out=tmp_path / "colours.pellucid", chosen=1).live
    assert isinstance(live, LiveModel)
    _, drawn = ask(live, row=1, explained=2, method="grad_cam", layers="relu()#2")
    with torch.no_grad():
        seen = torch.relu(model.second(torch.relu(model.first(images[1:2]))))[0]  # type: ignore[operator]
    weights = model.head.weight[2].detach() / 64  # type: ignore[index, union-attr]  # the mean's gradient at each position
    wanted = torch.relu((weights[:, None, None] * seen).sum(0)).double().numpy()
    np.testing.assert_allclose(drawn["grad_cam.input"], wanted, atol=2e-3 * wanted.max())
