"""Which tokens are the patches of an image, and where each stands: followed through the graph from the map they were cut from.

A count of tokens does not tell: sixteen may be two rows of eight, stand column by column, or be queries that no patch gave.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from pellucid.graph.places import Axis, Places, nowhere, of_map, side_of
from pellucid.graph.placing import LOST, Given, Made, placed
from pellucid.graph.settings import Settings, index_of
from pellucid.types import Grid

if TYPE_CHECKING:
    from pellucid.graph.structure import Edge, Node

_COLOURS = (1, 3, 4)  # how many channels an image has, where they could be its last axis

# What may put a map's rows and columns on other axes, or lay its positions one after another.
_TURNS = frozenset((
    "T", "H", "mT", "mH", "permute", "transpose", "movedim", "moveaxis", "swapaxes", "swapdims", "einsum", "tensordot", "view",
    "view_as", "reshape", "reshape_as", "flatten", "unflatten", "unfold", "fold", "as_strided", "Flatten", "Unflatten",
    "Unfold", "Fold",
))  # fmt: skip


def all_upright(nodes: Iterable[Node]) -> bool:
    """Whether nothing is done to maps that could turn them: convolutions, pooling and the like alone, as in most networks."""
    return not any(
        node.operation.strip("_") in _TURNS
        or (node.role == "compute" and not node.operation.lower().startswith("conv"))
        for node in nodes
        if node.outputs and len(node.outputs[0]) >= 3
    )


class Placed:
    """Where on the image's map everything stands that the nodes without children make."""

    def __init__(self, nodes: Iterable[Node], edges: Iterable[Edge]) -> None:
        self._places: dict[tuple[int, int], Places | None] = {}
        self._grids: dict[int, Grid | None] = {}
        arriving: dict[int, dict[int, tuple[int, int]]] = {}
        for edge in edges:
            arriving.setdefault(edge.target, {})[edge.argument] = (edge.source, edge.output)
        for node in nodes:
            sources = arriving.get(node.id, {})
            if node.kind == "output" or (node.kind != "input" and not sources and node.origin != node.id):
                continue  # the model's answer, or a module that holds the calls
            self._add(node, sources)

    def _add(self, node: Node, sources: Mapping[int, tuple[int, int]]) -> None:
        known = self._places
        if node.kind == "input":
            made: Made = [_of_input(*look) for look in zip(node.outputs, node.output_dtypes, strict=True)]
        else:
            given = [
                Given(shape, known.get(sources[place], LOST) if place in sources else nowhere(len(shape)))
                for place, shape in enumerate(node.inputs)
            ]
            made = placed(node, given)
        for output, shape in enumerate(node.outputs):
            places = made[output] if made is not None and output < len(made) else LOST
            known[node.id, output] = places if places is not None and _fits(places, shape) else LOST

    def grid(self, node: int) -> Grid | None:
        """The grid that the tokens of (batch, token, channel) make; None where they are not all of the positions of one map."""
        places = self._places.get((node, 0))
        return None if places is None or len(places) != 3 or places[0] is not None else self._along(places[1])

    def grid_of(self, tokens: int) -> Grid | None:
        """The grid that so many tokens make wherever there are so many; None where there is none, or several."""
        axes = [axis for places in self._places.values() for axis in places or () if axis is not None]
        found = {self._along(axis) for axis in axes if len(axis) == tokens} - {None}
        return found.pop() if len(found) == 1 else None

    def upright(self, node: int, shape: tuple[int, ...], axes: tuple[int, int]) -> bool:
        """Whether two axes can be an image's rows and columns: False only where one is known to be something else."""
        places = self._places.get((node, 0))
        if places is None or all(axis is None for axis in places):
            return True
        for axis, side in zip(axes, (0, 1), strict=True):
            own = places[axis]
            if shape[axis] > 1 and (own is None or side_of(own) != side):
                return False
        return True

    def channel_last(self, node: int, shape: tuple[int, ...]) -> bool | None:
        """Which axis is left for the channels by a map's rows and columns, or by its positions one after another."""
        places = self._places.get((node, 0))
        if places is None or len(shape) not in (3, 4) or len(places) != len(shape) or places[0] is not None:
            return None
        held = [axis is not None for axis in places[1:]]
        if len(shape) == 4:
            first, last = ([side_of(axis) for axis in some] == [0, 1] for some in (places[2:], places[1:3]))
        else:
            first, last = (self._along(axis) is not None for axis in (places[2], places[1]))
        return True if last and not held[-1] else False if first and not held[0] else None

    def _along(self, tokens: Axis) -> Grid | None:
        if tokens is None:
            return None
        if id(tokens) not in self._grids:
            self._grids[id(tokens)] = _grid_along(tokens)
        return self._grids[id(tokens)]


def _of_input(shape: tuple[int, ...], dtype: str) -> Places:
    if len(shape) != 4 or dtype.startswith(("int", "bool")):
        return nowhere(len(shape))
    if shape[3] in _COLOURS and shape[1] not in _COLOURS:
        return (None, *of_map((1, 1, *shape[1:3]))[2:], None)
    return of_map(shape)


def _fits(places: Places, shape: tuple[int, ...]) -> bool:
    return len(places) == len(shape) and all(
        axis is None or len(axis) == extent for axis, extent in zip(places, shape, strict=True)
    )


def tokens_read(nodes: Iterable[Node], tokens: int) -> set[int]:
    """Which of so many tokens a model picks by their numbers, as a head picks the class token."""
    found = set()
    for node in nodes:
        if node.kind == "function" and len(node.inputs) == 1 and node.inputs[0][1:2] == (tokens,):
            if node.operation == "select":
                settings = Settings(node.arguments)
                index: Sequence[object] = [None, settings.value("index")] if settings.value("dim") == 1 else []
            else:
                index = index_of(node.arguments.get("1", "tensor")) or () if node.operation == "getitem" else ()
            if len(index) > 1 and index[0] is not Ellipsis and isinstance(index[1], int):
                found.add(index[1] % tokens)
    return found


def _grid_along(tokens: NDArray[np.float64]) -> Grid | None:
    patches = np.flatnonzero(~np.isnan(tokens).any(1))
    rows, row = np.unique(tokens[patches, 0], return_inverse=True)
    columns, column = np.unique(tokens[patches, 1], return_inverse=True)
    at = row.reshape(-1) * len(columns) + column.reshape(-1)
    if not len(patches) or len(at) != len(rows) * len(columns) or len(np.unique(at)) != len(at):
        return None
    return Grid(len(rows), len(columns), tuple(patches[np.argsort(at)].tolist()), len(tokens))
