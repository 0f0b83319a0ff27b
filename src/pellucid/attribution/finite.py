"""Where numbers stop being finite: said in words of every map that has some that are not."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from pellucid.attribution.methods import Maps, Problem
from pellucid.errors import PellucidError
from pellucid.graph.dataflow import tensors_in
from pellucid.types import Layer, Passes


def explained(problem: Problem, maps: Maps, layers: Callable[[], Sequence[Layer]]) -> tuple[tuple[str, ...], Passes]:
    """What to warn of beside the method's own warnings, and what it cost to find out: nothing where all is finite.

    Args:
        problem: of the call.
        maps: what a method has found.
        layers: all of the model's, in order; asked for only where something is not finite.
    """
    nothing = Passes()
    if all(map(_finite, (maps.scores, *tensors_in(maps.input)))):
        return (), nothing
    known = any("NaN or infinite" in warning or warning.startswith("Stopped") for warning in maps.warnings)
    if known and _finite(maps.scores):
        return (), nothing
    if not all(map(_finite, tensors_in(problem.inputs))):
        return ("The inputs hold NaN or infinite numbers, and so do scores or maps.",), nothing
    try:
        with problem.view(tuple(layers())) as view:
            seen = view.explain(problem.inputs)
    except PellucidError:  # a model without gradients, say: what is known is said without the layer
        return ("Scores or maps hold NaN or infinite numbers.",), nothing
    name = _first(seen.activations)
    if name is not None:
        return (f"The activation is NaN or infinite from layer '{name}' on towards the score.",), view.passes
    if seen.warnings:
        return seen.warnings, view.passes
    if not all(map(_finite, tensors_in(seen.input_gradients))):
        return (f"The gradient is NaN or infinite between the inputs and layer '{layers()[0].name}'.",), view.passes
    return ("The map holds NaN or infinite numbers, though score and gradient of the inputs do not.",), view.passes


def _first(activations: Mapping[str, Any]) -> str | None:
    return next((name for name, one in activations.items() if not _finite(one)), None)


def _finite(values: Tensor) -> bool:
    if not values.is_floating_point():
        return True
    # A sum that is finite has finite parts only; one that is not may have run over.
    return bool(torch.isfinite(values.sum())) or bool(torch.isfinite(values).all())
