"""A second look: the examples table once more, after the sweep, for what needs to know all examples before it can judge one."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Protocol, runtime_checkable

from pellucid.lenses import Lens

if TYPE_CHECKING:
    import pyarrow as pa


@runtime_checkable
class SecondLook(Protocol):
    """A lens that looks again. What it sees then is no part of its stored state: it looks anew where it is resumed."""

    def look_again(self, table: pa.Table) -> None:
        """Takes in some rows of the examples table; every row comes once, after all were observed."""


def look_again(found: Iterable[Lens], tables: Iterable[pa.Table]) -> None:
    """Shows the examples table, part by part, to those lenses that look again; reads nothing where there is none.

    Args:
        found: lenses that have seen all examples.
        tables: parts of the table, together all of it.
    """
    looking = [lens for lens in found if isinstance(lens, SecondLook)]
    if not looking:
        return
    for table in tables:
        for lens in looking:
            lens.look_again(table)
