"""What happens inside: activations, weights, gradients, training."""

from __future__ import annotations

import msgspec

from pellucid.record.schema.basis import Histogram, Panel


class ActivationLayer(msgspec.Struct, frozen=True):
    """One layer's output over the whole sweep.

    Moments, the maximum and dead units are exact over all `values`; the histogram, the share of zeros, saturation and,
    after a ReLU, the minimum come from `histogram_values` of them, a strided sample unless equal. A unit is dead when
    its output was 0 for every example and position (only after an activation that can be 0), saturated when at least
    95% of its sampled values lie at the activation's upper or lower bound (None where the activation has none).
    """

    index: int
    name: str
    values: int
    nonfinite: int
    mean: float | None
    std: float | None
    minimum: float | None
    maximum: float | None
    zero_share: float | None
    units: int
    dead_units: int | None
    saturated_units: int | None
    histogram: Histogram
    histogram_values: int


class ActivationsPanel(Panel, tag="activations"):
    """Activations of every layer.

    Arrays (arrays/activations.safetensors), by layer index i: "i.mean", "i.maximum", "i.zero_share" float32[unit];
    "i.top_rows" int64[unit k] rows of the examples table, -1 where fewer; "i.top_values" float32[unit k], strongest
    first; "i.top_positions" int32[unit k], flattened position of the strongest response in the layer's map.
    """

    layers: list[ActivationLayer]
    top_k: int


class ParameterRow(msgspec.Struct, frozen=True):
    """One parameter tensor. The spectrum is of the tensor as a matrix, first axis by the rest, largest first.

    `spectrum` holds at most 64 singular values; stable_rank is the squared Frobenius norm over the squared spectral
    norm. Both are None for tensors that are no matrix.
    """

    name: str
    node: int | None
    shape: list[int]
    dtype: str
    count: int
    nonfinite: int
    mean: float | None
    std: float | None
    minimum: float | None
    maximum: float | None
    norm: float | None
    zero_share: float | None
    histogram: Histogram
    spectrum: list[float] | None
    spectral_norm: float | None
    stable_rank: float | None


class WeightsPanel(Panel, tag="weights"):
    """Every parameter of the model, counted once."""

    parameters: list[ParameterRow]


class FocusExample(msgspec.Struct, frozen=True):
    """An example that was looked at closely; its maps are in arrays/focus/<row>.safetensors.

    `explained` is the class whose score was differentiated, None of a regression: there the model's output was.
    """

    row: int
    example: str
    target: int | None
    prediction: int | None
    explained: int | None
    score: float | None
    reason: str


class GradientLayer(msgspec.Struct, frozen=True):
    """Gradients of the explained score by one layer's output, over the chosen examples.

    `norm` is the mean over examples of the L2 norm; `no_cam` says why the layer can have no Grad-CAM, None if it can.
    """

    index: int
    name: str
    norm: float | None
    zero_share: float | None
    nonfinite: int
    histogram: Histogram
    no_cam: str | None = None


class GradientsPanel(Panel, tag="gradients"):
    """What the answers of the chosen examples depended on. `explains` says in words which output was explained."""

    explains: str
    input_shape: list[int]
    examples: list[FocusExample]
    layers: list[GradientLayer]


class LastValue(msgspec.Struct, frozen=True):
    """The newest value of a quantity of the whole model; None where it was not finite."""

    quantity: str
    step: int
    value: float | None


class TrainingPanel(Panel, tag="training"):
    """What a Watch saw, in short; the training table holds it all. `count` is its number of rows.

    `steps` are those that the optimizer took, `recorded` those of them at which layers were looked at; `quantities` are
    those of layers and of the whole model.
    """

    steps: int
    recorded: int
    layers: list[str]
    quantities: list[str]
    last: list[LastValue]
