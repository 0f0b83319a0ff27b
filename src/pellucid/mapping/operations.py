"""What each operation does to the boxes of its inputs: a rule an operation; what has no rule is not followed."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from pellucid.graph.pixelwise import BY_VALUE
from pellucid.graph.settings import Settings
from pellucid.mapping import boxes as box
from pellucid.mapping.boxes import Boxes
from pellucid.mapping.calls import Call, Followed, Rule
from pellucid.mapping.moving import MOVING
from pellucid.mapping.sliding import convolution, interpolation, padding, pooling, transposed_convolution


def followed(call: Call) -> Followed:
    """Boxes of each output, or None where the operation has no rule or is called in a way that the rule does not know."""
    name = call.operation
    rule = _RULES.get(name) or (_by_value if name in BY_VALUE or call.activation else None)
    if rule is None or not call.outputs or not call.given:
        return None
    made = rule(call)
    if made is None or len(made) != len(call.outputs):
        return None
    return made if all(map(box.fits, made, call.outputs)) else None


def _by_value(call: Call) -> Followed:
    return [box.joined(call.given)] * len(call.outputs)


def _batch_norm(call: Call) -> Followed:
    """In evaluation a scale for each channel; with the batch's own moments it looks at all of it."""
    if call.settings.word("track_running_stats") == "False" or call.settings.word("training") == "True":
        return [box.over(call.given[0], range(len(call.inputs[0])))]
    return [call.given[0]]


def _over_axes(*names: str, front: int | None = None) -> Rule:
    """A rule for what makes every value of all along some axes, and keeps them (softmax)."""

    def rule(call: Call) -> Followed:
        rank = len(call.inputs[0])
        axes = call.settings.axes(*names, rank=rank) if any(name in call.settings for name in names) else None
        if axes is None and front is not None and not any(name in call.settings for name in names):
            axes = [front % rank]
        return None if axes is None else [box.over(call.given[0], axes)]

    return rule


def _cumulative(call: Call) -> Followed:
    """Every value of all before it along an axis."""
    axis = call.settings.value("dim")
    if not isinstance(axis, int):
        return None
    return [np.minimum.accumulate(call.given[0], axis=axis % len(call.inputs[0]) + 1)]


def _reduction(call: Call) -> Followed:
    """A mean, sum or extreme over some axes."""
    rank = len(call.inputs[0])
    axes = call.settings.axes("dim", "axis", "1", rank=rank)
    if axes is None or len(call.given) > 1:
        return None
    made = box.over(call.given[0], axes)
    if len(call.outputs[0]) != rank:
        made = made.reshape(4, *(extent for axis, extent in enumerate(made.shape[1:]) if axis not in axes))
    return [made] * len(call.outputs)


def _layer_norm(call: Call) -> Followed:
    normalized = call.settings.value("normalized_shape")
    count = 1 if isinstance(normalized, int) else len(normalized) if isinstance(normalized, tuple | list) else 0
    return [box.over(call.given[0], range(-count, 0))] if count else None


def _over_example(call: Call) -> Followed:
    """Moments over channels and space: every value depends on all of its example."""
    return [box.over(call.given[0], range(1, len(call.inputs[0])))]


def _over_channels(call: Call) -> Followed:
    return [box.over(call.given[0], [1])]


def _linear(call: Call) -> Followed:
    if any((boxes[0] != box.NOTHING).any() for boxes in call.given[1:]):
        return None  # weights that depend on the input
    return [box.over(call.given[0], [-1])]


def _matmul(call: Call) -> Followed:
    if len(call.inputs) != 2 or min(map(len, call.inputs)) < 2:
        return None
    first, second = call.given
    return [box.joined([box.over(first, [-1]), box.over(second, [-2])])]


def _attention(call: Call) -> Followed:
    """Every query depends on itself and, through their weights, on all keys and values."""
    if len(call.given) < 3 or call.settings.word("is_causal") == "True":
        return None
    queries, keys, values = call.given[:3]
    return [box.joined([box.over(queries, [-1]), box.over(keys, [-2, -1]), box.over(values, [-2, -1])])]


def _multihead(call: Call) -> Followed:
    if len(call.given) < 3 or len(call.inputs[0]) != 3:
        return None
    queries, keys, values = call.given[:3]
    along = 1 if call.settings.word("batch_first") == "True" else 0
    mixed = box.joined([box.over(queries, [2]), box.over(keys, [along, 2]), box.over(values, [along, 2])])
    weights = [box.over(mixed, [1, 2]).reshape(4, *(1,) * len(shape)) for shape in call.outputs[1:]]
    return [mixed, *weights]


def _einsum(call: Call) -> Followed:
    """Summed axes are seen whole, the others stay."""
    equation = call.settings.word("0").replace(" ", "")
    given, arrow, kept = equation.partition("->")
    letters = given.split(",")
    if not arrow or "." in equation or [len(part) for part in letters] != [len(shape) for shape in call.inputs]:
        return None
    if any(len(set(part)) != len(part) for part in [*letters, kept]):
        return None
    parts = []
    for boxes, axes in zip(call.given, letters, strict=True):
        seen = box.over(boxes, [place for place, letter in enumerate(axes) if letter not in kept])
        seen = seen.reshape(4, *(extent for extent, letter in zip(seen.shape[1:], axes, strict=True) if letter in kept))
        named = [letter for letter in axes if letter in kept]
        seen = seen.transpose(0, *(named.index(letter) + 1 for letter in kept if letter in named))
        missing = tuple(place + 1 for place, letter in enumerate(kept) if letter not in named)
        parts.append(np.expand_dims(seen, missing))
    return [box.joined(parts)]


def _glu(call: Call) -> Followed:
    """One half of an axis, each value gated by that of the other."""
    rank = len(call.inputs[0])
    axis = call.settings.whole("dim", otherwise=-1) % rank + 1
    boxes = call.given[0]
    return [boxes if boxes.shape[axis] == 1 else box.joined(np.split(boxes, 2, axis=axis))]


def _made_new(call: Call) -> Followed:
    """Only the form of what is given is looked at."""
    return [box.nothing(len(shape)) for shape in call.outputs]


def _sliding(rule: Callable[[Settings, Sequence[tuple[int, ...]], tuple[int, ...], Boxes], Boxes | None]) -> Rule:
    def apply(call: Call) -> Followed:
        if any((boxes[0] != box.NOTHING).any() for boxes in call.given[1:]):
            return None  # weights that depend on the input
        made = rule(call.settings, call.inputs, call.outputs[0], call.given[0])
        return None if made is None else [made] * len(call.outputs)

    return apply


_RULES: dict[str, Rule] = {
    **dict.fromkeys(["BatchNorm1d", "BatchNorm2d", "BatchNorm3d", "SyncBatchNorm", "batch_norm"], _batch_norm),
    **dict.fromkeys(["softmax", "log_softmax", "softmin", "Softmax", "LogSoftmax"], _over_axes("dim")),
    **dict.fromkeys(["mean", "sum", "amax", "amin", "var", "std", "logsumexp", "norm", "max", "min"], _reduction),
    **dict.fromkeys(["LayerNorm", "layer_norm", "RMSNorm", "rms_norm"], _layer_norm),
    **dict.fromkeys(["GroupNorm", "group_norm", "InstanceNorm2d", "instance_norm"], _over_example),
    **dict.fromkeys(["LocalResponseNorm", "local_response_norm"], _over_channels),
    "Sequential": _by_value,  # one that holds nothing
    **dict.fromkeys(["cumsum", "cumprod", "logcumsumexp"], _cumulative),
    "normalize": _over_axes("dim", front=1),
    **dict.fromkeys(["Linear", "linear", "NonDynamicallyQuantizableLinear", "LazyLinear"], _linear),
    **dict.fromkeys(["matmul", "bmm", "mm"], _matmul),
    "scaled_dot_product_attention": _attention,
    "MultiheadAttention": _multihead,
    **MOVING,
    **dict.fromkeys(["glu", "GLU"], _glu),
    "einsum": _einsum,
    **dict.fromkeys(
        [
            *("new_zeros", "new_ones", "new_full", "new_empty"),
            *("zeros_like", "ones_like", "full_like", "empty_like", "rand_like", "randn_like"),
        ],
        _made_new,
    ),
    **{f"Conv{axes}d": _sliding(convolution) for axes in (1, 2, 3)},
    **{f"conv{axes}d": _sliding(convolution) for axes in (1, 2, 3)},
    **{f"ConvTranspose{axes}d": _sliding(transposed_convolution) for axes in (1, 2, 3)},
    **{f"conv_transpose{axes}d": _sliding(transposed_convolution) for axes in (1, 2, 3)},
    **{
        f"{start}{kind}{end}{axes}d": _sliding(pooling(start != ""))
        for axes in (1, 2, 3)
        for start, kinds, end in (
            ("", ("Max", "Avg", "LP"), "Pool"),
            ("Adaptive", ("Max", "Avg"), "Pool"),
            ("", ("max", "avg", "lp"), "_pool"),
            ("adaptive_", ("max", "avg"), "_pool"),
        )
        for kind in kinds
    },
    "max_pool2d_with_indices": _sliding(pooling(False)),
    **dict.fromkeys(
        ["interpolate", "Upsample", "UpsamplingNearest2d", "UpsamplingBilinear2d"], _sliding(interpolation)
    ),
    **{
        f"{name}Pad{axes}d": _sliding(padding(mode))
        for axes in (1, 2, 3)
        for name, mode in (
            ("Zero", "constant"),
            ("Constant", "constant"),
            ("Reflection", "reflect"),
            ("Replication", "replicate"),
            ("Circular", "circular"),
        )
    },
    "pad": _sliding(padding("constant")),
}
