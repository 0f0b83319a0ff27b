"""How strongly each time step moved the score, in recurrent layers and in loops that a forward writes out."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import torch
from torch import Tensor, nn

from pellucid.attribution.methods import Cost, Maps, Method, Problem, register
from pellucid.attribution.trees import numbered
from pellucid.capture import unwrapped
from pellucid.capture.trees import along
from pellucid.errors import MethodError
from pellucid.graph.dataflow import tensors_in

if TYPE_CHECKING:
    from pellucid.graph import Graph, Loop


@register
@dataclass(frozen=True)
class TimeGradients(Method):
    """How strongly each time step moves the score: the length of the gradient at that step, of inputs and hidden states.

    Of token ids, the gradient is that of the embedding they look up. How it falls with the distance to the last step says
    how far back a recurrent network looks, and whether its gradient vanishes or explodes.
    Source: Pascanu, Mikolov & Bengio 2013, arXiv:1211.5063, section 2; Li et al. 2016, arXiv:1506.01066, section 5.
    """

    name: ClassVar[str] = "time_gradients"
    title: ClassVar[str] = "Time-step gradients"
    cost: ClassVar[Cost] = "plain"
    needs_every_layer: ClassVar[bool] = True

    def explain(self, problem: Problem) -> Maps:
        """`.input` is float[batch time] of every input float[batch time feature] or int[batch time].

        Among `.layers` are those with time steps, and of a loop that the forward writes out each call that is made at every
        step, all its steps together under the name of the first: float[batch time].

        Raises: MethodError: the model has no such input, or nothing in it goes from step to step.
        """
        seen, scores = problem.shared()
        steps = {layer.name: _lengths(seen.gradients[layer.name]) for layer in problem.layers if len(layer.shape) == 2}
        over_time = list(_loops(problem))
        for loop in over_time:
            steps.update(_states(loop, problem.graph, seen.gradients))
        recurrent = [name for name, one in unwrapped(problem.model).named_modules() if isinstance(one, nn.RNNBase)]
        if not over_time and not recurrent:
            raise MethodError(
                "Time-step gradients need a recurrent network: nn.RNN, nn.LSTM or nn.GRU, or a loop in the forward that calls "
                "the same weights at every step of the input and reads what the step before it made; this model has none. For "
                "text: token_gradients; for images: saliency."
            )
        if problem.named is not None:
            steps = {name: lengths for name, lengths in steps.items() if name in problem.named}
        warnings = _without_states(recurrent, steps, problem.named)
        whole = along(
            lambda gradient, _: _lengths(gradient) if gradient.ndim == 3 else None, seen.input_gradients, problem.inputs
        )
        if next(tensors_in(whole), None) is None:
            reads = problem.reads()
            by_leaf = {number: _lengths(one.upright(seen.gradients[one.look_up.name])) for number, one in reads.items()}
            whole = numbered(problem.inputs, lambda number, _: by_leaf.get(number))
            warnings += problem.missed(reads)
        if next(tensors_in(whole), None) is None:
            raise MethodError(
                "Time-step gradients need an input of shape (batch, time, feature), or token ids (batch, time) that an "
                f"embedding looks up; got {[tuple(leaf.shape) for leaf in tensors_in(problem.inputs)]}."
            )
        return Maps(whole, steps, scores, warnings=(*warnings, *seen.warnings))


def _without_states(recurrent: Sequence[str], steps: Collection[str], named: Collection[str] | None) -> tuple[str, ...]:
    """Which recurrent layers have no steps to show, in words, where nobody named others."""
    shown = {name.split("#")[0] for name in steps}
    missing = [name or "the model itself" for name in recurrent if name not in shown]
    if named is not None or not missing:
        return ()
    return (
        f"No hidden states of {', '.join(missing)}: its steps do not come second, behind the examples (batch_first=False, or "
        "packed sequences).",
    )


def _loops(problem: Problem) -> Iterator[Loop]:
    """Loops over the time steps of an input, the first of which may stand before the loop."""
    lengths = {leaf.shape[1] for leaf in tensors_in(problem.inputs) if leaf.ndim in (2, 3)}
    for loop in () if problem.graph is None else problem.graph.loops:
        if loop.feeds_back and (loop.steps in lengths or loop.steps + 1 in lengths):
            yield loop


def _states(loop: Loop, graph: Graph | None, gradients: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Of each layer inside a loop, the lengths of its gradients in the order of the steps."""
    if graph is None:
        return {}
    nodes = {node.id: node for node in graph.nodes}
    steps = {call: number for number, calls in enumerate(loop.calls) for call in calls}
    inside: list[list[str]] = [[] for _ in loop.calls]
    for name, gradient in gradients.items():
        at: int | None = graph.by_name[name].id
        while at is not None and at not in steps:
            at = nodes[at].parent
        if at is not None and gradient.ndim == 2:
            inside[steps[at]].append(name)
    if len({len(names) for names in inside}) > 1:
        return {}
    return {
        names[0]: torch.stack([_lengths(gradients[name]) for name in names], dim=1)
        for names in zip(*inside, strict=True)
    }


def _lengths(gradient: Tensor) -> Tensor:
    return gradient.square().sum(-1).sqrt()
