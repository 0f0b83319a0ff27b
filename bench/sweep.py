"""The sweep with all lenses against a bare inference loop over the same batches, and how memory grows with examples."""

from __future__ import annotations

import copy
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

import pellucid
from bench.ratios import Ratio, begin, finish
from pellucid.data import Source, from_python
from pellucid.models import open_model
from pellucid.types import Batch

BATCH = 32  # what an inspection takes unless told otherwise
CLASSES = 1000
# Name, model, examples, limit: as many examples as take about half a minute.
NETWORKS = (
    ("VGG-16", "torchvision:vgg16", 96, 1.25),
    ("EfficientNet-Lite0", "timm:efficientnet_lite0", 512, 1.5),
)
FEW, FOLD = 2_000, 4


@dataclass
class InTurns:
    """A source that runs the bare model on each batch, too, before the inspection has it.

    Attributes:
        loading, forward, sweep: seconds of each batch: to make it, for the bare forward, and until the inspection asks
            for the next.
    """

    inner: Source
    bare: nn.Module
    loading: list[float] = field(default_factory=list)
    forward: list[float] = field(default_factory=list)
    sweep: list[float] = field(default_factory=list)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.inner, name)

    def __len__(self) -> int:
        return len(self.inner)

    def batches(self, batch_size: int, *, start: int = 0) -> Iterator[Batch]:
        batches = self.inner.batches(batch_size, start=start)
        begun = time.perf_counter()
        for batch in batches:
            loaded = time.perf_counter()
            with torch.no_grad():
                self.bare(batch.inputs)
            ran = time.perf_counter()
            yield batch
            self.loading.append(loaded - begun)
            self.forward.append(ran - loaded)
            begun = time.perf_counter()
            self.sweep.append(begun - ran)


def swept(name: str, spec: str, examples: int, limit: float) -> dict[str, object]:
    """One row: an inspection with all lenses, its sweep against the forwards that took turns with it."""
    model = open_model(spec).model
    with torch.no_grad():
        model(torch.zeros(BATCH, 3, 224, 224))  # to warm up
    # Smooth, as photographs are: noise would take the encoder of their pictures longer.
    coarse = torch.rand(examples, 3, 14, 14)
    images = nn.functional.interpolate(coarse, size=224, mode="bicubic", align_corners=False)
    labels = torch.randint(CLASSES, (examples,)).tolist()
    turns = InTurns(from_python(list(zip(images, labels, strict=True))), copy.deepcopy(model))
    with tempfile.TemporaryDirectory() as folder:
        record = pellucid.inspect(model, turns, out=Path(folder) / "swept", batch_size=BATCH, chosen=8)
        stage = next(stage for stage in record.manifest.stages if stage.name == "sweep")
    loading, forward = sum(turns.loading), sum(turns.forward)
    ours = stage.seconds - forward
    parts = zip(turns.loading, turns.sweep, strict=True)
    each = Ratio.of(
        [load + sweep for load, sweep in parts],
        [load + run for load, run in zip(turns.loading, turns.forward, strict=True)],
    )
    return {
        "what": f"sweep with all lenses, {name}, {examples} images of 224 px in batches of {BATCH}",
        "ours": ours / (loading + forward),
        "range": each.range,
        "limit": limit,
        "peer": "a bare loop over the same loader: 1",
        "note": (
            f"median batch {each.median:.3g}; without loading on the bare side {ours / forward:.3g}, on both "
            f"{(ours - loading) / forward:.3g}"
        ),
    }


class Drawn(torch.utils.data.Dataset[tuple[Tensor, int]]):
    """Images that are drawn when they are asked for: a data set that takes no memory."""

    def __init__(self, examples: int) -> None:
        self.examples = examples

    def __len__(self) -> int:
        return self.examples

    def __getitem__(self, row: int) -> tuple[Tensor, int]:
        if not 0 <= row < self.examples:
            raise IndexError(row)
        return torch.rand(3, 32, 32, generator=torch.Generator().manual_seed(row)), row % 10


def inspect_drawn(examples: int) -> int:
    """Bytes of memory that an inspection of so many examples took at its peak; for a process of its own."""
    model = nn.Sequential(
        nn.Conv2d(3, 16, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2),
        nn.Conv2d(16, 32, 3, padding=1), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(32, 10),
    )  # fmt: skip
    with tempfile.TemporaryDirectory() as folder:
        pellucid.inspect(model, Drawn(examples), out=Path(folder) / "drawn")
    status = Path("/proc/self/status")
    if status.exists():  # what getrusage says on Linux begins with the peak of the process that started this one
        line = next(line for line in status.read_text().splitlines() if line.startswith("VmHWM"))
        return int(line.split()[1]) * 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)


def peak(examples: int) -> int:
    code = f"import torch; torch.set_num_threads(2); from bench.sweep import inspect_drawn; print(inspect_drawn({examples}))"
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    return int(done.stdout)


def memory() -> dict[str, object]:
    few, many = peak(FEW), peak(FOLD * FEW)
    return {
        "what": f"peak memory of an inspection of {FOLD * FEW:,} examples, in that of {FEW:,}",
        "ours": many / few,
        "limit": "about 1",
        "note": f"{few / 2**20:.0f} MiB and {many / 2**20:.0f} MiB, PyTorch included; a small network, 32 px",
    }


def main() -> None:
    options = begin(__doc__)
    finish([*(swept(*network) for network in NETWORKS), memory()], options.out)


if __name__ == "__main__":
    main()
