"""KernelSHAP, LIME and sampled Shapley values, computed by Captum on features that are there or not."""

from __future__ import annotations

import warnings
from abc import abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar

import torch
from torch import Tensor

from pellucid.attribution.asked import Asked, StoppedError
from pellucid.attribution.features import Features
from pellucid.attribution.methods import Cost, Maps, Method, Problem, register
from pellucid.attribution.surrogates import Taken, averaged, lime_regression, regressed, shapley_regression
from pellucid.errors import MethodError, MissingExtraError, OptionError

Scores = Callable[[Tensor], Tensor]
"""From float[copies feature], 1 where a feature is there and 0 where it is not, to one score a copy."""


@dataclass(frozen=True)
class _Captums(Method):
    """One number a feature, spread over the feature's numbers in equal parts.

    Its standard error is that of the samples: another seed gives another map, as far away as the error says.

    Attributes:
        of: what a sample is.
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
    of: ClassVar[str] = "sets of features"

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
        """Maps of the one input, with their standard error.

        Raises: MissingExtraError: Captum is not installed. MethodError. OptionError.
        """
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
        with problem.view() as view:
            scores = view.scores(problem.inputs)
            asked = Asked(self, problem, view, features)
            asked.notes.extend(features.notes)
            asked.compare(scores)
            for example in range(examples):
                asked.begin(example)
                with torch.random.fork_rng([view.device] if view.device.type == "cuda" else []):
                    torch.manual_seed(self.seed)
                    try:
                        asked.end(self._values(asked.scores, features.count, asked.rows, asked.taken))
                    except StoppedError:
                        asked.end(None)
                        if asked.done < asked.total:
                            asked.notes.append(f"Stopped after {asked.done} of {asked.total} {self.of}.")
                        break
            check = None
            if self.adds_up:
                nothing = torch.zeros(1, features.count)
                beginning = torch.stack([asked.answered(one, nothing)[0] for one in range(examples)])
                check = asked.found.sum(1) - (scores - beginning.to(scores)).double().cpu()
            view.passes.add(features.passes)
        return Maps(asked.map(), {}, scores, view.passes, check=check, error=asked.error(), warnings=tuple(asked.notes))

    @abstractmethod
    def _values(self, scores: Scores, count: int, rows: int, taken: Taken) -> Tensor:
        """One number a feature, of one example."""

    @abstractmethod
    def estimate(self, taken: Taken, count: int) -> tuple[Tensor, Tensor]:
        """One number a feature from what was taken so far, and its standard error: float64[feature], NaN where unknown."""

    def done(self, taken: Taken) -> int:
        """Samples that are finished."""
        return taken.count


@register
@dataclass(frozen=True)
class KernelShap(_Captums):
    """Shapley values by a weighted linear regression on sets of features (KernelSHAP).

    Source: Lundberg & Lee 2017, arXiv:1705.07874, theorem 2; computed by Captum.
    Check: sum(attribution) = F(inputs) - F(baseline), up to the regression's error that `check` holds.
    """

    name: ClassVar[str] = "kernel_shap"
    title: ClassVar[str] = "KernelSHAP"

    def _values(self, scores: Scores, count: int, rows: int, taken: Taken) -> Tensor:
        from captum.attr import KernelShap as Captums

        return _asked_of(Captums(scores), count, rows, self.samples)

    def estimate(self, taken: Taken, count: int) -> tuple[Tensor, Tensor]:
        """The same regression on the samples so far, the whole and the empty input first."""
        return regressed(shapley_regression, taken, count, fixed=2, least=count)


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

    def _values(self, scores: Scores, count: int, rows: int, taken: Taken) -> Tensor:
        from captum._utils.models.linear_model import SkLearnLasso
        from captum.attr import Lime as Captums

        return _asked_of(
            Captums(scores, interpretable_model=SkLearnLasso(alpha=self.penalty)), count, rows, self.samples
        )

    def estimate(self, taken: Taken, count: int) -> tuple[Tensor, Tensor]:
        """The same lasso on the samples so far."""
        return regressed(lime_regression(self.penalty), taken, count, fixed=0, least=2)


@register
@dataclass(frozen=True)
class ShapleySampling(_Captums):
    """Shapley values: what a feature adds to those before it, the mean over random orders of features.

    Source: Castro, Gomez & Tejada 2009, doi:10.1016/j.cor.2008.04.004; Strumbelj & Kononenko 2010, JMLR 11; by Captum.
    Check: sum(attribution) = F(inputs) - F(baseline), for every order by itself.
    """

    name: ClassVar[str] = "shapley_sampling"
    title: ClassVar[str] = "Sampled Shapley values"
    of: ClassVar[str] = "orders of features"

    samples: int = 25

    def _values(self, scores: Scores, count: int, rows: int, taken: Taken) -> Tensor:
        from captum.attr import ShapleyValueSampling

        captums = ShapleyValueSampling(scores)
        for _ in range(self.samples):  # one by one, for their spread is the error
            taken.orders.append(_asked_of(captums, count, rows, 1).double().cpu())
        return averaged(taken, count)[0]

    def estimate(self, taken: Taken, count: int) -> tuple[Tensor, Tensor]:
        """The mean over whole orders so far."""
        return averaged(taken, count)

    def done(self, taken: Taken) -> int:
        """Whole orders."""
        return len(taken.orders)


def _asked_of(method: Any, count: int, rows: int, samples: int) -> Tensor:
    """Captum's answer on the features as its input: 1 where one is there, 0 at its baseline."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Captum's own, of its own options
        found: Tensor = method.attribute(
            torch.ones(1, count), baselines=0.0, n_samples=samples, perturbations_per_eval=rows
        )
    return found[0]
