"""Operators that were asked before: what one returns without values depends on the forms of its arguments alone."""

from __future__ import annotations

import math
from functools import lru_cache
from typing import Any, NamedTuple, TypeAlias

import torch
from torch import Tensor

META = torch.device("meta")
_Key: TypeAlias = tuple[Any, ...]
# Values that a key holds as they are; of others the type too, since 1, 1.0 and True are equal and not the same.
_PLAIN = frozenset({"Fake", "Parameter", "Tensor"})
DIRECT = frozenset({int, str, type(None), torch.dtype, torch.layout, torch.memory_format, torch.device})


class Form(NamedTuple):
    """What a tensor looks like."""

    size: torch.Size
    stride: tuple[int, ...]
    dtype: torch.dtype

    def tensor(self) -> Tensor:
        """One without values, over memory of its own."""
        return torch.empty_strided(self.size, self.stride, dtype=self.dtype, device=META)


class Look:
    """How a tensor looks; one object for all that look alike, so that it stands for its contents in a key.

    Attributes:
        size, stride, dtype, device: as torch says them.
        shape: the size as a plain tuple.
        name: the type in words: "float32".
        memory: bytes of its elements.
        floating: whether they are floating-point numbers.
        alone: what a node notes of one such tensor that goes in: shapes and types of all.
    """

    __slots__ = ("alone", "device", "dtype", "floating", "memory", "name", "shape", "size", "stride")

    def __init__(self, size: torch.Size, stride: tuple[int, ...], dtype: torch.dtype, device: torch.device) -> None:
        self.size, self.stride, self.dtype, self.device = size, stride, dtype, device
        self.shape = tuple(size)
        self.name = str(dtype).removeprefix("torch.")
        self.memory = math.prod(self.shape) * dtype.itemsize
        self.floating = dtype.is_floating_point
        self.alone = (self.shape,), (self.name,)


@lru_cache(maxsize=65536)
def look_of(size: torch.Size, stride: tuple[int, ...], dtype: torch.dtype, device: torch.device) -> Look:
    """The look of these."""
    return Look(size, stride, dtype, device)


def is_pure(operator: Any) -> bool:
    """Whether an operator neither writes to nor looks at its arguments' memory from what it returns, by its schema."""
    schema = operator._schema
    return bool(schema.returns) and all(one.alias_info is None for one in (*schema.arguments, *schema.returns))


class Forms:
    """What operators returned in one forward, by the forms of what they were given.

    Kernels for shapes are written in Python for many operators and take up to ten milliseconds; a network asks for the
    same again in every block.
    """

    def __init__(self) -> None:
        self._known: dict[_Key, tuple[type[list[Any]] | type[tuple[Any, ...]] | None, list[Form | None]]] = {}
        self._refused: set[Any] = set()

    def key(self, operator: Any, args: tuple[Any, ...]) -> _Key | None:
        """What the result depends on; None where that is more than forms."""
        if operator in self._refused:
            return None
        parts: list[Any] = [operator]
        return tuple(parts) if all(_describe(one, parts) for one in args) else None

    def made(self, key: _Key | None) -> Any:
        """The result's tensors over new memory, in the container that they came in; None where it is not known."""
        known = self._known.get(key) if key is not None else None
        if known is None:
            return None
        container, forms = known
        tensors = [None if form is None else form.tensor() for form in forms]
        return tensors[0] if container is None else container(tensors)

    def keep(self, key: _Key, result: Any, given: list[Tensor]) -> None:
        """Remembers a result, unless it shares memory with what was given or holds more than plain tensors."""
        places = {tensor.untyped_storage()._cdata for tensor in given}
        items = [result] if type(result) is Tensor else result
        if type(items) not in (list, tuple):
            self._refused.add(key[0])
            return
        forms: list[Form | None] = []
        for one in items:
            if one is None:
                forms.append(None)
                continue
            place = one.untyped_storage()._cdata if type(one) is Tensor and one.layout is torch.strided else None
            if place is None or place in places or one.storage_offset() or one.dtype.is_complex or one.is_neg():
                self._refused.add(key[0])
                return
            places.add(place)
            forms.append(Form(one.size(), one.stride(), one.dtype))
        self._known[key] = None if items is not result else type(items), forms


def _describe(value: Any, parts: list[Any]) -> bool:
    """Adds what the result may depend on; whether that is all."""
    if isinstance(value, Tensor):
        if value.layout is not torch.strided or type(value).__name__ not in _PLAIN:
            return False
        dtype = value.dtype
        parts += (value.size(), value.stride(), dtype)
        return not dtype.is_complex
    kind = type(value)
    if kind in DIRECT:
        parts.append(value)
        return True
    if kind is bool or kind is float:
        parts += (kind, value)
        return True
    if kind is list or kind is tuple:
        parts += (kind, len(value))
        return all(_describe(one, parts) for one in value)
    return False
