"""Images for models that take their channels last, as those of Keras do."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import torch

from pellucid.data.memory import Examples
from pellucid.data.wrapped import Wrapped

if TYPE_CHECKING:
    from torch import nn

    from pellucid.data import Source
    from pellucid.types import Batch, Example

COLOURS = (1, 3, 4)


class ChannelsLast(Wrapped):
    """The images of a folder or a table as float[height width channel]."""

    def example(self, row: int) -> Example:
        """One example."""
        found = self.inner.example(row)
        return replace(found, inputs=_moved(found.inputs, -3))

    def batches(self, batch_size: int, *, start: int = 0) -> Iterator[Batch]:
        """Every example from row `start` on."""
        for batch in self.inner.batches(batch_size, start=start):
            yield replace(batch, inputs=_moved(batch.inputs, -3))


def in_order_for(source: Source, model: nn.Module) -> Source:
    """The source, its images with channels last where the model takes them so; a program's own are as it gives them."""
    taken = last_channels(model)
    if taken is None or isinstance(source, ChannelsLast) or in_memory(source) or not len(source):
        return source
    first = source.example(0).inputs
    fits = isinstance(first, torch.Tensor) and first.ndim == 3 and first.shape[0] == taken != first.shape[2]
    return ChannelsLast(source) if fits else source


def last_channels(model: nn.Module) -> int | None:
    """How many channels a model of Keras takes last; None where it takes no such images."""
    shape: Any = getattr(model, "input_shape", None)
    if isinstance(shape, tuple) and len(shape) == 4 and shape[0] is None and shape[3] in COLOURS:
        return int(shape[3])
    return None


def in_memory(source: Source) -> bool:
    """Whether the examples are a program's own."""
    while isinstance(source, Wrapped):
        source = source.inner
    return isinstance(source, Examples)


def _moved(images: Any, channels: int) -> Any:
    return images.movedim(channels, -1).contiguous()
