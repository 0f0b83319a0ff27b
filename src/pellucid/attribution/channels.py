"""Score-CAM and Ablation-CAM: channels weighed by what the score does with them alone, and without them."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from pellucid.attribution import cam
from pellucid.attribution.batches import Copies
from pellucid.attribution.cams import class_weights, fitting, on_input, pooled_head
from pellucid.attribution.layouts import channels_of
from pellucid.attribution.methods import Cost, Maps, Method, Problem, View, register
from pellucid.attribution.perturbed import changed, only_leaf
from pellucid.attribution.targets import class_index
from pellucid.attribution.trees import examples_in
from pellucid.capture import as_logits, logits_of
from pellucid.errors import MethodError
from pellucid.types import Layer, Passes


@dataclass(frozen=True)
class _ChannelCam(Method):
    """One forward a channel and example. Without names of layers, the deepest one that fits is explained.

    Attributes:
        relu: whether to keep only what speaks for the score.
        batch_size: rows at a time; None for the size that is best on the device.
    """

    cost: ClassVar[Cost] = "passes"
    positions: ClassVar[bool] = True

    relu: bool = True
    batch_size: int | None = None

    def explain(self, problem: Problem) -> Maps:
        """Maps of the layers; of a run that was stopped, with the channels that were not reached weighing nothing."""
        layers = fitting(problem.layers, self.title)
        maps: dict[str, Tensor] = {}
        passes = Passes()
        warnings: list[str] = []
        scores: Tensor | None = None
        for layer in layers if problem.named is not None else layers[-1:]:
            copies = Copies(problem, self.name, channels_of(layer)[0], self.batch_size)
            with problem.view([layer]) as view:
                scores, activation, weights = self._weights(problem, view, layer, copies)
                passes.add(view.passes)
            found = cam.weighed(cam.as_maps(activation, layer), weights.to(activation))
            maps[layer.name] = found.clamp_(min=0) if self.relu else found
            warnings += copies.warnings
        if scores is None:
            raise MethodError(f"{self.title} was given no layer.")
        order = [layer.name for layer in sorted(layers, key=lambda one: one.index)]
        return Maps(on_input(maps, order, problem.inputs, self.title), maps, scores, passes, warnings=tuple(warnings))

    @abstractmethod
    def _weights(self, problem: Problem, view: View, layer: Layer, copies: Copies) -> tuple[Tensor, Tensor, Tensor]:
        """Scores of the examples, the layer's output, and the weights of its channels: float[batch channel]."""


@register
@dataclass(frozen=True)
class ScoreCam(_ChannelCam):
    """Score-CAM: channels weighed by the softmax of the scores that the input has where the channel is active.

    Source: Wang et al. 2020, arXiv:1910.01279, algorithm 1.
    """

    name: ClassVar[str] = "score_cam"
    title: ClassVar[str] = "Score-CAM"

    def _weights(self, problem: Problem, view: View, layer: Layer, copies: Copies) -> tuple[Tensor, Tensor, Tensor]:
        leaf = only_leaf(problem.inputs, self.title)
        if leaf.ndim != 4:
            raise MethodError(
                f"Score-CAM masks inputs of shape (batch, channel, height, width); got {tuple(leaf.shape)}."
            )
        activation, _ = view.activation(problem.inputs)
        scores = view.scores(problem.inputs)
        maps = cam.as_maps(activation, layer)

        def visible(tree: Any, rows: Tensor, channels: Tensor) -> Any:
            at = rows.to(maps.device), channels.to(maps.device)
            wide = nn.functional.interpolate(
                maps[at][:, None], size=leaf.shape[2:], mode="bilinear", align_corners=False
            )
            first, last = wide.amin(dim=(2, 3), keepdim=True), wide.amax(dim=(2, 3), keepdim=True)
            span = (last - first).masked_fill(last == first, torch.inf)
            masks = (wide - first) / span
            return changed(tree, lambda one: one * masks.to(one))

        table = _scored(view, copies, visible, examples_in(problem.inputs), None)
        return scores, activation, table.softmax(dim=1)


@register
@dataclass(frozen=True)
class AblationCam(_ChannelCam):
    """Ablation-CAM: channels weighed by how much the score falls without them, as a part of the score's size.

    Where a global average and one linear layer read the layer, that is weight times mean activation, and costs two forwards.
    Source: Desai & Ramaswamy 2020, WACV, eq. 2 and 3, divided by |score|: a negative score turns no sign.
    """

    name: ClassVar[str] = "ablation_cam"
    title: ClassVar[str] = "Ablation-CAM"

    def _weights(self, problem: Problem, view: View, layer: Layer, copies: Copies) -> tuple[Tensor, Tensor, Tensor]:
        activation, outputs = view.activation(problem.inputs)
        scores = view.scores(problem.inputs)
        maps = cam.as_maps(activation, layer)
        target = problem.goal.target
        by_class = problem.goal.unit is None and (isinstance(target, Tensor) or not callable(target))
        head = pooled_head(problem.model, outputs, {layer.name: activation}, (layer,)) if by_class else None
        if head is not None:
            weights = class_weights(head[0], class_index(as_logits(logits_of(outputs)), target))
            falls = weights * maps.mean(dim=(2, 3))
        else:
            _, axis = channels_of(layer)

            def ablate(channels: Tensor) -> Callable[[Tensor], Tensor]:
                def without(output: Tensor) -> Tensor:
                    moved = output.clone().movedim(axis, 1)
                    moved[torch.arange(len(moved)), channels.to(moved.device)] = 0
                    return moved.movedim(1, axis)

                return without

            table = _scored(view, copies, lambda tree, rows, channels: tree, examples_in(problem.inputs), ablate)
            falls = torch.where(table == -torch.inf, 0, scores.to(table)[:, None] - table)
        size = scores.abs().to(falls)[:, None]
        return scores, activation, falls / torch.where(size == 0, 1, size)


def _scored(
    view: View,
    copies: Copies,
    vary: Callable[[Any, Tensor, Tensor], Any],
    examples: int,
    change: Callable[[Tensor], Callable[[Tensor], Tensor]] | None,
) -> Tensor:
    """The score of each example with each channel, float64[batch channel]; -infinity where it was not reached."""
    table = torch.full((examples, copies.total), -torch.inf, dtype=torch.float64)

    def work(tree: Any, rows: Tensor, channels: Tensor) -> Tensor:
        return view.scores(tree, rows, examples, None if change is None else change(channels))

    for found, rows, channels in copies.run(view, vary, work, lambda: table):
        table[rows, channels] = found.double().cpu()
    return table
