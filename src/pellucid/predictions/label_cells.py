"""Labels that are lists in one cell of text: `cat;dog`, `[0, 2]`, `[0.7, 0.2, 0.1]`."""

from __future__ import annotations

import ast
import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from pellucid.errors import DataError, OptionError
from pellucid.predictions.files import Columns
from pellucid.predictions.numbers import MISSING, is_text
from pellucid.predictions.several import LabelKind
from pellucid.predictions.written import ROWS, written

if TYPE_CHECKING:
    import pyarrow as pa

_SEPARATORS = (";", "|")


def from_cells(table: Columns, column: str, names: Sequence[str] | None, asked: LabelKind | None) -> Columns:
    """A column of text whose cells are lists, as a column of lists; the table as it is where they are not.

    Lists are `cat;dog` or `cat|dog`, or stand in brackets: `[0, 2]`, `["cat", "dog"]`, `[0.7, 0.2, 0.1]`. A cell that is the
    name of a class is one class, whatever it holds.

    Args:
        table: that has it.
        column: the text.
        names: of the classes, as far as they are known.
        asked: what the labels are, where the caller says so.

    Raises: DataError: some cells are lists of another kind than the others, or none that can be read. OptionError: they are
        not what they are asked to be.
    """
    import pyarrow as pa

    if asked == "class" or not is_text(table.schema.field(column).type):
        return table
    nothing = frozenset(MISSING) - frozenset(names or ())
    cells = _Cells(table.source, frozenset(names or ()), nothing)
    start = 0
    for piece in table.pieces((column,), ROWS):
        cells.add(piece.column(0), start)
        start += piece.num_rows
    form = cells.form(asked)
    if form is None:
        return table
    kind = pa.list_(
        {"numbers": pa.float64(), "indices": pa.int64(), "flags": pa.bool_(), "names": pa.string()}[form.values]
    )

    def make(held: list[Any]) -> pa.Array:
        distinct = _distinct(held[0])
        lists = [None if one in nothing else form.of(one) for one in distinct.dictionary.to_pylist()]
        return pa.array(lists, kind).take(distinct.indices)

    return written(table, pa.field(column, kind), (column,), make)


def _distinct(column: Any) -> Any:
    import pyarrow as pa

    return column if pa.types.is_dictionary(column.type) else column.dictionary_encode()


@dataclass(frozen=True)
class _Form:
    """How the lists of a column are written.

    Attributes:
        separator: between the parts; empty where they stand in brackets.
        values: what the parts are: "names", "indices", "flags" (one a class) or "numbers" (one a class).
    """

    separator: str
    values: str

    def of(self, cell: str | None) -> list[Any] | None:
        """The list of one cell; None where there is nothing."""
        if cell is None or not cell.strip():
            return None
        parts = _bracketed(cell) if not self.separator else _split(cell, self.separator)
        convert = {"names": str, "indices": int, "flags": bool, "numbers": float}[self.values]
        return [convert(one) for one in parts or ()]


def _split(cell: str, separator: str) -> list[str]:
    return [part for one in cell.split(separator) if (part := one.strip())]


def _bracketed(cell: str) -> list[Any] | None:
    """The parts of a list in brackets, as JSON or Python writes it; None where it is none of text and numbers."""
    try:
        held = json.loads(cell)
    except ValueError:
        try:
            held = ast.literal_eval(cell.strip())
        except (ValueError, SyntaxError, MemoryError, RecursionError):
            return None
    plain = isinstance(held, list) and all(isinstance(one, str | int | float) for one in held)
    return list(held) if plain else None


@dataclass
class _Cells:
    """Distinct cells of a column of text, and where each stands first; but for words that stand for nothing."""

    source: str
    names: frozenset[str]
    nothing: frozenset[str]
    first: dict[str, int] = field(default_factory=dict)

    def add(self, column: Any, start: int) -> None:
        """Takes a piece in."""
        distinct = _distinct(column)
        places = np.asarray(distinct.indices.fill_null(-1))
        found, at = np.unique(places, return_index=True)
        texts = distinct.dictionary.to_pylist()
        for place, row in zip(found.tolist(), at.tolist(), strict=True):
            if place >= 0 and texts[place] is not None and texts[place].strip() and texts[place] not in self.nothing:
                self.first.setdefault(texts[place], start + row)

    def form(self, asked: LabelKind | None) -> _Form | None:
        """How they are written; None where each is one class."""
        lists = [one for one in self.first if one not in self.names]
        brackets = [one for one in lists if one.strip().startswith("[") and one.strip().endswith("]")]
        if brackets:
            return self._in_brackets(brackets, asked)
        separator = next((sign for sign in _SEPARATORS if any(sign in one for one in lists)), "")
        if not separator and asked is None:
            return None
        parts = [part for one in self.first for part in _split(one, separator or _SEPARATORS[0])]
        numbers = bool(parts) and all(_is_number(part) for part in parts)
        if numbers and any(not part.lstrip("-").isdigit() for part in parts):
            self._check(asked, "soft")
            return _Form(separator or _SEPARATORS[0], "numbers")
        if asked == "soft" and not numbers:
            raise OptionError(
                f"--label-kind soft, but the labels of {self.source} are '{next(iter(self.first))}' and the like; expected a "
                "number a class."
            )
        return _Form(separator or _SEPARATORS[0], "numbers" if asked == "soft" else "names")

    def _in_brackets(self, brackets: list[str], asked: LabelKind | None) -> _Form:
        others = [one for one in self.first if one not in brackets]
        if others:
            raise DataError(
                f"{self.source}: the label of row {self.first[others[0]]:,}, '{others[0]}', is no list, but that of row "
                f"{self.first[brackets[0]]:,} is, '{brackets[0][:60]}'. Write all of them alike."
            )
        kinds = set()
        for one in brackets:
            parts = _bracketed(one)
            if parts is None:
                raise DataError(
                    f"{self.source}: the label of row {self.first[one]:,}, '{one[:60]}', is no list that can be read. Expected "
                    'numbers or names with commas between: [0.7, 0.2, 0.1], [0, 2] or ["cat", "dog"].'
                )
            kinds |= {_kind_of(part) for part in parts}
        if len(kinds) > 1 and kinds != {"numbers", "indices"}:
            raise DataError(
                f"{self.source}: the labels are lists of {' and of '.join(sorted(kinds))}. Write all of them alike."
            )
        if "numbers" in kinds:
            self._check(asked, "soft")
            return _Form("", "numbers")
        return _Form("", "numbers" if asked == "soft" else next(iter(kinds), "names"))

    def _check(self, asked: LabelKind | None, found: LabelKind) -> None:
        if asked not in (None, found):
            raise OptionError(
                f"--label-kind {asked}, but the labels of {self.source} are lists of numbers that are not whole: one "
                "probability a class."
            )


def _kind_of(part: str | float) -> str:
    if isinstance(part, str):
        return "names"
    if isinstance(part, bool):
        return "flags"
    return "numbers" if isinstance(part, float) else "indices"


def _is_number(part: str) -> bool:
    try:
        float(part)
    except ValueError:
        return False
    return True
