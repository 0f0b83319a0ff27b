"""Floating-point operations of matrix products and convolutions, multiply-adds counted twice."""

from __future__ import annotations

import itertools
import math
import re
from collections.abc import Callable
from functools import cache
from typing import Any

import torch
from torch.utils.flop_counter import flop_registry


def count(operator: Any, args: tuple[Any, ...], kwargs: dict[str, Any], result: Any) -> int | None:
    """Operations of one call of an operator; None where it is neither a product nor a convolution, or not known here."""
    name = name_of(operator)
    try:
        if name in _FORMULAS:
            return int(_FORMULAS[name](*args))
        if name in _OF_RESULTS:
            return int(_OF_RESULTS[name](*args, result=result))
        formula = flop_registry.get(getattr(operator, "_overloadpacket", operator))
        return None if formula is None else int(formula(*args, **kwargs, out_val=result))
    except (AssertionError, AttributeError, TypeError, ValueError, IndexError, RuntimeError):
        # Some shapes that operators take the formulas do not: not counted rather than wrong.
        return None


@cache
def multiplies(operator: Any) -> bool:
    """Whether an operator multiplies matrices or convolves, as its name tells."""
    name = name_of(operator).rpartition(".")[2].lower()
    return _MULTIPLIES.search(name) is not None and _MULTIPLIES_NOT.search(name) is None


@cache
def name_of(operator: Any) -> str:
    """The name of an operator: "aten.mm" of aten.mm.default and of aten.mm_; one that takes functions is in no library."""
    return str(getattr(operator, "_overloadpacket", operator)).rstrip("_")


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
    if left.layout is right.layout is torch.strided:
        return 2 * left.numel() * right.shape[-1]
    if right.layout is torch.strided:
        return 2 * _stored(left) * right.shape[-1]
    if left.layout is torch.strided:
        return 2 * left.shape[-2] * _stored(right)
    raise ValueError("how many numbers of two sparse matrices meet depends on where they stand")


def _product_and_sum(_bias: torch.Tensor, left: torch.Tensor, right: torch.Tensor, *_: object) -> int:
    return _product(left, right)


def _grouped(left: torch.Tensor, right: torch.Tensor, *_: object) -> int:
    # What has no axis of groups is shared out among them: rows of the left, columns of the right, or what both sum over.
    if left.ndim == 3 and right.ndim == 2:
        return 2 * left.shape[-2] * right.numel()
    return 2 * left.numel() * right.shape[-1]


def _stored(matrix: torch.Tensor) -> int:
    """How many numbers a matrix holds; a sparse one only those that are not left out."""
    if matrix.layout is torch.strided:
        return matrix.numel()
    return (matrix._values() if matrix.layout is torch.sparse_coo else matrix.values()).numel()


def _linear(inputs: torch.Tensor, weight: torch.Tensor, *_: object) -> int:
    return 2 * _stored(inputs) * weight.shape[0]


def _trilinear(
    one: torch.Tensor, two: torch.Tensor, three: torch.Tensor, first: list[int], second: list[int], third: list[int], *_: object
) -> int:  # fmt: skip
    sizes = [1]
    for tensor, missing in ((one, first), (two, second), (three, third)):
        shape = list(tensor.shape)
        for axis in sorted(missing):
            shape.insert(axis, 1)
        sizes = [max(pair) for pair in itertools.zip_longest(sizes, shape, fillvalue=1)]
    return 2 * math.prod(sizes)


def _columns(inputs: torch.Tensor, *_: object, result: torch.Tensor) -> int:
    return 2 * inputs.numel() * result.shape[-1]


def _deformable(_inputs: torch.Tensor, weight: torch.Tensor, *_: object, result: torch.Tensor) -> int:
    return 2 * result.numel() * math.prod(weight.shape[1:])


def _convolution_over_time(_inputs: torch.Tensor, weight: torch.Tensor, *_: object, result: torch.Tensor) -> int:
    return 2 * result.numel() * math.prod(weight.shape[:-1])  # (step, channel in, channel out)


def _convolution(inputs: torch.Tensor, weight: torch.Tensor, *settings: object, result: torch.Tensor) -> int:
    # Every position of the output meets the whole kernel; of a transposed one, every position of the input.
    met = inputs if settings[4] else result
    space = weight.ndim - 2
    outer = math.prod(met.shape[: met.ndim - space - 1])
    return 2 * outer * math.prod(met.shape[met.ndim - space :]) * weight.numel()


def _product_with_vector(matrix: torch.Tensor, *_: object) -> int:
    return 2 * _stored(matrix)


def _addmv(_bias: torch.Tensor, matrix: torch.Tensor, *_: object) -> int:
    return 2 * _stored(matrix)


# Names of operators that multiply matrices or convolve; and of those that only sound like it.
_MULTIPLIES = re.compile(
    r"mm(_|\d|$)|matmul|gemm|conv(\d|olution|_|$)|linear|attention|attn|rnn|lstm|gru(_|$)|(^|_)v?dot(_|$)|einsum"
    r"|euclidean_dist|matrix_exp"
)
_MULTIPLIES_NOT = re.compile(r"upsample|pack_|reorder|weight$|linear_combination|_fused_(gru|lstm)_cell")

# What torch's registry lacks (attention and recurrent layers on the CPU, cuDNN's, products of groups, with vectors, of sparse
# and of quantised matrices), and what nearly all operators that count are, for the registry's own formulas take longer than
# the shapes they are about. By name, for not every torch has them all.
_FORMULAS: dict[str, Callable[..., int]] = {
    "aten._scaled_dot_product_flash_attention_for_cpu": _attention,
    "aten._scaled_dot_product_fused_attention_overrideable": _attention,
    "flex_attention": _attention,
    "aten.mkldnn_rnn_layer": _rnn_mkldnn,
    "aten._cudnn_rnn": _rnn_cudnn,
    "aten.mm": _product,
    "aten.bmm": _product,
    "aten._int_mm": _product,
    "aten.addmm": _product_and_sum,
    "aten._addmm_activation": _product_and_sum,
    "aten.baddbmm": _product_and_sum,
    "aten.addbmm": _product_and_sum,
    "aten._sparse_addmm": _product_and_sum,
    "aten._grouped_mm": _grouped,
    "aten._scaled_grouped_mm": _grouped,
    "transformers.grouped_mm_fallback": _grouped,
    "aten.linear": _linear,
    "aten._trilinear": _trilinear,
    "aten.mv": _product_with_vector,
    "aten.addmv": _addmv,
    "aten.dot": _product_with_vector,
    "aten.vdot": _product_with_vector,
}
_OF_RESULTS: dict[str, Callable[..., int]] = {
    "aten.convolution": _convolution,
    "aten.conv_tbc": _convolution_over_time,
    "torchvision.deform_conv2d": _deformable,
    "aten._weight_int8pack_mm": _columns,
    "aten._weight_int4pack_mm": _columns,
    "aten._weight_int4pack_mm_for_cpu": _columns,
    "quantized.linear": _columns,
    "quantized.linear_relu": _columns,
    "quantized.linear_dynamic": _columns,
    "quantized.linear_relu_dynamic": _columns,
}
