"""The loss at points of the space of weights: on a plane, or on the line between two checkpoints."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from pellucid.capture import preserved
from pellucid.landscape.losses import Objective
from pellucid.landscape.norms import BatchNorm, Labelled, recalculated, statistics_of_the_batch
from pellucid.landscape.weights import Values, called_at, own_parameters
from pellucid.measures.intervals import LEVEL, mean_interval
from pellucid.record.schema import Interval

Point = Callable[[], Values]
Hear = Callable[[int], None]


@dataclass
class Points:
    """Sums over examples at some points.

    Attributes:
        count: examples seen.
        totals, squares: float64[point], of the losses that are finite, and of their squares.
        right: int64[point], right answers; all 0 where there is no one class.
        broken: int64[point], examples whose loss is not finite.
        judged: whether `right` means something.
    """

    size: int
    count: int = 0
    judged: bool = False
    totals: NDArray[np.float64] = field(init=False)
    squares: NDArray[np.float64] = field(init=False)
    right: NDArray[np.int64] = field(init=False)
    broken: NDArray[np.int64] = field(init=False)

    def __post_init__(self) -> None:
        self.totals, self.squares = np.zeros(self.size), np.zeros(self.size)
        self.right, self.broken = np.zeros(self.size, np.int64), np.zeros(self.size, np.int64)

    def add(self, losses: NDArray[np.float64], right: NDArray[np.bool_] | None) -> None:
        """Counts a batch in: float64[point batch] losses, bool[point batch] right answers."""
        finite = np.isfinite(losses)
        known = np.where(finite, losses, 0.0)
        self.count += losses.shape[1]
        self.totals += known.sum(1)
        self.squares += (known**2).sum(1)
        self.broken += (~finite).sum(1)
        if right is not None:
            self.judged = True
            self.right += right.sum(1)

    def mean(self, point: int) -> float | None:
        """Mean loss; None where that of some example is not finite, or where there is no example."""
        return None if self.broken[point] or not self.count else float(self.totals[point] / self.count)

    def standard_error(self, point: int) -> float | None:
        """Of the mean; None where there is none, or one example alone."""
        if self.mean(point) is None or self.count < 2:
            return None
        spread = _deviations(self.count, self.totals[point], self.squares[point])
        return float(np.sqrt(spread / (self.count - 1) / self.count))

    def interval(self, point: int) -> Interval | None:
        """Of the mean, over examples."""
        if self.mean(point) is None:
            return None
        spread = _deviations(self.count, self.totals[point], self.squares[point])
        return mean_interval(self.count, float(self.totals[point]), spread)


def losses_at(
    model: nn.Module,
    objective: Objective,
    batches: Iterable[Labelled],
    points: Sequence[Point],
    mode: BatchNorm = "eval",
    hear: Hear = lambda done: None,
) -> Iterator[tuple[NDArray[np.float64], NDArray[np.bool_] | None]]:
    """Of each batch its losses at every point; each batch is read once (twice where statistics are recalculated).

    Args:
        model: not written to; put it in `held` for the whole of it.
        objective: what an example costs.
        batches: can be gone through again.
        points: each gives the weights there, and may give buffers; made when it is their turn, so that one is held at a time.
        mode: statistics of batch normalisation: those of the point, of the batch, or recalculated at the point.
        hear: hears of each batch at each point.

    Returns: float64[point batch], and bool[point batch] or None.
    Raises: ForwardError.
    """
    statistics = [recalculated(model, point(), batches) for point in points] if mode == "recalculate" else []
    for batch in batches:
        losses = np.empty((len(points), len(batch)))
        right = np.empty((len(points), len(batch)), np.bool_)
        judged = False
        for place, point in enumerate(points):
            values = {**point(), **statistics[place]} if statistics else point()
            outputs = objective.outputs(called_at(model, values, batch.inputs))
            losses[place] = objective.losses(outputs, batch.targets).cpu().numpy()
            hits = objective.right(outputs, batch.targets)
            if hits is not None:
                judged, right[place] = True, hits.cpu().numpy()
            hear(1)
        yield losses, right if judged else None


def surveyed(
    model: nn.Module,
    objective: Objective,
    batches: Iterable[Labelled],
    points: Sequence[Point],
    mode: BatchNorm = "eval",
    hear: Hear = lambda done: None,
) -> Points:
    """Mean losses at points, as `losses_at` asks for them."""
    sums = Points(len(points))
    with held(model, mode):
        for losses, right in losses_at(model, objective, batches, points, mode, hear):
            sums.add(losses, right)
    return sums


@contextmanager
def held(model: nn.Module, mode: BatchNorm = "eval") -> Iterator[None]:
    """The model as it is looked at: evaluation mode, no gradients, the statistics that were asked for; then as it was."""
    with preserved(model), own_parameters(model), torch.no_grad():
        if mode == "train":
            with statistics_of_the_batch(model):
                yield
        else:
            yield


@dataclass
class Barrier:
    """How much higher the loss is between two ends than the straight line from one end's loss to the other's.

    Attributes:
        steps: from 0 to 1, both among them.
        count: examples.
        totals, squares: float64[step], over examples, of the loss less what the straight line says for that example.
    """

    steps: Sequence[float]
    count: int = 0
    totals: NDArray[np.float64] = field(init=False)
    squares: NDArray[np.float64] = field(init=False)

    def __post_init__(self) -> None:
        self.totals, self.squares = np.zeros(len(self.steps)), np.zeros(len(self.steps))

    def add(self, losses: NDArray[np.float64]) -> None:
        """Counts a batch in: float64[step batch]."""
        t = np.asarray(self.steps)[:, None]
        with np.errstate(invalid="ignore"):  # infinity less infinity: `highest` says that there is no barrier to tell
            above = losses - ((1 - t) * losses[:1] + t * losses[-1:])
        self.count += losses.shape[1]
        self.totals += above.sum(1)
        self.squares += (above**2).sum(1)

    def highest(self) -> tuple[int, float, Interval | None] | None:
        """Where it is highest, how high, and its interval over examples, there; None where a loss is not finite.

        The step was chosen by the same examples: the interval is wide enough to hold at all steps between the ends at once. At an
        end there is nothing to be uncertain of, and no interval.

        Source: Entezari et al. 2022, arXiv:2110.06296, definition 2.1; Bonferroni over the steps.
        """
        if not self.count or not np.isfinite(self.totals).all():
            return None
        place = int(np.argmax(self.totals))
        between = len(self.steps) - 2
        if not 0 < place <= between:
            return place, 0.0, None
        spread = _deviations(self.count, self.totals[place], self.squares[place])
        found = mean_interval(self.count, float(self.totals[place]), spread, 1 - (1 - LEVEL) / between)
        interval = found and Interval(found.low, found.high, LEVEL, found.method)
        return place, float(self.totals[place] / self.count), interval


def _deviations(count: int, total: float, squares: float) -> float:
    """Sum of squared deviations from the mean."""
    return max(float(squares - total**2 / count), 0.0)
