"""What a loss would be without the model: of an even guess, of the shares of the classes, of the best constant answer."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from pellucid.measures.losses import Loss, log_probabilities

Floats: TypeAlias = NDArray[np.float64]

# Losses without a closed form are asked about every pair of classes, up to so many of them.
MOST_CLASSES = 2048
_CHUNK = 64


@dataclass(frozen=True)
class Made:
    """A benchmark: its value, None where it is not defined, and then why."""

    name: str
    value: float | None
    explanation: str
    why: str = ""


def of_classes(loss: Loss, shares: Floats, least: float | None = None) -> list[Made]:
    """Benchmarks of a classification.

    Args:
        loss: that of the model.
        shares: float64[class], of the examples' labels; they sum to 1.
        least: the mean of `least_costs` where labels are soft and the loss is a cross-entropy; None elsewhere.
    """
    number = len(shares)
    made = [
        _answered("uniform guess", loss, np.zeros(number), shares, f"every one of {number:,} classes as probable"),
    ]
    with np.errstate(divide="ignore"):
        scores = np.log(shares)
    prior = "always the shares that the classes have in these examples"
    if loss.plain:
        prior += ", the best that a constant answer can do"
    made.append(_answered("class prior", loss, scores, shares, prior))
    if not loss.plain:
        made.append(best_constant(loss, shares))
    if loss.smoothing or least is not None:
        made.append(_least_possible(loss, shares, least))
    return made


def of_sets(loss: Loss, shares: Floats) -> list[Made]:
    """Benchmarks of a multilabel task; `shares` float64[class] of the examples of which each class is true."""
    weights = np.asarray(loss.weights) if loss.weights else np.ones(len(shares))
    if not loss.spec.startswith("binary-"):
        why = "it is not known of a loss of your own"
        return [Made("uniform guess", None, "every class with probability one half", why)]
    safe = np.clip(shares, 1e-300, 1.0)
    other = np.clip(1.0 - shares, 1e-300, 1.0)
    costs = shares * (1 - shares) ** loss.gamma * -np.log(safe) + (1 - shares) * shares**loss.gamma * -np.log(other)
    best = "" if loss.gamma else ", the best that a constant answer can do"
    return [
        Made(
            "uniform guess",
            float(weights.mean() * 0.5**loss.gamma * math.log(2)),
            "every class with probability one half",
        ),
        Made(
            "class prior",
            float((weights * costs).mean()),
            f"always the share that each class has in these examples{best}",
        ),
    ]


def of_numbers(loss: Loss, mean: float, variance: float, targets: Floats | None) -> list[Made]:
    """The best constant of a regression.

    Args:
        loss: that of the model.
        mean: of the targets.
        variance: of the targets, divided by their number.
        targets: float64[example], all of them, which other losses than the squared error need; None where they are too many.
    """
    name = "best constant"
    if loss.spec == "squared-error":
        return [Made(name, variance, f"always the mean of the targets, {mean:.4g}: their variance")]
    if loss.spec not in ("absolute-error",) and not loss.spec.startswith("huber"):
        return [Made(name, None, "the best constant answer", "it is not known of a loss of your own")]
    if targets is None or not len(targets):
        return [Made(name, None, "the best constant answer", "it needs all targets at once, and these are too many")]
    if loss.spec == "absolute-error":
        constant = float(np.median(targets))
        words = f"always the median of the targets, {constant:.4g}"
    else:
        constant = _huber_centre(loss, targets)
        words = f"always {constant:.4g}, the number of the least loss"
    return [Made(name, float(loss.of(np.full(len(targets), constant), targets).mean()), words)]


def _answered(name: str, loss: Loss, scores: Floats, shares: Floats, explanation: str) -> Made:
    costs = constant_costs(loss, scores)
    if costs is None:
        why = f"it asks this loss about all pairs of classes, and there are more than {MOST_CLASSES}"
        return Made(name, None, explanation, why)
    there = shares > 0
    value = float((shares[there] * costs[there]).sum())
    if math.isfinite(value):
        return Made(name, value, explanation)
    return Made(
        name, None, explanation, "it gives no probability to a class without examples, which costs infinitely much"
    )


def constant_costs(loss: Loss, scores: Floats) -> Floats | None:
    """What always answering with the same scores costs where each class is the label: float64[class]; None for too many."""
    number = len(scores)
    if loss.spec.startswith(("cross-entropy", "focal")):
        log_p = log_probabilities(scores[None])[0]
        weights = np.asarray(loss.weights) if loss.weights else np.ones(number)
        with np.errstate(invalid="ignore"):
            costs = (-np.expm1(log_p)) ** loss.gamma * -log_p * weights
            smooth: Floats = (1 - loss.smoothing) * costs + (loss.smoothing * costs.mean() if loss.smoothing else 0.0)
        return smooth
    if number > MOST_CLASSES:
        return None
    found = np.empty(number)
    with np.errstate(invalid="ignore"):
        for begin in range(0, number, _CHUNK):
            labels = np.arange(begin, min(begin + _CHUNK, number))
            found[labels] = loss.of(np.repeat(scores[None], len(labels), axis=0), labels)
    return found


def best_constant(loss: Loss, shares: Floats) -> Made:
    """The least loss that the same answer to every example can have."""
    name, words = "best constant", "the same probabilities for every example, those of the least loss"
    if loss.is_cross_entropy:
        weights = np.asarray(loss.weights) if loss.weights else np.ones(len(shares))
        mass = weights * ((1 - loss.smoothing) * shares + loss.smoothing / len(shares))
        mass = mass[mass > 0]
        if not len(mass):
            return Made(name, 0.0, words)
        return Made(name, float(-(mass * np.log(mass / mass.sum())).sum()), words)
    if loss.spec.startswith("focal"):
        weights = np.asarray(loss.weights) if loss.weights else np.ones(len(shares))
        return Made(name, _focal_constant(weights * shares, loss.gamma), words)
    if loss.name == "hinge loss, Crammer-Singer":
        most = float(shares.max())
        return Made(
            name, min(1.0, 2 * (1 - most)), "the most frequent class 1 above the others where it is most of all"
        )
    why = "no closed form is known of it" if loss.spec.startswith("hinge") else "it is not known of a loss of your own"
    return Made(name, None, words, why)


def _focal_constant(mass: Floats, gamma: float) -> float:
    """The least over p of Σ_k m_k (1 - p_k)^γ (-ln p_k): convex, so that all slopes m_k f'(p_k) are equal at its least.

    Each slope rises with p_k: bisection finds the p_k of a common slope, and bisection over it the one whose p_k sum to 1.
    """
    mass = mass[mass > 0]
    if len(mass) < 2:
        return 0.0

    def slope(p: Floats) -> Floats:
        left = 1.0 - p
        rise: Floats = gamma * left ** (gamma - 1.0) * np.log(p) - left**gamma / p
        return mass * rise

    def at(common: float) -> Floats:
        low, high = np.full(len(mass), 1e-12), np.full(len(mass), 1 - 1e-12)
        for _ in range(60):
            middle = (low + high) / 2
            above = slope(middle) > common
            low, high = np.where(above, low, middle), np.where(above, middle, high)
        found: Floats = (low + high) / 2
        return found

    # In the logarithm of the steepness, which spans many orders.
    low, high = math.log(1e-14), math.log(1e14)
    for _ in range(80):
        middle = (low + high) / 2
        if at(-math.exp(middle)).sum() > 1:
            low = middle
        else:
            high = middle
    p = at(-math.exp((low + high) / 2))
    return float((mass * (1 - p) ** gamma * -np.log(p)).sum())


def least_costs(loss: Loss, labels: Floats) -> Floats:
    """The least that any probabilities cost under a label: float64[example], of a cross-entropy.

    Args:
        loss: a cross-entropy.
        labels: float64[example class], distributions.
    """
    number = labels.shape[1]
    weights = np.asarray(loss.weights) if loss.weights else np.ones(number)
    mass = weights * ((1 - loss.smoothing) * labels + loss.smoothing / number)
    return _least(_with_logarithm(mass).sum(axis=1), mass.sum(axis=1))


def _least_of_classes(loss: Loss, number: int) -> Floats:
    """The same where each class is the label: float64[class]."""
    weights = np.asarray(loss.weights) if loss.weights else np.ones(number)
    even = weights * (loss.smoothing / number)
    own = even + weights * (1 - loss.smoothing)
    summed = _with_logarithm(even).sum() - _with_logarithm(even) + _with_logarithm(own)
    return _least(summed, even.sum() - even + own)


def _least(summed: Floats, total: Floats) -> Floats:
    found: Floats = np.maximum(_with_logarithm(total) - summed, 0.0)
    return found


def _with_logarithm(values: Floats) -> Floats:
    """Each times its logarithm, 0 at 0."""
    found: Floats = values * np.log(np.where(values > 0, values, 1.0))
    return found


def _least_possible(loss: Loss, shares: Floats, least: float | None) -> Made:
    """The least of a smoothed cross-entropy, or of one of soft labels, is above 0: the entropy of its own labels."""
    smoothed = "smoothed " if loss.smoothing else ""
    value = float((shares * _least_of_classes(loss, len(shares))).sum()) if least is None else least
    return Made("least possible", value, f"what a model that gives exactly the {smoothed}labels loses")


def _huber_centre(loss: Loss, targets: Floats) -> float:
    """The constant of the least Huber loss: where the slopes, cut off at δ, sum to 0."""
    delta = float(loss.spec.partition("delta=")[2] or 1.0)
    low, high = float(targets.min()), float(targets.max())
    for _ in range(200):
        middle = (low + high) / 2
        if float(np.clip(middle - targets, -delta, delta).sum()) > 0:
            high = middle
        else:
            low = middle
    return (low + high) / 2
