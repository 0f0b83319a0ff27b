"""What is asked of the model about features that are there or not, and what that says so far."""

from __future__ import annotations

from typing import Any, Protocol

import torch
from torch import Tensor

from pellucid.attribution.batches import DEPENDENT, ROWS_ELSEWHERE, ROWS_ON_CPU, alike, relative_error
from pellucid.attribution.features import Features
from pellucid.attribution.methods import Problem, Progress, View
from pellucid.attribution.surrogates import Taken
from pellucid.attribution.trees import merged, rows_of
from pellucid.capture.memory import for_memory
from pellucid.errors import MethodError


class StoppedError(Exception):
    """The watcher wants no more."""


class Sampled(Protocol):
    """A method that asks for scores of samples."""

    @property
    def name(self) -> str:
        """Of the method, for `Progress`."""

    @property
    def title(self) -> str:
        """Of the method, in words."""

    @property
    def samples(self) -> int:
        """Of each example."""

    @property
    def batch_size(self) -> int | None:
        """Copies at a time; None for the size that is best on the device."""

    def estimate(self, taken: Taken, count: int) -> tuple[Tensor, Tensor]:
        """One number a feature from what was taken so far, and its standard error: float64[feature], NaN where unknown."""

    def done(self, taken: Taken) -> int:
        """Samples that are finished."""


class Asked:
    """What Captum asks of the model: scores of copies, in batches that memory bears.

    Attributes:
        rows: copies at a time.
        found, off: float64[example feature], the numbers and their standard errors; NaN where nothing is known.
        taken: what was asked about the example in hand.
        notes: in words, what went wrong.
    """

    def __init__(self, method: Sampled, problem: Problem, view: View, features: Features) -> None:
        self._method, self._problem, self._view, self._features = method, problem, view, features
        self.rows = method.batch_size or (ROWS_ON_CPU if view.device.type == "cpu" else ROWS_ELSEWHERE)
        self.found = torch.full((len(features.leaf), features.count), torch.nan, dtype=torch.float64)
        self.off = self.found.clone()
        self.total = method.samples * len(features.leaf)
        self.taken = Taken()
        self.notes: list[str] = []
        self._example = 0

    def begin(self, example: int) -> None:
        """Takes an example in hand."""
        self._example, self.taken = example, Taken()

    def end(self, values: Tensor | None) -> None:
        """Keeps an example's numbers, or what there is where it was stopped."""
        self._estimate()
        if values is not None:
            self.found[self._example] = values.double().cpu()

    @property
    def done(self) -> int:
        """Samples that are finished, of all examples."""
        return self._example * self._method.samples + self._method.done(self.taken)

    def scores(self, there: Tensor) -> Tensor:
        """The scores of copies of the example in hand; the watcher is told.

        Raises: StoppedError: it wants no more. MethodError: the model has no finite score where features are hidden.
        """
        there = there.detach().reshape(len(there), -1)
        made = self.answered(self._example, there)
        self._refuse_undefined(there, made)
        self.taken.there.append(there.cpu())
        self.taken.scores.append(made)
        watch = self._problem.watch
        if watch is None:
            return made

        def sofar() -> Any:
            self._estimate()
            return self.map()

        def error() -> float | None:
            return relative_error(sofar(), self.error())

        if watch(Progress(self._method.name, self.done, self.total, sofar, error)) is False:
            raise StoppedError
        return made

    def answered(self, example: int, there: Tensor) -> Tensor:
        """The scores of an example's copies; no watcher is told."""
        return torch.cat([self._some(example, part) for part in torch.split(there, self.rows)])

    def compare(self, scores: Tensor) -> None:
        """Looks whether an example has the score among its copies that it has in the batch; else it is asked for alone.

        Args:
            scores: float[batch], of the examples as they are.

        Raises: MethodError: the examples are several, and their scores depend on each other.
        """
        if self.rows < 2:
            return
        none, all_ = torch.zeros(self._features.count), torch.ones(self._features.count)
        if alike(scores[:1], self._some(0, torch.stack([none, all_]))):
            return
        if len(self.found) > 1:
            raise MethodError(
                "The score of an example depends on the others in its batch, or changes from forward to forward, and "
                f"{self._method.name} asks for one example at a time: its map would be that of another score. Give one "
                "example."
            )
        self.rows = 1
        self.notes.append(DEPENDENT)

    def map(self) -> Any:
        """The map so far: NaN where nothing was found yet."""
        return self._spread(self.found)

    def error(self) -> Any:
        """Its standard error."""
        return self._spread(self.off)

    def _refuse_undefined(self, there: Tensor, scores: Tensor) -> None:
        count = self._features.count
        hidden = (count - there.sum(1))[~scores.isfinite().to(there.device)].int().tolist()
        if not any(hidden):
            return  # where it has none for the input as it is, that is said of the map
        ids = not self._features.leaf.is_floating_point()
        remedy = "the id of a word that the model knows as unknown or masked" if ids else "a value that it knows"
        raise MethodError(
            f"{self._method.title}: where the baseline stands for {max(hidden)} of {count} features, the model's score is NaN or "
            f"infinite{', as where every id is its padding' if ids else ''}. Give baseline={remedy}."
        )

    def _estimate(self) -> None:
        found = self._method.estimate(self.taken, self._features.count)
        self.found[self._example], self.off[self._example] = found

    def _spread(self, values: Tensor) -> Any:
        like = self._features.leaf
        kind = like.dtype if like.is_floating_point() else torch.float32
        spread = self._features.spread(values).to(kind)
        return self._features.on(self._problem.inputs, lambda _: spread)

    def _some(self, example: int, there: Tensor) -> Tensor:
        """Scores of one batch, or of its halves where memory does not suffice."""
        rows = torch.full((len(there),), example)
        tree = rows_of(self._problem.inputs, rows)
        shown = self._features.shown(example, there > 0.5)
        tree = merged(self._features.on(self._problem.inputs, lambda _: shown), tree)
        try:
            return self._view.scores(tree, rows, len(self.found)).detach().double().cpu()
        except Exception as error:
            if not for_memory(error):
                if len(there) == 1:
                    raise
                # What one copy alone raises as well is raised then.
                self.rows = 1
                return torch.cat([self._some(example, part) for part in torch.split(there, 1)])
            if len(there) == 1:
                raise MethodError(
                    f"Memory does not suffice for a single example ({self._method.name}). Give smaller inputs, or free memory."
                ) from error
        half = (len(there) + 1) // 2
        if half < self.rows:
            self.notes[:] = [one for one in self.notes if not one.startswith("Memory did not")]
            self.notes.append(f"Memory did not suffice for {len(there)} rows at a time: {half} were used.")
            self.rows = half
        return torch.cat([self._some(example, part) for part in torch.split(there, half)])
