"""A model whose gradients are hidden keeps everything else, and the record says what is missing and why."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor, nn

import pellucid


class Frozen(nn.Module):
    """A backbone that runs without gradients, as people freeze one."""

    def __init__(self) -> None:
        super().__init__()
        self.backbone = nn.Sequential(nn.Conv2d(1, 4, 3), nn.ReLU(), nn.Flatten())
        self.head = nn.Linear(4 * 36, 3)

    def forward(self, images: Tensor) -> Tensor:
        with torch.no_grad():
            features = self.backbone(images)
        return self.head(features)


def test_a_model_that_hides_its_gradients_is_inspected_without_them(tmp_path: Path) -> None:
    torch.manual_seed(0)
    images = torch.rand(12, 1, 8, 8)
    record = pellucid.inspect(Frozen(), [(image, row % 3) for row, image in enumerate(images)], out=tmp_path / "r")
    assert record.manifest.state == "complete"
    assert record.examples().num_rows == 12
    assert record.panel("accuracy").count == 12
    assert record.panel("gradients").examples == []
    (finding,) = [one for one in record.findings if one.kind == "no-gradients"]
    assert finding.severity == "info"
    assert "backbone" in finding.sentence
