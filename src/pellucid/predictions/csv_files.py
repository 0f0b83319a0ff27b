"""CSV files as columns: read once for their length and for types that hold for all of their rows, then a piece at a time."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pellucid.errors import DataError
from pellucid.predictions.csv_style import Style, style_of

if TYPE_CHECKING:
    import pyarrow as pa

    from pellucid.predictions.files import Columns, Digits

_BLOCK = 1 << 22


def open_csv(path: Path, classes: Sequence[str] | None = None) -> Columns:
    """Reads it once: how many rows there are, and types that hold for all of them, not for the first only.

    Args:
        path: of the file.
        classes: names of the classes, as far as they are known: text that is one of them is there, "nan" or "null", too.
    """
    import pyarrow as pa

    style = style_of(path, classes)
    types: dict[str, pa.DataType] = {}
    uneven = _Uneven()
    while True:
        uneven.count = rows = 0
        try:
            for piece in _csv_pieces(path, style, types, uneven=uneven):
                rows += piece.num_rows
            break
        except pa.ArrowInvalid as error:
            if not _widened(types, str(error)):
                raise DataError(f"{path} is no CSV file with a header that can be read: {error}.") from error
        except UnicodeDecodeError as error:
            raise DataError(
                f"The first line of {path} is not UTF-8: {error}. Write the file anew in that encoding."
            ) from error
        except (pa.ArrowException, OSError) as error:
            raise DataError(f"{path} cannot be read: {error}.") from error
    binary = [name for name, kind in types.items() if pa.types.is_binary(kind)]
    if binary:
        raise DataError(
            f"The column '{binary[0]}' of {path} holds text that is not UTF-8. Write the file anew in that encoding."
        )
    if uneven.count:
        raise DataError(
            f"{path} has {len(types)} columns, but {uneven.count:,} rows of it have another number of values; {uneven.first}. "
            "Text that holds the separator has to stand between double quotes."
        )
    # A column without any value has no type of its own.
    return _Csv(
        path, style, {name: pa.float64() if pa.types.is_null(kind) else kind for name, kind in types.items()}, rows
    )


@dataclass(frozen=True)
class _Csv:
    """A CSV file whose columns have types that hold for all of its rows."""

    path: Path
    style: Style
    types: dict[str, pa.DataType]
    rows: int

    @property
    def source(self) -> str:
        return str(self.path)

    @property
    def name(self) -> str:
        return self.path.stem

    @property
    def schema(self) -> pa.Schema:
        import pyarrow as pa

        return pa.schema(list(self.types.items()))

    def pieces(self, columns: Sequence[str], rows: int) -> Iterator[pa.RecordBatch]:
        for piece in _csv_pieces(self.path, self.style, self.types, list(columns)):
            for start in range(0, piece.num_rows, rows):
                yield piece.slice(start, rows)

    def digits(self, column: str) -> Digits:
        return "text"

    def extremes(self, column: str) -> tuple[int, int] | None:
        return None


@dataclass
class _Uneven:
    """Rows that have too many or too few values."""

    count: int = 0
    first: str = ""

    def __call__(self, row: Any) -> str:
        if not self.count:
            # The header is line 1, and lines are counted where the file is read by one thread.
            where = f"line {row.number}" if row.number is not None else f"'{row.text[:60]}'"
            self.first = f"{where} has {row.actual_columns}"
        self.count += 1
        return "skip"


def _csv_pieces(
    path: Path,
    style: Style,
    types: dict[str, pa.DataType],
    columns: list[str] | None = None,
    uneven: _Uneven | None = None,
) -> Iterator[pa.RecordBatch]:
    from pyarrow import csv

    parse = csv.ParseOptions(
        delimiter=style.separator,
        invalid_row_handler=uneven or _Uneven(),
        newlines_in_values=True,
    )
    convert = csv.ConvertOptions(
        column_types=types,
        include_columns=columns or [],
        null_values=list(style.no_number),
        strings_can_be_null=False,
        decimal_point=style.decimal,
    )
    read = csv.ReadOptions(use_threads=False, block_size=_BLOCK)
    with csv.open_csv(path, read_options=read, parse_options=parse, convert_options=convert) as reader:
        if not types:
            types.update((entry.name, entry.type) for entry in reader.schema)
            if len(types) != len(reader.schema):
                raise DataError(f"{path} names a column twice in its first line: {', '.join(reader.schema.names)}.")
        for piece in reader:
            yield _without(piece, style.no_text)


def _without(piece: pa.RecordBatch, words: Sequence[str]) -> pa.RecordBatch:
    """A piece in whose columns of text these words are nothing."""
    import pyarrow as pa
    import pyarrow.compute as pc

    columns = [
        pc.if_else(pc.is_in(column, value_set=pa.array(words, pa.string())), None, column)
        if pa.types.is_string(column.type)
        else column
        for column in piece.columns
    ]
    return pa.RecordBatch.from_arrays(columns, names=piece.schema.names)


def _widened(types: dict[str, pa.DataType], message: str) -> bool:
    """Gives a column whose values turned out to be of another type a wider one; False where it is not that."""
    import pyarrow as pa

    found = re.search(r"In CSV column #(\d+): .*CSV conversion error", message)
    if found is None or int(found.group(1)) >= len(types):
        return False
    name = list(types)[int(found.group(1))]
    if types[name] == pa.string():
        return False
    types[name] = pa.float64() if pa.types.is_integer(types[name]) or pa.types.is_null(types[name]) else pa.string()
    return True
