"""Similarity: which layers see the examples alike, and which examples lie side by side in a layer?"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import TYPE_CHECKING, ClassVar, Self

import numpy as np
from numpy.typing import NDArray

from pellucid.lenses import LensContext
from pellucid.lenses.rows import Unlike, merge_unlike, unlike_rows, unlike_words
from pellucid.record.schema import Finding, SimilarityPanel, SpaceLayer
from pellucid.types import Layer, Needs, Observation

if TYPE_CHECKING:
    from torch import Tensor

# Examples in the sample, and numbers kept of each in each layer: the memory is this, whatever the number of examples.
SAMPLE = 256
KEPT = 128
LEAST = 8


@dataclass
class SimilarityLens:
    """A random sample of the examples in the space of every layer, averaged over positions.

    The sample is the examples whose rows, mixed with the seed, give the least keys: the same whatever order they come in.

    Attributes:
        rows, keys: int64 and uint64[example], by ascending key; at most SAMPLE.
        features: layer -> float32[example kept].
        places: layer -> [index, units].
        unlike: layers that are left out, because a batch of theirs had not one row an example.
        seen, nonfinite: examples that were offered, and those left out.
    """

    name: ClassVar[str] = "similarity"

    context: LensContext = field(default_factory=LensContext)
    rows: np.ndarray = field(default_factory=lambda: np.zeros(0, np.int64))
    keys: np.ndarray = field(default_factory=lambda: np.zeros(0, np.uint64))
    features: dict[str, np.ndarray] = field(default_factory=dict)
    places: dict[str, list[int]] = field(default_factory=dict)
    unlike: Unlike = field(default_factory=dict)
    seen: int = 0
    nonfinite: int = 0

    @property
    def needs(self) -> Needs:
        """One reduction of every layer: a mean over positions, and a product with a small matrix where it is wide."""
        return Needs(reductions={"similarity": self._reduce})

    def _reduce(self, output: Tensor, layer: Layer) -> Mapping[str, Tensor]:
        signal = output.detach().float()
        if layer.layout in ("maps", "channels"):
            signal = signal.flatten(2).mean(2)
        elif layer.layout == "tokens":
            signal = signal.mean(1)
        elif signal.ndim > 2:
            signal = signal.flatten(1, -2).mean(1)
        signal = signal.reshape(len(signal), -1)
        units = signal.shape[1]
        if units > KEPT:
            signal = signal @ _projection(units, self.context.seed).to(signal.device)
        return {"pooled": signal.cpu()}

    def observe(self, seen: Observation) -> None:
        """Takes those of a batch that fall into the sample."""
        if seen.batch is None or not seen.layers:
            return
        pooled = {name: one["similarity"]["pooled"].numpy() for name, one in seen.summaries.items()}
        rows_of = {name: len(one) for name, one in pooled.items()}
        self._leave_out(unlike_rows(seen.layers, rows_of, len(seen.batch)))
        pooled = {name: values for name, values in pooled.items() if name not in self.unlike}
        if not pooled:
            return
        rows = np.array([seen.batch.row(place) for place in range(len(seen.batch))], np.int64)
        finite = np.logical_and.reduce([np.isfinite(values).all(1) for values in pooled.values()])
        for name in pooled:
            layer = seen.layers[name]
            self.places[name] = [layer.index, _width(layer)]
        self.seen += len(rows)
        self.nonfinite += int((~finite).sum())
        self._take(rows[finite], {name: values[finite] for name, values in pooled.items()})

    def _leave_out(self, unlike: Unlike) -> None:
        merge_unlike(self.unlike, unlike)
        for name in unlike:
            self.features.pop(name, None)
            self.places.pop(name, None)
        if not self.features:
            self.rows, self.keys = self.rows[:0], self.keys[:0]

    def _take(self, rows: NDArray[np.int64], features: Mapping[str, np.ndarray]) -> None:
        if not len(rows) or not features:
            return
        both = np.concatenate([self.rows, rows])
        keys = np.concatenate([self.keys, _keys(rows, self.context.seed)])
        kept = np.lexsort((both, keys))[:SAMPLE]
        held = self.features or {name: values[:0] for name, values in features.items()}
        self.features = {name: np.concatenate([held[name], values])[kept] for name, values in features.items()}
        self.rows, self.keys = both[kept], keys[kept]

    def merge(self, other: Self) -> None:
        """Keeps the sample of both, in the layers that neither has left out."""
        self._leave_out(other.unlike)
        places = {name: place for name, place in other.places.items() if name not in self.unlike}
        self.places = {**places, **self.places}
        self.seen += other.seen
        self.nonfinite += other.nonfinite
        self._take(other.rows, {name: found for name, found in other.features.items() if name not in self.unlike})

    def report(self) -> SimilarityPanel:
        """A row a layer; nothing of fewer than a handful of examples."""
        names = self._ordered()
        widest = max((self.places[name][1] for name in names), default=0)
        return SimilarityPanel(
            count=len(self.rows),
            findings=self._unlike(),
            layers=[self._layer(name) for name in names],
            seen=self.seen,
            nonfinite=self.nonfinite,
            deviation=float(np.sqrt(2 / KEPT)) if widest > KEPT else 0.0,
        )

    def _layer(self, name: str) -> SpaceLayer:
        from pellucid.mapping import principal

        index, units = self.places[name]
        values = self._in_order(name)
        return SpaceLayer(
            index=index,
            name=name,
            units=units,
            kept=values.shape[1],
            explained=[float(share) for share in principal(values).explained],
            scale=_scale(values),
        )

    def _unlike(self) -> list[Finding]:
        if not self.unlike:
            return []
        return [
            Finding(
                kind="unlike-batch",
                severity="info",
                sentence=unlike_words(self.unlike, "placed nor compared"),
                count=len(self.unlike),
                evidence={"layers": len(self.unlike)},
                page="activations",
                selection={"layer": min(self.unlike)},
            )
        ]

    def arrays(self) -> dict[str, np.ndarray]:
        """The sample's rows, its features and principal components by layer index, and the layers' likeness."""
        from pellucid.mapping import Likeness, principal

        names = self._ordered()
        found: dict[str, np.ndarray] = {"rows": np.sort(self.rows) if names else np.zeros(0, np.int64)}
        likeness = Likeness()
        likeness.add([self._in_order(name) for name in names])
        found["cka"] = likeness.matrix().astype(np.float32)
        for name in names:
            values = self._in_order(name)
            index, scale = self.places[name][0], _scale(values)
            kept = (values / scale).astype(np.float16)
            # Of the features as they are kept, so that a reader finds the same, however the batches were cut.
            found[f"{index}.principal"] = (principal(kept).places * scale).astype(np.float32)
            found[f"{index}.features"] = kept
        return found

    def _ordered(self) -> list[str]:
        if len(self.rows) < LEAST:
            return []
        return sorted(self.features, key=lambda name: self.places[name][0])

    def _in_order(self, name: str) -> NDArray[np.float32]:
        """A layer's features by ascending row."""
        values: NDArray[np.float32] = self.features[name][np.argsort(self.rows)]
        return values


def _width(layer: Layer) -> int:
    if layer.layout == "other":
        return layer.shape[-1] if layer.shape else 1
    return layer.units


def _scale(values: NDArray[np.float32]) -> float:
    return float(np.abs(values).max(initial=0.0)) or 1.0


def _keys(rows: NDArray[np.int64], seed: int) -> NDArray[np.uint64]:
    """A number a row that looks random and is always the same: SplitMix64 (Steele, Lea & Flood 2014)."""
    with np.errstate(over="ignore"):
        state = (rows.astype(np.uint64) + np.uint64(seed % 2**32) * np.uint64(0x9E3779B97F4A7C15)) * np.uint64(
            0x9E3779B97F4A7C15
        )
        state = (state ^ (state >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        state = (state ^ (state >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    mixed: NDArray[np.uint64] = state ^ (state >> np.uint64(31))
    return mixed


@lru_cache(maxsize=64)
def _projection(units: int, seed: int) -> Tensor:
    import torch

    from pellucid.mapping import random_projection

    return torch.from_numpy(random_projection(units, KEPT, seed))
