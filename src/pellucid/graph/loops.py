"""Loops: calls that a forward makes several times over with the same parameters, and what they hand on."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Hashable, Mapping, Sequence
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from msgspec.structs import replace

from pellucid.graph.structure import Edge, Loop, Node

if TYPE_CHECKING:
    from torch import nn

# How many later calls of the same module are tried as the beginning of the next step.
_TRIED = 4


def find_loops(nodes: Sequence[Node], edges: Sequence[Edge], reads: Mapping[int, tuple[int, ...]]) -> tuple[Loop, ...]:
    """The loops of a traced graph, in order of their first calls.

    A loop is a sequence of at least two steps that stand one right after the other among the calls that one module makes.
    Every step makes the same calls in the same order: the same modules, and functions of the same name on the same
    parameters; and at least one of them has parameters, so that the very same weights are used again. A ReLU
    module that is called twice in a block is none, since the calls between differ; neither is `a + b + c`, which has no
    parameters. Of loops within loops whose calls are siblings the inner one is found.

    Args:
        nodes: in order.
        edges: between those without children.
        reads: of functions, by id, which parameters they read.
    """
    if not any(node.call > 1 and (node.parameters or node.id in reads) for node in nodes):
        return ()  # nothing with parameters is called twice
    siblings: dict[int | None, list[Node]] = defaultdict(list)
    for node in nodes:
        if node.kind in ("module", "function") and node.error is None:
            siblings[node.parent].append(node)
    found: list[tuple[tuple[int, ...], ...]] = []
    for calls in siblings.values():
        keys: list[Hashable] = [(call.path, reads.get(call.id, ())) for call in calls]
        weighed = [bool(call.parameters or reads.get(call.id)) for call in calls]
        for start, length, steps in _runs(keys, weighed, calls):
            found.append(
                tuple(
                    tuple(call.id for call in calls[start + step * length : start + (step + 1) * length])
                    for step in range(steps)
                )
            )
    found.sort()
    back = {loop for loop, _ in _handed_on(nodes, edges, found)}
    return tuple(Loop(calls, index in back) for index, calls in enumerate(found))


def with_feedback(nodes: Sequence[Node], edges: Sequence[Edge], loops: Sequence[Loop]) -> tuple[Edge, ...]:
    """The edges, where those that carry one step of a loop into the next say so."""
    marked = {edge for _, edge in _handed_on(nodes, edges, [loop.calls for loop in loops])}
    return tuple(replace(edge, feeds_back=True) if place in marked else edge for place, edge in enumerate(edges))


def _runs(keys: Sequence[Hashable], weighed: Sequence[bool], calls: Sequence[Node]) -> list[tuple[int, int, int]]:
    """Beginning, length of a step and number of steps of every loop."""
    later: dict[Hashable, list[int]] = defaultdict(list)
    for place, key in enumerate(keys):
        if weighed[place]:
            later[key].append(place)
    runs: list[tuple[int, int, int]] = []
    used = 0
    seen: dict[Hashable, int] = defaultdict(int)
    for place, key in enumerate(keys):
        if not weighed[place]:
            continue
        seen[key] += 1
        if place < used:
            continue
        for again in later[key][seen[key] : seen[key] + _TRIED]:
            length = again - place
            end = again
            while end < len(keys) and keys[end] == keys[end - length]:
                end += 1
            first = place
            while first > used and keys[first - 1] == keys[first - 1 + length]:
                first -= 1
            steps, spare = divmod(end - first, length)
            if steps >= 2:
                start = max(range(first, first + spare + 1), key=lambda one: (_alike(calls, one, length, steps), -one))
                runs.append((start, length, steps))
                used = start + length * steps
                break
    return runs


def _alike(calls: Sequence[Node], start: int, length: int, steps: int) -> int:
    """How many calls stand on the same line as that of the step before: a loop is mostly written once."""
    return sum(
        calls[place].source == calls[place - length].source for place in range(start + length, start + length * steps)
    )


def _handed_on(
    nodes: Sequence[Node], edges: Sequence[Edge], loops: Sequence[Sequence[Sequence[int]]]
) -> list[tuple[int, int]]:
    """Which edges lead from one step of a loop into the next: number of the loop, place of the edge."""
    step_of = {id_: (loop, step) for loop, calls in enumerate(loops) for step, ids in enumerate(calls) for id_ in ids}
    if not step_of:
        return []
    holders: dict[int, dict[int, int]] = {}

    def steps(id_: int) -> dict[int, int]:
        """The step of every loop that holds a call."""
        known = holders.get(id_)
        if known is None:
            parent = nodes[id_].parent
            known = {} if parent is None else steps(parent)
            if id_ in step_of:
                loop, step = step_of[id_]
                known = {**known, loop: step}
            holders[id_] = known
        return known

    handed: list[tuple[int, int]] = []
    for place, edge in enumerate(edges):
        sources = steps(edge.source)
        for loop, step in steps(edge.target).items():
            if sources.get(loop) == step - 1:
                handed.append((loop, place))
                break
    return handed


@lru_cache(maxsize=4096)
def _is_recurrent(kind: type) -> bool:
    return any(base.__name__ == "RNNBase" for base in kind.__mro__)


def steps_of(module: nn.Module, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> int | None:
    """How many steps a recurrent layer runs over, its longest sequence's of packed ones; None for other modules."""
    kind: type = type(module)
    if not _is_recurrent(kind):
        return None
    inputs = args[0] if args else kwargs.get("input")
    sizes = getattr(inputs, "batch_sizes", None)
    if sizes is not None:
        return len(sizes)
    shape = getattr(inputs, "shape", ())
    if len(shape) not in (2, 3):
        return None
    return int(shape[1 if len(shape) == 3 and getattr(module, "batch_first", False) else 0])
