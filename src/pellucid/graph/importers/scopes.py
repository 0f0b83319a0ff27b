"""The modules that an operation lies in, as the names tell that exporters write."""

from __future__ import annotations

import ast
import re
from collections.abc import Sequence
from functools import lru_cache

from pellucid.graph.importers.building import Scope, text

# Beyond this, metadata is not what an exporter writes.
_LONGEST_METADATA = 20_000
_LINE = re.compile(r'File "([^"\n]{1,1000})", line (\d{1,9})')


@lru_cache(maxsize=4096)
def nested(pieces: tuple[str, ...]) -> tuple[Scope, ...]:
    """Scopes from the pieces of a name: ("layer1", "layer1.0", "conv1") are layer1, layer1.0 and layer1.0.conv1."""
    scopes: list[Scope] = []
    above, last = "", ""
    for piece in map(text, pieces):
        # What a container holds is named with the container's own name once more.
        inside = piece[len(last) + 1 :] if last and piece.startswith(f"{last}.") else piece
        above = f"{above}.{inside}" if above else inside
        scopes.append(Scope(text(above, 1000)))
        last = piece
    return tuple(scopes)


@lru_cache(maxsize=4096)
def listed(name_scopes: str, classes: str) -> tuple[Scope, ...] | None:
    """Scopes from the metadata of torch's exporter: two lists, of paths and of classes, the operation last."""
    paths, kinds = _strings(name_scopes), _strings(classes)
    if paths is None or len(paths) < 1:
        return None
    kinds = kinds if kinds is not None and len(kinds) == len(paths) else [""] * len(paths)
    return tuple(
        Scope(text(path, 1000), text(kind.rpartition(".")[2]) or "Module")
        for path, kind in zip(paths[:-1], kinds[:-1], strict=True)
        if path
    )


@lru_cache(maxsize=4096)
def split(name: str, operation: str) -> tuple[tuple[str, ...], str]:
    """The pieces of an operation's name that are scopes, and what names the operation itself; "" where its kind does."""
    pieces = [piece for piece in name.split("/") if piece]
    if not pieces:
        return (), ""
    own = "" if _says_nothing(pieces[-1], operation) else pieces[-1]
    return tuple(pieces[:-1]), own


def _says_nothing(piece: str, operation: str) -> bool:
    """Whether a name was made up from the operation and a number: "Conv_12", "node_Conv_292", "p2o.Conv.3", "n7"."""
    words = [word for word in re.split(r"[\W_]+", piece[:200].lower()) if word and not word.isdigit()]
    made_up = {operation.lower(), "node", "n", "op", "p2o", "onnx"}
    return all(word in made_up or re.fullmatch(r"(n|node|op)\d+", word) for word in words)


def source_line(trace: str) -> str | None:
    """File name and line of the innermost call of the user's in a stack trace, without folders."""
    # Code that a tracer has written is in no file: "<eval_with_key>.48".
    lines = [line for line in _LINE.findall(trace[-_LONGEST_METADATA:]) if not line[0].startswith("<")]
    own = [line for line in lines if "/torch/nn/" not in line[0].replace("\\", "/")] or lines
    if not own:
        return None
    file, number = own[-1]
    name = file.replace("\\", "/").rpartition("/")[2]
    return f"{text(name, 100)}:{number}"


def _strings(written: str) -> Sequence[str] | None:
    """A list of strings that Python wrote."""
    if len(written) > _LONGEST_METADATA:
        return None
    try:
        held = ast.literal_eval(written)
    except (ValueError, SyntaxError, MemoryError, RecursionError):
        return None
    return held if isinstance(held, list) and all(isinstance(one, str) for one in held) else None
