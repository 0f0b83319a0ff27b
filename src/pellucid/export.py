"""A record as one HTML file that opens from disk with no network.

The file is the built app with its script and style written inside, and the record's answers in inert script tags:
compressed, base64, under the paths of the HTTP API. Nothing of the record ever becomes markup: it is base64 or, for
the title and the paths, escaped. A content security policy names the app's script and style by their hashes.
"""

from __future__ import annotations

import base64
import gzip
import hashlib
import html
import io
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import msgspec

from pellucid.errors import OptionError, RecordError
from pellucid.export_private import folders_of, without_folders
from pellucid.export_shell import Shell, read_shell
from pellucid.export_table import PACKED_FROM, packed
from pellucid.record import Record, schema
from pellucid.record import files as record_files
from pellucid.record.tables import stream_bytes

if TYPE_CHECKING:
    import pyarrow as pa
    from PIL import Image

Value = TypeVar("Value")

APP = Path(__file__).parent / "server" / "app"
LIMIT_BYTES = 20_000_000  # what a mail takes
DATA_TYPE = "application/octet-stream;base64"

# Parts of the limit that each kind of answer may fill before the next kind has had its turn.
_TRAINING_SHARE = 0.25
_ARRAYS_SHARE = 0.2
_FOCUS_SHARE = 0.5
_NUMBERS_BYTES = 9_900_000  # where the rows are many: what a browser opens within two seconds
_PICTURED = 1000  # examples that keep their picture then
_SENTENCES = 1024  # bytes kept free for saying what was left out
_SMALLEST_TAG = 256  # bytes; where fewer are left no picture fits, so none has to be read
_BASE64 = 4 / 3
_PICTURE_SIDE = 64  # pixels, when whole pictures do not fit
_JPEG_QUALITY = 95  # then: on photographs of 32 pixels a side 1.2 of 255 shades off, in a third of the bytes of PNG
_PLAIN_MODES = ("L", "RGB", "P")  # what JPEG can hold
_PICTURE_PIXELS = 1 << 24  # larger ones are not decoded


@dataclass(frozen=True, slots=True)
class ExportReport:
    """What an export made.

    Attributes:
        path: the file.
        bytes: its size.
        left_out: what of the record it does not hold, one sentence each; the file says the same.
    """

    path: Path
    bytes: int
    left_out: list[str]


@dataclass
class _Tags:
    """The data tags so far, and how many bytes they may still take."""

    limit: int
    used: int = 0
    texts: list[str] = field(default_factory=list)

    @property
    def left(self) -> int:
        return max(0, self.limit - self.used)

    def add(self, path: str, content: bytes, ceiling: int | None = None) -> bool:
        """Adds an answer unless the file would grow past the ceiling; without one it is always added."""
        text = data_tag(path, content)
        if ceiling is not None and self.used + len(text) > ceiling:
            return False
        self.texts.append(text)
        self.used += len(text)
        return True


def export(
    record_path: str | Path,
    out: str | Path,
    *,
    app_dir: Path | None = None,
    examples: int | None = None,
    limit_bytes: int = LIMIT_BYTES,
    page: str = "",
) -> ExportReport:
    """Writes a record as one HTML file.

    Numbers come first and are always whole, but for the last digits of 100,000 examples and more; then training curves,
    large arrays, closer looks and pictures, as far as they fit, those first that findings and panels point to.

    Args:
        record_path: the record's folder.
        out: the file to write; replaced where it is there.
        app_dir: where the built app lies, if not beside this module.
        examples: at most so many rows of the examples table.
        limit_bytes: size to stay under. Panels and the examples table go in even if they alone are larger.
        page: which page of the app it opens with, the overview where not given.

    Raises:
        OptionError: the app is not built, the limit is not positive, or the file would lie in the record or is a folder.
        RecordError: the record cannot be read or the file not written.
    """
    if limit_bytes < 1 or (examples is not None and examples < 0):
        raise OptionError(f"The limits of an export must be positive; got {limit_bytes} bytes, {examples} examples.")
    record = Record(record_path)
    path = Path(out)
    if path.is_dir():
        raise OptionError(f"{path} is a folder; name the file to write: {path / 'record.html'}.")
    if path.resolve().is_relative_to(record.path.resolve()):
        raise OptionError(
            f"{path} lies in the record {record.path}, whose files are not replaced: name a file outside."
        )
    shell = read_shell(app_dir or APP)
    title = without_folders((record.manifest.title or record.path.resolve().name).encode(), folders_of(record)).decode()
    tags = _Tags(limit_bytes - _SENTENCES, used=len(_page(shell, title, [], page).encode()))
    table = record.examples()
    left_out = list(_add_numbers(tags, record, table, examples))
    left_out += _add_training(tags, record)
    left_out += _add_arrays(tags, record)
    left_out += _add_pictures(tags, record, table if examples is None else table.slice(0, examples))
    tags.add("left_out", msgspec.json.encode(left_out))
    content = _page(shell, title, tags.texts, page).encode()
    record_files.put(path, content)
    return ExportReport(path, len(content), left_out)


def data_tag(path: str, content: bytes) -> str:
    """An answer as an inert script tag: gzip, base64, the path it has in the HTTP API."""
    # No time in the gzip header: the same record gives the same file.
    packed = base64.b64encode(gzip.compress(content, 9, mtime=0)).decode("ascii")
    return f'<script type="{DATA_TYPE}" data-path="{html.escape(path, quote=True)}">{packed}</script>\n'


# --- what goes in ---------------------------------------------------------------------------------------------


def _add_numbers(tags: _Tags, record: Record, table: pa.Table, examples: int | None) -> Iterator[str]:
    folders = folders_of(record)
    tags.add("manifest", without_folders(msgspec.json.encode(record.manifest), folders))
    tags.add("summary", without_folders(msgspec.json.encode(record.summary()), folders))
    for name in record.panels:
        tags.add(f"panels/{name}", without_folders(msgspec.json.encode(record.panel(name)), folders))
    kept = table if examples is None else table.slice(0, examples)
    if kept.num_rows < PACKED_FROM:
        tags.add("examples", stream_bytes(kept))
    else:
        yield from _add_packed(tags, record, kept)
    if kept.num_rows < table.num_rows:
        yield f"{table.num_rows - kept.num_rows:,} of {table.num_rows:,} rows of the examples table."


def _add_packed(tags: _Tags, record: Record, table: pa.Table) -> Iterator[str]:
    """Many rows in few bytes, so that the file without pictures stays below what opens at once."""
    names = dict.fromkeys(_media_order(record, table, _focus_order(record))[:_PICTURED])
    media = {row: name for row, name in enumerate(table["media"].to_pylist()) if name in names}
    most = int((min(tags.limit, _NUMBERS_BYTES) - tags.used) / _BASE64)
    small = packed(table, most, media)
    tags.add("examples/packed", small.content)
    if small.rounded:
        listed = ", ".join(f"{name} {100 * 2.0 ** -(digits + 1):.2g}%" for name, digits in small.rounded.items())
        yield f"The last digits of some columns of the examples table; they are off by at most: {listed} of their value."
    if small.left_out:
        yield f"The columns {', '.join(small.left_out)} of the examples table, and what is computed from them."


def _add_training(tags: _Tags, record: Record) -> Iterator[str]:
    import pyarrow.compute as pc

    table, _ = record.training()
    if not table.num_rows:
        return
    ceiling = tags.used + int(tags.left * _TRAINING_SHARE)
    if tags.add("training", stream_bytes(table), ceiling):
        return
    curves = table.filter(pc.is_null(table["bins"]))
    if tags.add("training", stream_bytes(curves), ceiling):
        yield "Histograms of the training; its curves are here."
    else:
        yield "The training."


def _add_arrays(tags: _Tags, record: Record) -> Iterator[str]:
    ceiling = tags.used + int(tags.left * _ARRAYS_SHARE)
    for lens in record.panels:
        tensors = sorted(record.arrays(lens), key=_natural)
        missing = [
            name for name in tensors if not tags.add(f"arrays/{lens}/{name}", record.array_bytes(lens, name), ceiling)
        ]
        if missing:
            yield f"{len(missing)} of {len(tensors)} arrays of the lens '{lens}'."


def _add_pictures(tags: _Tags, record: Record, table: pa.Table) -> Iterator[str]:
    """Closer looks up to their share, then pictures, then closer looks again with what is left."""
    rows = _focus_order(record)
    ceiling = tags.used + int(tags.left * _FOCUS_SHARE)
    waiting = [row for row in rows if not tags.add(f"focus/{row}", record.focus_bytes(row), ceiling)]
    names = _media_order(record, table, rows)
    # The packed table names no other ones.
    named = names[:_PICTURED] if table.num_rows >= PACKED_FROM else names
    pictures = _Pictures(
        tags, record, small=record.media_bytes(named) * _BASE64 > tags.left, missing=len(names) - len(named)
    )
    for name in named:
        pictures.add(name)
    waiting = [row for row in waiting if not tags.add(f"focus/{row}", record.focus_bytes(row), tags.limit)]
    if waiting:
        yield f"{len(waiting)} of {len(rows)} closer looks."
    if pictures.missing:
        yield f"{pictures.missing:,} of {len(names):,} pictures of examples."
    if pictures.smaller:
        yield f"The full size of {pictures.smaller:,} pictures: they are at most {_PICTURE_SIDE} pixels a side here."
    if pictures.lossy:
        yield f"The last shades of {pictures.lossy:,} pictures: they are compressed as JPEG here."


@dataclass
class _Pictures:
    """Adds pictures while they fit, and counts what became of the others."""

    tags: _Tags
    record: Record
    small: bool
    missing: int = 0
    smaller: int = 0
    lossy: int = 0

    def add(self, name: str) -> None:
        """Adds one picture, made smaller where not all fit whole."""
        if self.tags.left < _SMALLEST_TAG:
            self.missing += 1
            return
        try:
            whole = self.record.media(name)
        except RecordError:
            self.missing += 1  # of a record that was cut short; the rest of the report is as good without it
            return
        content, fewer = _lighter(whole) if self.small else (whole, False)
        if not self.tags.add(f"media/{name}", content, self.tags.limit):
            self.missing += 1
        elif fewer:
            self.smaller += 1
        elif content is not whole:
            self.lossy += 1


def _focus_order(record: Record) -> list[int]:
    """Rows of closer looks: in the order in which the gradients panel lists them, then the others."""
    stored = record.focused
    panel = record.panel("gradients") if "gradients" in record.panels else None
    listed = [one.row for one in panel.examples] if isinstance(panel, schema.GradientsPanel) else []
    return _unique([row for row in listed if row in set(stored)] + stored)


def _media_order(record: Record, table: pa.Table, focused: list[int]) -> list[str]:
    """Names of pictures, once each: of closer looks, of findings, of the strongest examples, then all others."""
    by_row = {row: name for row, name in zip(table["row"].to_pylist(), table["media"].to_pylist(), strict=True) if name}
    found = [finding.selection.get("example", "") for finding in record.findings]
    strongest: list[int] = []
    for tensor in record.arrays("activations") if "activations" in record.panels else []:
        if tensor.endswith(".top_rows"):
            strongest += record.array("activations", tensor)[:, 0].tolist()
    rows = _unique([*focused, *(int(row) for row in found if row.isdigit()), *strongest, *by_row])
    return _unique([by_row[row] for row in rows if row in by_row])


def _lighter(content: bytes) -> tuple[bytes, bool]:
    """A picture at most `_PICTURE_SIDE` pixels a side in the fewest bytes, and whether it has fewer pixels than before.

    In its own format or, where nothing shines through it, as JPEG with a colour for each pixel; as it is where neither is smaller.
    """
    from PIL import Image, UnidentifiedImageError

    try:
        with Image.open(io.BytesIO(content)) as image:
            large = max(image.size) > _PICTURE_SIDE
            plain = image.mode in _PLAIN_MODES and not image.has_transparency_data
            if image.width * image.height > _PICTURE_PIXELS or not (large or (plain and image.format != "JPEG")):
                return content, False
            small = image.convert("L" if image.mode == "L" else "RGB")
            small.thumbnail((_PICTURE_SIDE, _PICTURE_SIDE))
            forms = [_saved(small, image.format or "PNG")] if large else []
            if plain:
                forms.append(_saved(small, "JPEG", quality=_JPEG_QUALITY, subsampling=0, optimize=True))
    except (UnidentifiedImageError, OSError, ValueError):
        return content, False  # what is no picture is drawn as none by the app
    least = min(content, *forms, key=len)
    return least, large and least is not content


def _saved(image: Image.Image, form: str, **options: int) -> bytes:
    stream = io.BytesIO()
    image.save(stream, form, **options)
    return stream.getvalue()


def _natural(name: str) -> list[tuple[int, str]]:
    """Sorts "10.mean" after "2.mean"."""
    return [(int(piece), "") if piece.isdigit() else (-1, piece) for piece in re.split(r"(\d+)", name) if piece]


def _unique(values: Iterable[Value]) -> list[Value]:
    return list(dict.fromkeys(values))


# --- the page -------------------------------------------------------------------------------------------------


def _page(shell: Shell, title: str, tags: list[str], page: str) -> str:
    policy = "; ".join(
        [
            "default-src 'none'",
            f"script-src {_hashes(shell.scripts)}",
            f"style-src {_hashes(shell.styles)}",
            "worker-src blob:",  # the app's own, which lays graphs out
            "img-src data: blob:",
            "font-src data:",
            "base-uri 'none'",
            "form-action 'none'",
        ]
    )
    head = "".join(f"<style>{style}</style>\n" for style in shell.styles)
    scripts = "".join(f'<script type="module">{script}</script>\n' for script in shell.scripts)
    first = f' data-page="{html.escape(page, quote=True)}"' if page else ""
    return (
        "<!doctype html>\n"
        f'<html lang="en"{first}>\n<head>\n<meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{html.escape(policy, quote=True)}">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        '<meta name="referrer" content="no-referrer">\n'
        '<link rel="icon" href="data:,">\n'
        f"<title>{html.escape(title)}</title>\n{head}</head>\n"
        f"<body>\n{shell.body}\n{''.join(tags)}{scripts}</body>\n</html>\n"
    )


def _hashes(texts: list[str]) -> str:
    sources = [f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'" for text in texts]
    return " ".join(sources) or "'none'"
