"""Convolutions, pooling, padding and interpolation: what their windows make of the boxes they slide over."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from pellucid.graph.settings import Settings
from pellucid.mapping import boxes as box
from pellucid.mapping import windows
from pellucid.mapping.boxes import Boxes

Shape = tuple[int, ...]
Sliding = Callable[[Settings, Sequence[Shape], Shape, Boxes], Boxes | None]


def convolution(settings: Settings, inputs: Sequence[Shape], made: Shape, boxes: Boxes) -> Boxes | None:
    """A convolution; a module says its kernel, of a function it is the weight's shape."""
    window = _window(settings, inputs, made)
    if window is None:
        return None
    kernel, stride, before, dilation = window
    if settings.word("padding") == "same":
        before = [windows.total_same_padding(*pair) for pair in zip(kernel, dilation, strict=True)]
    mode = settings.word("padding_mode", "zeros")
    found = box.over_channels(boxes, settings.whole("groups", otherwise=1), made[1])
    for axis in range(len(kernel)):
        looked = windows.sliding(
            inputs[0][2 + axis], made[2 + axis], kernel[axis], stride[axis], before[axis], dilation[axis], mode
        )
        found = box.within(found, 2 + axis, looked)
    return found


def transposed_convolution(settings: Settings, inputs: Sequence[Shape], made: Shape, boxes: Boxes) -> Boxes | None:
    """A transposed convolution."""
    window = _window(settings, inputs, made)
    if window is None:
        return None
    kernel, stride, before, dilation = window
    found = box.over_channels(boxes, settings.whole("groups", otherwise=1), made[1])
    for axis in range(len(kernel)):
        looked = windows.transposed(
            inputs[0][2 + axis], made[2 + axis], kernel[axis], stride[axis], before[axis], dilation[axis]
        )
        found = box.within(found, 2 + axis, looked)
    return found


def pooling(adaptive: bool) -> Sliding:
    """A pooling, by windows or adaptive."""

    def pooled(settings: Settings, inputs: Sequence[Shape], made: Shape, boxes: Boxes) -> Boxes | None:
        axes = len(made) - 2
        if len(inputs[0]) != len(made) or axes < 1:
            return None
        if not adaptive and "kernel_size" not in settings:
            return None
        kernel = settings.each(axes, "kernel_size", otherwise=1)
        stride = (
            kernel
            if settings.word("stride", "None") in ("None", "()", "[]")
            else settings.each(axes, "stride", otherwise=1)
        )
        before, dilation = (
            settings.each(axes, *pair, otherwise=value) for pair, value in ((("padding",), 0), (("dilation",), 1))
        )
        for axis in range(axes):
            given, out = inputs[0][2 + axis], made[2 + axis]
            looked = (
                windows.adaptive(given, out)
                if adaptive
                else windows.sliding(given, out, kernel[axis], stride[axis], before[axis], dilation[axis])
            )
            boxes = box.within(boxes, 2 + axis, looked)
        return boxes

    return pooled


def interpolation(settings: Settings, inputs: Sequence[Shape], made: Shape, boxes: Boxes) -> Boxes | None:
    """A change of size; without a rule where it smooths first (antialias) or in a mode that is not known here."""
    axes = len(made) - 2
    if len(inputs[0]) != len(made) or axes < 1 or settings.word("antialias") == "True":
        return None
    factor = settings.value("scale_factor")
    kept = settings.word("recompute_scale_factor") != "True" and factor is not None
    factors = list(factor) if isinstance(factor, tuple | list) else [factor] * axes
    for axis in range(axes):
        scale = float(factors[axis]) if kept else None
        looked = windows.resampled(
            inputs[0][2 + axis],
            made[2 + axis],
            scale,
            settings.word("mode", "nearest"),
            settings.word("align_corners") == "True",
        )
        if looked is None:
            return None
        boxes = box.within(boxes, 2 + axis, looked)
    return boxes


def padding(usual: str) -> Sliding:
    """What is put around a tensor, last axis first as in torch; a constant depends on nothing."""

    def padded(settings: Settings, inputs: Sequence[Shape], made: Shape, boxes: Boxes) -> Boxes | None:
        rank = len(made)
        amounts = settings.value("pad", "padding")
        if isinstance(amounts, int):
            amounts = (amounts,) * 2 * (rank - 2)
        if not isinstance(amounts, tuple | list) or len(amounts) % 2 or len(amounts) > 2 * rank:
            return None
        mode = settings.word("mode", usual)
        for place in range(len(amounts) // 2):
            axis, before = rank - 1 - place, int(amounts[2 * place])
            if not before and made[axis] == inputs[0][axis]:
                continue
            if boxes.shape[axis + 1] != inputs[0][axis]:
                boxes = boxes.repeat(inputs[0][axis], axis=axis + 1)
            looked = windows.sliding(inputs[0][axis], made[axis], 1, 1, before, 1, mode)
            boxes = box.within(boxes, axis, looked)
        return boxes

    return padded


def _window(settings: Settings, inputs: Sequence[Shape], made: Shape) -> tuple[list[int], ...] | None:
    """Kernel, stride, padding and dilation of a convolution, of each axis; None where they are not told."""
    axes = len(made) - 2
    if len(inputs[0]) != len(made) or axes < 1:
        return None
    weight = inputs[1] if len(inputs) > 1 else ()
    if "kernel_size" in settings:
        kernel = settings.each(axes, "kernel_size", otherwise=1)
    elif len(weight) == axes + 2:
        kernel = list(weight[2:])
    else:
        return None
    stride, dilation = (settings.each(axes, name, otherwise=1) for name in ("stride", "dilation"))
    return kernel, stride, settings.each(axes, "padding", otherwise=0), dilation
