"""Class activation maps as methods: those that need nothing but the shared activations and gradients."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from pellucid.attribution import cam
from pellucid.attribution.methods import Cost, Maps, Method, Problem, register
from pellucid.attribution.products import Products
from pellucid.attribution.sums import Sum, Sums
from pellucid.attribution.targets import class_index
from pellucid.attribution.trees import floating
from pellucid.capture import as_logits, logits_of, unwrapped
from pellucid.capture.trees import along
from pellucid.errors import LayerError, MethodError, ModelError
from pellucid.graph.dataflow import tensors_in
from pellucid.types import Layer

_NAMED = 5


@dataclass(frozen=True)
class _GradientCam(Method):
    """A map of each layer with positions.

    Attributes:
        relu: whether to keep only what speaks for the score.
    """

    cost: ClassVar[Cost] = "plain"
    positions: ClassVar[bool] = True
    needs_input_gradients: ClassVar[bool] = False
    formula: ClassVar[Callable[[Sums], Tensor]]

    relu: bool = True

    def explain(self, problem: Problem) -> Maps:
        """`.input` is the map of the deepest layer whose positions the score reads, stretched, the same on every channel."""
        seen, scores = problem.shared()
        shared = problem.products or Products(seen, self.sums)
        maps = {}
        layers = fitting(problem, self.title)
        for layer in layers:
            found = type(self).formula(shared.sums(layer))
            maps[layer.name] = found.clamp_(min=0) if self.relu else found
        order, unread = list(seen.activations), ""
        if self.reads_gradient:
            order, unread = read_by_score(order, layers, seen.gradients)
        warnings = (*seen.warnings, unread) if unread else seen.warnings
        return Maps(on_input(maps, order, problem.inputs, self.title), maps, scores, warnings=warnings)


@register
@dataclass(frozen=True)
class GradCam(_GradientCam):
    """Grad-CAM: channels weighed by their mean gradient (Selvaraju et al. 2017)."""

    name: ClassVar[str] = "grad_cam"
    title: ClassVar[str] = "Grad-CAM"
    sums: ClassVar[frozenset[Sum]] = frozenset({"slopes"})
    formula: ClassVar[Callable[[Sums], Tensor]] = staticmethod(cam.grad_cam_of)


@register
@dataclass(frozen=True)
class GradCamPlusPlus(_GradientCam):
    """Grad-CAM++: channels weighed by their positive gradients (Chattopadhay et al. 2018)."""

    name: ClassVar[str] = "grad_cam_plus_plus"
    title: ClassVar[str] = "Grad-CAM++"
    sums: ClassVar[frozenset[Sum]] = frozenset({"weights"})
    formula: ClassVar[Callable[[Sums], Tensor]] = staticmethod(cam.grad_cam_plus_plus_of)


@register
@dataclass(frozen=True)
class HiResCam(_GradientCam):
    """HiResCAM: gradient times activation, position by position (Draelos & Carin 2020)."""

    name: ClassVar[str] = "hires_cam"
    title: ClassVar[str] = "HiResCAM"
    sums: ClassVar[frozenset[Sum]] = frozenset({"channels"})
    formula: ClassVar[Callable[[Sums], Tensor]] = staticmethod(cam.hires_cam_of)


@register
@dataclass(frozen=True)
class LayerCam(_GradientCam):
    """LayerCAM: positive gradient times activation, position by position (Jiang et al. 2021)."""

    name: ClassVar[str] = "layer_cam"
    title: ClassVar[str] = "LayerCAM"
    sums: ClassVar[frozenset[Sum]] = frozenset({"rising"})
    formula: ClassVar[Callable[[Sums], Tensor]] = staticmethod(cam.layer_cam_of)


@register
@dataclass(frozen=True)
class XGradCam(_GradientCam):
    """XGrad-CAM: channels weighed by gradient and activation (Fu et al. 2020)."""

    name: ClassVar[str] = "xgrad_cam"
    title: ClassVar[str] = "XGrad-CAM"
    sums: ClassVar[frozenset[Sum]] = frozenset({"product"})
    formula: ClassVar[Callable[[Sums], Tensor]] = staticmethod(cam.xgrad_cam_of)


@register
@dataclass(frozen=True)
class EigenCam(_GradientCam):
    """Eigen-CAM: the first principal direction of the activations, whatever the target (Muhammad & Yeasin 2020)."""

    name: ClassVar[str] = "eigen_cam"
    title: ClassVar[str] = "Eigen-CAM"
    reads_gradient: ClassVar[bool] = False
    sums: ClassVar[frozenset[Sum]] = frozenset({"principal"})
    formula: ClassVar[Callable[[Sums], Tensor]] = staticmethod(cam.eigen_cam_of)


@register
@dataclass(frozen=True)
class Cam(Method):
    """CAM: the class's weights times the maps that a pooled linear head reads (Zhou et al. 2016, arXiv:1512.04150, eq. 2).

    Attributes:
        relu: whether to keep only what speaks for the class; the paper keeps both signs.
    """

    name: ClassVar[str] = "cam"
    title: ClassVar[str] = "CAM"
    reads_gradient: ClassVar[bool] = False
    cost: ClassVar[Cost] = "plain"
    positions: ClassVar[bool] = True
    needs_input_gradients: ClassVar[bool] = False
    needs_every_layer: ClassVar[bool] = True

    relu: bool = False

    def explain(self, problem: Problem) -> Maps:
        """Maps of the layers that the head reads. Raises: MethodError: the head is not a mean and one linear layer."""
        seen, scores = problem.shared()
        head = pooled_head(problem.model, seen.outputs, seen.activations, problem.layers)
        if head is None:
            raise MethodError(
                "CAM needs a head of global average pooling and one linear layer; no layer of this model is read by such a "
                "head. Methods without that condition: grad_cam, hires_cam."
            )
        if problem.goal.unit is not None or (
            callable(problem.goal.target) and not isinstance(problem.goal.target, Tensor)
        ):
            raise MethodError("CAM explains a class: give target as a class index, a list of them or 'prediction'.")
        linear, layers = head
        unread = [name for name in problem.named or () if all(layer.name != name for layer in layers)]
        if unread:
            names = ", ".join(layer.name for layer in layers)
            raise LayerError(
                f"CAM explains layers whose mean the head reads; '{unread[0]}' is not. Layers that fit: {names}."
            )
        if problem.named is not None:
            layers = tuple(layer for layer in layers if layer.name in problem.named)
        index = class_index(as_logits(logits_of(seen.outputs)), problem.goal.target)
        weights = class_weights(linear, index)
        maps = {}
        for layer in layers:
            found = cam.weighed(cam.as_maps(seen.activations[layer.name], layer), weights)
            maps[layer.name] = found.clamp_(min=0) if self.relu else found
        return Maps(
            on_input(maps, list(seen.activations), problem.inputs, self.title), maps, scores, warnings=seen.warnings
        )


def class_weights(linear: nn.Linear, index: Tensor) -> Tensor:
    """The head's weights of each example's class: float[batch channel]; of a single output z, the classes are (-z, z)."""
    weight = linear.weight.detach()
    return weight[0] * (2 * index[:, None].to(weight) - 1) if len(weight) == 1 else weight[index]


def pooled_head(
    model: nn.Module, outputs: Any, activations: Mapping[str, Tensor], layers: tuple[Layer, ...]
) -> tuple[nn.Linear, tuple[Layer, ...]] | None:
    """The linear layer that makes the logits of the mean over positions, and the layers whose mean it reads.

    It is found by its numbers: a head is one if the logits of these very examples come out of it.
    """
    try:
        logits = logits_of(outputs).detach()
    except ModelError:
        return None
    if logits.ndim != 2:
        return None
    for linear in unwrapped(model).modules():
        if not isinstance(linear, nn.Linear) or linear.out_features != logits.shape[1]:
            continue
        found = tuple(
            layer
            for layer in layers
            if cam.no_cam(layer) is None and _reads(linear, cam.as_maps(activations[layer.name], layer), logits)
        )
        if found:
            return linear, found
    return None


def _reads(linear: nn.Linear, maps: Tensor, logits: Tensor) -> bool:
    if maps.shape[1] != linear.in_features or maps.dtype != linear.weight.dtype:
        return False
    with torch.no_grad():
        made = nn.functional.linear(maps.mean(dim=(2, 3)), linear.weight, linear.bias)
    scale = float(logits.abs().max())
    return bool((made - logits).abs().max() <= 1e-4 * scale) if math.isfinite(scale) else False


def fitting(problem: Problem, title: str) -> list[Layer]:
    """The layers of a problem that can have a map. Raises: MethodError: there is none."""
    found = [layer for layer in problem.layers if cam.no_cam(layer) is None]
    if not found:
        raise MethodError(
            f"{title} needs a layer with an activation of shape (batch, channel, height, width), of (batch, height, width, "
            f"channel) or of tokens that are the patches of an image; this model has none{_left_out(problem)}."
        )
    return found


def _left_out(problem: Problem) -> str:
    """Which layers of a model without any that fit would perhaps have fitted, had they one row an example."""
    if problem.graph is None:
        return ""
    unlike = [layer.name for layer in problem.graph.layers if cam.no_cam(layer) is None]
    names = [*(node.name for node in problem.graph.left_out), *unlike]
    more = f" and {len(names) - _NAMED:,} more" if len(names) > _NAMED else ""
    return f" whose first axis is the batch. Layers left out: {', '.join(names[:_NAMED])}{more}" if names else ""


def refuse_cam(title: str, chosen: tuple[Layer, ...], captured: tuple[Layer, ...]) -> None:
    """Refuses the first of the chosen layers that can have no map. Raises: LayerError: with the names of those that can."""
    for layer in chosen:
        reason = cam.no_cam(layer)
        if reason is not None:
            names = ", ".join(other.name for other in captured if cam.no_cam(other) is None) or "none"
            raise LayerError(
                f"{title} needs an activation with a height and a width; layer '{layer.name}' gave "
                f"{('batch', *layer.shape)}: {reason}. Layers that fit: {names}."
            )


def read_by_score(order: list[str], layers: Sequence[Layer], gradients: Mapping[str, Tensor]) -> tuple[list[str], str]:
    """Layers without the deepest ones whose positions the score does not read, and which those are, in words.

    Where a head reads the class token alone, as in most vision transformers, the gradient at the patches is 0 everywhere
    behind the last attention: a map of such a layer is 0, whatever the image.

    Args:
        order: names of layers in order of execution.
        layers: those that have a map.
        gradients: of the score, by layer.
    """
    by_name = {layer.name: layer for layer in layers}
    deepest = [name for name in reversed(order) if name in by_name]
    for at, name in enumerate(deepest):
        if bool(cam.as_maps(gradients[name], by_name[name]).any()):
            if at == 0:
                return order, ""
            words = (
                f"The score reads no position of '{deepest[0]}', its gradient there is 0: the map is that of '{name}'."
            )
            return order[: order.index(name) + 1], words
    return order, f"The score reads no position of '{deepest[0]}', its gradient there is 0, and so is the map."


def on_input(maps: Mapping[str, Tensor], order: list[str], inputs: Any, title: str) -> Any:
    """The deepest layer's map on every input with height and width.

    Args:
        maps: by layer.
        order: names of layers in order of execution.
        inputs: the tree.
        title: of the method.

    Raises: MethodError: no input has a height and width: five tokens of a text are no grid of patches.
    """
    deepest = maps[next(name for name in reversed(order) if name in maps)]
    leaves = floating(inputs)
    whole = along(lambda leaf: stretched(deepest, leaf), leaves)
    flat = next(tensors_in(inputs), None)
    if flat is not None and not any(leaf.ndim == 4 for leaf in tensors_in(inputs)):
        raise MethodError(
            f"{title}'s map of the input needs an input of shape (batch, channel, height, width); got {tuple(flat.shape)}."
        )
    return whole


def stretched(map_: Tensor, like: Tensor) -> Tensor | None:
    """A map at the input's resolution, on every channel; None where the input has no height and width."""
    if like.ndim != 4:
        return None
    wide = nn.functional.interpolate(map_[:, None], size=like.shape[2:], mode="bilinear", align_corners=False)
    return wide.expand_as(like)
