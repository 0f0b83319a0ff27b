"""Parquet in the Hugging Face layout: `image{bytes, path}`, `label`, and whatever came along."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pellucid.data.listed import ListedImages, Listing
from pellucid.data.naming import names_in
from pellucid.data.targets import Target, target_of
from pellucid.errors import DataError
from pellucid.recipe import Recipe
from pellucid.types import Scalar

if TYPE_CHECKING:
    import pyarrow.parquet as pq


def open_data(
    spec: str,
    *,
    recipe: Recipe | None = None,
    limit: int | None = None,
    skip_bad: bool = False,
    labels: str | None = None,
) -> ListedImages:
    """Opens a file, or every file of a folder in order of name. Images are read a row group at a time.

    `labels` names the column of the labels; one of lists holds soft labels (a probability or a count a class) or sets of classes.
    Class names come from the Hugging Face metadata of the schema, or are the sorted labels where those are text.
    Raises: DataError: a column is missing or a file is no Parquet.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    place = Path(spec)
    paths = sorted(place.glob("*.parquet")) if place.is_dir() else [place]
    try:
        files = [pq.ParquetFile(path) for path in paths]
        listings, classes = _listed(files, paths, spec, labels)
    except (pa.ArrowException, OSError) as error:
        raise DataError(f"{spec} is no Parquet file that can be read: {error}.") from error
    if not listings:
        raise DataError(f"{spec} holds no rows: there is nothing to inspect.")
    return ListedImages(
        name=place.resolve().stem if place.is_file() else place.resolve().name,
        source=spec,
        classes=classes,
        listings=listings if limit is None else listings[:limit],
        recipe=recipe or Recipe(),
        skip_bad=skip_bad,
        labels=labels or "",
    )


def _listed(
    files: Sequence[pq.ParquetFile], paths: Sequence[Path], spec: str, labels: str | None
) -> tuple[Sequence[Listing], tuple[str, ...] | None]:
    import pyarrow as pa

    schema = files[0].schema_arrow
    if "image" not in schema.names or not _holds_bytes(schema.field("image").type):
        columns = ", ".join(f"{column.name}: {column.type}" for column in schema)
        raise DataError(
            f"{spec} has the columns {columns}; expected image: struct<bytes: binary, path: string> and label."
        )
    if labels is not None and labels not in schema.names:
        raise DataError(f"{spec} has no column '{labels}' (--labels). It has: {', '.join(schema.names)}.")
    usual = next((name for name in ("label", "labels", "fine_label", "target") if name in schema.names), None)
    label = labels or usual
    plain = [column.name for column in schema if column.name != "image" and not pa.types.is_nested(column.type)]
    lists = label is not None and label not in plain and _is_list(schema.field(label).type)
    if label is not None and label not in plain and not lists:
        raise DataError(f"The column '{label}' of {spec} is {schema.field(label).type}; expected one class an image.")
    if lists:
        plain.append(str(label))
    for file, path in zip(files, paths, strict=True):
        if absent := {"image", *plain} - set(file.schema_arrow.names):
            raise DataError(f"{path} lacks the columns {', '.join(sorted(absent))} that {paths[0]} has.")
    rows: dict[str, list[Any]] = {name: [] for name in plain}
    places: list[tuple[int, int, int]] = []
    for number, file in enumerate(files):
        for group in range(file.num_row_groups):
            table = file.read_row_group(group, columns=plain)
            for name in plain:
                rows[name] += table[name].to_pylist()
            places += [(number, group, row) for row in range(file.metadata.row_group(group).num_rows)]
    several: list[Target] = []
    targets: Sequence[int | float | None] | None
    if lists:
        several = _several(rows[str(label)], schema.field(str(label)).type, str(label))
        targets, classes = [one[0] for one in several], names_in(schema, str(label)) or names_in(schema, usual or "")
    else:
        targets, classes = _targets(rows.get(label or "", []), schema, label)
    groups = _Groups(tuple(files))
    ids = rows.get("id") or [str(row) for row in range(len(places))]
    extra = [name for name in plain if name not in (label, "id")]
    listings = [
        Listing(
            str(ids[row]),
            _Reader(groups, *place),
            targets[row] if targets else None,
            {name: _scalar(rows[name][row]) for name in extra},
            *(several[row][1:] if several else ()),
        )
        for row, place in enumerate(places)
    ]
    return listings, classes


def _holds_bytes(kind: Any) -> bool:
    """Whether a column's type is that of encoded images, in a struct or alone."""
    import pyarrow as pa

    if pa.types.is_struct(kind):
        places = [place for place in range(kind.num_fields) if kind.field(place).name == "bytes"]
        return bool(places) and _holds_bytes(kind.field(places[0]).type)
    return bool(pa.types.is_binary(kind) or pa.types.is_large_binary(kind))


def _is_list(kind: Any) -> bool:
    import pyarrow as pa

    return bool(pa.types.is_list(kind) or pa.types.is_large_list(kind) or pa.types.is_fixed_size_list(kind))


def _several(values: list[Any], kind: Any, label: str) -> list[Target]:
    """Labels from lists: whole numbers in lists of any length are classes; else there is one number a class."""
    import numpy as np
    import pyarrow as pa

    indices = pa.types.is_integer(kind.value_type) and not pa.types.is_fixed_size_list(kind)
    dtype = kind.value_type.to_pandas_dtype()
    return [
        target_of(None if one is None else set(one) if indices else np.asarray(one, dtype), f"row {row} ({label})")
        for row, one in enumerate(values)
    ]


def _targets(
    labels: list[Any], schema: Any, label: str | None
) -> tuple[list[int | None] | None, tuple[str, ...] | None]:
    if label is None:
        return None, None
    names = names_in(schema, label)
    if labels and any(isinstance(value, str) for value in labels):
        names = names or tuple(sorted({value for value in labels if value is not None}))
        index = {name: place for place, name in enumerate(names)}
        unknown = next((value for value in labels if value is not None and value not in index), None)
        if unknown is not None:
            raise DataError(f"The label '{unknown}' is none of the classes {', '.join(names[:8])}.")
        return [None if value is None else index[value] for value in labels], names
    return [None if value is None else int(value) for value in labels], names


def _scalar(value: Any) -> Scalar:
    return value if value is None or isinstance(value, str | int | float | bool) else str(value)


@dataclass(frozen=True)
class _Groups:
    """The images of the row groups that were read last."""

    files: tuple[Any, ...]
    lock: threading.Lock = field(default_factory=threading.Lock, compare=False)

    @lru_cache(maxsize=4)  # noqa: B019  (one object a source, as long-lived as its cache)
    def images(self, file: int, group: int) -> list[dict[str, Any] | bytes | None]:
        """Every image of a row group, still encoded."""
        table = self.files[file].read_row_group(group, columns=["image"])
        images: list[dict[str, Any] | bytes | None] = table["image"].to_pylist()
        return images


@dataclass(frozen=True)
class _Reader:
    groups: _Groups
    file: int
    group: int
    row: int

    def __call__(self) -> bytes:
        import pyarrow as pa

        # One thread reads a row group, and the others find it read.
        with self.groups.lock:
            try:
                image = self.groups.images(self.file, self.group)[self.row]
            except pa.ArrowException as error:
                raise OSError(f"its row group is damaged: {error}") from error
        content = image.get("bytes") if isinstance(image, dict) else image
        if content is None:
            raise OSError("the row holds no image bytes")
        return bytes(content)
