"""KernelSHAP, LIME and sampled Shapley values, computed by Captum on features that are there or not."""

from __future__ import annotations

import warnings
from abc import abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar

import torch
from torch import Tensor

from pellucid.attribution.batches import ROWS_ELSEWHERE, ROWS_ON_CPU
from pellucid.attribution.features import Features
from pellucid.attribution.methods import Cost, Maps, Method, Problem, Progress, View, register
from pellucid.attribution.trees import merged, rows_of
from pellucid.capture.memory import for_memory
from pellucid.errors import ForwardError, MethodError, MissingExtraError, OptionError

Scores = Callable[[Tensor], Tensor]
"""From float[copies feature], 1 where a feature is there and 0 where it is not, to one score a copy."""


class _StoppedError(Exception):
    """The watcher wants no more."""


@dataclass(frozen=True)
class _Captums(Method):
    """One number a feature, spread over the feature's numbers in equal parts.

    Attributes:
        samples: of Captum: sets of features that are tried, or orders of features.
        features: integers from 0 that broadcast to the input: superpixels, words, groups of columns. None for cells of an
            image, the tokens of a text, the steps of a series, the columns of a table.
        cells: along each side of an image, where features are None.
        baseline: what stands where a feature is absent, a number or a tensor that broadcasts to the input; an id for tokens.
        seed: of the samples, the same for all examples; the global random state is not touched.
        batch_size: rows at a time; None for the size that is best on the device.
    """

    cost: ClassVar[Cost] = "passes"
    explains_layers: ClassVar[bool] = False
    adds_up: ClassVar[bool] = True

    samples: int = 256
    features: Tensor | None = None
    cells: int = 7
    baseline: float | Tensor = 0.0
    seed: int = 0
    batch_size: int | None = None

    def __post_init__(self) -> None:
        if self.samples < 1 or self.cells < 1 or (self.batch_size is not None and self.batch_size < 1):
            raise OptionError(
                f"{self.title} needs samples, cells and batch_size of 1 or more; got {self.samples}, {self.cells}, "
                f"{self.batch_size}."
            )

    def explain(self, problem: Problem) -> Maps:
        """Maps of the one input. Raises: MissingExtraError: Captum is not installed. MethodError. OptionError."""
        try:
            import captum.attr  # noqa: F401
            import sklearn  # noqa: F401  # Captum fits its models with it
        except ImportError as error:
            raise MissingExtraError("captum", "shapley", self.title) from error
        features = Features.of(problem, self.title, self.features, self.cells, self.baseline)
        examples = len(features.leaf)
        target = problem.goal.target
        if examples > 1 and problem.goal.unit is None and callable(target) and not isinstance(target, Tensor):
            raise MethodError(
                f"{self.title} scores copies of one example at a time, and a target that is a function may know its examples "
                "by their place: give one example, or a class."
            )
        found = torch.full((examples, features.count), torch.nan, dtype=torch.float64)
        notes: list[str] = []
        with problem.view() as view:
            scores = view.scores(problem.inputs)
            asked = _Asked(self, problem, view, features, found, notes)
            try:
                for example in range(examples):
                    with torch.random.fork_rng([view.device] if view.device.type == "cuda" else []):
                        torch.manual_seed(self.seed)
                        found[example] = self._values(asked.of(example), features.count, asked.rows).double().cpu()
            except _StoppedError:
                notes.append(f"Stopped after {example} of {examples} examples.")
            check = None
            if self.adds_up:
                beginning = torch.stack(
                    [asked.of(one, quiet=True)(torch.zeros(1, features.count))[0] for one in range(examples)]
                )
                check = found.sum(1) - (scores - beginning.to(scores)).double().cpu()
            view.passes.add(features.passes)
        return Maps(asked.map(), {}, scores, view.passes, check=check, warnings=tuple(notes))

    @abstractmethod
    def _values(self, scores: Scores, count: int, rows: int) -> Tensor:
        """One number a feature, of one example."""


class _Asked:
    """What Captum asks of the model: scores of copies, in batches that memory bears."""

    def __init__(
        self, method: _Captums, problem: Problem, view: View, features: Features, found: Tensor, notes: list[str]
    ) -> None:
        self._method, self._problem, self._view = method, problem, view
        self._features, self._found, self._notes = features, found, notes
        self.rows = method.batch_size or (ROWS_ON_CPU if view.device.type == "cpu" else ROWS_ELSEWHERE)

    def of(self, example: int, *, quiet: bool = False) -> Scores:
        """The scores of one example's copies; a quiet one tells no watcher."""

        def scores(there: Tensor) -> Tensor:
            made = torch.cat(
                [self._some(example, part) for part in torch.split(there.detach().reshape(len(there), -1), self.rows)]
            )
            watch = self._problem.watch
            if quiet or watch is None:
                return made
            if watch(Progress(self._method.name, example, len(self._found), self.map)) is False:
                raise _StoppedError
            return made

        return scores

    def map(self) -> Any:
        """The map so far: NaN where nothing was found yet."""
        like = self._features.leaf
        kind = like.dtype if like.is_floating_point() else torch.float32
        spread = self._features.spread(self._found).to(kind)
        return self._features.on(self._problem.inputs, lambda _: spread)

    def _some(self, example: int, there: Tensor) -> Tensor:
        """Scores of one batch, or of its halves where memory does not suffice."""
        rows = torch.full((len(there),), example)
        tree = rows_of(self._problem.inputs, rows)
        shown = self._features.shown(example, there > 0.5)
        tree = merged(self._features.on(self._problem.inputs, lambda _: shown), tree)
        try:
            return self._view.scores(tree, rows, len(self._found)).detach().double().cpu()
        except (MemoryError, torch.OutOfMemoryError, ForwardError) as error:
            if not for_memory(error):
                raise
            if len(there) == 1:
                raise MethodError(
                    f"Memory does not suffice for a single example ({self._method.name}). Give smaller inputs, or free memory."
                ) from error
        half = (len(there) + 1) // 2
        if half < self.rows:
            self._notes[:] = [f"Memory did not suffice for {len(there)} rows at a time: {half} were used."]
            self.rows = half
        return torch.cat([self._some(example, part) for part in torch.split(there, half)])


@register
@dataclass(frozen=True)
class KernelShap(_Captums):
    """Shapley values by a weighted linear regression on sets of features (KernelSHAP).

    Source: Lundberg & Lee 2017, arXiv:1705.07874, theorem 2; computed by Captum.
    Check: sum(attribution) = F(inputs) - F(baseline), up to the regression's error that `check` holds.
    """

    name: ClassVar[str] = "kernel_shap"
    title: ClassVar[str] = "KernelSHAP"

    def _values(self, scores: Scores, count: int, rows: int) -> Tensor:
        from captum.attr import KernelShap as Captums

        return _asked_of(Captums(scores), count, rows, self.samples)


@register
@dataclass(frozen=True)
class Lime(_Captums):
    """Coefficients of a sparse linear model of the score near the input, in which random features are absent (LIME).

    They do not add up to the score. Each feature is absent in half of the samples; these count by their cosine similarity
    to the input, through a kernel of width 1.
    Attributes beside those of all three: penalty, the weight of the lasso's penalty.
    Source: Ribeiro, Singh & Guestrin 2016, arXiv:1602.04938, algorithm 1; computed by Captum.
    """

    name: ClassVar[str] = "lime"
    title: ClassVar[str] = "LIME"
    adds_up: ClassVar[bool] = False

    penalty: float = 0.01

    def _values(self, scores: Scores, count: int, rows: int) -> Tensor:
        from captum._utils.models.linear_model import SkLearnLasso
        from captum.attr import Lime as Captums

        return _asked_of(
            Captums(scores, interpretable_model=SkLearnLasso(alpha=self.penalty)), count, rows, self.samples
        )


@register
@dataclass(frozen=True)
class ShapleySampling(_Captums):
    """Shapley values: what a feature adds to those before it, the mean over random orders of features.

    Source: Castro, Gomez & Tejada 2009, doi:10.1016/j.cor.2008.04.004; Strumbelj & Kononenko 2010, JMLR 11; by Captum.
    Check: sum(attribution) = F(inputs) - F(baseline), for every order by itself.
    """

    name: ClassVar[str] = "shapley_sampling"
    title: ClassVar[str] = "Sampled Shapley values"

    samples: int = 25

    def _values(self, scores: Scores, count: int, rows: int) -> Tensor:
        from captum.attr import ShapleyValueSampling

        return _asked_of(ShapleyValueSampling(scores), count, rows, self.samples)


def _asked_of(method: Any, count: int, rows: int, samples: int) -> Tensor:
    """Captum's answer on the features as its input: 1 where one is there, 0 at its baseline."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Captum's own, of its own options
        found: Tensor = method.attribute(
            torch.ones(1, count), baselines=0.0, n_samples=samples, perturbations_per_eval=rows
        )
    return found[0]
