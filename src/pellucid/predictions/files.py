"""Files of saved predictions and labels as columns, read a piece at a time: Parquet, CSV, and NumPy's .npy.

However large a file is, only a piece of it is in memory. Nothing that could run code is opened: no pickle.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Protocol, TypeAlias

import numpy as np

from pellucid.errors import DataError
from pellucid.predictions.csv_files import open_csv

if TYPE_CHECKING:
    import pyarrow as pa
    from numpy.typing import NDArray

VALUES = "values"
"""The one column of an array that has no names."""

Digits: TypeAlias = Literal["text", "numbers", "indices"]
"""Where a column's whole numbers come from: digits of a text file, numbers, or indices of columns that are one a class."""

# Bytes that a Parquet column reads ahead; there may be thousands of columns.
_READ_AHEAD = 1 << 16


class Columns(Protocol):
    """A table that is read in pieces, any number of times."""

    @property
    def source(self) -> str:
        """How it was named."""

    @property
    def name(self) -> str:
        """For people."""

    @property
    def rows(self) -> int:
        """Number of rows."""

    @property
    def schema(self) -> pa.Schema:
        """Names and types of the columns; its metadata may name the classes."""

    def pieces(self, columns: Sequence[str], rows: int) -> Iterator[pa.RecordBatch]:
        """These columns, in order; pieces of at most so many rows. Raises: DataError: it is damaged."""

    def digits(self, column: str) -> Digits:
        """Where the whole numbers of a column come from."""

    def extremes(self, column: str) -> tuple[int, int] | None:
        """Least and largest of a column of whole numbers, as the file says itself; None where it does not."""


def open_columns(source: object, purpose: str, classes: Sequence[str] | None = None) -> Columns:
    """Opens a file by its ending, or takes an array, a torch tensor or an Arrow table that a program holds.

    Args:
        source: path, or what a program holds.
        purpose: "predictions" or "labels", for the error's words.
        classes: names of the classes, as far as they are known: text that is one of them is not missing.

    Raises: DataError: no such file, or none that can be read.
    """
    import pyarrow as pa

    if isinstance(source, pa.Table):
        return _Held(source, f"{purpose} in memory", f"{purpose} in memory")
    if not isinstance(source, str | Path):
        return _array(_numbers(source, purpose), f"{purpose} in memory")
    path = Path(source)
    if not path.is_file():
        raise DataError(f"There is no file {path}. Expected the {purpose} as .parquet, .csv, .tsv or .npy.")
    if path.suffix in (".parquet", ".pq"):
        return _parquet(path)
    if path.suffix in (".csv", ".tsv"):
        return open_csv(path, classes)
    if path.suffix == ".npy":
        return _array(_mapped(path), str(path))
    hint = ""
    if path.suffix in (".pt", ".pth", ".pkl", ".npz"):
        hint = " Pickled files can run code: write numpy.save('FILE.npy', scores.numpy())."
    raise DataError(f"{path} is none of .parquet, .csv, .tsv and .npy, of which {purpose} are read.{hint}")


# --- arrays ---------------------------------------------------------------------------------------------------


def _numbers(values: Any, purpose: str) -> NDArray[Any]:
    held = values.detach().cpu() if hasattr(values, "detach") else values
    if str(getattr(held, "dtype", "")) == "torch.bfloat16":
        held = held.float()  # NumPy has no such type; every value of it is one of float32
    try:
        array = _unmasked(held, purpose) if isinstance(held, np.ma.MaskedArray) else np.asarray(held)
    except (TypeError, ValueError, RuntimeError) as error:
        why = str(error).rstrip(".")
        raise DataError(
            f"The {purpose} are {type(values).__name__}, of which NumPy makes no array: {why}. Expected numbers, or text for "
            "classes."
        ) from error
    if array.dtype.kind == "O":
        raise DataError(f"The {purpose} are {type(values).__name__} of objects; expected numbers, or text for classes.")
    return array


def _unmasked(values: Any, purpose: str) -> NDArray[Any]:
    """What is masked as what is missing: NaN among floats, -1 among whole numbers, no text."""
    if not np.ma.getmaskarray(values).any():
        return np.asarray(values.data)
    kind = values.dtype.kind
    if kind == "f":
        return np.asarray(values.filled(np.nan))
    if values.ndim == 1 and kind in "biu":
        return np.asarray(values.astype(np.int64).filled(-1))
    if values.ndim == 1 and kind == "U":
        return np.asarray(values.filled(""))
    raise DataError(
        f"The {purpose} are a masked array of {values.dtype} with the shape {values.shape}, in which nothing stands for what is "
        "masked. Give floats with NaN there."
    )


def _mapped(path: Path) -> NDArray[Any]:
    try:
        return np.load(path, mmap_mode="r", allow_pickle=False)  # type: ignore[no-any-return]
    except (ValueError, OSError, EOFError) as error:
        raise DataError(
            f"{path} is no .npy file of numbers that can be read: {error}. Arrays of objects are pickled, which can run "
            "code: write numbers, or text of one length (dtype U)."
        ) from error


def _array(values: NDArray[Any], source: str) -> _Array:
    """An array as a table; a second axis of one number an example, as `labels[:, None]` has, says no more than none."""
    return _Array(values.reshape(-1) if values.ndim == 2 and values.shape[1] == 1 else values, source)


@dataclass(frozen=True)
class _Array:
    """One axis: a value a row; two axes: a list a row. What is read of a mapped file is given back at once."""

    values: NDArray[Any]
    source: str

    def __post_init__(self) -> None:
        if self.values.ndim not in (1, 2):
            raise DataError(
                f"{self.source} has the shape {self.values.shape}; expected (examples,) or (examples, classes)."
            )
        if self.values.dtype.kind not in "biufU":
            raise DataError(f"{self.source} holds {self.values.dtype}; expected whole numbers, floats or text.")

    @property
    def name(self) -> str:
        return Path(self.source).stem

    @property
    def rows(self) -> int:
        return len(self.values)

    @property
    def schema(self) -> pa.Schema:
        return self._piece(0, 0).schema

    def pieces(self, columns: Sequence[str], rows: int) -> Iterator[pa.RecordBatch]:
        for start in range(0, self.rows, rows):
            yield self._piece(start, min(start + rows, self.rows))

    def digits(self, column: str) -> Digits:
        return "numbers"

    def extremes(self, column: str) -> tuple[int, int] | None:
        return None

    def _piece(self, start: int, end: int) -> pa.RecordBatch:
        import pyarrow as pa

        values = _read(self.values, start, end)
        array = _wrapped(values.reshape(-1))
        if values.ndim == 2:
            array = pa.FixedSizeListArray.from_arrays(array, values.shape[1])
        return pa.record_batch({VALUES: array})


def _wrapped(values: NDArray[Any]) -> pa.Array:
    """Numbers as an Arrow array, without a copy and without a look at pandas, which `pyarrow.array` imports."""
    import pyarrow as pa

    if values.dtype.kind not in "iuf":
        return pa.array(values)
    return pa.Array.from_buffers(pa.from_numpy_dtype(values.dtype), len(values), [None, pa.py_buffer(values)])


def _read(values: NDArray[Any], start: int, end: int) -> NDArray[Any]:
    """Rows of an array, in the machine's byte order; of a mapped file by reading, for mapped pages stay in memory."""
    if isinstance(values, np.memmap) and values.flags.c_contiguous and values.filename is not None:
        width = values.shape[1] if values.ndim == 2 else 1
        offset = values.offset + start * width * values.dtype.itemsize
        with Path(values.filename).open("rb") as file:
            content = np.fromfile(file, values.dtype, (end - start) * width, offset=offset)
        piece = content.reshape((end - start, *values.shape[1:]))
    else:
        piece = np.ascontiguousarray(values[start:end])
    if piece.dtype.kind == "f" and piece.dtype.itemsize > np.dtype(np.float64).itemsize:
        with np.errstate(over="ignore"):
            return piece.astype(np.float64)  # the longest that Arrow has
    return piece.astype(piece.dtype.newbyteorder("="), copy=False)


# --- tables ---------------------------------------------------------------------------------------------------


def held(table: pa.Table, origin: Columns) -> Columns:
    """A table in memory that stands for one that was read."""
    return _Held(table, origin.source, origin.name, origin)


@dataclass(frozen=True)
class _Held:
    """An Arrow table in memory."""

    table: pa.Table
    source: str
    name: str
    origin: Columns | None = None

    @property
    def rows(self) -> int:
        return int(self.table.num_rows)

    @property
    def schema(self) -> pa.Schema:
        return self.table.schema

    def pieces(self, columns: Sequence[str], rows: int) -> Iterator[pa.RecordBatch]:
        yield from self.table.select(list(columns)).to_batches(max_chunksize=rows)

    def digits(self, column: str) -> Digits:
        return "numbers" if self.origin is None else self.origin.digits(column)

    def extremes(self, column: str) -> tuple[int, int] | None:
        return None


@dataclass(frozen=True)
class _Parquet:
    path: Path
    schema: pa.Schema
    rows: int

    @property
    def source(self) -> str:
        return str(self.path)

    @property
    def name(self) -> str:
        return self.path.stem

    def pieces(self, columns: Sequence[str], rows: int) -> Iterator[pa.RecordBatch]:
        import pyarrow as pa
        import pyarrow.parquet as pq

        try:
            with pq.ParquetFile(self.path, buffer_size=_READ_AHEAD, pre_buffer=False) as file:
                # Row groups one by one: what is read of several at once is kept until the last of them.
                for group in range(file.num_row_groups):
                    yield from file.iter_batches(rows, [group], list(columns), use_threads=False)
        except (pa.ArrowException, OSError) as error:
            raise DataError(f"{self.path} is damaged: {error}.") from error

    def digits(self, column: str) -> Digits:
        return "numbers"

    def extremes(self, column: str) -> tuple[int, int] | None:
        import pyarrow as pa
        import pyarrow.parquet as pq

        if not pa.types.is_signed_integer(self.schema.field(column).type):
            return None
        ends: list[int] = []
        with pq.ParquetFile(self.path) as file:
            for group in map(file.metadata.row_group, range(file.num_row_groups)):
                places = [place for place in range(group.num_columns) if group.column(place).path_in_schema == column]
                told = group.column(places[0]).statistics if places else None
                if told is None or not told.has_min_max:
                    return None
                ends += [told.min, told.max]
        return (min(ends), max(ends)) if ends else None


def _parquet(path: Path) -> _Parquet:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        with pq.ParquetFile(path) as file:
            return _Parquet(path, file.schema_arrow, file.metadata.num_rows)
    except (pa.ArrowException, OSError) as error:
        raise DataError(f"{path} is no Parquet file that can be read: {error}.") from error
