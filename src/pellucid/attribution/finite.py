"""Where numbers stop being finite: said in words of every map that has some that are not."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress

import torch
from torch import Tensor

from pellucid.attribution.methods import Maps, Problem
from pellucid.capture import Session
from pellucid.errors import LayerError, PellucidError
from pellucid.graph import Graph
from pellucid.graph.dataflow import tensors_in
from pellucid.types import Layer, Passes


def explained(problem: Problem, maps: Maps, graph: Callable[[], Graph]) -> tuple[tuple[str, ...], Passes]:
    """What to warn of beside the method's own warnings, and what it cost to find out: nothing where all is finite.

    Args:
        problem: of the call.
        maps: what a method has found.
        graph: the model's; asked for only where something is not finite.
    """
    nothing = Passes()
    if all(map(_finite, (maps.scores, *tensors_in(maps.input)))):
        return (), nothing
    known = any("NaN or infinite" in warning or warning.startswith("Stopped") for warning in maps.warnings)
    if known and _finite(maps.scores):
        return (), nothing
    if not all(map(_finite, tensors_in(problem.inputs))):
        return ("The inputs hold NaN or infinite numbers, and so do scores or maps.",), nothing
    passes = Passes()
    try:
        name = _begins(problem, graph(), passes)
        if name is not None:
            return (f"The activation is NaN or infinite from layer '{name}' on towards the score.",), passes
        with problem.view(graph().layers) as view:
            seen = view.explain(problem.inputs)
    except PellucidError:  # a model without gradients, say: what is known is said without the layer
        return ("Scores or maps hold NaN or infinite numbers.",), passes
    passes.add(view.passes)
    if seen.warnings:
        return seen.warnings, passes
    if not all(map(_finite, tensors_in(seen.input_gradients))):
        return (f"The gradient is NaN or infinite between the inputs and layer '{graph().layers[0].name}'.",), passes
    return ("The map holds NaN or infinite numbers, though score and gradient of the inputs do not.",), passes


def _begins(problem: Problem, graph: Graph, passes: Passes) -> str | None:
    """The first call whose output is not finite: of all that can be captured, a convolution before its activation as well.

    Costs one forward, which keeps one truth value a call.
    """
    calls = []
    for name in graph.by_name:
        with suppress(LayerError):  # what gives no batch of numbers
            calls.append(graph.layer(name))
    with Session(problem.model, calls) as session:
        seen = session.forward(problem.inputs, {"finite": _is_finite})
    passes.add(session.passes)
    # In the order in which they ended: what is inside a module before the module.
    return next((name for name, found in seen.summaries.items() if not bool(found["finite"]["all"])), None)


def _is_finite(output: Tensor, _: Layer) -> dict[str, Tensor]:
    return {"all": torch.tensor(_finite(output))}


def _finite(values: Tensor) -> bool:
    if not values.is_floating_point():
        return True
    # A sum that is finite has finite parts only; one that is not may have run over.
    return bool(torch.isfinite(values.sum())) or bool(torch.isfinite(values).all())
