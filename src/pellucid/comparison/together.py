"""The answers of all models side by side, over the examples of one record."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pellucid.comparison.answers import Answers
from pellucid.comparison.matching import Match, common_classes, itself, match, relabelled
from pellucid.errors import DataError

BASE = 1
"""The model whose record is the comparison's own: the new one."""


@dataclass(frozen=True)
class Together:
    """What every model says of each example of the base's record.

    Attributes:
        names: of the models, unique.
        classes: of all of them.
        targets: float64[example]; NaN where unknown.
        predictions: int64[model example], indices into `classes`; -1 where there is none.
        losses, confidences: float64[model example]; NaN where not defined.
        there: bool[model example]; whether the model's record has the example, under the same label.
        matches: where the base's examples stand in each record.
        relabelled: how many matched examples have another label there; they have no answer here.
    """

    names: list[str]
    answers: list[Answers]
    classes: list[str]
    targets: NDArray[np.float64]
    predictions: NDArray[np.int64]
    losses: NDArray[np.float64]
    confidences: NDArray[np.float64]
    there: NDArray[np.bool_]
    matches: list[Match]
    relabelled: list[int]

    @property
    def task(self) -> str:
        """Of all of them."""
        return self.answers[BASE].record.manifest.task

    @property
    def soft(self) -> bool:
        """Whether labels are soft."""
        return any(one.soft for one in self.answers)

    @property
    def rights(self) -> NDArray[np.bool_]:
        """bool[model example]: the prediction is the label."""
        right: NDArray[np.bool_] = (self.predictions >= 0) & (self.predictions == self.labels)
        return right

    @property
    def labels(self) -> NDArray[np.int64]:
        """int64[example] true class, -1 where unknown or where the target is a number of a regression."""
        if not self.classes:
            return np.full(len(self.targets), -1, np.int64)
        return np.nan_to_num(self.targets, nan=-1.0).astype(np.int64)

    @property
    def common(self) -> NDArray[np.bool_]:
        """bool[example]: all records have it with a label, and a model answers; one that does not is not right."""
        common: NDArray[np.bool_] = self.there.all(axis=0) & (self.labels >= 0) & (self.predictions >= 0).any(axis=0)
        return common


def together(answers: Sequence[Answers], names: list[str]) -> Together:
    """Lays answers side by side.

    Raises: DataError: fewer than two records, other tasks, other classes, or other data.
    """
    if len(answers) < 2:
        raise DataError(f"A comparison needs at least two records, the old and the new; got {len(answers)}.")
    base = answers[BASE]
    tasks = {one.record.manifest.task for one in answers}
    if len(tasks) > 1:
        raise DataError(f"The records are of other tasks: {' and '.join(sorted(tasks))}. Compare models of one task.")
    classes, places = common_classes([one.classes for one in answers], BASE)
    matches = [itself(len(base)) if one is base else match(one, base) for one in answers]
    moved = [_moved(one, places[index], bool(classes)) for index, one in enumerate(answers)]
    targets = moved[BASE][0]
    shape = (len(answers), len(base))
    predictions = np.full(shape, -1, np.int64)
    losses, confidences = np.full(shape, np.nan), np.full(shape, np.nan)
    there = np.zeros(shape, np.bool_)
    changed = []
    for index, (one, found) in enumerate(zip(answers, matches, strict=True)):
        own_targets, own_predictions = moved[index]
        rows = np.flatnonzero(found.partners >= 0)
        partners = found.partners[rows]
        differ = relabelled(own_targets[partners], targets[rows], (names[index], names[BASE]), by_row=found.by_row)
        changed.append(int(np.count_nonzero(differ)))
        rows, partners = rows[~differ], partners[~differ]
        predictions[index, rows] = own_predictions[partners]
        losses[index, rows] = one.losses[partners]
        confidences[index, rows] = one.confidences[partners]
        there[index, rows] = True
    return Together(names, list(answers), classes, targets, predictions, losses, confidences, there, matches, changed)


def _moved(
    one: Answers, places: NDArray[np.int64], classification: bool
) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Targets and predictions as indices into the common classes."""
    if not classification or np.array_equal(places, np.arange(len(places))):
        return one.targets, one.predictions
    known = np.isfinite(one.targets)
    targets = np.full(len(one), np.nan)
    targets[known] = places[one.targets[known].astype(np.int64)]
    said = one.predictions >= 0
    predictions = np.full(len(one), -1, np.int64)
    predictions[said] = places[one.predictions[said]]
    return targets, predictions
