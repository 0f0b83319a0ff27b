"""What a program holds already: Datasets, DataLoaders, lists and iterables of (input, target)."""

from __future__ import annotations

import copy
import hashlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import islice
from typing import TYPE_CHECKING, Any

from pellucid.data.arrays import Rows, paired
from pellucid.data.batching import in_batches
from pellucid.data.collated import collate_of
from pellucid.data.inputs import leaves, settings_of
from pellucid.data.items import TARGET_KEYS, Reading
from pellucid.data.signature import signature_of
from pellucid.data.targets import written
from pellucid.data.wrapped import Wrapped
from pellucid.errors import DataError
from pellucid.record.schema import Preprocessing, Skipped
from pellucid.types import Batch, Example

if TYPE_CHECKING:
    from torch import nn

    from pellucid.data import Source


@dataclass
class Examples:
    """Examples that can be asked for by row; see pellucid.data.Source.

    Attributes:
        items: a sequence of anything that `reading` understands.
        reading: how an item becomes an example.
    """

    name: str
    source: str
    items: Sequence[Any]
    classes: tuple[str, ...] | None = None
    preprocessing: Preprocessing = field(default_factory=Preprocessing)
    skipped: list[Skipped] = field(default_factory=list)
    limit: int | None = None
    reading: Reading = field(default_factory=Reading)

    def __len__(self) -> int:
        return len(self.items) if self.limit is None else min(self.limit, len(self.items))

    def example(self, row: int) -> Example:
        """One example. Raises: DataError: there is none, or it is nothing that a model takes."""
        return self.reading.example(self.item(row), row)

    def item(self, row: int) -> Any:
        """An example as it was given. Raises: DataError: there is none, or it cannot be had."""
        if row >= len(self):
            raise DataError(f"There is no example {row}: {self.source} has {len(self)}.")
        try:
            return self.items[row]
        except Exception as error:
            raise DataError(f"{self.source} raised {type(error).__name__} at example {row}: {error}.") from error

    def batches(self, batch_size: int, *, start: int = 0) -> Iterator[Batch]:
        """Every example from row `start` on."""
        return in_batches((self.example(row) for row in range(start, len(self))), batch_size, start)

    def fingerprint(self) -> str:
        """SHA-256 over length, the first and the last example; reading all of them would cost a pass."""
        import torch

        digest = hashlib.sha256(f"{self.name} {len(self)}".encode())
        for row in sorted({0, len(self) - 1}) if len(self) else ():
            example = self.example(row)
            digest.update(f"{example.id} {written(example)}".encode())
            for leaf in leaves(example.inputs):
                digest.update(leaf.detach().cpu().contiguous().reshape(-1).view(torch.uint8).numpy().tobytes())
            for setting in settings_of(example.inputs):
                digest.update(repr(setting).encode())
        return digest.hexdigest()


@dataclass
class Iterated(Examples):
    """Examples that can only be iterated, again and again; a row is found by counting."""

    again: Callable[[], Iterable[Any]] = field(default=lambda: ())
    length: int | None = None

    def __len__(self) -> int:
        if self.length is None:
            raise TypeError("the number of examples is not known")
        return self.length if self.limit is None else min(self.limit, self.length)

    def example(self, row: int) -> Example:
        """One example, by iterating up to it."""
        return self.reading.example(self.item(row), row)

    def item(self, row: int) -> Any:
        """An example as it was given, by iterating up to it."""
        for found in islice(self.again(), row, self.limit):
            return found
        raise DataError(f"There is no example {row} in {self.source}.")

    def batches(self, batch_size: int, *, start: int = 0) -> Iterator[Batch]:
        """Every example from row `start` on."""
        return in_batches(islice(self._examples(), start, None), batch_size, start)

    def fingerprint(self) -> str:
        """SHA-256 over the first example."""
        first = next(iter(self._examples()), None)
        if first is None:
            raise DataError(f"{self.source} holds no examples: there is nothing to inspect.")
        return Examples(self.name, self.source, [first]).fingerprint()

    def _examples(self) -> Iterator[Example]:
        for row, item in enumerate(islice(self.again(), self.limit)):
            yield self.reading.example(item, row)


def from_python(examples: object, *, limit: int | None = None, classes: Sequence[str] | None = None) -> Examples:
    """A source of what a program holds.

    Args:
        examples: a Dataset or sequence of items; a DataLoader, whose dataset is visited in its own order, and of that alone what
            a sampler of indices (SubsetRandomSampler) chooses, with its collate_fn for each item alone; whole arrays; any iterable
            of items. An item is (input, target), an Example, a mapping with an input and a target, or an input alone.
        limit: at most so many.
        classes: names in order of index; those of the dataset if it has `.classes`.

    Raises: DataError: it is none of these, or empty.
    """
    from torch.utils.data import DataLoader, IterableDataset, Subset

    held: Any = examples
    collate = None
    if isinstance(held, DataLoader):
        collate = collate_of(held)
        chosen = getattr(held.sampler, "indices", None)
        held = held.dataset if chosen is None else Subset(held.dataset, sorted(int(row) for row in chosen))
    held = paired(held, TARGET_KEYS)
    whole = held
    while isinstance(whole, Subset):
        whole = whole.dataset
    own = getattr(held, "classes", getattr(whole, "classes", None))
    names = tuple(map(str, classes)) if classes is not None else tuple(map(str, own)) if isinstance(own, list) else None
    name = "arrays" if isinstance(whole, Rows) else type(whole).__name__
    reading = Reading(names=names, collate=collate)
    by_row = hasattr(held, "__getitem__") and hasattr(held, "__len__")
    if by_row and not isinstance(held, IterableDataset | Mapping | str | bytes):
        if len(held) == 0:
            raise DataError(f"The {name} is empty: there is nothing to inspect.")
        return Examples(name, name, held, names, limit=limit, reading=reading)
    if not isinstance(held, Iterable) or isinstance(held, Mapping | str | bytes):
        raise DataError(
            f"Examples must be a Dataset, a DataLoader or an iterable of (input, target); got {name}."
            + (
                " Of a dict of whole arrays one entry must be the target, and all must be as long."
                if isinstance(held, Mapping)
                else ""
            )
        )
    if iter(held) is held:
        # It can be visited once only, but an inspection comes back for a closer look: keep what it gives.
        kept = list(islice(held, limit))
        if not kept:
            raise DataError(f"The {name} gave no examples: there is nothing to inspect.")
        return Examples(name, name, kept, names, reading=reading)
    return Iterated(name, name, [], names, limit=limit, reading=reading, again=lambda: iter(held))


def read_for(source: Source, model: nn.Module, classes: Sequence[str] | None = None) -> Source:
    """The same examples, read as they are given to a model: of a mapping what its forward names is its input.

    Args:
        source: any; one that holds no items of a program is returned as it is.
        model: whose forward is called with them.
        classes: names of the model's classes, for targets that are text where the data know no names.
    """
    if isinstance(source, Examples):
        names = source.reading.names or (None if classes is None else tuple(classes))
        return replace(source, reading=replace(source.reading, signature=signature_of(model), names=names))
    if not isinstance(source, Wrapped):
        return source
    found = copy.copy(source)
    found.inner = read_for(source.inner, model, classes)
    return found


def words_about(source: Source) -> str:
    """How the first example of a source was read, for the error of a model that was given it; "" where nothing is to be said."""
    while isinstance(source, Wrapped):
        source = source.inner
    return source.reading.words(source.item(0), 0) if isinstance(source, Examples) else ""
