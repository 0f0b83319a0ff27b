"""People's answers as a table: what every file of them becomes, and how a record keeps it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, TypeAlias

from pellucid.errors import DamagedError
from pellucid.record.schema import HumanSource

if TYPE_CHECKING:
    import pyarrow as pa

    from pellucid.record import Record

Layout: TypeAlias = Literal["model-vs-human", "table", "counts"]
TimeUnit: TypeAlias = Literal["seconds", "milliseconds", "long seconds"]
FOLDER = "human"
_UNITS: dict[str, TimeUnit] = {"milliseconds": "milliseconds", "long seconds": "long seconds"}
_LAYOUTS: dict[str, Layout] = {"model-vs-human": "model-vs-human", "table": "table", "counts": "counts"}


@dataclass(frozen=True)
class Answers:
    """The answers of one file.

    Attributes:
        table: the columns of docs/format.md, "People's answers", in the order of the file.
        experiment: what the file's name calls it, "" where it does not.
        categories: among which people chose, where the file says so.
        unit: of the file's response times; "long seconds" where it says seconds and they may be milliseconds.
    """

    table: pa.Table
    name: str
    sha256: str
    layout: Layout
    experiment: str = ""
    categories: tuple[str, ...] = ()
    unit: TimeUnit = "seconds"

    @property
    def judgements(self) -> int:
        """How many answers there are; a count of 47 is 47 of them."""
        import pyarrow.compute as pc

        return int(pc.sum(self.table["count"]).as_py() or 0)

    def kept(self) -> pa.Table:
        """The table with all that is known of its file in its metadata."""
        found = {
            "name": self.name,
            "sha256": self.sha256,
            "layout": self.layout,
            "experiment": self.experiment,
            "categories": "\n".join(self.categories),
            "unit": self.unit,
        }
        return self.table.replace_schema_metadata(found)

    def source(self, part: str) -> HumanSource:
        """As the panel names it."""
        return HumanSource(self.name, self.sha256, self.layout, self.judgements, part)


def answers_schema() -> pa.Schema:
    """Names and types of the columns."""
    import pyarrow as pa

    return pa.schema(
        [
            ("observer", pa.string()),
            ("session", pa.int32()),
            ("trial", pa.int32()),
            ("example", pa.string()),
            ("condition", pa.string()),
            ("category", pa.string()),
            ("response", pa.string()),
            ("seconds", pa.float64()),
            ("count", pa.int32()),
        ]
    )


def part_path(index: int) -> str:
    """Where the answers of one file lie in a record."""
    return f"{FOLDER}/part-{index:06d}.parquet"


def kept_answers(record: Record) -> list[Answers]:
    """All answers that a record keeps, in the order in which they came. Raises: DamagedError."""
    listed = {entry.path for entry in record.manifest.files}
    found: list[Answers] = []
    while (path := part_path(len(found))) in listed:
        table = record.table(path)
        wanted = answers_schema()
        metadata = {
            key.decode(): value.decode("utf-8", "replace") for key, value in (table.schema.metadata or {}).items()
        }
        layout = _LAYOUTS.get(metadata.get("layout", ""))
        if layout is None or any(name not in table.column_names for name in wanted.names):
            raise DamagedError(
                f"{record.path / path} is damaged: expected the columns {', '.join(wanted.names)}, and a layout in its metadata. "
                "Restore it from a copy."
            )
        try:
            table = table.select(wanted.names).cast(wanted)
        except ValueError as error:  # pyarrow's own errors are ValueErrors
            raise DamagedError(f"{record.path / path} is damaged: {error}. Restore it from a copy.") from error
        names = tuple(metadata.get("categories", "").split("\n")) if metadata.get("categories") else ()
        found.append(
            Answers(
                table,
                metadata.get("name", path),
                metadata.get("sha256", ""),
                layout,
                metadata.get("experiment", ""),
                names,
                _UNITS.get(metadata.get("unit", ""), "seconds"),
            )
        )
    return found
