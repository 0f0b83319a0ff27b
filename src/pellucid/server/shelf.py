"""The record that a server shows, kept up with its writer, and what of it can be read when a part is damaged."""

from __future__ import annotations

import threading
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

import msgspec

from pellucid.errors import DamagedError, RecordError
from pellucid.record import Record, schema
from pellucid.record.folder import MANIFEST, training_path
from pellucid.record.tables import checked_examples, checked_training, empty_examples, empty_training
from pellucid.server.answers import sha256_of
from pellucid.server.questions import LARGE

if TYPE_CHECKING:
    import pyarrow as pa

Stamp: TypeAlias = tuple[int, int, int, str]


class Shelf:
    """Holds one record; every question to it sees what its writer has finished by then.

    Attributes:
        shown: stamp of the manifest that a page was last given.
    """

    def __init__(self, path: str | Path) -> None:
        """Opens the record. Raises: RecordError, SchemaError, DamagedError: as `Record`."""
        self._lock = threading.Lock()
        self._record = Record(path)
        self._seen: tuple[int, int, int] | None = None
        self.shown: Stamp | None = None

    def record(self) -> Record:
        """The record as it is now. Raises: RecordError: it was removed; DamagedError: its manifest was altered."""
        with self._lock:
            stamp = self._file_stamp()
            if stamp != self._seen:
                self._record.refresh()
                self._seen = stamp
            return self._record

    def stamp(self) -> Stamp:
        """Changes whenever the manifest does, and when a writer is gone without a word."""
        return *self._file_stamp(), self.record().state

    def manifest(self) -> schema.Manifest:
        """The manifest with the true state: one that is running while nobody writes was interrupted."""
        self.shown = self.stamp()  # before reading: what is written in between is told as news
        record = self.record()
        return msgspec.structs.replace(record.manifest, state=record.state)

    def sha256(self, path: str) -> str | None:
        """The SHA-256 of a finished file; None where the record lists no such file."""
        return next((entry.sha256 for entry in self.record().manifest.files if entry.path == path), None)

    def training_parts(self) -> int:
        """How many training parts are finished without a gap."""
        listed = {entry.path for entry in self.record().manifest.files}
        number = 0
        while training_path(number) in listed:
            number += 1
        return number

    # --- what can be read -------------------------------------------------------------------------------------

    def examples(self) -> tuple[pa.Table, str]:
        """The examples table, without the parts that are damaged, and a SHA-256 of what it was made from."""
        record = self.record()
        digest = sha256_of(*(f"{entry.path} {entry.sha256}" for entry in _parts(record)))
        try:
            return record.examples(), digest
        except DamagedError:
            import pyarrow as pa

            whole = [table for table, _ in map(partial(_read_part, record), _parts(record)) if table is not None]
            readable = pa.concat_tables(whole, promote_options="permissive") if whole else empty_examples()
            return readable, sha256_of(digest, str(readable.num_rows))

    def training(self, cursor: int) -> tuple[pa.Table, int]:
        """Rows of the training parts numbered `cursor` and above, without those that are damaged; the next cursor."""
        record = self.record()
        try:
            return record.training(cursor)
        except DamagedError:
            import pyarrow as pa

            end = self.training_parts()
            whole = [empty_training()]
            for number in range(cursor, end):
                try:
                    whole.append(checked_training(record.table(training_path(number))))
                except (RecordError, ValueError):
                    continue  # the next ones may still be whole; `pellucid show --verify` names this one
            return pa.concat_tables(whole), end

    def summary(self) -> schema.Summary:
        """The main numbers and findings; where files are damaged, of the others, with a finding that says so."""
        record = self.record()
        problems = _problems(record)
        if not problems:
            return record.summary()
        panels: dict[str, schema.Panel] = {}
        for name in record.panels:
            try:
                panels[name] = record.panel(name)
            except RecordError:
                continue  # among the problems
        damaged = [
            schema.Finding(kind="damaged-file", severity="high", sentence=problem, count=1, page="overview", weight=1.0)
            for problem in problems
        ]
        accuracy, loss = panels.get("accuracy"), panels.get("loss")
        known_accuracy = accuracy if isinstance(accuracy, schema.AccuracyPanel) else None
        known_loss = loss if isinstance(loss, schema.LossPanel) else None
        order = ("high", "medium", "low", "info")
        found = [finding for panel in panels.values() for finding in panel.findings]
        return schema.Summary(
            record=record.path.resolve().name,
            title=record.manifest.title,
            state=record.state,
            examples=record.manifest.examples,
            skipped=len(record.manifest.skipped),
            nonfinite=record.manifest.nonfinite,
            accuracy=known_accuracy.accuracy if known_accuracy else None,
            accuracy_interval=known_accuracy.interval if known_accuracy else None,
            mean_loss=known_loss.mean if known_loss else None,
            loss=known_loss.name if known_loss else None,
            passes=record.manifest.stages,
            findings=damaged + sorted(found, key=lambda one: (order.index(one.severity), -one.weight)),
            panels=list(panels),
            watched=record.manifest.watched,
        )

    def _file_stamp(self) -> tuple[int, int, int]:
        try:
            status = (self._record.path / MANIFEST).stat()
        except OSError as error:
            raise RecordError(
                f"The record {self._record.path} is gone: {error.strerror or error}. Put it back, or open another."
            ) from error
        return status.st_mtime_ns, status.st_size, status.st_ino


def _parts(record: Record) -> list[schema.FileRef]:
    entries = (entry for entry in record.manifest.files if entry.path.startswith("examples/"))
    return sorted(entries, key=lambda entry: entry.path)


def _read_part(record: Record, entry: schema.FileRef) -> tuple[pa.Table | None, str | None]:
    """A part of the examples table, or what is wrong with it."""
    try:
        return checked_examples(record.table(entry.path), entry.path), None
    except RecordError as error:
        return None, str(error)


def _problems(record: Record) -> list[str]:
    """What is damaged among panels and parts of the examples table."""
    problems = []
    for name in record.panels:
        try:
            record.panel(name)
        except RecordError as error:
            problems.append(str(error))
    if record.manifest.examples > LARGE:
        return problems  # read part by part when questions are asked; what is damaged is told then
    try:
        record.examples()
    except DamagedError as error:
        found = [problem for _, problem in map(partial(_read_part, record), _parts(record)) if problem is not None]
        problems += found or [str(error)]
    return problems
