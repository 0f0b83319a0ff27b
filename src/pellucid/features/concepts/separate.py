"""`separate`: which labels of whole pictures the channels of a model's layers tell apart, in one call."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import torch

from pellucid.capture import Session, on_device, to_device, unwrapped, whole_graph
from pellucid.errors import LayerError, MethodError
from pellucid.features.concepts.dissect import MOST_UNITS, lightness_given
from pellucid.features.concepts.separation import (
    LabelSet,
    Pooled,
    Separated,
    Watch,
    separable,
    separate_layers,
)

if TYPE_CHECKING:
    from torch import nn


def separate(
    model: nn.Module,
    layers: str | Sequence[str] = (),
    *,
    concepts: LabelSet,
    pooled: Pooled = "maximum",
    mean: Sequence[float] | None = None,
    std: Sequence[float] | None = None,
    seed: int = 0,
    batch_size: int = 32,
    device: str | None = None,
    watch: Watch = lambda done, total: None,
) -> dict[str, Separated]:
    """How well every channel of every layer tells pictures with a concept from others, by the layer's name, in order.

        found = separate(model, "layer4", concepts=open_tagged("animals/", (3, 224, 224)), mean=(0.485, 0.456, 0.406), ...)
        found["layer4"].area[17], found["layer4"].found()

    Args:
        model: any module that takes one batch of images; left as it was.
        layers: names; where empty, all that have channels.
        concepts: pictures with labels, of the size that the model takes.
        pooled: what a channel's score for a picture is: its "maximum" over all places, or its "mean".
        mean: what the model's preprocessing subtracts from pictures between 0 and 1, a number a channel or one for all.
        std: what it divides them by.
        seed: of the shuffles that chance is told from.
        batch_size: pictures in one forward.
        device: where to run; where the model is if None. It is moved back afterwards.
        watch: hears how many of how many pictures were shown; raise to cancel.

    Raises:
        LayerError: no such layer, one that was named has no channels, or one is not finite or has not one row a picture.
        OptionError: mean or std do not fit, too few pictures. MethodError: the model has no layer that could be asked.
        ForwardError.
    Check: equal to the area under the ROC curve of scikit-learn, which counts ties half too.
    """
    inner = unwrapped(model)
    lightness = lightness_given(concepts.size[0], mean, std)
    with on_device(inner, device) as place:
        graph = whole_graph(inner, to_device(lightness.inputs(concepts.picture(0)[None]), torch.device(place)))
        names = (layers,) if isinstance(layers, str) else tuple(layers)
        chosen = [graph.layer(name) for name in names] or list(graph.layers)
        kept, refused = separable(chosen, MOST_UNITS)
        if names and refused:
            name, why = next(iter(refused.items()))
            raise LayerError(f"Layer '{name}' has no channels that could be asked: {why}")
        if not kept:
            raise MethodError("No layer of this model has channels that could be asked.")
        with Session(inner, kept, device=place) as session:
            found = separate_layers(
                session, kept, concepts, lightness, pooled=pooled, seed=seed, batch_size=batch_size, watch=watch
            )
    return {one.layer.name: one for one in found}
