"""Batch normalisation while the weights move: which statistics stand for those of the training."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Literal, TypeAlias

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from pellucid.landscape.weights import Values, called_at
from pellucid.types import Tree

BatchNorm: TypeAlias = Literal["eval", "train", "recalculate"]
_STATISTICS = ("running_mean", "running_var")


@dataclass(frozen=True)
class Labelled:
    """Examples with labels, on the model's device.

    Attributes:
        inputs: the tree with a batch axis on every leaf.
        targets: int64[batch], float64[batch class] or float64[batch].
    """

    inputs: Tree
    targets: Tensor

    def __len__(self) -> int:
        return len(self.targets)


def batch_norms(model: nn.Module) -> dict[str, _BatchNorm]:
    """Path -> each normalisation that keeps statistics of its training."""
    return {
        path: module
        for path, module in model.named_modules()
        if isinstance(module, _BatchNorm) and module.running_mean is not None and module.running_var is not None
    }


@contextmanager
def statistics_of_the_batch(model: nn.Module) -> Iterator[None]:
    """Inside, every batch normalisation takes mean and variance of the batch, and writes them down nowhere."""
    kept = [(module, {name: module._buffers[name] for name in _STATISTICS}) for module in batch_norms(model).values()]
    try:
        for module, buffers in kept:
            module._buffers.update(dict.fromkeys(buffers))
        yield
    finally:
        for module, buffers in kept:
            module._buffers.update(buffers)


@contextmanager
def statistics_instead(model: nn.Module, statistics: Values) -> Iterator[None]:
    """Inside, batch normalisations have these statistics; the model's own come back as the very tensors that they were."""
    kept: list[tuple[_BatchNorm, str, Tensor | None]] = []
    try:
        for path, module in batch_norms(model).items():
            for name in _STATISTICS:
                kept.append((module, name, module._buffers[name]))
                module._buffers[name] = statistics[_named(path, name)]
        yield
    finally:
        for module, name, before in kept:
            module._buffers[name] = before


def recalculated(model: nn.Module, values: Values, batches: Iterable[Labelled]) -> dict[str, Tensor]:
    """Statistics of every batch normalisation at these weights: means over the batches of what each batch has.

    Layers behind a normalisation see what it makes of each batch, as in training.

    Args:
        model: in evaluation mode but for what is set here; its own statistics are not written to.
        values: the weights.
        batches: of two examples or more.

    Returns: name of a buffer -> its new value.
    Source: Izmailov et al. 2018, arXiv:1803.05407, section 3.2 ("batch normalization").
    """
    norms = batch_norms(model)
    fresh: dict[str, Tensor] = {}
    for path, module in norms.items():
        for name in (*_STATISTICS, "num_batches_tracked"):
            own = module._buffers.get(name)
            if own is not None:
                fresh[_named(path, name)] = torch.zeros_like(own)
    before = [(module, module.training, module.momentum) for module in norms.values()]
    try:
        for module, _, _ in before:
            # Without a momentum all batches count the same.
            module.training, module.momentum = True, None
        for batch in batches if norms else ():
            called_at(model, {**values, **fresh}, batch.inputs)
    finally:
        for module, training, momentum in before:
            module.training, module.momentum = training, momentum
    return {name: value for name, value in fresh.items() if not name.endswith("num_batches_tracked")}


def own_statistics(model: nn.Module) -> Mapping[str, Tensor]:
    """Name -> value of the statistics that the model came with."""
    return {
        _named(path, name): buffer
        for path, module in batch_norms(model).items()
        for name in _STATISTICS
        if (buffer := module._buffers[name]) is not None
    }


def _named(path: str, name: str) -> str:
    return f"{path}.{name}" if path else name


@contextmanager
def statistics(model: nn.Module, mode: BatchNorm, batches: Iterable[Labelled]) -> Iterator[None]:
    """Inside, batch normalisations at the model's own weights have the statistics that were asked for."""
    if mode == "train":
        with statistics_of_the_batch(model):
            yield
    elif mode == "recalculate":
        with torch.no_grad():
            found = recalculated(model, {}, batches)
        with statistics_instead(model, found):
            yield
    else:
        yield
