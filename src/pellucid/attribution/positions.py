"""Which axes of an input count its positions: of three axes the model's graph tells, for channels may come first or last."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from torch import Tensor

from pellucid.attribution.methods import Problem
from pellucid.capture import whole_graph
from pellucid.errors import MethodError
from pellucid.graph.placing import works_along_last

if TYPE_CHECKING:
    from pellucid.graph import Graph, Node

Axes = tuple[int | None, ...]
"""Of each axis of a tensor, which axis of the input it is; None where it is none."""

BY_NUMBER = frozenset(
    (
        *("abs", "clamp", "clip", "div", "double", "exp", "log", "log1p", "masked_fill", "mul", "nan_to_num", "neg"),
        *("pow", "rsub", "sqrt", "square", "sub", "true_divide", "truediv", "where"),
    )
)
"""Functions number by number, beside activations."""

_ALONG = frozenset(
    ("cat", "chunk", "concat", "concatenate", "expand", "index_select", "narrow", "pad", "roll", "split")
)
"""Functions that change how long axes are and leave them where they are."""


def position_axes(problem: Problem, leaf: Tensor, title: str, instead: str) -> tuple[int, ...]:
    """The axes of an input that count positions: all but the batch and the channels; the columns of a table, all of token ids.

    Of three axes one counts positions. The first calls that read the input tell which: a recurrent layer or attention by its
    steps, nn.Linear and normalisation by the features on the last axis, convolutions and pools by the channels on the second.

    Args:
        problem: whose input.
        leaf: the input, of two axes or more.
        title: of the method, for the message.
        instead: what decides where the model does not, for the message.

    Raises: MethodError: the model does not tell.
    """
    if leaf.ndim == 2 or not leaf.is_floating_point():
        return tuple(range(1, leaf.ndim))
    if leaf.ndim != 3:
        return tuple(range(2, leaf.ndim))
    graph = problem.graph or whole_graph(problem.model, problem.inputs)
    told = set(_told(graph, tuple(leaf.shape[1:])))
    if not told and 1 in leaf.shape[1:]:
        told = {1 if leaf.shape[2] == 1 else 2}
    if len(told) != 1:
        raise MethodError(
            f"{title} needs to know which axis of the input of shape {tuple(leaf.shape)} counts positions: (batch, step, "
            "feature) or (batch, channel, position). The calls of the model that read it first do not tell, or differ. "
            f"{instead}"
        )
    return (told.pop(),)


def on_axes(map_: Tensor, like: Tensor, axes: tuple[int, ...]) -> Tensor:
    """A map [rows positions...], in any shape, such that it broadcasts to rows of an input whose positions these axes count."""
    return map_.reshape(len(map_), *(like.shape[axis] if axis in axes else 1 for axis in range(1, like.ndim)))


def _told(graph: Graph, shape: tuple[int, ...]) -> Iterator[int]:
    """What each first reader of the inputs of that shape takes for the axis of positions, 1 or 2."""
    held: dict[tuple[int, int], Axes] = {}
    for node in graph.nodes:
        if node.kind == "input":
            for number, (made, dtype) in enumerate(zip(node.outputs, node.output_dtypes, strict=True)):
                if made[1:] == shape and "float" in dtype:
                    held[node.id, number] = (0, 1, 2)
    loops = {loop.steps for loop in graph.loops if loop.feeds_back}
    nodes = {node.id: node for node in graph.nodes}
    for edge in sorted(graph.edges, key=lambda one: (one.target, one.argument)):
        axes, node = held.get((edge.source, edge.output)), nodes[edge.target]
        if axes is None or (node.id, 0) in held:
            continue
        found = _read(node, edge.argument, axes)
        if found is not None:
            # A product may read one step alone or one channel alone, unless it is a loop that goes on to the next.
            if len(axes) > 2 or not _multiplies(node) or {shape[found - 1], shape[found - 1] - 1} & loops:
                yield found
            continue
        after = _after(node, edge.shape, axes)
        if after is not None:
            held.update(
                ((node.id, number), after) for number, made in enumerate(node.outputs) if len(made) == len(after)
            )


def _read(node: Node, argument: int, axes: Axes) -> int | None:
    """What a call takes for the axis of positions; None where it does not tell."""
    packs = node.operation == "pack_padded_sequence"
    batch_first = node.arguments.get("batch_first", node.arguments.get("2") if packs else None)
    if packs or node.steps is not None or batch_first is not None:  # recurrent layers and attention
        batch, step = (0, 1) if batch_first == "True" else (1, 0)
        if len(axes) != 3 or axes[batch] != 0 or (node.steps is not None and argument > 0):
            return None
        return _other(axes[2]) or axes[step]
    if argument > 0:
        return None
    if node.operation.lower().endswith("cell"):
        return _other(axes[-1])
    if _multiplies(node):
        # Along what a transpose has put last it may mix steps as well as features.
        return 1 if axes[-1] == 2 else None
    whole = ", " in node.arguments.get("normalized_shape", "")  # over more axes than one
    if node.role not in ("compute", "norm", "pool") or node.channel_last is None or len(axes) < 3 or whole:
        return None
    if node.channel_last:
        return _other(axes[-1])
    return _other(axes[1]) or (axes[2] if len(axes) == 3 else None) or None


def _other(channel: int | None) -> int | None:
    return 3 - channel if channel else None


def _multiplies(node: Node) -> bool:
    """Whether a call is a product with a matrix along the last axis."""
    if node.operation == "matmul":
        return len(node.inputs) == 2 and len(node.inputs[1]) == 2
    return works_along_last(node)


def _after(node: Node, given: tuple[int, ...], axes: Axes) -> Axes | None:
    """The axes of what a call makes of a tensor; None where they cannot be followed."""
    name, settings = node.operation, node.arguments
    made = node.outputs[0] if node.outputs else ()
    try:
        if name in ("permute", "transpose", "swapaxes", "swapdims", "mT"):
            return _turned(
                name, [int(one) for text in settings.values() for one in text.strip("()[]").split(",")], axes
            )
        if name == "getitem":
            return _indexed(settings["1"], axes)
        if name in ("select", "unbind"):
            gone = int(settings.get("dim", "0")) % len(axes)
            return axes[:gone] + axes[gone + 1 :]
    except (KeyError, ValueError):
        return None
    if _multiplies(node):
        return (*axes[:-1], None)
    keeps = node.role in ("pass", "activation", "join") or node.channel_last is True or name in BY_NUMBER | _ALONG
    same = made == given or (name in _ALONG and len(made) == len(given))
    return axes if keeps and same else None


def _turned(name: str, places: list[int], axes: Axes) -> Axes | None:
    if name == "permute":
        return tuple(axes[place] for place in places) if len(places) == len(axes) else None
    first, second = places or (-2, -1)
    turned = list(axes)
    turned[first], turned[second] = axes[second], axes[first]
    return tuple(turned)


def _indexed(index: str, axes: Axes) -> Axes:
    """What slices and whole numbers leave of the axes. Raises: ValueError: the index holds anything else."""
    parts = [part.strip() for part in index.strip("()").rstrip(",").split(",")]
    if "..." in parts:
        place = parts.index("...")
        parts[place : place + 1] = [":"] * (len(axes) - len(parts) + 1)
    parts += [":"] * (len(axes) - len(parts))
    kept = []
    for part, axis in zip(parts, axes, strict=True):
        if ":" in part:
            kept.append(axis)
        else:
            int(part)
    return tuple(kept)
