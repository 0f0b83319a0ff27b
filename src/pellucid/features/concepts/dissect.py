"""`dissect`: which concepts the channels of a model's layers detect, in one call."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import torch

from pellucid.capture import Session, on_device, to_device, unwrapped, whole_graph
from pellucid.errors import LayerError, MethodError, OptionError
from pellucid.features.concepts.anchors import Anchors, anchored, grid_of
from pellucid.features.concepts.dissection import Dissected, Watch, dissect_layers
from pellucid.features.concepts.sets import ConceptSet
from pellucid.features.probing import Lightness
from pellucid.mapping import receptive_field, receptive_fields
from pellucid.types import Layer

if TYPE_CHECKING:
    from torch import nn

    from pellucid.graph import Graph

MOST_UNITS = 65_536


def dissect(
    model: nn.Module,
    layers: str | Sequence[str] = (),
    *,
    concepts: ConceptSet,
    mean: Sequence[float] | None = None,
    std: Sequence[float] | None = None,
    seed: int = 0,
    batch_size: int = 32,
    device: str | None = None,
    watch: Watch = lambda done, total: None,
) -> dict[str, Dissected]:
    """What every channel of every layer agrees with best, by the layer's name, in order of execution.

        found = dissect(model, ["layer3"], concepts=Generated((3, 224, 224)), mean=(0.485, 0.456, 0.406), std=(0.229, 0.224, 0.225))
        found["layer3"].iou[17], found["layer3"].found()

    Args:
        model: any module that takes one batch of images; left as it was.
        layers: names; where empty, the outputs of activations and of what else has a map, all that were captured.
        concepts: pictures with masks, of the size that the model takes.
        mean: what the model's preprocessing subtracts from pictures between 0 and 1, a number a channel or one for all.
        std: what it divides them by.
        seed: of the order in which masks of other pictures are compared.
        batch_size: pictures in one forward.
        device: where to run; where the model is if None. It is moved back afterwards.
        watch: hears how many of how many pictures were shown, each twice; raise to cancel.

    Raises:
        LayerError: no such layer, one that was named has no map, or one has not one row a picture. MethodError: the model takes
        no image. OptionError: mean or std do not fit, too few pictures. ForwardError.
    Check: equal to the same sums over float64 maps, taken picture by picture.
    """
    inner = unwrapped(model)
    lightness = lightness_given(concepts.size[0], mean, std)
    example = lightness.inputs(concepts.picture(0)[None])
    with on_device(inner, device) as place:
        graph = whole_graph(inner, to_device(example, torch.device(place)))
        names = (layers,) if isinstance(layers, str) else tuple(layers)
        chosen = [graph.layer(name) for name in names] or list(graph.layers)
        anchors, refused = places(graph, chosen)
        if names and refused:
            name, why = next(iter(refused.items()))
            raise LayerError(f"Layer '{name}' has no map whose places could agree with a mask: {why}")
        if not anchors:
            raise MethodError("No layer of this model has a map whose places could agree with a mask.")
        with Session(inner, chosen, device=place) as session:
            _, found = dissect_layers(
                session, chosen, anchors, concepts, lightness, seed=seed, batch_size=batch_size, watch=watch
            )
    return {one.layer.name: one for one in found}


def places(graph: Graph, layers: Sequence[Layer]) -> tuple[dict[str, Anchors], dict[str, str]]:
    """Where the positions of each layer stand, and why others have none. Raises: MethodError: the model takes no image."""
    refused = {}
    for layer in layers:
        if grid_of(layer) is None:
            refused[layer.name] = f"its output, {layer.layout} of shape {layer.shape}, is no map of two places or more."
        elif layer.units > MOST_UNITS and layer.layout == "maps":
            refused[layer.name] = f"its {layer.units:,} channels are more than {MOST_UNITS:,}."
    fields = receptive_fields(graph)
    further = [layer for layer in layers if layer.name not in fields]
    fields |= {layer.name: receptive_field(graph, layer.name) for layer in further}
    everywhere = anchored(sorted([*graph.layers, *further], key=lambda layer: layer.index), fields)
    names = {layer.name for layer in layers} - set(refused)
    return {name: one for name, one in everywhere.items() if name in names}, refused


def lightness_given(channels: int, mean: Sequence[float] | None, std: Sequence[float] | None) -> Lightness:
    """What black and white are to a model that is given a mean and a deviation. Raises: OptionError: they do not fit."""
    values = []
    for name, given, plain in (("mean", mean, 0.0), ("std", std, 1.0)):
        some = [float(one) for one in (plain,) if given is None] or [float(one) for one in given or ()]
        if len(some) not in (1, channels) or (name == "std" and min(some) <= 0):
            raise OptionError(
                f"{name} is one number a channel ({channels}), or one for all{', above 0' if name == 'std' else ''}; got {given}."
            )
        values.append(some * channels if len(some) == 1 else some)
    middle, scale = values
    return Lightness(
        tuple(-m / s for m, s in zip(middle, scale, strict=True)),
        tuple((1 - m) / s for m, s in zip(middle, scale, strict=True)),
    )
