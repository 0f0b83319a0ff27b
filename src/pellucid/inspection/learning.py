"""How the layers learn: the gradients of a sample's losses by the parameters, for a record or on demand."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from pellucid.errors import MethodError
from pellucid.types import TOGETHER_CLASS, Batch, LayerGradient, Learning, Observation, OutputKind, Task

if TYPE_CHECKING:
    from torch import Tensor, nn

    from pellucid.capture.per_example import Chunk, Loss, PerExample
    from pellucid.capture.sketch import Sketch
    from pellucid.data import Source
    from pellucid.graph import Graph
    from pellucid.measures.losses import Loss as NamedLoss

# Examples in the sample: a tenth of the time of the sweep's forwards buys so many, within these bounds, and a small model's
# or a few seconds buy LEAST in any case.
MOST, LEAST, FEWEST = 256, 64, 16
SHARE, FORWARDS, SECONDS = 0.1, 1.5, 2.0
# What an example costs, measured on a CPU: its forward by the operations it takes, its gradient five forwards, something for
# each parameter (written, sketched, measured), something at all. Ratios count; the same on every machine, so that the sample is.
PER_OPERATION, PER_PARAMETER, AT_LEAST = 2e-11, 4e-9, 2e-3
# Numbers kept of an example's gradient over all layers, and examples that are collated at once.
KEPT = 1 << 16
SOFT = "Labels are soft: the gradients are of the loss at each label's most probable class."
TOGETHER = 32


def sample_size(examples: int, flops: int | None, parameters: int) -> int:
    """How many examples' gradients are taken.

    Args:
        examples: with targets, in the data.
        flops: of a forward of one; None where not counted.
        parameters: of the model.
    """
    forward = max(PER_OPERATION * (flops or 0), AT_LEAST / 20)
    gradient = 5 * forward + PER_PARAMETER * parameters + AT_LEAST
    bought = int(SHARE * FORWARDS * forward * examples / gradient)
    return min(MOST, max(bought, min(LEAST, int(SECONDS / gradient)), FEWEST))


def rows_to_learn(
    targets: np.ndarray, losses: np.ndarray, task: Task, graph: Graph, seed: int, asked: int | None = None
) -> tuple[list[int], dict[int, int]]:
    """Rows of the sample, and how many examples the data hold of each class.

    Args:
        targets: float64[example], NaN where not known.
        losses: the same.
        task: in a regression all examples are of one class, -1, as where no class has enough to speak for itself.
        graph: of the model, which says what an example costs.
        seed: of the choice.
        asked: how many examples at most; as many as cost a tenth of the sweep if None.
    """
    from pellucid.measures.parameter_gradients import LEAST as EACH
    from pellucid.measures.parameter_gradients import sample

    known = np.isfinite(targets) & np.isfinite(losses)
    classes = np.where(known, np.nan_to_num(targets, nan=-1), -1).astype(np.int64)
    found, counts = np.unique(classes[classes >= 0], return_counts=True)
    most = sample_size(int(known.sum()), graph.flops, graph.parameters) if asked is None else asked
    if task == "regression" or counts.max(initial=0) < EACH:
        return sample(np.where(known, 0, -1), most, seed).tolist(), {TOGETHER_CLASS: int(known.sum())}
    return sample(classes, most, seed).tolist(), {
        int(name): int(count) for name, count in zip(found, counts, strict=True)
    }


def loss_of(task: Task, named: NamedLoss | None = None, kind: OutputKind = "logits") -> Loss:
    """The loss of one example, to be differentiated.

    Args:
        task: decides the loss where none was asked for: the squared error of a regression, else the cross-entropy.
        named: the loss that was asked for.
        kind: what the model's outputs are.

    Raises: MethodError: its derivative is not known.
    """
    import torch

    from pellucid.capture import log_scores, logits_of
    from pellucid.landscape.losses import Objective, on_tensors

    def cross_entropy(outputs: Any, target: Tensor) -> Tensor:
        return torch.nn.functional.cross_entropy(log_scores(logits_of(outputs), kind, "classification"), target)

    def squared_error(outputs: Any, target: Tensor) -> Tensor:
        numbers = logits_of(outputs).reshape(-1)
        wide = numbers.to(torch.promote_types(numbers.dtype, torch.float32))
        return (wide - target.to(wide.dtype)).square().sum()

    if named is None or named.plain or named.spec == "squared-error":
        return squared_error if task == "regression" else cross_entropy
    if on_tensors(named) is None:
        raise MethodError(
            f"Gradients by the parameters need the derivative of the loss, which is not known of {named.name}, a loss of your own. "
            "Give one of those by name (--loss focal) to see how the layers learn by it."
        )
    objective = Objective(named, task, kind)

    def asked_for(outputs: Any, target: Tensor) -> Tensor:
        return objective.losses(objective.outputs(outputs), target).sum()

    return asked_for


@dataclass
class Learner:
    """Observes gradients by the parameters, layer by layer; a chunk of whole gradients is held at a time.

    Args:
        capture: holds the model open.
        graph: of the model, for the order of its modules.
        population: class -> how many examples of the data are of it.
        seed: of the sketch.

    Attributes:
        layers: path of a module -> its parameters and how many values each has, in order of execution.
    """

    capture: PerExample
    graph: Graph
    population: dict[int, int]
    seed: int
    layers: dict[str, dict[str, int]] = field(init=False)

    def __post_init__(self) -> None:
        from pellucid.capture.sketch import Sketch

        self._nodes: dict[str, int] = {}
        for node in self.graph.nodes:
            if node.kind == "module":
                self._nodes.setdefault(node.path, node.id)
        self._unread = set(self.graph.unused)
        parameters = dict(self.capture.model.named_parameters())
        owned: dict[str, dict[str, int]] = {}
        for name in self.capture.names:
            owned.setdefault(module_of(name), {})[name] = parameters[name].numel()
        last = len(self.graph.nodes)
        self.layers = dict(sorted(owned.items(), key=lambda item: self._nodes.get(item[0], last)))
        self._sketch: Sketch = Sketch(self.layers, KEPT, self.seed)
        self._weights = {
            layer: float(sum(float(parameters[name].detach().double().square().sum()) for name in parts)) ** 0.5
            for layer, parts in self.layers.items()
        }

    @property
    def kept(self) -> dict[str, int]:
        """Path of a module -> numbers kept of an example."""
        return self._sketch.kept

    def observe(self, batch: Batch) -> Iterator[Observation]:
        """What there is to see of some examples, all of which have targets, a chunk at a time.

        Raises: MethodError, ForwardError.
        """
        if batch.targets is None:
            return
        for chunk in self.capture.of(batch.inputs, batch.targets):
            places = range(chunk.start, chunk.start + len(chunk))
            yield Observation(
                stage="learn",
                batch=Batch(
                    start=0,
                    ids=tuple(batch.ids[place] for place in places),
                    inputs=(),
                    targets=batch.targets[chunk.start : chunk.start + len(chunk)],
                    rows=tuple(batch.row(place) for place in places),
                ),
                losses=chunk.losses.cpu(),
                learning=Learning(
                    layers={layer: self._layer(chunk, index, layer) for index, layer in enumerate(self.layers)},
                    population=self.population,
                    way=self.capture.way,
                    why=self.capture.why,
                    frozen=self.capture.frozen,
                    notes=tuple(dict.fromkeys([*self.capture.notes, *([SOFT] if batch.soft is not None else [])])),
                ),
            )
            del chunk  # whole gradients, which must not lie beside the next ones

    def _layer(self, chunk: Chunk, index: int, layer: str) -> LayerGradient:
        import torch

        parts = self.layers[layer]
        squares = torch.zeros(len(chunk), dtype=torch.float64)
        for name in parts:
            gradient = chunk.gradients[name].reshape(len(chunk), -1).float()
            squares += torch.linalg.vector_norm(gradient, dim=1).double().square().cpu()
        return LayerGradient(
            index=index,
            node=self._nodes.get(layer),
            parameters=sum(parts.values()),
            read={name: size for name, size in parts.items() if name not in self._unread},
            weight_norm=self._weights[layer],
            squares=squares,
            sketch=self._sketch.of(layer, chunk.gradients),
        )


def module_of(parameter: str) -> str:
    """The module that owns a parameter, looking through torch's parametrizations."""
    return (
        parameter.split(".parametrizations.")[0] if ".parametrizations." in parameter else parameter.rpartition(".")[0]
    )


def batches_of(source: Source, rows: Sequence[int]) -> Iterator[Batch]:
    """Examples by row, a few together; one at a time where they differ in shape."""
    from dataclasses import replace

    from pellucid.data import collate
    from pellucid.errors import DataError

    for start in range(0, len(rows), TOGETHER):
        some = rows[start : start + TOGETHER]
        examples = [source.example(row) for row in some]
        try:
            yield replace(collate(examples, 0), rows=tuple(some))
        except DataError:
            for row, example in zip(some, examples, strict=True):
                yield replace(collate([example], 0), rows=(row,))


def learn(
    model: nn.Module,
    source: Source,
    graph: Graph,
    rows: Sequence[int],
    population: dict[int, int],
    task: Task,
    *,
    device: str,
    seed: int,
    loss: NamedLoss | None = None,
    kind: OutputKind = "logits",
) -> Iterator[tuple[Observation, PerExample]]:
    """Observations of a sample, each with the capture, whose `passes` say what was spent so far.

    Raises: MethodError: the model has no parameter gradients, in words. ForwardError.
    """
    from pellucid.capture.per_example import PerExample

    with PerExample(model, loss_of(task, loss, kind), device=device) as capture:
        learner = Learner(capture, graph, population, seed)
        for batch in batches_of(source, rows):
            for seen in learner.observe(batch):
                yield seen, capture
