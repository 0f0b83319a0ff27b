"""Score-CAM and Ablation-CAM: channels weighed by what the score does with them alone, and without them."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from pellucid.attribution import cam
from pellucid.attribution.batches import Copies
from pellucid.attribution.cams import class_weights, fitting, on_input, pooled_head
from pellucid.attribution.layouts import channels_of, others_than_patches
from pellucid.attribution.methods import Cost, Maps, Method, Problem, View, register
from pellucid.attribution.perturbed import changed, only_leaf
from pellucid.attribution.rows import left_out
from pellucid.attribution.targets import class_index
from pellucid.capture import as_logits, logits_of
from pellucid.capture.trees import batch_size
from pellucid.errors import LayerError, MethodError
from pellucid.types import Layer, Passes

Shown = Callable[[Tensor, Tensor], Any]
"""From a layer's output and the weights of its channels to the map of the input."""


@dataclass(frozen=True)
class _ChannelCam(Method):
    """One forward a channel and example. Without names of layers, the deepest one that fits is explained.

    Where tokens have a class token, that is the deepest whose other positions the score reads: a forward without them tells.
    Layers that do not give one row an example are left out.

    Attributes:
        removes: whether channels are taken from the layer itself, not from the input.
        relu: whether to keep only what speaks for the score.
        batch_size: rows at a time; None for the size that is best on the device.
    """

    cost: ClassVar[Cost] = "passes"
    positions: ClassVar[bool] = True
    removes: ClassVar[bool] = False

    relu: bool = True
    batch_size: int | None = None

    def explain(self, problem: Problem) -> Maps:
        """Maps of the layers; of a run that was stopped, with the channels that were not reached weighing nothing."""
        if not problem.layers and _is_quantised(problem.model):
            raise MethodError(
                f"{self.title} weighs the activations of layers, and those of a quantised model are integers: explain the model "
                "as it was before it was quantised. Methods that look at the output alone explain this one: occlusion, rise."
            )
        layers = fitting(problem, self.title)
        maps: dict[str, Tensor] = {}
        passes = Passes()
        refusals: dict[str, str] = {}
        warnings: list[str] = []
        scores: Tensor | None = None
        for layer, is_read in _offered(problem, layers, passes):
            copies = Copies(problem, self.name, channels_of(layer)[0], self.batch_size)

            def shown(activation: Tensor, weights: Tensor, layer: Layer = layer) -> Any:
                return on_input(
                    {layer.name: self._map(activation, weights, layer)}, [layer.name], problem.inputs, self.title
                )

            with problem.view([layer]) as view:
                try:
                    if self.removes and not is_read:  # nothing falls, but by rounding
                        scores, (activation, _) = view.scores(problem.inputs), view.activation(problem.inputs)
                        weights = scores.new_zeros(len(scores), copies.total)
                    else:
                        scores, activation, weights = self._weights(problem, view, layer, copies, shown)
                except LayerError as error:
                    if problem.named is not None:
                        raise
                    refusals[layer.name] = str(error)
                    continue
                finally:
                    passes.add(view.passes)
            maps[layer.name] = self._map(activation, weights, layer)
            if not is_read:
                warnings.append(f"The score reads no position of '{layer.name}' but its class token.")
            warnings += copies.warnings
            if problem.named is None:
                deepest = next(one for one in reversed(layers) if one.name not in refusals)
                if is_read and layer is not deepest:
                    words = f"The score reads no position of '{deepest.name}': the map is that of '{layer.name}'."
                    warnings.insert(0, words)
                break
        if scores is None or not maps:
            raise MethodError(f"{self.title} has no layer to explain. {left_out(refusals)}")
        if refusals:
            warnings.append(left_out(refusals))
        order = [layer.name for layer in sorted(layers, key=lambda one: one.index)]
        return Maps(on_input(maps, order, problem.inputs, self.title), maps, scores, passes, warnings=tuple(warnings))

    def _map(self, activation: Tensor, weights: Tensor, layer: Layer) -> Tensor:
        found = cam.weighed(cam.as_maps(activation, layer), weights.to(activation))
        return found.clamp_(min=0) if self.relu else found

    @abstractmethod
    def _weights(
        self, problem: Problem, view: View, layer: Layer, copies: Copies, shown: Shown
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Scores of the examples, the layer's output, and the weights of its channels: float[batch channel]."""


@register
@dataclass(frozen=True)
class ScoreCam(_ChannelCam):
    """Score-CAM: channels weighed by the softmax of the scores that the input has where the channel is active.

    Source: Wang et al. 2020, arXiv:1910.01279, algorithm 1.
    """

    name: ClassVar[str] = "score_cam"
    title: ClassVar[str] = "Score-CAM"

    def _weights(
        self, problem: Problem, view: View, layer: Layer, copies: Copies, shown: Shown
    ) -> tuple[Tensor, Tensor, Tensor]:
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

        table = _scored(
            view,
            copies,
            visible,
            batch_size(problem.inputs),
            None,
            lambda sofar: shown(activation, sofar.softmax(dim=1)),
        )
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
    removes: ClassVar[bool] = True

    def _weights(
        self, problem: Problem, view: View, layer: Layer, copies: Copies, shown: Shown
    ) -> tuple[Tensor, Tensor, Tensor]:
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
            outside = others_than_patches(layer)

            def ablate(channels: Tensor) -> Callable[[Tensor], Tensor]:
                def without(output: Tensor) -> Tensor:
                    moved = output.clone().movedim(axis, 1)
                    kept = moved[:, :, outside]  # a class token is no position of the map
                    moved[torch.arange(len(moved)), channels.to(moved.device)] = 0
                    if outside:
                        moved[:, :, outside] = kept
                    return moved.movedim(1, axis)

                return without

            def falling(table: Tensor) -> Tensor:
                return torch.where(table == -torch.inf, 0, scores.to(table)[:, None] - table)

            table = _scored(
                view, copies, lambda tree, rows, channels: tree, batch_size(problem.inputs), ablate,
                lambda sofar: shown(activation, _over_size(falling(sofar), scores)),
            )  # fmt: skip
            falls = falling(table)
        return scores, activation, _over_size(falls, scores)


def _is_quantised(model: nn.Module) -> bool:
    """Whether some module of a model works on integers."""
    return any(".quantized" in type(module).__module__ for module in model.modules())


def _over_size(falls: Tensor, scores: Tensor) -> Tensor:
    """Falls as parts of the scores' size."""
    size = scores.abs().to(falls)[:, None]
    found: Tensor = falls / torch.where(size == 0, 1, size)
    return found


def _offered(problem: Problem, layers: Sequence[Layer], passes: Passes) -> Iterator[tuple[Layer, bool]]:
    """Layers to explain, each with whether the score reads its positions: those that were named, in order.

    Without names those that may be the one to explain, the best first: from the deepest on, the unread last.

    Args:
        problem: with the names that were given, or none.
        layers: those that fit, in order of execution.
        passes: what finding out costs is added.
    """
    if problem.named is not None:
        for layer in layers:
            yield layer, _reads(problem, layer, passes)
        return
    unread = []
    for layer in reversed(layers):
        if _reads(problem, layer, passes):
            yield layer, True
        else:
            unread.append(layer)
    for layer in unread:
        yield layer, False


def _reads(problem: Problem, layer: Layer, passes: Passes) -> bool:
    """Whether the score is another without a layer's positions. Only where there is a class token could it be the same."""
    outside = others_than_patches(layer)
    if not outside:
        return True

    def blank(output: Tensor) -> Tensor:
        without = torch.zeros_like(output)
        without[:, outside] = output[:, outside]
        return without

    with problem.view([layer]) as view:
        try:
            scores, without = view.scores(problem.inputs), view.scores(problem.inputs, change=blank)
        except LayerError:  # which is said where its output is asked for
            return True
        finally:
            passes.add(view.passes)
    return not torch.allclose(scores, without, rtol=1e-6, atol=0, equal_nan=True)


def _scored(
    view: View,
    copies: Copies,
    vary: Callable[[Any, Tensor, Tensor], Any],
    examples: int,
    change: Callable[[Tensor], Callable[[Tensor], Tensor]] | None,
    sofar: Callable[[Tensor], Any],
) -> Tensor:
    """The score of each example with each channel, float64[batch channel]; -infinity where it was not reached."""
    table = torch.full((examples, copies.total), -torch.inf, dtype=torch.float64)

    def work(tree: Any, rows: Tensor, channels: Tensor) -> Tensor:
        return view.scores(tree, rows, examples, None if change is None else change(channels))

    for found, rows, channels in copies.run(view, vary, work, lambda: sofar(table)):
        table[rows, channels] = found.double().cpu()
    return table
