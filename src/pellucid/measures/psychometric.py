"""Psychometric curves: accuracy against the level of a distortion, with thresholds and credible intervals, by psignifit."""

from __future__ import annotations

import math
import warnings
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from pellucid.errors import MissingExtraError
from pellucid.measures.intervals import LEVEL, normal_quantile
from pellucid.record.schema import Interval

Scale = Literal["linear", "log"]
Floats = NDArray[np.float64]
# Below so many levels neither threshold nor width is held by the answers.
LEAST_LEVELS = 3
DRAWN = 81
# F(x) = Phi(C (x - threshold) / width): the width is what lies between F = 0.05 and F = 0.95.
_SPAN = 2 * normal_quantile(0.95)
# On a scale of logarithms a level of 0 lies infinitely far below; so many times the range of the others is as good as that.
_FAR = 3.0
# psignifit's overdispersion of binomial answers; 0 itself has no logarithm.
_NONE = 1e-8


@dataclass(frozen=True)
class Fit:
    """A fitted curve, accuracy = guess + (1 - guess - lapse) F.

    Attributes:
        falling: whether F falls with the level.
        guess: accuracy by guessing.
        lapse: one minus the accuracy where it is easiest.
        threshold: the level where F is one half; None where it lies outside of the levels that were shown, or cannot be told.
        width: from F = 0.05 to F = 0.95; levels, or decades on a log scale.
        overdispersion: psignifit's eta, 0 for binomial answers; None where these were taken for granted.
        why: why there is no threshold, "" where there is one.
    """

    falling: bool
    guess: float
    lapse: float | None = None
    lapse_interval: Interval | None = None
    threshold: float | None = None
    threshold_interval: Interval | None = None
    width: float | None = None
    width_interval: Interval | None = None
    overdispersion: float | None = None
    levels: tuple[float, ...] = ()
    accuracies: tuple[float, ...] = ()
    why: str = ""

    @property
    def at(self) -> float | None:
        """The accuracy at the threshold."""
        if self.threshold is None or self.lapse is None:
            return None
        return self.guess + (1 - self.guess - self.lapse) / 2


def fit_curve(
    levels: Sequence[float],
    correct: Sequence[int],
    counts: Sequence[int],
    *,
    choices: int,
    scale: Scale,
    falling: bool | None = None,
    overdispersed: bool = False,
) -> Fit:
    """Fits a cumulative Gaussian with lapses by psignifit, one answer in `choices` right by guessing.

    Args:
        levels: of the distortion, each once.
        correct: right answers at each level.
        counts: answers at each level.
        choices: categories among which was chosen, >= 2.
        scale: whether levels or their logarithms are what the Gaussian lies over.
        falling: whether accuracy falls with the level; told from the answers where None.
        overdispersed: whether answers at a level may vary more than independent ones, as those of several people to one image do.

    Returns: posterior mode, and 95% credible intervals of the marginal posteriors under psignifit's priors.
    Raises: MissingExtraError: psignifit is not installed. ValueError: the arguments do not fit together.
    Source: Schuett, Harmeling, Macke & Wichmann 2016, Vision Research 122:105 (psignifit 4).
    """
    given = np.asarray(levels, np.float64)
    right, number = np.asarray(correct, np.int64), np.asarray(counts, np.int64)
    if given.shape != right.shape or right.shape != number.shape or choices < 2 or (right > number).any():
        raise ValueError(
            f"expected as many levels as counts, no more right than answered; got {given}, {right}, {number}"
        )
    if scale == "log" and (given < 0).any():
        raise ValueError(f"levels below 0 have no logarithm; got {given.min():g}")
    asked = number > 0
    given, right, number = given[asked], right[asked], number[asked]
    guess = 1 / choices
    falls = _falls(given, right, number) if falling is None else falling
    why = _unfit(given, right, number)
    if why:
        return Fit(falls, guess, why=why)
    places, span = _places(given, scale)
    found = _psignifit(np.column_stack([places, right, number]), span, choices, falls, overdispersed)
    mode: dict[str, float] = {key: float(value) for key, value in found.get_parameter_estimate("MAP").items()}
    level_of = (lambda place: 10.0**place) if scale == "log" else float
    drawn = np.linspace(span[0], span[1], DRAWN)
    lapse_interval = _interval(found, "lambda")
    shared = Fit(
        falls,
        guess,
        mode["lambda"],
        lapse_interval,
        overdispersion=mode["eta"] if overdispersed else None,
        levels=tuple(float(level_of(place)) for place in drawn),
        accuracies=tuple(
            float(one) for one in accuracy_at(drawn, mode["threshold"], mode["width"], guess, mode["lambda"], falls)
        ),
    )
    if not span[0] <= mode["threshold"] <= span[1]:
        side = "below" if mode["threshold"] < span[0] else "above"
        return replace(shared, why=f"the threshold lies {side} the levels that were shown")
    edge = _interval(found, "threshold")
    return replace(
        shared,
        threshold=float(level_of(mode["threshold"])),
        threshold_interval=Interval(float(level_of(edge.low)), float(level_of(edge.high)), LEVEL, "psignifit"),
        width=mode["width"],
        width_interval=_interval(found, "width"),
    )


def accuracy_at(places: Floats, threshold: float, width: float, guess: float, lapse: float, falling: bool) -> Floats:
    """The accuracy at places on the scale of the fit."""
    from scipy import special

    above = special.ndtr(_SPAN * (np.asarray(places, np.float64) - threshold) / width)
    share: Floats = guess + (1 - guess - lapse) * (1 - above if falling else above)
    return share


def threshold_difference(first: Fit, second: Fit, scale: Scale) -> tuple[float | None, Interval | None]:
    """The first threshold divided by the second on a log scale, minus it on a linear one, from their own intervals.

    Observers are taken as independent; where both saw the same images their thresholds go together and the interval is too wide.

    Source: Zou & Donner 2008, Statistics in Medicine 27:1693, for a difference.
    """
    a, b = first.threshold_interval, second.threshold_interval
    if first.threshold is None or second.threshold is None or a is None or b is None:
        return None, None
    to, back = (math.log, math.exp) if scale == "log" else (float, float)
    x, y = to(first.threshold), to(second.threshold)
    below = math.hypot(x - to(a.low), to(b.high) - y)
    above = math.hypot(to(a.high) - x, y - to(b.low))
    return back(x - y), Interval(back(x - y - below), back(x - y + above), LEVEL, "mover")


def _falls(levels: Floats, right: NDArray[np.int64], counts: NDArray[np.int64]) -> bool:
    """Whether accuracy goes down with the rank of the level."""
    if not counts.sum():
        return False
    ranks = np.argsort(np.argsort(levels)).astype(np.float64)
    middle = float((ranks * counts).sum() / counts.sum())
    return bool(((ranks - middle) * (right - counts * (right.sum() / counts.sum()))).sum() < 0)


def _unfit(levels: Floats, right: NDArray[np.int64], counts: NDArray[np.int64]) -> str:
    if len(np.unique(levels)) < LEAST_LEVELS:
        return f"a curve needs answers at {LEAST_LEVELS} levels at least, there are {len(np.unique(levels))}"
    if (right == counts).all():
        return "every answer at every level is right"
    if (right == 0).all():
        return "no answer at any level is right"
    return ""


def _places(levels: Floats, scale: Scale) -> tuple[Floats, tuple[float, float]]:
    """Levels on the scale of the fit, and the range of those that are finite there."""
    if scale == "linear":
        return levels, (float(levels.min()), float(levels.max()))
    positive = levels > 0
    logs = np.log10(levels[positive])
    span = (float(logs.min()), float(logs.max()))
    places = np.full(len(levels), span[0] - _FAR * max(span[1] - span[0], 1.0))
    places[positive] = logs
    return places, span


def _psignifit(table: Floats, span: tuple[float, float], choices: int, falling: bool, overdispersed: bool) -> Any:
    try:
        import psignifit
    except ImportError as error:
        raise MissingExtraError("psignifit", "psychometrics", "A psychometric curve") from error
    steps = np.diff(np.unique(table[(table[:, 0] >= span[0]), 0]))
    with warnings.catch_warnings():
        # That the answers say little about a parameter shows in its interval, and in `why`.
        warnings.simplefilter("ignore")
        return psignifit.psignifit(
            table,
            experiment_type="nAFC",
            experiment_choices=choices,
            sigmoid="neg_norm" if falling else "norm",
            stimulus_range=span,
            width_min=float(steps.min()),
            pool_max_blocks=len(table),
            verbose=False,
            **({} if overdispersed else {"fixed_parameters": {"eta": _NONE}}),
        )


def _interval(found: Any, name: str) -> Interval:
    low, high = found.confidence_intervals[name]["0.95"]
    return Interval(float(low), float(high), LEVEL, "psignifit")
