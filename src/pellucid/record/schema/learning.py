"""How the layers learn: gradients of examples' losses by the parameters."""

from __future__ import annotations

import msgspec
from msgspec import field

from pellucid.record.schema.basis import Panel


class NoiseScale(msgspec.Struct, frozen=True):
    """The simple gradient noise scale, in examples: where batches become so large that a larger one is hardly truer.

    Attributes:
        trace: tr(Sigma), an example's variance about the mean gradient, summed over parameters.
        squared_mean: |G|^2, the squared norm of the mean gradient, unbiased: it can be below 0.
        scale: tr(Sigma) / |G|^2; None where that is not defined.
        low, high: its 95% interval; None for an end that is not known.
        reason: why there is no scale, in words.
    """

    trace: float
    squared_mean: float
    scale: float | None
    low: float | None
    high: float | None
    reason: str = ""


class LearningLayer(msgspec.Struct, frozen=True):
    """Gradients by the parameters of one module.

    Attributes:
        index: place in `layers`, in order of execution.
        name: path of the module, "" for the model's own parameters.
        node: id of its first call in the graph; None where it was not called.
        parameters: values with gradients.
        kept: numbers that its sketch keeps of an example; its products are exact where that is all of them.
        deviation: measured relative standard deviation of a product of two gradients that the sketch makes; 0 where exact.
        weight_norm: L2 norm of the parameters.
        mean_norm: mean over examples of the gradient's L2 norm, exact.
        norm: L2 norm of the mean gradient, unbiased; None where it is lost in noise.
        relative: root mean square of the examples' gradient norms over the weights' norm; None where those are 0.
        share: of the examples' squared gradient norms over all layers; None where those are 0.
        noise: its noise scale.
    """

    index: int
    name: str
    node: int | None
    parameters: int
    kept: int
    deviation: float
    weight_norm: float
    mean_norm: float
    norm: float | None
    relative: float | None
    share: float | None
    noise: NoiseScale


class LearningClass(msgspec.Struct, frozen=True):
    """A class in the sample.

    Attributes:
        index: of the class; -1 for all examples together: of a regression, or where no class has 4.
        count: examples in the sample.
        examples: of this class in the data.
        mean_norm: mean over its examples of the whole gradient's L2 norm.
        norm: L2 norm of its mean gradient, unbiased; None where it is lost in noise.
    """

    index: int
    count: int
    examples: int
    mean_norm: float
    norm: float | None


class LearningPanel(Panel, tag="learning"):
    """Which layers an example or a class would change, which way classes pull, and how noisy gradients are.

    `count` is the number of examples in the sample. A few examples, those the model gets wrong, have nearly all of the
    gradient's length; so classes are compared by directions, every example's gradient scaled to length 1, and also as training
    adds them up, unscaled ("mean_" before the name). Arrays (arrays/learning.safetensors), examples by ascending row, classes
    and layers in the order of `classes` and `layers`: "rows" int64[example]; "places" int32[example], of the example's class in
    `classes`; "losses" float32[example]; "norms" float32[example layer], L2 norms of its gradient; "agreement"
    float32[example], cosine of its whole gradient with the mean direction of the others of its class; "class_norms"
    float32[class layer], of the mean gradient, unbiased, NaN where lost in noise; "class_mean_norms" float32[class layer],
    mean of the examples' norms; "cosine", "low", "high", "q" and "mean_cosine", "mean_low", "mean_high", "mean_q"
    float32[layer+1 class class], cosines of classes, their 95% interval, and the corrected p value that the inner product is
    0, the last layer being all of them together; "parts" float32[layer class class], what each layer adds to the inner product
    of the mean directions of the whole gradient; "different" float32[class class], corrected p value of the permutation test
    that the class makes no difference to the direction of the whole gradient; "means" float16[class kept], the sketches of the
    classes' mean directions of the whole gradient, layer after layer, each divided by its entry of "scales" float32[class
    layer].

    Attributes:
        loss: whose gradient it is, in words.
        noise: of all parameters together; None where there is no sample.
        covered: share of the examples with a target whose class is in the sample.
        seed: of the sketch.
        way, why: "vmap" or "loop", how the examples were taken, and why not with vmap.
        frozen: parameters that are not set to learn, and were left out.
        nonfinite: examples left out because a gradient was NaN or infinite.
        notes: in words.
        refusal: why there is nothing, in words; empty where there is something.
    """

    loss: str
    layers: list[LearningLayer]
    classes: list[LearningClass]
    noise: NoiseScale | None
    covered: float = 0.0
    seed: int = 0
    way: str = ""
    why: str = ""
    frozen: list[str] = field(default_factory=list)
    nonfinite: int = 0
    notes: list[str] = field(default_factory=list)
    refusal: str = ""


class LearningAnswer(msgspec.Struct, frozen=True):
    """Parameter gradients of chosen examples, computed now. Layers and classes are those of the panel, in its order.

    Tensors: "norms" float32[example layer]; "losses" float32[example]; "between" float32[example example], cosines of the
    whole gradients; "toward" float32[example class layer+1], cosines with the classes' mean directions in the sample (without the
    example itself, where it is in the sample), the last layer being all of them together.

    Attributes:
        rows: of the examples table, as asked.
        layers: their names.
        classes: their indices.
        way, why: as in the panel.
        partial: whether more examples are on the way.
    """

    rows: list[int]
    layers: list[str]
    classes: list[int]
    way: str
    why: str = ""
    partial: bool = False
