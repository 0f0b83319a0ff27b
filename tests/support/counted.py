"""Scored examples, the batches in which a lens sees them, and Holm's loop as its paper has it."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from hypothesis import settings
from numpy.typing import NDArray

from pellucid.lenses import Lens, LensContext
from pellucid.measures.predictions import columns_of
from pellucid.types import Batch, Observation

CLASSES = 7


Floats = NDArray[np.float64]


quick = settings(max_examples=60, deadline=None, derandomize=True, database=None)


def scored(number: int = 600, seed: int = 0, wrong: float = 1.5) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """Logits that are often right, and their targets."""
    generator = np.random.default_rng(seed)
    targets = generator.integers(CLASSES, size=number)
    logits = generator.normal(size=(number, CLASSES)) * wrong
    logits[np.arange(number), targets] += 2.0
    return logits.astype(np.float32), targets


def observed(lens: Lens, logits: NDArray[np.float32], targets: NDArray[np.int64]) -> Any:
    columns = columns_of(logits, targets, task="classification")
    batch = Batch(0, tuple(str(row) for row in range(len(logits))), torch.zeros(len(logits), 1))
    lens.observe(Observation("sweep", batch, outputs=torch.from_numpy(logits), columns=columns))
    return lens.report()


CONTEXT = LensContext(tuple("abcdefg"), "classification")


def plain_holm(values: list[float], tests: int) -> list[float]:
    adjusted = [0.0] * len(values)
    running = 0.0
    for place, index in enumerate(sorted(range(len(values)), key=lambda one: values[one])):
        running = max(running, min(1.0, values[index] * (tests - place)))
        adjusted[index] = running
    return adjusted
