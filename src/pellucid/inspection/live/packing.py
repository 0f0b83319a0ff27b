"""Maps as a page draws them: channels drawn together, reduced where they are large, packed as float16."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from pellucid.lenses.focus import Packed, leaves_of, reduced
from pellucid.record.schema import AttributedLayer

if TYPE_CHECKING:
    from torch import Tensor

    from pellucid.types import Layer

# Methods whose channels do not add up: the strongest speaks for them.
_STRONGEST = ("saliency", "vargrad")
# Methods beside the CAMs that put a position's one value on every channel.
_ALIKE = ("occlusion", "rise", "attention_rollout", "gradient_rollout")


class Drawn:
    """The tensors of one answer, and which layers have maps in it.

    Attributes:
        packed: tensors and their scales.
    """

    def __init__(self, layers: Sequence[Layer]) -> None:
        self.packed = Packed()
        self._layers = {layer.index: layer for layer in layers}
        self._shown: dict[int, AttributedLayer] = {}

    @property
    def layers(self) -> list[AttributedLayer]:
        """Those with maps, in order of execution."""
        return [self._shown[index] for index in sorted(self._shown)]

    def inputs(self, inputs: Any) -> None:
        """Keeps the one example as the model sees it: numbers as "<path>.values", whole numbers as "<path>.ids"."""
        for path, values, _ in leaves_of(inputs, None, "input"):
            if values.is_floating_point():
                self.packed.add(f"{path}.values", values[0])
            else:
                self.packed.tensors[f"{path}.ids"] = values[0].int().cpu().numpy()

    def map(self, method: str, found: Any, inputs: Any) -> float | None:
        """Keeps a map of the input, and returns what it adds up to; None where there is none."""
        total = None
        for path, values, leaf in leaves_of(inputs, found, "input"):
            if leaf is not None:
                total = (total or 0.0) + float(leaf[0].double().sum())
                self.packed.add(f"{method}.{path}", _joined(method, leaf[0], values[0]))
        return total

    def error(self, method: str, error: Any, inputs: Any) -> None:
        """Keeps the standard error of a map of the input, of the channel where it is largest."""
        for path, values, leaf in leaves_of(inputs, error, "error"):
            if leaf is not None:
                self.packed.add(f"{method}.{path}", _joined("saliency", leaf[0], values[0]))

    def layer(self, method: str, layer: Layer, values: Tensor | None) -> str:
        """Keeps a map of a layer; where it has none, says why."""
        from pellucid.attribution.cam import as_maps, no_cam

        if values is None:
            return no_cam(layer) or "this method makes no map of this layer"
        height = width = 1
        if values.ndim == 3 and tuple(values.shape[1:]) != layer.shape:  # a plane that a CAM has laid out
            drawn, (height, width) = reduced(values), values.shape[1:]
            drawn = drawn[0]
        elif no_cam(layer) is None and tuple(values.shape[1:]) == layer.shape:
            maps = as_maps(values, layer)[0]
            height, width = int(maps.shape[1]), int(maps.shape[2])
            drawn = reduced(_over_channels(method, maps)[None])[0]
        elif layer.layout == "tokens" and values.ndim == 3:
            drawn = _over_channels(method, values[0].T)
        elif values.ndim <= 2:
            drawn = values[0]
        else:
            return "its output has no layout that can be drawn"
        self.packed.add(f"{method}.{layer.index}", drawn)
        self._shown[layer.index] = AttributedLayer(layer.index, layer.name, int(height), int(width))
        return ""


def _joined(method: str, map_: Tensor, values: Tensor) -> Tensor:
    """The map of an input: of stacks of planes one plane, anything else as it is."""
    return _over_channels(method, map_) if map_.ndim >= 3 and map_.shape == values.shape else map_


def _over_channels(method: str, map_: Tensor) -> Tensor:
    """One plane of a map: the strongest channel, the value that all channels share, or what the channels add up to."""
    if method in _STRONGEST:
        return map_.abs().amax(0)
    from pellucid.attribution.methods import methods

    return map_[0] if method in _ALIKE or methods()[method].positions else map_.sum(0)
