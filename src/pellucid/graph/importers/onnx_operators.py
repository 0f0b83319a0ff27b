"""What is known of ONNX's operators: their part, their settings in words, their products, their windows and steps."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Literal, TypeAlias

from pellucid.graph.importers.building import Kind, Value
from pellucid.graph.importers.pooling import pool_of
from pellucid.graph.names import Role
from pellucid.record.schema import Pool

# An attribute as a plain value: a number, a text, or a list of them. Tensors and graphs are told elsewhere.
Setting: TypeAlias = int | float | str | tuple[int, ...] | tuple[float, ...] | tuple[str, ...]
Settings: TypeAlias = Mapping[str, Setting]

_ACTIVATIONS = {
    "Celu": "celu", "Elu": "elu", "Gelu": "gelu", "HardSigmoid": "hardsigmoid", "HardSwish": "hardswish",
    "LeakyRelu": "leaky_relu", "Mish": "mish", "PRelu": "prelu", "Relu": "relu", "Selu": "selu", "Sigmoid": "sigmoid",
    "Softplus": "softplus", "Softsign": "softsign", "Swish": "silu", "Tanh": "tanh", "ThresholdedRelu": "threshold",
    "BiasGelu": "gelu", "FastGelu": "gelu", "QuickGelu": "quick_gelu",
}  # fmt: skip
_ROLES: dict[Role, Sequence[str]] = {
    "compute": (
        "Attention", "Conv", "ConvInteger", "ConvTranspose", "DeformConv", "Einsum", "FusedConv", "FusedGemm",
        "FusedMatMul", "GRU", "Gemm", "LSTM", "MatMul", "MatMulInteger", "MatMulNBits", "MultiHeadAttention",
        "QLinearConv", "QLinearMatMul", "RNN",
    ),
    "norm": (
        "BatchNormalization", "GroupNormalization", "InstanceNormalization", "LRN", "LayerNormalization",
        "LpNormalization", "MeanVarianceNormalization", "RMSNormalization", "SimplifiedLayerNormalization",
        "SkipLayerNormalization", "SkipSimplifiedLayerNormalization",
    ),
    "pool": (
        "AveragePool", "GlobalAveragePool", "GlobalLpPool", "GlobalMaxPool", "LpPool", "MaxPool", "MaxRoiPool",
        "QLinearGlobalAveragePool",
    ),
    "join": ("Add", "Concat", "Sum"),
    "pass": (
        "Cast", "CastLike", "DepthToSpace", "Dropout", "Expand", "Flatten", "Gather", "GatherElements", "GatherND",
        "Identity", "Pad", "Reshape", "Slice", "SpaceToDepth", "Split", "Squeeze", "Tile", "Transpose", "Unsqueeze",
    ),
}  # fmt: skip
# Which arguments an operator reads that are no parameters, though a file keeps them beside these: statistics, scales and
# bounds, and what a recurrent layer begins with.
NOT_LEARNED: Mapping[str, Sequence[int]] = {
    "BatchNormalization": (3, 4), "Clip": (1, 2), "DequantizeLinear": (1, 2), "GRU": (5,), "LSTM": (5, 6), "Pad": (2,),
    "QLinearConv": (1, 2, 4, 5, 6, 7), "QLinearMatMul": (1, 2, 4, 5, 6, 7), "QuantizeLinear": (1, 2), "RNN": (5,),
    "Resize": (1, 2), "Upsample": (1,),
}  # fmt: skip
_ROLE = {name: role for role, names in _ROLES.items() for name in names}
_MULTIPLIES = re.compile(r"MatMul|Gemm|Conv|Attention|LSTM|GRU|MoE")
_RECURRENT = ("RNN", "LSTM", "GRU")


def role_of(operation: str, settings: Settings, reads: Sequence[Value]) -> tuple[Role, str | None]:
    """The part that an operator plays, and the function's name where it is an activation."""
    if operation in _ACTIVATIONS:
        return "activation", _ACTIVATIONS[operation]
    if operation == "Clip" and _bounds(settings, reads) == (0, 6):
        return "activation", "relu6"
    if operation == "Gather" and reads and reads[0].parameter is not None and len(reads[0].kind.shape or ()) == 2:
        return "compute", None  # an embedding: rows of a table, by number
    return _ROLE.get(operation, "other"), None


def _bounds(settings: Settings, reads: Sequence[Value]) -> tuple[float, float] | None:
    low, high = settings.get("min"), settings.get("max")
    if isinstance(low, int | float) and isinstance(high, int | float):
        return low, high
    if len(reads) == 3 and all(value.whole is not None and len(value.whole) == 1 for value in reads[1:]):
        return tuple((value.whole or (0,))[0] for value in reads[1:])  # type: ignore[return-value]
    return None


def steps_of(operation: str, settings: Settings, reads: Sequence[Value]) -> int | None:
    """Steps that a recurrent operator runs over, where the length is fixed."""
    if operation not in _RECURRENT or not reads or reads[0].kind.shape is None or len(reads[0].kind.shape) != 3:
        return None
    length = reads[0].kind.shape[1 if settings.get("layout") == 1 else 0]
    return length if isinstance(length, int) and length >= 0 else None


def pool_in(operation: str, settings: Settings, before: Kind, after: Kind) -> Pool | None:
    """What a pooling operator keeps, where both shapes are fixed beyond their first two sizes."""
    if _ROLE.get(operation) != "pool" or before.shape is None or after.shape is None:
        return None
    given, made = _fixed(before.shape[2:]), _fixed(after.shape[2:])
    if given is None or made is None or len(given) != len(made):
        return None
    kind: Literal["max", "average", "lp"] = "max" if "Max" in operation else "lp" if "Lp" in operation else "average"
    ones = (1,) * len(given)
    if operation.removeprefix("QLinear").startswith("Global"):
        return pool_of(kind, given, made, given, given, (0,) * len(given))
    window = _numbers(settings, "kernel_shape", ones)
    padding = _numbers(settings, "pads", (0,) * (2 * len(given)))[: len(given)]
    return pool_of(
        kind, given, made, window, _numbers(settings, "strides", ones), padding, _numbers(settings, "dilations", ones)
    )


def _fixed(sizes: Sequence[int | str]) -> tuple[int, ...] | None:
    fixed = tuple(size for size in sizes if isinstance(size, int) and size > 0)
    return fixed if len(fixed) == len(sizes) else None


def _numbers(settings: Settings, name: str, otherwise: tuple[int, ...]) -> tuple[int, ...]:
    held = settings.get(name)
    return tuple(int(one) for one in held) if isinstance(held, tuple) else otherwise


def multiplies(operation: str, settings: Settings, role: Role) -> bool:
    """Whether an operator multiplies matrices or convolves, as its name tells."""
    if operation == "Einsum":
        return "," in str(settings.get("equation", ""))
    return operation != "Gather" and (role == "compute" or _MULTIPLIES.search(operation) is not None)


def flops_of(
    operation: str, settings: Settings, reads: Sequence[Value], makes: Sequence[Kind], batch: str | None
) -> int | None:
    """Multiply-adds counted twice, of products and convolutions; None for others, or where a shape is not fixed."""
    formula = _FORMULAS.get(operation)
    if formula is None or not makes:
        return None
    sizes = [value.kind.sizes(batch) for value in reads]
    made = makes[0].sizes(batch)
    try:
        return formula(settings, sizes, made)
    except (IndexError, TypeError, ValueError, KeyError):
        return None  # a shape that the operator cannot take: not counted rather than wrong


_Sizes: TypeAlias = Sequence[tuple[int, ...] | None]
_Made: TypeAlias = tuple[int, ...] | None


def _known(sizes: tuple[int, ...] | None) -> tuple[int, ...]:
    if sizes is None:
        raise ValueError("a size that is not fixed")
    return sizes


def _convolution(weight: int) -> Callable[[Settings, _Sizes, _Made], int]:
    return lambda _, sizes, made: 2 * math.prod(_known(made)) * math.prod(_known(sizes[weight])[1:])


def _transposed(_: Settings, sizes: _Sizes, made: _Made) -> int:
    return 2 * math.prod(_known(sizes[0])) * math.prod(_known(sizes[1])[1:])


def _packed(settings: Settings, sizes: _Sizes, made: _Made) -> int:
    return 2 * math.prod(_known(made)) * int(settings["K"])  # type: ignore[arg-type]


def _gemm(settings: Settings, sizes: _Sizes, made: _Made) -> int:
    return 2 * math.prod(_known(made)) * _known(sizes[0])[0 if settings.get("transA") else 1]


def _matmul(settings: Settings, sizes: _Sizes, made: _Made) -> int:
    return 2 * math.prod(_known(made)) * _known(sizes[0])[-2 if settings.get("transA") else -1]


def _einsum(settings: Settings, sizes: _Sizes, made: _Made) -> int:
    """Every combination of indices once; an ellipsis is as many indices as are left."""
    terms = str(settings["equation"]).replace(" ", "").partition("->")[0].split(",")
    if len(terms) < 2 or len(terms) != len(sizes):
        raise ValueError("one factor is no product")
    lengths: dict[str, int] = {}
    for term, known in zip(terms, sizes, strict=True):
        shape = _known(known)
        front, dots, back = term.partition("...")
        hidden = len(shape) - len(front) - len(back)
        indices = [*front, *(f"...{place}" for place in range(hidden, 0, -1) if dots), *back]
        for index, length in zip(indices, shape, strict=True):
            lengths[index] = max(length, lengths.get(index, 1))
    return 2 * math.prod(lengths.values())


def _recurrent(settings: Settings, sizes: _Sizes, made: _Made) -> int:
    inputs, weights, hidden = _known(sizes[0]), _known(sizes[1]), _known(sizes[2])
    return 2 * inputs[0] * inputs[1] * (math.prod(weights) + math.prod(hidden))


def _attention(settings: Settings, sizes: _Sizes, made: _Made) -> int:
    """Queries with keys, then weights with values: (batch, head, position, channel), or heads and channels in one."""
    query, key, value = (_known(size) for size in sizes[:3])
    if len(query) == 4:
        return 2 * math.prod(query[:3]) * key[2] * (query[3] + value[3])
    grouped = int(settings["q_num_heads"]) // int(settings["kv_num_heads"])  # type: ignore[arg-type]
    return 2 * query[0] * query[1] * key[1] * (query[2] + value[2] * grouped)


_FORMULAS: dict[str, Callable[[Settings, _Sizes, _Made], int]] = {
    "Conv": _convolution(1), "ConvInteger": _convolution(1), "FusedConv": _convolution(1), "DeformConv": _convolution(1),
    "QLinearConv": _convolution(3), "ConvTranspose": _transposed, "Gemm": _gemm, "FusedGemm": _gemm,
    "MatMul": _matmul, "MatMulInteger": _matmul, "QLinearMatMul": _matmul, "FusedMatMul": _matmul, "MatMulNBits": _packed,
    "Einsum": _einsum, "RNN": _recurrent, "LSTM": _recurrent, "GRU": _recurrent, "Attention": _attention,
}  # fmt: skip
