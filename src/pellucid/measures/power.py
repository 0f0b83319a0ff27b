"""How many images and people it takes to tell a difference apart, by formula and by simulation.

Both rest on one model of errors. Each image has a difficulty f, standard normal, that all observers share in part; observer j is
right where loading_j f + sqrt(1 - loading_j²) e_j exceeds a threshold, the e_j independent. Accuracies set the thresholds, and
error consistencies (kappas) the loadings: observers with a kappa of 0 share nothing.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from pellucid.errors import OptionError
from pellucid.measures.intervals import normal_quantile, wilson
from pellucid.record.schema import Interval

Floats = NDArray[np.float64]
Question = Literal["accuracy", "kappa", "chance"]
# Nodes of difficulty, and how finely loadings are found.
_NODES = 201
_FARTHEST = 8.5
# Above it the share of right answers is a step between two nodes.
_MOST_LOADING = 0.995
_MOST_IMAGES = 10_000_000


@dataclass(frozen=True)
class Plan:
    """What is to be told apart, and by whom.

    Attributes:
        question: "accuracy" (is the model as often right as people are?), "kappa" (does one of two models err more like people
            than the other?), "chance" (does the model err like people at all?).
        difference: of accuracy, model minus people; of kappa, second model minus first; or the kappa itself.
        people_accuracy, model_accuracy: shares of right answers; of both models for a difference of kappas. For a difference of
            accuracy the model's is people's plus the difference.
        people_kappa: mean error consistency among people.
        kappa: of the model with people; of the first model for a difference of kappas.
        level: of the test, two-sided.
    """

    question: Question
    difference: float
    people_accuracy: float = 0.8
    model_accuracy: float = 0.8
    people_kappa: float = 0.4
    kappa: float = 0.2
    level: float = 0.05
    people: _Observer = field(init=False)
    models: tuple[_Observer, ...] = field(init=False)

    def __post_init__(self) -> None:
        if self.question == "accuracy":
            object.__setattr__(self, "model_accuracy", self.people_accuracy + self.difference)
        rest = (
            f", people's {self.people_accuracy:g} and the difference {self.difference:g}"
            if self.question == "accuracy"
            else ""
        )
        for name, share, why in (
            ("people's accuracy", self.people_accuracy, ""),
            ("model's accuracy", self.model_accuracy, rest),
        ):
            if not 0 < share < 1:
                raise OptionError(f"The {name} must lie between 0 and 1, ends excluded; got {share:g}{why}.")
        if not 0 < self.level < 1:
            raise OptionError(f"The level of the test must lie between 0 and 1; got {self.level:g}.")
        if self.difference == 0:
            raise OptionError("No number of images tells a difference of 0 apart; give the least one that matters.")
        people = _people(self.people_accuracy, self.people_kappa)
        kappas = {
            "accuracy": (self.kappa,),
            "kappa": (self.kappa, self.kappa + self.difference),
            "chance": (self.difference,),
        }[self.question]
        object.__setattr__(self, "people", people)
        object.__setattr__(self, "models", tuple(_model(self.model_accuracy, kappa, people) for kappa in kappas))


@dataclass(frozen=True)
class _Observer:
    accuracy: float
    loading: float

    def right(self, difficulty: Floats) -> Floats:
        """P(right) at each difficulty."""
        from scipy import special

        threshold = normal_quantile(self.accuracy)
        share: Floats = special.ndtr((threshold + self.loading * difficulty) / math.sqrt(1 - self.loading**2))
        return share


def power(plan: Plan, images: int, observers: int) -> float:
    """P(the test finds the difference), normal approximation.

    Wald's test of the mean over images; people are those who take part, and each sees every image.
    """
    from scipy import special

    shift = abs(plan.difference) / math.sqrt(variance(plan, observers) / images)
    critical = normal_quantile(1 - plan.level / 2)
    return float(special.ndtr(shift - critical) + special.ndtr(-shift - critical))


def check_power(plan: Plan, wanted: float) -> None:
    """Whether a power can be asked for. Raises: OptionError: the test has it without any difference, or none can have it."""
    if not plan.level < wanted < 1:
        raise OptionError(f"The power must lie between the test's level, {plan.level:g}, and 1; got {wanted:g}.")


def images_needed(plan: Plan, observers: int, wanted: float = 0.8) -> int:
    """The least number of images with which the difference is found with a probability of at least `wanted`.

    Raises: OptionError: more than ten million.
    """
    check_power(plan, wanted)
    low, high = 1, 2
    while power(plan, high, observers) < wanted:
        low, high = high, 2 * high
        if high > _MOST_IMAGES:
            raise OptionError(f"It takes more than {_MOST_IMAGES:,} images to tell this difference apart.")
    while low < high:
        middle = (low + high) // 2
        low, high = (low, middle) if power(plan, middle, observers) >= wanted else (middle + 1, high)
    return low


def variance(plan: Plan, observers: int) -> float:
    """What the variance of the difference over images is, times the number of images.

    Given its difficulty an image's answers are independent, so that moments of any number of observers are one integral.
    """
    nodes, weights = _quadrature()
    person = plan.people.right(nodes)
    if plan.question == "accuracy":
        model = plan.models[0].right(nodes)
        mean = model - person
        noise = model * (1 - model) + person * (1 - person) / observers
        return float((weights * (mean**2 + noise)).sum() - (weights * mean).sum() ** 2)
    influences = [_influence(plan, model) for model in plan.models]
    shares = [model.right(nodes) for model in plan.models]
    total = 0.0
    for answers in np.ndindex(*(2 for _ in plan.models)):
        chance = _product([share if answer else 1 - share for share, answer in zip(shares, answers, strict=True)])
        # Each model's influence is constant + slope x (person right), mean over people; two models are subtracted.
        signs = (-1.0, 1.0) if len(plan.models) == 2 else (1.0,)
        constant = sum(sign * one[answer][0] for sign, one, answer in zip(signs, influences, answers, strict=True))
        slope = sum(sign * one[answer][1] for sign, one, answer in zip(signs, influences, answers, strict=True))
        spread = (constant + slope * person) ** 2 + slope**2 * person * (1 - person) / observers
        total += float((weights * chance * spread).sum())
    return total


def _product(factors: Sequence[Floats]) -> Floats:
    """The product, elementwise."""
    found = factors[0]
    for one in factors[1:]:
        found = found * one
    return found


def _influence(plan: Plan, model: _Observer) -> tuple[tuple[float, float], tuple[float, float]]:
    """What an image adds to the kappa of model and person: of a wrong and a right model, a constant and a slope in the person's."""
    nodes, weights = _quadrature()
    a, b = model.accuracy, plan.people.accuracy
    both = float((weights * model.right(nodes) * plan.people.right(nodes)).sum())
    observed, expected = 1 - a - b + 2 * both, a * b + (1 - a) * (1 - b)
    rest = 1 - expected
    outer = (1 - observed) / rest**2
    found = []
    for answer in (0.0, 1.0):
        constant = (1 - answer - observed) / rest - outer * ((2 * b - 1) * (answer - a) - (2 * a - 1) * b)
        found.append((constant, (2 * answer - 1) / rest - outer * (2 * a - 1)))
    return found[0], found[1]


def simulate(
    plan: Plan, images: int, observers: int, *, draws: int = 1000, seed: int = 0
) -> tuple[float, Interval | None]:
    """How often the test finds the difference in simulated answers, with Wilson's interval.

    The test uses what an experimenter has, its variance estimated from the answers. A draw without a kappa finds nothing.
    """
    generator = np.random.default_rng(seed)
    critical = normal_quantile(1 - plan.level / 2)
    found = 0
    for _ in range(draws):
        difficulty = generator.standard_normal(images)
        person = plan.people.right(difficulty)
        people = generator.random((observers, images)) < person
        models = np.stack([generator.random(images) < model.right(difficulty) for model in plan.models])
        if plan.question == "accuracy":
            added = models[0] - people.mean(axis=0)
        else:
            kappas = [_sampled(model, people) for model in models]
            if any(one is None for one in kappas):
                continue
            values = [one for one in kappas if one is not None]
            added = values[0] if len(values) == 1 else values[1] - values[0]
        error = added.std(ddof=1) / math.sqrt(images) if images > 1 else 0.0
        found += bool(error > 0 and abs(added.mean()) > critical * error)
    return found / draws, wilson(found, draws)


def _sampled(model: NDArray[np.bool_], people: NDArray[np.bool_]) -> Floats | None:
    """float64[image]: mean kappa of a model with people plus what each image adds; None where a kappa is not defined."""
    a, b = model.mean(), people.mean(axis=1)
    agreed = (people == model).astype(np.float64)
    observed, expected = agreed.mean(axis=1), a * b + (1 - a) * (1 - b)
    if (expected >= 1).any():
        return None
    rest = (1 - expected)[:, None]
    chance = (2 * b - 1)[:, None] * (model - a) + (2 * a - 1) * (people - b[:, None])
    each = (agreed - observed[:, None]) / rest - ((1 - observed)[:, None] / rest**2) * chance
    kappa = (observed - expected) / (1 - expected)
    added: Floats = (kappa[:, None] + each).mean(axis=0)
    return added


@lru_cache(maxsize=1)
def _quadrature() -> tuple[Floats, Floats]:
    """Nodes and weights of the standard normal: evenly spaced, which converges as fast as Gauss's for smooth functions."""
    nodes = np.linspace(-_FARTHEST, _FARTHEST, 2 * _NODES - 1)
    weights = np.exp(-(nodes**2) / 2)
    return nodes, weights / weights.sum()


def kappa_between(first: _Observer, second: _Observer) -> float:
    """The error consistency of two observers under the model of errors."""
    nodes, weights = _quadrature()
    a, b = first.accuracy, second.accuracy
    both = float((weights * first.right(nodes) * second.right(nodes)).sum())
    return 2 * (both - a * b) / (1 - (a * b + (1 - a) * (1 - b)))


def _people(accuracy: float, kappa: float) -> _Observer:
    if not 0 <= kappa < 1:
        raise OptionError(f"The kappa among people must lie between 0 and 1, 1 excluded; got {kappa:g}.")
    loading = _found(lambda one: kappa_between(_Observer(accuracy, one), _Observer(accuracy, one)), kappa, 0.0)
    if loading is None:
        raise OptionError(f"A kappa of {kappa:g} among people is more than this model of errors can hold.")
    return _Observer(accuracy, loading)


def _model(accuracy: float, kappa: float, people: _Observer) -> _Observer:
    loading = _found(lambda one: kappa_between(_Observer(accuracy, one), people), kappa, -_MOST_LOADING)
    if loading is None:
        bounds = sorted(kappa_between(_Observer(accuracy, end), people) for end in (-_MOST_LOADING, _MOST_LOADING))
        raise OptionError(
            f"With an accuracy of {accuracy:g}, people's of {people.accuracy:g} and the kappa among people that is given, a "
            f"model's kappa with people lies between {bounds[0]:.3f} and {bounds[1]:.3f}; got {kappa:g}."
        )
    return _Observer(accuracy, loading)


def _found(value: Callable[[float], float], wanted: float, low: float) -> float | None:
    """Where a rising function takes a value, by halving; None where it does not."""
    high = _MOST_LOADING
    if wanted == 0:
        return 0.0
    if not value(low) - 1e-12 <= wanted <= value(high):
        return None
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (middle, high) if value(middle) < wanted else (low, middle)
    return (low + high) / 2
