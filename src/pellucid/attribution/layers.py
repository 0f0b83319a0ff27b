"""Which layers are explained: as the graph knows them, or by their modules alone where those say enough."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import torch
from torch import nn

from pellucid.attribution.trees import rows_of
from pellucid.capture import as_arguments, unwrapped, whole_graph
from pellucid.capture.trees import certain_batch_size
from pellucid.errors import LayerError
from pellucid.graph import Graph, trace
from pellucid.graph.axes import module_channel_last
from pellucid.graph.dataflow import tensors_in
from pellucid.graph.names import is_opaque, module_role, operation_of
from pellucid.graph.structure import layout_of
from pellucid.types import Layer, Tree

if TYPE_CHECKING:
    from pellucid.capture import Captured


def traced(model: nn.Module, inputs: Tree) -> Graph:
    """The model's graph, from the first two examples where the model runs on two: that costs less than another forward.

    Raises: ForwardError: it raises on all of them.
    """
    examples = certain_batch_size(inputs)
    dense = all(leaf.layout == torch.strided and not leaf.is_nested for leaf in tensors_in(inputs))
    if examples is not None and dense:
        first = torch.arange(min(examples, 2))
        positional, named = as_arguments(rows_of(inputs, first), model)
        graph = trace(model, *positional, **named)
        if graph.error is None:
            return graph
    return whole_graph(model, inputs)


def by_module(model: nn.Module, names: Sequence[str], *, maps: bool = False) -> tuple[Layer, ...] | None:
    """Layers without shape whose modules say where their channels are (convolutions, normalisations, pools, linear ones).

    They need no trace, which would cost a part of a forward. None where one of the names is no such module, or where maps of
    one are wanted whose channels are last: where on the image its tokens stand, the graph alone tells.
    """
    modules = dict(unwrapped(model).named_modules())
    for name in names:
        module = modules.get(name)
        last = module_channel_last(module) if module is not None and is_opaque(module) else None
        if last is None or (last and maps):
            return None
    return tuple(
        Layer(index, name, operation_of(modules[name]), (), "other", module_role(modules[name])[1])
        for index, name in enumerate(names)
    )


def shaped(model: nn.Module, layers: Sequence[Layer], seen: Captured) -> tuple[Layer, ...] | None:
    """The layers of `by_module` with the shapes that were captured; None where one gave no batch of numbers."""
    found = []
    for layer in layers:
        output = seen.activations.get(layer.name)
        if (
            output is None
            or output.ndim < 2
            or seen.scores is None
            or len(output) != len(seen.scores)
            or not output.is_floating_point()
        ):
            return None
        last = module_channel_last(unwrapped(model).get_submodule(layer.name))
        found.append(replace(layer, shape=tuple(output.shape[1:]), layout=layout_of(tuple(output.shape), last)))
    return tuple(found)


def embeddings(model: nn.Module, graph: Graph) -> tuple[Layer, ...]:
    """What looks up ids, which is no layer of its own where an activation follows at once."""
    tables = {name for name, module in unwrapped(model).named_modules() if isinstance(module, nn.Embedding)}
    found = []
    for node in graph.nodes:
        if node.kind == "module" and node.name.split("#")[0] in tables:
            try:
                found.append(graph.layer(node.name))
            except LayerError:  # the batch is not in front: of ids that were turned, or of positions
                found.append(Layer(len(found), node.name, "Embedding", (), "other"))
    return tuple(found)


def with_planes(graph: Graph) -> tuple[Layer, ...]:
    """The captured layers and, for class activation maps, the blocks and norms whose output is a plane with channels last.

    Of several modules that return the same tensor the outermost stands for all. In order of execution.
    """
    taken = {graph.by_name[layer.name].origin for layer in graph.layers}
    found = [(_made_at(graph, layer.name), layer) for layer in graph.layers]
    for node in graph.nodes:
        holds = node.kind == "module" and (node.role == "norm" or node.origin != node.id)
        if not holds or node.origin is None or node.origin in taken:
            continue
        try:
            layer = graph.layer(node.name)
        except LayerError:
            continue
        if layer.is_plane:
            taken.add(node.origin)
            found.append((node.origin, layer))
    if len(found) == len(graph.layers):
        return graph.layers
    return tuple(replace(layer, index=index) for index, (_, layer) in enumerate(sorted(found, key=lambda one: one[0])))


def _made_at(graph: Graph, name: str) -> int:
    node = graph.by_name[name]
    return node.id if node.origin is None else node.origin
