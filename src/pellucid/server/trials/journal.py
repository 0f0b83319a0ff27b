"""Responses as they come: one line a trial, on the disk before the observer goes on."""

from __future__ import annotations

import os
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

import msgspec

from pellucid.errors import DamagedError
from pellucid.record.files import settle_folder, storage_error
from pellucid.server.trials.design import Kind


class Response(msgspec.Struct, frozen=True):
    """What an observer did in one trial.

    Attributes:
        observer: code.
        trial: place in the observer's plan, from 0.
        response: the chosen category; None where nothing was chosen in time, or the observer could not tell.
        seconds: from the first frame of the choices (of the picture, in plain labelling) to the answer.
        by: what the answer was given with.
        fixation, shown, mask: real durations in ms, measured from frame to frame; None where there was no such step.
        frame: time between two frames of the screen, ms.
        dropped: frames that came late while fixation, picture and mask were shown.
        left: whether the window was left during the trial.
    """

    observer: str
    trial: int
    kind: Kind
    block: int
    example: str
    category: str
    condition: str
    response: str | None
    seconds: float | None
    by: Literal["key", "mouse", "touch"] | None
    fixation: float | None
    shown: float | None
    mask: float | None
    frame: float | None
    dropped: int
    left: bool


class Journal:
    """A file that only grows: `append` returns when the disk has the response.

    A process that was killed may leave half a line, of a response that was never acknowledged; it is cut off here.
    """

    def __init__(self, path: Path) -> None:
        """Opens or begins the file. Raises: DamagedError: a line is no response. StorageError."""
        self._path = path
        self._lock = threading.Lock()
        self.responses: list[Response] = []
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._descriptor = os.open(path, os.O_RDWR | os.O_CREAT | getattr(os, "O_BINARY", 0), 0o644)
            content = path.read_bytes()
            whole = content.rfind(b"\n") + 1
            self.responses += read_responses(content[:whole], path)
            if whole < len(content):
                os.ftruncate(self._descriptor, whole)
                os.fsync(self._descriptor)
            self._length = whole
            settle_folder(path.parent)
        except OSError as error:
            raise storage_error(path, 0, error) from error

    def append(self, response: Response) -> None:
        """Keeps a response for good. Raises: StorageError: the disk refuses; the file is what it was."""
        line = msgspec.json.encode(response) + b"\n"
        with self._lock:
            try:
                os.lseek(self._descriptor, self._length, os.SEEK_SET)
                _write_all(self._descriptor, line)
                os.fsync(self._descriptor)
            except OSError as error:
                self._restore()
                raise storage_error(self._path, len(line), error) from error
            self._length += len(line)
            self.responses.append(response)

    def close(self) -> None:
        """Closes the file; once is enough."""
        with self._lock:
            if self._descriptor >= 0:
                os.close(self._descriptor)
                self._descriptor = -1

    def _restore(self) -> None:
        try:
            os.ftruncate(self._descriptor, self._length)
        except OSError:
            return  # the next response is written over it all the same


def read_responses(content: bytes, path: Path) -> list[Response]:
    """Responses of whole lines. Raises: DamagedError: one is none."""
    found = []
    for number, line in enumerate(content.splitlines(), start=1):
        try:
            found.append(msgspec.json.decode(line, type=Response))
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise DamagedError(
                f"Line {number} of {path} is no response ({error}). The file was altered: restore it from a copy."
            ) from error
    return found


def whole_lines(path: Path) -> Sequence[Response]:
    """What a journal holds by now, without opening it for writing; empty where there is none. Raises: DamagedError."""
    content = path.read_bytes() if path.is_file() else b""
    return read_responses(content[: content.rfind(b"\n") + 1], path)


def _write_all(descriptor: int, content: bytes) -> None:
    while content:
        content = content[os.write(descriptor, content) :]
