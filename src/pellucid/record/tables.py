"""The examples table: its standard columns, and Parquet that is the same bytes for the same rows."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pellucid.errors import RecordError

if TYPE_CHECKING:
    import pyarrow as pa


def standard_fields() -> dict[str, tuple[pa.DataType, ...]]:
    """The types that each standard column may have; `target` is a class index or a number."""
    import pyarrow as pa

    return {
        "row": (pa.int64(),),
        "id": (pa.string(),),
        "target": (pa.int32(), pa.float64()),
        "prediction": (pa.int32(),),
        "loss": (pa.float64(),),
        "confidence": (pa.float32(),),
        "entropy": (pa.float32(),),
        "margin": (pa.float32(),),
        "rank": (pa.int32(),),
        "top_classes": (pa.list_(pa.int32()),),
        "top_probabilities": (pa.list_(pa.float32()),),
        "media": (pa.string(),),
        "nonfinite": (pa.bool_(),),
    }


def optional_fields() -> dict[str, pa.DataType]:
    """Columns that stand where they say something; one of another type came along with the examples of an older record."""
    import pyarrow as pa

    return {
        "brier": pa.float64(),
        "log_loss": pa.float64(),
        "soft_target": pa.list_(pa.float64()),
        "targets": pa.list_(pa.int32()),
        "called": pa.list_(pa.int32()),
    }


def checked_examples(table: pa.Table, where: str) -> pa.Table:
    """The table with its standard columns first, in their order and types; columns that came along follow.

    Raises: RecordError: a standard column is missing, or a type or null is not as the format says.
    """
    import pyarrow as pa

    fields = standard_fields()
    missing = [name for name in fields if name not in table.column_names]
    if missing:
        raise RecordError(f"{where} needs the columns {', '.join(fields)}; missing: {', '.join(missing)}.")
    columns: dict[str, pa.ChunkedArray] = {}
    for name, types in fields.items():
        column = table[name]
        if column.type not in types:
            try:
                column = column.cast(types[0])
            except (pa.ArrowInvalid, pa.ArrowNotImplementedError) as error:
                wanted = " or ".join(str(one) for one in types)
                raise RecordError(
                    f"Column '{name}' of {where} must be {wanted}; got {column.type}: {error}."
                ) from error
        columns[name] = column
    for name in ("row", "id", "nonfinite"):
        if columns[name].null_count:
            raise RecordError(f"Column '{name}' of {where} must not hold nulls; got {columns[name].null_count}.")
    for name in table.column_names:
        if name not in columns:
            columns[name] = table[name]
    return pa.table(columns)


def parquet_bytes(table: pa.Table) -> bytes:
    """A table as a Parquet file in one row group, the same bytes for the same rows."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    sink = pa.BufferOutputStream()
    pq.write_table(table.combine_chunks(), sink, compression="zstd", row_group_size=max(1, table.num_rows))
    content: bytes = sink.getvalue().to_pybytes()
    return content


def stream_bytes(table: pa.Table) -> bytes:
    """A table as an Arrow IPC stream, uncompressed, in one batch: what a browser reads."""
    import pyarrow as pa

    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, table.schema) as stream:
        stream.write_table(table.combine_chunks())
    content: bytes = sink.getvalue().to_pybytes()
    return content


def table_of(content: bytes) -> pa.Table:
    """A Parquet file's table, every value of it checked, so that strange bytes end here. Raises: ValueError."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        # Bytes at hand need no threads, and `read_table` begins some whatever it is told: they abort a program that ends at once.
        with pq.ParquetFile(pa.BufferReader(content), pre_buffer=False) as file:
            table = file.read(use_threads=False)
        table.validate(full=True)
    except (pa.ArrowException, OSError, MemoryError) as error:
        raise ValueError(f"it is no valid Parquet: {error}") from error
    return table


def empty_examples() -> pa.Table:
    """An examples table without rows: of a record that was cut short before its first part."""
    import pyarrow as pa

    return pa.schema([(name, types[0]) for name, types in standard_fields().items()]).empty_table()


def training_schema() -> pa.Schema:
    """Columns of the training table, one row a value."""
    import pyarrow as pa

    return pa.schema(
        [
            ("step", pa.int64()),
            ("seconds", pa.float64()),
            ("layer", pa.string()),
            ("quantity", pa.string()),
            ("value", pa.float64()),
            ("bins", pa.list_(pa.int32())),
            ("counts", pa.list_(pa.int64())),
        ]
    )


def empty_training() -> pa.Table:
    """A training table without rows."""
    return training_schema().empty_table()


def checked_training(table: pa.Table) -> pa.Table:
    """The table with exactly the columns of a training table. Raises: ValueError: it does not have them."""
    import pyarrow as pa

    wanted = training_schema()
    missing = [name for name in wanted.names if name not in table.column_names]
    if missing:
        raise ValueError(f"a training table has the columns {', '.join(wanted.names)}; missing: {', '.join(missing)}")
    try:
        return table.select(wanted.names).cast(wanted)
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError) as error:
        raise ValueError(str(error)) from error
