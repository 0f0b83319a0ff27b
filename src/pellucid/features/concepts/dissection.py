"""Network dissection: for every channel of a layer, the concept whose masks its strongest activations agree with best.

Two passes over the pictures. The first finds the value that the strongest half per cent of a channel's activations reach; the
second interpolates every map to the masks and counts on which pixels a channel is above its value and where each concept is.

Source: Bau, Zhou, Khosla, Oliva & Torralba 2017, arXiv:1704.05796, section 2.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from pellucid.attribution.layouts import as_maps, channels_of
from pellucid.capture import Captured, Session
from pellucid.capture.reached import row_each, unreached
from pellucid.errors import OptionError
from pellucid.features.concepts.anchors import Anchors, Interpolation, grid_of
from pellucid.features.concepts.counts import BLOCKS, NULLS, Agreement, Presence, iou
from pellucid.features.concepts.examples import Strongest
from pellucid.features.concepts.quantiles import TopQuantile
from pellucid.features.concepts.sets import Concept, ConceptSet, Visit
from pellucid.features.probing import Lightness
from pellucid.types import Layer

LEAST = 0.04
"""Intersection over union above which a channel counts as a detector (Bau et al. 2017)."""
CHANCE = 0.99
"""Share of shuffled best agreements that a channel must pass to be called beyond chance."""
FEWEST = 2 * BLOCKS
SATURATED = 0.05
"""Share of activations at a channel's threshold above which it tells no place from another: it is held at a bound."""
_BATCH = 32
_T_95 = 2.262  # Student's t of 95% with nine degrees of freedom, for ten blocks

Watch = Callable[[int, int], None]
Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Dissected:
    """What the channels of one layer agree with.

    Attributes:
        layer: the layer.
        anchors: where its positions were put on the input.
        concepts: what was looked for.
        thresholds: float32[unit]; infinite where a channel never changes.
        reached: float64[unit], the share of its activations that reach it.
        iou: float64[unit concept].
        low, high: float64[unit concept], 95% intervals of it over pictures (jackknife of ten blocks).
        null: float64[shuffle unit], best agreement with the masks of other pictures.
        chance: the 99% quantile of `null` over channels that are alive; nothing below is beyond chance.
    """

    layer: Layer
    anchors: Anchors
    concepts: tuple[Concept, ...]
    thresholds: NDArray[np.float32]
    reached: Floats
    iou: Floats
    low: Floats
    high: Floats
    null: Floats
    chance: float

    @property
    def best(self) -> NDArray[np.int64]:
        """int64[unit]: place of the concept with the highest agreement."""
        return np.asarray(self.iou.argmax(1), np.int64)

    @property
    def alive(self) -> NDArray[np.bool_]:
        """bool[unit]: whether a channel changes at all, and its strongest values are not a bound that many reach."""
        return _alive(self.thresholds, self.reached)

    @property
    def detectors(self) -> NDArray[np.bool_]:
        """bool[unit]: whether its best agreement is above 0.04 and beyond chance."""
        best = self.iou.max(1)
        return np.asarray(self.alive & (best > LEAST) & (best > self.chance))

    def found(self) -> dict[str, int]:
        """How many channels detect each concept."""
        best = self.best[self.detectors]
        return {concept.name: int((best == at).sum()) for at, concept in enumerate(self.concepts)}

    def between(self) -> tuple[int, int]:
        """Channels whose interval lies above 0.04, and channels whose interval reaches above it; all beyond chance."""
        rows = np.arange(len(self.iou))
        beyond = self.alive & (self.iou.max(1) > self.chance)
        low, high = self.low[rows, self.best], self.high[rows, self.best]
        return int((beyond & (low > LEAST)).sum()), int((beyond & (high > LEAST)).sum())

    def by_chance(self) -> float:
        """Detectors expected where masks say nothing of the pictures: the mean over shuffles."""
        return float((self.null[:, self.alive] > max(LEAST, self.chance)).sum(1).mean())


@dataclass
class Dissection:
    """A dissection of several layers on the way: shards of one set observe their own places and are merged.

    Attributes:
        layers, anchors: those that have maps.
        quantiles: after the first pass.
        agreements, strongest, presence: after the second.
    """

    concepts: ConceptSet
    layers: Sequence[Layer]
    anchors: Mapping[str, Anchors]
    visit: Visit
    quantiles: dict[str, TopQuantile]
    agreements: dict[str, Agreement]
    strongest: dict[str, Strongest]
    presence: Presence
    _known: dict[str, Tensor] = field(default_factory=dict, init=False, repr=False)

    @classmethod
    def begun(
        cls, concepts: ConceptSet, layers: Sequence[Layer], anchors: Mapping[str, Anchors], seed: int = 0
    ) -> Dissection:
        """Nothing counted yet; layers without a map are left out. Raises: OptionError: too few pictures to compare."""
        if len(concepts) < FEWEST:
            raise OptionError(
                f"Agreement is compared with the masks of {NULLS} other pictures and told from {BLOCKS} parts of the set: it "
                f"needs at least {FEWEST} pictures; {concepts.name} has {len(concepts)}."
            )
        kept = [layer for layer in layers if layer.name in anchors and grid_of(layer) is not None]
        named = concepts.concepts
        sizes = {layer.name: grid_of(layer) or (0, 0) for layer in kept}
        units = {layer.name: channels_of(layer)[0] for layer in kept}
        return cls(
            concepts,
            kept,
            anchors,
            Visit(concepts, seed, reach=NULLS + 2),
            {name: TopQuantile(units[name], len(concepts) * tall * wide) for name, (tall, wide) in sizes.items()},
            {name: Agreement(many, named) for name, many in units.items()},
            {name: Strongest(many, concepts.mask_size) for name, many in units.items()},
            Presence(named),
        )

    def measure(self, session: Session, pictures: Tensor) -> None:
        """First pass: activations of a batch, prepared for the model.

        Raises: LayerError: a layer has not one row a picture, or was not reached. ForwardError.
        """

        def see(output: Tensor, layer: Layer) -> Mapping[str, Tensor]:
            if layer.name in self.quantiles:
                row_each(layer.name, output, len(pictures))
                self.quantiles[layer.name].observe(as_maps(output, layer))
            return {}

        _refuse_unreached(self.quantiles, session.forward(pictures, {"quantiles": see}))

    def compare(self, session: Session, pictures: Tensor, places: range) -> None:
        """Second pass: the same pictures again, at their places in the visit. Raises: LayerError, ForwardError: as in the first."""
        masks = [[self.visit.mixture(place + shift) for shift in range(NULLS + 1)] for place in places]
        for place, (own, *_) in zip(places, masks, strict=True):
            self.presence.observe(place, own)
        size = self.concepts.size[1:]

        def see(output: Tensor, layer: Layer) -> Mapping[str, Tensor]:
            if layer.name not in self.agreements:
                return {}
            agreement, strongest = self.agreements[layer.name], self.strongest[layer.name]
            onto = Interpolation(self.anchors[layer.name], size, self.concepts.mask_size)
            maps = as_maps(row_each(layer.name, output, len(pictures)), layer).detach().float()
            peaks = maps.amax((2, 3)).cpu()
            found = hits(maps, self._thresholds(layer.name).to(maps.device), onto)
            for at, (units, pixels) in enumerate(found):
                agreement.observe(units, pixels, places[at], masks[at])
                strongest.observe(peaks[at], units, pixels, places[at])
            return {}

        _refuse_unreached(self.agreements, session.forward(pictures, {"agreement": see}))

    def _thresholds(self, name: str) -> Tensor:
        if name not in self._known:
            self._known[name] = self.quantiles[name].thresholds()[0]
        return self._known[name]

    def merge(self, other: Dissection) -> None:
        """Counts in what another shard compared, with thresholds of the whole."""
        for name, agreement in self.agreements.items():
            agreement.merge(other.agreements[name])
            self.strongest[name].merge(other.strongest[name])
        self.presence.merge(other.presence)

    def result(self, layer: Layer) -> Dissected:
        """What one layer's channels agree with."""
        agreement, concepts, name = self.agreements[layer.name], self.presence.concepts, layer.name
        both, above, pixels = agreement.both, agreement.above, self.presence.pixels
        whole = iou(both.sum(0), above.sum(0), pixels.sum(0), concepts)
        without = np.stack(
            [
                iou(both.sum(0) - both[b], above.sum(0) - above[b], pixels.sum(0) - pixels[b], concepts)
                for b in range(BLOCKS)
            ]
        )
        spread = np.sqrt((BLOCKS - 1) / BLOCKS * ((without - without.mean(0)) ** 2).sum(0))
        null = iou(agreement.both_null, agreement.above_null, pixels.sum(0), concepts).max(2)
        thresholds, reached = (part.numpy() for part in self.quantiles[name].thresholds())
        alive = _alive(thresholds, reached)
        return Dissected(
            layer=layer,
            anchors=self.anchors[name],
            concepts=concepts,
            thresholds=thresholds,
            reached=reached,
            iou=whole,
            low=np.maximum(0.0, whole - _T_95 * spread),
            high=np.minimum(1.0, whole + _T_95 * spread),
            null=null,
            chance=float(np.quantile(null[:, alive], CHANCE, method="higher")) if alive.any() else 0.0,
        )


def _refuse_unreached(names: Iterable[str], seen: Captured) -> None:
    for name in names:
        if name not in seen.summaries:
            raise unreached(name)


def _alive(thresholds: NDArray[np.float32], reached: Floats) -> NDArray[np.bool_]:
    return np.asarray(np.isfinite(thresholds) & (reached <= SATURATED))


def hits(maps: Tensor, thresholds: Tensor, onto: Interpolation) -> list[tuple[Tensor, Tensor]]:
    """Which channels are above their thresholds at which pixels of a mask: two int64[hit] for every picture.

    Args:
        maps: float[picture channel height width].
        thresholds: float[channel].
        onto: the pixels of the mask.
    """
    pictures, channels = maps.shape[:2]
    owners, pixels = (one.cpu() for one in onto.above(maps.flatten(0, 1), thresholds.repeat(pictures)))
    picture = (owners // channels).numpy().astype(np.int16)
    order = np.argsort(picture, kind="stable")  # by radix, of so few bits
    ends = np.searchsorted(picture[order], np.arange(1, pictures))
    by_picture = (np.split(one.numpy()[order], ends) for one in (owners % channels, pixels))
    return [(torch.from_numpy(units), torch.from_numpy(at)) for units, at in zip(*by_picture, strict=True)]


def dissect_layers(
    session: Session,
    layers: Sequence[Layer],
    anchors: Mapping[str, Anchors],
    concepts: ConceptSet,
    lightness: Lightness,
    *,
    seed: int = 0,
    batch_size: int = _BATCH,
    watch: Watch = lambda done, total: None,
) -> tuple[Dissection, list[Dissected]]:
    """Both passes over all pictures, for layers of an open session; those without a map are left out.

    Args:
        session: holds the model open, with these layers.
        layers: whose channels are asked about.
        anchors: where their positions stand, by name.
        concepts: the set.
        lightness: what black and white are to the model.
        seed: of the order in which masks of other pictures are compared.
        batch_size: pictures in one forward.
        watch: hears how many forwards of examples of how many are done; raise to cancel.

    Raises: LayerError: a layer has not one row a picture, or was not reached. OptionError: too few pictures. ForwardError.
    """
    found = Dissection.begun(concepts, layers, anchors, seed)
    total, done = 2 * len(found.visit), 0
    for places, pictures in found.visit.batches(batch_size):
        found.measure(session, lightness.inputs(pictures))
        done += len(places)
        watch(done, total)
    for places, pictures in found.visit.batches(batch_size):
        found.compare(session, lightness.inputs(pictures), places)
        done += len(places)
        watch(done, total)
    return found, [found.result(layer) for layer in found.layers]
