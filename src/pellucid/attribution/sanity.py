"""Does a map depend on what the model has learned? The weights are randomised from the output on, and maps compared."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from pellucid.attribution.attribute import attribute
from pellucid.attribution.layers import traced
from pellucid.attribution.methods import Method, method_of
from pellucid.attribution.targets import Target, class_index
from pellucid.attribution.trees import detached
from pellucid.attribution.verdict import Judged, Ranks, judged
from pellucid.capture import Session, as_logits, logits_of, unwrapped
from pellucid.errors import MethodError, OptionError
from pellucid.graph.dataflow import tensors_in
from pellucid.types import Tree

ROUNDS = 8


@dataclass(frozen=True)
class Sanity:
    """Rank correlations of a map with the same map after the weights were randomised, step by step.

    Attributes:
        method: its name.
        modules: whose parameters were randomised at each step, those of earlier steps staying random.
        correlations: float64[step batch], Spearman's, of the map of the input; NaN where one of the maps is constant.
        random: float64[round batch], the same with the maps of several wholly random models; the first is the last step.
        judged: what these say of the method.
    """

    method: str
    modules: tuple[str, ...]
    correlations: Tensor
    random: Tensor
    judged: Judged

    @property
    def fails(self) -> bool:
        """Whether maps of wholly random models surely correlate above 0.5, and above chance: they show the input."""
        return self.judged.verdict == "fails"


def sanity(
    model: nn.Module,
    inputs: Tree,
    target: Target,
    method: str | Method = "saliency",
    layers: Sequence[str] | None = None,
    seed: int = 0,
    rounds: int = ROUNDS,
) -> Sanity:
    """Cascading randomisation of the weights, from the module that ran last to the first; the model is left as it was.

    Each parameter is drawn anew from a normal distribution with its own mean and standard deviation, so that
    activations keep their size. "prediction" stays the class that the trained model predicts.

    Args:
        model: as in `attribute`.
        inputs: as in `attribute`.
        target: as in `attribute`.
        method: whose map of the input is compared.
        layers: as in `attribute`.
        seed: of the random weights; the global random state is not touched.
        rounds: wholly random models that the verdict is of, 2 or more.

    Raises: OptionError. MethodError: the model has no parameters, or the method gives no map of the input.
    Source: Adebayo et al. 2018, arXiv:1810.03292, section 3.1.
    """
    if rounds < 2:
        raise OptionError(
            f"The sanity check draws 2 or more random models, to say how sure it is; got rounds={rounds}."
        )
    chosen = method_of(method)
    order, outputs = _order(model, inputs)
    if not order:
        raise MethodError("The sanity check randomises parameters; this model has none.")
    fixed: Any = target
    if isinstance(target, str):
        fixed = class_index(as_logits(logits_of(outputs)), target)

    graph = traced(model, detached(inputs))  # the same whatever the weights
    known = graph if graph.error is None else None

    def ranks() -> Ranks:
        map_ = attribute(model, inputs, fixed, chosen, layers, graph=known).input
        if next(tensors_in(map_), None) is None:
            raise MethodError(f"The sanity check compares maps of the input, and {chosen.title} gives none here.")
        return Ranks(map_)

    before = ranks()
    modules = dict(unwrapped(model).named_modules())
    generator = torch.Generator().manual_seed(seed)
    steps: list[Tensor] = []
    randoms: list[Ranks] = []
    with _put_back(model) as trained:
        for name in order:
            for parameter in modules[name].parameters(recurse=False):
                _randomise(parameter, parameter, generator)
            after = ranks()
            steps.append(torch.from_numpy(before.correlations(after)))
        randoms.append(after)
        while len(randoms) < rounds:
            for parameter, values in trained:
                _randomise(parameter, values, generator)
            randoms.append(ranks())
    return Sanity(
        chosen.name,
        tuple(order),
        torch.stack(steps),
        torch.stack([torch.from_numpy(before.correlations(one)) for one in randoms]),
        judged(before, randoms, seed),
    )


def _order(model: nn.Module, inputs: Tree) -> tuple[list[str], Any]:
    """Modules with parameters of their own, the last that ran first, and what the model returned."""
    ran: dict[str, None] = {}
    with Session(model, ()) as session:
        for name, module in session.model.named_modules():
            if next(module.parameters(recurse=False), None) is not None:
                module.register_forward_hook(lambda *_, name=name: ran.update({name: None}))
        outputs = session.forward(inputs).outputs
    return list(reversed(ran)), outputs


@contextmanager
def _put_back(model: nn.Module) -> Iterator[list[tuple[nn.Parameter, Tensor]]]:
    kept = [(parameter, parameter.detach().clone()) for parameter in model.parameters()]
    try:
        yield kept
    finally:
        with torch.no_grad():
            for parameter, values in kept:
                parameter.copy_(values)


def _randomise(parameter: nn.Parameter, like: Tensor, generator: torch.Generator) -> None:
    """Draws a parameter anew, with the mean and deviation of the trained one."""
    if not parameter.is_floating_point() or parameter.numel() < 2:
        return
    drawn = torch.randn(parameter.shape, generator=generator, dtype=torch.float32).to(parameter)
    with torch.no_grad():
        parameter.copy_(drawn * like.std() + like.mean())
