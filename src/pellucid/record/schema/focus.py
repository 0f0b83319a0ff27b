"""One example, looked at closely."""

from __future__ import annotations

import msgspec
from msgspec import field


class FocusLayer(msgspec.Struct, frozen=True):
    """One layer of a focused example.

    `height` and `width` are the layer's own; maps in the file may be reduced to at most 56 positions a side by taking
    the strongest in each cell. `cam` is "ok" or the reason why there is no Grad-CAM. `attribution` is the sum over the
    layer's values of |gradient x activation|: how much of the score passes through it.
    """

    index: int
    name: str
    height: int
    width: int
    cam: str
    gradient_norm: float | None
    attribution: float | None = None


class Focus(msgspec.Struct, frozen=True):
    """Metadata of a focus file (key "focus" of the safetensors header), stored or computed on demand.

    Tensors: "input.values" and "input.gradient" float16, shape of the input (or "input.<path>." for a tree);
    "i.grad_cam" float16[height width], non-negative; "i.maps" float16[channel height width] of the strongest
    channels; "i.channels" int32[channel]; "i.peaks" int32[channel], flattened position in the layer's own size;
    "i.values" float16[unit] for vectors and tokens' channel means. `scales` is what each float16 tensor was divided
    by (its largest magnitude); multiply to get the numbers back. `explained` is the class whose score was differentiated,
    None of a regression: there the model's output was.
    """

    row: int
    example: str
    target: int | None
    prediction: int | None
    explained: int | None
    score: float | None
    layers: list[FocusLayer]
    scales: dict[str, float]
    live: bool = False
    warnings: list[str] = field(default_factory=list)
