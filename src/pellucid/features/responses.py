"""A layer's output as responses of units at positions, whatever its layout."""

from __future__ import annotations

from torch import Tensor

from pellucid.errors import LayerError
from pellucid.types import Layer


def laid_out(output: Tensor, layer: Layer) -> Tensor:
    """A layer's output as float[batch unit position]. Raises: LayerError: it has no channels."""
    if layer.layout == "tokens":
        return output.transpose(1, 2)
    if layer.is_plane:
        return output.flatten(1, 2).transpose(1, 2)
    if layer.layout in ("maps", "channels"):
        return output.flatten(2)
    if layer.layout == "vector":
        return output[:, :, None]
    raise LayerError(
        f"Layer '{layer.name}' has no channels that could be asked: the axes of its output {layer.shape} follow no layout that "
        "pellucid knows. Name another layer."
    )


def units_of(layer: Layer) -> int:
    """How many channels a layer has."""
    return layer.units


def middle_of(positions: int) -> int:
    """The place in the middle of a flattened square map, or the last of a row of tokens that is none."""
    side = round(positions**0.5)
    return side // 2 * side + side // 2 if side * side == positions else positions // 2
