"""Labels in another order, images of whole numbers, and images that do not fit."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from pellucid.data import open_data
from pellucid.errors import ForwardError
from pellucid.fitting import fit
from support.digits_net import asked, pairs

pytestmark = pytest.mark.usefixtures("one_thread")


def test_labels_in_another_order_need_no_training(net: nn.Module) -> None:
    order = [7, 3, 1, 0, 9, 8, 2, 4, 6, 5]
    found = asked(net, pairs(1200, 1500, name=lambda target: order[target]))
    assert found.verdict == "fits"
    assert "in another order or under other names ('0' is its '3', '1' is its '2'" in found.panel.sentence
    assert found.panel.own is not None
    assert found.panel.own.accuracy > 0.8
    assert {place.how for place in found.panel.labels} == {"answers"}


class OfBytes(nn.Module):
    """Takes uint8 images, as some exported models do."""

    def __init__(self, net: nn.Module) -> None:
        super().__init__()
        self.net = net

    def forward(self, images: Tensor) -> Tensor:
        """Logits of uint8[batch 1 8 8]."""
        return self.net(images.float() / 255)


def test_images_of_whole_numbers_are_images(net: nn.Module) -> None:
    def whole(image: Tensor) -> Tensor:
        return (image * 255).round().to(torch.uint8)

    found = asked(OfBytes(net), pairs(1200, 1400, whole))
    assert found.verdict == "fits"
    assert "pixels" in {one.on for one in found.panel.probes}
    assert [one.name for one in found.panel.variants] == ["as they are", "light and dark exchanged", "twice the size"]
    assert any("whole numbers" in note for note in found.panel.notes)
    dark = asked(OfBytes(net), pairs(1200, 1400, lambda image: 255 - whole(image)))
    assert dark.verdict == "preprocess differently"


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda image: (image * 255).to(torch.uint8), "whole numbers (uint8), the model takes floating point"),
        (lambda image: image.expand(3, -1, -1), "one channel, these have 3: x.mean(0, keepdim=True)"),
        (lambda image: image.permute(1, 2, 0), "channels last: x.permute(2, 0, 1)"),
    ],
)
def test_images_that_do_not_fit_are_told_how_they_would(net: nn.Module, change: object, words: str) -> None:
    with pytest.raises(ForwardError, match=re.escape(words)):
        asked(net, pairs(0, 20, change))
    coloured = nn.Sequential(nn.Conv2d(3, 4, 3), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, 10))
    with pytest.raises(ForwardError, match=re.escape("images of 3 channels, these have one: x.expand(3, -1, -1)")):
        asked(coloured, pairs(0, 20))


def test_a_folder_for_a_model_of_one_channel_asks_for_grayscale(net: nn.Module, tmp_path: Path) -> None:
    from PIL import Image

    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        Image.new("RGB", (8, 8)).save(tmp_path / name / "one.png")
    with pytest.raises(ForwardError, match="one channel, these have 3: --grayscale makes one of luminance"):
        fit(net, open_data(str(tmp_path)), limit=20)
