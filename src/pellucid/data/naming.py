"""Classes under the model's names: a folder called "tabby" is class 281 of a network that knows ImageNet."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from pellucid.data.whole import whole_targets
from pellucid.data.wrapped import Wrapped
from pellucid.errors import DataError

if TYPE_CHECKING:
    import pyarrow as pa
    from numpy.typing import NDArray

    from pellucid.data import Source
    from pellucid.types import Batch, Example

_SHOWN = 5


def under_names(source: Source, classes: Sequence[str]) -> Source:
    """The same examples with the model's class indices as targets.

    A data class is a model class where their names are equal but for case, spaces, dashes and underscores; a model's
    name may list synonyms ("tabby, tabby cat"). Where none is found and there are as many, the order says which is which.

    Raises: DataError: some data classes are no classes of the model.
    """
    if source.classes is None or tuple(source.classes) == tuple(classes):
        return source
    exact: dict[str, int] = {}
    indices: dict[str, int] = {}
    for index, name in reversed(list(enumerate(classes))):
        exact[name] = index
        indices.update({plain_name(synonym): index for synonym in [*name.split(","), name]})
    indices.pop("", None)  # names of signs alone ("+", "-") are equal to themselves only
    found = [exact.get(name, indices.get(plain_name(name))) for name in source.classes]
    if not any(index is not None for index in found) and len(classes) == len(source.classes):
        return source
    missing = [name for name, index in zip(source.classes, found, strict=True) if index is None]
    if missing:
        more = f" and {len(missing) - _SHOWN} more" if len(missing) > _SHOWN else ""
        raise DataError(
            f"{source.source} has classes that the model does not have: {', '.join(map(repr, missing[:_SHOWN]))}{more}. "
            f"The model has {len(classes)}: {', '.join(map(repr, classes[:_SHOWN]))}, ... Name the classes as the model "
            "does, or give the model's class names in order of index (--classes FILE)."
        )
    mapping = tuple(index for index in found if index is not None)
    if mapping == tuple(range(len(classes))):
        return source
    return _Renamed(whole_targets(source), tuple(classes), mapping)


def names_in(schema: pa.Schema, target: str) -> tuple[str, ...] | None:
    """Class names that a file's metadata holds: those of Hugging Face's features, or a list called class_names."""
    metadata = schema.metadata or {}
    try:
        features = json.loads(metadata[b"huggingface"])["info"]["features"]
        names = features[target]["names"]
        return tuple(map(str, names))
    except (KeyError, ValueError, TypeError, AttributeError):
        pass
    text = metadata.get(b"class_names", b"").decode("utf-8", "replace")
    return tuple(name.strip() for name in text.split(",")) if text else None


def plain_name(name: str) -> str:
    """A name without case, spaces and signs, by which it is looked up."""
    return "".join(letter for letter in name.casefold() if letter.isalnum())


class _Renamed(Wrapped):
    """A source whose targets are looked up in a mapping."""

    def __init__(self, inner: Source, classes: tuple[str, ...], mapping: tuple[int, ...]) -> None:
        super().__init__(inner)
        self._classes, self._mapping = classes, mapping

    @property
    def classes(self) -> tuple[str, ...]:
        return self._classes

    def example(self, row: int) -> Example:
        example = self.inner.example(row)
        if example.soft is not None:
            example = replace(example, soft=tuple(self._spread(np.array([example.soft]), (example.id,))[0].tolist()))
        if example.classes is not None:
            example = replace(example, classes=self._renamed(example.classes, example.id))
        if example.target is None:
            return example
        self._check(int(example.target), example.id)
        return replace(example, target=self._mapping[int(example.target)])

    def batches(self, batch_size: int, *, start: int = 0) -> Iterator[Batch]:
        import torch

        table = torch.tensor(self._mapping)
        for batch in self.inner.batches(batch_size, start=start):
            targets = batch.targets
            if targets is not None:
                for target, name in zip(targets.tolist(), batch.ids, strict=True):
                    self._check(target, name)
                targets = torch.where(targets >= 0, table[targets.clamp(min=0)], targets)
            soft = None if batch.soft is None else self._spread(batch.soft, batch.ids)
            sets = tuple(self._renamed(classes, name) for classes, name in zip(batch.sets, batch.ids, strict=False))
            yield replace(batch, targets=targets, soft=soft, sets=sets)

    def _spread(self, soft: NDArray[np.float64], ids: Sequence[str]) -> NDArray[np.float64]:
        """Soft labels over the model's classes, those that the data do not have at 0."""
        self._check(soft.shape[1] - 1, ids[0])
        spread = np.zeros((len(soft), len(self.classes)))
        for index, mapped in enumerate(self._mapping[: soft.shape[1]]):
            spread[:, mapped] += soft[:, index]
        spread[np.isnan(soft[:, 0])] = np.nan
        return spread

    def _renamed(self, classes: frozenset[int] | None, name: str) -> frozenset[int] | None:
        if classes is None:
            return None
        self._check(max(classes, default=0), name)
        return frozenset(self._mapping[index] for index in classes)

    def _check(self, target: float, name: str) -> None:
        if target >= len(self._mapping):
            raise DataError(
                f"The label of {name} is {int(target)}, but {self.source} has {len(self._mapping)} classes, 0 to "
                f"{len(self._mapping) - 1}. Correct the label, or the names of the classes."
            )
