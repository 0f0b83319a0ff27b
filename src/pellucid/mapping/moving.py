"""Operations that put values elsewhere and compute none: what they make of the boxes."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from pellucid.graph.settings import index_of
from pellucid.mapping import boxes as box
from pellucid.mapping import windows
from pellucid.mapping.boxes import Boxes
from pellucid.mapping.calls import Call, Followed, Rule


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
    if rank == 2 and call.operation == "t":
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
    """What is written takes the place of what stood there."""
    index = index_of(call.arguments.get("1", "tensor"))
    if index is None or len(call.given) > 2 or len(call.outputs) != 1:
        return None
    boxes = box.full(call.given[0], call.inputs[0]).copy()
    region = boxes[(slice(None), *index)]
    written = call.given[1] if len(call.given) == 2 else box.nothing(0)
    if written.ndim > region.ndim:
        return None
    region[...] = written.reshape(4, *(1,) * (region.ndim - written.ndim), *written.shape[1:])
    return [box.compact(boxes)]


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


def _movedim(call: Call) -> Followed:
    rank = len(call.inputs[0])
    ends = [call.settings.value(name) for name in ("source", "destination")]
    places = [[end] if isinstance(end, int) else list(end or ()) for end in ends]
    if not places[0] or len(places[0]) != len(places[1]):
        return None
    return [np.moveaxis(call.given[0], *([axis % rank + 1 for axis in axes] for axes in places))]


def _narrow(call: Call) -> Followed:
    axis, start, length = (call.settings.value(name) for name in ("dim", "start", "length"))
    if not all(isinstance(one, int) for one in (axis, start, length)):
        return None
    rank = len(call.inputs[0])
    boxes = box.full(call.given[0], call.inputs[0])
    start %= call.inputs[0][axis % rank]
    return [box.compact(boxes.take(range(start, start + length), axis=axis % rank + 1))]


def _select(call: Call) -> Followed:
    axis, index = (call.settings.value(name) for name in ("dim", "index"))
    if not isinstance(axis, int) or not isinstance(index, int):
        return None
    axis = axis % len(call.inputs[0]) + 1
    return [box.full(call.given[0], call.inputs[0]).take([index], axis=axis).squeeze(axis)]


def _repeat(call: Call) -> Followed:
    rank = len(call.inputs[0])
    times = call.settings.value("repeats", "dims", "1")
    times = [times] if isinstance(times, int) else list(times or ())
    more = len(call.outputs[0]) - rank
    if not times or len(times) > rank + more:
        return None
    times = [1] * (rank + more - len(times)) + times
    boxes = box.full(call.given[0], call.inputs[0]).reshape(4, *(1,) * more, *call.inputs[0])
    return [box.compact(np.tile(boxes, (1, *times)))]


def _repeat_interleave(call: Call) -> Followed:
    times, axis = (call.settings.value(name) for name in ("repeats", "dim"))
    if not isinstance(times, int) or not isinstance(axis, int):
        return None
    rank = len(call.inputs[0])
    return [box.compact(box.full(call.given[0], call.inputs[0]).repeat(times, axis=axis % rank + 1))]


def _pixel_shuffle(call: Call) -> Followed:
    """Channels become pixels."""
    factor = call.settings.whole("upscale_factor", otherwise=0)
    if factor < 1:
        return None
    *first, channels, height, width = call.inputs[0]
    boxes = box.full(call.given[0], call.inputs[0])
    apart = boxes.reshape(4, *first, channels // factor**2, factor, factor, height, width)
    moved = np.moveaxis(apart, (-4, -3), (-3, -1))
    return [moved.reshape(4, *call.outputs[0])]


def _pixel_unshuffle(call: Call) -> Followed:
    """Pixels become channels."""
    factor = call.settings.whole("downscale_factor", otherwise=0)
    if factor < 1:
        return None
    *first, channels, height, width = call.inputs[0]
    boxes = box.full(call.given[0], call.inputs[0])
    apart = boxes.reshape(4, *first, channels, height // factor, factor, width // factor, factor)
    moved = np.moveaxis(apart, (-3, -1), (-4, -3))
    return [moved.reshape(4, *call.outputs[0])]


def _channel_shuffle(call: Call) -> Followed:
    groups = call.settings.whole("groups", otherwise=0)
    batch, channels, *space = call.inputs[0]
    if groups < 1 or channels % groups:
        return None
    apart = box.full(call.given[0], call.inputs[0]).reshape(4, batch, groups, channels // groups, *space)
    return [box.compact(apart.swapaxes(2, 3).reshape(4, *call.outputs[0]))]


def _unfold(call: Call) -> Followed:
    """Windows as columns (of a module or function), or along one axis (of a tensor)."""
    if "dimension" in call.settings:
        axis, size, step = (call.settings.value(name) for name in ("dimension", "size", "step"))
        axis %= len(call.inputs[0])
        places = np.arange(call.outputs[0][axis])[:, None] * step + np.arange(size)[None, :]
        seen = box.full(call.given[0], call.inputs[0]).take(places.ravel(), axis=axis + 1)
        seen = seen.reshape(*seen.shape[: axis + 1], *places.shape, *seen.shape[axis + 2 :])
        return [np.moveaxis(seen, axis + 2, -1)]
    if "kernel_size" not in call.settings or len(call.inputs[0]) != 4:
        return None
    (kernel, stride, dilation, padding) = (
        call.settings.each(2, name, otherwise=otherwise)
        for name, otherwise in (("kernel_size", 1), ("stride", 1), ("dilation", 1), ("padding", 0))
    )
    boxes = box.full(call.given[0], call.inputs[0])
    for axis in (0, 1):
        # Rows, then columns: each becomes two axes, its place in the window and the window.
        given, at = call.inputs[0][2 + axis], 3 + 2 * axis
        made = (given + 2 * padding[axis] - dilation[axis] * (kernel[axis] - 1) - 1) // stride[axis] + 1
        looked = windows.sliding(given, made, kernel[axis], stride[axis], padding[axis], dilation[axis]).T
        seen = box.within(boxes, at - 1, looked.reshape(-1, 1))
        boxes = seen.reshape(*seen.shape[:at], *looked.shape, *seen.shape[at + 1 :])
    batch, channels = call.inputs[0][:2]
    columns = boxes.reshape(4, batch, channels, kernel[0], -1, kernel[1], boxes.shape[-1]).swapaxes(4, 5)
    return [columns.reshape(4, *call.outputs[0])]


def _fold(call: Call) -> Followed:
    """Columns as windows, summed where they overlap."""
    size = call.settings.each(2, "output_size", otherwise=0)
    kernel, stride, dilation, padding = (
        call.settings.each(2, name, otherwise=otherwise)
        for name, otherwise in (("kernel_size", 0), ("stride", 1), ("dilation", 1), ("padding", 0))
    )
    if len(call.inputs[0]) != 3 or 0 in kernel:
        return None
    rows, columns = (
        (size[axis] + 2 * padding[axis] - dilation[axis] * (kernel[axis] - 1) - 1) // stride[axis] + 1
        for axis in (0, 1)
    )
    batch, channels = call.outputs[0][:2]
    given = box.full(call.given[0], call.inputs[0]).reshape(4, batch, channels, *kernel, rows, columns)
    whole = np.full((4, batch, channels, *(size[axis] + 2 * padding[axis] for axis in (0, 1))), box.NOTHING)
    for down in range(kernel[0]):
        for right in range(kernel[1]):
            top, left = down * dilation[0], right * dilation[1]
            part = whole[..., top : top + rows * stride[0] : stride[0], left : left + columns * stride[1] : stride[1]]
            np.minimum(part[..., :rows, :columns], given[:, :, :, down, right], out=part[..., :rows, :columns])
    return [whole[..., padding[0] : padding[0] + size[0], padding[1] : padding[1] + size[1]]]


MOVING: dict[str, Rule] = {
    **dict.fromkeys(
        ["reshape", "view", "flatten", "unflatten", "squeeze", "unsqueeze", "reshape_as", "view_as", "Flatten", "Unflatten"],
        _reshape,
    ),
    "permute": _permute,
    **dict.fromkeys(["transpose", "swapaxes", "swapdims", "t"], _transpose),
    **dict.fromkeys(["movedim", "moveaxis"], _movedim),
    **dict.fromkeys(["expand", "expand_as", "broadcast_to"], _expand),
    **dict.fromkeys(["repeat", "tile"], _repeat),
    "repeat_interleave": _repeat_interleave,
    **dict.fromkeys(["cat", "concat", "concatenate"], _cat),
    "stack": _stack,
    **dict.fromkeys(["chunk", "split", "tensor_split", "split_with_sizes"], _split),
    "unbind": _unbind,
    "narrow": _narrow,
    "select": _select,
    "getitem": _getitem,
    "setitem": _setitem,
    "roll": _roll,
    "flip": _flip,
    **dict.fromkeys(["pixel_shuffle", "PixelShuffle"], _pixel_shuffle),
    **dict.fromkeys(["pixel_unshuffle", "PixelUnshuffle"], _pixel_unshuffle),
    **dict.fromkeys(["channel_shuffle", "ChannelShuffle"], _channel_shuffle),
    **dict.fromkeys(["unfold", "Unfold"], _unfold),
    **dict.fromkeys(["fold", "Fold"], _fold),
}  # fmt: skip
