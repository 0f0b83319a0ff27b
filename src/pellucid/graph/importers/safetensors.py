"""Graphs from safetensors files: the modules that the tensors' names tell of. How they are connected no such file says."""

from __future__ import annotations

import json
import math
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import Any, NamedTuple

from pellucid.errors import ModelError
from pellucid.graph.importers.building import DEEPEST, bits_of, text
from pellucid.graph.structure import Graph, Node

REASON = "Weights alone: no file says how they are connected."
# The format's own limit of its header.
_LARGEST_HEADER = 100_000_000
_DTYPES = {
    "BOOL": "bool", "U8": "uint8", "I8": "int8", "F8_E5M2": "float8_e5m2", "F8_E4M3": "float8_e4m3fn",
    "F8_E8M0": "float8_e8m0fnu", "F8_E5M2FNUZ": "float8_e5m2fnuz", "F8_E4M3FNUZ": "float8_e4m3fnuz",
    "F6_E2M3": "float6_e2m3", "F6_E3M2": "float6_e3m2", "F4": "float4_e2m1fn", "I16": "int16", "U16": "uint16",
    "F16": "float16", "BF16": "bfloat16", "I32": "int32", "U32": "uint32", "F32": "float32", "F64": "float64",
    "I64": "int64", "U64": "uint64", "C64": "complex64",
}  # fmt: skip
# What normalisations keep of what they have seen; in every library that names its tensors as torch does.
_STATISTICS = frozenset({"running_mean", "running_var", "num_batches_tracked"})
_NAMED = 3


class _Tensor(NamedTuple):
    dtype: str
    shape: tuple[int, ...]

    @property
    def size(self) -> int:
        """How many numbers it holds."""
        return math.prod(self.shape)


def _is_buffer(name: str, tensor: _Tensor) -> bool:
    """Whether a tensor is none of a module's parameters, as its name and type tell: integers and running statistics."""
    return ("float" not in tensor.dtype and "complex" not in tensor.dtype) or name.rpartition(".")[2] in _STATISTICS


def read_safetensors(path: Path) -> Graph:
    """The modules of a file of weights, as the names of its tensors tell; the tensors themselves are not read.

    Raises: ModelError: the header is damaged, larger than the file, or contradicts it.
    """
    return _graph(_header(path), REASON)


def read_index(path: Path) -> Graph:
    """The same of a checkpoint in several files, by its index. Raises: ModelError: also where one of them is missing."""
    try:
        if path.stat().st_size > _LARGEST_HEADER:
            raise ModelError(
                f"{path} is {path.stat().st_size:,} bytes large; an index has at most {_LARGEST_HEADER:,}."
            )
        held = json.loads(path.read_bytes())
    except (OSError, ValueError, RecursionError) as error:
        raise ModelError(f"{path} cannot be read as an index: {error}. Expected a JSON object.") from error
    places = held.get("weight_map") if isinstance(held, dict) else None
    if not isinstance(places, dict) or not places or not all(isinstance(one, str) for one in places.values()):
        raise ModelError(
            f"{path} has no 'weight_map' from names of tensors to files, which an index of safetensors has."
        )
    tensors: dict[str, _Tensor] = {}
    files = dict.fromkeys(places.values())
    missing = []
    for file in files:
        if not _is_beside(file):
            raise ModelError(f"{path} names the file '{text(file)}', outside its own folder: that is never opened.")
        if not (path.parent / file).is_file():
            missing.append(text(file))
            continue
        found = _header(path.parent / file)
        twice = next((name for name in found if name in tensors), None)
        if twice is not None:
            raise ModelError(f"The tensor '{text(twice)}' lies in more than one of the files of {path}.")
        tensors |= found
    if missing:
        raise ModelError(
            f"{path} names {len(files)} files; {len(missing)} of them are not beside it: {', '.join(missing[:_NAMED])}"
            f"{', ...' if len(missing) > _NAMED else ''}."
        )
    lost = [name for name in places if name not in tensors]
    if lost:
        raise ModelError(
            f"{path} names the tensor '{text(lost[0])}', which is in none of its files ({len(lost)} such)."
        )
    return _graph(tensors, REASON)


def _is_beside(file: str) -> bool:
    ways = (PurePosixPath(file), PureWindowsPath(file))
    return (
        bool(file) and "\0" not in file and not any(way.is_absolute() or way.drive or ".." in way.parts for way in ways)
    )


# --- the header -------------------------------------------------------------------------------------------------


def _header(path: Path) -> dict[str, _Tensor]:
    """Names, types and shapes of a file's tensors. Raises: ModelError."""
    try:
        with path.open("rb") as stream:
            size = path.stat().st_size
            begins = stream.read(8)
            length = int.from_bytes(begins, "little")
            if len(begins) < 8 or length > min(_LARGEST_HEADER, size - 8):
                raise ModelError(
                    f"{path} is damaged or no safetensors file: its header should be {length:,} bytes long, and the whole "
                    f"file has {size:,}. Was it downloaded whole?"
                )
            written = stream.read(length)
    except OSError as error:
        raise ModelError(f"{path} cannot be read: {error.strerror or error}.") from error
    try:
        held = json.loads(written, object_pairs_hook=_once)
    except _TwiceError as error:
        raise ModelError(
            f"The header of {path} has the name '{text(str(error))}' twice: the file is damaged."
        ) from error
    except (ValueError, RecursionError) as error:
        raise ModelError(f"The header of {path} is no JSON: {text(str(error))}. Was it downloaded whole?") from error
    if not isinstance(held, dict):
        raise ModelError(f"The header of {path} is a JSON {type(held).__name__}; expected an object of tensors.")
    held.pop("__metadata__", None)
    room = size - 8 - length
    ends: list[tuple[int, int, str]] = []
    tensors: dict[str, _Tensor] = {}
    for name, entry in held.items():
        tensor, begin, end = _entry(name, entry, path)
        tensors[name] = tensor
        ends.append((begin, end, name))
    _check_room(sorted(ends), room, path)
    return tensors


class _TwiceError(Exception):
    """A name that is there twice."""


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    held = dict(pairs)
    if len(held) < len(pairs):
        names = [name for name, _ in pairs]
        raise _TwiceError(next(name for place, name in enumerate(names) if name in names[:place]))
    return held


def _entry(name: str, entry: Any, path: Path) -> tuple[_Tensor, int, int]:
    shape, offsets = _whole(entry, "shape"), _whole(entry, "data_offsets")
    if shape is None or offsets is None or len(offsets) != 2:
        raise ModelError(
            f"The tensor '{text(name)}' in {path} has no 'dtype', 'shape' and 'data_offsets' as safetensors has them: the "
            "file is damaged."
        )
    dtype = _DTYPES.get(str(entry.get("dtype")))
    if dtype is None:
        raise ModelError(
            f"The tensor '{text(name)}' in {path} is of the type '{text(str(entry.get('dtype')), 40)}', which is not known "
            f"here. Known: {', '.join(_DTYPES)}."
        )
    begin, end = offsets
    wanted = (math.prod(shape) * bits_of(dtype) + 7) // 8
    if end - begin != wanted:
        raise ModelError(
            f"The tensor '{text(name)}' in {path} should have {wanted:,} bytes ({entry['dtype']} {shape}), and has "
            f"{end - begin:,}: the file is damaged."
        )
    return _Tensor(dtype, shape), begin, end


def _whole(entry: Any, name: str) -> tuple[int, ...] | None:
    """A list of whole numbers, none below zero."""
    held = entry.get(name) if isinstance(entry, dict) else None
    if not isinstance(held, list) or not all(type(one) is int and one >= 0 for one in held):
        return None
    return tuple(held)


def _check_room(ends: list[tuple[int, int, str]], room: int, path: Path) -> None:
    """Refuses tensors that lie over each other or beyond the end. Raises: ModelError."""
    last, before = 0, ""
    for begin, end, name in ends:
        if begin < last:
            raise ModelError(f"The tensors '{text(before)}' and '{text(name)}' in {path} overlap: the file is damaged.")
        last, before = end, name
    if last > room:
        raise ModelError(
            f"{path} is cut short: its tensors need {last:,} bytes, and {room:,} are there. Download it again."
        )


# --- the modules ------------------------------------------------------------------------------------------------


class _Module:
    """A module on its way: what it holds, by name."""

    __slots__ = ("children", "tensors")

    def __init__(self) -> None:
        self.children: dict[str, _Module] = {}
        self.tensors: dict[str, _Tensor] = {}


def _graph(tensors: dict[str, _Tensor], reason: str) -> Graph:
    root = _Module()
    for name in sorted(tensors, key=_natural):
        module = root
        *above, own = name.split(".")
        if len(above) > DEEPEST:
            above = [*above[:DEEPEST], ".".join(above[DEEPEST:])]
        for piece in above:
            module = module.children.setdefault(piece, _Module())
        module.tensors[own] = tensors[name]
    nodes: list[Node] = []
    if root.tensors:
        held = _Module()
        held.tensors = root.tensors
        _add(nodes, held, "", None)
    for piece, module in root.children.items():
        _add(nodes, module, piece, None)
    buffers = [tensor.size for name, tensor in tensors.items() if _is_buffer(name, tensor)]
    total = sum(tensor.size for tensor in tensors.values()) - sum(buffers)
    if buffers:
        reason += (
            f" Whole numbers and running statistics ({sum(buffers):,} in all) count as buffers, not as parameters."
        )
    return Graph(
        nodes=tuple(nodes),
        edges=(),
        parameters=total,
        trainable=total,
        flops=None,
        unused=(),
        backend="file",
        backend_reason=reason,
    )


def _add(nodes: list[Node], module: _Module, path: str, parent: int | None) -> int:
    """Adds a module and all in it; gives how many parameters they hold."""
    id_ = len(nodes)
    nodes.append(_PLACEHOLDER)
    own = sum(tensor.size for name, tensor in module.tensors.items() if not _is_buffer(name, tensor))
    below = own + sum(
        _add(nodes, child, f"{path}.{piece}" if path else piece, id_) for piece, child in module.children.items()
    )
    shown = text(path, 1000)
    tensors = list(module.tensors.items())
    nodes[id_] = Node(
        id=id_,
        name=shown,
        path=shown,
        operation=_operation(module),
        kind="module",
        parent=parent,
        call=1,
        inputs=(),
        outputs=tuple(tensor.shape for _, tensor in tensors),
        output_dtypes=tuple(tensor.dtype for _, tensor in tensors),
        parameters=below,
        own_parameters=own,
        trainable=below,
        memory=sum((one.size * bits_of(one.dtype) + 7) // 8 for _, one in tensors),
        arguments={text(name): f"{one.dtype} {one.shape}" for name, one in tensors},
    )
    return below


_PLACEHOLDER = Node(0, "", "", "", "module", None, 1, (), ())


def _operation(module: _Module) -> str:
    """What a module is called for want of its class: by what it holds."""
    return ", ".join(text(name, 40) for name in list(module.tensors)[:4]) or "Module"


def _natural(name: str) -> list[tuple[int, int, str]]:
    """Sorts "layers.10" after "layers.9"."""
    return [(0, int(piece), "") if piece.isascii() and piece.isdigit() and len(piece) < 18 else (1, 0, piece)
            for piece in name.split(".")]  # fmt: skip
