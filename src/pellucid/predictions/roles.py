"""Which column of a table is what: scores, predicted class, target, id, picture, and what only comes along."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pellucid.errors import DataError, OptionError
from pellucid.measures.saved import GIVEN
from pellucid.predictions.files import VALUES, Columns
from pellucid.predictions.kinds import Kind
from pellucid.predictions.naming import without_header
from pellucid.predictions.numbers import columns_called
from pellucid.predictions.several import is_listed

if TYPE_CHECKING:
    import pyarrow as pa

SCORES = ("probabilities", "probs", "logits", "scores")
# Words of a column's name, or of numbered columns', that say that they are scores.
_SCORE_WORDS = {*SCORES, "p", "prob", "proba", "probability", "score", "logit", "logprob", "logprobs", "softmax"}
PREDICTION = ("prediction", "predicted", "pred", "predictions")
TARGET = ("label", "labels", "target", "targets", "fine_label")
ID = "id"
BY_ROW = "row"
_SHOWN = 8


@dataclass(frozen=True)
class Roles:
    """Names of columns by what they are; empty where there is none.

    Attributes:
        scores: one column of lists, or one column of numbers a class, in order of index.
        prediction: the predicted class, where there are no scores.
        given: what else was saved beside predicted classes; of measures.saved.GIVEN.
        target, id, media: where they are in this table.
        along: everything else with one value an example.
        left_out: columns of lists and structs, which a record's table does not keep.
    """

    scores: tuple[str, ...] = ()
    prediction: str = ""
    given: tuple[str, ...] = ()
    target: str = ""
    id: str = ""
    media: str = ""
    along: tuple[str, ...] = ()
    left_out: tuple[str, ...] = ()

    @property
    def read(self) -> tuple[str, ...]:
        """Every column that is read, each once."""
        named = (*self.scores, self.prediction, *self.given, self.target, self.id, self.media, *self.along)
        return tuple(dict.fromkeys(name for name in named if name))

    @property
    def looked_at(self) -> tuple[str, ...]:
        """Those that have to be looked through before anything is written."""
        named = (*self.scores, self.prediction, self.target, self.id)
        return tuple(dict.fromkeys(name for name in named if name))


def roles_of(
    table: Columns,
    *,
    column: str | None,
    target: str | None,
    id_column: str | None,
    classes: Sequence[str] | None,
    kind: Kind | None = None,
) -> Roles:
    """What the columns of a table of predictions are.

    Args:
        table: the predictions.
        column: the column of scores or of predicted classes, where the caller names it.
        target: likewise of the target; "" where the targets come from elsewhere.
        id_column: likewise of the ids; "row" for none.
        classes: names of the classes, which columns of scores may have.
        kind: what the caller says that they are: lists of whole numbers are no scores but then.

    Raises: DataError, OptionError: a column is not there, or several could be it.
    """
    schema = table.schema
    where = f"{table.source} has the columns {_listed(schema)}"
    reserved = {
        "target": _named(schema, target, TARGET, where, "--labels", lists=True),
        "id": _id_of(schema, id_column, where),
        "media": next((entry.name for entry in schema if holds_pictures(entry.type)), ""),
    }
    free = [entry for entry in schema if entry.name not in reserved.values()]
    scores, prediction = _answer(free, column, classes, where, kind)
    given = tuple(name for name in GIVEN if name in schema.names and is_number(schema.field(name).type))
    given = given if prediction else ()
    others = [entry for entry in free if entry.name not in (*scores, prediction, *given)]
    return Roles(
        scores=scores,
        prediction=prediction,
        given=given,
        along=tuple(entry.name for entry in others if _is_plain(entry.type)),
        left_out=tuple(entry.name for entry in others if not _is_plain(entry.type)),
        **reserved,
    )


def roles_of_labels(table: Columns, *, id_column: str | None) -> Roles:
    """The target's column of a table of labels, and its id where it has one; the rest comes along.

    Raises: DataError: none of its columns can be the target, or several.
    """
    schema = table.schema
    where = f"{table.source} has the columns {_listed(schema)}"
    named = _id_of(schema, id_column if id_column in schema.names else None, where)
    plain = [entry.name for entry in schema if _is_plain(entry.type) and entry.name != named]
    # One that came as lists is a soft label or a set; a plain one goes before it.
    lists = [entry.name for entry in schema if is_listed(entry.type) and entry.name != named]
    usual = [name for name in TARGET if name in plain] + [name for name in TARGET if name in lists]
    alone = plain if len(plain) == 1 else lists if len(lists) == 1 and not plain else []
    target = next(iter((*usual, *alone)), "")
    if not target:
        raise DataError(f"{where}; expected a column 'label' with the class of each example.")
    along = tuple(name for name in plain if name != target)
    return Roles(target=target, id=named, along=along)


def holds_pictures(kind: Any) -> bool:
    """Whether a column's type is that of encoded images, in a struct with `bytes` or alone."""
    import pyarrow as pa

    if pa.types.is_struct(kind):
        places = [place for place in range(kind.num_fields) if kind.field(place).name == "bytes"]
        return bool(places) and holds_pictures(kind.field(places[0]).type)
    return bool(pa.types.is_binary(kind) or pa.types.is_large_binary(kind))


def is_number(kind: Any) -> bool:
    """Whether a column holds whole numbers or floats."""
    import pyarrow as pa

    return bool(pa.types.is_integer(kind) or pa.types.is_floating(kind))


def _is_list(kind: Any) -> bool:
    import pyarrow as pa

    listed = pa.types.is_list(kind) or pa.types.is_large_list(kind) or pa.types.is_fixed_size_list(kind)
    return bool(listed) and is_number(kind.value_type)


def _is_plain(kind: Any) -> bool:
    import pyarrow as pa

    return not (pa.types.is_nested(kind) or pa.types.is_binary(kind) or pa.types.is_large_binary(kind))


def _listed(schema: pa.Schema) -> str:
    shown = ", ".join(f"{entry.name}: {entry.type}" for entry in list(schema)[:_SHOWN])
    return f"{shown} and {len(schema) - _SHOWN:,} more" if len(schema) > _SHOWN else shown


def _named(
    schema: pa.Schema, asked: str | None, usual: Sequence[str], where: str, option: str, *, lists: bool = False
) -> str:
    if asked is None:
        there = [name for name in usual if name in schema.names]
        plain = [name for name in there if _is_plain(schema.field(name).type)]
        listed = [name for name in there if lists and is_listed(schema.field(name).type)]
        return next(iter((*plain, *listed)), "")
    if asked and asked not in schema.names:
        raise OptionError(f"{option} names '{asked}', which is no column and no file. {where}.")
    return asked


def _id_of(schema: pa.Schema, asked: str | None, where: str) -> str:
    if asked == BY_ROW and BY_ROW not in schema.names:
        return ""
    return _named(schema, asked, (ID,), where, "--id-column")


def _answer(
    free: Sequence[Any], column: str | None, classes: Sequence[str] | None, where: str, kind: Kind | None
) -> tuple[tuple[str, ...], str]:
    """The columns of scores, or the one of predicted classes."""
    by_name = {entry.name: entry for entry in free}
    if column is not None:
        return _asked(by_name, column, where)
    called = columns_called(classes or (), list(by_name))
    if classes is not None and len(classes) > 1 and all(name in called for name in classes):
        return tuple(called[name] for name in classes), ""
    prediction = next((name for name in PREDICTION if name in by_name and _is_plain(by_name[name].type)), "")
    if not prediction and list(by_name) == [VALUES] and _is_plain(by_name[VALUES].type):
        prediction = VALUES
    if prediction and kind == "classes":
        return (), prediction
    scored = kind in ("probabilities", "logits")
    found, named = _scores(free, scored=scored)
    if found and prediction and not named and not scored:
        # Numbers that nothing calls scores may be anything beside a predicted class: coordinates, an embedding.
        found = {name: columns for name, columns in found.items() if _are_floats([by_name[one] for one in columns])}
        could = [*found, prediction] if found else []
    else:
        could = list(found) if len(found) > 1 else []
    if could:
        shown = " and ".join(f"'{name}'" if name in by_name else f"'{name}' (numbered)" for name in could)
        raise DataError(f"{where}; {shown} could be the answers. Say which: --column NAME.")
    if found:
        return next(iter(found.values())), ""
    if not prediction and list(by_name) == [VALUES]:
        raise DataError(
            f"The predictions are rows of {by_name[VALUES].type.value_type}, of which nothing says what they are. If they are "
            "scores, say which: --kind logits or --kind probabilities. If each has a single 1 (one-hot), give the class of each "
            "row: argmax(axis=1)."
        )
    if not prediction:
        raise DataError(
            f"{where}; expected a column of lists (one score a class), columns numbered by class (p_0, p_1, ...) or named as "
            "the classes are (--classes FILE), or a column 'prediction' with classes. Say which: --column NAME."
            + without_header(list(by_name))
        )
    return (), prediction


def _asked(by_name: dict[str, Any], column: str, where: str) -> tuple[tuple[str, ...], str]:
    """The column that was asked for: lists of scores, predicted classes, or columns by what stands before their numbers."""
    groups = numbered([name for name, entry in by_name.items() if is_number(entry.type)])
    if column in by_name:
        return ((column,), "") if _is_list(by_name[column].type) else ((), column)
    if column in groups:
        return groups[column], ""
    raise OptionError(f"--column names '{column}', which is no column of scores or classes. {where}.")


def _scores(free: Sequence[Any], *, scored: bool) -> tuple[dict[str, tuple[str, ...]], bool]:
    """Columns that could be the scores, by what they are called, and whether their names say so.

    Lists go before numbered columns, and before both what is called scores.
    """
    lists = [entry for entry in free if _is_list(entry.type)]
    usual = [entry.name for entry in lists if entry.name.lower() in SCORES]
    if usual:
        return {usual[0]: (usual[0],)}, True
    floats: dict[str, tuple[str, ...]] = {
        entry.name: (entry.name,) for entry in lists if scored or _is_float_list(entry.type)
    }
    groups = numbered([entry.name for entry in free if is_number(entry.type)])
    for found in (floats, groups):
        named = {name: columns for name, columns in found.items() if _is_called_scores(name)}
        if named:
            return named, True
    return floats or groups, False


def _is_called_scores(name: str) -> bool:
    return bool(_SCORE_WORDS.intersection(re.split(r"[^a-z]+", name.lower())))


def _are_floats(entries: Sequence[Any]) -> bool:
    import pyarrow as pa

    return all(_is_list(entry.type) or pa.types.is_floating(entry.type) for entry in entries)


def _is_float_list(kind: Any) -> bool:
    import pyarrow as pa

    return bool(pa.types.is_floating(kind.value_type))


def numbered(names: Sequence[str]) -> dict[str, tuple[str, ...]]:
    """Columns called alike but for a number that runs from 0, one a class, by what they are called."""
    groups: dict[str, dict[int, str]] = {}
    for name in names:
        found = re.fullmatch(r"(.*?)(\d+)", name)
        if found is not None:
            groups.setdefault(found.group(1), {})[int(found.group(2))] = name
    return {
        prefix: tuple(group[index] for index in range(len(group)))
        for prefix, group in groups.items()
        if len(group) > 1 and set(group) == set(range(len(group)))
    }
