"""What a program holds already: Datasets, DataLoaders, lists and iterables of (input, target)."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import islice
from typing import Any

from pellucid.data.batching import in_batches
from pellucid.data.images import picture_of_tensor
from pellucid.data.targets import target_of, written
from pellucid.errors import DataError
from pellucid.record.schema import Preprocessing, Skipped
from pellucid.types import Batch, Example

_INPUT_KEYS = ("input", "inputs", "image", "pixel_values", "x")
# What comes along as a column rather than going into the model.
_SCALARS = str | int | float | bool | None
_TARGET_KEYS = ("target", "label", "labels", "y")


@dataclass
class Examples:
    """Examples that can be asked for by row; see pellucid.data.Source.

    Attributes:
        items: a sequence of anything that `example_of` understands.
    """

    name: str
    source: str
    items: Sequence[Any]
    classes: tuple[str, ...] | None = None
    preprocessing: Preprocessing = field(default_factory=Preprocessing)
    skipped: list[Skipped] = field(default_factory=list)
    limit: int | None = None

    def __len__(self) -> int:
        return len(self.items) if self.limit is None else min(self.limit, len(self.items))

    def example(self, row: int) -> Example:
        """One example. Raises: DataError: there is none, or it is nothing that a model takes."""
        if row >= len(self):
            raise DataError(f"There is no example {row}: {self.source} has {len(self)}.")
        try:
            item = self.items[row]
        except Exception as error:
            raise DataError(f"{self.source} raised {type(error).__name__} at example {row}: {error}.") from error
        return example_of(item, row)

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
            for leaf in _leaves(example.inputs):
                digest.update(leaf.detach().cpu().contiguous().reshape(-1).view(torch.uint8).numpy().tobytes())
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
        for found in islice(self._examples(), row, row + 1):
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
            yield example_of(item, row)


def from_python(examples: object, *, limit: int | None = None, classes: Sequence[str] | None = None) -> Examples:
    """A source of what a program holds.

    Args:
        examples: a Dataset or sequence of items; a DataLoader, whose dataset is visited in its own order, and of that alone what
            a sampler of indices (SubsetRandomSampler) chooses; any iterable of items. An item is (input, target), an Example,
            a mapping with an input and a target, or an input alone.
        limit: at most so many.
        classes: names in order of index; those of the dataset if it has `.classes`.

    Raises: DataError: it is none of these, or empty.
    """
    from torch.utils.data import DataLoader, IterableDataset, Subset

    held: Any = examples
    if isinstance(held, DataLoader):
        chosen = getattr(held.sampler, "indices", None)
        held = held.dataset if chosen is None else Subset(held.dataset, sorted(int(row) for row in chosen))
    held = _paired(held)
    whole = held
    while isinstance(whole, Subset):
        whole = whole.dataset
    own = getattr(held, "classes", getattr(whole, "classes", None))
    names = tuple(map(str, classes)) if classes is not None else tuple(map(str, own)) if isinstance(own, list) else None
    name = type(whole).__name__
    by_row = hasattr(held, "__getitem__") and hasattr(held, "__len__")
    if by_row and not isinstance(held, IterableDataset | Mapping | str | bytes):
        if len(held) == 0:
            raise DataError(f"The {name} is empty: there is nothing to inspect.")
        return Examples(name, name, held, names, limit=limit)
    if not isinstance(held, Iterable) or isinstance(held, Mapping | str | bytes):
        raise DataError(f"Examples must be a Dataset, a DataLoader or an iterable of (input, target); got {name}.")
    if iter(held) is held:
        # It can be visited once only, but an inspection comes back for a closer look: keep what it gives.
        kept = list(islice(held, limit))
        if not kept:
            raise DataError(f"The {name} gave no examples: there is nothing to inspect.")
        return Examples(name, name, kept, names)
    return Iterated(name, name, [], names, limit=limit, again=lambda: iter(held))


def _paired(held: Any) -> Any:
    """Inputs and targets that came as two whole arrays, as examples; anything else as it is. Raises: DataError: a table."""
    import torch
    from torch.utils.data import TensorDataset

    if hasattr(held, "iloc"):
        raise DataError(
            f"A {type(held).__name__} does not say which of its columns are the input. Give (input, target) pairs, such as "
            "TensorDataset(torch.tensor(table[inputs].to_numpy()), torch.tensor(table[target].to_numpy()))."
        )
    if not isinstance(held, tuple) or len(held) != 2 or not all(hasattr(one, "shape") for one in held):
        return held
    shapes = [tuple(one.shape) for one in held]
    # One number an input would look like one a target.
    if len(shapes[0]) < 2 or len(shapes[1]) != 1 or shapes[0][0] != shapes[1][0]:
        return held
    return TensorDataset(*(torch.as_tensor(one) for one in held))


def example_of(item: Any, row: int) -> Example:
    """An item as an example. Raises: DataError: it is nothing that a model takes."""
    if isinstance(item, Example):
        return item if item.media is not None else _pictured(item)
    inputs, target, name, columns = item, None, str(row), {}
    if isinstance(item, Mapping):
        key = next((key for key in _INPUT_KEYS if key in item), None)
        target_key = next((key for key in _TARGET_KEYS if key in item), None)
        if key is not None:
            inputs = item[key]
        elif target_key is not None:
            rest = {other: value for other, value in item.items() if other not in (target_key, "id")}
            inputs = {other: value for other, value in rest.items() if not isinstance(value, _SCALARS)}
            columns = {str(other): value for other, value in rest.items() if isinstance(value, _SCALARS)}
        target = None if target_key is None else item[target_key]
        name = str(item.get("id", row))
    elif isinstance(item, tuple | list) and len(item) == 2:
        inputs, target = item
    one, soft, classes = target_of(target, f"example {row}")
    return _pictured(Example(name, _tensors(inputs, row), one, columns=columns, soft=soft, classes=classes))


def _pictured(example: Example) -> Example:
    return replace(example, media=picture_of_tensor(example.inputs))


def _tensors(inputs: Any, row: int) -> Any:
    import numpy as np
    import torch

    if isinstance(inputs, torch.Tensor):
        return inputs
    if isinstance(inputs, np.ndarray | np.generic):
        return torch.as_tensor(inputs)
    if isinstance(inputs, Mapping):
        return {str(name): _tensors(part, row) for name, part in inputs.items()}
    if isinstance(inputs, tuple | list) and inputs:
        if all(isinstance(part, int | float) for part in inputs):
            return torch.tensor(inputs)
        return tuple(_tensors(part, row) for part in inputs)
    raise DataError(
        f"Example {row} is a {type(inputs).__name__}; expected a tensor, an array, or a tuple or dict of them. Turn "
        "images into tensors first (a transform of the dataset)."
    )


def _leaves(tree: Any) -> Iterator[Any]:
    if isinstance(tree, Mapping):
        tree = tuple(tree.values())
    if isinstance(tree, tuple | list):
        for part in tree:
            yield from _leaves(part)
    else:
        yield tree
