"""All examples at once or, where memory does not suffice for their passes, fewer at a time: the maps are joined."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor

from pellucid.attribution.methods import Maps, Problem
from pellucid.attribution.trees import rows_of
from pellucid.capture.memory import for_memory
from pellucid.capture.trees import along, batch_size
from pellucid.errors import ForwardError, MethodError
from pellucid.graph.dataflow import tensors_in
from pellucid.types import Passes

Found = Mapping[str, Maps]
"""Maps by the name of their method."""


def in_parts(problem: Problem, explain: Callable[[Problem], Found]) -> Found:
    """What methods find of a problem's examples: half as many at a time whenever memory does not suffice.

    Args:
        problem: with all examples.
        explain: from a problem to the maps of its examples.

    Raises: MethodError: memory does not suffice for one example, or for all of them and they cannot be taken apart.
    """
    whole = size = batch_size(problem.inputs)
    parts: list[Found] = []
    place = 0
    while place < whole:
        rows = torch.arange(place, min(place + size, whole))
        try:
            parts.append(explain(problem if len(rows) == whole else _part(problem, rows)))
        except (MemoryError, RuntimeError, ForwardError, MethodError) as failure:
            if not for_memory(failure) or "for a single example" in str(failure):
                raise
            if size == 1:
                raise MethodError(
                    "Memory does not suffice for a single example. Give smaller inputs or fewer layers, or free memory."
                ) from failure
            inseparable = _inseparable(problem)
            if inseparable:
                raise MethodError(
                    f"Memory does not suffice for all {whole} examples at once, and {inseparable}. Give fewer examples at a "
                    "time."
                ) from failure
            size = (size + 1) // 2
            continue
        place += len(rows)
    if len(parts) == 1:
        return parts[0]
    note = f"Memory did not suffice for {whole} examples at a time: {size} were used."
    return {name: _joined([part[name] for part in parts], note) for name in parts[0]}


def _inseparable(problem: Problem) -> str:
    """Why some of the examples cannot be explained without the others; empty where they can."""
    if not problem.goal.divisible:
        return "a target that is a function is asked for whole batches only"
    if problem.goal.found.dependent:
        return "their scores depend on each other"
    if len({len(leaf) if leaf.ndim else None for leaf in tensors_in(problem.inputs)}) > 1:
        return "not all inputs have one entry an example"
    return ""


def _part(problem: Problem, rows: Tensor) -> Problem:
    examples = batch_size(problem.inputs)
    return replace(problem, inputs=rows_of(problem.inputs, rows), goal=problem.goal.of(rows, examples))


def _joined(parts: Sequence[Maps], note: str) -> Maps:
    passes = Passes()
    for part in parts:
        passes.add(part.passes)
    checks = [part.check for part in parts if part.check is not None]
    return Maps(
        input=_along_batch([part.input for part in parts]),
        layers=_by_name([part.layers for part in parts]),
        scores=torch.cat([part.scores for part in parts]),
        passes=passes,
        check=torch.cat(checks) if len(checks) == len(parts) else None,
        error=_along_batch([part.error for part in parts]),
        warnings=tuple(dict.fromkeys([*(warning for part in parts for warning in part.warnings), note])),
        layer_checks=_by_name([part.layer_checks for part in parts]),
    )


def _by_name(parts: Sequence[Mapping[str, Tensor]]) -> dict[str, Tensor]:
    """Tensors that all parts have, joined."""
    return {name: torch.cat([part[name] for part in parts]) for name in parts[0] if all(name in part for part in parts)}


def _along_batch(trees: Sequence[Any]) -> Any:
    """Trees of one form, leaf by leaf one after the other; None where they have none."""
    return along(lambda *leaves: torch.cat(leaves), *trees)
