"""The theoretical receptive field: which part of the input image each position of each layer can depend on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from pellucid.errors import ForwardError, MethodError
from pellucid.graph.names import function_role
from pellucid.graph.structure import GIVEN, NO_INPUT, Tap
from pellucid.mapping import boxes as box
from pellucid.mapping.boxes import Boxes
from pellucid.mapping.calls import Call
from pellucid.mapping.operations import followed
from pellucid.types import Layer

if TYPE_CHECKING:
    from pellucid.graph import Graph
    from pellucid.graph.structure import Node


@dataclass(frozen=True)
class ReceptiveField:
    """For every position of a layer, the smallest box of the input that holds all that the position depends on.

    Attributes:
        layer: its name.
        input: height and width of the image.
        grid: height and width of the layer's maps, or (tokens,), or (1,) for a vector.
        boxes: int32[position 4], top, left, bottom, right, half-open, cut at the image's edges; of the union of all
            channels; positions in the order of the flattened grid; (0, 0, 0, 0) where a position sees only padding.
        exact: whether every operation on the way could be followed; otherwise some box may be larger than it need be,
            up to the whole image, and never smaller.

    What depends on all positions at once (a global pooling that feeds back, attention, a norm over space) has the whole
    image as its field. A box says what a position can depend on, whatever the weights are; `effective_field` measures
    on what it does.
    """

    layer: str
    input: tuple[int, int]
    grid: tuple[int, ...]
    boxes: NDArray[np.int32]
    exact: bool

    def box(self, position: int) -> tuple[int, int, int, int]:
        """Top, left, bottom, right (half-open) of a flattened position."""
        top, left, bottom, right = self.boxes[position].tolist()
        return top, left, bottom, right

    @property
    def size(self) -> tuple[int, int]:
        """Height and width of the largest box: that of a position whose box no edge of the image cuts, if there is one."""
        spans = self.boxes[:, 2:] - self.boxes[:, :2]
        height, width = spans.max(axis=0, initial=0).tolist()
        return height, width


def receptive_fields(graph: Graph) -> dict[str, ReceptiveField]:
    """The receptive field of every captured layer, by name, from the graph alone: nothing is run.

    Args:
        graph: as the tracer made it.

    Returns: by the layer's name, in order of execution.
    Raises: MethodError: the model takes no image, float[batch channel height width]. ForwardError: the graph ends where the
        model raised in its own forward.
    Check: equal to what a perturbation of each input pixel reaches.
    """
    known = _walked(graph)
    return {layer.name: _field(graph, layer, *known) for layer in graph.layers}


def receptive_field(graph: Graph, name: str) -> ReceptiveField:
    """The receptive field of one call of the graph. Raises: MethodError and ForwardError, as `receptive_fields`; LayerError."""
    known = _walked(graph)
    return _field(graph, graph.layer(name), *known)


Known = Mapping[tuple[int, int], Boxes]


def _walked(graph: Graph) -> tuple[Known, frozenset[int], tuple[int, int]]:
    """Boxes of every output of every call, the calls whose boxes are not exact, and the image's size."""
    if graph.error is not None:
        raise ForwardError(
            f"Receptive fields are of a whole graph; this one ends where the model raised in its own forward: {graph.error}."
        )
    image = next((node for node in graph.nodes if node.kind == "input" and _is_image(node)), None)
    if image is None:
        shapes = [node.outputs[0] for node in graph.nodes if node.kind == "input" and node.outputs]
        raise MethodError(
            "A receptive field is a part of an image, float[batch channel height width]; this model takes "
            f"{', '.join(map(str, shapes)) or 'no tensor'}."
        )
    height, width = image.outputs[0][-2:]
    known: dict[tuple[int, int], Boxes] = {}
    rough: set[int] = set()
    arriving: dict[int, dict[int, tuple[int, int]]] = {}
    for edge in graph.edges:
        arriving.setdefault(edge.target, {})[edge.argument] = (edge.source, edge.output)
    for node in graph.nodes:
        if node.kind == "input":
            same = _is_image(node) and node.outputs[0][-2:] == (height, width)
            for output, shape in enumerate(node.outputs):
                known[node.id, output] = box.of_pixels(height, width) if same else box.nothing(len(shape))
            continue
        if node.kind == "output" or (node.id not in arriving and node.origin != node.id):
            continue  # the model's answer, or a module that holds the calls
        sources = arriving.get(node.id, {})
        given = [
            known.get(sources[place], _whole(height, width, len(shape)))
            if place in sources
            else box.nothing(len(shape))
            for place, shape in enumerate(node.inputs)
        ]
        made: list[Boxes] | None
        if all(bool((boxes[0] == box.NOTHING).all()) for boxes in given):
            made = [box.nothing(len(shape)) for shape in node.outputs]  # of parameters and constants alone
        elif not all(map(box.fits, given, node.inputs)):
            made = None  # what was written to a part of a tensor comes back as the whole of it
            rough.add(node.id)
        else:
            made = _made(node, tuple(given))
            if made is None or any(source in rough for source, _ in sources.values()):
                rough.add(node.id)
        if made is None:
            made = [_whole(height, width, len(shape)) for shape in node.outputs]
        known.update({(node.id, output): boxes for output, boxes in enumerate(made)})
    return known, frozenset(rough), (height, width)


def _made(node: Node, given: tuple[Boxes, ...]) -> list[Boxes] | None:
    """Boxes of what a call makes; None where it cannot be followed."""
    if node.inside is None:
        activation = node.activation is not None
        return followed(Call(node.computes, activation, node.arguments, node.inputs, node.outputs, given))
    made: list[Sequence[Boxes]] = []

    def seen(tap: Tap, shape: Sequence[int]) -> Boxes:
        if tap == NO_INPUT:
            return box.nothing(len(shape))
        return given[tap.output] if tap.step == GIVEN else made[tap.step][tap.output]

    for step in node.inside.steps:
        parts = tuple(map(seen, step.reads, step.inputs))
        if all(bool((boxes[0] == box.NOTHING).all()) for boxes in parts):
            made.append([box.nothing(len(shape)) for shape in step.outputs])
            continue
        activation = function_role(step.operation)[1] is not None
        found = followed(Call(step.operation, activation, step.arguments, step.inputs, step.outputs, parts))
        if found is None:
            return None
        made.append(found)
    return list(map(seen, node.inside.returns, node.outputs))


def _is_image(node: Node) -> bool:
    return node.floating and bool(node.outputs) and len(node.outputs[0]) == 4


def _whole(height: int, width: int, axes: int) -> Boxes:
    return np.array([0, 0, -height, -width], np.int32).reshape(4, *(1,) * axes)


def _positions(layer: Layer) -> tuple[int, ...]:
    if layer.is_plane:
        return layer.shape[:2]
    return {"maps": layer.shape[1:], "channels": layer.shape[1:], "tokens": layer.shape[:1]}.get(layer.layout, (1,))


def _field(graph: Graph, layer: Layer, known: Known, rough: frozenset[int], image: tuple[int, int]) -> ReceptiveField:
    node = graph.by_name[layer.name]
    origin = node.id if node.origin is None else node.origin
    boxes = known.get((origin, 0))
    grid = _positions(layer)
    if boxes is None or boxes.ndim != len(layer.shape) + 2:
        whole = np.tile(np.array([0, 0, *image], np.int32), (int(np.prod(grid)), 1))
        return ReceptiveField(layer.name, image, grid, whole, False)
    shape = (1, *layer.shape)
    axes = tuple(range(len(shape))) if grid == (1,) else (0, layer.channel_axis)
    united = box.over(boxes, axes)
    kept = tuple(1 if axis in axes else extent for axis, extent in enumerate(shape))
    edges = box.edges(box.full(united, kept)).reshape(-1, 4)
    return ReceptiveField(layer.name, image, grid, edges, origin not in rough)
