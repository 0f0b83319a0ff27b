"""Concepts with a label for the whole picture and no mask: how well a channel's response tells the pictures that have one.

A channel's score for a picture is its strongest response anywhere in it, or its mean. The measure is the area under the ROC
curve: how often a picture with the concept has the higher score of two, one with it and one without.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal, Protocol, TypeAlias, get_args, runtime_checkable

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from pellucid.capture import Session
from pellucid.capture.reached import row_each
from pellucid.errors import LayerError, OptionError
from pellucid.features.concepts.sets import Concept, Picture, spans_of
from pellucid.features.probing import Lightness
from pellucid.features.responses import laid_out, units_of
from pellucid.measures.intervals import LEVEL
from pellucid.measures.separation import (
    area_intervals,
    areas,
    deviations_by_chance,
    midranks,
    reached_by_chance,
    shuffled_maxima,
)
from pellucid.types import Layer

LEAST_AREA = 0.8
"""Area above which a channel is called a detector: four of five pairs of pictures are told apart."""
SHUFFLES = 99
FEWEST_EACH = 10
"""Pictures that must show a concept, and of its kind that must not, for it to be asked about."""
MOST_SCORES = 1 << 29  # numbers kept: 2 GiB
_BATCH = 32
_UNITS = 512  # ranked at once

Pooled: TypeAlias = Literal["maximum", "mean"]
Watch = Callable[[int, int], None]
Floats = NDArray[np.float64]


@runtime_checkable
class LabelSet(Protocol):
    """Pictures with labels, in a fixed order, each to be had again by its row. A plain field will do for each attribute."""

    @property
    def name(self) -> str:
        """For people: where it comes from."""

    @property
    def concepts(self) -> tuple[Concept, ...]:
        """Those of one kind stand together."""

    @property
    def size(self) -> tuple[int, int, int]:
        """Channels, height and width of every picture: the model's input."""

    @property
    def labels(self) -> NDArray[np.int8]:
        """int8[picture concept]: 1 it shows it, 0 it shows none or another of the kind, -1 nothing is said of the kind."""

    def __len__(self) -> int:
        """Number of pictures."""

    def picture(self, row: int) -> Picture:
        """float32[channel height width] between 0 (black) and 1 (white)."""


@dataclass(frozen=True)
class Separated:
    """What the channels of one layer tell apart.

    Attributes:
        layer: the layer.
        concepts: what was asked about.
        scores: float32[picture unit], in the set's order.
        area: float64[unit concept]; 0.5 is chance. NaN where too few pictures show the concept, or too few do not.
        low, high: float64[unit concept], 95% intervals of it (Newcombe 2006).
        chance: float64[concept]; with the labels of other pictures, no channel is above it with any concept of the layer in
            95% of the shuffles: a channel above it is beyond chance, whatever the number of channels and concepts.
    """

    layer: Layer
    concepts: tuple[Concept, ...]
    scores: NDArray[np.float32]
    area: Floats
    low: Floats
    high: Floats
    chance: Floats

    @property
    def alive(self) -> NDArray[np.bool_]:
        """bool[unit]: whether its score changes at all."""
        return np.asarray(self.scores.max(0) > self.scores.min(0))

    @property
    def best(self) -> NDArray[np.int64]:
        """int64[unit]: the concept that it tells best, of those beyond chance where there are any."""
        beyond = np.nan_to_num(self.area, nan=-1.0) > np.nan_to_num(self.chance, nan=np.inf)
        return np.asarray(np.where(np.isnan(self.area), -2.0, self.area + beyond).argmax(1), np.int64)

    def of_best(self, values: Floats) -> Floats:
        """float64[unit] of float64[unit concept], for the concept that each unit tells best."""
        return np.asarray(values[np.arange(len(values)), self.best])

    @property
    def beyond(self) -> NDArray[np.bool_]:
        """bool[unit]: whether it tells its best concept beyond chance."""
        return np.asarray(self.alive & (self.of_best(self.area) > self.chance[self.best]))

    @property
    def detectors(self) -> NDArray[np.bool_]:
        """bool[unit]: whether it does so with an area above 0.8."""
        return np.asarray(self.beyond & (self.of_best(self.area) > LEAST_AREA))

    def found(self) -> dict[str, int]:
        """How many channels detect each concept."""
        best = self.best[self.detectors]
        return {concept.name: int((best == at).sum()) for at, concept in enumerate(self.concepts)}

    def between(self) -> tuple[int, int]:
        """Channels whose interval lies above 0.8, and channels whose interval reaches above it; all beyond chance."""
        low, high = self.of_best(self.low), self.of_best(self.high)
        return int((self.beyond & (low > LEAST_AREA)).sum()), int((self.beyond & (high > LEAST_AREA)).sum())


@dataclass
class Scores:
    """Every channel's score for every picture of a set; parts of one set merge exactly, for nothing is summed.

    Attributes:
        values: float32[picture unit]; NaN where the picture was not shown, or where the response was NaN.
        shown: bool[picture].
    """

    pictures: int
    units: int
    pooled: Pooled = "maximum"
    values: NDArray[np.float32] = field(init=False)
    shown: NDArray[np.bool_] = field(init=False)

    def __post_init__(self) -> None:
        self.values = np.full((self.pictures, self.units), np.nan, np.float32)
        self.shown = np.zeros(self.pictures, bool)

    def observe(self, rows: range, responses: Tensor) -> None:
        """Takes float[batch unit position] of these rows of the set."""
        wide = responses.detach().float()
        scores = wide.amax(2) if self.pooled == "maximum" else wide.mean(2)
        self.values[rows.start : rows.stop] = scores.cpu().numpy()
        self.shown[rows.start : rows.stop] = True

    def merge(self, other: Scores) -> None:
        """Takes another part's pictures in."""
        self.values[other.shown] = other.values[other.shown]
        self.shown |= other.shown


def asked(labels: NDArray[np.int8]) -> NDArray[np.bool_]:
    """bool[concept]: which enough pictures show, and enough do not."""
    return np.asarray(((labels == 1).sum(0) >= FEWEST_EACH) & ((labels == 0).sum(0) >= FEWEST_EACH))


def refuse(concepts: LabelSet, units: int, pooled: str) -> None:
    """Raises: OptionError: nothing could be told, or not within memory."""
    if pooled not in get_args(Pooled):
        raise OptionError(f"A channel's score for a picture is its maximum or its mean; got {pooled!r}.")
    if not asked(concepts.labels).any():
        counts = ", ".join(
            f"{concept.name} {int(shown)} and {int(not_shown)}"
            for concept, shown, not_shown in zip(
                concepts.concepts[:6],
                (concepts.labels == 1).sum(0)[:6],
                (concepts.labels == 0).sum(0)[:6],
                strict=True,
            )
        )
        raise OptionError(
            f"A concept is asked about where at least {FEWEST_EACH} pictures show it and {FEWEST_EACH} of its kind do not; "
            f"{concepts.name} has of each: {counts}."
        )
    if len(concepts) * units > MOST_SCORES:
        raise OptionError(
            f"{len(concepts):,} pictures of {units:,} channels are {len(concepts) * units:,} scores, of which at most "
            f"{MOST_SCORES:,} are kept. Name fewer layers (--layer), or give fewer pictures."
        )


def separable(layers: Sequence[Layer], most: int) -> tuple[list[Layer], dict[str, str]]:
    """Layers whose channels can be asked, and why others cannot."""
    kept, refused = [], {}
    for layer in layers:
        if layer.layout == "other" and len(layer.shape) != 3:
            refused[layer.name] = f"its output of shape {layer.shape} follows no layout with channels."
        elif units_of(layer) > most:
            refused[layer.name] = f"its {units_of(layer):,} channels are more than {most:,}."
        else:
            kept.append(layer)
    return kept, refused


def separate_layers(
    session: Session,
    layers: Sequence[Layer],
    concepts: LabelSet,
    lightness: Lightness,
    *,
    pooled: Pooled = "maximum",
    seed: int = 0,
    batch_size: int = _BATCH,
    watch: Watch = lambda done, total: None,
    refused: dict[str, str] | None = None,
) -> list[Separated]:
    """One pass over all pictures, for layers of an open session that `separable` lets through.

    Args:
        session: holds the model open, with these layers.
        layers: whose channels are asked.
        concepts: the set.
        lightness: what black and white are to the model.
        pooled: what of a map is a picture's score.
        seed: of the shuffles.
        batch_size: pictures in one forward.
        watch: hears how many pictures of how many were shown; raise to cancel.
        refused: takes the layers whose output is not finite or has not one row a picture, and why; where None they are an error.

    Raises: OptionError: too few pictures of every concept, or more scores than are kept. LayerError.
    """
    refuse(concepts, sum(map(units_of, layers)), pooled)
    scores = {layer.name: Scores(len(concepts), units_of(layer), pooled) for layer in layers}
    for start in range(0, len(concepts), batch_size):
        rows = range(start, min(len(concepts), start + batch_size))

        def see(output: Tensor, layer: Layer, rows: range = rows) -> Mapping[str, Tensor]:
            if layer.name in scores and len(output) == len(rows):
                scores[layer.name].observe(rows, laid_out(output, layer))
            return {"rows": torch.arange(len(output))}

        pictures = lightness.inputs(np.stack([concepts.picture(row) for row in rows]))
        seen = session.forward(pictures, {"scores": see}).summaries
        for name in scores:
            try:
                row_each(name, seen[name]["scores"]["rows"] if name in seen else None, len(rows))
            except LayerError as error:
                if refused is None:
                    raise
                refused.setdefault(name, str(error))
        watch(rows.stop, len(concepts))
    found = []
    for layer in layers:
        if refused is not None and layer.name in refused:
            continue
        try:
            found.append(separated(layer, concepts, scores[layer.name].values, seed))
        except LayerError:
            if refused is None:
                raise
            refused[layer.name] = "Its output is NaN or infinite on some pictures."
    return found


def separated(layer: Layer, concepts: LabelSet, scores: NDArray[np.float32], seed: int = 0) -> Separated:
    """What scores float32[picture unit] tell apart. Raises: LayerError: they are not finite."""
    if not np.isfinite(scores).all():
        raise LayerError(
            f"The output of layer '{layer.name}' is NaN or infinite on some pictures: nothing can be ranked."
        )
    named, labels, units = concepts.concepts, concepts.labels, scores.shape[1]
    area, spread = np.full((units, len(named)), np.nan), np.full(len(named), np.nan)
    maxima = np.full(SHUFFLES, -np.inf)
    chosen = asked(labels)
    for kind, (start, end) in enumerate(spans_of(named)):
        at = start + np.flatnonzero(chosen[start:end])
        said = (labels[:, start:end] >= 0).all(1)
        if not len(at):
            continue
        shown = labels[said][:, at] == 1
        spread[at] = deviations_by_chance(shown)
        for first in range(0, units, _UNITS):
            some = slice(first, min(units, first + _UNITS))
            ranks = midranks(scores[said, some])
            area[some, at] = areas(ranks, shown)
            maxima = np.maximum(maxima, shuffled_maxima(ranks, shown, SHUFFLES, seed * 1009 + kind))
    with_label, without = ((labels == value).sum(0).astype(np.float64) for value in (1, 0))
    low, high = area_intervals(area, with_label, without, LEVEL)
    chance = 0.5 + reached_by_chance(maxima) * spread
    return Separated(layer, named, scores, area, low, high, chance)
