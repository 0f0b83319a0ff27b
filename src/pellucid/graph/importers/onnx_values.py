"""ONNX's own structures as plain values: types, attributes, initialisers."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import Any

from pellucid.graph.importers.building import Kind, text
from pellucid.graph.importers.onnx_operators import Setting

# What is said of an attribute in one line; and constants whose numbers are worth keeping, for lengths and bounds.
_LONGEST = 80
FEW = 8


def kind_of(held: Any) -> Kind:
    """Shape and type of a TypeProto."""
    which = held.WhichOneof("value")
    if which == "optional_type":
        return kind_of(held.optional_type.elem_type)
    if which == "sequence_type":
        return Kind(None, "sequence")
    if which not in ("tensor_type", "sparse_tensor_type"):
        return Kind(None, "map" if which == "map_type" else "")
    tensor = getattr(held, which)
    if not tensor.HasField("shape"):
        return Kind(None, dtype_of(tensor.elem_type))
    sizes: list[int | str] = []
    for place, size in enumerate(tensor.shape.dim):
        fixed = size.HasField("dim_value") and size.dim_value >= 0
        sizes.append(size.dim_value if fixed else text(size.dim_param) or f"?{place}")
    return Kind(tuple(sizes), dtype_of(tensor.elem_type))


def dtype_of(number: int) -> str:
    """The name of an element's type, as torch writes it: "float32"."""
    from onnx import TensorProto

    try:
        name = str(TensorProto.DataType.Name(number))
    except ValueError:
        return f"type {number}"
    return {"FLOAT": "float32", "DOUBLE": "float64", "UNDEFINED": ""}.get(name, name.lower())


def tensor_kind(tensor: Any) -> Kind:
    """Shape and type of a TensorProto; its numbers are not looked at."""
    return Kind(tuple(max(0, size) for size in tensor.dims), dtype_of(tensor.data_type))


def tensor_size(tensor: Any) -> int:
    """How many numbers a TensorProto says it has."""
    return math.prod(max(0, size) for size in tensor.dims)


def few_numbers(tensor: Any) -> tuple[float, ...] | None:
    """The numbers of a small tensor that lies in the file itself."""
    if tensor_size(tensor) > FEW or tensor.data_location or tensor.data_type == 8:
        return None
    from onnx import numpy_helper

    try:
        return tuple(float(one) for one in numpy_helper.to_array(tensor).reshape(-1).tolist())
    except Exception:  # damaged, or of a type that numpy does not know: its numbers are then not known
        return None


def whole_numbers(tensor: Any) -> tuple[int, ...] | None:
    """The same where all of them are whole."""
    numbers = few_numbers(tensor)
    if numbers is None or not all(math.isfinite(one) and one == int(one) for one in numbers):
        return None
    return tuple(int(one) for one in numbers)


def setting_of(attribute: Any) -> Setting | None:
    """An attribute as a plain value; None for tensors, graphs and types."""
    from onnx import AttributeProto as Kinds

    match attribute.type:
        case Kinds.FLOAT:
            return float(attribute.f)
        case Kinds.INT:
            return int(attribute.i)
        case Kinds.STRING:
            return _decoded(attribute.s)
        case Kinds.FLOATS:
            return tuple(map(float, attribute.floats))
        case Kinds.INTS:
            return tuple(map(int, attribute.ints))
        case Kinds.STRINGS:
            return tuple(map(_decoded, attribute.strings))
        case _:
            return None


def told(attributes: Mapping[str, Any], settings: Mapping[str, Setting]) -> dict[str, str]:
    """Attributes by name, as lines of text."""
    lines: dict[str, str] = {}
    for name, attribute in attributes.items():
        if name in settings:
            lines[text(name, _LONGEST)] = _line(settings[name])
        elif attribute.HasField("t"):
            lines[text(name, _LONGEST)] = _tensor_line(attribute.t)
    return lines


def _line(setting: Setting) -> str:
    if isinstance(setting, tuple):
        inside = ", ".join(_line(one) for one in setting[:FEW])
        more = ", ..." if len(setting) > FEW else "," if len(setting) == 1 else ""
        return text(f"({inside}{more})", _LONGEST)
    return text(f"{setting:.6g}" if isinstance(setting, float) else str(setting), _LONGEST)


def _tensor_line(tensor: Any) -> str:
    kind, numbers = tensor_kind(tensor), few_numbers(tensor)
    if numbers is None:
        return f"{kind.dtype} {kind.shown}"
    shown = tuple(int(one) if math.isfinite(one) and one == int(one) else one for one in numbers)
    return _line(shown if kind.shape else shown[0]) if shown else "()"


def _decoded(written: bytes) -> str:
    return written[:1000].decode("utf-8", "replace")


def initialisers(graph: Any) -> Iterable[tuple[str, Any]]:
    """Names and tensors of a graph's initialisers; of sparse ones, the values that are there."""
    for tensor in graph.initializer:
        yield tensor.name, tensor
    for sparse in graph.sparse_initializer:
        yield sparse.values.name, sparse.values
