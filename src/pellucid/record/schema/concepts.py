"""Which concepts channels detect: network dissection."""

from __future__ import annotations

import msgspec
from msgspec import field

from pellucid.record.schema.basis import Panel


class ConceptChannel(msgspec.Struct, frozen=True):
    """A channel that agrees with a concept: index of the layer, unit, intersection over union."""

    layer: int
    unit: int
    iou: float


class ConceptInfo(msgspec.Struct, frozen=True):
    """One concept of the set.

    `share` is that of the mask pixels that show it, `pictures` how many pictures do; `strongest` are the channels of all
    layers that agree with it most, whatever else they agree with, the first the most.
    """

    name: str
    kind: str
    share: float
    pictures: int
    strongest: list[ConceptChannel] = field(default_factory=list)


class ConceptLayer(msgspec.Struct, frozen=True):
    """One layer's channels: detectors are those whose best concept agrees above `least` and above `chance`.

    `alive` channels change, and are not held at a bound that more than `saturated` of their activations reach. `low` to `high`:
    channels whose 95% interval lies above `least`, and whose interval reaches above it. `chance` is the agreement that 99% of
    channels do not reach with the masks of other pictures; `by_chance` the number of detectors there. `found` has the number
    of detectors by concept. `anchors`: what the map's positions were put at. `reached` is the largest share of activations
    that any channel's threshold lets through.
    """

    index: int
    name: str
    units: int
    alive: int
    map_height: int
    map_width: int
    anchors: str
    detectors: int
    low: int
    high: int
    chance: float
    by_chance: float
    reached: float
    found: dict[str, int]
    stored: int


class ConceptsPanel(Panel, tag="concepts"):
    """Agreement of every channel with concepts; `count` pictures were shown, each twice.

    Arrays (arrays/concepts.safetensors), by layer index i: "i.iou" float32[unit concept]; "i.low" and "i.high" float32[unit],
    95% interval of the best; "i.null" float32[unit], the highest of `shuffles` best agreements with the masks of other
    pictures; "i.threshold" float32[unit], infinite where a channel never changes; "i.reached" float32[unit], the share of
    activations at least as high; "i.units" int32[stored], those with stored pictures, ascending; "i.sheet" uint8[bytes], a WebP
    picture of them: a row a unit, a column a rank, squares of `side` pixels, dimmed where the channel is below its threshold,
    its best concept outlined. `refused` are layers left out, and why.
    """

    source: str
    concepts: list[ConceptInfo]
    layers: list[ConceptLayer]
    least: float
    quantile: float
    shuffles: int
    mask_height: int
    mask_width: int
    side: int
    ranks: int
    refused: dict[str, str] = field(default_factory=dict)
    saturated: float = 0.05
