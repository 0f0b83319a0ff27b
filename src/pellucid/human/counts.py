"""Counts of how many people chose each class, as answers: CIFAR-10H and what looks like it."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from pellucid.errors import DataError
from pellucid.human.answers import Answers, answers_schema

if TYPE_CHECKING:
    import pyarrow as pa

LISTS = ("human_counts", "counts", "human_count", "votes")
IDS = ("id", "example", "image", "imagename", "filename")
LABELS = ("label", "category", "target")


@dataclass(frozen=True)
class Counts:
    """Numbers [example class] as a file holds them, and what it says of them.

    Attributes:
        values: not yet checked to be counts.
        titles: of the classes; empty where nothing says so.
        ids: of the examples; None where only their order tells them.
        labels: true classes, by name or index; None where the file has none.
    """

    values: Any
    titles: tuple[str, ...] = ()
    ids: list[str] | None = None
    labels: list[str | None] | None = None


def counts_in(table: pa.Table, path: str) -> Counts | None:
    """The counts of a table; None where it holds none.

    A column of lists is taken under its usual names; else all columns but ids and labels, where they hold numbers.

    Raises: DataError: lists of several lengths.
    """
    import pyarrow as pa

    names = {name.casefold(): name for name in reversed(table.column_names)}
    ids = next((names[one] for one in IDS if one in names), None)
    label = next((names[one] for one in LABELS if one in names), None)
    listed = [names[one] for one in LISTS if one in names and pa.types.is_nested(table.schema.field(names[one]).type)]
    titles: tuple[str, ...] = _named(table)
    if listed:
        rows = table[listed[0]].to_pylist()
        if any(one is None or len(one) != len(rows[0] or ()) for one in rows):
            raise DataError(
                f"The lists of '{listed[0]}' of {path} are not all of one length; expected a count of each class."
            )
        values = np.array(rows)
    else:
        kept = [name for name in table.column_names if name not in (ids, label)]
        try:
            columns = [np.array([float(one) for one in table[name].to_pylist()]) for name in kept]
        except (TypeError, ValueError):
            return None
        if len(columns) < 2:
            return None
        values = np.stack(columns, 1)
        if not all(re.fullmatch(r"\D*\d+", name) for name in kept):
            titles = tuple(kept)
    return Counts(
        values,
        titles,
        None if ids is None else [str(one) for one in table[ids].to_pylist()],
        None if label is None else [None if one is None else str(one) for one in table[label].to_pylist()],
    )


def answers_of_counts(given: Counts, classes: Sequence[str] | None, name: str, digest: str) -> Answers:
    """The answers that counts stand for, one row an image and class that somebody chose.

    Args:
        given: the counts.
        classes: names in order of index, where the file does not give them.
        name: of the file.
        digest: its SHA-256.

    Raises: DataError: they are no counts, or the names are not as many.
    """
    import pyarrow as pa

    counts = _checked(given.values, name)
    number = counts.shape[1]
    titles = given.titles or tuple(classes or ()) or tuple(map(str, range(number)))
    if len(titles) != number:
        raise DataError(
            f"{name} has counts of {number} classes, but {len(titles)} names ({', '.join(titles[:3])}, ...) are known. Give one "
            "name a class, in order of index (--classes FILE)."
        )
    rows, columns = np.nonzero(counts)
    ids = given.ids if given.ids is not None else [str(row) for row in range(len(counts))]
    total, wanted, places = len(rows), answers_schema(), pa.array(rows)
    filled = {
        "observer": pa.array([""] * total),
        "example": pa.array(ids, pa.string()).take(places),
        "condition": pa.array([""] * total),
        "response": pa.array(titles, pa.string()).take(pa.array(columns)),
        "count": pa.array(counts[rows, columns].astype(np.int32)),
    }
    if given.labels is not None:
        filled["category"] = pa.array([_title(one, titles) for one in given.labels], pa.string()).take(places)
    columns_of = {field.name: filled.get(field.name, pa.nulls(total, field.type)) for field in wanted}
    return Answers(pa.table(columns_of, schema=wanted), name, digest, "counts", categories=titles)


def _checked(values: Any, name: str) -> NDArray[np.int64]:
    array = np.asarray(values)
    if array.ndim != 2 or array.shape[1] < 2 or array.dtype.kind not in "iuf":
        raise DataError(
            f"{name} holds {array.dtype} of shape {array.shape}; expected whole numbers of shape (examples, classes): how many "
            "people chose each class."
        )
    if not len(array) or not np.isfinite(array).all() or (array < 0).any() or (array != np.floor(array)).any():
        raise DataError(
            f"{name} holds numbers that are no counts (shares, or negative ones, or none at all); expected how many people chose "
            "each class: an interval needs to know how many they were."
        )
    counts = array.astype(np.int64)
    if not counts.any():
        raise DataError(f"All counts in {name} are 0: it holds no answers.")
    return counts


def _title(label: str | None, titles: Sequence[str]) -> str | None:
    """The name of a label that is a name or an index."""
    if label is None or label in titles:
        return label
    return titles[int(label)] if label.isdigit() and int(label) < len(titles) else label


def _named(table: pa.Table) -> tuple[str, ...]:
    """Class names in a file's metadata, a list with commas; empty where there are none."""
    text = (table.schema.metadata or {}).get(b"class_names", b"").decode("utf-8", "replace")
    return tuple(name.strip() for name in text.split(",")) if text else ()
