"""Integrated gradients: the gradient along the way from a baseline to the input, with the completeness residual."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar, Literal

import numpy as np
import torch
from torch import Tensor

from pellucid.attribution.batches import Copies
from pellucid.attribution.methods import Cost, Maps, Method, Problem, View, register
from pellucid.attribution.trees import examples_in, floating, leafwise, merged, per_example
from pellucid.errors import MethodError, OptionError
from pellucid.graph.dataflow import tensors_in


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

    Source: Sundararajan, Taly & Yan 2017, arXiv:1703.01365, eq. 1.
    Check: sum(attribution) = F(inputs) - F(baseline), up to the residual that `check` holds.
    """

    name: ClassVar[str] = "integrated_gradients"
    title: ClassVar[str] = "Integrated gradients"
    cost: ClassVar[Cost] = "passes"
    explains_layers: ClassVar[bool] = False

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

    def explain(self, problem: Problem) -> Maps:
        """Maps of the inputs, the residual in `check`. Raises: MethodError: no input is of numbers. OptionError."""
        leaves = floating(problem.inputs)
        if next(tensors_in(leaves), None) is None:
            raise MethodError(
                "Integrated gradients need an input of numbers, between which and a baseline there is a way; the inputs of "
                "this model are integers. For text: token_gradients."
            )
        start = self._start(problem.inputs, leaves)
        with problem.view() as view:
            scores = view.scores(problem.inputs)
            rows = torch.arange(examples_in(problem.inputs))
            beginning = view.scores(merged(start, problem.inputs), rows, len(rows))
            change = (scores - beginning).double()
            steps = self.steps
            warnings: tuple[str, ...]
            while True:
                found, warnings, whole = self._attempt(problem, view, leaves, start, steps)
                residual = per_example(found).to(change.device) - change
                enough = residual.abs() <= self.tolerance * change.abs() + 1e-6 * scores.double().abs()
                if bool(enough.all()) or steps * 2 > self.limit or not whole:
                    break
                steps *= 2
        if not bool(enough.all()):
            worst = float((residual.abs() / change.abs().clamp_min(1e-12)).max())
            warnings = (
                *warnings,
                f"Integrated gradients do not add up after {steps} steps: the residual is up to {worst:.1%} of the "
                "difference from the baseline. Raise limit.",
            )
        found = leafwise(lambda leaf, like: leaf.to(like.dtype), found, problem.inputs)
        return Maps(found, {}, scores, view.passes, check=residual, warnings=warnings)

    def _attempt(
        self, problem: Problem, view: View, leaves: Any, start: Any, steps: int
    ) -> tuple[Any, tuple[str, ...], bool]:
        """The integral with so many nodes, what went wrong, and whether it was finished."""
        places, weights = _nodes(self.nodes, steps)
        examples = examples_in(problem.inputs)
        way = leafwise(lambda leaf, first: leaf.double() - first.double(), leaves, start)
        sums = [torch.zeros_like(leaf, device=view.device) for leaf in tensors_in(way)]
        copies = Copies(problem, self.name, steps, self.batch_size)

        def vary(tree: Any, rows: Tensor, numbers: Tensor) -> Any:
            def between(leaf: Tensor, first: Tensor) -> Tensor:
                part = places[numbers].to(leaf).reshape(-1, *(1,) * (leaf.ndim - 1))
                begun = first[rows.to(first.device)]
                return begun + part * (leaf - begun)

            return merged(leafwise(lambda first, leaf: between(leaf, first), start, tree), tree)

        def gradients(tree: Any, rows: Tensor, numbers: Tensor) -> Any:
            return view.explain(tree, rows, examples).input_gradients

        def estimate() -> Any:
            left = iter(sums)
            return leafwise(lambda one, _: one.to(view.device) * next(left), way, way)

        for found, rows, numbers in copies.run(view, vary, gradients, estimate):
            for total, gradient in zip(sums, tensors_in(found), strict=True):
                part = weights[numbers].to(total).reshape(-1, *(1,) * (gradient.ndim - 1))
                total.index_add_(0, rows.to(total.device), gradient.double() * part)
        return estimate(), tuple(copies.warnings), copies.done == steps

    def _start(self, inputs: Any, leaves: Any) -> Any:
        given = self.baseline(inputs) if callable(self.baseline) else self.baseline
        if given is None:
            return leafwise(lambda leaf, _: torch.zeros_like(leaf), leaves, leaves)
        try:
            return leafwise(lambda leaf, one: torch.as_tensor(one).to(leaf).expand_as(leaf), leaves, given)
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
