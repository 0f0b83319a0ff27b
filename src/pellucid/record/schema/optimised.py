"""Pictures made to excite units: what is stored of them, and what the model at hand answers."""

from __future__ import annotations

import msgspec
from msgspec import field

from pellucid.record.schema.basis import Panel


class OptimisedLayer(msgspec.Struct, frozen=True):
    """Pictures of some units of one layer, made in one way.

    Attributes:
        index, name: of the layer.
        method: "fourier" or "maco"; aim: "channel" (the response over the map) or "middle" (that of its middle place).
        stored: units with pictures; variants: pictures of each; steps: of each.
        height, width: of the pictures; a part of the input where the layer's units look at less.
        side: of a square of the sheet; pictures are fitted into it.
        like: examples that colours and magnitudes were measured on; 0: those of photographs are assumed.
        forward_examples, backward_examples: what they took, each up to the layer.
        notes: in words, what was done about memory.
    """

    index: int
    name: str
    method: str
    aim: str
    stored: int
    variants: int
    steps: int
    height: int
    width: int
    side: int
    like: int
    forward_examples: int
    backward_examples: int
    notes: list[str] = field(default_factory=list)


class OptimisedPanel(Panel, tag="optimised"):
    """Pictures made to excite units, by gradient ascent; `count` pictures are stored.

    Arrays (arrays/optimised.safetensors), by layer index i and method m: "i.m.units" int32[stored], ascending; "i.m.sheet"
    uint8[bytes], a WebP picture of them: a row a unit, a column a variant; "i.m.opacity" uint8[bytes], another of how opaque each
    pixel is drawn where what had no weight along the climb is to fade (not in older records); "i.m.responses" float32[stored
    variant], the unit's strongest response anywhere in the map to each picture as it is, to be held against the activations
    panel's "i.maximum".
    `refused` are layers left out, and why.
    """

    layers: list[OptimisedLayer]
    input_height: int
    input_width: int
    refused: dict[str, str] = field(default_factory=dict)


class OptimisedAnswer(msgspec.Struct, frozen=True):
    """Pictures of some channels of one layer.

    Tensors: "pictures" uint8[channel variant height width 3], red, green and blue; "opacity" uint8[channel variant height width],
    255 where the response hung on a pixel most along the climb.

    Attributes:
        layer: its name; channels: in the order of the tensor.
        method, aim, variants, steps, seed: as asked.
        done: steps; total: those of all batches of channels.
        height, width: of the pictures; input_height, input_width: of the model's input.
        responses: of each channel, to each variant as it is: the strongest anywhere in the map; None where it is not finite.
        strongest: of each channel, to any example of the record; None where that is not known.
        examples: in the record; like: those that colours and magnitudes were measured on.
        forward_examples, backward_examples: spent so far, each up to the layer.
        notes: in words, what was done about memory.
    """

    layer: str
    channels: list[int]
    method: str
    aim: str
    variants: int
    steps: int
    seed: int
    done: int
    total: int
    height: int
    width: int
    input_height: int
    input_width: int
    responses: list[list[float | None]]
    strongest: list[float | None]
    examples: int
    like: int
    forward_examples: int
    backward_examples: int
    notes: list[str] = field(default_factory=list)
    partial: bool = False
