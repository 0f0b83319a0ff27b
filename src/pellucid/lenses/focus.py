"""One example looked at closely: its maps at every layer, as they are stored or sent live."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import TYPE_CHECKING, TypedDict

import numpy as np

from pellucid.attribution.cam import as_maps, grad_cam, no_cam
from pellucid.record.schema import Focus, FocusLayer
from pellucid.types import Layer, Observation, Tree

if TYPE_CHECKING:
    from torch import Tensor

# Channels of a layer that are kept, those with the strongest single response; positions a side that are kept.
CHANNELS = 12
SIDE = 56


def focus_tensors(
    seen: Observation, place: int, *, live: bool = False, warnings: tuple[str, ...] = ()
) -> tuple[Focus, dict[str, np.ndarray]]:
    """The closer look at one example of a focused batch: schema.Focus and its tensors.

    Args:
        seen: an observation of the focus stage.
        place: of the example in its batch.
        live: whether it was computed on demand.
        warnings: in words, what is wrong with the maps.
    """
    if seen.batch is None:
        raise ValueError("a closer look needs an observation of the focus stage")
    packed = Packed()
    for path, values, gradient in leaves_of(seen.batch.inputs, seen.input_gradients, "input"):
        packed.add(f"{path}.values", values[place])
        if gradient is not None:
            packed.add(f"{path}.gradient", gradient[place])
    layers = [
        _layer(packed, seen, layer, place)
        for layer in seen.layers.values()
        if layer.name in seen.activations and len(seen.activations[layer.name]) == len(seen.batch)
    ]
    focus = Focus(
        **answer_of(seen, place),
        layers=layers,
        scales=packed.scales,
        live=live,
        warnings=list(warnings),
    )
    return focus, packed.tensors


class Answered(TypedDict):
    """What the model answers to one example of the focus stage, and which of its scores is explained."""

    row: int
    example: str
    target: int | None
    prediction: int | None
    explained: int | None
    score: float | None


def answer_of(seen: Observation, place: int) -> Answered:
    """The answer to the example at a place of a focused batch; of a regression only the score, which is its output."""
    if seen.batch is None or seen.outputs is None or seen.scores is None:
        raise ValueError("a closer look needs an observation of the focus stage")
    target = prediction = explained = None
    if seen.explained is not None:
        explained = int(seen.explained[place])
        outputs = seen.outputs[place]
        prediction = int(outputs.argmax()) if outputs.isfinite().all() else None
        if seen.batch.targets is not None and seen.batch.targets[place] >= 0:
            target = int(seen.batch.targets[place])
    score = float(seen.scores[place])
    return {
        "row": seen.batch.row(place),
        "example": seen.batch.ids[place],
        "target": target,
        "prediction": prediction,
        "explained": explained,
        "score": score if math.isfinite(score) else None,
    }


class Packed:
    """Tensors as float16 of what they are divided by: their largest finite magnitude.

    Attributes:
        tensors: by name.
        scales: what each was divided by.
    """

    def __init__(self) -> None:
        self.tensors: dict[str, np.ndarray] = {}
        self.scales: dict[str, float] = {}

    def add(self, name: str, values: Tensor) -> None:
        """Keeps numbers of any shape under a name. By PyTorch, which makes float16 thirty times faster than NumPy."""
        plain = values.detach().float().cpu()
        largest = _magnitude(plain)
        if not math.isfinite(largest):
            largest = _magnitude(plain[plain.isfinite()])
        self.scales[name] = largest or 1.0
        self.tensors[name] = (plain / self.scales[name]).half().numpy()


def _magnitude(values: Tensor) -> float:
    return float(values.abs().max()) if values.numel() else 0.0


def _layer(packed: Packed, seen: Observation, layer: Layer, place: int) -> FocusLayer:
    import torch

    activation = seen.activations[layer.name][place : place + 1].float()
    gradient = seen.gradients[layer.name][place : place + 1].float()
    layer = replace(
        layer, shape=tuple(activation.shape[1:])
    )  # of this example, which may be of another size than the traced
    reason = no_cam(layer)
    height = width = 1
    if layer.layout == "maps" or layer.is_plane or (layer.layout == "tokens" and reason is None):
        maps = as_maps(activation, layer)[0]
        height, width = int(maps.shape[1]), int(maps.shape[2])
        flat = torch.nan_to_num(maps.flatten(1), nan=-torch.inf)
        strongest, peaks = flat.max(dim=1)
        channels = torch.argsort(strongest, descending=True, stable=True)[:CHANNELS]
        packed.add(f"{layer.index}.maps", reduced(maps[channels]))
        packed.tensors[f"{layer.index}.channels"] = channels.to(torch.int32).cpu().numpy()
        packed.tensors[f"{layer.index}.peaks"] = peaks[channels].to(torch.int32).cpu().numpy()
    elif layer.layout == "tokens":
        packed.add(f"{layer.index}.values", activation[0].mean(dim=0))
    elif layer.layout == "channels":
        packed.add(f"{layer.index}.values", activation[0].flatten(1).mean(dim=1))
    elif layer.layout == "vector":
        packed.add(f"{layer.index}.values", activation[0])
    if reason is None and bool(torch.isfinite(gradient).all()):
        packed.add(f"{layer.index}.grad_cam", reduced(grad_cam(activation, gradient, layer))[0])
    norm = float(torch.linalg.vector_norm(gradient))
    mass = float((gradient * activation).abs().sum(dtype=torch.float64))
    return FocusLayer(
        index=layer.index,
        name=layer.name,
        height=height,
        width=width,
        cam=reason or ("ok" if np.isfinite(norm) else "its gradient is NaN or infinite"),
        gradient_norm=norm if np.isfinite(norm) else None,
        attribution=mass if np.isfinite(mass) else None,
    )


def reduced(maps: Tensor) -> Tensor:
    """At most 56 positions a side, the strongest of each cell: float[channel height width]."""
    import torch

    height, width = min(maps.shape[1], SIDE), min(maps.shape[2], SIDE)
    if (height, width) == tuple(maps.shape[1:]):
        return maps
    return torch.nn.functional.adaptive_max_pool2d(maps[None], (height, width))[0]


def leaves_of(values: Tree, gradients: Tree | None, path: str) -> list[tuple[str, Tensor, Tensor | None]]:
    """Every leaf of a tree with its path ("input", "input.<key>") and what another tree holds there, None where nothing."""
    import torch

    if isinstance(values, torch.Tensor):
        return [(path, values, gradients if isinstance(gradients, torch.Tensor) else None)]
    if not isinstance(values, dict | tuple | list):
        return []  # None, or a number or flag that the forward takes for a whole batch
    parts = values.items() if isinstance(values, dict) else enumerate(values)
    found = []
    for key, part in parts:
        inner = None if gradients is None else gradients[key]  # type: ignore[index]
        found += leaves_of(part, inner, f"{path}.{key}")
    return found
