"""Are the features useful for these classes? A linear classifier of them, tested on examples that it has not seen."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from pellucid.errors import MissingExtraError
from pellucid.fitting.sample import Sample
from pellucid.measures.directions import directions
from pellucid.measures.intervals import LEVEL, wilson
from pellucid.measures.logme import logme
from pellucid.measures.paired import share_difference
from pellucid.record.schema import Interval, ProbeAccuracy, ProbedOn

FOLDS = 5
ENOUGH = 0.5
"""Share of the examples that the classes with enough of them have to hold, or the probe would be of other data."""
STRENGTHS = (1e-3, 1e-2, 1e-1, 1.0)
"""Inverse strengths of the penalty to choose from; each fold chooses by folds of its own."""


def why_no_probe(targets: NDArray[np.int64], *, sets: bool = False) -> str:
    """Why there is nothing to probe, in words; "" where there is.

    Args:
        targets: int64[example], -1 where there is none.
        sets: whether the labels are sets of classes.
    """
    counts = np.bincount(targets[targets >= 0])
    filled = counts[counts > 0]
    if sets:
        return "the labels are sets of classes, and a probe needs one class an example"
    if len(filled) == 0:
        return "the data has no labels"
    if len(filled) == 1:
        return "all labels are the same class"
    enough = filled >= FOLDS
    if enough.sum() < 2 or filled[enough].sum() < ENOUGH * filled.sum():
        few = int(filled.min())
        return (
            f"a class has {few} example{'s' if few > 1 else ''} in the sample; {FOLDS} folds need {FOLDS} of each class "
            "(--limit)"
        )
    return ""


def probed_of(targets: NDArray[np.int64]) -> NDArray[np.bool_]:
    """bool[example]: those of classes that every fold can have one of."""
    counts = np.bincount(targets[targets >= 0], minlength=1)
    return (targets >= 0) & (counts[np.maximum(targets, 0)] >= FOLDS)


@dataclass(frozen=True)
class Probed:
    """A probe, and which examples it named rightly: bool[example with a label]."""

    told: ProbeAccuracy
    right: NDArray[np.bool_]

    def against(self, other: Probed) -> Probed:
        """With how much more accurate it is than another on the same examples."""
        fixed, broken = int((self.right & ~other.right).sum()), int((other.right & ~self.right).sum())
        count = len(self.right)
        low, high = share_difference(fixed, broken, count)
        told = msgspec.structs.replace(
            self.told,
            over=other.told.on,
            gain=(fixed - broken) / count,
            gain_interval=Interval(float(low), float(high), LEVEL, "tango"),
        )
        return Probed(told, self.right)


def probes(sample: Sample, seed: int) -> list[Probed]:
    """What the features say of the classes, what the inputs say, and what always answering the commonest class would.

    The features are held against the better of the two below them.

    Args:
        sample: whose labels can be probed, all of them.
        seed: of the folds.

    Raises: MissingExtraError: scikit-learn is not installed.
    """
    targets = sample.targets
    found = [Probed(accuracy_of("majority", 0, right), right) for right in [targets == np.bincount(targets).argmax()]]
    if sample.pixels is not None:
        found.insert(0, _probed("pixels", sample.pixels, targets, seed))
    if sample.features is not None:
        found.insert(0, _probed("features", sample.features, targets, seed).against(best_of(found)))
    return found


def best_of(told: Sequence[Probed]) -> Probed:
    """The most accurate, the first of those that are equal."""
    return max(told, key=lambda one: one.told.accuracy)


def _probed(on: ProbedOn, inputs: NDArray[np.float32], targets: NDArray[np.int64], seed: int) -> Probed:
    right = held_out(inputs, targets, seed)
    return Probed(accuracy_of(on, inputs.shape[1], right, logme(inputs, targets)), right)


def accuracy_of(on: ProbedOn, width: int, right: NDArray[np.bool_], evidence: float | None = None) -> ProbeAccuracy:
    """Right answers as a share with its interval."""
    correct, count = int(right.sum()), len(right)
    return ProbeAccuracy(on, width, correct, count, correct / count, wilson(correct, count), evidence)


def held_out(inputs: NDArray[np.float32], targets: NDArray[np.int64], seed: int) -> NDArray[np.bool_]:
    """Whether each example is named rightly by a classifier that was fitted without it: bool[example].

    Multinomial logistic regression on standardised inputs; stratified folds, the penalty chosen inside each.

    Args:
        inputs: float[example value].
        targets: int[example], two classes at least, `FOLDS` examples of each.
        seed: of the folds.
    """
    try:
        from sklearn.model_selection import StratifiedKFold
    except ImportError as error:
        raise MissingExtraError("scikit-learn", "fit", "A linear probe of the features") from error
    right = np.zeros(len(targets), bool)
    wide = inputs.astype(np.float64)
    for fitted, held in StratifiedKFold(FOLDS, shuffle=True, random_state=seed).split(wide, targets):
        known, asked = _standardised(wide[fitted], wide[held])
        best = _best_strength(known, targets[fitted], seed)
        right[held] = _fitted(known, targets[fitted], best).predict(asked) == targets[held]
    return right


def _standardised(
    known: NDArray[np.float64], asked: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Both in the standard units of the known ones, turned into as few numbers as lose nothing of these.

    A penalty on the squares of the weights keeps them in the span of the known examples, which has no more dimensions than there
    are examples: the rest of a wide space needs not be looked at.
    """
    mean, spread = known.mean(0), known.std(0)
    spread[spread == 0] = 1.0
    first, second = (known - mean) / spread, (asked - mean) / spread
    if first.shape[1] <= len(first):
        return first, second
    _, _, axes = directions(first)
    return first @ axes, second @ axes


def _best_strength(known: NDArray[np.float64], targets: NDArray[np.int64], seed: int) -> float:
    """The strength whose probabilities of held-out examples are the best, by three folds."""
    from sklearn.model_selection import StratifiedKFold

    losses = dict.fromkeys(STRENGTHS, 0.0)
    for fitted, held in StratifiedKFold(3, shuffle=True, random_state=seed).split(known, targets):
        for strength in STRENGTHS:
            classifier = _fitted(known[fitted], targets[fitted], strength)
            told = classifier.predict_log_proba(known[held])
            place = np.searchsorted(classifier.classes_, targets[held])
            losses[strength] -= float(told[np.arange(len(held)), place].sum())
    return min(losses, key=lambda strength: losses[strength])


def _fitted(known: NDArray[np.float64], targets: NDArray[np.int64], strength: float) -> Any:
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.linear_model import LogisticRegression

    with warnings.catch_warnings():
        # A weak penalty may not converge in so many rounds: it is one of the choices, and held-out folds judge it.
        warnings.simplefilter("ignore", ConvergenceWarning)
        return LogisticRegression(C=strength, max_iter=100, tol=1e-3).fit(known, targets)
