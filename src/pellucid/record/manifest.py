"""Reading the manifest: what a folder claims to be, checked before anything else of it is believed."""

from __future__ import annotations

from pathlib import Path

import msgspec

from pellucid.errors import DamagedError, RecordError, SchemaError
from pellucid.record import schema

_LARGEST = 1 << 28  # bytes; a manifest lists at most some thousands of files


class _Version(msgspec.Struct):
    """The one field that every schema has; no default, so that a file without it is no manifest."""

    schema_version: int


def read_manifest(root: Path) -> schema.Manifest:
    """The manifest of the record at a folder.

    Raises:
        RecordError: there is no record.
        SchemaError: its schema is newer than this pellucid reads.
        DamagedError: it is truncated, altered, or not what the schema says.
    """
    return manifest_of(manifest_bytes(root), root)


def manifest_bytes(root: Path) -> bytes:
    """What the manifest's file holds. Raises: RecordError: there is no record. DamagedError: no manifest is that large."""
    path = root / "manifest.json"
    try:
        size = path.stat().st_size
        if size <= _LARGEST:
            return path.read_bytes()
    except (FileNotFoundError, NotADirectoryError) as error:
        raise RecordError(
            f"There is no record at {root}: a record is a folder that holds manifest.json. Make one: pellucid inspect "
            f"MODEL --data DATA --out {root}"
        ) from error
    except OSError as error:
        raise RecordError(f"Could not read {path}: {error.strerror or error}.") from error
    raise DamagedError(f"{path} has {size:,} bytes; a manifest has at most {_LARGEST:,}. This is no pellucid record.")


def manifest_of(content: bytes, root: Path) -> schema.Manifest:
    """The manifest that a file at a folder holds. Raises: SchemaError, DamagedError: as `read_manifest`."""
    try:
        version = msgspec.json.decode(content, type=_Version).schema_version
        if version > schema.SCHEMA_VERSION:
            raise SchemaError(
                f"{root} was written with record schema {version}; this pellucid reads schemas up to "
                f"{schema.SCHEMA_VERSION}. Update it: pip install --upgrade pellucid"
            )
        return msgspec.json.decode(content, type=schema.Manifest)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise DamagedError(
            f"{root / 'manifest.json'} is truncated or altered: {error}. Restore it from a copy, or make the record "
            "again in its place (--overwrite; overwrite=True)."
        ) from error
