"""Live questions about token ids that come with a mask of floating point, which is no input of numbers."""

from __future__ import annotations

import json
import struct
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

import pellucid
from pellucid.inspection.live import LiveModel


class Masked(nn.Module):
    """Adds up the embeddings of the words that count."""

    def __init__(self) -> None:
        super().__init__()
        self.words, self.act, self.head = nn.Embedding(20, 5), nn.Tanh(), nn.Linear(5, 3)

    def forward(self, ids: Tensor, mask: Tensor) -> Tensor:
        logits: Tensor = self.head(self.act(self.words(ids)).masked_fill((mask == 0)[..., None], 0).sum(1))
        return logits


@pytest.mark.parametrize("kind", [torch.float32, torch.long])
def test_plain_methods_answer_at_layers_whatever_the_kind_of_the_mask(tmp_path: Path, kind: torch.dtype) -> None:
    torch.manual_seed(0)
    mask = torch.ones(6, dtype=kind)
    examples = [({"ids": torch.randint(20, (6,)), "mask": mask}, row % 3) for row in range(6)]
    live = pellucid.inspect(
        Masked().eval(), examples, out=tmp_path / "r", chosen=1, lenses=["graph", "predictions"]
    ).live  # fmt: skip
    assert isinstance(live, LiveModel)
    given = {"row": ["2"], "method": ["saliency"], "layers": []}
    content = live.inquiry("attribute", given)[1](lambda _: True)
    (length,) = struct.unpack("<Q", content[:8])
    said: dict[str, Any] = json.loads(json.loads(content[8 : 8 + length])["__metadata__"]["attribute"])
    assert [one["refused"] for one in said["methods"]] == [""]
