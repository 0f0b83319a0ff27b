"""The five methods with rules, as `pellucid.attribute` takes them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal

import torch
from torch import Tensor

from pellucid.attribution.methods import Cost, Maps, Method, Problem, register
from pellucid.attribution.rules.lrp import Lrp, LrpOptions
from pellucid.attribution.rules.mode import RuledBackward
from pellucid.attribution.rules.rectifiers import Rectifiers, deconvnet, guided_backprop
from pellucid.capture import unwrapped
from pellucid.capture.trees import along
from pellucid.errors import MethodError, OptionError
from pellucid.graph.dataflow import tensors_in


@register
@dataclass(frozen=True)
class GuidedBackprop(Method):
    """The gradient where only what is positive both forward and backward passes a rectifier.

    Maps of the input and of layers are signed, with the shape of what they explain.
    Source: Springenberg et al. 2015, arXiv:1412.6806.
    """

    name: ClassVar[str] = "guided_backprop"
    title: ClassVar[str] = "Guided backpropagation"
    cost: ClassVar[Cost] = "backward"

    def explain(self, problem: Problem) -> Maps:
        """One forward and one backward."""
        return _cut(problem, guided_backprop())


@register
@dataclass(frozen=True)
class Deconvnet(Method):
    """The gradient where what is positive backward passes a rectifier, whatever was forward.

    Source: Zeiler & Fergus 2014, arXiv:1311.2901.
    """

    name: ClassVar[str] = "deconvnet"
    title: ClassVar[str] = "Deconvnet"
    cost: ClassVar[Cost] = "backward"

    def explain(self, problem: Problem) -> Maps:
        """One forward and one backward."""
        return _cut(problem, deconvnet())


@register
@dataclass(frozen=True)
class LrpEpsilon(Method):
    """Relevance shared among inputs in proportion to what each adds, with a stabiliser.

    Attributes:
        epsilon: added to every denominator with its sign, >= 0; 0 is LRP-0.

    Check: sum(relevance) = score, up to what biases and epsilon absorb.
    Source: Bach et al. 2015, doi:10.1371/journal.pone.0130140; attention and normalisation: Achtibat et al. 2024,
        arXiv:2402.05602.
    """

    epsilon: float = 1e-6
    name: ClassVar[str] = "lrp_epsilon"
    title: ClassVar[str] = "LRP-epsilon"
    cost: ClassVar[Cost] = "backward"

    def __post_init__(self) -> None:
        if not self.epsilon >= 0:
            raise OptionError(f"epsilon of LRP must be a number >= 0; got {self.epsilon!r}.")

    def explain(self, problem: Problem) -> Maps:
        """One forward and one backward."""
        return _relevance(problem, LrpOptions("epsilon", self.epsilon))


@register
@dataclass(frozen=True)
class LrpGamma(Method):
    """LRP where contributions of the sign of a unit count more, in convolutions and linear layers.

    Attributes:
        gamma: how much more, >= 0; 0 is LRP-epsilon.
        epsilon: added to every denominator with its sign, > 0.
        dense: "epsilon" keeps linear layers at the epsilon rule.

    Source: Montavon et al. 2019, doi:10.1007/978-3-030-28954-6_10.
    """

    gamma: float = 0.25
    epsilon: float = 1e-6
    dense: Literal["same", "epsilon"] = "same"
    name: ClassVar[str] = "lrp_gamma"
    title: ClassVar[str] = "LRP-gamma"
    cost: ClassVar[Cost] = "backward"

    def __post_init__(self) -> None:
        if not self.gamma >= 0:
            raise OptionError(f"gamma of LRP must be a number >= 0; got {self.gamma!r}.")
        _check(self.epsilon, self.dense)

    def explain(self, problem: Problem) -> Maps:
        """One forward and one backward, whose rule costs up to six products a layer."""
        return _relevance(problem, LrpOptions("gamma", self.epsilon, self.gamma, self.dense))


@register
@dataclass(frozen=True)
class LrpZPlus(Method):
    """LRP where only positive contributions share, in convolutions and linear layers.

    Attributes:
        epsilon: added to every denominator, > 0.
        dense: "epsilon" keeps linear layers at the epsilon rule.

    Source: Montavon et al. 2017, arXiv:1512.02479, eq. 16.
    """

    epsilon: float = 1e-6
    dense: Literal["same", "epsilon"] = "same"
    name: ClassVar[str] = "lrp_z_plus"
    title: ClassVar[str] = "LRP-z-plus"
    cost: ClassVar[Cost] = "backward"

    def __post_init__(self) -> None:
        _check(self.epsilon, self.dense)

    def explain(self, problem: Problem) -> Maps:
        """One forward and one backward."""
        return _relevance(problem, LrpOptions("z_plus", self.epsilon, dense=self.dense))


def _check(epsilon: float, dense: str) -> None:
    if not epsilon > 0:
        raise OptionError(f"epsilon of LRP must be a number > 0 under this rule; got {epsilon!r}.")
    if dense not in ("same", "epsilon"):
        raise OptionError(f"dense of LRP must be 'same' or 'epsilon'; got {dense!r}.")


def _cut(problem: Problem, rules: Rectifiers) -> Maps:
    seen, passes = problem.run(RuledBackward(unwrapped(problem.model), rules))
    return Maps(seen.input_gradients, seen.gradients, _scores(seen.scores), passes, warnings=seen.warnings)


def _relevance(problem: Problem, options: LrpOptions) -> Maps:
    seen, passes = problem.run(RuledBackward(unwrapped(problem.model), Lrp(options)))
    scores = _scores(seen.scores)
    whole = along(lambda c, value: c * value.to(c.device), seen.input_gradients, problem.inputs)
    layers = {name: c * seen.activations[name] for name, c in seen.gradients.items()}
    found = [
        relevance.reshape(len(scores), -1).sum(1)
        for relevance in tensors_in(whole)
        if relevance.ndim and len(relevance) == len(scores)
    ]
    # Token ids carry no relevance of their own: it ends at the embedding, which is a layer.
    check = torch.stack(found).sum(0) - scores if found else None
    return Maps(whole, layers, scores, passes, check, warnings=seen.warnings)


def _scores(scores: Tensor | None) -> Tensor:
    if scores is None:
        raise MethodError("No score was computed.")
    return scores
