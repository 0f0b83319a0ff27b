"""Whether torch's functions and layers are torch's own: libraries put others in their place while a process runs.

What a layer calls inside is looked up by name when it runs. A memory of calls holds only while those names stand for what
they stood for, and only for torch's own code, which looks at nothing but its arguments.
"""

from __future__ import annotations

import operator
from collections.abc import Iterator
from pathlib import Path
from types import CodeType, FunctionType, ModuleType
from typing import Any

import torch
from torch import nn

_TORCH = str(Path(torch.__file__).parent)
_CODE = operator.attrgetter("__code__")
_SPACES: tuple[Any, ...] = (torch, torch.functional, nn.functional, nn.init, torch._C._nn, torch.Tensor)


class Originals:
    """What the names that torch's layers and functions use stand for, as it was last seen."""

    def __init__(self) -> None:
        self._kinds: dict[type, tuple[list[Any], bool]] = {}
        self._see()

    def _see(self) -> None:
        used = _names_in_use()
        self._seen: list[tuple[dict[str, Any], list[str], list[Any]]] = []
        functions: list[FunctionType] = []
        self._own = True
        for space in _SPACES:
            held = vars(space)
            names = [name for name in held if name in used and _is_called(held[name])]
            values = [held[name] for name in names]
            self._seen.append((held, names, values))
            functions += [value for value in values if isinstance(value, FunctionType)]
            self._own = self._own and all(map(_is_torch_s, values))
        self._functions = functions
        self._codes = [*map(_CODE, functions)]

    def stand(self) -> bool:
        """Whether every name stands for what it stood for; where not, it is seen anew."""
        same = all(all(map(operator.is_, map(held.get, names), values)) for held, names, values in self._seen) and all(
            map(operator.is_, map(_CODE, self._functions), self._codes)
        )
        if not same:
            self._see()
        return same

    @property
    def own(self) -> bool:
        """Whether all of it is torch's."""
        return self._own

    def layer(self, kind: type) -> bool | None:
        """Whether a class of layers is written by torch; None where that has changed since it was last seen."""
        held = [value for base in kind.__mro__ if base is not nn.Module for value in vars(base).values()]
        known = self._kinds.get(kind)
        if known is not None and len(held) == len(known[0]) and all(map(operator.is_, held, known[0])):
            return known[1]
        own = all(_is_torch_s(value) for value in held if isinstance(value, FunctionType))
        self._kinds[kind] = held, own
        return own if known is None else None


def calls_are_torch_s() -> bool:
    """Whether calling a module runs torch's own code, and nobody's who counts calls, say."""
    calls: tuple[Any, ...] = nn.Module.__call__, nn.Module._call_impl
    return all(map(_is_torch_s, calls))


def _is_called(value: object) -> bool:
    # Aliases of `typing`, which older versions of torch keep among their functions, say that they can be called.
    return callable(value) and not isinstance(value, type) and type(value).__module__ != "typing"


def _is_torch_s(value: Any) -> bool:
    if isinstance(value, FunctionType):
        return value.__code__.co_filename.startswith(_TORCH)
    return type(value).__module__.partition(".")[0] in ("builtins", "torch")


def _names_in_use() -> frozenset[str]:
    """Every name in the code of torch's layers and of its functions for them."""
    names: set[str] = set()
    for place in (nn.functional, torch.functional, torch._tensor, *_modules_of_layers()):
        for value in vars(place).values():
            members = vars(value).values() if isinstance(value, type) else (value,)
            for member in members:
                if isinstance(member, FunctionType):
                    names.update(_names(member.__code__))
    return frozenset(names)


def _modules_of_layers() -> Iterator[ModuleType]:
    for value in vars(nn.modules).values():
        if isinstance(value, ModuleType):
            yield value


def _names(code: CodeType) -> Iterator[str]:
    yield from code.co_names
    for inner in code.co_consts:
        if isinstance(inner, CodeType):
            yield from _names(inner)
