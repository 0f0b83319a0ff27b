"""One writer at a time: a lock on `writer.lock` that the system lets go of when its process ends, however it ends."""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path

from pellucid.errors import RecordError
from pellucid.record.files import storage_error

NAME = "writer.lock"

# Locks of this process: the system's are between processes only, and closing any handle of the file drops them.
_held: set[Path] = set()
_ATTEMPTS = 5


class Lock:
    """Holds a record for one writer; `release` lets go. The file holds the writer's process id, for people."""

    def __init__(self, root: Path) -> None:
        """Takes the lock.

        Raises: RecordError: another writer has it.
        """
        self._path = root.resolve() / NAME
        self._descriptor: int | None = None
        if self._path in _held:
            raise _taken(root, os.getpid())
        for attempt in range(_ATTEMPTS):
            descriptor = self._opened()
            # The file may have been removed between opening and locking, by a writer that just ended.
            if _try_lock(descriptor) and _same_file(descriptor, self._path):
                os.ftruncate(descriptor, 0)
                os.write(descriptor, f"{os.getpid()}\n".encode())
                self._descriptor = descriptor
                _held.add(self._path)
                return
            pid = os.pread(descriptor, 32, 0) if hasattr(os, "pread") else b""
            os.close(descriptor)
            if attempt + 1 < _ATTEMPTS:
                time.sleep(0.02)  # a reader that asks `is_held` has it for an instant
        raise _taken(root, int(pid) if pid.strip().isdigit() else None)

    def release(self) -> None:
        """Lets go and removes the file; once is enough."""
        if self._descriptor is None:
            return
        if os.name != "nt":
            self._path.unlink(missing_ok=True)
        os.close(self._descriptor)
        if os.name == "nt":
            self._path.unlink(missing_ok=True)
        self._descriptor = None
        _held.discard(self._path)

    def _opened(self) -> int:
        try:
            return os.open(self._path, os.O_RDWR | os.O_CREAT, 0o644)
        except OSError as error:
            raise storage_error(self._path, 0, error) from error


def is_held(root: Path) -> bool:
    """Whether a living writer is at work on the record. A file that a killed writer left behind does not count."""
    path = root.resolve() / NAME
    if path in _held:
        return True
    try:
        descriptor = os.open(path, os.O_RDWR if sys.platform == "win32" else os.O_RDONLY)
    except OSError:
        return False
    try:
        return not _try_lock(descriptor, shared=True)
    finally:
        os.close(descriptor)


def _taken(root: Path, pid: int | None) -> RecordError:
    who = "another process" if pid is None else f"process {pid}"
    return RecordError(f"{root} is being written by {who}. Wait until it ends, or choose another path.")


def _same_file(descriptor: int, path: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(descriptor), path.stat())
    except FileNotFoundError:
        return False


def _try_lock(descriptor: int, *, shared: bool = False) -> bool:
    if sys.platform == "win32":
        import msvcrt

        try:
            os.lseek(descriptor, 1 << 20, os.SEEK_SET)  # far past the text, which stays readable
            msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)
            os.lseek(descriptor, 0, os.SEEK_SET)
        except OSError:
            return False
        return True
    import fcntl

    # Record locks, not flock: a forked data loader worker that outlives a killed writer does not inherit them.
    try:
        fcntl.lockf(descriptor, (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | fcntl.LOCK_NB)
    except OSError:
        return False
    return True
