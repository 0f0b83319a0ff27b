"""Inputs and targets that came as whole arrays, one row an example."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from pellucid.errors import DataError


class Rows(Sequence[Any]):
    """Whole arrays row by row: of a tuple or a mapping of them a row is the same of their rows."""

    def __init__(self, whole: Any, length: int) -> None:
        self._whole, self._length = whole, length

    def __len__(self) -> int:
        return self._length

    def __getitem__(self, row: Any) -> Any:
        if not 0 <= row < self._length:
            raise IndexError(row)
        return _row(self._whole, row)


def paired(held: Any, target_keys: Sequence[str]) -> Any:
    """Inputs and targets that came as whole arrays, as examples; anything else as it is. Raises: DataError: a table.

    They are a tuple of two, (inputs, targets), whose inputs may be tuples and mappings of arrays, or a mapping of arrays and lists
    with the targets among them.
    """
    import torch
    from torch.utils.data import TensorDataset

    if hasattr(held, "iloc"):
        raise DataError(
            f"A {type(held).__name__} does not say which of its columns are the input. Give (input, target) pairs, such as "
            "TensorDataset(torch.tensor(table[inputs].to_numpy()), torch.tensor(table[target].to_numpy()))."
        )
    if isinstance(held, Mapping):
        lengths = [_length(part) for part in held.values()]
        whole = len(lengths) > 1 and None not in lengths and len(set(lengths)) == 1
        return Rows(held, lengths[0] or 0) if whole and any(key in held for key in target_keys) else held
    if not isinstance(held, tuple) or len(held) != 2 or not _is_array(held[1]):
        return held
    inputs, targets = held
    if not _is_array(inputs):
        length = len(targets) if len(targets.shape) else None
        nested = isinstance(inputs, tuple | list | Mapping) and targets.ndim == 1 and _lengths(inputs) == {length}
        return Rows(held, length or 0) if nested else held
    # One number an input would look like one a target.
    if len(inputs.shape) < 2 or len(targets.shape) != 1 or len(inputs) != len(targets):
        return held
    return TensorDataset(*(torch.as_tensor(one) for one in held))


def _is_array(part: Any) -> bool:
    return hasattr(part, "shape")


def _length(part: Any) -> int | None:
    """Number of rows of an array or list; None where it has none."""
    if isinstance(part, list):
        return len(part)
    return len(part) if _is_array(part) and len(part.shape) else None


def _lengths(tree: Any) -> set[int | None]:
    """Numbers of rows of all arrays of a tree, None where a part has none."""
    if isinstance(tree, Mapping):
        return {length for part in tree.values() for length in _lengths(part)}
    if isinstance(tree, tuple | list):
        return {length for part in tree for length in _lengths(part)}
    return {_length(tree)}


def _row(tree: Any, row: int) -> Any:
    if isinstance(tree, Mapping):
        return {name: _row(part, row) for name, part in tree.items()}
    if isinstance(tree, tuple):
        return tuple(_row(part, row) for part in tree)
    if isinstance(tree, list) and any(_is_array(part) for part in tree):
        return [_row(part, row) for part in tree]
    return tree[row]
