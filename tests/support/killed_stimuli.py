"""Shows stimuli to a small network and kills itself with SIGKILL once a layer is on disk: `python killed_stimuli.py RECORD`."""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path

import torch
from torch import nn

from pellucid.data import Source, from_python
from pellucid.inspection.features import Asked, add_features
from pellucid.record import Record

IMAGES = torch.rand(4, 3, 16, 16, generator=torch.Generator().manual_seed(2))


def net() -> nn.Sequential:
    """Layers of three fields: 5, 7 and the whole input."""
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Conv2d(3, 6, 5), nn.ReLU(), nn.Conv2d(6, 4, 3), nn.ReLU(), nn.Flatten(), nn.Linear(400, 2)
    ).eval()


def data() -> Source:
    """Four noisy pictures."""
    return from_python([(image, at % 2) for at, image in enumerate(IMAGES)])


def killing(stage: str, done: int, total: int | None) -> None:
    """Dies while the second group of layers is under way."""
    if stage == "stimuli" and "tuning" in Record(sys.argv[1]).panels:
        os.kill(os.getpid(), signal.SIGKILL)


if __name__ == "__main__":
    torch.set_num_threads(1)
    add_features(Path(sys.argv[1]), net(), data(), Asked(stimuli=True), progress=killing)
