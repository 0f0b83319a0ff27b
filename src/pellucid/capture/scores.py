"""What a model's outputs are: logits, or probabilities already, where its own last step is a softmax or a sigmoid."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, Any

import torch

from pellucid.capture.logits import logits_of
from pellucid.graph.dataflow import tensors_in

if TYPE_CHECKING:
    from torch import Tensor

    from pellucid.graph import Graph
    from pellucid.types import OutputKind, Task

_SOFTMAXES = frozenset({"softmax", "Softmax", "Softmax2d"})
_SIGMOIDS = frozenset({"sigmoid", "Sigmoid", "expit"})
# What changes no number: what it hands on was made before it.
_CARRIES = frozenset(
    ["Identity", "Dropout", "dropout", "Flatten", "flatten", "Unflatten", "reshape", "view", "squeeze", "unsqueeze", "getitem",
     "to", "type", "float", "double", "half", "bfloat16", "cpu", "contiguous", "clone", "detach"]
)  # fmt: skip
# How far a sum may be from 1 by rounding: of float32, and where it is known that the row are probabilities, of bfloat16.
ROUNDED, SHORT_ROUNDED = 1e-4, 2e-2


def is_single(outputs: Tensor) -> bool:
    """Whether there is one number an example, float[batch] or float[batch 1], which stands for two classes; float[] is of one."""
    return outputs.ndim <= 1 or (outputs.ndim == 2 and outputs.shape[1] == 1)


def as_logits(outputs: Tensor) -> Tensor:
    """Logits float[batch class]; a single logit z becomes (0, z)."""
    if not is_single(outputs):
        return outputs
    single = outputs.reshape(-1)
    return torch.stack([torch.zeros_like(single), single], dim=1)


def explained_scores(outputs: Tensor) -> Tensor:
    """What is explained of each class, float[batch class]: its output; of a single output z the classes are (-z, z).

    Of the logits (0, z) the first depends on nothing: what speaks for its class is what speaks against the other.
    """
    if not is_single(outputs):
        return outputs
    single = outputs.reshape(-1)
    return torch.stack([-single, single], dim=1)


def kind_of(output: Any, graph: Graph, task: Task) -> OutputKind:
    """Which of the two a classifier's outputs are, told by their values and by what made them.

    Probabilities of classes lie between 0 and 1 and add up to one. A single number between 0 and 1, or one a class where
    several are true, may be a logit as well: these are probabilities where the graph ends in a sigmoid.

    Args:
        output: what the model gave for some examples.
        graph: of the model.
        task: what it answers.

    Raises: ModelError: there are no scores in the output.
    """
    if task not in ("classification", "multilabel"):
        return "logits"
    outputs = logits_of(output)
    if not outputs.is_floating_point():
        return "logits"
    rows = outputs.detach().double().reshape(len(outputs), -1)
    if not bool(((rows >= 0) & (rows <= 1 + SHORT_ROUNDED)).all()):
        return "logits"
    last = _last_operations(graph, next((place for place, one in enumerate(tensors_in(output)) if one is outputs), 0))
    if task == "multilabel" or rows.shape[1] == 1:
        return "probabilities" if last and last <= _SIGMOIDS else "logits"
    return "probabilities" if sum_to_one(rows, SHORT_ROUNDED if last and last <= _SOFTMAXES else ROUNDED) else "logits"


def sum_to_one(outputs: Tensor, slack: float = ROUNDED) -> bool:
    """Whether every row of several numbers lies between 0 and 1 and adds up to one."""
    if outputs.ndim != 2 or outputs.shape[1] < 2:
        return False
    rows = outputs.detach().double()
    return bool(((rows >= 0) & (rows <= 1 + slack)).all() and ((rows.sum(1) - 1).abs() <= slack).all())


def class_scores(outputs: Tensor, kind: OutputKind) -> Tensor:
    """The model's own number of each class, float[batch class]; of a single probability p both, (1 - p, p)."""
    if kind == "logits" or not is_single(outputs):
        return as_logits(outputs)
    single = outputs.reshape(-1)
    return torch.stack([1 - single, single], dim=1)


def log_scores(outputs: Tensor, kind: OutputKind, task: Task, dtype: torch.dtype = torch.float32) -> Tensor:
    """Numbers whose softmax, or sigmoids where several classes are true, are the model's probabilities; differentiable.

    A probability of 0 is taken for the smallest that its type holds, one of 1 for the largest below 1.

    Args:
        outputs: as the model gave them.
        kind: what they are.
        task: "classification" or "multilabel"; outputs of another stay as they are.
        dtype: of the result.
    """
    limits = torch.finfo(outputs.dtype) if outputs.is_floating_point() else torch.finfo(dtype)
    wide = outputs.to(dtype)
    if task == "classification":
        scores = class_scores(wide, kind)
        return scores if kind == "logits" else scores.clamp(min=limits.tiny).log()
    if kind == "logits":
        return wide
    inside = wide.clamp(limits.tiny, 1 - limits.eps)
    return inside.log() - torch.log1p(-inside)


def _last_operations(graph: Graph, place: int) -> set[str]:
    """The operations that made one of the tensors that come out, seen through all that only hands it on."""
    incoming = defaultdict(list)
    for edge in graph.edges:
        if graph.nodes[edge.target].operation != "output" or edge.argument == place:
            incoming[edge.target].append(edge.source)
    waiting = [node.id for node in graph.nodes if node.operation == "output"]
    found: set[str] = set()
    for id_ in waiting:  # grows while it is walked
        for source in incoming[id_]:
            operation = graph.nodes[source].operation
            if operation not in _CARRIES:
                found.add(operation)
            elif source not in waiting:
                waiting.append(source)
    return found
