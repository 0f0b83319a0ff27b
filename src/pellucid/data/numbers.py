"""Numbers of a regression that came as whole ones, as the numbers that they are."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import TYPE_CHECKING

from pellucid.data.wrapped import Wrapped

if TYPE_CHECKING:
    from pellucid.data import Source
    from pellucid.types import Batch, Example


def number_targets(source: Source) -> Source:
    """The same examples with targets of floating point: -1 is a number then, and NaN where there is none."""
    return source if isinstance(source, _Numbers) else _Numbers(source)


class _Numbers(Wrapped):
    """A source whose targets are numbers."""

    def example(self, row: int) -> Example:
        example = self.inner.example(row)
        return example if example.target is None else replace(example, target=float(example.target))

    def batches(self, batch_size: int, *, start: int = 0) -> Iterator[Batch]:
        for batch in self.inner.batches(batch_size, start=start):
            if batch.targets is None or batch.targets.is_floating_point():
                yield batch
                continue
            targets = batch.targets.double()
            # Among whole numbers -1 stands for none as well: the example itself says which it is.
            for place in (targets == -1).nonzero().reshape(-1).tolist():
                if self.inner.example(batch.start + place).target is None:
                    targets[place] = float("nan")
            yield replace(batch, targets=targets)
