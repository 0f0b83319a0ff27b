"""A small network and its data, to look at the loss around its weights."""

from __future__ import annotations

import torch
from torch import nn

import pellucid
from pellucid.data import from_python
from pellucid.inspection.landscape import Around
from pellucid.record import Record, schema

IMAGES = torch.rand(23, 1, 4, 4, generator=torch.Generator().manual_seed(2))
SMALL = Around(resolution=3, batch_size=8, limit=20)


def net(seed: int = 0) -> nn.Sequential:
    torch.manual_seed(seed)
    return nn.Sequential(
        nn.Conv2d(1, 3, 3), nn.BatchNorm2d(3), nn.ReLU(inplace=True), nn.Dropout(0.5), nn.Flatten(), nn.Linear(12, 2)
    ).eval()


def data() -> pellucid.data.Source:
    return from_python([(image, None if at == 5 else at % 2) for at, image in enumerate(IMAGES)])


def panel_of(record: Record) -> schema.LandscapePanel:
    panel = record.panel("landscape")
    assert isinstance(panel, schema.LandscapePanel)
    return panel
