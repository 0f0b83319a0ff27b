"""Integrated gradients: the gradient along the way from a baseline to the input, with the completeness residual."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Literal

import numpy as np
import torch
from torch import Tensor

from pellucid.attribution.batches import Copies
from pellucid.attribution.conductance import Conductance
from pellucid.attribution.embedded import embeddings, given_by
from pellucid.attribution.masks import of_numbers
from pellucid.attribution.methods import Cost, Maps, Method, Problem, View, register
from pellucid.attribution.straight import Way
from pellucid.attribution.trees import per_example
from pellucid.capture.trees import along, batch_size
from pellucid.errors import OptionError
from pellucid.graph.dataflow import tensors_in

if TYPE_CHECKING:
    from pellucid.capture import Captured


# From so many steps on, a residual that twice of them do not make smaller than this part of it does not go away with more.
_MANY, _FALLS = 64, 0.8


@register
@dataclass(frozen=True)
class IntegratedGradients(Method):
    """(x - baseline) times the mean gradient on the straight way from the baseline to x.

    Attributes:
        steps: nodes of the first attempt; doubled until the residual is below `tolerance` or `limit` is reached.
        baseline: None for zeros, a tree like the inputs (or one that broadcasts to them), or a function from the
            inputs to such a tree.
        nodes: "gauss" (Gauss-Legendre, exact for polynomials) or "midpoint" (better where the way crosses many kinks).
        tolerance: allowed |residual|, as a part of |F(x) - F(baseline)|.
        limit: most steps of one attempt.
        batch_size: rows at a time; None for the size that is best on the device.

    Layers that are named get their conductance along the same way: what flows through each unit. Of token ids the way is in
    the space of the embedding that they look up, from zeros or from the embedding of the baseline's ids; the embedding is
    then among the layers, and `.input` has the sum over its channels, one number a token.
    Source: Sundararajan, Taly & Yan 2017, arXiv:1703.01365, eq. 1; layers: Dhamdhere et al. 2019, arXiv:1805.12233, eq. 2.
    Check: sum(attribution) = F(inputs) - F(baseline), up to the residual that `check` holds.
    """

    name: ClassVar[str] = "integrated_gradients"
    title: ClassVar[str] = "Integrated gradients"
    cost: ClassVar[Cost] = "passes"
    names_layers: ClassVar[bool] = True

    steps: int = 16
    baseline: Any = None
    nodes: Literal["gauss", "midpoint"] = "gauss"
    tolerance: float = 0.01
    limit: int = 256
    batch_size: int | None = None

    def __post_init__(self) -> None:
        if self.steps < 1 or self.limit < self.steps:
            raise OptionError(f"steps must be 1 or more and limit no less; got steps={self.steps}, limit={self.limit}.")
        if self.nodes not in ("gauss", "midpoint"):
            raise OptionError(f"nodes must be 'gauss' or 'midpoint'; got '{self.nodes}'.")
        if isinstance(self.baseline, str):
            raise OptionError(
                "The baseline is None for zeros, a number, a tensor or a tree like the inputs, or a function from the inputs to "
                f"one of these, such as a blur; it has no names. Got '{self.baseline}'."
            )

    def explain(self, problem: Problem) -> Maps:
        """Maps of the inputs and of the layers that were named, residuals in `check` and `layer_checks`.

        Raises: MethodError: no input is of numbers, and none of ids that an embedding looks up. OptionError.
        """
        way = self._way(problem)
        warnings: tuple[str, ...]
        with problem.view(way.layers) as view:
            scores, ended = way.outputs(view, problem.inputs)
            rows = torch.arange(batch_size(problem.inputs))
            beginning, begun = way.beginning(view, problem.inputs, rows)
            change = (scores - beginning).double()
            steps = self.steps
            missed: float | None = None
            while True:
                before = missed  # by the attempt with half the steps
                found, flows, warnings, whole = self._attempt(problem, view, way, (begun, ended), steps, before)
                residual = per_example(found).to(change.device) - change
                # Examples that depend on each other add up together: each score is also changed by the inputs of the others.
                summed = problem.goal.found.dependent
                off, moved, size = (
                    one.sum(0, keepdim=True) if summed else one for one in (residual, change, scores.double().abs())
                )
                # What is not finite does not become so with more steps.
                sums = torch.isfinite(off)
                enough = ~sums | (off.abs() <= self.tolerance * moved.abs() + 1e-6 * size)
                shares = (off.abs() / moved.abs().clamp_min(1e-12))[sums]
                missed = float(shares.max()) if len(shares) else None
                if bool(enough.all()) or steps * 2 > self.limit or not whole:
                    break
                steps *= 2
        if not bool(enough.all()):
            warnings = (*warnings, _short(steps, missed, before))
        if not bool(sums.all()):
            broken = [
                ("score of the inputs", scores),
                ("score of the baseline", beginning),
                ("gradient somewhere on the way from the baseline", residual),
            ]
            what = next(name for name, values in broken if not bool(torch.isfinite(values).all()))
            warnings = (*warnings, f"Integrated gradients cannot add up: the {what} is not finite.")
        if way.embeddings:
            view.passes.add(way.embeddings[0].passes)
        return Maps(
            way.on_input(found),
            {name: one.to(ended[name].dtype) for name, one in flows.items()},
            scores,
            view.passes,
            check=residual,
            warnings=(*way.warnings, *warnings),
            layer_checks={name: per_example(one).to(change.device) - change for name, one in flows.items()},
        )

    def _attempt(
        self,
        problem: Problem,
        view: View,
        way: Way,
        ends: tuple[dict[str, Tensor], dict[str, Tensor]],
        steps: int,
        missed: float | None,
    ) -> tuple[Any, dict[str, Tensor], tuple[str, ...], bool]:
        """The integral with so many nodes, of inputs and of layers, what went wrong, and whether it was finished."""
        places, weights = _nodes(self.nodes, steps)
        examples = batch_size(problem.inputs)
        length = along(lambda leaf, first: leaf.double() - first.double(), way.leaves, way.start)
        sums = [torch.zeros_like(leaf, device=view.device) for leaf in tensors_in(length)]
        flows = Conductance(*ends, places, weights)
        copies = Copies(problem, self.name, steps, self.batch_size)

        def work(tree: Any, rows: Tensor, numbers: Tensor) -> tuple[Captured, list[Tensor]]:
            return way.explained(view, tree, rows, places[numbers], examples)

        def estimate() -> Any:
            left = iter(sums)
            return way.on_input(along(lambda one: one.to(view.device) * next(left), length))

        for (seen, gradients), rows, numbers in copies.run(view, lambda tree, *_: tree, work, estimate, lambda: missed):
            for total, gradient in zip(sums, gradients, strict=True):
                part = weights[numbers].to(total).reshape(-1, *(1,) * (gradient.ndim - 1))
                total.index_add_(0, rows.to(total.device), gradient.double() * part)
            flows.add(seen.activations, seen.gradients, rows, numbers)
        left = iter(sums)
        found = along(lambda one: one.to(view.device) * next(left), length)
        named = {layer.name for layer in problem.layers}
        wanted = {name: one for name, one in flows.sums.items() if name in named or way.embeddings}
        return found, wanted, tuple(copies.warnings), copies.done == steps

    def _way(self, problem: Problem) -> Way:
        leaves = of_numbers(problem.inputs, problem.model)
        if next(tensors_in(leaves), None) is not None:
            return Way(problem.model, leaves, self._start(problem.inputs, leaves), problem.layers)
        outputs, found, warnings = embeddings(problem, "Integrated gradients need a way from a baseline to the input")
        left = iter(found)

        def looked_up(ids: Any, output: Tensor) -> Tensor:
            table = next(left).read.look_up.table
            ids = torch.as_tensor(ids, device=table.weight.device)
            return ids.to(output) if ids.is_floating_point() else given_by(table, ids.long())

        given = self.baseline(problem.inputs) if callable(self.baseline) else self.baseline
        try:
            start = None if given is None else along(lambda output, ids: looked_up(ids, output), outputs, given)
        except (IndexError, RuntimeError, TypeError, ValueError, KeyError) as error:
            raise OptionError(
                f"The baseline of token ids is ids like them, or numbers like what their embedding gives: {error}."
            ) from error
        named = {layer.name for layer in problem.layers}
        extra = tuple(one.layer for one in found if one.name not in named)
        begun, layers = self._begun(start, outputs), (*extra, *problem.layers)
        return Way(problem.model, outputs, begun, layers, tuple(found), warnings)

    def _start(self, inputs: Any, leaves: Any) -> Any:
        return self._begun(self.baseline(inputs) if callable(self.baseline) else self.baseline, leaves)

    def _begun(self, given: Any, leaves: Any) -> Any:
        if given is None:
            return along(torch.zeros_like, leaves)
        try:
            return along(lambda leaf, one: torch.as_tensor(one).to(leaf).expand_as(leaf), leaves, given)
        except (RuntimeError, TypeError, ValueError, KeyError, IndexError) as error:
            raise OptionError(
                f"The baseline must be a tree like the inputs, or broadcast to them: {error}. Inputs: "
                f"{[tuple(leaf.shape) for leaf in tensors_in(leaves)]}."
            ) from error


def _nodes(kind: str, steps: int) -> tuple[Tensor, Tensor]:
    """Places in (0, 1) and weights that sum to 1."""
    if kind == "midpoint":
        return (torch.arange(steps, dtype=torch.float64) + 0.5) / steps, torch.full((steps,), 1 / steps).double()
    places, weights = np.polynomial.legendre.leggauss(steps)
    return torch.as_tensor((places + 1) / 2), torch.as_tensor(weights / 2)


def _short(steps: int, missed: float | None, before: float | None) -> str:
    """What to do where the integral does not add up: more steps help only where they have."""
    words = (
        f"Integrated gradients do not add up after {steps} steps: the residual is up to {missed:.1%} of the difference from the "
        "baseline"
    )
    if before is None or missed is None or steps < _MANY or missed < _FALLS * before:
        return f"{words}. Raise limit."
    return (
        f"{words}, after {steps // 2} steps it was {before:.1%}. More of them are no remedy where the score jumps on the way (hard "
        "routing, rounding), changes from forward to forward, or moves close to the baseline alone, as behind a normalisation of "
        "zeros; another baseline may be one."
    )
