"""Reading a record: lazily, checked, without torch.

A record may come from a stranger or from a crash. Only what the manifest lists is read, its size and SHA-256 are
compared when it is first read, every path is checked to stay inside, and JSON has to fit its schema type.
"""

from __future__ import annotations

import importlib
import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias, TypeVar, get_args

import msgspec

from pellucid.errors import DamagedError, RecordError
from pellucid.record import files, folder, schema, tables
from pellucid.record.encoding import LensState, focus_of, safetensors_bytes
from pellucid.record.lock import is_held
from pellucid.record.manifest import manifest_bytes, manifest_of
from pellucid.record.older import brought_up

if TYPE_CHECKING:
    import numpy as np
    import pyarrow as pa
    from numpy.typing import NDArray

Value = TypeVar("Value")
_Stamp: TypeAlias = tuple[schema.FileRef, int]

_SEVERITIES = ("high", "medium", "low", "info")
_LARGEST_MEDIA = 1 << 26  # bytes; thumbnails have some thousands
_AGAIN = "Restore it from a copy, or make the record again (--resume makes only what is missing)."


class Record:
    """What an inspection or a Watch left, read as it is asked for.

        record = Record("digits.pellucid")
        record.examples().to_pandas()
        record.panel("confusion").pairs

    A record that is still being written, or was cut short, shows what is finished.

    Attributes:
        path: its folder.
        manifest: how it came to be and which files it holds; `refresh` reads it again.
        live: the inspected model, where it is at hand; right after `pellucid.inspect` it is.
    """

    live: object | None = None

    def __init__(self, path: str | Path) -> None:
        """Opens the record at a folder.

        Raises:
            RecordError: there is no record.
            SchemaError: it is newer than this pellucid.
            DamagedError: its manifest is truncated or altered.
        """
        self.path = Path(path)
        self.manifest = schema.Manifest()
        self._content: bytes | None = None
        self._files: dict[str, schema.FileRef] = {}
        self._checked: dict[str, _Stamp] = {}
        self._examples: tuple[list[schema.FileRef], pa.Table] | None = None
        self.refresh()

    def __repr__(self) -> str:
        return (
            f"Record({str(self.path)!r}, {self.manifest.examples} examples, panels: {', '.join(self.panels) or 'none'})"
        )

    def refresh(self) -> bool:
        """Reads the manifest again; says whether it changed."""
        content = manifest_bytes(self.path)
        if content == self._content:
            return False
        before, self.manifest, self._content = self.manifest, manifest_of(content, self.path), content
        self._files = {entry.path: entry for entry in self.manifest.files}
        return self.manifest != before

    # --- the whole --------------------------------------------------------------------------------------------

    @property
    def state(self) -> schema.State:
        """How the inspection stands: one that calls itself running, while nobody writes it, was interrupted."""
        if self.manifest.state == "running" and not is_held(self.path):
            return "interrupted"
        return self.manifest.state

    def summary(self) -> schema.Summary:
        """The main numbers and all findings. Raises: DamagedError: a panel that they come from is damaged."""
        accuracy = self._panel_of(schema.AccuracyPanel, "accuracy")
        loss = self._panel_of(schema.LossPanel, "loss")
        return schema.Summary(
            record=self.path.resolve().name,
            title=self.manifest.title,
            state=self.state,
            examples=self.manifest.examples,
            skipped=len(self.manifest.skipped),
            nonfinite=self.manifest.nonfinite,
            accuracy=accuracy.accuracy if accuracy else None,
            accuracy_interval=accuracy.interval if accuracy else None,
            mean_loss=loss.mean if loss else None,
            loss=loss.name if loss else None,
            passes=self.manifest.stages,
            findings=self.findings,
            panels=self.panels,
            watched=self.manifest.watched,
        )

    @property
    def findings(self) -> list[schema.Finding]:
        """What the lenses found, worst first."""
        found = [finding for name in self.panels for finding in self.panel(name).findings]
        return sorted(found, key=lambda one: (_SEVERITIES.index(one.severity), -one.weight))

    def verify(self) -> list[str]:
        """Reads every file and says what is wrong, one sentence a file; nothing wrong gives an empty list."""
        problems: list[str] = []
        self._checked.clear()
        for path in self._files:
            try:
                self._read(path)
            except DamagedError as error:
                problems.append(str(error))
        media = self.path / "media"
        for place in sorted(media.iterdir()) if media.is_dir() else []:
            try:
                if not place.name.endswith(files.TEMPORARY):
                    self.media(place.name)
            except RecordError as error:
                problems.append(str(error))
        return problems

    def show(self, **options: Any) -> object:
        """Opens the app on this record in the browser; options are those of `pellucid.server.show`."""
        # By name, at the time of the call: the server stands on the record, never the other way round.
        show = importlib.import_module("pellucid.server").show
        return show(self.path, **{"live": self.live, **options})

    # --- examples ---------------------------------------------------------------------------------------------

    @property
    def parts(self) -> int:
        """How many parts of the examples table are finished without a gap."""
        return folder.parts_in(self._files)

    def examples(self) -> pa.Table:
        """One row an example, in the order of the parts; the columns are those of docs/format.md."""
        import pyarrow as pa

        entries = [entry for path, entry in sorted(self._files.items()) if path.startswith("examples/")]
        if self._examples is not None and self._examples[0] == entries:
            return self._examples[1]
        parts = [self._part(entry) for entry in entries]
        try:
            table = pa.concat_tables(parts, promote_options="permissive") if parts else tables.empty_examples()
        except (pa.ArrowInvalid, pa.ArrowTypeError) as error:
            raise DamagedError(
                f"The parts of the examples table of {self.path} do not fit together: {error}."
            ) from error
        self._examples = (entries, table)
        return table

    def example_parts(self) -> Iterator[pa.Table]:
        """The examples table part by part, so that one of them is held at a time."""
        for index in range(self.parts):
            yield self._part(self._files[folder.part_path(index)])

    def state_of(self, index: int, lens: str) -> LensState:
        """A lens's state over one finished part. Raises: RecordError: there is none; DamagedError."""
        from safetensors import SafetensorError
        from safetensors.numpy import load

        stem = f"state/part-{index:06d}/{files.checked_name(lens, 'lens')}"
        values, arrays = self._asked(f"{stem}.json"), self._asked(f"{stem}.safetensors")
        try:
            return json.loads(values), load(arrays)
        except (ValueError, SafetensorError) as error:
            raise self._damaged(stem, str(error)) from error

    # --- panels and arrays ------------------------------------------------------------------------------------

    @property
    def panels(self) -> list[str]:
        """Names of the lenses that have answered, in the schema's order, then others by name."""
        known = list(PANEL_TYPES)
        names = [path[len("panels/") : -len(".json")] for path in self._files if path.startswith("panels/")]
        return sorted(names, key=lambda name: (known.index(name) if name in known else len(known), name))

    def panel(self, name: str) -> schema.AnyPanel:
        """A lens's answer; one of an older version of the format as this version would give it.

        Raises:
            RecordError: the record holds none of this name; the message names those it holds.
            DamagedError: the file is truncated, altered, or not what the schema says.
        """
        content = self._read(f"panels/{name}.json") if name in self.panels else None
        if content is None:
            raise RecordError(
                f"The record {self.path} has no panel '{name}'. It has: {', '.join(self.panels) or 'none yet'}."
            )
        panel = self._decoded(f"panels/{name}.json", content, lambda: _PANEL.decode(content))
        return brought_up(panel, self.manifest)

    def arrays(self, lens: str) -> list[str]:
        """Names of the tensors in a lens's large answer, sorted; empty where it has none."""
        path = f"arrays/{lens}.safetensors"
        if path not in self._files:
            return []
        with self._opened(path) as tensors:
            return sorted(tensors.keys())

    def array(self, lens: str, tensor: str) -> NDArray[Any]:
        """One tensor of a lens's large answer, read alone. Raises: RecordError: there is none; DamagedError."""
        path = f"arrays/{lens}.safetensors"
        if path not in self._files:
            have = ", ".join(name for name in self.panels if f"arrays/{name}.safetensors" in self._files) or "none"
            raise RecordError(f"The lens '{lens}' has no arrays in {self.path}. Lenses that have some: {have}.")
        with self._opened(path) as tensors:
            if tensor not in tensors.keys():  # noqa: SIM118 - this is no dict
                some = ", ".join(sorted(tensors.keys())[:8])
                raise RecordError(f"The arrays of '{lens}' in {self.path} hold no '{tensor}'. They hold: {some}, ...")
            values: NDArray[Any] = tensors.get_tensor(tensor)
        return values

    def array_bytes(self, lens: str, tensor: str) -> bytes:
        """A safetensors file that holds this tensor alone."""
        return safetensors_bytes({tensor: self.array(lens, tensor)})

    # --- one example ------------------------------------------------------------------------------------------

    @property
    def focused(self) -> list[int]:
        """Rows of the examples that were looked at closely, sorted."""
        names = [
            path[len("arrays/focus/") : -len(".safetensors")]
            for path in self._files
            if path.startswith("arrays/focus/")
        ]
        return sorted(int(name) for name in names if name.isdigit())

    def focus_bytes(self, row: int) -> bytes:
        """The stored focus file of an example. Raises: RecordError: it was not chosen; DamagedError."""
        content = self._read(f"arrays/focus/{row}.safetensors")
        if content is None:
            some = ", ".join(str(one) for one in self.focused[:8]) or "none"
            raise RecordError(
                f"The example in row {row} of {self.path} was not looked at closely. {len(self.focused)} were: {some}"
                f"{', ...' if len(self.focused) > 8 else ''}."
            )
        return content

    def focus(self, row: int) -> tuple[schema.Focus, dict[str, NDArray[np.generic]]]:
        """What was seen on one example, and its tensors as stored (multiply by `scales`). Raises: as `focus_bytes`."""
        from safetensors import SafetensorError
        from safetensors.numpy import load

        path = f"arrays/focus/{row}.safetensors"
        content = self.focus_bytes(row)
        try:
            return focus_of(content), dict(load(content))
        except (msgspec.DecodeError, ValueError, KeyError, TypeError, SafetensorError) as error:
            raise self._damaged(path, str(error)) from error

    def media(self, name: str) -> bytes:
        """A picture by its name in the examples table, "<sha256>.<ext>". Raises: RecordError: none; DamagedError."""
        place = files.located(self.path, f"media/{files.checked_media_name(name)}")
        try:
            size = place.stat().st_size
            content = place.read_bytes() if size <= _LARGEST_MEDIA else b""
        except OSError as error:
            raise RecordError(f"The record {self.path} has no picture {name}.") from error
        if files.sha256(content) != name.partition(".")[0]:
            raise self._damaged(f"media/{name}", "its content is not what its name says")
        return content

    def media_bytes(self, names: Iterable[str]) -> int:
        """Size of these pictures together, without reading them; those that are missing count as nothing."""
        total = 0
        for name in names:
            place = self.path / "media" / files.checked_media_name(name)
            total += place.stat().st_size if place.is_file() else 0
        return total

    # --- training ---------------------------------------------------------------------------------------------

    def training(self, cursor: int = 0) -> tuple[pa.Table, int]:
        """What a Watch saw: rows of the training parts numbered `cursor` and above, and the next cursor.

        Raises: DamagedError: a part is truncated or altered, or its columns are not those of docs/format.md.
        """
        import pyarrow as pa

        parts: list[pa.Table] = []
        number = max(0, cursor)
        while (path := folder.training_path(number)) in self._files:
            try:
                parts.append(tables.checked_training(self.table(path)))
            except ValueError as error:
                raise self._damaged(path, str(error)) from error
            number += 1
        return pa.concat_tables([tables.empty_training(), *parts]), number

    # --- how --------------------------------------------------------------------------------------------------

    def _read(self, path: str) -> bytes | None:
        """A listed file's bytes, checked; None where the manifest lists no such file."""
        entry = self._files.get(path)
        if entry is None:
            return None
        try:
            return self._checked_bytes(entry)
        except DamagedError:
            # A writer at work may have replaced it since the manifest was read.
            if not self.refresh() or self._files.get(path) in (entry, None):
                raise
            return self._checked_bytes(self._files[path])

    def _checked_bytes(self, entry: schema.FileRef) -> bytes:
        place = files.located(self.path, entry.path)
        try:
            with place.open("rb") as stream:
                content = stream.read(entry.bytes + 1)
            changed = place.stat().st_mtime_ns
        except OSError as error:
            raise self._damaged(entry.path, f"it cannot be read ({error.strerror or error})") from error
        if len(content) != entry.bytes:
            size = place.stat().st_size
            raise self._damaged(entry.path, f"it has {size:,} bytes, {entry.bytes:,} were written")
        if self._checked.get(entry.path) != (entry, changed):
            if files.sha256(content) != entry.sha256:
                raise self._damaged(entry.path, "its SHA-256 is not the one that was written")
            self._checked[entry.path] = (entry, changed)
        return content

    def _asked(self, path: str) -> bytes:
        content = self._read(path)
        if content is None:
            raise RecordError(f"The record {self.path} holds no {path}; {self.parts} parts are finished.")
        return content

    def _part(self, entry: schema.FileRef) -> pa.Table:
        table = self.table(entry.path)
        try:
            return tables.checked_examples(table, f"{self.path / entry.path}")
        except RecordError as error:
            raise self._damaged(entry.path, str(error)) from error

    def table(self, path: str) -> pa.Table:
        """A listed Parquet file, every value of it checked. Raises: RecordError: not listed; DamagedError."""
        content = self._asked(path)
        try:
            table = tables.table_of(content)
        except ValueError as error:
            raise self._damaged(path, str(error)) from error
        rows = self._files[path].rows
        if rows is not None and table.num_rows != rows:
            raise self._damaged(path, f"it has {table.num_rows:,} rows, {rows:,} were written")
        return table

    def _opened(self, path: str) -> Any:
        from safetensors import SafetensorError, safe_open

        entry = self._files[path]
        place = files.located(self.path, path)
        try:
            # Hashing reads it whole, so only once; after that single tensors are read.
            if self._checked.get(path) != (entry, place.stat().st_mtime_ns):
                self._asked(path)
            return safe_open(place, framework="numpy")
        except (OSError, SafetensorError) as error:
            raise self._damaged(path, str(error)) from error

    def _panel_of(self, kind: type[Value], name: str) -> Value | None:
        panel = self.panel(name) if name in self.panels else None
        return panel if isinstance(panel, kind) else None

    def _decoded(self, path: str, content: bytes, decode: Callable[[], Value]) -> Value:
        try:
            return decode()
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise self._damaged(path, f"it does not fit the schema: {error}") from error

    def _damaged(self, path: str, why: str) -> DamagedError:
        return DamagedError(f"{self.path / path} is damaged: {why}. {_AGAIN}")


_PANEL: msgspec.json.Decoder[schema.AnyPanel] = msgspec.json.Decoder(schema.AnyPanel)

PANEL_TYPES: Mapping[str, type[schema.Panel]] = {
    str(kind.__struct_config__.tag): kind for kind in get_args(schema.AnyPanel) if kind is not schema.CustomPanel
}
