"""Images of files for models that take their channels last."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor, nn

from pellucid import inspect
from pellucid.data import open_data, read_for


def test_a_folder_of_images_is_given_with_channels_last(tmp_path: Path) -> None:
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        for row in range(6):
            shade = np.full((8, 6, 3), 20 * row, np.uint8)
            shade[..., 0] = 200
            Image.fromarray(shade).save(tmp_path / name / f"{row}.png")

    class TakesLast(nn.Module):
        input_shape = (None, 8, 6, 3)

        def __init__(self) -> None:
            super().__init__()
            self.head = nn.Linear(3, 2)

        def forward(self, images: Tensor) -> Tensor:
            return self.head(images.mean((1, 2)))

    plain, model = open_data(str(tmp_path)), TakesLast()
    read = read_for(plain, model)
    assert torch.equal(read.example(3).inputs, plain.example(3).inputs.permute(1, 2, 0))  # type: ignore[union-attr,arg-type]
    assert next(iter(read.batches(4, start=2))).inputs.shape == (4, 8, 6, 3)  # type: ignore[union-attr]
    assert read_for(read, model).example(0).inputs.shape == (8, 6, 3), "once"  # type: ignore[union-attr]
    assert read_for(plain, nn.Linear(2, 2)) is plain
    record = inspect(model, plain, out=tmp_path / "r.pellucid", chosen=2, learned=0)
    assert record.examples().num_rows == 12
