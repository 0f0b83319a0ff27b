"""Graphs from ONNX files. Weights are never loaded: their sizes are in the file, also where their values lie elsewhere."""

from __future__ import annotations

from collections.abc import Iterator, MutableMapping, Sequence
from functools import lru_cache
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import Any

from pellucid.errors import MissingExtraError, ModelError
from pellucid.graph.importers.building import DEEPEST, Builder, Kind, text
from pellucid.graph.importers.onnx_loops import settle
from pellucid.graph.importers.onnx_values import initialisers, kind_of
from pellucid.graph.importers.onnx_walk import Defines, Walk
from pellucid.graph.structure import Graph

# Protobuf can hold no more in one message; larger models keep their weights in other files.
LARGEST = 2**31 - 1
# Values of tensors beyond this many bytes are thrown away before shapes are inferred: no shape depends on them.
_LARGE_TENSOR = 1 << 16
_NAMED = 3
_ROUNDS = 4  # of inferring shapes: one more for each Loop that lies in another or follows one


def read_onnx(path: Path) -> Graph:
    """The graph of an ONNX file: operators, the modules that their names tell of, branches, loops and functions.

    Whatever could not be told is said in `backend_reason`: operators that are not ONNX's, also where they are said to be,
    and values that nothing makes.

    Raises: ModelError: it is no ONNX model, is cut short, contradicts itself, misses a file of weights, or uses a version
        of the operators that the installed onnx does not know. MissingExtraError.
    """
    try:
        import onnx
    except ImportError as error:
        raise MissingExtraError("onnx", "onnx", f"Reading '{path.name}'") from error
    model = _parsed(path, onnx)
    _check_external(model, path)
    _check_functions(model)
    notes = list(_versions(model, path, onnx))
    model, failed = _inferred(model, onnx)
    notes += [failed] if failed else []
    first = next((kind_of(held.type) for held in _inputs(model)), Kind())
    batch = first.shape[0] if first.shape and isinstance(first.shape[0], str) else None
    builder = Builder(batch)
    walk = Walk(model, builder, _Bodies(model, onnx).body, _definitions(onnx))
    walk.model()
    for version, names in walk.undefined.items():
        notes.append(
            f"Version {version} of ONNX's operators, which it uses, has no {_listed(list(names))}: what runs the model may "
            "refuse it, and shapes after it may be unknown."
        )
    if walk.domains:
        notes.append(
            f"Operators of {_listed(list(walk.domains))} are the model's own or a vendor's: shapes after them may be unknown."
        )
    if walk.missing:
        notes.append(f"Nothing makes {_listed(walk.missing)}, which the model reads.")
    size = first.shape[0] if first.shape and isinstance(first.shape[0], int) else 1
    return builder.seal(batch=max(1, size), reason=" ".join(notes))


def _parsed(path: Path, onnx: Any) -> Any:
    """The file as a message. Raises: ModelError."""
    try:
        size = path.stat().st_size
        if size > LARGEST:
            raise ModelError(
                f"{path} is {size:,} bytes large; an ONNX file holds at most {LARGEST:,}. Larger models keep their weights "
                "in files beside it: save it again with external data (onnx.save(model, path, save_as_external_data=True))."
            )
        held = path.read_bytes()
    except OSError as error:
        raise ModelError(f"{path} cannot be read: {error.strerror or error}.") from error
    model = onnx.ModelProto()
    try:
        model.ParseFromString(held)
    except Exception as error:
        raise ModelError(
            f"{path} is no ONNX model, or is cut short: it cannot be read as one ({type(error).__name__}). It has "
            f"{len(held):,} bytes. Was it downloaded whole?"
        ) from error
    if not model.HasField("graph") or not model.ir_version:
        raise ModelError(
            f"{path} is no ONNX model: it has {len(held):,} bytes and names no graph and no version of ONNX."
        )
    return model


def _inputs(model: Any) -> Iterator[Any]:
    known = {name for name, _ in initialisers(model.graph)}
    return (held for held in model.graph.input if held.name not in known)


# --- what is not in the file ------------------------------------------------------------------------------------


def _check_external(model: Any, path: Path) -> None:
    """Refuses a model whose files of weights are not whole; none is opened, and none outside its folder is asked for.

    Raises: ModelError.
    """
    lengths: dict[str, int | None] = {}
    for tensor in _tensors(model.graph):
        if tensor.data_location != 1:  # TensorProto.EXTERNAL
            continue
        entries = {entry.key: entry.value for entry in tensor.external_data}
        location = entries.get("location", "")
        name, weights = text(path.name), f"the weights '{text(tensor.name)}'"
        if not _is_beside(location):
            raise ModelError(
                f"{name} says that {weights} lie in '{text(location)}', outside its own folder: that is never opened. Save "
                "the model again with its weights beside it."
            )
        if location not in lengths:
            lengths[location] = _length(path.parent / location)
        held, end = lengths[location], _end(entries)
        if held is None:
            raise ModelError(
                f"{name} keeps {weights} in '{text(location)}', which is not beside it: the file is missing, or is a link. "
                "Copy it into the same folder."
            )
        if end > held:
            raise ModelError(
                f"{name} keeps {weights} in '{text(location)}' up to byte {end:,}, but that file ends at {held:,}. Was it "
                "copied whole?"
            )


def _tensors(graph: Any) -> Iterator[Any]:
    """All tensors that a graph keeps, those of its branches and constants included."""
    for held in _graphs(graph):
        for _, tensor in initialisers(held):
            yield tensor
        for node in held.node:
            for attribute in node.attribute:
                if attribute.HasField("t"):
                    yield attribute.t
                yield from attribute.tensors


def _graphs(graph: Any) -> Iterator[Any]:
    """A graph, or what a function is made of, and all branches and loops in it."""
    waiting = [graph]
    while waiting:
        held = waiting.pop()
        yield held
        for node in held.node:
            for attribute in node.attribute:
                waiting += [attribute.g] if attribute.HasField("g") else []
                waiting += list(attribute.graphs)


def _is_beside(location: str) -> bool:
    """Whether a location is a plain path below the model's folder."""
    if not location or "\0" in location or len(location) > 1024:
        return False
    ways = (PurePosixPath(location), PureWindowsPath(location))
    return not any(way.is_absolute() or way.drive or ".." in way.parts for way in ways)


def _length(path: Path) -> int | None:
    try:
        return path.stat().st_size if path.is_file() and not path.is_symlink() else None
    except OSError:
        return None


def _end(entries: MutableMapping[str, str]) -> int:
    """Where a tensor's values end in its file."""
    try:
        return int(entries.get("offset", "0")) + int(entries.get("length", "0"))
    except ValueError:
        return 0


# --- functions --------------------------------------------------------------------------------------------------


def _check_functions(model: Any) -> None:
    """Refuses functions that call themselves or lie too deep: what infers shapes follows them until the process dies.

    Raises: ModelError.
    """
    calls = {
        (one.domain, one.name, one.overload): {
            (node.domain, node.op_type, node.overload): None for held in _graphs(one) for node in held.node
        }
        for one in model.functions
    }
    deepest: dict[tuple[str, str, str], int] = {}

    def depth(key: tuple[str, str, str], above: tuple[tuple[str, str, str], ...]) -> int:
        if key not in deepest and key not in above and len(above) < DEEPEST:
            inside = (depth(called, (*above, key)) for called in calls[key] if called in calls)
            deepest[key] = 1 + max(inside, default=0)
        if len(above) + deepest.get(key, DEEPEST) > DEEPEST:
            raise ModelError(
                f"The function '{text(key[1])}' of this ONNX model calls itself, or lies more than {DEEPEST} functions deep, "
                "which ONNX forbids: the file is damaged or made to do harm."
            )
        return deepest[key]

    for key in calls:
        depth(key, ())


# --- versions and shapes ----------------------------------------------------------------------------------------


def _versions(model: Any, path: Path, onnx: Any) -> Iterator[str]:
    """Says where a model names no version. Raises: ModelError: it names one that is newer than the installed onnx."""
    newest = onnx.defs.onnx_opset_version()
    for opset in model.opset_import:
        if opset.domain in ("", "ai.onnx") and opset.version > newest:
            raise ModelError(
                f"{text(path.name)} uses version {opset.version} of ONNX's operators (its opset); the installed package onnx "
                f"{onnx.__version__} knows up to {newest}. A newer one may know it: pip install --upgrade onnx."
            )
    if not model.opset_import:
        yield "It does not say which version of ONNX's operators it uses: shapes may be unknown."


def _definitions(onnx: Any) -> Defines:
    """Whether the installed onnx knows an operator in a version of ONNX's operators."""

    @lru_cache(maxsize=4096)
    def defines(operator: str, version: int) -> bool:
        return bool(onnx.defs.has(operator, version, ""))

    return defines


def _inferred(model: Any, onnx: Any) -> tuple[Any, str]:
    """The model with the shapes and types of what passes between operators, as far as they follow."""
    for tensor in _tensors(model.graph):
        if len(tensor.raw_data) > _LARGE_TENSOR:
            tensor.ClearField("raw_data")
        for part in ("float_data", "int32_data", "int64_data", "double_data", "uint64_data"):
            if len(getattr(tensor, part)) > _LARGE_TENSOR // 8:
                tensor.ClearField(part)
    try:
        for _ in range(_ROUNDS):
            model = onnx.shape_inference.infer_shapes(model, check_type=False, strict_mode=False, data_prop=True)
            if not settle(model.graph):
                break
    except Exception as error:
        reason = (str(error).strip().splitlines() or [type(error).__name__])[0]
        return model, f"Shapes could not be inferred: {text(reason)}"
    return model, ""


class _Bodies:
    """The bodies of a model's functions for each kind of call, with the shapes inside."""

    def __init__(self, model: Any, onnx: Any) -> None:
        self._model, self._onnx = model, onnx
        self._known: dict[tuple[Any, ...], tuple[Sequence[Any], MutableMapping[str, Kind]]] = {}

    def body(self, function: Any, call: Any, kinds: Sequence[Kind]) -> tuple[Sequence[Any], MutableMapping[str, Kind]]:
        """The operators of a function as this call runs them, and the kinds of what passes between them."""
        given = tuple(sorted((held.name, held.SerializeToString(deterministic=True)) for held in call.attribute))
        key = (function.domain, function.name, function.overload, given, tuple(kinds))
        if key not in self._known:
            nodes = [_filled(node, function, call) for node in function.node]
            self._known[key] = nodes, self._kinds(function, nodes, kinds)
        return self._known[key]

    def _kinds(self, function: Any, nodes: Sequence[Any], kinds: Sequence[Kind]) -> dict[str, Kind]:
        onnx = self._onnx
        inputs = [_value_info(onnx, name, kind) for name, kind in zip(function.input, kinds, strict=False)]
        outputs = [onnx.ValueInfoProto(name=name) for name in function.output]
        model = onnx.helper.make_model(
            onnx.helper.make_graph(nodes, "body", inputs, outputs),
            functions=list(self._model.functions),
            opset_imports=list(function.opset_import),
            ir_version=self._model.ir_version,
        )
        graph = _inferred(model, onnx)[0].graph
        told = {held.name: kind_of(held.type) for held in function.value_info}
        return told | {held.name: kind_of(held.type) for part in (graph.value_info, graph.output) for held in part}


def _filled(node: Any, function: Any, call: Any) -> Any:
    """An operator of a function, with the call's attributes where it refers to them, or the function's own values for them."""
    if not any(held.ref_attr_name for held in node.attribute):
        return node
    offered = {held.name: held for held in function.attribute_proto} | {held.name: held for held in call.attribute}
    copy = type(node)()
    copy.CopyFrom(node)
    del copy.attribute[:]
    for held in node.attribute:
        found = offered.get(held.ref_attr_name) if held.ref_attr_name else held
        if found is not None:
            copy.attribute.add().CopyFrom(found)
            copy.attribute[-1].name = held.name
    return copy


def _value_info(onnx: Any, name: str, kind: Kind) -> Any:
    """A kind as ONNX writes it."""
    number = _numbers_of_types(onnx).get(kind.dtype)
    if not number:
        return onnx.ValueInfoProto(name=name)
    return onnx.helper.make_tensor_value_info(name, number, None if kind.shape is None else list(kind.shape))


def _numbers_of_types(onnx: Any) -> dict[str, int]:
    from pellucid.graph.importers.onnx_values import dtype_of

    return {dtype_of(number): number for number in onnx.TensorProto.DataType.values()}


def _listed(names: Sequence[str]) -> str:
    more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
    return ", ".join(f"'{name}'" for name in names[:_NAMED]) + more
