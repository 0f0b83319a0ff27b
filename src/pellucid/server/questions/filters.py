"""The selection of the app's address as a condition of a database: its words are parameters, never part of the question."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Literal, TypeAlias

Kind: TypeAlias = Literal["text", "number", "boolean"]
Range: TypeAlias = tuple[float, float]

_MOST_LISTED = 1 << 22  # as in the app: more numbers are in no list that a person made
_LONGEST_WHOLE = 38  # digits that DuckDB's whole numbers have
_LONGEST_NUMBER = 15


@dataclass(frozen=True, slots=True)
class Along:
    """A column that came along: what it is called in the database, where names that differ by case only would be one."""

    identifier: str
    kind: Kind


@dataclass(frozen=True, slots=True)
class Filter:
    """The parts of a selection that filter; empty ones hold for every example.

    Attributes:
        true, predicted, either: class indices.
        outcome: "right", "wrong" or "".
        losses, confidences: closed at both ends.
        rows: None for any.
        columns: values of columns that came along, as the app writes them; "" is null, and "low..high" a range of numbers.
    """

    true: tuple[int, ...] = ()
    predicted: tuple[int, ...] = ()
    either: tuple[int, ...] = ()
    outcome: str = ""
    losses: Range | None = None
    confidences: Range | None = None
    rows: tuple[int, ...] | None = None
    columns: tuple[tuple[str, str], ...] = ()


def filter_of(parameters: Iterable[tuple[str, str]]) -> Filter:
    """What an address selects, as the app reads it; what cannot be read is left out."""
    said = dict(parameters)
    outcome = said.get("outcome", "")
    return Filter(
        true=_indices(said.get("true")) or (),
        predicted=_indices(said.get("predicted")) or (),
        either=_indices(said.get("class")) or (),
        outcome=outcome if outcome in ("right", "wrong") else "",
        losses=_range(said.get("losses")),
        confidences=_range(said.get("confidences")),
        rows=_indices(said.get("rows")),
        columns=tuple((name[7:], value) for name, value in said.items() if name.startswith("column.")),
    )


def condition(chosen: Filter, columns: Mapping[str, Along]) -> tuple[str, list[object]]:
    """A filter as the text behind WHERE, and the values of its question marks.

    Args:
        chosen: the filter.
        columns: those that came along, by name; one that is not among them holds a value nowhere.
    """
    parts: list[str] = []
    values: list[object] = []

    def add(text: str, *some: object) -> None:
        parts.append(text)
        values.extend(some)

    for name, classes in (("target", chosen.true), ("prediction", chosen.predicted)):
        if classes:
            add(f"list_contains(?::INTEGER[], {name})", list(classes))
    if chosen.either:
        either = list(chosen.either)
        add("(list_contains(?::INTEGER[], target) OR list_contains(?::INTEGER[], prediction))", either, either)
    if chosen.outcome:
        add(f"target {'=' if chosen.outcome == 'right' else '<>'} prediction")
    for name, bounds in (("loss", chosen.losses), ("confidence", chosen.confidences)):
        if bounds:
            add(f"{name} BETWEEN ? AND ?", *bounds)
    if chosen.rows is not None:
        add("list_contains(?::BIGINT[], row)", list(chosen.rows))
    for name, text in chosen.columns:
        text_of, some = _value(text, columns.get(name))
        add(text_of, *some)
    return " AND ".join(parts) or "true", values


def _value(text: str, column: Along | None) -> tuple[str, list[object]]:
    """The condition that a column holds a value, as the app writes it."""
    if column is None:
        return "false", []
    name, kind = column.identifier, column.kind
    if text == "":  # the app writes null and an empty text alike
        return f"({name} IS NULL{f' OR {name} = ?' if kind == 'text' else ''})", [""] if kind == "text" else []
    if kind == "number" and (bounds := _range(text)):
        return f"{name} BETWEEN ? AND ?", list(bounds)
    if kind == "boolean":
        return (f"{name} = ?", [text == "true"]) if text in ("true", "false") else ("false", [])
    return f"{name} = ?", [text if kind == "text" else _number(text)]


def _number(text: str) -> float:
    """Whole numbers as such: of those beyond 2^53 several are one float."""
    digits = text.removeprefix("-")
    if digits.isascii() and digits.isdigit() and len(digits) <= _LONGEST_WHOLE:
        return int(text)
    try:
        return float(text)
    except ValueError:
        return math.nan  # which no number equals


def _index(text: str) -> int | None:
    return int(text) if text.isascii() and text.isdigit() and len(text) <= _LONGEST_NUMBER else None


def _indices(text: str | None) -> tuple[int, ...] | None:
    """Numbers and runs of them: "3,7-12,40"."""
    if text is None:
        return None
    found: list[int] = []
    for part in text.split(","):
        first, dash, last = part.partition("-")
        start, end = _index(first), _index(last) if dash else _index(first)
        if start is not None and end is not None:
            found.extend(range(start, min(end, start + _MOST_LISTED - len(found)) + 1))
    return tuple(found)


def _range(text: str | None) -> Range | None:
    if text is None:
        return None
    low, dots, high = text.partition("..")
    try:
        ends = _bound(low), _bound(high)
    except ValueError:
        return None
    return ends if dots and ends[0] <= ends[1] else None


def _bound(text: str) -> float:
    return math.inf if text == "Infinity" else -math.inf if text == "-Infinity" else float(text or 0)
