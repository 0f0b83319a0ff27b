"""Floating-point operations of matrix products and convolutions, multiply-adds counted twice."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import torch
from torch.utils.flop_counter import flop_registry

_aten = torch.ops.aten


def count(operator: torch._ops.OpOverload, args: tuple[Any, ...], kwargs: dict[str, Any], result: Any) -> int | None:
    """Operations of one call of an aten operator; None where it is neither a product nor a convolution."""
    packet = operator._overloadpacket
    ours = _FORMULAS.get(packet)
    if ours is not None:
        return ours(*args)
    if packet is _aten.convolution:
        return _convolution(*args, result=result)
    formula = flop_registry.get(packet)
    if formula is None:
        return None
    try:
        return int(formula(*args, **kwargs, out_val=result))
    except (AssertionError, TypeError, ValueError, IndexError):
        # torch's formulas refuse some shapes that its operators take: not counted rather than wrong.
        return None


def _attention(query: torch.Tensor, key: torch.Tensor, value: torch.Tensor, *_: object) -> int:
    *outer, queries, width = query.shape  # (..., head, query, channel)
    keys = key.shape[-2]
    return 2 * math.prod(outer) * queries * keys * (width + value.shape[-1])


def _rnn_mkldnn(inputs: torch.Tensor, weight_input: torch.Tensor, weight_hidden: torch.Tensor, *_: object) -> int:
    steps = inputs.numel() // inputs.shape[-1]
    return 2 * steps * (weight_input.numel() + weight_hidden.numel())


def _rnn_cudnn(inputs: torch.Tensor, weights: list[torch.Tensor], *_: object) -> int:
    steps = inputs.numel() // inputs.shape[-1]
    return 2 * steps * sum(weight.numel() for weight in weights if weight.ndim == 2)


def _product(left: torch.Tensor, right: torch.Tensor, *_: object) -> int:
    return 2 * left.numel() * right.shape[-1]


def _product_and_sum(_bias: torch.Tensor, left: torch.Tensor, right: torch.Tensor, *_: object) -> int:
    return 2 * left.numel() * right.shape[-1]


def _convolution(inputs: torch.Tensor, weight: torch.Tensor, *settings: object, result: torch.Tensor) -> int:
    # Every position of the output meets the whole kernel; of a transposed one, every position of the input.
    met = inputs if settings[4] else result
    space = weight.ndim - 2
    outer = math.prod(met.shape[: met.ndim - space - 1])
    return 2 * outer * math.prod(met.shape[met.ndim - space :]) * weight.numel()


def _product_with_vector(matrix: torch.Tensor, *_: object) -> int:
    return 2 * matrix.numel()


def _addmv(_bias: torch.Tensor, matrix: torch.Tensor, *_: object) -> int:
    return 2 * matrix.numel()


# What torch's registry lacks (attention and recurrent layers on the CPU, cuDNN's, products with vectors), and what nearly all
# operators that count are, for the registry's own formulas take longer than the shapes they are about.
_FORMULAS: dict[Any, Callable[..., int]] = {
    _aten._scaled_dot_product_flash_attention_for_cpu: _attention,
    _aten.mkldnn_rnn_layer: _rnn_mkldnn,
    _aten._cudnn_rnn: _rnn_cudnn,
    _aten.mm: _product,
    _aten.bmm: _product,
    _aten.addmm: _product_and_sum,
    _aten.baddbmm: _product_and_sum,
    _aten.mv: _product_with_vector,
    _aten.addmv: _addmv,
    _aten.dot: _product_with_vector,
}
