"""What the record's model answers, among the categories of the people."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from pellucid.human.mapping import CategoryMap

if TYPE_CHECKING:
    import pyarrow as pa

UNDECIDED = -2


@dataclass(frozen=True)
class Model:
    """The model's answers to each example of the record.

    Attributes:
        answers: int64[example], a category; -1 without an answer, -2 where the stored classes do not settle it.
        second: the same of its second choice.
        probabilities: float64[example category], that of a category among all categories; None where not known.
        margin, entropy, confidence: float64[example], over the model's own classes; NaN where not known.
    """

    answers: NDArray[np.int64]
    second: NDArray[np.int64]
    probabilities: NDArray[np.float64] | None
    margin: NDArray[np.float64]
    entropy: NDArray[np.float64]
    confidence: NDArray[np.float64]


def model_of(
    examples: pa.Table, classes: int, kinds: CategoryMap, probabilities: NDArray[np.floating] | None = None
) -> Model | None:
    """The model's answers; None where the record holds none, or no class stands for any category.

    Args:
        examples: the record's table.
        classes: how many the model has.
        kinds: of each category the classes.
        probabilities: float[example class], of all classes. Without them the most probable classes of the record have to settle
            which category is first: it is where no class that is not stored could turn the order.
    """
    prediction = _numbers(examples, "prediction", -1).astype(np.int64)
    if not (prediction >= 0).any() or not kinds.mapped:
        return None
    columns = {name: _numbers(examples, name, np.nan) for name in ("margin", "entropy", "confidence")}
    exact = None if probabilities is None else concept_probabilities(probabilities, kinds)
    if exact is None:
        exact = _whole(examples, classes, kinds)
    if exact is not None:
        order = np.argsort(-exact, axis=1, kind="stable")
        known = np.isfinite(exact).all(axis=1) & (exact.sum(axis=1) > 0)
        second = order[:, 1] if exact.shape[1] > 1 else np.full(len(order), -1)
        total = exact.sum(axis=1, keepdims=True)
        return Model(
            np.where(known, order[:, 0], -1),
            np.where(known, second, -1),
            np.divide(exact, total, out=np.full_like(exact, np.nan), where=total > 0),
            **columns,
        )
    answers, second = _settled(examples, prediction, classes, kinds)
    return Model(answers, second, None, **columns)


def concept_probabilities(probabilities: NDArray[np.floating], kinds: CategoryMap) -> NDArray[np.float64]:
    """float64[example category]: sums, or means, over the classes of each category; 0 for one without classes."""
    found = np.zeros((len(probabilities), len(kinds.classes)))
    for place, one in enumerate(kinds.classes):
        if one:
            columns = probabilities[:, list(one)].astype(np.float64)
            found[:, place] = columns.mean(axis=1) if kinds.combined == "mean" else columns.sum(axis=1)
    return found


def _whole(examples: pa.Table, classes: int, kinds: CategoryMap) -> NDArray[np.float64] | None:
    """Probabilities of the categories where the record stores those of all classes."""
    tops, shares = _tops(examples)
    if tops is None or shares is None or tops.shape[1] < classes:
        return None
    wide = np.zeros((len(tops), classes))
    known = tops[:, 0] >= 0
    rows = np.flatnonzero(known)
    wide[rows[:, None], tops[rows]] = shares[rows]
    wide[~known] = np.nan
    return concept_probabilities(wide, kinds)


def _settled(
    examples: pa.Table, prediction: NDArray[np.int64], classes: int, kinds: CategoryMap
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """First and second category, as far as the most probable classes settle them."""
    category = np.full(classes, -1, np.int64)
    for place, one in enumerate(kinds.classes):
        category[list(one)] = place
    none = np.full(len(prediction), -1, np.int64)
    tops, shares = _tops(examples)
    if tops is None or shares is None:
        # Classes alone: right where every category is one class and they are all there are.
        alone = kinds.combined == "same" and len(kinds.mapped) == classes
        first = np.where(prediction >= 0, category[np.maximum(prediction, 0)], -1)
        return np.where((prediction >= 0) & ~np.array(alone), UNDECIDED, first), none
    if kinds.combined == "same":
        return _in_order(tops, category)
    return _bounded(tops, shares, kinds, classes), none


def _in_order(tops: NDArray[np.int64], category: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Where every category is one class: the first and the second of the stored classes that are categories."""
    places = np.where(tops >= 0, category[np.maximum(tops, 0)], -1)
    rank = np.where(places >= 0, np.cumsum(places >= 0, axis=1), 0)
    found = []
    for wanted in (1, 2):
        hit = rank == wanted
        found.append(np.where(hit.any(axis=1), places[np.arange(len(places)), hit.argmax(axis=1)], UNDECIDED))
    empty = tops[:, 0] < 0
    return np.where(empty, -1, found[0]), np.where(empty | (found[1] == UNDECIDED), -1, found[1])


def _bounded(
    tops: NDArray[np.int64], shares: NDArray[np.float64], kinds: CategoryMap, classes: int
) -> NDArray[np.int64]:
    """The category that is first whatever the classes that are not stored get.

    They share what the stored ones leave, and none of them has more than the last of those.
    """
    known = tops[:, 0] >= 0
    stored = np.zeros((len(tops), len(kinds.classes)))
    missing = np.zeros_like(stored)
    for place, one in enumerate(kinds.classes):
        among = np.isin(tops, one)
        stored[:, place] = np.where(among, shares, 0.0).sum(axis=1)
        missing[:, place] = len(one) - among.sum(axis=1)
    rest = np.maximum(0.0, 1 - shares.sum(axis=1))[:, None] + _ROUNDING
    upper = stored + np.minimum(rest, missing * shares[:, -1:])
    if kinds.combined == "mean":
        sizes = np.array([max(1, len(one)) for one in kinds.classes])
        stored, upper = stored / sizes, upper / sizes
    first = stored.argmax(axis=1)
    rows = np.arange(len(tops))
    others = upper.copy()
    others[rows, first] = -np.inf
    sure = stored[rows, first] > others.max(axis=1)
    return np.where(known, np.where(sure, first, UNDECIDED), -1)


# Stored probabilities are float32.
_ROUNDING = 1e-6


def _tops(examples: pa.Table) -> tuple[NDArray[np.int64] | None, NDArray[np.float64] | None]:
    """Most probable classes and their probabilities [example k], -1 and NaN in rows without; None where no row has any."""
    listed = examples["top_classes"].to_pylist()
    width = max((len(one) for one in listed if one), default=0)
    if not width:
        return None, None
    tops, shares = np.full((len(listed), width), -1, np.int64), np.full((len(listed), width), np.nan)
    for row, (one, values) in enumerate(zip(listed, examples["top_probabilities"].to_pylist(), strict=True)):
        if one and values and len(one) == width:
            tops[row] = one
            shares[row] = [np.nan if value is None else value for value in values]
    return tops, shares


def _numbers(examples: pa.Table, name: str, missing: float) -> NDArray[np.float64]:
    import pyarrow as pa

    values: NDArray[Any] = examples[name].cast(pa.float64()).fill_null(missing).to_numpy()
    return np.asarray(values, np.float64)
