"""Many varied copies of the examples in full batches: as many rows at a time as memory bears, watched, stoppable."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

from pellucid.attribution.methods import Problem, Progress, View
from pellucid.attribution.trees import rows_of
from pellucid.capture.memory import for_memory
from pellucid.capture.trees import batch_size
from pellucid.errors import MethodError, OptionError
from pellucid.graph.dataflow import tensors_in

# A relative change of scores beyond this is no rounding: of float32 in batches of other sizes, and of shorter types, to which
# graphics processors shorten the numbers of products.
ROUNDING, SHORT_ROUNDING = 1e-3, 3e-2
DEPENDENT = (
    "The score of an example depends on the others in its batch, or changes from forward to forward: each copy of the batch was "
    "scored in a forward of its own. The map is one of these examples together."
)
ROWS_ON_CPU = 32
ROWS_ELSEWHERE = 128

Vary = Callable[[Any, Tensor, Tensor], Any]
"""From a tree of rows, the example and the number of the copy that each row belongs to (int64[rows]), to the varied tree."""


Work = Callable[[Any, Tensor, Tensor], Any]
"""What is done with a batch: from varied rows, the example and the copy of each, to what `Copies.run` passes on."""


@dataclass
class Copies:
    """Copies of all examples, batch by batch.

    Attributes:
        problem: whose inputs are copied.
        name: of the method, for `Progress`.
        total: copies of each example.
        batch_size: rows at a time; None for the size that is best on the device.
        done: copies that are finished.
        warnings: that memory did not suffice, or that it was stopped.
    """

    problem: Problem
    name: str
    total: int
    batch_size: int | None = None
    done: int = 0
    warnings: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        if self.batch_size is not None and self.batch_size < 1:
            raise OptionError(f"batch_size must be 1 or more; got {self.batch_size}.")
        self._examples = batch_size(self.problem.inputs)
        if self.problem.goal.found.dependent:
            self.warnings.append(DEPENDENT)

    def run(
        self,
        view: View,
        vary: Vary,
        work: Work,
        estimate: Callable[[], Any],
        error: Callable[[], float | None] = lambda: None,
    ) -> Iterator[tuple[Any, Tensor, Tensor]]:
        """Yields the work's answer with its rows and copies, until all is done or the watcher says to stop.

        The last copy of a method's first batch is worked on once more, alone: where it has other scores then, or where several
        copies cannot be scored together, all are taken one at a time.

        Args:
            view: on the model.
            vary: makes the copies what they are.
            work: what is done with a batch.
            estimate: the map so far, for the watcher.
            error: how far that may be off, as in `Progress`.
        """
        size = self.batch_size or (ROWS_ON_CPU if view.device.type == "cpu" else ROWS_ELSEWHERE)
        # Whole copies of the batch, as many as fit; fewer rows than one copy only where memory makes it so.
        found = self.problem.goal.found
        size = self._examples if found.apart else max(size // self._examples, 1) * self._examples
        place, end = 0, self.total * self._examples
        whole, failed = size, False
        while place < end:
            at = torch.arange(place, min(place + size, end))
            rows, copies = at % self._examples, at // self._examples
            try:
                answer = work(vary(rows_of(self.problem.inputs, rows), rows, copies), rows, copies)
                if len(rows) > self._examples and self.name not in found.together:
                    self._compare(view, vary, work, rows, copies)
            except _ApartError:
                whole = size = self._examples
                continue
            except Exception as failure:
                if not for_memory(failure):
                    if len(rows) <= self._examples:
                        raise
                    # What one copy at a time raises as well is raised then.
                    failed, whole, size = True, self._examples, self._examples
                    continue
                if found.dependent and size <= self._examples:
                    raise MethodError(
                        f"Memory does not suffice for one copy of all {self._examples} examples, and their scores depend on each "
                        "other. Give fewer examples at a time."
                    ) from failure
                if size == 1:
                    raise MethodError(
                        f"Memory does not suffice for a single example ({self.name}). Give smaller inputs, or free memory."
                    ) from failure
                size = _halved(size, self._examples)
                continue
            found.apart |= failed
            place += len(at)
            self.done = place // self._examples
            yield answer, rows, copies
            if not self._goes_on(estimate, error):
                if self.done < self.total:
                    self.warnings.append(f"Stopped after {self.done} of {self.total} copies.")
                break
        if size < whole:
            self.warnings.append(f"Memory did not suffice for {whole} rows at a time: {size} were used.")

    def _compare(self, view: View, vary: Vary, work: Work, rows: Tensor, copies: Tensor) -> None:
        """Works on the last copy of a batch alone. Raises: _ApartError: its scores are others then."""
        found, beside = self.problem.goal.found, view.latest
        rows, copies = rows[-self._examples :], copies[-self._examples :]
        work(vary(rows_of(self.problem.inputs, rows), rows, copies), rows, copies)
        if beside is None or view.latest is None or alike(view.latest, beside):
            found.together.add(self.name)
            return
        found.apart = found.dependent = True
        self.warnings.append(DEPENDENT)
        raise _ApartError

    def _goes_on(self, estimate: Callable[[], Any], error: Callable[[], float | None]) -> bool:
        watch = self.problem.watch
        return watch is None or watch(Progress(self.name, self.done, self.total, estimate, error)) is not False


class _ApartError(Exception):
    """Copies have other scores beside others than alone."""


def alike(alone: Tensor, beside: Tensor) -> bool:
    """Whether the last scores of a batch are those of its last copy alone, as far as its numbers are exact."""
    short = min(alone.element_size(), beside.element_size()) < 4 or "cuda" in (alone.device.type, beside.device.type)
    slack = SHORT_ROUNDING if short else ROUNDING
    alone, whole = alone.detach().double().to(beside.device), beside.detach().double()
    size = whole[torch.isfinite(whole)].abs().max() if bool(torch.isfinite(whole).any()) else whole.new_zeros(())
    return torch.allclose(alone, whole[-len(alone) :], rtol=0, atol=slack * float(size), equal_nan=True)


def _halved(size: int, examples: int) -> int:
    """Half the rows: of whole copies as long as there are two."""
    return max(size // examples // 2, 1) * examples if size > examples else max(size // 2, 1)


def relative_error(found: Any, error: Any) -> float | None:
    """The mean standard error over the mean size of a map, where the error is known; None where it is nowhere.

    Args:
        found: the map, a tree.
        error: its standard error, a tree like it.
    """
    spread = size = 0.0
    for map_, off in zip(tensors_in(found), tensors_in(error), strict=True):
        known = torch.isfinite(off)
        spread += float(off[known].double().sum())
        size += float(map_[known].double().abs().sum())
    return spread / size if size > 0 else None


class Mean:
    """Mean and variance of maps, an example at a time, in float64: sums of samples and of their squares about the first.

    The first sample of each example is taken off before squaring, so that a large mean costs no digits.
    """

    def __init__(self) -> None:
        self._first: dict[int, Tensor] = {}
        self._count: dict[int, Tensor] = {}
        self._sum: dict[int, Tensor] = {}
        self._square: dict[int, Tensor] = {}

    def add(self, place: int, values: Tensor, rows: Tensor, examples: int) -> None:
        """Counts in rows of values, each a sample of its example.

        Args:
            place: which map.
            values: float[rows ...].
            rows: the example of each.
            examples: how many there are.
        """
        values, rows = values.double(), rows.to(values.device)
        if place not in self._count:
            shape = (examples, *values.shape[1:])
            empty = [torch.zeros(shape, dtype=torch.float64, device=values.device) for _ in range(3)]
            self._first[place], self._sum[place], self._square[place] = empty
            self._count[place] = torch.zeros(examples, dtype=torch.float64, device=values.device)
        fresh = (self._count[place] == 0)[rows]
        if bool(fresh.any()):
            self._first[place][rows[fresh]] = values[fresh]
        off = values - self._first[place][rows]
        self._count[place].index_add_(0, rows, torch.ones(len(rows), dtype=torch.float64, device=values.device))
        self._sum[place].index_add_(0, rows, off)
        self._square[place].index_add_(0, rows, off.square_())

    def count(self, place: int) -> Tensor:
        """How many samples each example has, shaped to divide a map."""
        return self._count[place].reshape(-1, *(1,) * (self._sum[place].ndim - 1))

    def mean(self, place: int) -> Tensor:
        """Over the samples, float64."""
        return self._first[place] + self._sum[place] / self.count(place)

    def variance(self, place: int) -> Tensor:
        """Over the samples, divided by their number, float64."""
        count = self.count(place)
        found: Tensor = self._square[place] / count - (self._sum[place] / count).square()
        return found.clamp(min=0)

    def error(self, place: int) -> Tensor:
        """Standard error of the mean, float64; NaN or infinite of a single sample."""
        return (self.variance(place) / (self.count(place) - 1)).sqrt()
