"""The folder of a record: where things lie, who may write there, what a crash left behind."""

from __future__ import annotations

import os
import shutil
from collections.abc import Container
from pathlib import Path

from pellucid.errors import RecordError
from pellucid.record import files, schema
from pellucid.record.lock import NAME as LOCK_NAME

MANIFEST = "manifest.json"
TRAINING = "training"
TRAINING_PANEL = "panels/training.json"

_INSPECTION = ("examples", "state", "panels", "arrays", "media")
_HUMAN = "human"


def part_path(index: int) -> str:
    """Where a part of the examples table lies."""
    return f"examples/part-{index:06d}.parquet"


def training_path(index: int) -> str:
    """Where a part of the training table lies."""
    return f"{TRAINING}/part-{index:06d}.parquet"


def part_of(path: str) -> int | None:
    """Number of the examples part that a path belongs to."""
    top, _, rest = path.partition("/")
    if top not in ("examples", "state"):
        return None
    number = rest.removeprefix("part-")[:6]
    return int(number) if number.isdigit() else None


def parts_in(listed: Container[str]) -> int:
    """How many parts of the examples table are listed without a gap; the number of the next one."""
    number = 0
    while part_path(number) in listed:
        number += 1
    return number


def of_training(manifest: schema.Manifest) -> list[schema.FileRef]:
    """The files that a Watch wrote."""
    return [entry for entry in manifest.files if entry.path.startswith(f"{TRAINING}/") or entry.path == TRAINING_PANEL]


def only_training(manifest: schema.Manifest) -> bool:
    """Whether a record holds nothing but what a Watch saw."""
    return manifest.watched and len(of_training(manifest)) == len(manifest.files)


def is_whole(root: Path, entry: schema.FileRef) -> bool:
    """Whether a listed file is there, with the size and SHA-256 that the manifest gives."""
    try:
        content = files.located(root, entry.path).read_bytes()
    except OSError:
        return False
    return len(content) == entry.bytes and files.sha256(content) == entry.sha256


def make_folder(root: Path) -> None:
    """Makes the folder where it is missing. Raises: RecordError: a file is there. StorageError."""
    if root.exists() and not root.is_dir():
        raise RecordError(f"A record is a folder; {root} is a file. Choose another path.")
    try:
        root.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise files.storage_error(root, 0, error) from error


def refuse_strangers(root: Path) -> None:
    """A folder without manifest may hold only what a writer killed at its first step leaves."""
    strangers = [
        path.name
        for path in sorted(root.iterdir())
        if path.name != LOCK_NAME and not path.name.endswith(files.TEMPORARY)
    ]
    if strangers:
        raise RecordError(
            f"{root} holds other files ({', '.join(strangers[:3])}{', ...' if len(strangers) > 3 else ''}) and is no "
            "record. Choose a path that is empty or not there yet."
        )


def refuse_human(root: Path) -> None:
    """Keeps people's responses from being replaced. Raises: RecordError: there are some."""
    place = root / _HUMAN
    if place.is_dir() and any(place.iterdir()):
        raise RecordError(
            f"{place} holds people's responses, which cannot be made again. Choose another path, or move them first."
        )


def there_already(root: Path, present: schema.Manifest) -> RecordError:
    """The refusal of a folder that has a record."""
    return RecordError(
        f"There is a record at {root} already ({present.title or 'untitled'}, {present.state}, {present.examples:,} examples). "
        "Choose another path, go on with it (--resume), or replace it (--overwrite)."
    )


def clear(root: Path, *, training: bool) -> None:
    """Removes the folders of a record that is being replaced; files that are no record's stay."""
    kept = root / TRAINING_PANEL
    for name in (*_INSPECTION, *([TRAINING] if training else [])):
        place = root / name
        try:
            if place.is_symlink():
                place.unlink()
            elif place == kept.parent and kept.is_file() and not training:
                for path in place.iterdir():
                    if path != kept:
                        path.unlink()
            elif place.is_dir():
                shutil.rmtree(place)
        except OSError as error:
            raise files.storage_error(place, 0, error) from error


def move(source: Path, root: Path) -> None:
    """Moves the files of an inspection from one folder to another on the same disk; equal names are replaced."""
    for name in _INSPECTION:
        for parent, _, names in os.walk(source / name):
            target = root / Path(parent).relative_to(source)
            target.mkdir(parents=True, exist_ok=True)
            for each in names:
                (Path(parent) / each).replace(target / each)
            files.settle_folder(target)


def remove_leftovers(root: Path) -> None:
    """Removes the half-written files of a writer that was killed."""
    for parent, _, names in os.walk(root):
        for name in names:
            if name.startswith(".") and name.endswith(files.TEMPORARY):
                (Path(parent) / name).unlink(missing_ok=True)
