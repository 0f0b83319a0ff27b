"""What a Watch costs a training: its share of a step, and exact histograms at every step beside TensorBoard's."""

from __future__ import annotations

import tempfile
from pathlib import Path

import torch
from torch import nn
from torch.utils.tensorboard import SummaryWriter

import pellucid
from bench.clock import stopped_clock
from bench.ratios import Ratio, begin, finish, seconds

BATCH = 64
STEPS, GROUPS = 400, 10
HISTOGRAM_STEPS = 12


class Training:
    """A VGG for 32 pixels (six convolutions with batch normalisation, 1.2 million parameters) and its optimizer."""

    def __init__(self, rate: float) -> None:
        torch.manual_seed(0)
        layers: list[nn.Module] = []
        channels = 3
        for width in (32, 32, 0, 64, 64, 0, 128, 256, 0):
            if width:
                layers += [nn.Conv2d(channels, width, 3, padding=1), nn.BatchNorm2d(width), nn.ReLU()]
                channels = width
            else:
                layers.append(nn.MaxPool2d(2))
        self.model = nn.Sequential(*layers, nn.Flatten(), nn.Linear(256 * 16, 192), nn.ReLU(), nn.Linear(192, 10))
        self.optimizer = torch.optim.SGD(self.model.parameters(), lr=rate)
        self.images = torch.randn(BATCH, 3, 32, 32)
        self.targets = torch.randint(10, (BATCH,))

    def step(self, watch: pellucid.Watch | None = None) -> None:
        outputs = self.model(self.images)
        loss = nn.functional.cross_entropy(outputs, self.targets)
        self.optimizer.zero_grad()
        loss.backward()
        self.optimizer.step()
        if watch is not None:
            watch.observe(outputs, self.targets, loss)


def share(folder: Path) -> dict[str, object]:
    """Two trainings step by step in turns, one of them watched at the default cadence."""
    plain, observed = Training(1e-3), Training(1e-3)
    bare, watched = [], []
    for _ in range(5):
        plain.step()
        observed.step()
    with (
        stopped_clock() as clock,
        pellucid.watch(observed.model, observed.optimizer, out=folder / "run") as watch,
    ):
        for step in range(STEPS):
            # Who goes first changes: the second finds the cache as the first has left it.
            if step % 2:
                watched.append(seconds(lambda: observed.step(watch)))
            bare.append(seconds(plain.step))
            clock.left_out += bare[-1]
            if step % 2 == 0:
                watched.append(seconds(lambda: observed.step(watch)))
    table, _ = pellucid.Record(folder / "run").training()
    looks = {
        kind: len(
            {
                step
                for step, name in zip(*(table[key].to_pylist() for key in ("step", "quantity")), strict=True)
                if name == kind
            }
        )
        for kind in ("weight_norm", "weight_histogram")
    }
    size = STEPS // GROUPS
    groups = [slice(start, start + size) for start in range(0, STEPS, size)]
    ratio = Ratio.of([sum(watched[group]) for group in groups], [sum(bare[group]) for group in groups])
    return {
        "what": f"share of a training step that a Watch takes at its default cadence, CIFAR-sized VGG, batch of {BATCH}",
        "ours": f"{ratio.median - 1:.1%}",
        "range": f"{ratio.low - 1:.1%} to {ratio.high - 1:.1%}",
        "limit": "3%",
        "note": (
            f"{STEPS} steps of {sum(bare) / STEPS * 1000:.0f} ms, median and range of {GROUPS} groups of {size}; norms were "
            f"looked at {looks['weight_norm']} times, histograms {looks['weight_histogram']}"
        ),
    }


def histograms(folder: Path) -> dict[str, object]:
    """Weights and gradients at every step: what the Watch adds to an optimizer's step, and TensorBoard's own call."""
    plain, observed = Training(0.0), Training(0.0)  # weights that stay as they are: only the reading is timed
    plain.step()
    observed.step()
    board = SummaryWriter(str(folder / "board"))

    def add_histograms(step: int) -> None:
        for name, parameter in observed.model.named_parameters():
            board.add_histogram(f"weights/{name}", parameter, step)
            board.add_histogram(f"gradients/{name}", parameter.grad, step)

    add_histograms(0)
    ours, peer = [], []
    with pellucid.watch(
        observed.model, observed.optimizer, out=folder / "exact", every=10**9, histograms_every=1, exact=True
    ):
        observed.optimizer.step()
        for step in range(1, HISTOGRAM_STEPS + 1):
            with_watch = seconds(observed.optimizer.step)
            ours.append(with_watch - seconds(plain.optimizer.step))
            peer.append(seconds(lambda at=step: add_histograms(at)))
            board.flush()  # not counted: what its thread still writes must not slow down the next step of ours
    board.close()
    ratio = Ratio.of(ours, peer)
    values = sum(parameter.numel() for parameter in observed.model.parameters())
    return {
        "what": "exact histograms of all weights and gradients at every step, in those of TensorBoard",
        "ours": ratio.median,
        "range": ratio.range,
        "limit": 1 / 20,
        "peer": "TensorBoard's add_histogram: 1",
        "note": f"2 x {values:,} values in 2 x {len(list(observed.model.parameters()))} tensors; every value counted",
    }


def main() -> None:
    options = begin(__doc__)
    with tempfile.TemporaryDirectory() as folder:
        rows = [share(Path(folder)), histograms(Path(folder))]
    finish(rows, options.out)


if __name__ == "__main__":
    main()
