"""Which pictures people are asked about: those of the record, or of a folder that holds the same examples in full size."""

from __future__ import annotations

import hashlib
import io
import json
import warnings
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pellucid.errors import OptionError
from pellucid.record import Record
from pellucid.server.trials.design import Picture

EXTENSIONS = frozenset({".png", ".jpg", ".jpeg", ".webp", ".bmp", ".gif", ".tif", ".tiff", ".ppm", ".pgm"})
MOST_PIXELS = 64_000_000


@dataclass(frozen=True, slots=True)
class Chosen:
    """Pictures for a study.

    Attributes:
        pictures: in the order of the examples table.
        categories: among which people choose.
        content: by file name, pictures that the record does not hold.
        left_out: how many examples or files are not shown, by the reason.
    """

    pictures: tuple[Picture, ...]
    categories: tuple[str, ...]
    content: Mapping[str, bytes]
    left_out: Mapping[str, int]


def choose(
    record: Record,
    *,
    images: Path | None = None,
    conditions: str | None = None,
    origins: str | None = None,
    categories: Path | None = None,
) -> Chosen:
    """The pictures of a record's examples, each with its right answer.

    Args:
        record: whose examples they are.
        images: a folder of picture files named by the examples' ids; the record's own pictures where None.
        conditions: column of the examples table that says under which condition a picture is shown.
        origins: column that says of which original it is a version.
        categories: JSON file that gives of each category its classes, by name or by index; the classes where None.

    Raises: OptionError: no picture can be shown, a column is missing, the categories do not fit.
    """
    classes = record.manifest.data.classes if record.manifest.data else []
    if not classes:
        raise OptionError("People choose among classes; this record has none (no names of classes in its data).")
    names, of_class = _categories(categories, classes)
    table = record.examples()
    for option, column in (("--conditions", conditions), ("--once-per", origins)):
        if column is not None and column not in table.column_names:
            raise OptionError(f"{option} names a column of the examples; {column!r} is none. They have: "
                              f"{', '.join(table.column_names)}.")  # fmt: skip
    wanted = ["id", "target", "media", *(name for name in (conditions, origins) if name is not None)]
    files = _Folder(images) if images is not None else None
    content: dict[str, bytes] = {}
    left_out: dict[str, int] = {}
    pictures: list[Picture] = []
    for row in _rows(table.select(list(dict.fromkeys(wanted)))):
        target = row["target"]
        category = of_class.get(target) if isinstance(target, int) else None
        reason, file = "", str(row["media"] or "")
        if category is None:
            reason = "no category stands for its class"
        elif files is not None:
            found = files.picture(str(row["id"]))
            reason, file = (found, "") if isinstance(found, str) else ("", f"{_sha256(found)}.png")
            if isinstance(found, bytes):
                content[file] = found
        elif not file:
            reason = "the record holds no picture of it"
        if reason or category is None:
            left_out[reason] = left_out.get(reason, 0) + 1
            continue
        condition = "" if conditions is None else _text(row[conditions])
        origin = str(row["id"]) if origins is None else _text(row[origins])
        pictures.append(Picture(str(row["id"]), category, condition, origin, file))
    if files is not None and files.unused:
        left_out["files that are no example of the record"] = files.unused
    if not pictures:
        why = "; ".join(f"{count:,}: {reason}" for reason, count in left_out.items()) or "the record has no examples"
        raise OptionError(
            f"There is no picture to show ({why}). Give the pictures with --images DIR, named by the examples' ids."
        )
    return Chosen(tuple(pictures), names, content, left_out)


# --- categories -----------------------------------------------------------------------------------------------


def _categories(file: Path | None, classes: Sequence[str]) -> tuple[tuple[str, ...], dict[int, str]]:
    """The categories, and by class index the category that it belongs to."""
    if file is None:
        return tuple(classes), dict(enumerate(classes))
    try:
        said: Any = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise OptionError(f"The categories {file} cannot be read: {error}.") from error
    if not isinstance(said, dict) or not all(isinstance(members, list) for members in said.values()):
        raise OptionError(
            f'The categories {file} must be JSON that lists of each category its classes: {{"dog": [151, "beagle"]}}.'
        )
    indices = {name: index for index, name in enumerate(classes)}
    found: dict[int, str] = {}
    for category, members in said.items():
        for member in members:
            index = indices.get(member) if isinstance(member, str) else member
            if not isinstance(index, int) or isinstance(index, bool) or not 0 <= index < len(classes):
                raise OptionError(
                    f"The category {category!r} names {member!r}, which is no class of the record ({len(classes):,} classes)."
                )
            if found.setdefault(index, category) != category:
                raise OptionError(
                    f"The class {classes[index]!r} is in two categories, {found[index]!r} and {category!r}."
                )
    return tuple(said), found


# --- files ----------------------------------------------------------------------------------------------------


class _Folder:
    """Picture files by the ids that they may stand for: their path below the folder, or their name where it is the only one."""

    def __init__(self, root: Path) -> None:
        if not root.is_dir():
            raise OptionError(f"--images is a folder of pictures; {root} is none.")
        self._paths: dict[str, list[Path]] = {}
        self._all: set[Path] = set()
        for place in sorted(root.rglob("*")):
            if not place.is_file() or place.suffix.lower() not in EXTENSIONS:
                continue
            self._all.add(place)
            relative = place.relative_to(root)
            for key in dict.fromkeys(
                (relative.as_posix(), relative.with_suffix("").as_posix(), place.name, place.stem)
            ):
                self._paths.setdefault(key, []).append(place)

    @property
    def unused(self) -> int:
        """Files that no example has asked for so far."""
        return len(self._all)

    def picture(self, identifier: str) -> bytes | str:
        """The picture of an example as a PNG, or why there is none."""
        found = self._paths.get(identifier) or self._paths.get(Path(identifier).name) or []
        if not found:
            return "no file is named like it"
        if len(found) > 1:
            return "several files are named like it"
        self._all.discard(found[0])
        try:
            return plain_png(found[0].read_bytes())
        except (OSError, ValueError) as error:
            return f"its file cannot be read as a picture ({type(error).__name__})"


def plain_png(content: bytes) -> bytes:
    """The pixels alone: nothing that a file says of itself (names, places, times) reaches an observer.

    Raises: ValueError: it is no picture, or too large a one.
    """
    from PIL import Image, ImageOps

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            with Image.open(io.BytesIO(content)) as opened:
                if opened.width * opened.height > MOST_PIXELS:
                    raise ValueError(f"{opened.width} x {opened.height} pixels")
                upright = ImageOps.exif_transpose(opened).convert("L" if opened.mode in ("1", "L") else "RGB")
    except ValueError:
        raise
    except Exception as error:  # readers raise what their formats' parsers raise: there is no list
        raise ValueError(type(error).__name__) from error
    stream = io.BytesIO()
    Image.frombytes(upright.mode, upright.size, upright.tobytes()).save(stream, "png")
    return stream.getvalue()


def _rows(table: Any) -> Iterator[dict[str, Any]]:
    for batch in table.to_batches(max_chunksize=4096):
        yield from batch.to_pylist()


def _text(value: object) -> str:
    return "" if value is None else f"{value:g}" if isinstance(value, float) else str(value)


def _sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
