"""What the loss lens's sums say: benchmarks, and the parts of the log loss and the Brier score."""

from __future__ import annotations

import math
from typing import Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from pellucid.measures import benchmarks
from pellucid.measures.decomposition import Cells, contributions, parts
from pellucid.measures.losses import Loss
from pellucid.measures.part_intervals import part_intervals
from pellucid.record.schema import Benchmark, ClassParts, ScoreParts
from pellucid.types import Task

Floats: TypeAlias = NDArray[np.float64]

SCORES: tuple[tuple[Literal["log", "brier"], str], ...] = (("log", "nats"), ("brier", "sum of squared probabilities"))


def score_parts(cells: Cells, products: Floats, *, soft: bool) -> list[ScoreParts]:
    """Log loss and Brier score, each taken apart: none where no example has probabilities, no log loss where one is infinite."""
    found = []
    for score, unit in SCORES:
        whole = parts(cells, score, soft=soft)
        if whole is None:
            continue
        intervals = part_intervals(cells, products, score)
        by_class = [
            ClassParts(one.group, one.count, one.total, one.calibration, one.refinement, one.within, one.naming)
            for one in contributions(cells, score)
        ]
        found.append(
            ScoreParts(
                score=score,
                unit=unit,
                count=whole.count,
                total=whole.total,
                calibration=whole.calibration,
                refinement=whole.refinement,
                within=whole.within,
                naming=whole.naming,
                uncertainty=whole.uncertainty,
                resolution=whole.resolution,
                bias=whole.bias,
                bins=whole.bins,
                irreducible=whole.irreducible,
                irreducible_answer=whole.irreducible_answer,
                by_class=by_class,
                total_interval=intervals.total,
                calibration_interval=intervals.calibration,
                refinement_interval=intervals.refinement,
                within_interval=intervals.within,
                naming_interval=intervals.naming,
            )
        )
    return found


def benchmarks_of(
    loss: Loss,
    task: Task,
    count: int,
    mass: Floats,
    moments: Floats,
    targets: Floats | None,
    wished: float | None,
    least: float | None = None,
) -> list[Benchmark]:
    """What the loss is compared with.

    Args:
        loss: the model's.
        task: of the model.
        count: examples that have a loss.
        mass: float64[class], how much of their labels each class has.
        moments: (count, mean, sum of squared deviations) of the targets of a regression.
        targets: all of them, where they were looked at again.
        wished: a loss that the user wants to reach.
        least: the mean of what soft labels cost at least, of a cross-entropy.
    """
    made: list[benchmarks.Made] = []
    if task == "classification" and mass.sum() > 0:
        made = benchmarks.of_classes(loss, mass / mass.sum(), least)
    elif task == "multilabel" and count:
        made = benchmarks.of_sets(loss, mass / count)
    elif task == "regression" and moments[0]:
        made = benchmarks.of_numbers(loss, float(moments[1]), float(moments[2] / moments[0]), targets)
    if wished is not None and count:
        made.append(benchmarks.Made("target", wished, "the loss that was asked for"))
    return [Benchmark(one.name, one.value, one.explanation, one.why) for one in made]


def infinite_mean(loss: Loss, task: Task, infinite: int, count: int, total: float) -> str:
    """Why the mean is not defined where losses are infinite.

    Args:
        loss: which; of one's own it is not known why it is infinite.
        task: of the model.
        infinite: examples with an infinite loss.
        count: examples with a finite one.
        total: the sum of the finite ones.
    """
    if task == "classification" and not loss.own:
        cause = f"{infinite:,} {'label was' if infinite == 1 else 'labels were'} given no probability at all"
    else:
        cause = f"{infinite:,} {'example has' if infinite == 1 else 'examples have'} an infinite loss"
    if task == "multilabel" and not loss.own:
        cause += ": a class that is true was given the probability 0, or one that is not true the probability 1"
    others = "the other example" if count == 1 else f"the other {count:,} examples"
    if not count:
        rest = "no other example has a loss"
    elif math.isfinite(total):
        rest = f"the mean of {others} is {total / count:.4g}"
    else:
        rest = f"the losses of {others} are too large to be added up"
    return f"{cause}, which makes the mean infinite; {rest}"


def moments_of(values: Floats) -> Floats:
    """(count, mean, sum of squared deviations): float64[3]."""
    mean = float(values.mean()) if len(values) else 0.0
    return np.array([float(len(values)), mean, float(((values - mean) ** 2).sum())])


def merged_moments(one: Floats, other: Floats) -> Floats:
    """Those of both together. Source: Chan, Golub & LeVeque 1983, The American Statistician 37:242-247."""
    count = one[0] + other[0]
    if count == 0:
        return one.copy()
    apart = other[1] - one[1]
    mean = one[1] + apart * other[0] / count
    return np.array([count, mean, one[2] + other[2] + apart**2 * one[0] * other[0] / count])
