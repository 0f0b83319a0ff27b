"""One look at a sample of data: what the model answers, its features, and the inputs made small."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from itertools import islice
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from pellucid.data import Source, collate
from pellucid.errors import DataError

if TYPE_CHECKING:
    from torch import Tensor, nn

    from pellucid.capture import Session
    from pellucid.graph import Graph
    from pellucid.types import Batch, Example, Media, OutputKind

Hear = Callable[[int, int], None]

# Inputs are made this small for the probe that looks at them without the model.
SMALL = 16
WIDEST = 4096


@dataclass
class Sample:
    """Examples of one source, and what the model makes of them.

    Attributes:
        rows: int64[example], of the source.
        targets: int64[example], classes of the source; -1 where there is none.
        logits: float32[example class].
        features: float32[example feature]; None where the model has no linear head.
        pixels: float32[example value], the inputs made small; None where they are no plain numbers.
        sets: whether the labels are sets of classes, of which there are then no targets.
        kind: what the model's outputs are; of probabilities the logits are their logarithms.
    """

    source: Source
    rows: NDArray[np.int64]
    ids: list[str]
    targets: NDArray[np.int64]
    logits: NDArray[np.float32]
    features: NDArray[np.float32] | None
    pixels: NDArray[np.float32] | None
    media: list[Media | None] = field(default_factory=list)
    sets: bool = False
    kind: OutputKind = "logits"

    def __len__(self) -> int:
        return len(self.rows)

    @property
    def whole(self) -> bool:
        """Whether the inputs are whole numbers."""
        import torch

        first = self.source.example(int(self.rows[0])).inputs
        return isinstance(first, torch.Tensor) and not first.is_floating_point()

    @property
    def answers(self) -> NDArray[np.int64]:
        """int64[example]: the model's most probable class, -1 where its output is not finite."""
        return answers_of(self.logits)

    @property
    def finite(self) -> NDArray[np.bool_]:
        """bool[example]: whether output, features and inputs are."""
        every = [one for one in (self.logits, self.features, self.pixels) if one is not None]
        found: NDArray[np.bool_] = np.all([np.isfinite(one).all(1) for one in every], axis=0)
        return found

    def only(self, chosen: NDArray[np.bool_]) -> Sample:
        """These examples alone."""
        if chosen.all():
            return self
        return Sample(
            self.source,
            self.rows[chosen],
            [one for one, kept in zip(self.ids, chosen, strict=True) if kept],
            self.targets[chosen],
            self.logits[chosen],
            None if self.features is None else self.features[chosen],
            None if self.pixels is None else self.pixels[chosen],
            [one for one, kept in zip(self.media, chosen, strict=True) if kept],
            self.sets,
            self.kind,
        )


def answers_of(logits: NDArray[np.float32]) -> NDArray[np.int64]:
    """int64[example]: the most probable class of float32[example class], -1 where one of them is not finite."""
    whole = np.isfinite(logits)
    return np.where(whole.all(1), np.where(whole, logits, 0).argmax(1), -1)


def right_among(sample: Sample, targets: NDArray[np.int64], classes: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Whether the model answers each example rightly if it may name no other classes: bool[example].

    Args:
        sample: whose outputs are looked at; an example whose output is not finite is no right answer.
        targets: int64[example], classes of the model.
        classes: int64[class], those that it may name, each target among them.
    """
    right: NDArray[np.bool_] = classes[answers_of(sample.logits[:, classes])] == targets
    return right & (sample.answers >= 0)


def rows_of(source: Source, limit: int, seed: int) -> NDArray[np.int64]:
    """Rows of a random sample without repetition, ascending. Raises: DataError: there is no example."""
    try:
        number = len(source)
    except TypeError:  # of unknown length: the first ones
        number = sum(len(batch) for batch in _first(source, limit))
    if number == 0:
        raise DataError(f"{source.source} holds no example.")
    rows = np.random.default_rng(seed).permutation(number)[: min(limit, number)]
    return np.sort(rows).astype(np.int64)


def _first(source: Source, limit: int) -> Iterator[Batch]:
    """Batches of one example until there are enough."""
    return islice(source.batches(1), limit)


def batches_of(source: Source, rows: NDArray[np.int64], size: int) -> Iterator[tuple[list[Example], Batch]]:
    """The examples of these rows, collated."""
    for start in range(0, len(rows), size):
        examples = [source.example(int(row)) for row in rows[start : start + size]]
        yield examples, collate(examples, 0)


def head_of(model: nn.Module, graph: Graph, outputs: int) -> tuple[str, str]:
    """Path of the linear layer that gives the outputs, as many as the model itself gives, and in words why there is none.

    Behind it stands no other layer that computes with weights: one of the same width further in holds no classes.
    """
    from torch import nn

    modules = dict(model.named_modules())
    before = _before_layers(graph)
    for node in reversed(graph.nodes):
        module = modules.get(node.path) if node.kind == "module" and node.id not in before else None
        if isinstance(module, nn.Linear) and module.out_features == outputs:
            return node.path, ""
        if isinstance(module, nn.Conv2d) and module.out_channels == outputs and module.kernel_size == (1, 1):
            return node.path, ""
    told = f"{outputs} outputs" if outputs != 1 else "one output"
    return "", f"no linear layer of this model gives its {told}, so that it has no features to look at"


def _before_layers(graph: Graph) -> set[int]:
    """Ids of the calls whose output goes into a layer, a product or a convolution, directly or through others."""
    sources: dict[int, list[int]] = {}
    for edge in graph.edges:
        sources.setdefault(edge.target, []).append(edge.source)
    waiting = [node.id for node in graph.nodes if node.role == "compute"]
    before: set[int] = set()
    while waiting:
        new = [one for one in sources.get(waiting.pop(), ()) if one not in before]
        before.update(new)
        waiting += new
    return before


def looked_at(
    session: Session,
    source: Source,
    rows: NDArray[np.int64],
    head: str,
    batch_size: int,
    hear: Hear,
    kind: OutputKind = "logits",
) -> Sample:
    """Runs the model once over a sample.

    Raises: DataError: a target beyond what the source's classes are, or a number of floating point; ForwardError.
    """
    from pellucid.capture import log_scores, logits_of
    from pellucid.capture.inputs import inputs_watched

    logits: list[NDArray[np.float32]] = []
    features: list[NDArray[np.float32]] = []
    pixels: list[NDArray[np.float32] | None] = []
    targets: list[NDArray[np.int64]] = []
    ids: list[str] = []
    media: list[Media | None] = []
    sets = False
    with inputs_watched(session, [head] if head else []) as seen:
        for examples, batch in batches_of(source, rows, batch_size):
            outputs = logits_of(session.forward(batch.inputs).outputs).detach().to("cpu")
            logits.append(log_scores(outputs, kind, "classification").numpy())
            if head:
                features.append(pooled(seen[head], len(batch)))
            pixels.append(made_small(batch.inputs))
            ids.extend(batch.ids)
            targets.append(_classes(batch, source))
            sets = sets or any(one is not None for one in batch.sets)
            media.extend(example.media for example in examples)
            hear(len(ids), len(rows))
    small = [one for one in pixels if one is not None]
    if source.classes is not None:
        _check(targets, len(source.classes), source)
    elif outputs.ndim < 2 or outputs.shape[1] == 1:
        _check_one_output(targets, source)
    return Sample(
        source,
        rows,
        ids,
        np.concatenate(targets),
        np.concatenate(logits),
        np.concatenate(features) if features else None,
        np.concatenate(small) if len(small) == len(pixels) else None,
        media,
        sets,
        kind,
    )


def pooled(given: Tensor, examples: int) -> NDArray[np.float32]:
    """float32[example feature]: what goes into the head, averaged over positions where it has some."""
    signal = given.detach().to("cpu").float()
    if len(signal) != examples and signal.ndim == 2 and len(signal) % examples == 0:
        signal = signal.reshape(examples, -1, signal.shape[1])  # positions that were laid beside the examples
    if signal.ndim == 4:  # before a convolution of one pixel: float[batch channel height width]
        signal = signal.mean((2, 3))
    elif signal.ndim > 2:
        signal = signal.flatten(1, -2).mean(1)
    found: NDArray[np.float32] = signal.reshape(len(signal), -1).numpy()
    return found


def is_bytes(inputs: Any) -> bool:
    """Whether these are images of whole numbers from 0 to 255: uint8[example channel height width]."""
    import torch

    return isinstance(inputs, torch.Tensor) and inputs.ndim == 4 and inputs.dtype == torch.uint8


def made_small(inputs: Any) -> NDArray[np.float32] | None:
    """float32[example value]: images averaged down to a few pixels, other numbers as they are; None of what is not numbers."""
    import torch
    from torch.nn import functional

    if not isinstance(inputs, torch.Tensor) or not (inputs.is_floating_point() or is_bytes(inputs)):
        return None
    signal = inputs.detach().to("cpu").float()
    if signal.ndim == 4 and max(signal.shape[2:]) > SMALL:
        signal = functional.adaptive_avg_pool2d(signal, (min(SMALL, signal.shape[2]), min(SMALL, signal.shape[3])))
    flat: NDArray[np.float32] = signal.flatten(1).numpy()
    return flat if flat.shape[1] <= WIDEST else None


def _classes(batch: Batch, source: Source) -> NDArray[np.int64]:
    """The classes of a batch's targets, -1 where an example has none. Raises: DataError: they are the numbers of a regression."""
    if batch.targets is None or batch.sets:
        return np.full(len(batch), -1, np.int64)
    if batch.targets.is_floating_point():
        known = batch.targets.isfinite()
        broken = batch.targets[known & ((batch.targets != batch.targets.round()) | (batch.targets < 0))]
        if len(broken):
            raise DataError(
                f"The labels of {source.source} are numbers of floating point (such as {float(broken[0]):g}), and a fit is about "
                "classifiers. Give classes as whole numbers, or examples without labels."
            )
        return np.where(known, batch.targets.nan_to_num().numpy(), -1).astype(np.int64)
    return batch.targets.numpy().astype(np.int64)


def _check(targets: list[NDArray[np.int64]], classes: int, source: Source) -> None:
    largest = max((int(one.max(initial=-1)) for one in targets), default=-1)
    if largest >= classes:
        raise DataError(f"{source.source} names {classes} classes, but an example has the target {largest}.")


def _check_one_output(targets: list[NDArray[np.int64]], source: Source) -> None:
    largest = max((int(one.max(initial=-1)) for one in targets), default=-1)
    if largest > 1:
        raise DataError(
            f"The model gives one number, and the labels of {source.source} are whole numbers up to {largest}: that is a "
            "regression, and a fit is about classifiers. Labels of the two classes of one output are 0 and 1."
        )
