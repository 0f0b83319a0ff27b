"""What common operators return, by shape alone, where torch's own kernels without values are slow.

Those are decompositions in Python for the operators that networks are full of: up to a millisecond each. A rule here takes the
plain case and leaves the rest, errors among it, to torch.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

META = torch.device("meta")
_aten = torch.ops.aten

_UNARY = (
    "relu", "gelu", "silu", "sigmoid", "tanh", "hardswish", "hardsigmoid", "hardtanh", "leaky_relu", "elu", "softplus",
    "mish", "exp", "log", "sqrt", "rsqrt", "sin", "cos", "erf", "neg", "abs", "clamp", "clamp_min", "pow.Tensor_Scalar",
    "square", "reciprocal",
)  # fmt: skip
_IN_PLACE = (
    "relu",
    "gelu",
    "silu",
    "sigmoid",
    "tanh",
    "hardswish",
    "hardsigmoid",
    "hardtanh",
    "leaky_relu",
    "elu",
    "mish",
)
_BINARY = ("add.Tensor", "sub.Tensor", "mul.Tensor", "div.Tensor")

_CHANNELS_LAST = {4: torch.channels_last, 5: torch.channels_last_3d}


def shortcut(operator: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """What the operator returns on tensors of the meta device; NotImplemented where no rule is sure of it."""
    rule = _RULES.get(operator)
    if rule is None or kwargs.keys() - {"alpha", "approximate", "offs"}:
        return NotImplemented
    try:
        return rule(*args)
    except (TypeError, AttributeError, IndexError):  # called in a way that the rule does not know
        return NotImplemented


def _like(tensor: Tensor) -> Any:
    """A tensor of its shape, type and order of axes; NotImplemented where it has gaps or overlaps."""
    if tensor.layout is not torch.strided or tensor.is_quantized:
        return NotImplemented
    if not tensor.is_contiguous():
        order = _CHANNELS_LAST.get(tensor.ndim)
        if order is None or not tensor.is_contiguous(memory_format=order):
            return NotImplemented
    return torch.empty_strided(tensor.size(), tensor.stride(), dtype=tensor.dtype, device=META)


def _unary(tensor: Tensor, *settings: Any) -> Any:
    if not tensor.is_floating_point() or any(isinstance(setting, Tensor | complex) for setting in settings):
        return NotImplemented
    return _like(tensor)


def _binary(left: Any, right: Any) -> Any:
    if isinstance(right, int | float):
        return _unary(left)
    if left.dtype != right.dtype or not left.is_floating_point():
        return NotImplemented
    if left.shape == right.shape:
        return _like(left) if left.stride() == right.stride() else NotImplemented
    large, small = (left, right) if left.numel() >= right.numel() else (right, left)
    if small.ndim > large.ndim or not (large.is_contiguous() and small.is_contiguous()) or not small.ndim:
        return NotImplemented
    axes = zip(reversed(small.shape), reversed(large.shape), strict=False)
    return _like(large) if all(width in (1, wanted) for width, wanted in axes) else NotImplemented


def _unary_in_place(tensor: Tensor, *settings: Any) -> Any:
    return (
        tensor
        if tensor.is_floating_point() and not any(isinstance(one, Tensor) for one in settings)
        else NotImplemented
    )


def _binary_in_place(left: Tensor, right: Any) -> Any:
    result = _binary(left, right)
    return left if result is not NotImplemented and result.shape == left.shape else NotImplemented


def _convolution(
    inputs: Tensor, weight: Tensor, bias: Tensor | None, stride: list[int], padding: list[int], dilation: list[int],
    transposed: bool, _: list[int], groups: int,
) -> Any:  # fmt: skip
    axes = weight.ndim - 2
    if transposed or inputs.ndim != weight.ndim:
        return NotImplemented
    if inputs.shape[1] != weight.shape[1] * groups or weight.shape[0] % groups or not weight.numel():
        return NotImplemented
    if bias is not None and tuple(bias.shape) != tuple(weight.shape[:1]):
        return NotImplemented
    every = [list(one) * axes if len(one) == 1 else one for one in (stride, padding, dilation)]
    space = [
        (width + 2 * pad - gap * (window - 1) - 1) // step + 1
        for width, window, step, pad, gap in zip(inputs.shape[2:], weight.shape[2:], *every, strict=True)
    ]
    if min(space) <= 0:
        return NotImplemented
    result = _contiguous(inputs, inputs.shape[0], weight.shape[0], *space)
    if _is_channels_last(inputs) or _is_channels_last(weight):
        return torch.empty_like(result, memory_format=_CHANNELS_LAST[inputs.ndim])
    return result


def _is_channels_last(tensor: Tensor) -> bool:
    order = _CHANNELS_LAST.get(tensor.ndim)
    if order is None or tensor.is_contiguous() or not tensor.is_contiguous(memory_format=order):
        return False
    # Kernels go by the strides alone: a batch of one whose stride is smaller than an image does not count for them.
    return tensor.stride(0) >= math.prod(tensor.shape[1:])


def _contiguous(like: Tensor, *shape: int) -> Tensor:
    return torch.empty(shape, dtype=like.dtype, device=META)


def _addmm(bias: Tensor, left: Tensor, right: Tensor) -> Any:
    fits = left.ndim == right.ndim == 2 and left.shape[1] == right.shape[0] and bias.shape == right.shape[1:]
    return _contiguous(left, left.shape[0], right.shape[1]) if fits else NotImplemented


def _grouped_mm(left: Tensor, right: Tensor, *settings: object) -> Any:
    """Rows shared out among matrices, in single precision, which torch's kernel without values alone refuses."""
    if left.dtype != torch.float32 or right.dtype != torch.float32 or (left.ndim, right.ndim) != (2, 3):
        return NotImplemented
    aligned = all(width % 4 == 0 for width in right.shape[1:]) and all(one is None for one in settings[1:])
    fits = left.shape[1] == right.shape[1] and aligned
    return _contiguous(left, left.shape[0], right.shape[2]) if fits else NotImplemented


def _batch_norm(
    inputs: Tensor, weight: Tensor | None, bias: Tensor | None, mean: Tensor | None, variance: Tensor | None,
    training: bool, *_: object,
) -> Any:  # fmt: skip
    channels = inputs.shape[1:2]
    if (
        training
        or mean is None
        or any(part is not None and part.shape != channels for part in (weight, bias, mean, variance))
    ):
        return NotImplemented
    # Kernels with values keep the order of axes of channels-last images, and of nothing else.
    result = _contiguous(inputs, *inputs.shape)
    if _is_channels_last(inputs):
        result = torch.empty_like(result, memory_format=_CHANNELS_LAST[inputs.ndim])
    return result, _contiguous(mean, 0), _contiguous(mean, 0)


def _layer_norm(inputs: Tensor, shape: list[int], weight: Tensor | None, bias: Tensor | None, *_: object) -> Any:
    outer = inputs.ndim - len(shape)
    own = tuple(shape)
    if tuple(inputs.shape[outer:]) != own:
        return NotImplemented
    if any(part is not None and tuple(part.shape) != own for part in (weight, bias)):
        return NotImplemented
    statistic = (*inputs.shape[:outer], *(1 for _ in shape))
    # Whatever the order of the input's axes, kernels with values answer in the plain one.
    return _contiguous(inputs, *inputs.shape), _contiguous(inputs, *statistic), _contiguous(inputs, *statistic)


def _group_norm(
    inputs: Tensor,
    weight: Tensor | None,
    bias: Tensor | None,
    batch: int,
    channels: int,
    _: int,
    groups: int,
    *__: object,
) -> Any:
    if any(part is not None and tuple(part.shape) != (channels,) for part in (weight, bias)):
        return NotImplemented
    result = _like(inputs)
    if result is NotImplemented:
        return result
    return result, _contiguous(inputs, batch, groups), _contiguous(inputs, batch, groups)


def _mean(inputs: Tensor, axes: list[int] | None, keep: bool = False) -> Any:
    if not axes or not inputs.is_floating_point() or not inputs.is_contiguous():
        return NotImplemented
    gone = {axis % inputs.ndim for axis in axes}
    if len(gone) != len(axes) or any(not -inputs.ndim <= axis < inputs.ndim for axis in axes):
        return NotImplemented
    kept = [1 if axis in gone else width for axis, width in enumerate(inputs.shape) if keep or axis not in gone]
    return _contiguous(inputs, *kept)


def _overload(name: str) -> Any:
    packet, _, overload = name.partition(".")
    return getattr(getattr(_aten, packet), overload or "default")


_RULES: dict[Any, Callable[..., Any]] = {
    **{_overload(name): _unary for name in _UNARY},
    **{_overload(name): _binary for name in _BINARY},
    **{_overload(name + "_"): _unary_in_place for name in _IN_PLACE},
    **{_overload(name.replace(".", "_.")): _binary_in_place for name in _BINARY},
    _aten.convolution.default: _convolution,
    _aten.addmm.default: _addmm,
    _aten.native_batch_norm.default: _batch_norm,
    _aten.native_layer_norm.default: _layer_norm,
    _aten.native_group_norm.default: _group_norm,
    _aten.mean.dim: _mean,
    **({_aten._grouped_mm.default: _grouped_mm} if hasattr(_aten, "_grouped_mm") else {}),
}
