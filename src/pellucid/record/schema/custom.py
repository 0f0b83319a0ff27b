"""The answer of a lens that the app has no page for."""

from __future__ import annotations

import msgspec

from pellucid.record.schema.basis import Panel


class Table(msgspec.Struct, frozen=True):
    """A table of a lens that the app has no page for: column names and rows of plain values."""

    title: str
    columns: list[str]
    rows: list[list[str | int | float | bool | None]]


class CustomPanel(Panel, tag="custom"):
    """The answer of a lens that came by entry point: shown as tables."""

    title: str
    tables: list[Table]
