"""The examples of a record as a table of DuckDB: what the questions are asked of."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from pellucid.errors import MissingExtraError
from pellucid.record import Record
from pellucid.record.tables import optional_fields, standard_fields
from pellucid.server.questions.filters import Along, Kind

if TYPE_CHECKING:
    import pyarrow as pa

BINS = 48  # of the loss, as the app draws it
FINE = 3000  # of the confidence, from which every reliability diagram is made
FLOOR = 1e-6  # the least loss that has a bin of its own
_OWN = ("row", "id", "target", "prediction", "loss", "confidence", "entropy", "margin", "rank", "media", "nonfinite")


@dataclass(frozen=True)
class Loaded:
    """The table, and what it is made of.

    Attributes:
        parts: how many parts of the record it holds.
        count: examples.
        most_loss: the largest finite loss; 0 where there is none.
        own: our own columns.
        columns: those that came along, by name.
        distinct: how many values each of those has.
    """

    parts: int
    count: int
    most_loss: float
    own: tuple[str, ...]
    columns: Mapping[str, Along]
    distinct: Mapping[str, int]
    connection: Any = field(repr=False)
    local: threading.local = field(default_factory=threading.local, repr=False)

    def ask(self, statement: str, values: list[object]) -> pa.Table:
        """The answer to one statement; each thread has a cursor of its own."""
        cursor = getattr(self.local, "cursor", None)
        if cursor is None:
            cursor = self.local.cursor = self.connection.cursor()
        answer: pa.Table = cursor.sql(statement, params=values).to_arrow_table()
        return answer


def loaded(record: Record) -> Loaded:
    """Reads a record part by part, each checked as always, so that one part is held at a time.

    Raises: MissingExtraError: DuckDB is not installed. RecordError, DamagedError: a part cannot be read.
    """
    try:
        import duckdb
    except ImportError as error:
        raise MissingExtraError("duckdb", "scale", "Answering about more examples than a browser holds") from error
    # It reads no file and loads nothing: everything it sees was read and checked by us.
    connection = duckdb.connect(
        ":memory:",
        config={
            "enable_external_access": "false",
            "autoinstall_known_extensions": "false",
            "autoload_known_extensions": "false",
        },
    )
    columns: dict[str, Along] = {}
    parts = record.example_parts() if record.parts else iter([record.examples()])
    for number, part in enumerate(parts):
        shown = _shown(part, columns)
        connection.register("part", shown)
        if number == 0:
            connection.execute("CREATE TABLE examples AS SELECT * FROM part")
        else:
            _widen(connection, shown, columns)
            connection.execute("INSERT INTO examples BY NAME SELECT * FROM part")
        connection.unregister("part")
    most = _one(connection, "SELECT max(loss) FILTER (isfinite(loss)) FROM examples")[0] or 0.0
    _add_bins(connection, most)
    distinct = [f"count(DISTINCT coalesce({column.identifier}::VARCHAR, ''))" for column in columns.values()]
    count, *many = _one(connection, f"SELECT {', '.join(['count(*)', *distinct])} FROM examples")
    return Loaded(record.parts, count, most, _OWN, columns, dict(zip(columns, many, strict=True)), connection)


def _one(connection: Any, statement: str) -> tuple[Any, ...]:
    found: tuple[Any, ...] = connection.execute(statement).fetchone()
    return found


def _widen(connection: Any, shown: pa.Table, columns: Mapping[str, Along]) -> None:
    """Columns that only later parts have; those of earlier examples are null."""
    have = {row[0] for row in connection.execute("DESCRIBE examples").fetchall()}
    types = {"text": "VARCHAR", "number": "DOUBLE", "boolean": "BOOLEAN"}
    for column in columns.values():
        if column.identifier in shown.column_names and column.identifier not in have:
            connection.execute(f"ALTER TABLE examples ADD COLUMN {column.identifier} {types[column.kind]}")


def _shown(table: pa.Table, along: dict[str, Along]) -> pa.Table:
    """The columns that a question may be about, without lists; those that came along are numbered, and noted in `along`."""
    import pyarrow as pa

    columns = {}
    known = {*standard_fields(), *optional_fields()}
    for name in table.column_names:
        kind = table.schema.field(name).type
        if pa.types.is_nested(kind) or (name in known and name not in _OWN):
            continue
        if name not in _OWN:
            column = along.setdefault(name, Along(f"along_{len(along)}", _kind(kind)))
            columns[column.identifier] = table[name]
        elif name == "target" and kind != pa.int32():
            columns[name] = pa.nulls(len(table), pa.int32())  # where targets are numbers there are no classes
        else:
            columns[name] = table[name]
    return pa.table(columns)


def _kind(kind: pa.DataType) -> Kind:
    import pyarrow as pa

    if pa.types.is_boolean(kind):
        return "boolean"
    return "number" if pa.types.is_integer(kind) or pa.types.is_floating(kind) else "text"


def _add_bins(connection: Any, most: float) -> None:
    """The bin of each loss and confidence, made once: questions count them."""
    connection.execute("ALTER TABLE examples ADD COLUMN loss_bin USMALLINT")
    connection.execute("ALTER TABLE examples ADD COLUMN fine USMALLINT")
    connection.execute(
        "UPDATE examples SET "
        "loss_bin = CASE WHEN isfinite(loss) THEN least(? - 1, greatest(0, "
        "floor((ln(greatest(loss, ?)) - ln(?)) / ((ln(? * 1.0001) - ln(?)) / ?)))) END, "
        "fine = CASE WHEN isfinite(confidence) THEN least(? - 1, greatest(0, ceil(confidence::DOUBLE * ?) - 1)) END",
        [BINS, FLOOR, FLOOR, max(most, FLOOR), FLOOR, BINS, FINE, FINE],
    )
