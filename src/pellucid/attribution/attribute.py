"""`pellucid.attribute`: maps of the input and of any layer, all methods from the same passes."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal, NoReturn, overload

import torch
from torch import Tensor, nn

from pellucid.attribution.cam import grad_cam, no_cam
from pellucid.attribution.layers import by_module, shaped, traced
from pellucid.capture import Captured, Session, as_logits, logits_of
from pellucid.errors import ForwardError, LayerError, MethodError, TargetError
from pellucid.graph.dataflow import tensors_in
from pellucid.types import Layer, Passes, Tree

Method = Literal["saliency", "gradient_x_input", "grad_cam"]
Target = int | Sequence[int] | Tensor | Literal["prediction"] | Callable[[Any], Tensor]

METHODS: tuple[Method, ...] = ("saliency", "gradient_x_input", "grad_cam")


@dataclass(frozen=True)
class Attribution:
    """What one score depended on, by one method.

    Attributes:
        method: its name.
        input: same tree and shapes as the inputs; None on leaves without gradient (token ids).
        layers: by name. Saliency and gradient x input have the shape of the layer's output; Grad-CAM is
            float[batch height width].
        scores: float[batch], the explained output (a logit).
        passes: what all methods of the call cost together.
        warnings: in words, what is wrong with the map.
    """

    method: str
    input: Any
    layers: Mapping[str, Tensor]
    scores: Tensor
    passes: Passes
    warnings: tuple[str, ...] = ()


@overload
def attribute(  # type: ignore[overload-overlap]  # a str is a sequence of str too; the first that fits is meant
    model: nn.Module, inputs: Tree, target: Target, method: str = "saliency", layers: Sequence[str] | None = None
) -> Attribution: ...
@overload
def attribute(
    model: nn.Module, inputs: Tree, target: Target, method: Sequence[str], layers: Sequence[str] | None = None
) -> dict[str, Attribution]: ...
def attribute(
    model: nn.Module,
    inputs: Tree,
    target: Target,
    method: str | Sequence[str] = "saliency",
    layers: Sequence[str] | None = None,
) -> Attribution | dict[str, Attribution]:
    """Explains a score of each example by its input and by the model's layers, in one forward and one backward.

        maps = pellucid.attribute(model, images, target=3, method=["saliency", "grad_cam"])
        maps["grad_cam"].layers["layer4"]

    Args:
        model: any module; left as it was.
        inputs: a tree of tensors with a batch axis: a tensor, a tuple (positional) or a dict (by name).
        target: one class index for all, one an example, "prediction", or a function from the output to float[batch].
        method: "saliency" (|gradient|, Simonyan et al. 2014), "gradient_x_input" (Shrikumar et al. 2016) or
            "grad_cam" (Selvaraju et al. 2017); a list of them for a dict by name, from the same passes.
        layers: names of modules or functions; every captured layer that the method fits if None.

    Returns: the attribution. Grad-CAM's `.input` is the map of the deepest layer that can have one, interpolated to the
        input's height and width and repeated over its channels.
    Raises: MethodError: no such method, or it cannot be right here. TargetError. LayerError. ForwardError.
    """
    methods = [method] if isinstance(method, str) else list(method)
    unknown = [one for one in methods if one not in METHODS]
    if unknown:
        raise MethodError(f"There is no method '{unknown[0]}'. Methods: {', '.join(METHODS)}.")
    chosen, seen, passes = _explained(
        model, inputs, lambda output: _scores(output, target), layers, "grad_cam" in methods
    )
    moved = _detached(inputs)
    found: dict[str, Attribution] = {}
    for one in sorted(methods, key="saliency".__eq__):
        if one == "saliency":
            # It comes last: it needs no activations, whose memory is free then, and makes its maps of the gradients.
            seen = replace(seen, activations={})
        found[one] = _one(one, seen, moved, chosen, passes)
    return found[method] if isinstance(method, str) else {one: found[one] for one in methods}


def _explained(
    model: nn.Module, inputs: Tree, score: Callable[[Any], Tensor], names: Sequence[str] | None, cam: bool
) -> tuple[tuple[Layer, ...], Captured, Passes]:
    """The layers, what was captured of them, and what it cost."""
    plain = None if names is None else by_module(model, names)
    if plain is not None:
        try:
            with Session(model, plain) as session:
                seen = session.explain(inputs, score)
        except (LayerError, MethodError):
            pass  # the graph knows better what is wrong
        else:
            whole = shaped(model, plain, seen)
            if whole is not None and not (cam and any(map(no_cam, whole))):
                return whole, seen, session.passes
    graph = traced(model, inputs)
    if graph.error is not None:
        _fail(model, inputs, graph.error)
    chosen = graph.layers if names is None else tuple(graph.layer(name) for name in names)
    if names is not None and cam:
        _refuse_cam(chosen, graph.layers)
    with Session(model, chosen) as session:
        return chosen, session.explain(inputs, score), session.passes


def _one(method: str, seen: Captured, inputs: Any, layers: Sequence[Layer], passes: Passes) -> Attribution:
    if method == "saliency":
        whole = _mapped(lambda gradient, _: gradient.abs(), seen.input_gradients, inputs)
        maps = {layer.name: seen.gradients[layer.name].abs_() for layer in layers}
    elif method == "gradient_x_input":
        whole = _mapped(lambda gradient, value: gradient * value.to(gradient.device), seen.input_gradients, inputs)
        maps = {layer.name: seen.gradients[layer.name] * seen.activations[layer.name] for layer in layers}
    else:
        fitting = [layer for layer in layers if no_cam(layer) is None]
        if not fitting:
            raise MethodError(
                "Grad-CAM needs a layer with an activation of shape (batch, channel, height, width) or a square grid of "
                "tokens; this model has none."
            )
        maps = {
            layer.name: grad_cam(seen.activations[layer.name], seen.gradients[layer.name], layer) for layer in fitting
        }
        deepest = next(name for name in reversed(list(seen.activations)) if name in maps)
        whole = _mapped(lambda gradient, _: _stretched(maps[deepest], gradient), seen.input_gradients, inputs)
        _refuse_flat(whole, seen.input_gradients)
    if seen.scores is None:
        raise MethodError("No score was computed.")
    return Attribution(method, whole, maps, seen.scores, passes, seen.warnings)


def _stretched(cam: Tensor, like: Tensor) -> Tensor | None:
    """A map at the input's resolution, on every channel; None where the input has no height and width."""
    if like.ndim != 4:
        return None
    wide = nn.functional.interpolate(cam[:, None], size=like.shape[2:], mode="bilinear", align_corners=False)
    return wide.expand_as(like)


def _refuse_flat(maps: Any, gradients: Any) -> None:
    """Refuses inputs that have gradients but none of which has a height and width."""
    flat = next(tensors_in(gradients), None)
    if flat is not None and next(tensors_in(maps), None) is None:
        raise MethodError(
            f"Grad-CAM's map of the input needs an input of shape (batch, channel, height, width); got {tuple(flat.shape)}."
        )


def _fail(model: nn.Module, inputs: Tree, reason: str) -> NoReturn:
    """Runs a model that could not be traced once more, so that its own error is the cause of ours."""
    with Session(model, ()) as session:
        session.forward(inputs)
    raise ForwardError(f"The model raised in its own forward, once and not a second time: {reason}.")


def _scores(output: Any, target: Target) -> Tensor:
    if callable(target) and not isinstance(target, Tensor):
        return target(output)
    logits = as_logits(logits_of(output))
    if logits.ndim != 2:
        raise TargetError(
            f"The model's output has shape {tuple(logits.shape)}, not (batch, class): give target as a function from the "
            "output to one score an example."
        )
    if isinstance(target, str):
        if target != "prediction":
            raise TargetError(
                f"target must be a class index, a list of them, 'prediction' or a function; got '{target}'."
            )
        index = logits.argmax(dim=1)
    elif isinstance(target, int):
        index = torch.full((len(logits),), target, device=logits.device)
    else:
        index = torch.as_tensor(target, device=logits.device).long()
        index = index.expand(len(logits)) if index.ndim == 0 else index.reshape(-1)
        if len(index) != len(logits):
            raise TargetError(f"One target an example is needed: got {len(index)} targets for {len(logits)} examples.")
    if int(index.min()) < 0 or int(index.max()) >= logits.shape[1]:
        wrong = next(int(one) for one in index if not 0 <= int(one) < logits.shape[1])
        raise TargetError(
            f"There is no class {wrong}: the model has {logits.shape[1]} outputs, 0 to {logits.shape[1] - 1}."
        )
    return logits.gather(1, index[:, None])[:, 0]


def _refuse_cam(chosen: Sequence[Layer], captured: Sequence[Layer]) -> None:
    for layer in chosen:
        reason = no_cam(layer)
        if reason is not None:
            fitting = ", ".join(other.name for other in captured if no_cam(other) is None) or "none"
            raise LayerError(
                f"Grad-CAM needs an activation of shape (batch, channel, height, width); layer '{layer.name}' gave "
                f"{('batch', *layer.shape)}: {reason}. Layers that fit: {fitting}."
            )


def _mapped(function: Callable[[Tensor, Tensor], Tensor | None], gradients: Any, inputs: Any) -> Any:
    """Applies a function to the leaves of two trees; leaves without gradient stay None."""
    if isinstance(gradients, Tensor):
        return function(gradients, inputs)
    if isinstance(gradients, dict):
        return {name: _mapped(function, part, inputs[name]) for name, part in gradients.items()}
    if isinstance(gradients, tuple | list):
        parts = [_mapped(function, part, value) for part, value in zip(gradients, inputs, strict=True)]
        return tuple(parts) if isinstance(gradients, tuple) else parts
    return None


def _detached(tree: Any) -> Any:
    if isinstance(tree, Tensor):
        return tree.detach()
    if isinstance(tree, dict):
        return {name: _detached(part) for name, part in tree.items()}
    if isinstance(tree, tuple):
        return tuple(_detached(part) for part in tree)
    return [_detached(part) for part in tree] if isinstance(tree, list) else tree
