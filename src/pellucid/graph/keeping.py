"""What a model holds beside its parameters' values, saved before it runs and put back after."""

from __future__ import annotations

import collections
import enum
import itertools
import operator
import random
import sys
import types
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import lru_cache
from typing import Any

import torch
from torch import nn

_DICTS = (dict, collections.OrderedDict)
_LISTS = (list, set, collections.deque)
# What has attributes of its own that are none of a model's state, or is saved elsewhere.
_CLOSED = (
    torch.Tensor, nn.Module, type, types.ModuleType, types.FunctionType, types.MethodType, types.BuiltinFunctionType,
    enum.Enum, BaseException,
)  # fmt: skip
# So many things that modules keep are looked into; a model that holds a whole data set is not copied.
_MOST = 50_000


class Kept:
    """What modules keep: buffers, hooks, which may take themselves away once they were called, and every other attribute
    (a cache, a counter, the last activations), with what lists, dictionaries and sets in them hold; of what those hold in turn,
    and plain objects, the tensors; and the state of random generators among all these.

    Only tensors further in, for a module may hold what is not its own, such as a logger or whoever trains it.
    """

    def __init__(self, modules: Sequence[nn.Module]) -> None:
        self._own = [vars(module) for module in modules]
        self._names = [[*own] for own in self._own]
        self._values: list[Any] = [value for own in self._own for value in own.values()]
        # Nearly all are empty (hooks, of every module a dozen): no copy is needed to know that.
        self._empty: list[Any] = []
        self._held: list[tuple[Any, Any]] = []
        self._within: list[tuple[Any, Any]] = []
        self._generators: list[tuple[Callable[[Any], object], Any]] = []
        seen = set(map(id, self._own))
        values: Iterable[Any] = self._looked_into(self._values, seen, self._held)
        while values:
            values = self._looked_into(values, seen, self._within)

    def _looked_into(self, values: Iterable[Any], seen: set[int], saved: list[tuple[Any, Any]]) -> list[Any]:
        """Saves what values hold. Returns: what is held in turn."""
        kinds = {kind: _kind_of(kind) for kind in set(map(type, values))}

        def of(wanted: _Kind) -> Iterator[Any]:
            types_ = frozenset(kind for kind, one in kinds.items() if one is wanted)
            return itertools.compress(values, map(types_.__contains__, map(type, values))) if types_ else iter(())

        within: list[Any] = []
        holders = [*of(_Kind.HOLDER)]
        if saved is self._held:
            self._empty += [one for one in holders if not one]
        for held in [one for one in holders if one or saved is not self._held]:
            if _is_new(held, seen):
                saved.append((held, held.copy()))
                within.extend(held.values() if isinstance(held, _DICTS) else held)
        for value in of(_Kind.OBJECT):
            held = vars(value)
            if _is_new(held, seen):
                self._within.append((held, held.copy()))
                within.extend(held.values())
        for value in of(_Kind.TUPLE):
            within.extend(value)
        for value in of(_Kind.GENERATOR):
            if _is_new(value, seen):
                self._generators.append(_state(value))
        return within

    def restore(self) -> None:
        """Puts back what has changed."""
        for held, before in self._held:
            _put_back(held, before)
        for held, before in self._within:
            _put_tensors_back(held, before)
        if any(self._empty):
            for one in self._empty:
                one.clear()
        for put, state in self._generators:
            put(state)
        if not self._as_it_was():
            self._put_attributes_back()

    def _as_it_was(self) -> bool:
        values: list[Any] = []
        for own, names in zip(self._own, self._names, strict=True):
            if [*own] != names:
                return False
            values.extend(own.values())
        return len(values) == len(self._values) and all(map(operator.is_, values, self._values))

    def _put_attributes_back(self) -> None:
        begun = 0
        for own, names in zip(self._own, self._names, strict=True):
            kept = dict(zip(names, self._values[begun : begun + len(names)], strict=True))
            begun += len(names)
            for name in own.keys() - kept.keys():
                del own[name]
            for name, value in kept.items():
                if name not in own or own[name] is not value:
                    own[name] = value


class _Kind(enum.Enum):
    """How a value of a type is looked into."""

    CLOSED = enum.auto()
    HOLDER = enum.auto()
    TUPLE = enum.auto()
    OBJECT = enum.auto()
    GENERATOR = enum.auto()


@lru_cache(4096)
def _kind_of(kind: type) -> _Kind:
    if issubclass(kind, (*_DICTS, *_LISTS)):
        return _Kind.HOLDER
    if issubclass(kind, tuple):
        return _Kind.TUPLE
    if issubclass(kind, (torch.Generator, random.Random)) or _of_numpy(kind):
        return _Kind.GENERATOR
    return _Kind.OBJECT if kind.__dictoffset__ and not issubclass(kind, _CLOSED) else _Kind.CLOSED


def _is_new(held: Any, seen: set[int]) -> bool:
    """Whether it was not looked into yet, and there is still room to."""
    if id(held) in seen or len(seen) > _MOST:
        return False
    seen.add(id(held))
    return True


def _of_numpy(kind: type) -> bool:
    numpy = sys.modules.get("numpy")
    return numpy is not None and issubclass(kind, (numpy.random.Generator, numpy.random.RandomState))


def _state(generator: Any) -> tuple[Callable[[Any], object], Any]:
    """How to put back the state of a random generator, and that state."""
    if isinstance(generator, torch.Generator):
        return generator.set_state, generator.get_state()
    if isinstance(generator, random.Random):
        return generator.setstate, generator.getstate()
    if hasattr(generator, "bit_generator"):
        source = generator.bit_generator
        return lambda state: setattr(source, "state", state), source.state
    return generator.set_state, generator.get_state()


def _put_back(held: Any, before: Any) -> None:
    if isinstance(held, list | collections.deque):
        if len(held) != len(before) or not all(map(operator.is_, held, before)):
            held.clear()
            held.extend(before)
    elif isinstance(held, dict):
        if [*held] != [*before] or not all(map(operator.is_, held.values(), before.values())):
            held.clear()
            held.update(before)
    else:
        held.intersection_update(before)
        held.update(before)


def _put_tensors_back(held: Any, before: Any) -> None:
    """The same where tensors came or went, or what holds some; numbers and all else stay as they are now."""
    if not isinstance(held, dict):
        if any(map(_holds_tensors, held)) or any(map(_holds_tensors, before)):
            _put_back(held, before)
        return
    if len(held) == len(before) and all(map(operator.is_, held.values(), before.values())):
        return
    for key, value in list(held.items()):
        was = before.get(key)
        if was is not value and (_holds_tensors(value) or _holds_tensors(was)):
            if key in before:
                held[key] = was
            else:
                del held[key]
    for key, value in before.items():
        if key not in held and _holds_tensors(value):
            held[key] = value


def _holds_tensors(value: Any) -> bool:
    """Whether it is a tensor, or a container of which one is an item."""
    if isinstance(value, torch.Tensor):
        return True
    if isinstance(value, dict):
        value = list(value.values())
    return isinstance(value, (*_LISTS, tuple)) and any(isinstance(one, torch.Tensor) for one in list(value))
