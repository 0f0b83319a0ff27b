"""What a real inspection of a real network shows every lens, and how two lenses' answers are compared."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from itertools import pairwise
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, ClassVar

import msgspec
import numpy as np
import pytest
import torch
from torch import Tensor, nn

import pellucid
from pellucid import lenses
from pellucid.inspection import Inspection
from pellucid.lenses import ArrayLens, Lens, LensContext
from pellucid.lenses.predictions import PredictionsLens
from pellucid.types import Example, Needs, Observation, Stage, Task

CLASSES = ("cat", "dog", "owl", "yak")
EXAMPLES = 70
SCENARIOS: tuple[Task, ...] = ("classification", "regression")


class Network(nn.Module):
    """Small, with maps, a vector, a dead unit and a saturating activation."""

    def __init__(self, outputs: int) -> None:
        super().__init__()
        self.features = nn.Sequential(
            nn.Conv2d(3, 8, 3), nn.BatchNorm2d(8), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(8, 6, 3), nn.ReLU6()
        )
        self.squash = nn.Linear(6, 5)
        self.head = nn.Linear(5, outputs)
        self.unused = nn.Linear(2, 2)
        with torch.no_grad():
            self.features[4].bias[1:3] = -100.0

    def forward(self, images: Tensor) -> Tensor:
        return self.head(torch.tanh(4 * self.squash(self.features(images).mean(dim=(2, 3)))))


def network(task: Task) -> nn.Module:
    torch.manual_seed(0)
    return Network(len(CLASSES) if task == "classification" else 1).eval()


def examples(task: Task) -> list[Example]:
    """Random images; every ninth makes the logits NaN, every seventh has no target."""
    images = torch.randn(EXAMPLES, 3, 12, 12, generator=torch.Generator().manual_seed(1))
    images[::9, :, 3, 4] = torch.nan
    generator = np.random.default_rng(2)
    found = []
    for row, image in enumerate(images):
        target: int | float = int(generator.integers(len(CLASSES)))
        if task == "regression":
            target = float(generator.normal())
        columns = {"shelf": row % 3} if row > 20 else {}
        found.append(Example(f"image {row}", image, None if row % 7 == 3 else target, columns=columns))
    return found


SEEN: list[Observation] = []


@dataclass
class Watcher(PredictionsLens):
    """Writes down all that the lenses of an inspection would be shown."""

    name: ClassVar[str] = "predictions"
    needs: ClassVar[Needs] = Needs()  # type: ignore[misc]
    asked: list[str] = field(default_factory=list)

    @classmethod
    def of_everything(cls, context: LensContext) -> Watcher:
        """Asks for the union of what fresh lenses need, so that no reduction leaves out what another batch has shown."""
        fresh = lenses.build(tuple(lenses.available()), context)
        cls.needs = Needs(reductions={key: one for lens in fresh for key, one in lens.needs.reductions.items()})
        return cls(context)

    def observe(self, seen: Observation) -> None:
        SEEN.append(seen)
        if seen.stage == "sweep":
            super().observe(seen)


@dataclass(frozen=True)
class Shown:
    """What an inspection has shown, batch by batch, and the context of its lenses."""

    context: LensContext
    observations: tuple[Observation, ...]

    def of(self, lens: Lens) -> list[Observation]:
        """What a lens would have been shown."""
        return [seen for seen in self.observations if seen.stage in lens.needs.stages]


@cache
def shown(task: Task, batch_size: int = 8) -> Shown:
    SEEN.clear()
    contexts: list[LensContext] = []

    def watching(inspection: Inspection, stage: Stage) -> list[Lens]:
        context = LensContext(inspection.classes, inspection.task, inspection.options.seed, kind=inspection.kind)
        contexts.append(context)
        return [Watcher.of_everything(context)]

    with pytest.MonkeyPatch.context() as patch, TemporaryDirectory() as folder:
        patch.setattr(Inspection, "_lenses", watching)
        pellucid.inspect(
            network(task),
            examples(task),
            out=Path(folder) / "record",
            classes=CLASSES if task == "classification" else None,
            batch_size=batch_size,
            chosen=11,
        )
    assert contexts[-1].task == task
    return Shown(contexts[-1], tuple(SEEN))


def fresh(name: str, context: LensContext) -> Lens:
    return lenses.build((name,), context)[0]


def observed(name: str, context: LensContext, seen: Sequence[Observation]) -> Lens:
    lens = fresh(name, context)
    for one in seen:
        lens.observe(one)
    return lens


def whole(name: str, task: Task) -> Lens:
    there = shown(task)
    return observed(name, there.context, there.of(fresh(name, there.context)))


def answer(lens: Lens) -> dict[str, Any]:
    """The report and the large arrays, as plain values."""
    # Through JSON: what cannot be written is no answer.
    report = msgspec.json.decode(msgspec.json.encode(lens.report()))
    arrays = lens.arrays() if isinstance(lens, ArrayLens) else {}
    return {"report": report, "arrays": {name: np.array(values) for name, values in arrays.items()}}


def _absolute(where: str, values: np.ndarray) -> float:
    """How far numbers near 0 may differ: for coordinates about a mean the float32 rounding of what the mean was taken from."""
    if where.endswith(".principal") and values.size:
        return 1e-5 * float(np.abs(values).max())
    return 1e-9


def _small(where: str) -> float:
    """How far floats near 0 may differ: where a part of a loss is what others leave of it, by the rounding of float32 outputs."""
    return 1e-7 if ".parts[" in where else 1e-9


def differences(one: Any, other: Any, where: str = "") -> Iterator[str]:
    """Where two answers differ by more than the order of adding floats explains."""
    if isinstance(one, Mapping) and isinstance(other, Mapping):
        if one.keys() != other.keys():
            yield f"{where}: {sorted(one)} and {sorted(other)}"
        else:
            for key in one:
                yield from differences(one[key], other[key], f"{where}.{key}")
    elif isinstance(one, np.ndarray) and isinstance(other, np.ndarray):
        same = one.dtype == other.dtype and one.shape == other.shape
        close = same and np.allclose(one, other, rtol=1e-6, atol=_absolute(where, one), equal_nan=True)
        if not (close if one.dtype.kind == "f" else same and np.array_equal(one, other)):
            yield f"{where}: {one} and {other}"
    elif isinstance(one, list) and isinstance(other, list):
        if len(one) != len(other):
            yield f"{where}: {len(one)} and {len(other)} entries"
        for index, pair in enumerate(zip(one, other, strict=False)):
            yield from differences(*pair, f"{where}[{index}]")
    elif isinstance(one, float) and isinstance(other, float):
        if one != pytest.approx(other, rel=1e-6, abs=_small(where), nan_ok=True):
            yield f"{where}: {one} and {other}"
    elif type(one) is not type(other) or one != other:
        yield f"{where}: {one!r} and {other!r}"


@cache
def whole_answer(name: str, task: Task) -> dict[str, Any]:
    return answer(whole(name, task))


def assert_same(one: Lens, other: Lens) -> None:
    assert list(differences(answer(one), answer(other))) == []


def pieces_of(seen: Sequence[Observation], cuts: Sequence[int]) -> list[Sequence[Observation]]:
    places = [0, *sorted(cut % (len(seen) + 1) for cut in cuts), len(seen)]
    return [seen[low:high] for low, high in pairwise(places)]


def sweep_lenses() -> list[str]:
    # Only the lenses that observe in the sweep are stored part by part. The others are never dumped: they see the model
    # once, or the few chosen examples, which a resumed inspection does anew (weights keep structs, which `dump` refuses).
    return [name for name in sorted(lenses.available()) if "sweep" in fresh(name, LensContext()).needs.stages]
