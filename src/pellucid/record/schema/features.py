"""What each unit looks for: crops of examples, tuning to stimuli."""

from __future__ import annotations

import msgspec
from msgspec import field

from pellucid.record.schema.basis import Panel


class FeatureLayer(msgspec.Struct, frozen=True):
    """One layer's units and where on the input they look.

    `map_height` and `map_width` are of its map (1 for vectors); `field_height` and `field_width` those of the largest field in
    input pixels; `exact` is False where an operation could not be followed, so that the whole input is assumed. `stored` is the
    number of units whose crops are stored as pictures; those of the others are cut from the examples' small pictures.
    """

    index: int
    name: str
    units: int
    map_height: int
    map_width: int
    field_height: int
    field_width: int
    exact: bool
    stored: int


class FeaturesPanel(Panel, tag="features"):
    """The strongest examples of every unit, cut to the field of the place that answered most; `count` examples were seen.

    The examples and places themselves are those of the activations panel. Arrays (arrays/features.safetensors), by layer
    index i: "i.rows" int32[map_height 2] and "i.columns" int32[map_width 2], first input pixel and first beyond of the field of
    each row and column of the map; "i.units" int32[stored], the units with stored crops, ascending; "i.sheet" uint8[bytes], a
    WebP picture of them: a row a unit, a column a rank, squares of `crop_side` pixels. `refused` says why there are no fields.
    """

    layers: list[FeatureLayer]
    input_height: int
    input_width: int
    top_k: int
    crop_side: int
    refused: str = ""


class TuningLayer(msgspec.Struct, frozen=True):
    """What one layer's units answered to stimuli drawn at the field of its middle unit.

    `labels` are the distinct ones; `clear` is the number of units that have one that says something. A unit has a label only if
    its selectivity is above `chance`, which 95% of units with random weights do not reach. `frequencies` in cycles a pixel.
    `seed` was that of everything random.
    """

    index: int
    name: str
    units: int
    field_height: int
    field_width: int
    pictures: int
    chance: float
    clear: int
    frequencies: list[float]
    labels: list[str]
    seed: int = 0


class TuningPanel(Panel, tag="tuning"):
    """Tuning of every unit; `count` pictures were shown in all, each an example of a forward that ends at the layer.

    Arrays (arrays/tuning.safetensors), by layer index i, a row a unit: "i.label" int32 (place in `labels`), "i.selectivity",
    "i.sure" (share of random halves of the pictures that give the same label), "i.deviations" (of its best answer from its answers
    to noise), "i.orientation" [unit 12] at its best frequency, "i.frequency" at its best orientation, "i.hue" (a hue each 30
    degrees from red; where the input has no three channels, a channel each), "i.grey" [unit 5] black to white, "i.kinds" [unit
    kind], NaN where a kind was not shown; float32, minus the answer to a grey field. `refused` are layers left out, and why; `note`
    says where memory did not suffice for as many pictures at a time as were meant.
    """

    layers: list[TuningLayer]
    kinds: list[str]
    noise: int
    refused: dict[str, str] = field(default_factory=dict)
    note: str = ""
