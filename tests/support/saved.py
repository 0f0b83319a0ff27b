"""Predictions as somebody would have saved them, and the integers of a record's answers."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from pellucid.record import Record

CLASSES = ("cat", "dog", "owl", "yak")


def answered(number: int = 300, classes: int = 4, seed: int = 0) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """Logits that are often right, and their targets."""
    generator = np.random.default_rng(seed)
    targets = generator.integers(classes, size=number)
    logits = generator.normal(size=(number, classes))
    logits[np.arange(number), targets] += 2.0
    return logits.astype(np.float32), targets


def softmax(logits: NDArray[np.floating]) -> NDArray[np.float32]:
    """Probabilities, as they are saved."""
    weights = np.exp(logits.astype(np.float64) - logits.max(axis=1, keepdims=True))
    return (weights / weights.sum(axis=1, keepdims=True)).astype(np.float32)


def leaves(value: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    """Every value of an answer, by where it stands."""
    if isinstance(value, dict):
        for name, part in value.items():
            yield from leaves(part, f"{path}.{name}")
    elif isinstance(value, list):
        for place, part in enumerate(value):
            yield from leaves(part, f"{path}[{place}]")
    else:
        yield path, value


def integers(record: Record, *panels: str) -> dict[str, int]:
    """Every whole number of these panels."""
    found = {}
    for name in panels:
        plain = msgspec.json.decode(msgspec.json.encode(record.panel(name)))
        found |= {f"{name}{path}": value for path, value in leaves(plain) if isinstance(value, int)}
    return found


def files_below(root: Path) -> list[str]:
    """Names of all files there."""
    return sorted(path.relative_to(root).as_posix() for path in root.rglob("*") if path.is_file())
