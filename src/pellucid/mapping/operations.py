"""What each operation does to the boxes of its inputs: a rule an operation; what has no rule is not followed."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TypeAlias

import numpy as np

from pellucid.graph.pixelwise import BY_VALUE
from pellucid.graph.settings import Settings, index_of
from pellucid.mapping import boxes as box
from pellucid.mapping.boxes import Boxes
from pellucid.mapping.sliding import convolution, interpolation, padding, pooling, transposed_convolution


@dataclass(frozen=True)
class Call:
    """One call of a graph with the boxes of its inputs.

    Attributes:
        operation: class of the module or name of the function; kind: which of the two.
        role: the part it plays.
        arguments: its settings as text.
        inputs, outputs: shapes of its tensors.
        given: boxes of each input tensor.
    """

    operation: str
    kind: str
    role: str
    arguments: Mapping[str, str]
    inputs: Sequence[tuple[int, ...]]
    outputs: Sequence[tuple[int, ...]]
    given: tuple[Boxes, ...]

    @cached_property
    def settings(self) -> Settings:
        """Its settings as values."""
        return Settings(self.arguments)


Followed: TypeAlias = "list[Boxes] | None"
Rule: TypeAlias = Callable[[Call], Followed]


def followed(call: Call) -> Followed:
    """Boxes of each output, or None where the operation has no rule or is called in a way that the rule does not know."""
    name = call.operation.strip("_") if call.kind == "function" else call.operation
    rule = _RULES.get(name) or (_by_value if name in BY_VALUE or call.role == "activation" else None)
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


def _reshape(call: Call) -> Followed:
    """The same values in the same order under another shape."""
    before, after = call.inputs[0], call.outputs[0]
    if math.prod(before) != math.prod(after) or len(call.outputs) != 1:
        return None
    boxes = call.given[0]
    if all(extent == 1 for extent in boxes.shape[1:]):
        return [boxes.reshape(4, *(1,) * len(after))]
    return [box.compact(box.full(boxes, before).reshape(4, *after))]


def _permute(call: Call) -> Followed:
    rank = len(call.inputs[0])
    order = call.settings.value("dims", "1")
    if not isinstance(order, tuple | list) or len(order) != rank:
        return None
    return [call.given[0].transpose(0, *(axis % rank + 1 for axis in order))]


def _transpose(call: Call) -> Followed:
    rank = len(call.inputs[0])
    pair = [call.settings.value(*names) for names in (("dim0", "axis0", "1"), ("dim1", "axis1", "2"))]
    if rank == 2 and call.operation.strip("_") == "t":
        pair = [0, 1]
    if not all(isinstance(axis, int) for axis in pair):
        return None
    return [call.given[0].swapaxes(pair[0] % rank + 1, pair[1] % rank + 1)]


def _expand(call: Call) -> Followed:
    rank = len(call.outputs[0])
    boxes = call.given[0]
    return [boxes.reshape(4, *(1,) * (rank - len(call.inputs[0])), *boxes.shape[1:])]


def _cat(call: Call) -> Followed:
    rank = len(call.outputs[0])
    axis = call.settings.whole("dim", "axis", "1", otherwise=0) % rank
    parts = [boxes for boxes, shape in zip(call.given, call.inputs, strict=True) if len(shape) == rank]
    shapes = [shape for shape in call.inputs if len(shape) == rank]
    if len(parts) != len(call.given):
        return None
    return [_chained(parts, [shape[axis] for shape in shapes], axis)]


def _stack(call: Call) -> Followed:
    rank = len(call.outputs[0])
    axis = call.settings.whole("dim", "1", otherwise=0) % rank
    return [_chained([np.expand_dims(boxes, axis + 1) for boxes in call.given], [1] * len(call.given), axis)]


def _chained(parts: Sequence[Boxes], extents: Sequence[int], axis: int) -> Boxes:
    others = [
        1 if place == axis else max(part.shape[place + 1] for part in parts) for place in range(parts[0].ndim - 1)
    ]
    full = [
        np.broadcast_to(part, (4, *others[:axis], extent, *others[axis + 1 :]))
        for part, extent in zip(parts, extents, strict=True)
    ]
    return box.compact(np.concatenate(full, axis=axis + 1))


def _split(call: Call) -> Followed:
    rank = len(call.inputs[0])
    axis = call.settings.whole("dim", otherwise=0) % rank
    boxes, start = call.given[0], 0
    made: list[Boxes] = []
    for shape in call.outputs:
        if boxes.shape[axis + 1] == 1:
            made.append(boxes)
        else:
            made.append(boxes.take(range(start, start + shape[axis]), axis=axis + 1))
        start += shape[axis]
    return made if start == call.inputs[0][axis] else None


def _unbind(call: Call) -> Followed:
    axis = call.settings.whole("dim", otherwise=0) % len(call.inputs[0])
    boxes = box.full(call.given[0], call.inputs[0])
    return [np.take(boxes, place, axis=axis + 1) for place in range(len(call.outputs))]


def _getitem(call: Call) -> Followed:
    index = index_of(call.arguments.get("1", "tensor"))
    if index is None or len(call.given) > 1:
        return None
    return [box.compact(box.full(call.given[0], call.inputs[0])[(slice(None), *index)])]


def _setitem(call: Call) -> Followed:
    """What is written may land anywhere."""
    written = [
        box.over(boxes, range(boxes.ndim - 1)).reshape(4, *(1,) * len(call.outputs[0])) for boxes in call.given[1:]
    ]
    return [box.joined([call.given[0], *written])]


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


def _made_new(call: Call) -> Followed:
    """Only the form of what is given is looked at."""
    return [box.nothing(len(shape)) for shape in call.outputs]


def _roll(call: Call) -> Followed:
    shifts, axes = call.settings.value("shifts"), call.settings.axes("dims", rank=len(call.inputs[0]))
    if shifts is None or axes is None or "dims" not in call.settings:
        return None
    shifts = [shifts] * len(axes) if isinstance(shifts, int) else list(shifts)
    boxes = box.full(call.given[0], call.inputs[0])
    return [box.compact(np.roll(boxes, shifts, [axis + 1 for axis in axes]))]


def _flip(call: Call) -> Followed:
    axes = call.settings.axes("dims", rank=len(call.inputs[0]))
    return None if axes is None else [np.flip(call.given[0], tuple(axis + 1 for axis in axes))]


def _sliding(rule: Callable[[Settings, Sequence[tuple[int, ...]], tuple[int, ...], Boxes], Boxes | None]) -> Rule:
    def apply(call: Call) -> Followed:
        if any((boxes[0] != box.NOTHING).any() for boxes in call.given[1:]):
            return None  # weights that depend on the input
        made = rule(call.settings, call.inputs, call.outputs[0], call.given[0])
        return None if made is None else [made] * len(call.outputs)

    return apply


_RULES: dict[str, Rule] = {
    **dict.fromkeys(["BatchNorm1d", "BatchNorm2d", "BatchNorm3d", "SyncBatchNorm", "batch_norm"], _batch_norm),
    **dict.fromkeys(["softmax", "log_softmax", "softmin", "Softmax", "LogSoftmax", "cumsum"], _over_axes("dim")),
    **dict.fromkeys(["mean", "sum", "amax", "amin", "var", "std", "logsumexp", "norm", "max", "min"], _reduction),
    **dict.fromkeys(["LayerNorm", "layer_norm", "RMSNorm", "rms_norm"], _layer_norm),
    **dict.fromkeys(["GroupNorm", "group_norm", "InstanceNorm2d", "instance_norm"], _over_example),
    **dict.fromkeys(["LocalResponseNorm", "local_response_norm", "channel_shuffle", "ChannelShuffle"], _over_channels),
    "LayerNorm2d": _over_channels,  # of torchvision and timm: a LayerNorm between two permutations
    "normalize": _over_axes("dim", front=1),
    **dict.fromkeys(["Linear", "linear", "NonDynamicallyQuantizableLinear", "LazyLinear"], _linear),
    **dict.fromkeys(["matmul", "bmm", "mm"], _matmul),
    "scaled_dot_product_attention": _attention,
    "MultiheadAttention": _multihead,
    **dict.fromkeys(
        [
            "reshape",
            "view",
            "flatten",
            "unflatten",
            "squeeze",
            "unsqueeze",
            "reshape_as",
            "view_as",
            "Flatten",
            "Unflatten",
        ],
        _reshape,
    ),
    "permute": _permute,
    **dict.fromkeys(["transpose", "swapaxes", "swapdims", "t"], _transpose),
    **dict.fromkeys(["expand", "expand_as"], _expand),
    **dict.fromkeys(["cat", "concat", "concatenate"], _cat),
    "stack": _stack,
    **dict.fromkeys(["chunk", "split", "tensor_split", "split_with_sizes"], _split),
    "unbind": _unbind,
    "getitem": _getitem,
    "setitem": _setitem,
    "einsum": _einsum,
    **dict.fromkeys(
        ["new_zeros", "new_ones", "new_full", "new_empty", "zeros_like", "ones_like", "full_like"], _made_new
    ),
    "roll": _roll,
    "flip": _flip,
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
