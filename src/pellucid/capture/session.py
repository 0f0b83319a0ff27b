"""A model held open for looking: forward passes with reductions, and one forward and one backward for gradients."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, nullcontext
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, Protocol, Self, runtime_checkable

import torch
from torch import Tensor, nn
from torch.autograd.graph import GradientEdge

from pellucid.capture.arriving import ends_early, nonfinite
from pellucid.capture.call import apply, to_device, unwrapped
from pellucid.capture.functions import CalledFunctions
from pellucid.capture.overwritten import Kept, Rescue
from pellucid.capture.placing import place_of, unfused
from pellucid.capture.preserve import preserved
from pellucid.capture.reached import no_gradient, none_arrives, row_each, transformed, ungraded, unreached
from pellucid.capture.trees import batch_size, gradients_of, with_gradients
from pellucid.capture.writes import Writes
from pellucid.errors import ForwardError, LayerError, MethodError
from pellucid.graph.control_flow import uncompiled
from pellucid.graph.dataflow import mapped, tensors_in
from pellucid.graph.guard import needs_gradients
from pellucid.graph.names import perhaps_first
from pellucid.graph.parts import Parts
from pellucid.types import Layer, Passes, Reduction, Tree


@dataclass(frozen=True)
class Captured:
    """What one call gave. Layers that the forward did not reach, of a model whose path depends on its input, are in none of it.

    Attributes:
        outputs: what the model returned.
        summaries: layer -> reduction -> its small tensors.
        activations, gradients: layer -> tensor; a layer that the score does not depend on has a gradient of zeros. Neither is
            to be written to: a backward may hand back a weight of the model, one tensor twice, or an expanded one.
        input_gradients: d score / d inputs, same tree as the inputs; None on leaves that have none.
        scores: float[batch].
        without: layers that no gradient passes because of where the model runs them, and why in words; they are in none of it.
        warnings: in words, where a gradient is NaN or infinite.
    """

    outputs: Any
    summaries: Mapping[str, Mapping[str, Mapping[str, Tensor]]] = field(default_factory=dict)
    activations: Mapping[str, Tensor] = field(default_factory=dict)
    gradients: Mapping[str, Tensor] = field(default_factory=dict)
    input_gradients: Tree | None = None
    scores: Tensor | None = None
    without: Mapping[str, str] = field(default_factory=dict)
    warnings: tuple[str, ...] = ()


Tap = Callable[[Layer, Tensor], Tensor | None]


@runtime_checkable
class Scored(Protocol):
    """What is entered around an explained forward and wants to see its scores before their backward."""

    def scored(self, scores: Tensor) -> None:
        """Called once a forward, with float[batch] and its gradient graph."""


class Session:
    """Runs a model in evaluation mode and leaves it as it was when the block ends.

        with Session(model, graph.layers) as session:
            seen = session.forward(images, {"mean": mean})

    Args:
        model: any module; wrappers of torch.compile and DataParallel are looked through.
        layers: what to capture; modules by path, functions as "<path>.relu()", later calls with "#2".
        device: where the inputs go; where the model's parameters are if None.

    Raises: OptionError: the device is none that numbers can be right on.
    """

    def __init__(self, model: nn.Module, layers: Sequence[Layer], *, device: str | None = None) -> None:
        self.model = unwrapped(model)
        self.layers = tuple(layers)
        self.passes = Passes()
        self._parts = Parts(self.model)
        self.device = place_of(self._parts.parameters.values(), device)
        self._wanted = {layer.name: layer for layer in self.layers}
        self._stack = ExitStack()
        self._calls: dict[str, int] = {}
        self._path: list[str] = []
        self._tap: Tap | None = None
        self._reached: set[str] = set()
        self._examples = 0
        self._mutated: set[str] = set()
        self._kept: dict[str, Kept] = {}
        self._without: dict[str, str] = {}
        self._differentiates = False
        self._writes = Writes(self._parts)
        self._writing: list[nn.Module] = []
        self._functions = any("()" in layer.name for layer in self.layers)

    def __enter__(self) -> Self:
        self._writing = self._stack.enter_context(preserved(self.model, self._parts))
        try:
            self._stack.callback(self._writes.restore)
            self._hook()
        except BaseException:
            self._stack.close()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._tap = None
        self._stack.close()

    def forward(self, inputs: Tree, reductions: Mapping[str, Reduction] | None = None) -> Captured:
        """One forward without gradients; each reduction is applied to each layer's output while it is fresh.

        Of a model that differentiates in its own forward, as one of forces does by positions, it keeps those that it needs.

        Raises: ForwardError.
        """
        summaries: dict[str, dict[str, Mapping[str, Tensor]]] = {}
        wanted = dict(reductions or {})

        def reduce(layer: Layer, output: Tensor) -> None:
            with torch._C.DisableTorchFunction():  # the reductions' own functions are none of the model's
                summaries[layer.name] = {name: reduction(output, layer) for name, reduction in wanted.items()}

        outputs = self._forward(inputs, reduce if wanted else None)
        return Captured(outputs, summaries)

    def forward_with(self, inputs: Tree, change: Tap) -> Any:
        """One forward without gradients in which captured layers give what `change` makes of their output; its output.

        Raises: ForwardError, LayerError (a layer that was not reached).
        """
        outputs = self._forward(inputs, change)
        missing = next((name for name in self._wanted if name not in self._reached), None)
        if missing is not None:
            raise unreached(missing)
        return outputs

    def explain(
        self,
        inputs: Tree,
        score: Callable[[Any], Tensor],
        within: AbstractContextManager[object] | None = None,
        *,
        input_gradients: bool = True,
    ) -> Captured:
        """One forward and one backward: activations, and gradients of the summed scores by them and by the inputs.

        Args:
            inputs: a tree with a batch axis on every leaf.
            score: from the model's output to float[batch], one number an example; examples must not share a score.
            within: entered around each forward and its score; it may put other rules on their backward.
            input_gradients: whether to go back to the inputs; otherwise the backward ends at the earliest layer.

        Raises: MethodError: nothing in this model has a gradient, or none arrives at the inputs. ForwardError. LayerError.
        """
        with torch.inference_mode(False), unfused(self._parts.modules):
            return self._explain(inputs, score, within or nullcontext(), input_gradients)

    def output(self, name: str) -> Tensor:
        """What a captured layer has given in the forward that `explain` takes the score of; for scores of layers.

        Raises: LayerError: it has not one row an example, or was not reached.
        """
        return row_each(name, self._kept[name].value if name in self._kept else None, self._examples)

    # --- how --------------------------------------------------------------------------------------------------

    def _forward(self, inputs: Tree, tap: Tap | None) -> Any:
        if not self._differentiates:
            try:
                with torch.no_grad():
                    return self._run(to_device(inputs, self.device, copy=True), tap)
            except ForwardError as error:
                if not needs_gradients(error.__cause__):
                    raise
                self._differentiates = True

        def without(layer: Layer, output: Tensor) -> Tensor | None:
            with torch.no_grad():
                return tap(layer, output.detach()) if tap is not None else None

        with torch.inference_mode(False), torch.enable_grad():
            outputs = self._run(to_device(inputs, self.device, copy=True), without)
        return mapped(outputs, lambda tensor: tensor.detach())

    def _explain(
        self,
        inputs: Tree,
        score: Callable[[Any], Tensor],
        within: AbstractContextManager[object],
        input_gradients: bool,
    ) -> Captured:
        # Without the inputs' gradients nothing before the first captured layer has any, and may write in place as always.
        self._prepare_gradients(whole=input_gradients or not isinstance(within, nullcontext))
        activations, leaves, outputs, scores = self._record(inputs, score, within, input_gradients)
        changed = [name for name, one in activations.items() if one.lost]
        if changed:
            # Something wrote into these outputs below what is watched: take copies, from now on and once again.
            self._mutated.update(changed)
            activations, leaves, outputs, scores = self._record(inputs, score, within, input_gradients)
            lost = next((name for name, one in activations.items() if one.lost), None)
            if lost is not None:
                raise LayerError(
                    f"The model overwrites the output of layer '{lost}' in place, past any copy that could be taken of it: "
                    "name other layers."
                )
        kept = {name: one.value for name, one in activations.items()}
        gradients = self._differentiate(scores, [*leaves, *(one.source for one in activations.values())])
        by_input = dict(zip((id(leaf) for leaf in leaves), gradients, strict=False))
        # Where there are ids, the inputs of numbers may be masks, and the score depends on layers from the embedding on.
        count = len(leaves) if len(leaves) == len(list(tensors_in(self._leaf_tree))) else len(gradients)
        if leaves and all(gradient is None for gradient in gradients[:count]):
            raise MethodError(none_arrives(self._without))
        missed = next((name for name, one in zip(kept, gradients[len(leaves) :], strict=True) if one is None), None)
        if missed is not None and ends_early(scores):
            # Without a gradient the score would seem not to depend on what it does.
            raise MethodError(
                f"No gradient of the score arrives at layer '{missed}': an operator behind it has no backward, as those of "
                "quantised models. Methods that need gradients cannot be right on it; explain the model as it was before."
            )
        by_layer = {
            name: torch.zeros_like(tensor) if gradient is None else gradient
            for (name, tensor), gradient in zip(kept.items(), gradients[len(leaves) :], strict=True)
        }
        return Captured(
            outputs=outputs,
            activations={name: tensor.detach() for name, tensor in kept.items()},
            gradients=by_layer,
            input_gradients=gradients_of(self._leaf_tree, by_input),
            scores=scores.detach(),
            without=dict(self._without),
            warnings=nonfinite(by_layer),
        )

    def _prepare_gradients(self, *, whole: bool = True) -> None:
        """Lets gradients pass, through the whole model or from its first captured layer on.

        Raises: MethodError: a parameter or buffer cannot have any.
        """
        buffers = [
            buffer for module in self._parts.modules for buffer in module._buffers.values() if buffer is not None
        ]
        if any(tensor.is_inference() for tensor in (*self._parts.parameters.values(), *buffers)):
            named = (*self._parts.parameters.items(), *self.model.named_buffers())
            name = next(name for name, tensor in named if tensor.is_inference())
            raise MethodError(
                f"'{name}' of the model is an inference tensor, which has no gradients; load the model outside "
                "torch.inference_mode."
            )
        for parameter in self._parts.parameters.values():
            if parameter.requires_grad:
                parameter.requires_grad_(False)
        if whole:
            self._keep_what_is_read()

    def _keep_what_is_read(self) -> None:
        """From here on no module overwrites its input, which a gradient may still need."""
        for module in self._writing:
            module.inplace = False  # type: ignore[assignment]
        self._writing = []

    def _record(
        self,
        inputs: Tree,
        score: Callable[[Any], Tensor],
        within: AbstractContextManager[object],
        input_gradients: bool,
    ) -> tuple[dict[str, Kept], list[Tensor], Any, Tensor]:
        kept: dict[str, Kept] = {}
        self._kept = kept

        def keep(layer: Layer, output: Tensor) -> Tensor | None:
            replaced = None
            self._keep_what_is_read()
            if not torch.is_grad_enabled():
                self._without[layer.name] = ungraded(layer.name)
                return None
            if not output.requires_grad and output.is_floating_point():
                # Nothing before this layer has a gradient (token ids, say): it becomes a leaf of its own.
                output = output.detach().requires_grad_()
                replaced = output.clone()
            elif layer.name in self._mutated:
                replaced = output.clone()
            kept[layer.name] = Kept.of(output)
            return replaced

        self._without.clear()
        leaves: list[Tensor] = []
        self._leaf_tree = to_device(inputs, self.device)
        if input_gradients:
            self._leaf_tree = with_gradients(self._leaf_tree, leaves)
        with torch.enable_grad(), within, Rescue(kept):
            outputs = self._run(to_device(self._leaf_tree, self.device, copy=True), keep)
            scores = score(outputs)
            if isinstance(within, Scored) and scores.requires_grad:
                within.scored(scores)
        self._kept = {}
        if scores.ndim != 1:
            raise MethodError(
                f"A score is one number an example, float[batch]; this one has shape {tuple(scores.shape)}."
            )
        if not scores.requires_grad:
            raise MethodError(no_gradient(tensors_in(self._leaf_tree), self.layers, self._without))
        return kept, leaves, outputs, scores

    def _differentiate(self, scores: Tensor, wanted: list[Tensor | GradientEdge]) -> list[Tensor | None]:
        self.passes.backward += 1
        self.passes.backward_examples += len(scores)
        try:
            return list(torch.autograd.grad(scores.sum(), wanted, allow_unused=True))  # type: ignore[arg-type]  # mixed
        except RuntimeError as error:
            raise MethodError(
                f"The model's backward raised {type(error).__name__}: {error}. Methods that need gradients cannot be "
                "right on it."
            ) from error

    def _run(self, inputs: Tree, tap: Tap | None) -> Any:
        self._calls.clear()
        self._path.clear()
        self._reached.clear()
        self._tap = tap
        self._examples = batch_size(inputs)
        self.passes.forward += 1
        self.passes.forward_examples += self._examples
        with ExitStack() as watching:
            watching.callback(setattr, self, "_tap", None)
            watching.enter_context(self._writes.watched())
            watching.enter_context(uncompiled())
            if tap is not None and self._functions:
                watching.enter_context(CalledFunctions(self, self._wanted))
            return apply(self.model, inputs)

    def _hook(self) -> None:
        watched = perhaps_first(name for name in self._wanted if "()" not in name)
        for module in self._parts.modules:
            path = self._parts.paths[id(module)]
            if self._functions:
                module.register_forward_pre_hook(self._entering(path))
            if path in watched:
                module.register_forward_hook(self._capturing(path))
            if self._functions:
                module.register_forward_hook(self._leaving(), always_call=True)

    def _entering(self, path: str) -> Callable[..., None]:
        return lambda module, arguments: self._path.append(path)

    def _leaving(self) -> Callable[..., None]:
        def leave(module: nn.Module, arguments: object, output: object) -> None:
            if self._path:
                self._path.pop()

        return leave

    def _capturing(self, path: str) -> Callable[..., object]:
        def capture(module: nn.Module, arguments: object, output: Any) -> object:
            return self.reach(path, output)

        return capture

    def reach(self, name: str, output: Any) -> Any:
        """Counts a call of a module or function and hands its output to the tap; returns what replaces the output."""
        if self._tap is None:
            return None
        self._calls[name] = self._calls.get(name, 0) + 1
        call = self._calls[name]
        layer = self._wanted.get(name if call == 1 else f"{name}#{call}")
        if layer is None:
            return None
        tensor, rebuild = _main_tensor(output)
        if torch._C._functorch.is_functorch_wrapped_tensor(tensor):
            self._without[layer.name] = transformed(layer.name)
            return None
        self._reached.add(layer.name)
        replaced = self._tap(layer, tensor)
        return None if replaced is None else rebuild(replaced)

    @property
    def inside(self) -> str:
        """Path of the module whose forward is running."""
        return self._path[-1] if self._path else ""


def _main_tensor(output: Any) -> tuple[Tensor, Callable[[Tensor], Any]]:
    """The tensor that stands for a layer's output, and how to put another in its place."""
    if isinstance(output, Tensor):
        return output, lambda tensor: tensor
    if isinstance(output, tuple) and output and isinstance(output[0], Tensor):
        rest = output[1:]
        return output[0], lambda tensor: (tensor, *rest)
    raise LayerError(f"A layer's output must be a tensor or a tuple that begins with one; got {type(output).__name__}.")
