"""Does a map depend on what the model has learned? The weights are randomised from the output on, and maps compared."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from pellucid.attribution.attribute import attribute
from pellucid.attribution.methods import Method, method_of
from pellucid.attribution.targets import Target, class_index
from pellucid.capture import Session, as_logits, logits_of, unwrapped
from pellucid.errors import MethodError
from pellucid.graph.dataflow import tensors_in
from pellucid.types import Tree

FAILS_ABOVE = 0.5


@dataclass(frozen=True)
class Sanity:
    """Rank correlations of a map with the same map after the weights were randomised, step by step.

    Attributes:
        method: its name.
        modules: whose parameters were randomised at each step, those of earlier steps staying random.
        correlations: float64[step batch], Spearman's, of the map of the input; NaN where one of the maps is constant.
    """

    method: str
    modules: tuple[str, ...]
    correlations: Tensor

    @property
    def fails(self) -> bool:
        """Whether the map of a wholly random model still correlates above 0.5: it then shows the input, not the model."""
        last = self.correlations[-1]
        last = last[torch.isfinite(last)]
        return bool(len(last)) and float(last.abs().mean()) > FAILS_ABOVE


def sanity(
    model: nn.Module,
    inputs: Tree,
    target: Target,
    method: str | Method = "saliency",
    layers: Sequence[str] | None = None,
    seed: int = 0,
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

    Raises: MethodError: the model has no parameters, or the method gives no map of the input.
    Source: Adebayo et al. 2018, arXiv:1810.03292, section 3.1.
    """
    chosen = method_of(method)
    order, outputs = _order(model, inputs)
    if not order:
        raise MethodError("The sanity check randomises parameters; this model has none.")
    fixed: Any = target
    if isinstance(target, str):
        fixed = class_index(as_logits(logits_of(outputs)), target)
    before = _flat(attribute(model, inputs, fixed, chosen, layers).input, chosen)
    modules = dict(unwrapped(model).named_modules())
    generator = torch.Generator().manual_seed(seed)
    found = []
    with _put_back(model):
        for name in order:
            for parameter in modules[name].parameters(recurse=False):
                _randomise(parameter, generator)
            found.append(_correlations(before, _flat(attribute(model, inputs, fixed, chosen, layers).input, chosen)))
    return Sanity(chosen.name, tuple(order), torch.as_tensor(np.stack(found)))


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
def _put_back(model: nn.Module) -> Iterator[None]:
    kept = [(parameter, parameter.detach().clone()) for parameter in model.parameters()]
    try:
        yield
    finally:
        with torch.no_grad():
            for parameter, values in kept:
                parameter.copy_(values)


def _randomise(parameter: nn.Parameter, generator: torch.Generator) -> None:
    if not parameter.is_floating_point() or parameter.numel() < 2:
        return
    drawn = torch.randn(parameter.shape, generator=generator, dtype=torch.float32).to(parameter)
    with torch.no_grad():
        parameter.copy_(drawn * parameter.std() + parameter.mean())


def _flat(maps: Any, method: Method) -> np.ndarray[Any, np.dtype[np.float64]]:
    leaves = [leaf.detach().double().cpu().flatten(1) for leaf in tensors_in(maps)]
    if not leaves:
        raise MethodError(f"The sanity check compares maps of the input, and {method.title} gives none here.")
    joined: np.ndarray[Any, np.dtype[np.float64]] = torch.cat(leaves, dim=1).numpy()
    return joined


def _correlations(
    before: np.ndarray[Any, np.dtype[np.float64]], after: np.ndarray[Any, np.dtype[np.float64]]
) -> np.ndarray[Any, np.dtype[np.float64]]:
    from scipy.stats import rankdata

    found = np.full(len(before), np.nan)
    for row, (first, second) in enumerate(zip(before, after, strict=True)):
        if np.isfinite(first).all() and np.isfinite(second).all() and np.ptp(first) > 0 and np.ptp(second) > 0:
            found[row] = np.corrcoef(rankdata(first), rankdata(second))[0, 1]
    return found
