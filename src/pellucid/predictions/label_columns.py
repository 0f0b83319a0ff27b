"""Labels in columns of their own, one a class: sets of classes as 0 and 1, soft labels as probabilities or counts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from pellucid.errors import DataError
from pellucid.predictions.files import Columns
from pellucid.predictions.numbers import columns_called
from pellucid.predictions.roles import TARGET, is_number, numbered
from pellucid.predictions.several import SLACK, LabelKind
from pellucid.predictions.written import ROWS, written

if TYPE_CHECKING:
    import pyarrow as pa

Floats = NDArray[np.float64]

COLUMN = "label"
"""What they become."""

_SHOWN = 6


def among_predictions(table: Columns, asked: LabelKind | None) -> Columns:
    """A table of predictions that also has columns like label_0, label_1, ..., with these made one; else as it is."""
    names = [entry.name for entry in table.schema if _is_plain(entry.type)]
    groups = numbered(names)
    if len(groups) < 2 or COLUMN in table.schema.names:
        return table
    for prefix, columns in groups.items():
        if prefix.rstrip("_-. ").lower() in TARGET:
            return from_columns(table, columns, asked)
    return table


def alone(table: Columns, classes: Sequence[str] | None, id_column: str, asked: LabelKind | None) -> Columns:
    """A table of labels whose columns are the classes, with these made one; as it is where it has a column of labels.

    Args:
        table: of labels.
        classes: names of the classes in order of index, as far as they are known.
        id_column: which is no label.
        asked: what the labels are, where the caller says so.

    Raises: DataError: some classes have a column and others have none.
    """
    plain = [entry.name for entry in table.schema if _is_plain(entry.type) and entry.name != id_column]
    if any(name in table.schema.names for name in TARGET) or len(plain) < 2:
        return table
    groups = list(numbered(plain).values())
    called = columns_called(classes or (), plain)
    if classes is not None and len(classes) > 1 and called:
        _refuse_lacking(table.source, plain, classes, called)
        return from_columns(table, tuple(called[name] for name in classes), asked, names=tuple(classes))
    if len(groups) == 1:
        return from_columns(table, groups[0], asked)
    if classes is None and len(plain) == sum(1 for entry in table.schema if entry.name != id_column):
        return from_columns(table, tuple(plain), asked, names=tuple(plain), guessed=True)
    return table


def _refuse_lacking(source: str, plain: Sequence[str], classes: Sequence[str], called: dict[str, str]) -> None:
    lacking = [name for name in classes if name not in called]
    if not lacking:
        return
    others = [name for name in plain if name not in called.values()]
    more = (
        f"; {', '.join(map(repr, others[:_SHOWN]))} {'is' if len(others) == 1 else 'are'} none of the classes"
        if others
        else ""
    )
    raise DataError(
        f"{source} has columns for {len(classes) - len(lacking):,} of {len(classes):,} classes and none for "
        f"{', '.join(map(repr, lacking[:_SHOWN]))}{', ...' if len(lacking) > _SHOWN else ''}{more}. Give a column a class, or one "
        "column 'label'."
    )


def _is_plain(kind: Any) -> bool:
    import pyarrow as pa

    return is_number(kind) or bool(pa.types.is_boolean(kind))


def from_columns(
    table: Columns,
    columns: Sequence[str],
    asked: LabelKind | None,
    *,
    names: tuple[str, ...] = (),
    guessed: bool = False,
) -> Columns:
    """Columns of numbers, one a class, as one column of labels.

    Zeros and ones with a single one in every row are one class an example; other zeros and ones are sets of classes; other whole
    numbers are how many named each class; anything else are probabilities that add up to one.

    Args:
        table: that has them.
        columns: in order of class.
        asked: what they are, where the caller says so.
        names: of the classes, where the columns are called so.
        guessed: nothing but their numbers says that these are labels.

    Raises: DataError: a row that is neither wholly there nor wholly missing, or whose numbers are no such labels.
    """
    import pyarrow as pa

    seen = _Seen()
    start = 0
    for piece in table.pieces(columns, ROWS):
        seen.add(_matrix(piece.columns), start)
        start += piece.num_rows
    if guessed and asked is None and not (seen.flags or seen.sums):
        raise DataError(
            f"{table.source} has the columns {', '.join(columns[:_SHOWN])}{', ...' if len(columns) > _SHOWN else ''}, which are no "
            "labels beyond doubt: expected a column 'label' with the class of each example, or a column a class with 0 and 1 or "
            "with probabilities that add up to one. Say what they are: --label-kind sets or --label-kind soft."
        )
    seen.refuse_gaps(table.source, columns)
    kind = asked or seen.kind
    types: dict[LabelKind, pa.DataType] = {
        "class": pa.int64(),
        "sets": pa.list_(pa.bool_()),
        "soft": pa.list_(pa.float64()),
    }
    seen.refuse(kind, table.source)

    def make(held: list[Any]) -> pa.Array:
        values = _matrix(held)
        missing = np.isnan(values[:, 0])
        if kind == "class":
            return pa.array(np.where(missing[:, None], 0, values).argmax(axis=1), mask=missing)
        if kind == "soft":
            with np.errstate(invalid="ignore"):
                values = values / values.sum(axis=1, keepdims=True)
        flat = pa.array((values if kind == "soft" else values == 1).reshape(-1))
        offsets = pa.array(np.arange(len(values) + 1, dtype=np.int32) * values.shape[1])
        return pa.ListArray.from_arrays(offsets, flat, mask=pa.array(missing))

    made = pa.field(COLUMN, types[kind])
    return written(table, made, tuple(columns), make, names, digits="indices")


def _matrix(columns: Sequence[Any]) -> Floats:
    """float64[example class], NaN where there is nothing."""
    return np.stack([np.asarray(one.cast("float64").to_numpy(zero_copy_only=False), np.float64) for one in columns], 1)


@dataclass
class _Rows:
    """Rows of a kind: how many, and the first with its numbers."""

    count: int = 0
    first: int = -1
    shown: str = ""

    def add(self, chosen: Any, start: int, values: Floats) -> None:
        found = np.flatnonzero(chosen)
        if len(found) and not self.count:
            self.first = start + int(found[0])
            more = ", ..." if values.shape[1] > _SHOWN else ""
            self.shown = ", ".join(f"{one:.4g}" for one in values[found[0], :_SHOWN]) + more
        self.count += len(found)

    def told(self, source: str, words: str) -> str:
        return f"{source}: the label of row {self.first:,}, [{self.shown}], {words} ({self.count:,} such rows)."


@dataclass
class _Seen:
    """What columns of labels hold, counted over the whole table."""

    whole: bool = True
    flags: bool = True
    single: bool = True
    known: int = 0
    partly: _Rows = field(default_factory=_Rows)
    holes: NDArray[np.int64] | None = None
    outside: _Rows = field(default_factory=_Rows)
    negative: _Rows = field(default_factory=_Rows)
    empty: _Rows = field(default_factory=_Rows)
    uneven: _Rows = field(default_factory=_Rows)
    other: _Rows = field(default_factory=_Rows)
    several: _Rows = field(default_factory=_Rows)

    def add(self, values: Floats, start: int) -> None:
        """Counts a piece in."""
        gone = np.isnan(values)
        missing = gone.all(axis=1)
        partly = gone.any(axis=1) & ~missing
        self.partly.add(partly, start, values)
        holes = gone[partly].sum(axis=0)
        self.holes = holes if self.holes is None else self.holes + holes
        there = ~missing & ~partly
        self.known += int(there.sum())
        with np.errstate(invalid="ignore"):
            sums, ones = values.sum(axis=1), (values == 1).sum(axis=1)
            flags = ((values == 0) | (values == 1)).all(axis=1)
            self.whole &= bool((there <= (values == np.trunc(values)).all(axis=1)).all())
            self.flags &= bool((there <= flags).all())
            self.single &= bool((there <= (flags & (ones == 1))).all())
            self.negative.add(there & (values < 0).any(axis=1), start, values)
            self.outside.add(there & ((values < 0) | (values > 1)).any(axis=1), start, values)
            self.empty.add(there & (sums <= 0), start, values)
            self.uneven.add(there & (np.abs(sums - 1) > SLACK), start, values)
            self.other.add(there & ~flags, start, values)
            self.several.add(there & (ones != 1), start, values)

    @property
    def kind(self) -> LabelKind:
        """What they are, by their numbers."""
        if self.flags:
            return "class" if self.single else "sets"
        return "soft"

    @property
    def sums(self) -> bool:
        """Whether most rows look like probabilities."""
        return 2 * (self.uneven.count + self.outside.count) < self.known

    def refuse_gaps(self, source: str, columns: Sequence[str]) -> None:
        """Refuses rows of which a part is missing."""
        if self.partly.count and self.holes is not None:
            named = ", ".join(
                f"{name} {holes:,}" for name, holes in list(zip(columns, self.holes.tolist(), strict=True)) if holes
            )
            raise DataError(
                self.partly.told(source, "lacks some of its numbers")
                + f" Missing cells by column: {named}. Fill them (0 where the class is not true), or leave the whole row empty "
                "where the label is not known."
            )

    def refuse(self, kind: LabelKind, source: str) -> None:
        """Refuses numbers that are no labels of that kind, with how many rows there are."""
        if kind == "sets" and self.other.count:
            raise DataError(self.other.told(source, "is no set of classes: expected 0 or 1 for every class"))
        if kind == "class" and (self.other.count or self.several.count):
            wrong = self.other if self.other.count else self.several
            raise DataError(wrong.told(source, "is not one class: expected a single 1, and 0 for every other class"))
        if kind != "soft":
            return
        if self.whole:
            if self.negative.count:
                raise DataError(
                    self.negative.told(source, "holds a negative number; expected how many named each class")
                )
            if self.empty.count:
                raise DataError(
                    self.empty.told(source, "names no class. Leave the row empty where the label is not known")
                )
            return
        if self.outside.count:
            raise DataError(
                self.outside.told(source, "holds a number outside of 0 to 1; expected a probability a class")
            )
        if self.uneven.count:
            raise DataError(
                self.uneven.told(source, "does not sum to 1, as probabilities of one class do")
                + " Counts are written as whole numbers, and sets of classes as 0 and 1."
            )
