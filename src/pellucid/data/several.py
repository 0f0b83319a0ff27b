"""Sets of classes that came as one 0 or 1 a class, as losses of several true classes want them, as the sets that they are."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from pellucid.data.wrapped import Wrapped
from pellucid.errors import DataError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from pellucid.data import Source
    from pellucid.types import Batch, Example


def set_targets(source: Source) -> Source:
    """The same examples with sets as targets: 1 for one class and 0 for the others is the set of that one.

    A later target that is no set raises a DataError.
    """
    return source if isinstance(source, _Sets) else _Sets(source)


def set_of(soft: NDArray[np.float64] | Sequence[float], name: str) -> frozenset[int]:
    """The one class of a label that gives it all. Raises: DataError: it is spread over classes."""
    label = np.asarray(soft)
    if label.max() != 1:
        raise DataError(
            f"The target of {name} is a soft label, but others are sets of classes, one 0 or 1 a class. Give all as sets or all as "
            "probabilities that sum to 1."
        )
    return frozenset([int(label.argmax())])


class _Sets(Wrapped):
    """A source whose targets are sets of classes."""

    def example(self, row: int) -> Example:
        example = self.inner.example(row)
        if example.soft is not None:
            return replace(example, target=None, soft=None, classes=set_of(example.soft, example.id))
        _refuse_class(example.target, example.id)
        return example

    def batches(self, batch_size: int, *, start: int = 0) -> Iterator[Batch]:
        for batch in self.inner.batches(batch_size, start=start):
            yield as_sets(batch)


def as_sets(batch: Batch) -> Batch:
    """A batch with sets alone as targets. Raises: DataError: one is no set."""
    sets = list(batch.sets or (None,) * len(batch))
    for place, name in enumerate(batch.ids):
        if batch.soft is not None and not np.isnan(batch.soft[place]).any():
            sets[place] = set_of(batch.soft[place], name)
        elif batch.targets is not None and sets[place] is None:
            target = batch.targets[place].item()
            _refuse_class(None if target == -1 or target != target else target, name)
    return replace(batch, targets=None, soft=None, sets=tuple(sets))


def _refuse_class(target: float | None, name: str) -> None:
    if target is not None:
        raise DataError(f"The target of {name} is {target:g}, but others are sets of classes. Give it as a set too.")
