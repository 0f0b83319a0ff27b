"""Inputs as data give them, as the tree of tensors that a model is given."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from pellucid.data.signature import Signature
from pellucid.errors import DataError

_NUMBERS = int | float


def value_of(part: Any) -> Any:
    """A number of NumPy as one of Python; anything else as it is."""
    return part.item() if isinstance(part, np.generic) and not part.shape else part


def is_number(part: Any) -> bool:
    """Whether it is one number: plain, or the only one of a tensor or array."""
    return isinstance(part, _NUMBERS) or (hasattr(part, "shape") and int(np.prod(tuple(part.shape))) == 1)


def tensors_of(inputs: Any, takes: Signature | None, row: int) -> Any:
    """Inputs as tensors; None and what forward takes as one setting for a whole batch are left as they are.

    Args:
        inputs: a tensor, an array, a list of numbers, or a tuple or mapping of these, of numbers, None and settings.
        takes: of the model that they are given to; None where it is not known.
        row: of the example, for errors.

    Raises: DataError: it is something else.
    """
    if inputs is None or isinstance(inputs, _NUMBERS | str):
        raise _refused(inputs, row)
    places = takes.positional if takes is not None else ()
    settings = takes.settings if takes is not None else frozenset[str]()
    found: Any
    if isinstance(inputs, Mapping):
        found = {str(name): _part(part, str(name) in settings, row, repr(name)) for name, part in inputs.items()}
    elif isinstance(inputs, tuple | list) and inputs and not _is_numbers(inputs):
        found = tuple(
            _part(part, any(name in settings for name in places[place : place + 1]), row, f"{place}")
            for place, part in enumerate(inputs)
        )
    else:
        found = _part(inputs, False, row)
    if next(leaves(found), None) is None:
        raise DataError(f"Example {row} holds no tensor, array or number that could be an input.")
    return found


def _part(part: Any, setting: bool, row: int, name: str = "") -> Any:
    import torch

    part = value_of(part)
    if part is None or (setting and isinstance(part, _NUMBERS | str)):
        return part
    if isinstance(part, torch.Tensor):
        return _strided(part, row)
    if isinstance(part, np.ndarray | _NUMBERS) or (isinstance(part, tuple | list) and part and _is_numbers(part)):
        return torch.as_tensor(part)
    if isinstance(part, Mapping):
        return {str(key): _part(inner, False, row, repr(key)) for key, inner in part.items()}
    if isinstance(part, tuple | list) and part:
        return tuple(_part(inner, False, row, f"{name} of {place}") for place, inner in enumerate(part))
    raise _refused(part, row, name)


def _strided(tensor: Any, row: int) -> Any:
    import torch

    if tensor.layout == torch.strided and not tensor.is_nested:
        return tensor
    kind = "nested" if tensor.is_nested else f"sparse ({str(tensor.layout).removeprefix('torch.')})"
    make = "pad it to one size" if tensor.is_nested else "make it dense (.to_dense())"
    raise DataError(f"Example {row} is a {kind} tensor, of which no batch can be made: {make}.")


def _is_numbers(parts: tuple[Any, ...] | list[Any]) -> bool:
    return all(isinstance(part, _NUMBERS) for part in parts)


def _refused(part: Any, row: int, name: str = "") -> DataError:
    what = f"Part {name} of example {row}" if name else f"Example {row}"
    return DataError(
        f"{what} is a {type(part).__name__}; expected a tensor, an array, or a tuple or dict of them. Turn images into tensors "
        "first (a transform of the dataset), and texts into token ids."
    )


def leaves(tree: Any) -> Iterator[Any]:
    """The tensors of a tree, in order."""
    return (end for end in _ends(tree) if hasattr(end, "shape"))


def settings_of(tree: Any) -> Iterator[Any]:
    """What a tree holds beside tensors, in order."""
    return (end for end in _ends(tree) if not hasattr(end, "shape"))


def _ends(tree: Any) -> Iterator[Any]:
    if isinstance(tree, Mapping):
        tree = tuple(tree.values())
    if isinstance(tree, tuple | list):
        for part in tree:
            yield from _ends(part)
    else:
        yield tree


def has_axis_of_one(inputs: Any) -> bool:
    """Whether all inputs of one example begin with an axis of 1, which need not be that of a batch: of one grey image it is not."""
    shapes = [tuple(leaf.shape) for leaf in leaves(inputs)]
    return all(shape[:1] == (1,) for shape in shapes) and (len(shapes) > 1 or len(shapes[0]) != 3)
