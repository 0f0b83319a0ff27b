"""People and model on the same images, as arrays that every part of the comparison reads."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pellucid.human.mapping import CategoryMap
from pellucid.human.matching import Found
from pellucid.human.model import Model
from pellucid.human.people import People
from pellucid.measures.agreement import MISSING

EVERYBODY = -1


@dataclass(frozen=True)
class View:
    """Everything about the images that people saw.

    Attributes:
        people: their answers.
        found: where the images stand in the record.
        kinds: of each category the classes of the model.
        model: its answers to the examples; None where there is none.
        category: int64[image], true one: the files' own, else that of the example's label; -1 where neither is known.
        relabelled: images whose label in the record is of another category than the files'.
        title: what the model is called.
    """

    people: People
    found: Found
    kinds: CategoryMap
    model: Model | None
    category: NDArray[np.int64]
    relabelled: int
    title: str

    @property
    def matched(self) -> NDArray[np.bool_]:
        """bool[image]: which are examples of the record."""
        known: NDArray[np.bool_] = self.found.rows >= 0
        return known

    @property
    def model_answers(self) -> NDArray[np.int64]:
        """int64[image]: the model's category, -1 where it has none, -2 where it is not settled; all -1 without a model."""
        return self.of_examples(self.model.answers if self.model is not None else None)

    def of_examples(self, values: NDArray[np.int64] | None) -> NDArray[np.int64]:
        """int64[image] of int64[example], -1 where there is none."""
        if values is None or not len(values):
            return np.full(len(self.found.rows), -1, np.int64)
        return np.where(self.matched, values[np.maximum(self.found.rows, 0)], -1)

    def numbers_of_examples(self, values: NDArray[np.float64] | None) -> NDArray[np.float64]:
        """float64[image] of float64[example], NaN where there is none."""
        if values is None or not len(values):
            return np.full(len(self.found.rows), np.nan)
        return np.where(self.matched, values[np.maximum(self.found.rows, 0)], np.nan)

    @property
    def has_model(self) -> bool:
        """Whether the model answered any of the images."""
        return bool((self.model_answers >= 0).any())

    @property
    def model_right(self) -> NDArray[np.int8]:
        """int8[image]: 1 right, 0 wrong, -1 not known."""
        answers = self.model_answers
        known = (answers >= 0) & (self.category >= 0)
        return np.where(known, answers == self.category, MISSING).astype(np.int8)


def view_of(
    people: People,
    found: Found,
    kinds: CategoryMap,
    model: Model | None,
    targets: NDArray[np.int64],
    title: str,
) -> View:
    """Takes the true categories from the files, and from the record's labels where the files do not say.

    Args:
        people: their answers.
        found: where the images stand in the record.
        kinds: of each category the classes.
        model: its answers.
        targets: int64[example], classes of the record, -1 where unknown.
        title: what the model is called.
    """
    of_class = np.full(
        max([int(targets.max(initial=-1)), *(index for one in kinds.classes for index in one)], default=-1) + 2, -1
    )
    for place, one in enumerate(kinds.classes):
        of_class[list(one)] = place
    labels = of_class[targets] if len(targets) else targets
    shown = (
        np.where(found.rows >= 0, labels[np.maximum(found.rows, 0)], -1)
        if len(labels)
        else np.full(len(found.rows), -1)
    )
    both = (people.category >= 0) & (shown >= 0)
    category = np.where(people.category >= 0, people.category, shown)
    return View(people, found, kinds, model, category, int((both & (people.category != shown)).sum()), title)
