"""The classes of data among those of a model."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from pellucid.data.naming import plain_name
from pellucid.measures.intervals import wilson
from pellucid.measures.paired import mcnemar
from pellucid.record.schema import LabelPlace

LEAST_OF_A_CLASS = 5
MOST = 0.5
SELDOM = 1e-3
"""A matching by answers is right on more than `MOST`, and better than names or numbers with a smaller p value than this."""


def places(
    data: Sequence[str] | None, model: Sequence[str] | None, outputs: int, targets: NDArray[np.int64]
) -> list[LabelPlace]:
    """Where each class of the data stands among the model's; empty where the data has no classes.

    Args:
        data: names of the data's classes; None where they are numbers alone.
        model: names of the model's; None where they are numbers alone.
        outputs: of the model.
        targets: int64[example], classes of the data.
    """
    number = len(data) if data is not None else int(targets.max(initial=-1)) + 1
    counts = np.bincount(targets[targets >= 0], minlength=number)
    if number == 0:
        return []
    if data is None or model is None:
        # Numbers alone: they are taken for the model's where there are as many, and cannot be told where there are not.
        same = number == outputs
        names = data or [str(index) for index in range(number)]
        return [
            LabelPlace(name, index if same else None, "order" if same else "unknown", int(counts[index]))
            for index, name in enumerate(names)
        ]
    exact: dict[tuple[str, int], int] = {}
    for index, (name, time) in enumerate(_numbered(model)):
        exact[name, time] = index
    first = {name: index for (name, time), index in exact.items() if time == 0}
    loose = {plain_name(part): index for name, index in reversed(first.items()) for part in [*name.split(","), name]}
    loose.pop("", None)
    found = []
    for index, (name, time) in enumerate(_numbered(data)):
        by_name, by_synonym = exact.get((name, time), first.get(name)), loose.get(plain_name(name))
        if by_name is not None:
            found.append(LabelPlace(name, by_name, "name", int(counts[index])))
        elif by_synonym is not None:
            found.append(LabelPlace(name, by_synonym, "synonym", int(counts[index])))
        else:
            found.append(LabelPlace(name, None, "none", int(counts[index])))
    return found


def by_order(
    found: Sequence[LabelPlace],
    outputs: int,
    targets: NDArray[np.int64],
    answers: NDArray[np.int64],
) -> list[LabelPlace]:
    """Classes that have numbers alone, and fewer than the model's, taken in order where its own answers agree with that.

    No model answers rightly by another's numbers more often than always the commonest class would.

    Args:
        found: as `places` gives them.
        outputs: of the model.
        targets: int64[example], classes of the data.
        answers: int64[example], classes of the model; -1 where it gave none.
    """
    known = targets >= 0
    if not known.any() or len(found) > outputs or any(place.how != "unknown" for place in found):
        return list(found)
    right = int((answers[known] == targets[known]).sum())
    interval = wilson(right, int(known.sum()))
    commonest = np.bincount(targets[known]).max() / known.sum()
    if interval is None or interval.low <= commonest:
        return list(found)
    return [LabelPlace(place.name, index, "order", place.examples) for index, place in enumerate(found)]


def by_answers(
    found: Sequence[LabelPlace], outputs: int, targets: NDArray[np.int64], answers: NDArray[np.int64]
) -> list[LabelPlace]:
    """Classes in another order than the model's, or under other names, where its own answers stand for them one to one.

    The matching that half of the examples ask for is tried on the other half, and the other way round: it has to be right on most
    of them, more often than what `found` says beyond chance, and each class's commonest answer has to be its own.

    Args:
        found: as `places` gives them.
        outputs: of the model.
        targets: int64[example], classes of the data.
        answers: int64[example], classes of the model; -1 where it gave none.
    """
    known = np.flatnonzero((targets >= 0) & (answers >= 0))
    rows = known[np.argsort(targets[known], kind="stable")]
    counts = np.bincount(targets[rows], minlength=len(found))
    present = np.flatnonzero(counts)
    if len(present) < 2 or len(found) > outputs or counts[present].min() < LEAST_OF_A_CLASS:
        return list(found)
    right = np.zeros(len(rows), np.bool_)
    for half in (0, 1):
        matched = _one_to_one(targets[rows[half::2]], answers[rows[half::2]], len(found), outputs)
        right[1 - half :: 2] = matched[targets[rows[1 - half :: 2]]] == answers[rows[1 - half :: 2]]
    before = moved(targets[rows], found) == answers[rows]
    fixed, broken = int((right & ~before).sum()), int((before & ~right).sum())
    interval = wilson(int(right.sum()), len(rows))
    if interval is None or interval.low <= MOST or fixed <= broken or float(mcnemar(fixed, broken)) > SELDOM:
        return list(found)
    matched = _one_to_one(targets[rows], answers[rows], len(found), outputs)
    if any(np.bincount(answers[rows][targets[rows] == one]).argmax() != matched[one] for one in present):
        return list(found)
    taken = set(matched[present].tolist())
    return [
        LabelPlace(
            place.name, int(matched[index]), place.how if place.index == matched[index] else "answers", place.examples
        )
        if counts[index]
        else LabelPlace(place.name, None, "none", place.examples)
        if place.index in taken
        else place
        for index, place in enumerate(found)
    ]


def _one_to_one(
    targets: NDArray[np.int64], answers: NDArray[np.int64], classes: int, outputs: int
) -> NDArray[np.int64]:
    """int64[class]: the answer that stands for each class, none for two, such that as many as can be are right."""
    from scipy.optimize import linear_sum_assignment

    counts = np.zeros((classes, outputs), np.int64)
    np.add.at(counts, (targets, answers), 1)
    matched: NDArray[np.int64] = linear_sum_assignment(counts, maximize=True)[1].astype(np.int64)
    return matched


def _numbered(names: Sequence[str]) -> list[tuple[str, int]]:
    """Each name with how often it stood before: two of the model's classes may have one, as the cranes of ImageNet do."""
    times: dict[str, int] = {}
    found = []
    for name in names:
        found.append((name, times.get(name, 0)))
        times[name] = times.get(name, 0) + 1
    return found


def moved(targets: NDArray[np.int64], found: Sequence[LabelPlace]) -> NDArray[np.int64]:
    """The model's class of each target, -1 where there is none: int64[example]."""
    table = np.array([-1 if place.index is None else place.index for place in found] + [-1], np.int64)
    return np.where((targets >= 0) & (targets < len(found)), table[np.clip(targets, 0, len(found))], -1)
