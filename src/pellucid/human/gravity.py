"""How grave the mistakes of people and of the model are, where a hierarchy says which categories are near."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from pellucid.human.view import EVERYBODY, View
from pellucid.measures.clustered import clustered_mean
from pellucid.measures.hierarchy import gravities
from pellucid.record import schema


def gravity_of(view: View, model: int | None) -> list[schema.HumanGravity]:
    """Of all people together and of the model; empty where no hierarchy is known.

    Args:
        view: people and model on the same images.
        model: place of the model among the observers; None where there are no answers of one.
    """
    if view.kinds.tree is None:
        return []
    weights = gravities(view.kinds.tree, view.kinds.classes)
    found = [_told(EVERYBODY, view.people.counts(), view, weights)]
    if model is not None:
        counts = np.zeros((len(view.model_answers), len(view.people.categories) + 1), np.int64)
        given = np.flatnonzero(view.model_answers >= 0)
        counts[given, view.model_answers[given]] = 1
        found.append(_told(model, counts, view, weights))
    return found


def _told(observer: int, counts: NDArray[np.int64], view: View, weights: NDArray[np.int64]) -> schema.HumanGravity:
    """Over the wrong answers to images whose category is known; no answer is no mistake of any height."""
    known = np.flatnonzero(view.category >= 0)
    answers = counts[known, :-1]
    true = view.category[known]
    answers[np.arange(len(known)), true] = 0
    heights = (answers * weights[true]).sum(axis=1)
    mistakes = answers.sum(axis=1)
    mean, interval = clustered_mean(heights, mistakes)
    # What mistakes would weigh if each were as likely to name any other category.
    others = weights.sum(axis=1) / max(len(weights) - 1, 1)
    chance = float((others[true] * mistakes).sum() / mistakes.sum()) if mistakes.sum() else None
    return schema.HumanGravity(observer, int(mistakes.sum()), mean, interval, chance, int(weights.max(initial=0)))
