"""Cost against accuracy: replicates together, the Pareto front with intervals, and what a doubling does."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from pellucid.comparison.costs import REPLICATE, reached, without_seed
from pellucid.comparison.together import Together
from pellucid.measures.intervals import LEVEL, mean_interval, wilson
from pellucid.measures.paired import mean_difference, share_difference
from pellucid.record.schema import ComparedModel, Interval, SizedModel, Trend

Place: TypeAlias = Literal["on", "maybe", "off"]
Cost: TypeAlias = Callable[[ComparedModel], float | None]

LEAST_SIZES = 4
FIXED_COSTS: dict[str, Cost] = {
    "parameters": lambda model: model.parameters,
    "flops": lambda model: model.flops,
    "seconds": lambda model: model.seconds,
}


def costs(target: float | None) -> dict[str, Cost]:
    """Every cost by name; those of training are counted up to an accuracy."""
    if target is None:
        return FIXED_COSTS

    def steps(model: ComparedModel) -> float | None:
        point = reached(model.learned, target)
        return None if point is None else point.step

    def seconds(model: ComparedModel) -> float | None:
        point = reached(model.learned, target)
        return None if point is None else point.seconds

    return FIXED_COSTS | {"training_steps": steps, "training_seconds": seconds}


@dataclass(frozen=True)
class Group:
    """Replicates of one size: places among the models."""

    name: str
    members: list[int]
    factors: dict[str, float]


def groups_of(models: list[ComparedModel]) -> list[Group]:
    """Models of as many parameters whose names differ in the seed alone belong together; any other stands alone."""
    found: dict[object, list[int]] = {}
    for place, model in enumerate(models):
        rest = without_seed(model.name)
        key = place if rest is None else (rest, model.parameters)
        found.setdefault(key, []).append(place)
    grouped = []
    for members in found.values():
        factors = {name: value for name, value in models[members[0]].factors.items() if name != REPLICATE}
        first = models[members[0]].name
        name = first if len(members) == 1 else without_seed(first) or REPLICATE
        grouped.append(Group(name, members, factors))
    return grouped


def sizes_of(models: list[ComparedModel], all_: Together, target: float | None) -> list[SizedModel]:
    """Every size with its interval and its place on each front."""
    groups = groups_of(models)
    accuracies = [_accuracy(models, group) for group in groups]
    better = _Better(models, groups, all_)
    fronts: dict[str, list[Place | None]] = {}
    for name, cost in costs(target).items():
        # Of measured times the least is what else ran disturbed least.
        average = _least if name == "seconds" else _mean
        prices = [average([cost(models[one]) for one in group.members]) for group in groups]
        if any(price is not None for price in prices):
            fronts[name] = front(prices, [value for value, _ in accuracies], better.surely)
    return [
        SizedModel(
            name=group.name,
            members=group.members,
            factors=group.factors,
            accuracy=accuracies[place][0],
            interval=accuracies[place][1],
            front={name: kept for name, places in fronts.items() if (kept := places[place]) is not None},
        )
        for place, group in enumerate(groups)
    ]


def front(
    prices: list[float | None], accuracies: list[float | None], surely: Callable[[int, int], bool]
) -> list[Place | None]:
    """Where each stands on the Pareto front of lower cost and higher accuracy.

    Args:
        prices: of each; None where not known, and then it has no place.
        accuracies: of each, likewise.
        surely: whether the first of two is better than the second beyond doubt.

    Returns: "on" where none is at least as good in both and better in one; "maybe" where one is, but none surely; else "off".
    """
    known = [
        (place, price, value)
        for place, (price, value) in enumerate(zip(prices, accuracies, strict=True))
        if price is not None and value is not None
    ]
    found: list[Place | None] = [None] * len(prices)
    for place, price, value in known:
        above = [
            other for other, cost, high in known if cost <= price and high >= value and (cost < price or high > value)
        ]
        found[place] = "on" if not above else "off" if any(surely(other, place) for other in above) else "maybe"
    return found


@dataclass(frozen=True)
class _Better:
    """Whether one size has a higher accuracy than another, beyond doubt at 95%."""

    models: list[ComparedModel]
    groups: list[Group]
    together: Together

    def surely(self, one: int, other: int) -> bool:
        first, second = self.groups[one].members, self.groups[other].members
        of_first, of_second = self._accuracies(first), self._accuracies(second)
        # Where the seeds of neither differ, they cannot say how far seeds do; the examples can.
        if len(first) > 1 and len(second) > 1 and (np.ptp(of_first) > 0 or np.ptp(of_second) > 0):
            interval = welch(of_first, of_second)
            return interval is not None and interval.low > 0
        common = self.together.common
        rights = self.together.rights[:, common]
        better, worse = rights[first].mean(axis=0), rights[second].mean(axis=0)
        if len(first) == len(second) == 1:
            gained, lost = int((better > worse).sum()), int((worse > better).sum())
            return float(share_difference(gained, lost, len(better))[0]) > 0
        _, interval = mean_difference(worse, better)
        return interval is not None and interval.low > 0

    def _accuracies(self, members: list[int]) -> NDArray[np.float64]:
        return np.array([self.models[one].accuracy or 0.0 for one in members])


def welch(one: NDArray[np.float64], other: NDArray[np.float64], level: float = LEVEL) -> Interval | None:
    """Welch's t interval of mean(one) - mean(other); None below two values in either.

    Source: Welch 1947, Biometrika 34:28-35.
    """
    if min(len(one), len(other)) < 2:
        return None
    from scipy import special

    parts = np.array([one.var(ddof=1) / len(one), other.var(ddof=1) / len(other)])
    difference, variance = float(one.mean() - other.mean()), float(parts.sum())
    if variance == 0.0:
        return Interval(difference, difference, level, "welch")
    freedom = variance**2 / float((parts**2 / np.array([len(one) - 1, len(other) - 1])).sum())
    half = float(special.stdtrit(freedom, 0.5 + level / 2)) * math.sqrt(variance)
    return Interval(difference - half, difference + half, level, "welch")


def _accuracy(models: list[ComparedModel], group: Group) -> tuple[float | None, Interval | None]:
    values = [value for one in group.members if (value := models[one].accuracy) is not None]
    if len(values) == 1:
        first = next(models[one] for one in group.members if models[one].accuracy is not None)
        return values[0], wilson(first.correct, first.count)
    if not values:
        return None, None
    mean = sum(values) / len(values)
    if len(set(values)) == 1:
        # Seeds that agree to the last answer say nothing of how far seeds differ: what is left is how far examples do.
        first = models[group.members[0]]
        return mean, wilson(first.correct, first.count)
    ends = mean_interval(len(values), sum(values), sum((value - mean) ** 2 for value in values))
    # No share lies beyond 0 and 1; Student's interval does not know.
    return mean, ends and Interval(max(0.0, ends.low), min(1.0, ends.high), ends.level, ends.method)


def _mean(values: list[float | None]) -> float | None:
    """Of the replicates; None where any of them is not known: the rest would be a choice."""
    known = [value for value in values if value is not None]
    return sum(known) / len(known) if known and len(known) == len(values) else None


def _least(values: list[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return min(known) if known and len(known) == len(values) else None


# --- trends ---------------------------------------------------------------------------------------------------


def trends_of(models: list[ComparedModel], sizes: list[SizedModel], target: float | None) -> list[Trend]:
    """What a doubling of the parameters, and of each factor in the names, does.

    Of two factors or more each is told beside the others, and at equal parameters: whether depth, say, is worth its thinness.
    One observation a size, the mean of its replicates: what a straight line cannot follow widens the interval.
    """
    measured: dict[str, list[float | None]] = {"accuracy": [size.accuracy for size in sizes]}
    for name in ("training_steps", "training_seconds"):
        cost = costs(target).get(name)
        if cost is not None:
            means = [_mean([cost(models[one]) for one in size.members]) for size in sizes]
            measured[name] = [math.log2(mean) if mean else None for mean in means]
    parameters: dict[str, list[float | None]] = {"parameters": [models[size.members[0]].parameters for size in sizes]}
    varied: dict[str, list[float | None]] = {
        name: [size.factors[name] for size in sizes]
        for name in sizes[0].factors
        if all(size.factors.get(name, 0) > 0 for size in sizes) and len({size.factors[name] for size in sizes}) > 1
    }
    designs = [parameters]
    if varied:
        designs.append(varied)
    if len(varied) > 1:
        designs += [parameters | {name: values} for name, values in varied.items()]
    return [
        trend
        for design in designs
        for measure, values in measured.items()
        for trend in _slopes(design, measure, values)
        if not (trend.factor == "parameters" and trend.others)
    ]


def _slopes(design: dict[str, list[float | None]], measure: str, values: list[float | None]) -> list[Trend]:
    rows = [
        place
        for place, value in enumerate(values)
        if value is not None and all(column[place] is not None for column in design.values())
    ]
    names = list(design)
    if len(rows) < max(LEAST_SIZES, len(names) + 2):
        return []
    logs = np.array([[math.log2(design[name][place] or 1.0) for name in names] for place in rows])
    matrix = np.column_stack([np.ones(len(rows)), logs])
    if np.linalg.matrix_rank(matrix) < matrix.shape[1]:
        return []
    observed = np.array([values[place] for place in rows], np.float64)
    slopes, intervals = least_squares(matrix, observed)
    return [
        Trend(
            name,
            measure,
            float(slopes[1 + place]),
            intervals[1 + place],
            len(rows),
            [one for one in names if one != name],
        )
        for place, name in enumerate(names)
    ]


def least_squares(
    matrix: NDArray[np.float64], values: NDArray[np.float64], level: float = LEVEL
) -> tuple[NDArray[np.float64], list[Interval]]:
    """Coefficients of a linear model and Student's t intervals.

    Args:
        matrix: float64[observation coefficient], more observations than coefficients, of full rank.
        values: float64[observation].
        level: probability that an interval holds the true coefficient.
    """
    from scipy import special

    inverse = np.linalg.inv(matrix.T @ matrix)
    found = inverse @ matrix.T @ values
    rest = values - matrix @ found
    freedom = len(values) - matrix.shape[1]
    errors = np.sqrt(np.diag(inverse) * float(rest @ rest) / freedom)
    half = float(special.stdtrit(freedom, 0.5 + level / 2)) * errors
    return found, [
        Interval(float(value - width), float(value + width), level, "t")
        for value, width in zip(found, half, strict=True)
    ]
