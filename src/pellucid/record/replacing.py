"""A record that is made at one go: at its place when it is whole, and until then whatever was there before."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import msgspec

from pellucid.errors import PellucidError, StorageError
from pellucid.record import folder, schema
from pellucid.record.lock import Lock
from pellucid.record.manifest import read_manifest
from pellucid.record.writer import Writer

BESIDE = ".replacement"
"""Folder within a record where the one that takes its place is written."""


@contextmanager
def made(path: Path, manifest: schema.Manifest, *, overwrite: bool = False) -> Iterator[Writer]:
    """A writer whose record is sealed when the block ends.

        with made(path, schema.Manifest(title="digits")) as writer:
            writer.write_panel(panel)

    Where no record is, it is written at its place: a refusal leaves nothing behind, and what had been finished before a kill, a
    full disk or an error that nobody foresaw can be read. Where one is, the new one is written within it and takes its place at
    the end: any error, a kill or Ctrl-C before leaves the old one as it was.

    Args:
        path: the record's folder.
        manifest: what is known of the new record.
        overwrite: replace a record that is there; see `Writer.create`.

    Raises: RecordError: what is there must not be replaced. StorageError.
    """
    if (path / folder.MANIFEST).exists():
        with _beside(path, manifest, overwrite=overwrite) as writer:
            yield writer
        return
    new = not path.exists()
    writer = Writer.create(path, manifest)
    try:
        with writer, writer.sealing():
            yield writer
    except StorageError:
        raise  # what was finished may be worth hours
    except PellucidError:
        _withdraw(path, new=new)
        raise


@contextmanager
def _beside(path: Path, manifest: schema.Manifest, *, overwrite: bool) -> Iterator[Writer]:
    lock, beside = Lock(path), path / BESIDE
    try:
        _check_replaceable(path, manifest, overwrite=overwrite)
        shutil.rmtree(beside, ignore_errors=True)  # of a process that was killed
        writer = Writer.create(beside, msgspec.structs.replace(manifest))
        with writer, writer.sealing():
            yield writer
        Writer.take_over(path, writer, lock, overwrite=overwrite)
    finally:
        shutil.rmtree(beside, ignore_errors=True)
        lock.release()


def _check_replaceable(root: Path, manifest: schema.Manifest, *, overwrite: bool) -> None:
    """Before anything is made, the new record is held against what is there. Raises: RecordError: it must not take its place."""
    if overwrite:
        folder.refuse_human(root)
        return
    present = read_manifest(root)
    if manifest.watched or not folder.only_training(present):
        raise folder.there_already(root, present)


def _withdraw(path: Path, *, new: bool) -> None:
    """Takes back what was begun where nothing was."""
    folder.clear(path, training=True)
    (path / folder.MANIFEST).unlink(missing_ok=True)
    if new:
        with suppress(OSError):  # somebody has put something there
            path.rmdir()
