"""Reading files of people's answers: the layout of model-vs-human, a plain table of answers, or counts of each class."""

from __future__ import annotations

import io
import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from pellucid.errors import DataError
from pellucid.human.answers import Answers, TimeUnit, answers_schema
from pellucid.human.counts import Counts, answers_of_counts, counts_in
from pellucid.record import files

if TYPE_CHECKING:
    import pyarrow as pa

EXPECTED = (
    "Expected one of: the layout of model-vs-human (subj, session, trial, rt, object_response, category, condition, "
    "imagename); a "
    "table with observer, example, response and, where known, seconds (or milliseconds), category, condition, session, trial; "
    "counts of each class (a column of lists called 'counts' or 'human_counts', or one column a class, beside 'id'; or a "
    ".npy array)"
)
ENDINGS = (".csv", ".tsv", ".parquet", ".npy")
NO_ANSWER = ("", "na", "nan", "none", "null")
LONGEST = 100.0
"""Half of the answers to pictures do not take longer, in seconds: they are milliseconds."""
_MODEL_VS_HUMAN = ("subj", "object_response", "category", "imagename")
_EXPERIMENT = re.compile(r"(.+)_[^_]+_session[-_]?\d+", re.IGNORECASE)

# What the columns of a plain table may be called.
_ALIASES = {
    "observer": ("observer", "subj", "subject", "participant", "annotator", "worker"),
    "example": ("example", "imagename", "image", "filename", "file", "id"),
    "response": ("response", "object_response", "answer", "choice"),
    "seconds": ("seconds", "rt", "response_time"),
    "milliseconds": ("milliseconds", "ms", "rt_ms", "response_time_ms"),
    "category": ("category", "label", "target"),
    "condition": ("condition",),
    "session": ("session",),
    "trial": ("trial",),
}


def read_answers(path: Path, classes: Sequence[str] | None = None) -> Answers:
    """The answers in one file.

    Args:
        path: .csv, .tsv, .parquet or .npy.
        classes: names of the classes, in order of index, for counts that do not name them.

    Raises: DataError: it is empty, or none of the layouts.
    """
    if path.suffix.lower() not in ENDINGS:
        raise DataError(f"{path} is no file of answers: it ends in none of {', '.join(ENDINGS)}. {EXPECTED}.")
    try:
        content = path.read_bytes()
    except OSError as error:
        raise DataError(f"The answers in {path} cannot be read: {error.strerror or error}.") from error
    if not content.strip():
        raise DataError(f"{path} is empty. {EXPECTED}.")
    digest = files.sha256(content)
    if path.suffix.lower() == ".npy":
        return answers_of_counts(Counts(_array(content, path)), classes, path.name, digest)
    table = _table(content, path)
    if not table.num_rows:
        raise DataError(f"{path} has the columns {', '.join(table.column_names)} and no rows: it holds no answers.")
    names = {name.casefold(): name for name in reversed(table.column_names)}
    if all(name in names for name in _MODEL_VS_HUMAN):
        found = _EXPERIMENT.fullmatch(path.stem)
        standard, unit = _standard(table, _roles(names), path)
        return Answers(standard, path.name, digest, "model-vs-human", found[1] if found else "", unit=unit)
    roles = _roles(names)
    if {"observer", "example", "response"} <= roles.keys():
        standard, unit = _standard(table, roles, path)
        return Answers(standard, path.name, digest, "table", unit=unit)
    counts = counts_in(table, str(path))
    if counts is None:
        raise DataError(f"{path} has the columns {', '.join(table.column_names[:20])}. {EXPECTED}.")
    return answers_of_counts(counts, classes, path.name, digest)


def files_of(paths: Sequence[str | Path]) -> list[Path]:
    """The files that are named, and those in folders that are, sorted. Raises: DataError: there is none."""
    found: list[Path] = []
    for one in map(Path, paths):
        if one.is_dir():
            inside = sorted(place for place in one.iterdir() if place.suffix.lower() in ENDINGS and place.is_file())
            if not inside:
                raise DataError(f"The folder {one} holds no file of answers ({', '.join(ENDINGS)}).")
            found += inside
        else:
            found.append(one)
    return found


def _array(content: bytes, path: Path) -> Any:
    try:
        return np.load(io.BytesIO(content), allow_pickle=False)
    except (ValueError, OSError, EOFError) as error:
        raise DataError(f"{path} is no array that can be read: {error}.") from error


def _table(content: bytes, path: Path) -> pa.Table:
    import pyarrow as pa
    from pyarrow import csv

    from pellucid.record.tables import table_of

    suffix = path.suffix.lower()
    if suffix == ".parquet":
        try:
            return table_of(content)
        except ValueError as error:
            raise DataError(f"{path} cannot be read: {error}.") from error
    delimiter = "\t" if suffix == ".tsv" else ","
    try:
        # As text throughout, for a condition "0.60" is to be told as it was written.
        header = content.removeprefix(b"\xef\xbb\xbf").split(b"\n", 1)[0].decode("utf-8").rstrip("\r")
        names = next(__import__("csv").reader([header], delimiter=delimiter))
        table = csv.read_csv(
            io.BytesIO(content),
            parse_options=csv.ParseOptions(delimiter=delimiter, newlines_in_values=True),
            convert_options=csv.ConvertOptions(
                column_types=dict.fromkeys(names, pa.string()), strings_can_be_null=False
            ),
        )
    except (pa.ArrowInvalid, UnicodeDecodeError, StopIteration) as error:
        raise DataError(f"{path} cannot be read as a table: {error}.") from error
    if len(set(table.column_names)) < len(table.column_names):
        raise DataError(f"{path} has two columns of one name: {', '.join(table.column_names)}. Name each once.")
    return table


def _roles(names: dict[str, str]) -> dict[str, str]:
    """The column of each role, where there is one."""
    found = {}
    for role, aliases in _ALIASES.items():
        name = next((names[one] for one in aliases if one in names), None)
        if name is not None:
            found[role] = name
    return found


def _standard(table: pa.Table, roles: dict[str, str], path: Path) -> tuple[pa.Table, TimeUnit]:
    """The standard columns, and in which unit the file gives response times."""
    import pyarrow as pa

    times, unit = _times(table, roles, path)
    makers: dict[str, Callable[[pa.ChunkedArray], pa.Array]] = {
        "observer": lambda column: _required(column, "observer", path),
        "example": lambda column: _required(column, "example", path),
        "condition": lambda column: pa.array([(one or "").strip() for one in _texts(column)], pa.string()),
        "category": lambda column: pa.array([_answer(one) for one in _texts(column)], pa.string()),
        "response": lambda column: pa.array([_answer(one) for one in _texts(column)], pa.string()),
        "session": _whole,
        "trial": _whole,
    }
    wanted, columns = answers_schema(), {}
    for field in wanted:
        if field.name == "seconds" and times is not None:
            columns[field.name] = times
        elif field.name == "count":
            columns[field.name] = pa.array(np.ones(table.num_rows, np.int32))
        elif field.name in roles:
            columns[field.name] = makers[field.name](table[roles[field.name]])
        elif field.name == "condition":
            columns[field.name] = pa.array([""] * table.num_rows)
        else:
            columns[field.name] = pa.nulls(table.num_rows, field.type)
    return pa.table(columns, schema=wanted), unit


def _times(table: pa.Table, roles: dict[str, str], path: Path) -> tuple[pa.Array | None, TimeUnit]:
    """Response times in seconds, None where the file has none; a column whose name does not say its unit is told by its size."""
    import pyarrow as pa

    role = next((one for one in ("seconds", "milliseconds") if one in roles), None)
    if role is None:
        return None, "seconds"
    values = _numbers(table[roles[role]], role, path)
    known = values[~np.isnan(values)]
    long = len(known) > 0 and float(np.median(known)) > LONGEST
    unit: TimeUnit = "milliseconds" if role == "milliseconds" else "seconds"
    if role == "seconds" and long:
        unit = "long seconds" if roles[role].casefold() == "seconds" else "milliseconds"
    if unit == "milliseconds":
        values /= 1000
    return pa.array(values, mask=np.isnan(values)), unit


def _texts(column: pa.ChunkedArray) -> list[str | None]:
    import pyarrow as pa

    if pa.types.is_floating(column.type):
        # 3.0 of a class that went through a table of floats is "3".
        return [None if one is None else f"{one:.0f}" if one.is_integer() else repr(one) for one in column.to_pylist()]
    return [None if one is None else str(one) for one in column.to_pylist()]


def _required(column: pa.ChunkedArray, role: str, path: Path) -> pa.Array:
    import pyarrow as pa

    texts = [(one or "").strip() for one in _texts(column)]
    if "" in texts:
        raise DataError(f"Row {texts.index('') + 1:,} of {path} has no {role}; every answer needs one.")
    return pa.array(texts, pa.string())


def _answer(text: str | None) -> str | None:
    stripped = (text or "").strip()
    return None if stripped.casefold() in NO_ANSWER else stripped


def _numbers(column: pa.ChunkedArray, unit: str, path: Path) -> NDArray[np.float64]:
    """float64[answer], NaN where there is none. Raises: DataError: one is no time."""
    values = np.full(len(column), np.nan)
    for row, text in enumerate(_texts(column)):
        shown = _answer(text)
        if shown is None:
            continue
        try:
            values[row] = float(shown)
        except ValueError:
            values[row] = -1.0
        if not (np.isnan(values[row]) or 0 <= values[row] < np.inf):
            raise DataError(f"The response time of row {row + 1:,} of {path} is {shown!r}; expected {unit}, 0 or more.")
    return values


def _whole(column: pa.ChunkedArray) -> pa.Array:
    """Numbers of sessions and trials; what is none is not known."""
    import pyarrow as pa

    found = []
    for text in _texts(column):
        try:
            number = int(float(text or ""))
        except (ValueError, OverflowError):
            number = -1
        found.append(number if 0 <= number < 1 << 31 else None)
    return pa.array(found, pa.int32())
