"""Graphs from files that list operations or weights: ONNX, programs of torch.export, safetensors.

    graph = read_graph("model.onnx")

Nothing is run, and no weights are loaded. What a file is follows from what it holds, then from its suffix.
"""

from __future__ import annotations

import contextlib
import gc
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from pellucid.errors import ModelError

if TYPE_CHECKING:
    from pellucid.graph.structure import Graph

__all__ = ["is_graph_file", "read_graph"]

_INDEX = ".safetensors.index.json"
_PICKLED = (".pt", ".pth", ".ckpt", ".bin")
_SUFFIXES = (".onnx", ".pt2", ".safetensors", *_PICKLED)


def is_graph_file(spec: str) -> bool:
    """Whether a name means a file that `read_graph` is for, or has the right words for: by its suffix, or its content."""
    if spec.lower().endswith((*_SUFFIXES, _INDEX)):
        return True
    try:
        return Path(spec).is_file() and _format(Path(spec)) not in (None, "keras")
    except (OSError, ValueError):
        return False


def read_graph(path: str | Path, *, trust: bool = False) -> Graph:
    """The graph that a file holds; `backend` is "file", and `backend_reason` says what the file does not tell.

    Args:
        path: .onnx, .pt2 (torch.export.save), .safetensors, or a model.safetensors.index.json.
        trust: open a program of torch.export, which unpickles. It can do anything that you can.

    Raises: ModelError: no such file, another format, damaged. TrustError: a program, without `trust`. MissingExtraError.
    """
    path = Path(path)
    try:
        there = path.is_file()
    except (OSError, ValueError):
        there = False
    if not there:
        what = "is a folder, not a file" if path.is_dir() else "does not exist"
        raise ModelError(f"{path} {what}. Expected {_expected()}.")
    with _all_kept():
        return _read(path, trust=trust)


@contextlib.contextmanager
def _all_kept() -> Iterator[None]:
    """Looks for no garbage meanwhile: everything that is made is part of the graph, and looking doubles the time."""
    collects = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if collects:
            gc.enable()


def _read(path: Path, *, trust: bool) -> Graph:
    match _format(path):
        case "onnx":
            from pellucid.graph.importers.onnx import read_onnx

            return read_onnx(path)
        case "program":
            from pellucid.graph.importers.exported import read_program

            return read_program(path, trust=trust)
        case "safetensors":
            from pellucid.graph.importers.safetensors import read_safetensors

            return read_safetensors(path)
        case "index":
            from pellucid.graph.importers.safetensors import read_index

            return read_index(path)
        case "pickle":
            raise ModelError(
                f"{path} was written by torch.save: weights, or a module that only its own code can open. It does not say "
                "how they are connected. Name the code that builds the model and give it the weights (pellucid graph "
                f"file.py:function --weights {path}), or save the program itself (torch.export.save, torch.onnx.export)."
            )
        case "keras":
            raise ModelError(f"{path} is a model of Keras, which is built and traced. Open it as 'keras:{path}'.")
        case _:
            raise ModelError(f"{path} is of no format that is known here. Expected {_expected()}.")


def _format(path: Path) -> str | None:
    """What a file is, by what it begins with and by its name."""
    name = path.name.lower()
    try:
        with path.open("rb") as stream:
            begins = stream.read(16)
    except OSError as error:
        raise ModelError(f"{path} cannot be read: {error.strerror or error}.") from error
    if name.endswith(_INDEX):
        return "index"
    if name.endswith(".safetensors") or (len(begins) > 8 and begins[7] == 0 and begins[8:9] == b"{"):
        return "safetensors"
    if begins[:4] == b"PK\x03\x04":
        return _zipped(path)
    if name.endswith(".onnx"):
        return "onnx"
    if name.endswith(_PICKLED) or (begins[:1] == b"\x80" and begins[1:2] in b"\x02\x03\x04\x05"):
        return "pickle"
    # The first field of an ONNX model, its version of the format: a small number.
    return "onnx" if begins[:1] == b"\x08" and begins[1:3] > b"\0" and begins[1] < 64 else None


def _zipped(path: Path) -> str | None:
    """What a zip archive is: torch.save and torch.export.save both write one."""
    try:
        with zipfile.ZipFile(path) as archive:
            inside = [entry.partition("/")[2] or entry for entry in archive.namelist()]
    except (zipfile.BadZipFile, OSError, ValueError) as error:
        raise ModelError(f"{path} is a damaged archive: {error}. Was it downloaded whole?") from error
    if any(entry.endswith(".keras") or entry == "model.weights.h5" for entry in inside):
        return "keras"
    if (
        "archive_format" in inside
        or "serialized_exported_program.json" in inside
        or any(entry.startswith("models/") and entry.endswith(".json") for entry in inside)
    ):
        return "program"
    if "data.pkl" in inside:
        return "pickle"
    return None


def _expected() -> str:
    return f"an ONNX model (.onnx), a program of torch.export (.pt2), .safetensors or a model{_INDEX}"
