"""The effective receptive field: how much each input pixel really moves the middle of a layer, measured by gradients."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from pellucid.errors import MethodError
from pellucid.types import Layer, Tree

if TYPE_CHECKING:
    from torch import Tensor

    from pellucid.capture import Session


@dataclass(frozen=True)
class EffectiveField:
    """What the middle position of a layer depends on, over some examples.

    Attributes:
        layer: its name; position: the flattened position that was measured.
        mean: float64[height width], mean over examples and input channels of |d unit / d input|, the unit being the sum
            of the layer's channels at that position.
        count: examples.
    """

    layer: str
    position: int
    mean: NDArray[np.float64]
    count: int

    def pixels(self, share: float) -> int:
        """The fewest pixels that hold this share of the whole; 0 where nothing reaches the input."""
        ordered = np.sort(self.mean, axis=None)[::-1]
        total = float(ordered.sum())
        if not total > 0:
            return 0
        return int(np.searchsorted(np.cumsum(ordered), share * total * (1 - 1e-12)) + 1)

    def inside(self, box: Sequence[int]) -> float | None:
        """Share of the whole that lies in a box (top, left, bottom, right); None where nothing reaches the input."""
        total = float(self.mean.sum())
        top, left, bottom, right = box
        return float(self.mean[top:bottom, left:right].sum()) / total if total > 0 else None


def middle_of(layer: Layer) -> int:
    """The flattened middle position of a layer's maps. Raises: MethodError: it has none."""
    if layer.layout != "maps":
        raise MethodError(
            f"An effective receptive field is measured at the middle of maps (batch, channel, height, width); layer "
            f"'{layer.name}' has the shape {layer.shape}."
        )
    _, height, width = layer.shape
    return (height // 2) * width + width // 2


def effective_field(session: Session, layer: Layer, inputs: Tree, position: int | None = None) -> EffectiveField:
    """Measures one layer on a batch, by one forward and one backward.

    Args:
        session: holds the model and captures that layer.
        layer: whose middle is looked from.
        inputs: one tensor, float[batch channel height width].
        position: the flattened position; the middle where None.

    Raises: MethodError: the input is no batch of images, the layer has no maps, or nothing has a gradient.
    Source: Luo, Li, Urtasun & Zemel 2016, arXiv:1701.04128.
    Check: 0 outside the theoretical receptive field.
    """
    import torch

    place = middle_of(layer) if position is None else position
    if not isinstance(inputs, torch.Tensor) or inputs.ndim != 4:
        raise MethodError("An effective receptive field needs a batch of images, float[batch channel height width].")
    if not 0 <= place < layer.shape[1] * layer.shape[2]:
        raise MethodError(f"Layer '{layer.name}' has {layer.shape[1] * layer.shape[2]} positions; there is no {place}.")

    def score(output: object) -> Tensor:
        return session.output(layer.name).flatten(2)[:, :, place].sum(1)

    seen = session.explain(inputs, score)
    gradients = seen.input_gradients
    if not isinstance(gradients, torch.Tensor):
        raise MethodError(f"No gradient of layer '{layer.name}' arrives at the input.")
    mean = gradients.detach().double().abs().mean((0, 1)).cpu().numpy()
    return EffectiveField(layer.name, place, mean, len(inputs))


def merged(parts: Sequence[EffectiveField]) -> EffectiveField:
    """The field over the examples of several batches of one size of image."""
    count = sum(part.count for part in parts)
    mean = np.sum([part.mean * part.count for part in parts], axis=0) / max(count, 1)
    return EffectiveField(parts[0].layer, parts[0].position, mean, count)
