"""Classes as whole numbers: those that came in floating point, as losses of single outputs want them, and -100 as no class."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import replace
from typing import TYPE_CHECKING

from pellucid.data.targets import NO_LABEL
from pellucid.data.wrapped import Wrapped
from pellucid.errors import DataError

if TYPE_CHECKING:
    from pellucid.data import Source
    from pellucid.types import Batch, Example


def whole_targets(source: Source) -> Source:
    """The same examples with classes as whole numbers; NaN and -100 are none. A later target that is none raises a DataError."""
    return source if isinstance(source, _Whole) else _Whole(source)


class _Whole(Wrapped):
    """A source whose targets are classes."""

    def example(self, row: int) -> Example:
        example = self.inner.example(row)
        if example.target == NO_LABEL:
            return replace(example, target=None)
        if not isinstance(example.target, float):
            return example
        target = _whole(example.target, example.id)
        return replace(example, target=None if target < 0 else target)

    def batches(self, batch_size: int, *, start: int = 0) -> Iterator[Batch]:
        import torch

        for batch in self.inner.batches(batch_size, start=start):
            targets = batch.targets
            if targets is None or not targets.is_floating_point():
                yield batch if targets is None else replace(batch, targets=targets.where(targets != NO_LABEL, -1))
                continue
            whole = [_whole(target, name) for target, name in zip(targets.tolist(), batch.ids, strict=True)]
            yield replace(batch, targets=torch.tensor(whole))


def _whole(target: float, name: str) -> int:
    """The class, -1 for NaN and -100."""
    if math.isnan(target) or target == NO_LABEL:
        return -1
    if target < 0 or not target.is_integer():
        raise DataError(
            f"The target of {name} is {target:g}, but those that were looked at first were whole numbers and taken for classes. "
            "If the model is a regression, say so: --outputs numbers."
        )
    return int(target)
