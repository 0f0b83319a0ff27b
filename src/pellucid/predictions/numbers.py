"""From Arrow columns to the arrays that the measures take: scores, and classes by index or by name."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from pellucid.errors import DataError

if TYPE_CHECKING:
    import pyarrow as pa

NO_CLASS = -1
# What torch's losses leave out (ignore_index): a label that is not known.
IGNORED = -100
MISSING = ("NaN", "nan", "null", "NULL", "NA", "N/A", "n/a", "#N/A", "<NA>", "None")
"""Words that stand for nothing where a number is expected, and where names of classes are known of which none is called so."""


@dataclass(frozen=True, slots=True)
class ArrowColumn(Sequence[Any]):
    """A column as a sequence of Python values, that NumPy and Arrow take whole."""

    values: pa.Array

    def __len__(self) -> int:
        return len(self.values)

    def __getitem__(self, place: Any) -> Any:
        if isinstance(place, slice):
            return self.values[place].to_pylist()
        return self.values[int(place)].as_py()

    def __iter__(self) -> Iterator[Any]:
        return iter(self.values.to_pylist())

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> NDArray[Any]:
        return np.asarray(self.values.to_numpy(zero_copy_only=False), dtype)

    def __arrow_array__(self, type: pa.DataType | None = None) -> pa.Array:  # noqa: A002 - the protocol's word
        return self.values if type is None or type == self.values.type else self.values.cast(type)


@dataclass(frozen=True, slots=True)
class Numbered(Sequence[str]):
    """Ids of examples that have none: their rows, written out only where somebody asks."""

    start: int
    length: int

    def __len__(self) -> int:
        return self.length

    def __getitem__(self, place: Any) -> Any:
        if isinstance(place, slice):
            return [self[each] for each in range(*place.indices(self.length))]
        if not -self.length <= place < self.length:
            raise IndexError(place)
        return str(self.start + int(place) % self.length)

    def __arrow_array__(self, type: pa.DataType | None = None) -> pa.Array:  # noqa: A002 - the protocol's word
        import pyarrow as pa

        return pa.array(np.arange(self.start, self.start + self.length)).cast(type or pa.string())


def scores_of(columns: Sequence[pa.Array], start: int) -> NDArray[np.floating]:
    """Scores, float[example class]; a row that is missing is NaN throughout.

    Args:
        columns: one column of lists, or one of numbers a class.
        start: row of the first example, for the error's words.

    Raises: DataError: lists of different length.
    """
    if len(columns) == 1 and hasattr(columns[0].type, "value_type"):
        return rows_of_lists(columns[0], start)
    return np.stack([_floating(_numbers(column)) for column in columns], axis=1)


def rows_of_lists(lists: Any, start: int, what: str = "scores") -> NDArray[np.floating]:
    """Lists of one length as rows, float[example class]; see `scores_of`. `what` they hold, for the error's words."""
    return _floating(_of_lists(lists, start, what))


def _of_lists(lists: Any, start: int, what: str) -> NDArray[Any]:
    import pyarrow as pa
    import pyarrow.compute as pc

    missing = np.asarray(lists.is_null())
    if pa.types.is_fixed_size_list(lists.type):
        width = lists.type.list_size
        flat = lists.values.slice(lists.offset * width, len(lists) * width)
        rows = _numbers(flat).reshape(len(lists), width)
        if missing.any():
            rows = _floating(rows).copy()
            rows[missing] = np.nan
        return rows
    lengths = np.asarray(pc.fill_null(pc.list_value_length(lists), -1))
    there = np.flatnonzero(lengths >= 0)
    width = int(lengths[there[0]]) if len(there) else 0
    uneven = there[lengths[there] != width]
    if len(uneven):
        raise DataError(
            f"The rows of {what} differ in length: row {start + int(there[0]):,} has {width}, row {start + int(uneven[0]):,} has "
            f"{lengths[uneven[0]]} ({len(uneven):,} such rows among {len(lists):,}). Every row needs a number for every class."
        )
    rows = np.full((len(lists), width), np.nan, np.float32)
    flat = _floating(_numbers(lists.flatten()))
    rows = rows.astype(flat.dtype)
    rows[there] = flat.reshape(len(there), width)
    return rows


def _numbers(values: Any) -> NDArray[Any]:
    """An Arrow array of numbers; a null is NaN."""
    if values.null_count and not str(values.type).startswith(("float", "double", "half")):
        values = values.cast("float64")
    return unwrapped(values)


def unwrapped(values: Any) -> NDArray[Any]:
    """An Arrow array of numbers as NumPy's; by a door that does not import pandas where it is installed."""
    import pyarrow as pa

    plain = pa.types.is_integer(values.type) or pa.types.is_floating(values.type)
    if plain and not values.null_count:
        return np.from_dlpack(values)
    numbers: NDArray[Any] = values.to_numpy(zero_copy_only=False)
    return numbers


def _floating(values: NDArray[Any]) -> NDArray[np.floating]:
    """float32 or float64, exactly: half floats are widened, whole numbers are float64."""
    if values.dtype == np.float16:
        return values.astype(np.float32)
    return values if values.dtype.kind == "f" else values.astype(np.float64)


def classes_of(
    column: Any, names: dict[str, int] | None, what: str, start: int, numbers: Mapping[int, int] | None = None
) -> NDArray[np.integer]:
    """Classes as indices, int32 or int64[example], -1 where there is none.

    Args:
        column: whole numbers, floats that are whole, text, or booleans.
        names: index by name, for text; None where text is numbers.
        what: "label" or "prediction", for the error's words.
        start: row of the first example, likewise.
        numbers: index by number, where classes are called by numbers; None where numbers are indices.

    Raises: DataError: it is no class, with the row.
    """
    import pyarrow as pa
    import pyarrow.compute as pc

    if pa.types.is_dictionary(column.type):
        column = column.dictionary_decode()
    if is_text(column.type):
        distinct = column.dictionary_encode()
        table = np.array([index_of(name, names) for name in distinct.dictionary.to_pylist()] + [NO_CLASS], np.int64)
        places = np.asarray(pc.fill_null(distinct.indices, len(table) - 1), np.int64)
        unknown = np.flatnonzero(table[places] < NO_CLASS)
        if len(unknown):
            named = sorted(names or {}, key=lambda name: (names or {})[name])[:8]
            raise DataError(
                f"The {what} of row {start + int(unknown[0]):,} is '{column[int(unknown[0])]}', which is none of the classes "
                f"{', '.join(named)}, ... ({len(unknown):,} such rows among {len(column):,})."
            )
        return table[places]
    if numbers is not None:
        return under_names(classes_of(column, None, what, start), numbers, what, start)
    if not (pa.types.is_integer(column.type) or pa.types.is_floating(column.type) or pa.types.is_boolean(column.type)):
        raise DataError(f"The {what}s are {column.type}; expected whole numbers, or names of classes.")
    plain = bounded(column)
    if plain is not None:
        return plain.astype(np.int32, copy=False)
    values = _numbers(column.cast(pa.uint8()) if pa.types.is_boolean(column.type) else column)
    wrong = np.zeros(len(values), np.bool_)
    if values.dtype.kind == "f":
        values = values.astype(np.float64)
        missing = np.isnan(values)
        whole = np.where(missing, NO_CLASS, values)
        wrong = whole != np.trunc(whole)
        wrong |= np.abs(whole) > 2**53
        values = np.where(wrong, NO_CLASS, whole)
    else:
        wrong = values > np.iinfo(np.int32).max
    indices = values.astype(np.int64)
    if what == "label":
        indices[indices == IGNORED] = NO_CLASS
    wrong |= indices < NO_CLASS
    if wrong.any():
        place = int(np.flatnonzero(wrong)[0])
        raise DataError(
            f"The {what} of row {start + place:,} is {column[place]}, which is no class ({int(wrong.sum()):,} such rows among "
            f"{len(column):,}). Classes are whole numbers from 0, or names; one that is missing is empty or -1. Saved numbers of a "
            "regression are not taken: inspect its model."
        )
    return indices


def under_names(values: NDArray[np.integer], numbers: Mapping[int, int], what: str, start: int) -> NDArray[np.integer]:
    """Indices of classes that are called by numbers, int64[example], -1 where there is none.

    Args:
        values: int[example], -1 where there is none.
        numbers: index by number.
        what: "label" or "prediction", for the error's words.
        start: row of the first example, likewise.

    Raises: DataError: no class is called so, with the row.
    """
    distinct, places = np.unique(values, return_inverse=True)
    unknown = NO_CLASS - 1
    found = np.array([NO_CLASS if one < 0 else numbers.get(one, unknown) for one in distinct.tolist()], np.int64)
    wrong = np.flatnonzero(found[places] == unknown)
    if len(wrong):
        raise DataError(
            f"The {what} of row {start + int(wrong[0]):,} is {values[wrong[0]]}, and no class is called so ({len(wrong):,} such "
            f"rows among {len(values):,}). Correct it, or the names of the classes (--classes FILE)."
        )
    return found[places]


def ignored_in(column: Any) -> int:
    """How many labels of a column of numbers are -100."""
    import pyarrow.compute as pc

    return int(pc.sum(pc.equal(column, IGNORED)).as_py() or 0) if column.type != "bool" else 0


def bounded(column: Any) -> NDArray[np.integer] | None:
    """Whole numbers that are all classes, as they are; None where that needs a closer look."""
    import pyarrow as pa

    if column.null_count or not len(column) or not pa.types.is_integer(column.type):
        return None
    values: NDArray[np.integer] = unwrapped(column)
    return values if values.min() >= NO_CLASS and values.max() <= np.iinfo(np.int32).max else None


def is_text(kind: Any) -> bool:
    """Whether a column holds text."""
    import pyarrow as pa

    if pa.types.is_dictionary(kind):
        return is_text(kind.value_type)
    return bool(pa.types.is_string(kind) or pa.types.is_large_string(kind))


def class_name(text: str) -> str:
    """A class's name without spaces around it, and in Unicode's composed form: letters with accents are written in two ways."""
    return unicodedata.normalize("NFC", text.strip())


def columns_called(classes: Sequence[str], columns: Sequence[str]) -> dict[str, str]:
    """Columns that are called as classes are, by class."""
    named = {class_name(column): column for column in columns} | {column: column for column in columns}
    return {name: named[class_name(name)] for name in classes if class_name(name) in named}


def index_of(name: str, names: dict[str, int] | None) -> int:
    """The class of that name, spaces around it left out; -1 where it is missing, -2 where it is none."""
    name = class_name(name)
    if not name and not (names and "" in names):
        return NO_CLASS
    if names is not None and (name in names or name in MISSING):
        return names.get(name, NO_CLASS)
    return int(name) if names is None and name.lstrip("-").isdigit() else NO_CLASS - 1


def floats_of(column: Any) -> NDArray[np.floating]:
    """A column of numbers, float[example]; a null is NaN."""
    return _floating(_numbers(column))
