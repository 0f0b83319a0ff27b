"""Does the data look like what the model was trained on? Scores, and how well they tell the two apart."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pellucid.fitting.sample import Sample
from pellucid.measures.curves import ordered, roc_area
from pellucid.measures.intervals import newcombe_auc
from pellucid.measures.outliers import Gaussians, maximum_softmax, negative_energy, neighbour_scores
from pellucid.record.schema import ScoreDistribution

BINS = 40
NEIGHBOURS = 10
LEAST = 20
"""Fewer examples on either side tell nothing."""

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Score:
    """One way to score examples: `of` gives the data's scores and, where there is a reference, the reference's."""

    name: str
    column: str
    definition: str
    source: str
    of: Callable[[Sample, Sample | None], tuple[Floats, Floats]]
    needs_reference: bool = False
    needs_logits: bool = False


def _by_logits(
    score: Callable[[NDArray[np.float32]], Floats],
) -> Callable[[Sample, Sample | None], tuple[Floats, Floats]]:
    return lambda data, reference: (score(data.logits), np.zeros(0) if reference is None else score(reference.logits))


def _mahalanobis(data: Sample, reference: Sample | None) -> tuple[Floats, Floats]:
    """The reference is split: one half says what is normal, the other is compared with the data."""
    fitted, held = _halves(reference)
    features, classes, asked = _features(reference), _classes(reference), _features(data)
    gaussians = Gaussians.of(features[fitted], classes[fitted])
    return gaussians.scores(asked), gaussians.scores(features[held])


def _neighbours(data: Sample, reference: Sample | None) -> tuple[Floats, Floats]:
    fitted, held = _halves(reference)
    features = _features(reference)
    k = min(NEIGHBOURS, len(fitted))
    return neighbour_scores(_features(data), features[fitted], k), neighbour_scores(features[held], features[fitted], k)


def _halves(reference: Sample | None) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    number = 0 if reference is None else len(reference)
    order = np.random.default_rng(0).permutation(number)
    return np.sort(order[: number // 2]), np.sort(order[number // 2 :])


def _features(sample: Sample | None) -> NDArray[np.float32]:
    return np.zeros((0, 0), np.float32) if sample is None or sample.features is None else sample.features


def _classes(sample: Sample | None) -> NDArray[np.int64]:
    """The classes that the reference has; those that the model gives it where one is missing, whose numbers are others."""
    if sample is None:
        return np.zeros(0, np.int64)
    return sample.targets if (sample.targets >= 0).all() else sample.answers


SCORES = (
    Score(
        "confidence",
        "fit.confidence",
        "Probability of the most probable class.",
        "Hendrycks & Gimpel 2017, arXiv:1610.02136",
        _by_logits(maximum_softmax),
    ),
    Score(
        "negative energy",
        "fit.energy",
        "Logarithm of the sum of the exponentials of the logits.",
        "Liu et al. 2020, arXiv:2010.03759",
        _by_logits(negative_energy),
        needs_logits=True,
    ),
    Score(
        "Mahalanobis",
        "fit.mahalanobis",
        "Minus the squared distance of the features to the nearest class of the reference, in its own spread.",
        "Lee et al. 2018, arXiv:1807.03888",
        _mahalanobis,
        needs_reference=True,
    ),
    Score(
        "nearest neighbours",
        "fit.neighbours",
        f"Minus the distance of the features to the {NEIGHBOURS}th nearest example of the reference, all on the unit sphere.",
        "Sun et al. 2022, arXiv:2204.06507",
        _neighbours,
        needs_reference=True,
    ),
)


@dataclass(frozen=True)
class Likeness:
    """The distributions, and the scores of the data's examples by column."""

    scores: list[ScoreDistribution]
    columns: dict[str, Floats]


def likeness(data: Sample, reference: Sample | None) -> Likeness:
    """Every score that can be had. Examples of which output or features are not finite have none, and are not counted."""
    found, columns = [], {}
    whole = data.finite
    data, reference = data.only(whole), None if reference is None else reference.only(reference.finite)
    for score in SCORES:
        why = _why_not(score, data, reference)
        if why and (score.needs_reference or (score.needs_logits and data.kind == "probabilities")):
            found.append(_distribution(score, np.zeros(0), np.zeros(0), why))
            continue
        ours, theirs = score.of(data, reference)
        column = np.full(len(whole), np.nan)
        column[whole] = ours
        columns[score.column] = column
        found.append(_distribution(score, ours, theirs, why))
    return Likeness(found, columns)


def _why_not(score: Score, data: Sample, reference: Sample | None) -> str:
    if score.needs_logits and data.kind == "probabilities":
        return "the model gives probabilities, whose logits are lost up to a number, and that number is the energy"
    if reference is None:
        return "no data of the training was given to compare with (--trained-on)"
    if score.needs_reference and (data.features is None or reference.features is None):
        return "the model has no features to look at"
    number = len(reference) - len(reference) // 2 if score.needs_reference else len(reference)
    if min(number, len(data)) < LEAST:
        return f"{min(number, len(data))} examples are too few to tell; at least {LEAST} on either side"
    return ""


def _distribution(score: Score, ours: Floats, theirs: Floats, why: str) -> ScoreDistribution:
    ours, theirs = ours[np.isfinite(ours)], theirs[np.isfinite(theirs)]
    both = np.concatenate([ours, theirs])
    edges = np.histogram_bin_edges(both, BINS) if len(both) else np.zeros(0)
    counts = [np.histogram(one, edges)[0].tolist() if len(edges) else [] for one in (ours, theirs)]
    area = None
    if not why:
        side = np.concatenate([np.zeros(len(ours), bool), np.ones(len(theirs), bool)])
        area = roc_area(ordered(both, side))
    return ScoreDistribution(
        name=score.name,
        column=score.column,
        definition=score.definition,
        source=score.source,
        edges=edges.tolist(),
        data=counts[0],
        reference=counts[1],
        count=len(ours),
        reference_count=len(theirs),
        auroc=None if area is None else area.value,
        interval=None if area is None else newcombe_auc(area.value, len(theirs), len(ours)),
        why=why,
    )
