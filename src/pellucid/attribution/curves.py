"""Deletion and insertion: how fast the score falls, or rises, as the positions that a map ranks first go, or come."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from pellucid.attribution.batches import Copies
from pellucid.attribution.methods import Problem
from pellucid.attribution.perturbed import changed, covered
from pellucid.attribution.positions import on_axes, position_axes
from pellucid.attribution.targets import Goal, Target, Unit, class_index
from pellucid.attribution.trees import detached
from pellucid.capture import Session, as_logits, kind_of, log_scores, logits_of, whole_graph
from pellucid.errors import OptionError
from pellucid.types import OutputKind, Tree


@dataclass(frozen=True)
class Curve:
    """The score as a function of how much of the input is gone, or there.

    Attributes:
        fractions: float64[step], 0 to 1, of the positions.
        scores: float64[batch step].
        area: float64[batch], under the curve by trapezoids: small is good for deletion, large for insertion.
        warnings: in words.
    """

    fractions: Tensor
    scores: Tensor
    area: Tensor
    warnings: tuple[str, ...] = ()


def deletion(
    model: nn.Module, inputs: Tree, target: Target, ranking: Tensor, steps: int = 32, fill: float | Tensor = 0.0
) -> Curve:
    """Positions are filled, the highest of the map first.

    Args:
        model: as in `attribute`; left as it was.
        inputs: as in `attribute`, with one leaf of numbers, or token ids (of several that are looked up those of the words).
        target: of a class the curve is of its probability (the softmax, or the output where outputs are probabilities); of a
            function or a unit, of its value.
        ranking: a map of the input in its shape (channels are added up) or float[batch *positions]. Of an input of three axes
            the model tells which one counts positions, unless the map has one number a place of one axis alone:
            float[batch step 1] ranks the second axis, float[batch 1 position] the last.
        steps: equal parts of the positions, a forward an example each.
        fill: what takes the place of values: a number, or a tensor that broadcasts to the input (a blurred copy);
            of token ids an id.

    Raises: OptionError: the map does not have the input's positions. MethodError: nothing tells which axis counts them.
    Source: Petsiuk, Das & Saenko 2018, arXiv:1806.07421, section 4.2 (deletion and insertion).
    """
    return _curve(model, inputs, target, ranking, steps, fill, insert=False)


def insertion(
    model: nn.Module, inputs: Tree, target: Target, ranking: Tensor, steps: int = 32, fill: float | Tensor = 0.0
) -> Curve:
    """Positions come back into a filled input, the highest of the map first; arguments as of `deletion`."""
    return _curve(model, inputs, target, ranking, steps, fill, insert=True)


def _curve(
    model: nn.Module, inputs: Tree, target: Target, ranking: Tensor, steps: int, fill: float | Tensor, *, insert: bool
) -> Curve:
    if steps < 1:
        raise OptionError(f"steps must be 1 or more; got {steps}.")
    problem = Problem(model, detached(inputs), _goal(model, inputs, target))
    leaves, leaf, _, notes = covered(problem, "A deletion or insertion curve", fill)
    axes = _axes(problem, ranking, leaf)
    order = _order(ranking, leaf, axes)
    rank = order.argsort(dim=1)  # of each position
    positions = order.shape[1]
    counts = torch.linspace(0, positions, steps + 1, dtype=torch.float64).round().long()
    filling = torch.as_tensor(fill).to(leaf).expand_as(leaf)
    copies = Copies(problem, "insertion" if insert else "deletion", steps + 1)
    table = torch.full((len(leaf), steps + 1), torch.nan, dtype=torch.float64)

    def vary(tree: Any, rows: Tensor, numbers: Tensor) -> Any:
        first = on_axes(rank[rows] < counts[numbers][:, None], leaf, axes)
        shown = first if insert else ~first

        def mixed(one: Tensor) -> Tensor:
            return torch.where(shown.to(one.device), one, filling[rows].to(one))

        return changed(tree, mixed, leaves)

    with problem.view() as view:
        for found, rows, numbers in copies.run(
            view, vary, lambda tree, rows, numbers: view.scores(tree, rows, len(leaf)), lambda: table
        ):
            table[rows, numbers] = found.double().cpu()
    fractions = counts.double() / positions
    return Curve(fractions, table, torch.trapezoid(table, fractions, dim=1), (*notes, *copies.warnings))


def _axes(problem: Problem, ranking: Tensor, leaf: Tensor) -> tuple[int, ...]:
    """The axes that count positions: those of the map where it has one number a place, else as the model reads them."""
    if leaf.ndim == 3:
        rows, second, last = leaf.shape
        shapes = {1: ((rows, second), (rows, second, 1)), 2: ((rows, last), (rows, 1, last))}
        said = [axis for axis, fitting in shapes.items() if ranking.shape in fitting]
        if len(said) == 1:
            return tuple(said)
        instead = f"Give a map {(rows, second, 1)} to rank the second axis, {(rows, 1, last)} to rank the last."
    else:
        instead = ""
    return position_axes(problem, leaf, "A deletion or insertion curve", instead)


def _order(ranking: Tensor, leaf: Tensor, axes: tuple[int, ...]) -> Tensor:
    """Positions from the highest to the lowest, int64[batch position]; of equal ones the first comes first."""
    wanted = tuple(leaf.shape[axis] for axis in axes)
    values = ranking.detach().cpu().double()
    if values.shape in (leaf.shape, on_axes(torch.empty(len(leaf), *wanted), leaf, axes).shape) and leaf.ndim > 2:
        values = values.sum([axis for axis in range(1, leaf.ndim) if axis not in axes])
    if values.shape != (len(leaf), *wanted):
        raise OptionError(
            f"The map must have the input's positions, {(len(leaf), *wanted)}; got {tuple(ranking.shape)}."
        )
    return values.flatten(1).argsort(dim=1, descending=True, stable=True)


def _goal(model: nn.Module, inputs: Tree, target: Any) -> Goal:
    """The probability of the class that is meant on the whole input; a function or a unit as it is."""
    if isinstance(target, Unit):
        return Goal(target, whole_graph(model, inputs).layer(target.layer))
    if callable(target) and not isinstance(target, Tensor):
        return Goal(target)
    with Session(model, ()) as session:
        given = session.forward(inputs).outputs
    outputs = logits_of(given)
    index = class_index(as_logits(outputs), target)
    # Only where they may be probabilities the graph is needed to tell.
    within = bool(((outputs >= 0) & (outputs <= 1)).all())
    kind: OutputKind = kind_of(given, whole_graph(model, inputs), "classification") if within else "logits"

    def probability(output: Any) -> Tensor:
        return log_scores(logits_of(output), kind, "classification").softmax(1).gather(1, index[:, None])[:, 0]

    return Goal(probability)
