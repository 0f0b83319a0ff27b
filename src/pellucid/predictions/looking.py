"""Looking saved predictions through before anything is written: what kind they are, which classes, what is wrong."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from pellucid.data.naming import names_in
from pellucid.errors import DataError, OptionError
from pellucid.predictions.ids import IdHashes, refuse_repeated
from pellucid.predictions.kinds import Kind, ScoreCounts
from pellucid.predictions.naming import (
    MOST_CLASSES,
    NumbersAre,
    Texts,
    WholeNumbers,
    alike,
    by_name_of,
    numbers_called,
    under_which_names,
)
from pellucid.predictions.numbers import NO_CLASS, bounded, class_name, classes_of, ignored_in, is_text, scores_of
from pellucid.predictions.saved import Piece, Saved
from pellucid.predictions.several import LabelKind, is_counted, is_indicated, is_listed, label_kind, sets_of, soft_of
from pellucid.types import Task

_WORDS: dict[LabelKind, str] = {"class": "one class an example", "soft": "soft labels", "sets": "sets of classes"}

Hear: TypeAlias = Callable[[str, int, int | None], None]
"""Hears how far a stage has come: its name, examples done, and of how many."""


@dataclass(frozen=True)
class Look:
    """What is known once all rows have been looked at.

    Attributes:
        kind: what was saved.
        classes: names in order of index.
        by_name: index by name, where classes are named in the files; None where they are numbers.
        by_number: index by number, where whole numbers are names of classes, of the "label" and of the "prediction"; empty where
            they are indices.
        unnormalised: rows of probabilities that do not add up to one by more than rounding; where each class has a probability
            of its own, none is to.
        trimmed: names that have spaces around them somewhere in the files, which are left out.
        ignored: labels of -100, which are not known.
        alike: names found in the files that differ by case alone, which are kept apart.
        labels: what a label is: one class, a soft label, or the set of all true classes.
        single: one number an example was saved, that of the second of two classes.
    """

    kind: Kind
    classes: tuple[str, ...]
    by_name: dict[str, int] | None
    unnormalised: int = 0
    trimmed: int = 0
    labels: LabelKind = "class"
    by_number: Mapping[str, Mapping[int, int]] = field(default_factory=dict)
    ignored: int = 0
    alike: tuple[str, ...] = ()
    single: bool = False

    @property
    def task(self) -> Task:
        """What the predictions answer."""
        return "multilabel" if self.labels == "sets" else "classification"


def look_through(
    saved: Saved,
    classes: Sequence[str] | None,
    asked: Kind | None,
    hear: Hear,
    asked_labels: LabelKind | None = None,
    asked_numbers: NumbersAre | None = None,
) -> Look:
    """Goes through everything once.

    Args:
        saved: the tables.
        classes: names of the classes, where the caller gives them.
        asked: what kind of predictions they are, likewise.
        hear: hears how far it has come.
        asked_labels: what the labels are, where the caller says so.
        asked_numbers: what whole numbers are where classes are called by numbers, likewise.

    Raises: DataError: what makes the whole of no use, with the number of rows and the first of them. OptionError: the labels are
        not what was asked for.
    """
    names = _names(saved, classes)
    texts = Texts(frozenset(names or ()))
    scores = ScoreCounts()
    targets, predictions = _numbers(saved, names, given=classes is not None)
    hashes = IdHashes.first_of(saved.rows)
    labels = _label_kind(saved, asked_labels)
    told = None if targets.called or predictions.called else _told(saved, names)
    if told is not None:
        predictions.largest, targets.largest = told
    for piece in () if told is not None else saved.looked_at():
        if saved.roles.scores:
            _add_scores(scores, saved, piece, asked)
        else:
            _add_classes(predictions, texts, piece.columns[saved.roles.prediction], names, piece.start)
        target = saved.target(piece)
        if target is not None and labels == "class":
            _add_classes(targets, texts, target, names, piece.start)
        elif target is not None:
            _check_several(target, labels, texts, targets, scores.classes, piece.start)
        ids = saved.ids(piece)
        if ids is not None:
            hashes.add(ids)
        hear("read", piece.start + len(piece), saved.rows)
    if saved.id_column:
        refuse_repeated(hashes, saved.all_ids, saved.predictions.source, saved.id_column)
    settled = _settled(saved, names, texts, scores, targets, predictions)
    by_name = by_name_of(settled) if texts.are_names(names, asked_numbers) else None
    texts.check(by_name, len(settled))
    by_number = under_which_names((targets, predictions), settled, asked_numbers)
    for numbers in (targets, predictions):
        if not by_number:
            numbers.check(len(settled), saved.predictions.source)
    kind: Kind = "classes"
    if saved.roles.scores:
        kind = scores.kind(asked, saved.predictions.source, singly=labels == "sets")
    return Look(
        kind,
        settled,
        by_name,
        unnormalised=scores.unnormalised.count if kind == "probabilities" and labels != "sets" else 0,
        trimmed=len(texts.trimmed),
        labels=labels,
        by_number=by_number,
        ignored=targets.ignored,
        alike=tuple(alike(settled)) if names is None and by_name is not None else (),
        single=scores.single,
    )


def _numbers(saved: Saved, names: tuple[str, ...] | None, *, given: bool) -> tuple[WholeNumbers, WholeNumbers]:
    """What gathers whole numbers among the labels and among the predictions.

    Args:
        saved: the tables.
        names: of the classes, as far as they are known.
        given: the caller names them. Those in a file's metadata are the names of its numbers, which are indices.
    """
    found = []
    table, target = saved.target_column
    for what, where, column in (
        ("label", table, target),
        ("prediction", saved.predictions, saved.roles.prediction),
    ):
        kind = where.schema.field(column).type if column else None
        digits = where.digits(column) if column else "indices"
        digits = digits if given or digits == "text" else "indices"
        found.append(WholeNumbers(what, numbers_called(names, booleans=str(kind) == "bool"), digits))
    return found[0], found[1]


def _told(saved: Saved, names: tuple[str, ...] | None) -> tuple[int, int] | None:
    """The largest predicted and true class, where the files say themselves that every one is a class; else all is looked at.

    What they say is not relied on: what is read later is held against it.
    """
    if saved.roles.scores or saved.id_column:
        return None
    called = saved.predictions.extremes(saved.roles.prediction)
    table, target = saved.target_column
    true = table.extremes(target) if target else (NO_CLASS, NO_CLASS)
    most = (MOST_CLASSES if names is None else len(names)) - 1
    if called is None or true is None or min(called[0], true[0]) < NO_CLASS or max(called[1], true[1]) > most:
        return None
    return called[1], true[1]


def _label_kind(saved: Saved, asked: LabelKind | None) -> LabelKind:
    """What a label is.

    Raises: DataError: several classes an example, and of the predictions one class only. OptionError: not what was asked for.
    """
    kind = saved.target_type
    labels: LabelKind = "class" if kind is None else label_kind(kind)
    if asked == "soft" and kind is not None and is_counted(kind):
        labels = "soft"
    if asked == "sets" and kind is not None and is_indicated(kind):
        labels = "sets"
    if asked not in (None, labels):
        table, column = saved.target_column
        held = (
            f"the column '{column}' of {table.source} holds {kind}, {_WORDS[labels]}"
            if column
            else "there are no labels"
        )
        raise OptionError(
            f"--label-kind {asked}, but {held}. Give {_WORDS[asked]} in columns, lists or text that can hold them, or leave "
            "--label-kind out."
        )
    if labels != "class" and not saved.roles.scores:
        raise DataError(
            f"The labels are {_WORDS[labels]}, but of the predictions only one class an example was saved. Give a score of every "
            "class, or one class an example as the label."
        )
    return labels


def _check_several(
    column: Any, labels: LabelKind, texts: Texts, numbers: WholeNumbers, classes: int, start: int
) -> None:
    """Looks labels of several classes through; names are checked when all are known."""
    if is_text(column.type.value_type):
        texts.add(column.flatten(), "label")
    elif not classes:
        pass  # rows of scores are missing so far: what is read later is held against their number
    elif labels == "soft":
        soft_of(column, classes, start)
    elif numbers.called and is_counted(column.type) and not is_indicated(column.type):
        numbers.add(classes_of(column.flatten(), None, "label", start), start)
    else:
        sets_of(column, None, classes, start)


def scores_in(saved: Saved, piece: Piece, kind: Kind | None, classes: int = 0) -> NDArray[np.floating]:
    """Scores of a piece, float[example class]; one number an example is that of the second of two classes.

    Args:
        saved: the tables.
        piece: of them.
        kind: what the scores are, where it is known.
        classes: how many there are, likewise: a piece where all rows are missing does not say it.

    Raises: DataError: rows of different length, empty ones, or one number an example of which nothing says what it is.
    """
    return _of_two(_rows_in(saved, piece, classes), kind, saved.predictions.source)


def _rows_in(saved: Saved, piece: Piece, classes: int) -> NDArray[np.floating]:
    columns = [piece.columns[name] for name in saved.roles.scores]
    if columns[0].null_count == len(piece) and is_listed(columns[0].type) and not hasattr(columns[0].type, "list_size"):
        return np.full((len(piece), classes), np.nan, np.float32)
    scores = scores_of(columns, piece.start)
    if not scores.shape[1]:
        raise DataError(f"The rows of {saved.predictions.source} are empty: expected a score of every class.")
    return scores


def _of_two(scores: NDArray[np.floating], kind: Kind | None, source: str) -> NDArray[np.floating]:
    """The scores of two classes where there is one number an example, that of the second; others as they are."""
    if scores.shape[1] != 1:
        return scores
    if kind is None:
        raise DataError(
            f"{source} has one number an example. Say what it is: --kind probabilities (of the second of two "
            "classes) or --kind logits (likewise); predicted classes are whole numbers in one axis."
        )
    first = 1 - scores if kind == "probabilities" else np.zeros_like(scores)
    return np.concatenate([first, scores], axis=1)


def _names(saved: Saved, classes: Sequence[str] | None) -> tuple[str, ...] | None:
    if classes is not None:
        return tuple(map(class_name, classes))
    schema = saved.predictions.schema
    found = names_in(schema, saved.roles.target)
    if found is None and saved.labels is not None:
        found = names_in(saved.labels.schema, saved.label_roles.target)
    return None if found is None else tuple(map(class_name, found))


def _add_scores(counts: ScoreCounts, saved: Saved, piece: Piece, asked: Kind | None) -> None:
    rows = _rows_in(saved, piece, 0)
    counts.single |= rows.shape[1] == 1
    scores = _of_two(rows, asked, saved.predictions.source)
    if counts.classes and scores.shape[1] not in (0, counts.classes):
        raise DataError(
            f"The rows of scores differ in length: earlier ones have {counts.classes}, row {piece.start:,} has {scores.shape[1]}. "
            "Every row needs a score of every class."
        )
    counts.add(scores, piece.start)


def _add_classes(found: WholeNumbers, texts: Texts, column: Any, names: tuple[str, ...] | None, start: int) -> None:
    if is_text(column.type):
        texts.add(column.dictionary_decode() if hasattr(column, "dictionary_decode") else column, found.what)
        return
    try:
        indices = bounded(column)
        found.add(classes_of(column, None, found.what, start) if indices is None else indices, start)
        if indices is None and found.what == "label":
            found.ignored += ignored_in(column)
    except DataError as error:
        if found.what == "prediction" and str(column.type) in ("float", "double", "halffloat"):
            raise DataError(
                f"{error} If these are numbers for the second of two classes, say which: --kind probabilities or --kind logits."
            ) from error
        raise


def _settled(
    saved: Saved,
    names: tuple[str, ...] | None,
    texts: Texts,
    scores: ScoreCounts,
    targets: WholeNumbers,
    predictions: WholeNumbers,
) -> tuple[str, ...]:
    """Names of all classes, in order of index."""
    if saved.roles.scores:
        width = scores.classes
        if not width:
            raise DataError(
                f"None of the {scores.rows:,} rows of {saved.predictions.source} has scores: all are missing."
            )
        if names is not None and len(names) != width:
            raise DataError(
                f"{saved.predictions.source} has {width:,} scores an example, but {len(names):,} class names are given. Give one "
                "name a class, in order of index (--classes FILE)."
            )
        if names is None and texts.are_names(None):
            some = ", ".join(sorted(texts.found)[:5])
            raise DataError(
                f"The labels are names ({some}, ...), and nothing says which score is whose. Give the names in order of index "
                "(--classes FILE)."
            )
        return names or tuple(str(index) for index in range(width))
    if names is not None:
        return names
    if texts.are_names(None):
        texts.refuse_beside_numbers((predictions, targets))
        return tuple(sorted(texts.found))
    largest = max([targets.largest, predictions.largest, *(int(one) for one in texts.found)])
    if largest < 0:
        raise DataError(f"No row of {saved.predictions.source} has a class: there is nothing to import.")
    if largest >= MOST_CLASSES:
        where = next(
            (f"the {one.what} of row {one.row:,}" for one in (predictions, targets) if one.largest == largest), "one"
        )
        raise DataError(
            f"Classes are numbers from 0, of which {where} is {largest}: that would be {largest + 1:,} classes, and at most "
            f"{MOST_CLASSES:,} are read. Is this the column of classes? Name it (--labels COLUMN, --column COLUMN), or write "
            "names in place of numbers that have gaps."
        )
    return tuple(str(index) for index in range(largest + 1))
