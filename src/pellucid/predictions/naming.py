"""What stands for classes in saved files: names, indices, and whole numbers that may be either."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from pellucid.errors import DataError
from pellucid.predictions.files import Digits
from pellucid.predictions.numbers import MISSING, NO_CLASS, class_name

NumbersAre: TypeAlias = Literal["names", "indices"]
"""What whole numbers are, where classes are called by numbers."""

# More than this are no classes but ids, or free text.
MOST_CLASSES = 1 << 20
SHOWN = 5


@dataclass
class Texts:
    """Distinct texts that stand for classes, and by the column, "prediction" or "label", that has them.

    Attributes:
        names: of the classes, as far as they are known: other words for what is missing stand for no class then.
    """

    names: frozenset[str] = frozenset()
    found: set[str] = field(default_factory=set)
    by_column: dict[str, set[str]] = field(default_factory=dict)
    trimmed: set[str] = field(default_factory=set)

    def add(self, column: Any, what: str) -> None:
        """Takes a piece in."""
        written = {one for one in column.unique().to_pylist() if one is not None}
        fresh = {class_name(one) for one in written} - {""}
        fresh -= set(MISSING) - self.names if self.names else set()
        self.trimmed |= {one.strip() for one in written if one != one.strip()} - {""}
        self.by_column.setdefault(what, set()).update(fresh)
        self.found |= fresh
        if len(self.found) > MOST_CLASSES:
            raise DataError(
                f"There are more than {MOST_CLASSES:,} names of classes, '{next(iter(self.found))}' among them: is this the "
                "column of classes? Name it (--labels COLUMN, --column COLUMN)."
            )

    def are_names(self, names: Sequence[str] | None, asked: NumbersAre | None = None) -> bool:
        """Whether they are names, rather than numbers that were written as text."""
        if not self.found:
            return False
        return not _are_numbers(self.found) or (asked != "indices" and bool(self.found & set(names or ())))

    def refuse_beside_numbers(self, numbers: Sequence[WholeNumbers]) -> None:
        """Refuses names in one column where the other has numbers: sorted, names would be classes in an order of their own."""
        named = {what: found for what, found in self.by_column.items() if not _are_numbers(found)}
        shown = {one.what: f"{one.largest} in row {one.row:,}" for one in numbers if one.largest > NO_CLASS}
        for what, found in self.by_column.items():
            others = set().union(*(has for other, has in self.by_column.items() if other != what))
            if found and _are_numbers(found) and not found <= others:
                shown[what] = f"'{min(found)}'"
        if named and shown:
            (what, found), (other, number) = next(iter(named.items())), next(iter(shown.items()))
            raise DataError(
                f"The {what}s are names ({', '.join(sorted(found)[:SHOWN])}) and the {other}s are numbers ({number}): nothing says "
                "which number is whose. Give the names in order of index (--classes FILE)."
            )

    def check(self, by_name: dict[str, int] | None, classes: int) -> None:
        """Refuses names that are no class, or numbers beyond the classes."""
        if by_name is None:
            unknown = sorted(one for one in self.found if int(one) >= classes)
            told = f"There are {classes} classes, 0 to {classes - 1}"
        else:
            unknown = sorted(self.found - set(by_name))
            told = f"The classes are {', '.join(list(by_name)[:SHOWN])}{', ...' if len(by_name) > SHOWN else ''}"
        if unknown:
            more = f" and {len(unknown) - SHOWN:,} more" if len(unknown) > SHOWN else ""
            raise DataError(
                f"{told}; the files also name {', '.join(map(repr, unknown[:SHOWN]))}{more}. Correct them, or the names of the "
                "classes (--classes FILE)."
            )


def without_header(columns: Sequence[str]) -> str:
    """What an error adds where a table's columns are called by numbers, as of a file whose first line names nothing; else ""."""
    try:
        numbers = [float(name) for name in columns]
    except ValueError:
        return ""
    if not numbers or numbers == list(range(len(numbers))):
        return ""
    return f" The first line names the columns, and here it is {','.join(columns[:SHOWN])}: is there no line of names? Add one."


def by_name_of(classes: Sequence[str]) -> dict[str, int]:
    """Index by name. Raises: DataError: two classes are called the same."""
    found: dict[str, int] = {}
    for index, name in enumerate(classes):
        if found.setdefault(name, index) != index:
            raise DataError(
                f"Classes {found[name]} and {index} are both called '{name}', and the files name classes: nothing says which "
                "of them is meant. Give each a name of its own (--classes FILE), or write numbers."
            )
    return found


def alike(names: Sequence[str]) -> list[str]:
    """Names that differ by case alone, in order."""
    often = Counter(name.casefold() for name in dict.fromkeys(names))
    return [name for name in names if often[name.casefold()] > 1]


def _are_numbers(texts: Iterable[str]) -> bool:
    return all(one.lstrip("-").isdigit() for one in texts)


def numbers_called(classes: Sequence[str] | None, *, booleans: bool = False) -> dict[int, int]:
    """Index by number of classes that are called by numbers ("10" is class 2); empty where each number is its own index.

    Args:
        classes: names in order of index, as far as they are known.
        booleans: the numbers stand for true and false, which classes may be called, too.
    """
    names = [name.casefold() for name in classes or ()]
    words = ("false", "true") if booleans and {"false", "true"} & set(names) else ()
    values = [words.index(name) if name in words else _value(name) for name in names]
    often = Counter(values)
    found = {value: index for index, value in enumerate(values) if value is not None and often[value] == 1}
    return {} if all(value == index for value, index in found.items()) else found


def _value(name: str) -> int | None:
    return int(name) if name.isascii() and name.isdigit() else None


@dataclass
class WholeNumbers:
    """Whole numbers that stand for classes, of one column.

    Attributes:
        what: "label" or "prediction".
        called: index by number, where classes are called by numbers; else empty.
        digits: where they come from.
        largest, row: the largest so far, and where it stands.
        smallest: of those that are there.
        ignored: labels of -100.
        unnamed: the first that no class is called by; None where there is none.
        other: the first that is another class by name than by index; likewise.
    """

    what: str
    called: dict[int, int] = field(default_factory=dict)
    digits: Digits = "numbers"
    largest: int = NO_CLASS
    row: int = 0
    smallest: int = MOST_CLASSES
    ignored: int = 0
    unnamed: int | None = None
    other: int | None = None

    def add(self, indices: NDArray[np.integer], start: int) -> None:
        """Takes a piece in: int[example], -1 where there is none."""
        largest = int(indices.max()) if len(indices) else NO_CLASS
        if largest > self.largest:
            self.largest, self.row = largest, start + int(indices.argmax())
        if largest > NO_CLASS:
            least = int(indices.min())
            self.smallest = min(self.smallest, least if least > NO_CLASS else int(indices[indices > NO_CLASS].min()))
        if self.called and self.digits != "indices":
            self._look_up(np.unique(indices[indices > NO_CLASS]).tolist())

    def _look_up(self, values: list[int]) -> None:
        for value in values:
            index = self.called.get(value)
            if index is None and self.unnamed is None:
                self.unnamed = value
            if index not in (None, value) and self.other is None:
                self.other = value

    def check(self, classes: int, source: str) -> None:
        """Refuses classes that there are not."""
        if self.largest < classes:
            return
        named = ""
        if self.called and self.unnamed is not None:
            named = f"; nor are they names, for no class is called {self.unnamed}"
        hint = f"Is this the right file of labels for {source}?"
        if self.largest == classes and self.smallest >= 1:
            hint = f"They go from {self.smallest} to {self.largest}: are they counted from 1? Subtract 1."
        raise DataError(
            f"The {self.what} of row {self.row:,} is {self.largest}, but there are {classes} classes, 0 to {classes - 1}{named}. "
            + hint
        )


def under_which_names(
    columns: Sequence[WholeNumbers], classes: Sequence[str], asked: NumbersAre | None
) -> dict[str, dict[int, int]]:
    """Index by number for columns of numbers that are names of classes, by what the column is; empty where they are indices.

    Numbers are names where each is one and they cannot all be indices. Where they can be both, digits in a text file are names,
    as all text is; of other numbers it is asked.

    Args:
        columns: all that were looked through.
        classes: names in order of index.
        asked: what they are, where the caller says so.

    Raises: DataError: they can be both and mean different classes, or they are not what was asked for.
    """
    numbers = [one for one in columns if one.called and one.digits != "indices" and one.largest > NO_CLASS]
    if asked == "indices" or all(one.other is None for one in numbers):
        return {}
    called = {one.what: one.called for one in numbers}
    unnamed = next((one for one in numbers if one.unnamed is not None), None)
    if unnamed is not None:
        if asked == "names":
            raise DataError(
                f"--numbers names, but a {unnamed.what} is {unnamed.unnamed}, and no class is called so. The classes are "
                f"{', '.join(classes[:SHOWN])}{', ...' if len(classes) > SHOWN else ''}: correct them (--classes FILE)."
            )
        return {}
    beyond = any(one.largest >= len(classes) for one in numbers)
    if asked == "names" or beyond or all(one.digits == "text" for one in numbers):
        return called
    shown = next(one for one in numbers if one.other is not None)
    value = shown.other or 0
    raise DataError(
        f"The classes are called by numbers in another order than 0, 1, ...: a {shown.what} of {value} may be the class called "
        f"'{classes[shown.called[value]]}' or the one with the index {value}, called '{classes[value]}'. Say which: --numbers "
        "names or --numbers indices."
    )
