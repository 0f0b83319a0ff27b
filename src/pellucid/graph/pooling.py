"""What a pooling layer looks at and keeps, axis by axis."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Literal

from pellucid.graph.arguments import settings_of
from pellucid.record.schema import Pool

if TYPE_CHECKING:
    from torch import nn

Kind = Literal["max", "average", "lp"]

_KINDS: dict[str, Kind] = {"max": "max", "avg": "average", "lp": "lp"}
_FUNCTION = re.compile(r"(adaptive_)?(max|avg|lp)_pool([123])d(?:_with_indices)?")
_MODULE = re.compile(r"(Adaptive)?(Max|Avg|LP)Pool([123])d")


def pool_of_module(module: nn.Module, given: Sequence[int], made: Sequence[int]) -> Pool | None:
    """What a pooling module keeps of an input of shape `given` that became `made`; None where it is no pool.

    A pool whose windows are drawn at random (FractionalMaxPool) is none either: nobody knows what they leave out.
    """
    kind: type = type(module)
    words = _words(kind)
    if words is None:
        return None
    adaptive, name, axes = words
    return _pool(bool(adaptive), name.lower(), int(axes), settings_of(module), given, made)


@lru_cache(maxsize=4096)
def _words(kind: type) -> tuple[str | None, str, str] | None:
    """What the name of torch's class says of its pooling: "Adaptive", "Avg", "2"."""
    for base in kind.__mro__:
        match = _MODULE.fullmatch(base.__name__)
        if match is not None and base.__module__.startswith("torch."):
            adaptive, name, axes = match.groups()
            return adaptive, name, axes
    return None


def pool_of_function(name: str, settings: Mapping[str, Any], given: Sequence[int], made: Sequence[int]) -> Pool | None:
    """The same of a function by its plain name; a mean or maximum over all of an image's space is a pool as well."""
    match = _FUNCTION.fullmatch(name)
    if match is not None:
        adaptive, kind, axes = match.groups()
        return _pool(bool(adaptive), kind, int(axes), settings, given, made)
    if name in ("mean", "amax") and len(given) in (4, 5):
        axes = len(given) - 2
        space = list(given[2:])
        if list(made) in (list(given[:2]), [*given[:2], *(1 for _ in space)]):
            return _global("average" if name == "mean" else "max", space)
    return None


def _global(kind: Kind, space: list[int]) -> Pool | None:
    if not math.prod(space):
        return None
    return Pool(kind, window=space, stride=space, padding=[0] * len(space), kept=1 / math.prod(space), seen=1.0)


def _pool(
    adaptive: bool, kind: str, axes: int, settings: Mapping[str, Any], given: Sequence[int], made: Sequence[int]
) -> Pool | None:
    before, after = list(given[-axes:]), list(made[-axes:])
    if len(before) < axes or len(after) < axes or not math.prod(before) or not math.prod(after):
        return None
    kept = math.prod(after) / math.prod(before)
    if adaptive:
        windows = [
            max(-(-(place + 1) * n // m) - place * n // m for place in range(m))
            for n, m in zip(before, after, strict=True)
        ]
        strides = [max(1, n // m) for n, m in zip(before, after, strict=True)]
        return Pool(_KINDS[kind], windows, strides, [0] * axes, kept, 1.0)
    window = _each(settings.get("kernel_size"), axes)
    if window is None:
        return None
    stride = _each(settings.get("stride") or settings.get("kernel_size"), axes) or window
    padding = _each(settings.get("padding", 0), axes) or [0] * axes
    dilation = _each(settings.get("dilation", 1), axes) or [1] * axes
    seen = 1.0
    for axis in range(axes):
        reach = {
            place
            for start in range(after[axis])
            for step in range(window[axis])
            if 0 <= (place := start * stride[axis] - padding[axis] + step * dilation[axis]) < before[axis]
        }
        seen *= len(reach) / before[axis]
    return Pool(_KINDS[kind], window, stride, padding, kept, seen)


def _each(value: object, axes: int) -> list[int] | None:
    if isinstance(value, int):
        return [value] * axes
    if isinstance(value, tuple | list) and value and all(isinstance(one, int) for one in value):
        return list(value) * axes if len(value) == 1 else list(value[-axes:])
    return None
