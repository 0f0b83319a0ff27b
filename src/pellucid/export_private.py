"""What an exported file keeps to itself: where on its maker's machine things lie."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path, PurePosixPath, PureWindowsPath

import msgspec

from pellucid.record import Record, schema


def folders_of(record: Record) -> list[str]:
    """Folders that a record names, each with its separator, the longest first, and where the record and its maker's home lie."""
    found = {folder for text in _named(record) if (folder := _folder(text))}
    return sorted(found, key=lambda one: (-len(one), one))


def without_folders(content: bytes, folders: list[str]) -> bytes:
    """JSON without these folders: of what lies in them the name is left."""
    for folder in folders:
        content = content.replace(msgspec.json.encode(folder)[1:-1], b"")
    return content


def _named(record: Record) -> Iterator[str]:
    manifest = record.manifest
    yield str(record.path.resolve())
    with suppress(RuntimeError):  # nobody's home
        yield str(Path.home() / "one")
    if manifest.model is not None:
        yield from (manifest.model.source, manifest.model.weights)
    if manifest.saved is not None:
        yield manifest.saved.source
    if manifest.data is not None:
        yield manifest.data.source
    for option in manifest.options.values():
        yield from [option] if isinstance(option, str) else option if isinstance(option, list) else []
    if "fit" in record.panels and isinstance(panel := record.panel("fit"), schema.FitPanel):
        yield from (panel.model, panel.data, panel.reference)


def _folder(text: str) -> str:
    """The folder of an absolute path, with its separator; "" of what is none, and where it is the root."""
    if not (PurePosixPath(text).is_absolute() or PureWindowsPath(text).is_absolute()):
        return ""
    whole = text.rstrip("/\\")
    folder = whole[: max(whole.rfind("/"), whole.rfind("\\")) + 1]
    return folder if re.search(r"[^/\\:]{2}", folder) else ""
