"""A sample of labelled examples that can be gone through again and again, in memory that does not grow with it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
from numpy.typing import NDArray

from pellucid.data import Source, check_targets, collate
from pellucid.errors import DataError
from pellucid.measures.labels import check_fits, multi_hot
from pellucid.types import Batch, Tree

if TYPE_CHECKING:
    from torch import Tensor, nn

    from pellucid.landscape import Labelled, Objective

# Inputs up to so many bytes are kept; beyond that they are read anew each time.
KEPT = 256 * 1024**2


class Chosen(Protocol):
    """How the sample is chosen and cut."""

    @property
    def limit(self) -> int:
        """Examples at most."""

    @property
    def batch_size(self) -> int:
        """Examples a forward."""

    @property
    def seed(self) -> int:
        """Of the choice."""


class LabelledExamples:
    """Iterating gives batches on the model's device, always the same, of nearly the same size.

    Attributes:
        objective: what an example costs.
        batches: how many there are.
        targets: id -> target of each.
        notes: what was left out.
    """

    def __init__(self, model: nn.Module, source: Source, objective: Objective, chosen: Chosen, device: str) -> None:
        """Reads the labels.

        Raises: DataError: no example has a label, or one that the model has no output for. ForwardError.
        """
        self.objective = objective
        self._source, self._device = source, device
        self._outputs = self._width(model)
        self._held: list[Labelled | None] = []
        rows = _sample(source, chosen.limit, chosen.seed)
        self.targets: dict[str, int | float | None] = {}
        known = [row for row in rows.tolist() if self._has_label(row)]
        self.notes = []
        if len(known) < len(rows):
            self.notes.append(f"{len(rows) - len(known):,} of {len(rows):,} examples have no label, and are left out.")
        if len(known) < 2:
            raise DataError(
                f"{source.source} has {len(known)} labelled examples in the sample; the loss needs 2 or more."
            )
        number = -(-len(known) // chosen.batch_size)
        self._rows = [part.tolist() for part in np.array_split(np.array(known), number)]
        self._count = len(known)
        self._held = [None] * number
        self._room = KEPT

    def __len__(self) -> int:
        return self._count

    @property
    def batches(self) -> int:
        """How many batches there are."""
        return len(self._rows)

    def __iter__(self) -> Iterator[Labelled]:
        import torch

        from pellucid.capture import to_device
        from pellucid.landscape import Labelled

        place = torch.device(self._device)
        for index, rows in enumerate(self._rows):
            kept = self._held[index]
            if kept is None:
                batch = collate([self._source.example(row) for row in rows], 0)
                check_targets(batch, self._outputs)
                check_fits(self.objective.loss, self.objective.task, soft=batch.soft is not None)
                kept = Labelled(batch.inputs, self._targets(batch))
                size = _bytes(batch.inputs)
                if size <= self._room:
                    self._room -= size
                    self._held[index] = kept
            yield Labelled(to_device(kept.inputs, place, copy=True), kept.targets.to(place))

    def _width(self, model: nn.Module) -> int:
        import torch

        from pellucid.capture import apply, preserved, to_device

        first = collate([self._source.example(0)], 0)
        with preserved(model), torch.no_grad():
            output = apply(model, to_device(first.inputs, torch.device(self._device)))
        self.objective = self.objective.handed(output)
        outputs = self.objective.outputs(output)
        return outputs.shape[1] if outputs.ndim == 2 else 1

    def _has_label(self, row: int) -> bool:
        example = self._source.example(row)
        target = example.target
        if self.objective.task == "multilabel":
            known = example.classes is not None
        else:
            # Of classes -1 is none; of numbers it is one.
            missing = target is None or target != target or (target == -1 and self.objective.task == "classification")
            known = example.soft is not None or not missing
        if known:
            self.targets[example.id] = target
        return known

    def _targets(self, batch: Batch) -> Tensor:
        import torch

        if self.objective.task == "multilabel":
            return torch.from_numpy(multi_hot(batch.sets, self._outputs)[0])
        if self.objective.task == "classification" and batch.soft is not None:
            return torch.from_numpy(self._soft(batch))
        assert batch.targets is not None  # noqa: S101  (every example has a label)
        return batch.targets.double() if self.objective.task == "regression" else batch.targets.long()

    def _soft(self, batch: Batch) -> NDArray[np.float64]:
        """float64[batch class]: soft labels, and all of one class where an example has no soft one."""
        soft = np.array(batch.soft)
        bare = ~np.isfinite(soft).all(axis=1)
        if batch.targets is not None and bare.any():
            soft[bare] = np.eye(self._outputs)[batch.targets.numpy()[bare]]
        return soft


def _sample(source: Source, limit: int, seed: int) -> NDArray[np.int64]:
    """Rows of a random sample without repetition, ascending."""
    try:
        number = len(source)
    except TypeError:
        number = limit  # of unknown length: the first ones
    if number == 0:
        raise DataError(f"{source.source} holds no example.")
    rows = np.random.default_rng(seed).permutation(number)[: min(limit, number)]
    return np.sort(rows).astype(np.int64)


def _bytes(tree: Tree) -> int:
    if isinstance(tree, dict):
        return sum(_bytes(part) for part in tree.values())
    if isinstance(tree, tuple | list):
        return sum(_bytes(part) for part in tree)
    held: Any = tree
    return int(held.numel() * held.element_size())
