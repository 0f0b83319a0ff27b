"""The imagined classifier and its examples, from which everything of a synthetic record is drawn."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from pellucid.record import schema

SIDE = 28
HOSTILE = (
    "</script><img src=x onerror=alert(1)>",
    "\u202eright to left\u202c \u05d0\u05d1\u05d2",
    "a very long name " * 12,
    "\U0001f9d1\U0001f3fd\u200d\U0001f52c emoji",
    "${alert(1)} {{7*7}} `x`",
    "\"'&<>--><!--",
    "line\nbreak\ttab",
    "",
    "javascript:alert(1)",
    "../../etc/passwd",
)


@dataclass(frozen=True)
class Place:
    """A captured layer of the pretended network."""

    name: str
    operation: str
    shape: tuple[int, ...]
    activation: str | None = "relu"

    @property
    def units(self) -> int:
        return self.shape[0]

    @property
    def is_maps(self) -> bool:
        return len(self.shape) == 3


@dataclass
class Scene:
    """What everything is drawn from."""

    rng: np.random.Generator
    classes: list[str]
    places: list[Place]
    targets: np.ndarray
    logits: np.ndarray
    ids: list[str]
    hostile: bool
    media: list[str | None] = field(default_factory=list)

    @property
    def predictions(self) -> np.ndarray:
        return np.argmax(np.nan_to_num(self.logits, nan=-np.inf), axis=1)

    @property
    def finite(self) -> np.ndarray:
        return np.isfinite(self.logits).all(axis=1)

    @property
    def counted(self) -> np.ndarray:
        """Examples with a target and finite logits."""
        return self.finite & (self.targets >= 0)

    @property
    def log_probabilities(self) -> np.ndarray:
        logits = np.where(self.finite[:, None], self.logits, 0.0)
        shifted = logits - logits.max(axis=1, keepdims=True)
        return shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))

    @property
    def losses(self) -> np.ndarray:
        picked = -self.log_probabilities[np.arange(len(self.targets)), np.maximum(self.targets, 0)]
        return np.where(self.counted, picked, np.nan)


def imagined(examples: int, number: int, seed: int, hostile: bool) -> Scene:
    rng = np.random.default_rng(seed)
    names = [str(index) for index in range(number)]
    if hostile:
        names = [HOSTILE[index] if index < len(HOSTILE) else f"class {index}" for index in range(number)]
    path = HOSTILE[0].replace(".", "") if hostile else "features"
    places = [
        Place(f"{path}.1", "ReLU", (16, SIDE, SIDE)),
        Place(f"{path}.4", "ReLU", (32, SIDE // 2, SIDE // 2)),
        Place(f"{path}.7", "ReLU", (64, SIDE // 4, SIDE // 4)),
        Place("classifier.1", "ReLU", (64,)),
        Place("classifier.2", "Linear", (number,), None),
    ]
    targets = rng.integers(0, number, examples)
    logits = rng.normal(0, 1.2, (examples, number))
    logits[np.arange(examples), targets] += 4.5
    # Some pairs look alike: the first is taken for the second in about a quarter of the cases.
    for true, predicted in ((3, 5), (4, 9), (8, 1)):
        if max(true, predicted) < number:
            alike = (targets == true) & (rng.random(examples) < 0.25)
            logits[alike, predicted] += 6.0
    if hostile and examples > 4:
        targets[1] = -1
        logits[2, 0] = np.nan
        logits[3, number - 1] = np.inf
    ids = [f"digit-{row:05d}" if not hostile else f"{row} {HOSTILE[row % len(HOSTILE)]}" for row in range(examples)]
    return Scene(rng, names, places, targets, logits, ids, hostile)


def histogram_of(values: np.ndarray) -> schema.Histogram:
    """Counts over the top 11 bits of the float32 (sign, exponent, 2 bits of mantissa)."""
    flat = np.asarray(values, np.float32).reshape(-1)
    normal = flat[np.isfinite(flat) & (flat != 0)]
    ids, counts = np.unique(normal.view(np.uint32) >> (23 - schema.MANTISSA_BITS), return_counts=True)
    sign = 1 << (8 + schema.MANTISSA_BITS)
    order = np.argsort(np.where(ids & sign, -(ids & (sign - 1)).astype(np.int64) - 1, ids.astype(np.int64)))
    return schema.Histogram(
        bins=ids[order].tolist(),
        counts=counts[order].tolist(),
        zero=int((flat == 0).sum()),
        nan=int(np.isnan(flat).sum()),
        positive_infinite=int(np.isposinf(flat).sum()),
        negative_infinite=int(np.isneginf(flat).sum()),
    )
