"""Files of a record: names that stay inside it, writes that are whole or absent, reads that are checked.

A file is written under a temporary name in its own folder, flushed to the disk, and renamed: whoever looks sees the
whole file or none.
"""

from __future__ import annotations

import hashlib
import os
import re
import shutil
from pathlib import Path

from pellucid.errors import DamagedError, RecordError, StorageError

TEMPORARY = ".partial"

_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.\-]*\Z")
_MEDIA = re.compile(r"[0-9a-f]{64}\.[a-z0-9]{1,5}\Z")


def checked_name(name: str, what: str) -> str:
    """The name, if it can be a file's name anywhere: letters, digits, `_`, `.`, `-`, not starting with a dot.

    Raises: RecordError: it cannot.
    """
    if not _NAME.match(name) or len(name) > 128:
        raise RecordError(
            f"The name of a {what} must be at most 128 letters, digits, '_', '-' and '.', starting with none of the "
            f"last two; got {name!r}. Rename it."
        )
    return name


def checked_media_name(name: str) -> str:
    """The name, if it is one of a media file: 64 hexadecimal digits, a dot, an extension.

    Raises: RecordError: it is not.
    """
    if not _MEDIA.match(name):
        raise RecordError(f"A media file is named '<sha256>.<ext>'; got {name!r}.")
    return name


def located(root: Path, relative: str) -> Path:
    """Where a path inside the record lies on disk, symbolic links followed.

    Raises: DamagedError: it is absolute, climbs out with "..", or a link leads out of the record.
    """
    pieces = relative.split("/")
    if not relative or any(not _NAME.match(piece) for piece in pieces):
        raise DamagedError(
            f"A path inside a record is made of plain names; {root} lists {relative!r}. "
            "The record was altered: do not trust it, make it again."
        )
    path = root.joinpath(*pieces)
    if not path.resolve().is_relative_to(root.resolve()):
        raise DamagedError(
            f"{path} leads out of the record {root}, to {path.resolve()}. Replace the link with the file it means."
        )
    return path


def sha256(content: bytes) -> str:
    """SHA-256 of the bytes, in hexadecimal."""
    return hashlib.sha256(content).hexdigest()


def put(path: Path, content: bytes, *, durable: bool = True) -> None:
    """Writes a file so that it is there whole or not at all.

    Unless `durable`, it does not wait until the disk has it: a power cut, but no kill, may then leave it empty.
    `settle` waits later.

    Raises: StorageError: the disk is full or refuses; nothing is left behind.
    """
    partial = path.with_name(f".{path.name}{TEMPORARY}")
    try:
        if not path.parent.is_dir():
            path.parent.mkdir(parents=True, exist_ok=True)
        with partial.open("wb") as stream:
            stream.write(content)
            if durable:
                stream.flush()
                os.fsync(stream.fileno())
        partial.replace(path)
        if durable:
            settle_folder(path.parent)
    except OSError as error:
        _discard(partial)
        raise storage_error(path, len(content), error) from error
    except BaseException:
        _discard(partial)
        raise


def settle(path: Path) -> None:
    """Waits until the disk has a file that was put there without waiting."""
    descriptor = os.open(path, os.O_RDWR if os.name == "nt" else os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def settle_folder(folder: Path) -> None:
    """Waits until the disk has a folder's list of names; nothing to do on Windows, which has no such call."""
    if os.name != "nt":
        settle(folder)


def storage_error(path: Path, needed: int, error: OSError) -> StorageError:
    """The refusal of a disk in words: which file, how large, how much is free, what to do."""
    folder = next((parent for parent in path.parents if parent.exists()), Path())
    try:
        free = f"{shutil.disk_usage(folder).free:,} bytes are free on its disk"
    except OSError:
        free = "how much is free on its disk cannot be told"
    return StorageError(
        f"Could not write {path} ({needed:,} bytes): {error.strerror or error}; {free}. What was finished before is "
        "kept. Make room or allow writing there, then try again (an inspection goes on with --resume)."
    )


def _discard(path: Path) -> None:
    try:
        path.unlink(missing_ok=True)
    except OSError:
        # The disk refuses even that; the name says that it is a leftover and the next writer removes it.
        return
