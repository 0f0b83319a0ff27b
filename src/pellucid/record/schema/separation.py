"""Which labels of whole pictures channels tell apart."""

from __future__ import annotations

import msgspec
from msgspec import field

from pellucid.record.schema.basis import Panel


class SeparationChannel(msgspec.Struct, frozen=True):
    """A channel that tells pictures with a concept from others: index of the layer, unit, area under the ROC curve."""

    layer: int
    unit: int
    area: float


class SeparationConcept(msgspec.Struct, frozen=True):
    """One concept of the set.

    `shown` pictures show it, `others` of its kind do not. Where either is below the panel's `fewest` it was not `asked` about.
    `strongest` are the channels of all layers that tell it best, the first the best; only those beyond chance.
    """

    name: str
    kind: str
    shown: int
    others: int
    asked: bool
    strongest: list[SeparationChannel] = field(default_factory=list)


class SeparationLayer(msgspec.Struct, frozen=True):
    """One layer's channels: detectors tell their best concept beyond chance and with an area above the panel's `least`.

    `alive` channels change at all; `beyond` tell their best concept beyond chance; `low` to `high`: those of them whose 95%
    interval lies above `least`, and whose interval reaches above it. `found` has the number of detectors by concept.
    """

    index: int
    name: str
    units: int
    alive: int
    beyond: int
    detectors: int
    low: int
    high: int
    found: dict[str, int]
    stored: int


class SeparationPanel(Panel, tag="separation"):
    """How well each channel's `pooled` response tells pictures with a concept from others; `count` pictures were shown once.

    Arrays (arrays/separation.safetensors), by layer index i: "i.area" float32[unit concept], the area under the ROC curve, NaN
    where the concept was not asked about; "i.best" int32[unit], the concept told best, of those beyond chance where there are
    any; "i.low" and "i.high" float32[unit], the 95% interval of the best; "i.chance" float32[concept], the area that no channel
    of the layer exceeds with any concept in a share `level` of `shuffles` of the labels; "i.alive" uint8[unit]; "i.units"
    int32[stored], those with stored pictures, ascending; "i.sheet" uint8[bytes], a WebP picture of them: a row a unit, a column
    a rank, squares of `side` pixels, the pictures that excite it most, framed where they show its best concept. `refused` are
    layers left out, and why.
    """

    source: str
    pooled: str
    concepts: list[SeparationConcept]
    layers: list[SeparationLayer]
    least: float
    level: float
    shuffles: int
    fewest: int
    side: int
    ranks: int
    refused: dict[str, str] = field(default_factory=dict)
