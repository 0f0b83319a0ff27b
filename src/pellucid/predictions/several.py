"""Labels that are lists: a soft label, one probability or count a class, or the set of all classes that are true."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from pellucid.errors import DataError
from pellucid.predictions.numbers import NO_CLASS, index_of, is_text, rows_of_lists

if TYPE_CHECKING:
    import pyarrow as pa

LabelKind: TypeAlias = Literal["class", "soft", "sets"]
Floats: TypeAlias = NDArray[np.float64]
Sets: TypeAlias = tuple[frozenset[int] | None, ...]

# How far the sum of a soft label may be from 1: half floats of a thousand classes lie within it.
SLACK = 1e-2


def is_listed(kind: pa.DataType) -> bool:
    """Whether a column holds lists of numbers, booleans or text: what a label of several classes may be."""
    import pyarrow as pa

    if not (pa.types.is_list(kind) or pa.types.is_large_list(kind) or pa.types.is_fixed_size_list(kind)):
        return False
    value = kind.value_type
    number = pa.types.is_integer(value) or pa.types.is_floating(value)
    return bool(number or pa.types.is_boolean(value) or is_text(value))


def label_kind(kind: pa.DataType) -> LabelKind:
    """What the labels of a column are, by its type.

    Booleans, one a class, text, and whole numbers in lists of any length are sets; floats, and whole numbers in lists of one
    fixed length, are soft labels, as they are for an inspection.
    """
    import pyarrow as pa

    if not is_listed(kind):
        return "class"
    if pa.types.is_boolean(kind.value_type) or is_text(kind.value_type):
        return "sets"
    return "sets" if pa.types.is_integer(kind.value_type) and not pa.types.is_fixed_size_list(kind) else "soft"


def is_counted(kind: pa.DataType) -> bool:
    """Whether a column's lists may be counts, one a class: whole numbers, which are indices unless somebody says so."""
    import pyarrow as pa

    return is_listed(kind) and bool(pa.types.is_integer(kind.value_type))


def is_indicated(kind: pa.DataType) -> bool:
    """Whether a column's lists may be sets, one 0 or 1 a class: numbers, which are soft labels unless somebody says so."""
    import pyarrow as pa

    if not is_listed(kind):
        return False
    whole = pa.types.is_integer(kind.value_type) and pa.types.is_fixed_size_list(kind)
    return bool(whole or pa.types.is_floating(kind.value_type))


def soft_of(column: Any, classes: int, start: int) -> Floats:
    """Soft labels, float64[example class], each divided by its sum; NaN throughout where there is none.

    Args:
        column: lists of numbers.
        classes: how many there must be.
        start: row of the first example, for the error's words.

    Raises: DataError: another number of classes, or numbers that are neither probabilities nor counts, with the first row.
    """
    import pyarrow as pa

    values = rows_of_lists(column, start, "soft labels").astype(np.float64)
    missing = np.isnan(values).all(axis=1)
    if not missing.all() and values.shape[1] != classes:
        raise DataError(
            f"The soft labels name {values.shape[1]} classes, but there are scores of {classes}. Give one probability or count a "
            "class, in the order of the scores."
        )
    if missing.all():
        return np.full((len(values), classes), np.nan)
    lowest, highest, sums = (values.min(axis=1), values.max(axis=1), values.sum(axis=1))
    whole = pa.types.is_integer(column.type.value_type)
    with np.errstate(invalid="ignore"):
        right = np.isfinite(sums) & (lowest >= 0) & (sums > 0)
        unclear = right & (highest == 1) & (sums > 1) if whole else np.zeros(len(values), np.bool_)
        uneven = np.zeros(len(values), np.bool_) if whole else right & (np.abs(sums - 1) > SLACK)
    _refuse(~missing & ~right, start, values, "must hold numbers of at least 0, not all 0")
    _refuse(
        unclear,
        start,
        values,
        "may be counts or a set of classes: say --label-kind sets, or give counts divided by their sum",
    )
    _refuse(
        uneven,
        start,
        values,
        "does not sum to 1, as probabilities do: give counts as whole numbers, or say --label-kind sets of one 0 or 1 a class",
    )
    return np.asarray(values / sums[:, None])


def _refuse(wrong: NDArray[np.bool_], start: int, values: Floats, words: str) -> None:
    found = np.flatnonzero(wrong)
    if len(found):
        shown = ", ".join(f"{one:.4g}" for one in values[found[0], :6])
        more = ", ..." if values.shape[1] > 6 else ""
        raise DataError(
            f"The soft label of row {start + int(found[0]):,}, [{shown}{more}], {words} ({len(found):,} such rows among "
            f"{len(values):,})."
        )


def majority(soft: Floats) -> NDArray[np.int64]:
    """The most probable class of each soft label, int64[example], -1 where there is none."""
    known = ~np.isnan(soft[:, 0])
    return np.where(known, np.where(known[:, None], soft, 0.0).argmax(axis=1), NO_CLASS)


def sets_of(
    column: Any, names: dict[str, int] | None, classes: int, start: int, numbers: Mapping[int, int] | None = None
) -> Sets:
    """Sets of classes by index, None where a set is not known.

    Args:
        column: lists of booleans, zeros or ones, one a class, or of indices or names.
        names: index by name, for text; None where text is numbers.
        classes: how many there are.
        start: row of the first example, for the error's words.
        numbers: index by number, where classes are called by numbers; None where numbers are indices.

    Raises: DataError: another number of booleans than classes, or no class, with the row.
    """
    import pyarrow as pa

    if pa.types.is_boolean(column.type.value_type) or is_indicated(column.type):
        return _of_booleans(column, classes, start)
    lengths = _lengths(column)
    values = column.flatten()
    indices = _indices(values, names, numbers)
    wrong = np.flatnonzero((indices < 0) | (indices >= classes))
    ends = np.cumsum(np.maximum(lengths, 0))
    if len(wrong):
        row = int(np.searchsorted(ends, wrong[0], side="right"))
        raise DataError(
            f"The set of classes of row {start + row:,} holds {values[int(wrong[0])]}, none of the {classes} classes, 0 to "
            f"{classes - 1} ({len(wrong):,} such among {len(indices):,}). Correct it, or the names of the classes (--classes FILE)."
        )
    return tuple(
        None if length < 0 else frozenset(indices[end - length : end].tolist())
        for length, end in zip(lengths.tolist(), ends.tolist(), strict=True)
    )


def _of_booleans(column: Any, classes: int, start: int) -> Sets:
    lengths = _lengths(column)
    wrong = np.flatnonzero((lengths >= 0) & (lengths != classes))
    if len(wrong):
        raise DataError(
            f"The set of classes of row {start + int(wrong[0]):,} has {lengths[wrong[0]]} values, but there are scores of "
            f"{classes} classes ({len(wrong):,} such rows among {len(lengths):,}). Give one a class, in the order of the scores."
        )
    values = column.flatten()
    if values.null_count:
        raise DataError(
            "A set of classes holds values that are missing. Leave the whole list out where a set is not known."
        )
    held = values.to_numpy(zero_copy_only=False).reshape(-1, classes)
    rows = held.astype(np.bool_)
    other = np.flatnonzero((rows != held).any(axis=1))
    if len(other):
        row = start + int(np.flatnonzero(lengths >= 0)[other[0]])
        raise DataError(
            f"The set of classes of row {row:,} holds other numbers than 0 and 1 ({len(other):,} such rows among {len(lengths):,})."
        )
    known = iter(rows)
    return tuple(None if length < 0 else frozenset(np.flatnonzero(next(known)).tolist()) for length in lengths)


def _lengths(column: Any) -> NDArray[np.int64]:
    """int64[example] of each list; -1 where it is missing."""
    import pyarrow.compute as pc

    return np.asarray(pc.fill_null(pc.list_value_length(column), -1), np.int64)


def _indices(values: Any, names: dict[str, int] | None, numbers: Mapping[int, int] | None = None) -> NDArray[np.int64]:
    import pyarrow.compute as pc

    if not is_text(values.type):
        whole = np.asarray(pc.fill_null(values.cast("int64"), NO_CLASS), np.int64)
        return whole if numbers is None else np.array([numbers.get(one, NO_CLASS) for one in whole.tolist()], np.int64)
    distinct = values if hasattr(values, "dictionary") else values.dictionary_encode()
    table = np.array([index_of(name, names) for name in distinct.dictionary.to_pylist()] + [NO_CLASS], np.int64)
    return table[np.asarray(pc.fill_null(distinct.indices, len(table) - 1), np.int64)]
