"""The live question "optimise", on a real inspection."""

from __future__ import annotations

import json
import struct
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.numpy import load
from torch import Tensor, nn

import pellucid
from pellucid.errors import DataError, LayerError, OptionError
from pellucid.inspection.live import LiveModel
from pellucid.record import Record


class Net(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.one = nn.Conv2d(3, 5, 3, padding=1)
        self.two = nn.Conv2d(5, 4, 3)
        self.head = nn.Linear(4, 3)

    def forward(self, images: Tensor) -> Tensor:
        return self.head(torch.relu(self.two(torch.relu(self.one(images)))).mean((2, 3)))


@pytest.fixture(scope="module")
def record(tmp_path_factory: pytest.TempPathFactory) -> Record:
    torch.manual_seed(0)
    images = torch.rand(20, 3, 12, 10, generator=torch.Generator().manual_seed(1))
    return pellucid.inspect(
        Net().eval(), [(image, at % 3) for at, image in enumerate(images)],
        out=tmp_path_factory.mktemp("live") / "net.pellucid", chosen=0, lenses=["graph", "predictions", "activations"],
    )  # fmt: skip


def ask(record: Record, stop_after: int = 1000, **given: Any) -> tuple[dict[str, Any], np.ndarray, list[bytes]]:
    live = record.live
    assert isinstance(live, LiveModel)
    told: list[bytes] = []
    words = {key: [str(one) for one in (value if isinstance(value, list) else [value])] for key, value in given.items()}
    _, answer = live.inquiry("optimise", words)

    def tell(partial: Any) -> bool:
        told.append(partial())
        return len(told) < stop_after

    content = answer(tell)
    return said_in(content), load(content)["pictures"], told


def said_in(content: bytes) -> dict[str, Any]:
    (length,) = struct.unpack("<Q", content[:8])
    said: dict[str, Any] = json.loads(json.loads(content[8 : 8 + length])["__metadata__"]["optimise"])
    return said


def test_pictures_come_as_they_become_clear_and_are_held_against_the_data(record: Record) -> None:
    row = record.panel("activations").layers[1]
    said, pictures, told = ask(record, layer=row.name, channel=[1, 0], steps=60, variants=2)
    assert (row.units, said["layer"]) == (4, row.name)
    assert pictures.shape == (2, 2, 12, 10, 3)
    assert pictures.dtype == np.uint8
    assert (said["channels"], said["done"], said["total"], said["partial"]) == ([1, 0], 120, 120, False)
    maximum = record.array("activations", f"{row.index}.maximum")
    assert said["strongest"] == pytest.approx([maximum[1], maximum[0]])
    assert (np.array(said["responses"]).max(1) > np.array(said["strongest"])).all()
    first = said_in(told[0])
    assert len(told) == 60
    assert (first["done"], first["partial"], first["like"], first["examples"]) == (2, True, 20, 20)
    assert np.mean(first["responses"]) < np.mean(said["responses"])
    again, same, _ = ask(record, layer=row.name, channel=[1, 0], steps=60, variants=2)
    assert (same == pictures).all()
    assert again == said


def test_it_ends_where_nobody_waits(record: Record) -> None:
    said, _, told = ask(record, stop_after=3, layer="one", channel=[0], steps=24, method="maco")
    assert len(told) == 3
    assert said["backward_examples"] == 3 * 4  # crops


def test_what_cannot_be_right_is_refused(record: Record) -> None:
    with pytest.raises(LayerError, match="no layer 'tow'"):
        ask(record, layer="tow", channel=[0])
    with pytest.raises(OptionError, match="has 4 channels, 0 to 3; there is no 4"):
        ask(record, layer="two", channel=[4])
    with pytest.raises(OptionError, match="steps must be 1 to 4096; got 0"):
        ask(record, layer="two", channel=[0], steps=0)
    with pytest.raises(OptionError, match="1 to 64 times; got 65"):
        ask(record, layer="two", channel=list(range(65)))


def test_inputs_that_are_no_images_are_refused(tmp_path: Path) -> None:
    table = [(torch.rand(6), at % 2) for at in range(8)]
    record = pellucid.inspect(
        nn.Sequential(nn.Linear(6, 4), nn.ReLU(), nn.Linear(4, 2)).eval(), table, out=tmp_path / "table", chosen=0
    )
    with pytest.raises(DataError, match="models of images"):
        ask(record, layer="1", channel=[0])
