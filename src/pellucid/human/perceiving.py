"""What people's answers say beyond right and wrong: shape or texture, how long they take, how sure they are of each other."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

import numpy as np
from msgspec.structs import replace
from numpy.typing import NDArray

from pellucid.human.observers import shown_of
from pellucid.human.view import EVERYBODY, View
from pellucid.measures.clustered import clustered_share
from pellucid.measures.intervals import mean_interval, wilson
from pellucid.measures.rank_correlation import spearman
from pellucid.measures.shape_bias import ShapeCounts, cues_of, shape_counts
from pellucid.measures.soft_labels import (
    agreement_with_others,
    cross_entropies,
    entropies,
    most_frequent,
    pairwise_agreement,
    second_most_frequent,
)
from pellucid.measures.words import counted
from pellucid.record import schema


def shape_of(view: View, observers: list[schema.HumanObserver]) -> Iterator[schema.HumanShape]:
    """Shape bias of all people together and of each observer, in all and by the shape's category; nothing without conflicts."""
    people = view.people
    cues = cues_of(people.names, people.categories)
    if not cues.conflict.any():
        return
    width = len(people.categories) + 1
    for place in [EVERYBODY, *shown_of(observers)]:
        if place == EVERYBODY:
            counts = people.counts()
        elif observers[place].kind == "model":
            counts = np.zeros((len(people.names), width), np.int64)
            given = np.flatnonzero(view.model_answers >= 0)
            counts[given, view.model_answers[given]] = 1
        else:
            counts = people.counts([place])
        found = shape_counts(cues, counts)
        yield _shape(place, "", found, np.ones(len(cues.shape), np.bool_))
        for category, name in enumerate(people.categories):
            if found.count[cues.shape == category].any():
                yield _shape(place, name, found, cues.shape == category)


def _shape(observer: int, category: str, found: ShapeCounts, among: NDArray[np.bool_]) -> schema.HumanShape:
    shape, texture = found.shape[among], found.texture[among]
    told = shape + texture
    number, of_shape = int(told.sum()), int(shape.sum())
    share, interval = clustered_share(shape, told)
    if observer != EVERYBODY:
        interval = wilson(of_shape, number)
    return schema.HumanShape(
        observer, category, int(found.count[among].sum()), of_shape, number - of_shape, share, interval
    )


def seconds_by_image(view: View) -> NDArray[np.float64]:
    """float64[image]: mean logarithm of the response time, less each observer's own mean; NaN where no time is known."""
    kept = view.people.kept
    seconds = view.people.seconds[kept]
    logs = np.log(np.where(seconds > 0, seconds, np.nan))
    known = np.isfinite(logs)
    times = known.sum(axis=1, keepdims=True)
    own = np.divide(
        np.where(known, logs, 0.0).sum(axis=1, keepdims=True), times, out=np.zeros((len(kept), 1)), where=times > 0
    )
    number = known.sum(axis=0)
    total = np.where(known, logs - own, 0.0).sum(axis=0)
    mean: NDArray[np.float64] = np.divide(total, number, out=np.full(len(number), np.nan), where=number > 0)
    return mean


def times_of(view: View) -> list[schema.HumanTime]:
    """Response times against the model's margin, entropy and confidence; nothing where no time is known."""
    seconds = seconds_by_image(view)
    if not np.isfinite(seconds).any() or view.model is None:
        return []
    found = []
    quantities: tuple[tuple[Literal["margin", "entropy", "confidence"], NDArray[np.float64]], ...] = (
        ("margin", view.model.margin),
        ("entropy", view.model.entropy),
        ("confidence", view.model.confidence),
    )
    for quantity, values in quantities:
        count, value, interval = spearman(seconds, view.numbers_of_examples(values))
        why = "" if value is not None else f"{count} images have both, or one of them does not vary"
        found.append(schema.HumanTime(quantity, count, value, interval, why))
    return found


def median_seconds(view: View) -> NDArray[np.float64]:
    """float64[image]: the median response time; NaN where none is known."""
    seconds = view.people.seconds[view.people.kept]
    found = np.full(seconds.shape[1], np.nan)
    known = np.isfinite(seconds).any(axis=0)
    if known.any():
        found[known] = np.nanmedian(seconds[:, known], axis=0)
    return found


def soft_of(view: View) -> schema.HumanSoft | None:
    """Answers as distributions, over the images with two answers or more; trials without an answer are none."""
    counts = view.people.counts()[:, :-1]
    several = counts.sum(axis=1) >= 2
    if not several.any():
        return None
    some, category = counts[several], view.category[several]
    total, entropy = some.sum(axis=1), entropies(some)
    pairwise = pairwise_agreement(some)
    labelled = category >= 0
    answers = view.model_answers[several]
    answered = answers >= 0
    same = some[np.arange(len(some)), np.maximum(answers, 0)][answered] / total[answered]
    model_entropy = view.numbers_of_examples(view.model.entropy if view.model else None)[several]
    compared, cross, why = _crossed(view, several, some)
    _, correlation, correlation_interval = spearman(entropy, model_entropy)
    second_both, second_same = _seconds(view, several, some)
    categories = len(view.kinds.mapped)
    return schema.HumanSoft(
        images=len(some),
        judgements=int(total.sum()),
        least=int(total.min()),
        most=int(total.max()),
        entropy=float(entropy.mean()),
        entropy_interval=_mean(entropy),
        unanimous=int((some.max(axis=1) == total).sum()),
        majority=int((some.argmax(axis=1) == category)[labelled].sum()),
        labelled=int(labelled.sum()),
        pairwise=float(pairwise.mean()),
        pairwise_interval=_share(pairwise),
        with_others=float(agreement_with_others(some).mean()),
        answered=int(answered.sum()),
        with_model=float(same.mean()) if len(same) else None,
        with_model_interval=_share(same),
        compared=compared,
        cross_entropy=float(cross.mean()) if cross is not None else None,
        cross_entropy_interval=None if cross is None else _mean(cross),
        model_entropy=float(np.nanmean(model_entropy)) if np.isfinite(model_entropy).any() else None,
        entropy_correlation=correlation,
        entropy_correlation_interval=correlation_interval,
        seconds_compared=second_both,
        seconds_same=second_same,
        seconds_interval=wilson(second_same, second_both),
        seconds_chance=1 / (categories - 1) if second_both and categories > 1 else None,
        why=why,
    )


def _mean(values: NDArray[np.float64]) -> schema.Interval | None:
    """Student's, of numbers of 0 and more; None where all are alike, which says nothing of how far others may be off."""
    if not len(values) or not (spread := float(((values - values.mean()) ** 2).sum())):
        return None
    found = mean_interval(len(values), float(values.sum()), spread)
    return found and replace(found, low=max(0.0, found.low))


def _share(values: NDArray[np.float64]) -> schema.Interval | None:
    """Likewise of shares, none of which lies beyond 1; Wilson's over images where all are 0 or all are 1."""
    if len(values) and (values == values[0]).all() and values[0] in (0.0, 1.0):
        return wilson(int(values.sum()), len(values))
    found = _mean(values)
    return found and replace(found, high=min(1.0, found.high))


def _crossed(
    view: View, several: NDArray[np.bool_], some: NDArray[np.int64]
) -> tuple[int, NDArray[np.float64] | None, str]:
    """How many images have all probabilities, the cross-entropies of these, and why there are none."""
    if view.model is None:
        return 0, None, "the record holds no answers of a model"
    if view.model.probabilities is None:
        return (
            0,
            None,
            "the record holds the most probable classes only; give the probabilities of all (--probabilities FILE)",
        )
    rows = view.found.rows[several]
    shares = view.model.probabilities[np.maximum(rows, 0)]
    known = (rows >= 0) & np.isfinite(shares).all(axis=1)
    cross = cross_entropies(some[known], shares[known])
    if not len(cross):
        return 0, None, "no image that people answered has the model's probabilities"
    impossible = int(np.isinf(cross).sum())
    if impossible:
        return (
            len(cross),
            None,
            f"the model gives the probability 0 to answers of people on {counted(impossible, 'image')}: infinite",
        )
    return len(cross), cross, ""


def _seconds(view: View, several: NDArray[np.bool_], some: NDArray[np.int64]) -> tuple[int, int]:
    """Images where the first choices are the same and both second choices are known, and those with the same second."""
    if view.model is None:
        return 0, 0
    second = view.of_examples(view.model.second)[several]
    theirs = second_most_frequent(some)
    both = (theirs >= 0) & (second >= 0) & (most_frequent(some) == view.model_answers[several])
    return int(both.sum()), int((theirs == second)[both].sum())
