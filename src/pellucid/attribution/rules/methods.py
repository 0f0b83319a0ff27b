"""The five methods with rules, as `pellucid.attribute` takes them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal

import torch
from torch import Tensor

from pellucid.attribution.layers import embeddings, traced
from pellucid.attribution.lookups import LookUps
from pellucid.attribution.methods import Cost, Maps, Method, Problem, register
from pellucid.attribution.rows import by_example
from pellucid.attribution.rules.lrp import Lrp, LrpOptions
from pellucid.attribution.rules.mode import RuledBackward
from pellucid.attribution.rules.rectifiers import Rectifiers, deconvnet, guided_backprop
from pellucid.attribution.trees import numbered
from pellucid.capture import unwrapped
from pellucid.capture.trees import along, batch_size
from pellucid.errors import MethodError, OptionError
from pellucid.graph.dataflow import tensors_in
from pellucid.types import Layer


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
    look_ups = LookUps(problem.model)
    tables = _tables(problem, look_ups)
    with problem.view((*problem.layers, *tables)) as view:
        seen = view.explain(problem.inputs, within=RuledBackward(unwrapped(problem.model), Lrp(options), look_ups))
    scores, reads = _scores(seen.scores), look_ups.reads(problem.inputs)
    # Token ids carry no relevance of their own: theirs is that of the embedding's rows that they look up.
    read_by = {
        number: read.upright((seen.gradients[read.look_up.name] * read.look_up.output).sum(-1))
        for number, read in reads.items()
        if read.look_up.name in seen.gradients
    }
    whole = along(
        lambda value, c, read: read if c is None else c * value.to(c.device),
        problem.inputs,
        seen.input_gradients,
        numbered(problem.inputs, lambda number, _: read_by.get(number)),
    )
    shown = by_example(seen, problem.layers, batch_size(problem.inputs), problem.named)
    asked = {layer.name for layer in problem.layers}
    layers = {name: c * shown.activations[name] for name, c in shown.gradients.items() if name in asked}
    found = [
        relevance.reshape(len(scores), -1).sum(1)
        for relevance in tensors_in(whole)
        if relevance.ndim and len(relevance) == len(scores)
    ]
    check = torch.stack(found).sum(0) - scores if found else None
    told = look_ups.missed(problem.inputs, reads) if read_by else ()
    return Maps(whole, layers, scores, view.passes, check, warnings=(*told, *shown.warnings))


def _tables(problem: Problem, look_ups: LookUps) -> tuple[Layer, ...]:
    """The calls of embeddings beside the problem's layers, where an input may be of ids."""
    ids = any(not (leaf.is_floating_point() or leaf.is_complex()) for leaf in tensors_in(problem.inputs))
    if not ids or not look_ups.tables:
        return ()
    known = {layer.name for layer in problem.layers}
    graph = problem.graph or traced(problem.model, problem.inputs)
    return tuple(layer for layer in embeddings(problem.model, graph) if layer.name not in known)


def _scores(scores: Tensor | None) -> Tensor:
    if scores is None:
        raise MethodError("No score was computed.")
    return scores
