"""Trains under a Watch that flushes at every step, and kills itself: `python killed_training.py ROOT STRIDE`."""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

import torch
from torch import nn

import pellucid
from pellucid.watch.journal import Journal
from support import killed

STEPS = 5


def train(root: Path) -> None:
    """A few steps of a small network; after each, what was seen is a part on the disk."""
    torch.manual_seed(0)
    torch.set_num_threads(1)
    Journal.due = lambda self, now: True  # type: ignore[method-assign]
    model = nn.Sequential(nn.Linear(4, 6), nn.ReLU(), nn.Linear(6, 3))
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    with pellucid.watch(model, optimizer, out=root, every=1, histograms_every=1) as watch:
        for step in range(1, STEPS + 1):
            model(torch.randn(8, 4))
            # Gradients of our own: autograd's threads would not survive the fork.
            for parameter in model.parameters():
                parameter.grad = torch.randn(parameter.shape)
            optimizer.step()
            watch.log(loss=float(step))


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as folder:
        train(Path(folder) / "warm")  # what torch and pyarrow import late is imported once, before the forks
    killed.main(train)
