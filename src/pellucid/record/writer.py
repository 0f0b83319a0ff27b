"""Writing a record: append-only, every file whole or absent, the manifest last.

A file counts once the manifest lists it, so a process killed at any moment leaves a record that is readable up to
the last thing it finished. Pictures are named by their content and need no listing.
"""

from __future__ import annotations

import datetime
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Self

import msgspec

from pellucid.errors import RecordError, StorageError
from pellucid.record import files, folder, schema, tables
from pellucid.record.encoding import Arrays, LensState, focus_bytes, safetensors_bytes, state_json
from pellucid.record.lock import Lock
from pellucid.record.manifest import read_manifest
from pellucid.record.older import CHANGED
from pellucid.record.recovery import recover

if TYPE_CHECKING:
    import pyarrow as pa

_FOCUS_BATCH = 32
_FLUSH_THREADS = 8


class Writer:
    """Writes one record; holds its lock until `finish` or `close`.

        with Writer.create(path, schema.Manifest(title="digits")) as writer, writer.sealing():
            writer.write_part(0, table, {"loss": (state, arrays)})
            writer.write_panel(panel)

    Attributes:
        path: the record's folder.
        manifest: as it stands; change it through `update`, or in place before the next write.
    """

    def __init__(self, path: Path, manifest: schema.Manifest, lock: Lock) -> None:
        """Use `create` or `open`."""
        self.path = path
        self.manifest = manifest
        self._lock = lock
        self._listed = {entry.path: entry for entry in manifest.files}
        self._unlisted: list[schema.FileRef] = []
        self._unsettled: list[Path] = []
        self._media: set[str] = set()

    @classmethod
    def create(
        cls, path: str | Path, manifest: schema.Manifest, *, resume: bool = False, overwrite: bool = False
    ) -> Writer:
        """Begins a record, or goes on with one.

        A record that holds only what a Watch saw is completed. Parts that a crash damaged are dropped on resuming, so
        that they are made again.

        Args:
            path: the record's folder; may be missing or empty.
            manifest: what is known of the new record. Where one is resumed, its own manifest counts instead.
            resume: go on with a record that is there; begins one where there is none.
            overwrite: replace a record that is there. What a Watch saw is kept, unless the new record is a Watch's.

        Raises:
            RecordError: something else is there, or another writer is at work.
            StorageError: the disk is full or refuses.
        """
        root = Path(path)
        folder.make_folder(root)
        lock = Lock(root)
        try:
            writer = cls._created(root, manifest, lock, resume=resume, overwrite=overwrite)
        except BaseException:
            lock.release()
            raise
        return writer

    @classmethod
    def open(cls, path: str | Path) -> Writer:
        """Goes on with a record that is there. Raises: RecordError: there is none, or another writer is at work."""
        root = Path(path)
        read_manifest(root)
        return cls.create(root, schema.Manifest(), resume=True)

    @classmethod
    def _created(cls, root: Path, manifest: schema.Manifest, lock: Lock, *, resume: bool, overwrite: bool) -> Writer:
        if not (root / folder.MANIFEST).exists():
            folder.refuse_strangers(root)
            return cls._begun(root, manifest, lock, kept=[])
        if overwrite and not resume:
            try:
                present = read_manifest(root)
            except RecordError:
                present = schema.Manifest()  # damaged or newer: nothing of it can be kept
            folder.refuse_human(root)
            kept = [] if manifest.watched else folder.of_training(present)
            manifest.watched = manifest.watched or bool(kept)
            writer = cls._begun(root, manifest, lock, kept=kept)
            folder.clear(root, training=not kept)
            return writer
        present = read_manifest(root)
        if not manifest.watched and folder.only_training(present):
            manifest.watched = True
            manifest.created = present.created
            manifest.title = manifest.title or present.title
            return cls._begun(root, manifest, lock, kept=folder.of_training(present))
        if resume:
            recover(root, present)
            writer = cls(root, present, lock)
            writer._bring_up()
            return writer
        raise folder.there_already(root, present)

    @classmethod
    def take_over(cls, root: Path, finished: Writer, lock: Lock, *, overwrite: bool) -> None:
        """Puts a finished record in the place of the one that is there, by moving its files.

        Args:
            root: the folder of the one that is there; what a Watch saw stays.
            finished: the new one, in a folder on the same disk; sealed.
            lock: of `root`.
            overwrite: as for `create`.

        Raises: RecordError, StorageError.
        """
        state = finished.manifest.state
        manifest = msgspec.structs.replace(finished.manifest, state="running")
        writer = cls._created(root, manifest, lock, resume=False, overwrite=overwrite)
        try:
            folder.move(finished.path, root)
        except OSError as error:
            raise files.storage_error(root, 0, error) from error
        writer._unlisted += finished._listed.values()
        writer.finish(state)

    @classmethod
    def _begun(cls, root: Path, manifest: schema.Manifest, lock: Lock, kept: list[schema.FileRef]) -> Writer:
        manifest.files = kept
        manifest.created = manifest.created or _now()
        writer = cls(root, manifest, lock)
        writer._flush()
        return writer

    def _bring_up(self) -> None:
        """Writes anew what an older version of the format says otherwise, for what comes beside it is of this one."""
        if self.manifest.schema_version == schema.SCHEMA_VERSION:
            return
        from pellucid.record.reader import Record

        paths = {name: path for name in CHANGED if (path := f"panels/{name}.json") in self._listed}
        contents = {path: msgspec.json.encode(Record(self.path).panel(name)) for name, path in paths.items()}
        self.manifest.schema_version = schema.SCHEMA_VERSION
        # Together: the new version's manifest lists none of the old bytes.
        self._write(contents)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    # --- what is there ----------------------------------------------------------------------------------------

    @property
    def parts(self) -> int:
        """How many parts of the examples table are finished without a gap; the number of the next one."""
        return folder.parts_in(self._listed)

    def state(self, index: int, lens: str) -> LensState:
        """A lens's state over one finished part, as it was given to `write_part`.

        Raises: RecordError: the part is not finished or the lens was not in it.
        """
        from pellucid.record.reader import Record

        return Record(self.path).state_of(index, lens)

    # --- writing ----------------------------------------------------------------------------------------------

    def write_part(self, index: int, table: pa.Table, state: Mapping[str, LensState]) -> None:
        """Finishes a part: its rows of the examples table, and every lens's state over those rows alone.

        Args:
            index: number of the part, `parts` as a rule.
            table: the columns of docs/format.md, then those that came along.
            state: by lens; the first of the pair is plain JSON without NaN or infinity, the second NumPy arrays.

        Raises:
            RecordError: the part is finished already, the table lacks a column, or a state does not fit in JSON.
            StorageError: the disk is full or refuses; the part is there whole or not at all.
        """
        path = folder.part_path(index)
        if path in self._listed:
            raise RecordError(f"Part {index} of {self.path} is finished already; the next one is {self.parts}.")
        checked = tables.checked_examples(table, f"part {index} of the examples table")
        contents: dict[str, bytes] = {}
        for lens, (values, arrays) in state.items():
            stem = f"state/part-{index:06d}/{files.checked_name(lens, 'lens')}"
            contents[f"{stem}.json"] = state_json(lens, values)
            contents[f"{stem}.safetensors"] = safetensors_bytes(arrays)
        contents[path] = tables.parquet_bytes(checked)
        self._write(contents, {path: checked.num_rows})

    def write_panel(self, panel: schema.Panel, arrays: Arrays | None = None, *, name: str | None = None) -> None:
        """Writes a lens's answer; an earlier one of the same name is replaced.

        Args:
            panel: the answer.
            arrays: large answers, by name, if there are any.
            name: of the files, where it is not the panel's own tag (a lens that came by entry point).

        Raises: RecordError: a value does not have the type that the schema says. StorageError.
        """
        tag = str(type(panel).__struct_config__.tag)
        stem = files.checked_name(name or tag, "lens")
        content = msgspec.json.encode(panel)
        try:
            msgspec.json.decode(content, type=schema.AnyPanel)
        except msgspec.ValidationError as error:
            raise RecordError(
                f"The panel of the lens '{stem}' does not fit its schema type {type(panel).__name__}: {error}. "
                "A number that is not defined must be None; NaN and infinity are written as null."
            ) from error
        contents = {f"panels/{stem}.json": content}
        if arrays:
            contents = {f"arrays/{stem}.safetensors": safetensors_bytes(arrays)} | contents
        self._write(contents)

    def write_focus(self, row: int, focus: schema.Focus, tensors: Arrays) -> None:
        """Writes what was seen on one example; listed with the next manifest, at the latest after a few dozen."""
        if row != focus.row or row < 0:
            raise RecordError(f"A focus file is named by the row of its example; got row {row} and {focus.row}.")
        content = focus_bytes(focus, tensors)
        path = f"arrays/focus/{row}.safetensors"
        entry = schema.FileRef(path, len(content), files.sha256(content))
        if self._listed.get(path) == entry:
            return
        self._unlist([path])
        self._put(path, content, durable=False)
        self._unlisted.append(entry)
        if len(self._unlisted) >= _FOCUS_BATCH:
            self._flush()

    def write_media(self, content: bytes, extension: str) -> str:
        """Keeps a picture once, however often it comes; on the disk with the next part.

        Args:
            content: the encoded picture.
            extension: "png", "jpg" or "webp", without a dot.

        Returns: its name, "<sha256>.<ext>".
        """
        name = files.checked_media_name(f"{files.sha256(content)}.{extension}")
        if name in self._media:
            return name
        self._media.add(name)
        path = self.path / "media" / name
        # What an earlier, killed writer left may be cut short: compare, for the name alone does not say.
        if not (path.is_file() and path.stat().st_size == len(content) and path.read_bytes() == content):
            # Its name is checked and there are many: no need to follow links for each.
            files.put(path, content, durable=False)
            self._unsettled.append(path)
        return name

    def write_file(self, path: str, content: bytes, *, rows: int | None = None) -> None:
        """Writes any other file of the record, such as a training part, and lists it."""
        self._write({path: content}, {} if rows is None else {path: rows})

    def update(self, **changes: object) -> None:
        """Sets fields of the manifest by name and writes it.

        Raises: RecordError: no such field, or a value of the wrong type; the manifest on disk stays as it was.
        """
        for name, value in changes.items():
            if name not in schema.Manifest.__struct_fields__ or name in ("files", "schema_version"):
                known = ", ".join(schema.Manifest.__struct_fields__)
                raise RecordError(f"The manifest has no field '{name}' that can be set. Its fields: {known}.")
            setattr(self.manifest, name, value)
        self._flush()

    def finish(self, state: schema.State, error: str | None = None) -> None:
        """Writes the last manifest and lets the record go; `error` says in words why a failed one failed."""
        self.update(state=state, error=error)
        self.close()

    def close(self) -> None:
        """Lets the record go, listing what is still unlisted; a record left "running" reads as interrupted."""
        try:
            if self._unlisted:
                self._flush()
        finally:
            self._lock.release()

    @contextmanager
    def sealing(self) -> Iterator[None]:
        """Finishes the record when the block ends: complete, interrupted (Ctrl-C), or failed with the error's words."""
        try:
            yield
        except BaseException as error:
            state: schema.State = "failed" if isinstance(error, Exception) else "interrupted"
            try:
                self.finish(state, str(error) or type(error).__name__)
            except StorageError as full:
                # A full disk cannot take this note either; what was finished is there, and reads as interrupted.
                error.add_note(str(full))
            raise
        self.finish("complete")

    # --- how --------------------------------------------------------------------------------------------------

    def _write(self, contents: Mapping[str, bytes], rows: Mapping[str, int] | None = None) -> None:
        """Puts files and lists them, all or none."""
        counts = rows or {}
        entries = {
            path: schema.FileRef(path, len(content), files.sha256(content), counts.get(path))
            for path, content in contents.items()
        }
        fresh = [path for path, entry in entries.items() if self._listed.get(path) != entry]
        self._unlist(fresh)
        try:
            for path in fresh:
                self._put(path, contents[path])
            self._unlisted += [entries[path] for path in fresh]
            self._flush()
        except BaseException:
            self._unlisted = [entry for entry in self._unlisted if entry.path not in fresh]
            for path in fresh:
                if path not in self._listed:
                    (self.path / path).unlink(missing_ok=True)
            raise

    def _unlist(self, paths: list[str]) -> None:
        """Takes files that are about to be replaced off the manifest: new bytes must never meet an old checksum."""
        listed = [path for path in paths if path in self._listed]
        for path in listed:
            del self._listed[path]
        if listed:
            self._flush()

    def _put(self, path: str, content: bytes, *, durable: bool = True) -> None:
        place = files.located(self.path, path)
        files.put(place, content, durable=durable)
        if not durable:
            self._unsettled.append(place)

    def _settle(self) -> None:
        """Waits until the disk has the files that were put without waiting: together, for one by one is far slower."""
        if not self._unsettled:
            return
        try:
            with ThreadPoolExecutor(_FLUSH_THREADS) as pool:
                list(pool.map(files.settle, self._unsettled))
            for parent in sorted({path.parent for path in self._unsettled}):
                files.settle_folder(parent)
        except OSError as error:
            raise files.storage_error(self._unsettled[0].parent, 0, error) from error
        self._unsettled.clear()

    def _flush(self) -> None:
        """Writes the manifest, listing everything put so far; what it speaks of is on the disk before it."""
        self._settle()
        listed = self._listed | {entry.path: entry for entry in self._unlisted}
        self.manifest.files = [listed[path] for path in sorted(listed)]
        self.manifest.examples = sum(entry.rows or 0 for path, entry in listed.items() if path.startswith("examples/"))
        self.manifest.updated = _now()
        content = msgspec.json.encode(self.manifest)
        try:
            msgspec.json.decode(content, type=schema.Manifest)
        except msgspec.ValidationError as error:
            raise RecordError(f"The manifest would not fit its schema: {error}.") from error
        place, text = self.path / folder.MANIFEST, msgspec.json.format(content, indent=1)
        try:
            files.put(place, text)
        except StorageError:
            # The disk may refuse only after the new manifest took the old one's place: then its files have to stay.
            if place.is_file() and place.read_bytes() == text:
                self._listed = listed
            raise
        self._listed = listed
        self._unlisted.clear()


def _now() -> str:
    return datetime.datetime.now(datetime.UTC).isoformat(timespec="milliseconds")
