"""The settings of a call that are no tensors, as short text: of a module from what its constructor kept, of a function from
what it was called with.
"""

from __future__ import annotations

import contextlib
import enum
import inspect
from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

if TYPE_CHECKING:
    from torch import nn

LONGEST = 80
MOST = 24
_FEW_DIGITS = 10**18
_USUAL = frozenset({int, bool, float, str, type(None)})
_LEFT_OUT = frozenset({"self", "args", "kwargs", "device", "inplace", "input", "_stacklevel", "training"})


def settings_of(module: nn.Module) -> dict[str, Any]:
    """What a module's constructor took and kept under the same name, and what torch.nn lists as its constants.

    Only plain values are read, and only from the instance itself: no property of a stranger's class runs.
    """
    own = vars(module)
    parts: Mapping[str, Any] = own.get("_parameters") or {}
    if own.get("_buffers"):
        parts = {**parts, **own["_buffers"]}
    settings: dict[str, Any] = {}
    kind: type = type(module)
    for name in _names_of_settings(kind):
        if name in settings or name in _LEFT_OUT:
            continue
        if name in own and _is_plain(own[name]):
            settings[name] = own[name]
        elif name in parts:
            settings[name] = parts[name] is not None
    return settings


def bound(function: Callable[..., Any], args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> dict[str, Any]:
    """What a function was called with that is no tensor, by name where the name is known, else by place."""
    settings: dict[str, Any] = {}
    if len(args) > 1 or (args and not isinstance(args[0], Tensor)):
        names = _names(function, tuple([_kind(value) for value in args])) or ()
        for place, value in enumerate(args):
            if not _is_plain(value) or value is None:
                continue
            name = names[place] if place < len(names) else ""
            if name.startswith("*"):
                settings[name[1:]] = tuple(args[place:])
                break
            if name and place == len(names) - 1 and len(args) > len(names) and isinstance(value, int):
                settings[name] = tuple(args[place:])  # view(2, 3): sizes one by one
                break
            if name not in _LEFT_OUT:
                settings[name or str(place)] = value
    for name, value in kwargs.items():
        if name not in _LEFT_OUT and value is not None and _is_plain(value):
            settings[name] = value
    return settings


def texts(settings: Mapping[str, Any]) -> dict[str, str]:
    """Settings as text that is safe to show: at most `MOST`, each of at most `LONGEST` printable characters."""
    return {_printable(str(name)): text_of(value) for name, value in list(settings.items())[:MOST]}


def text_of(value: object) -> str:
    """One setting as text; the same for the same value on every machine."""
    if value is None or value is True or value is False or (type(value) is int and -_FEW_DIGITS < value < _FEW_DIGITS):
        return str(value)  # nearly all are
    if isinstance(value, str) and not isinstance(value, enum.Enum):
        return _printable(str.__str__(value))
    return _printable(_plain_text(value, 3))


def _plain_text(value: object, depth: int) -> str:
    if isinstance(value, enum.Enum):
        return f"{type(value).__name__}.{value.name}"
    if isinstance(value, bool) or value is None or value is Ellipsis:
        return "..." if value is Ellipsis else str(value)
    if isinstance(value, int):
        return int.__repr__(value)
    if isinstance(value, float):
        return float.__repr__(value)
    if isinstance(value, complex):
        return complex.__repr__(value)
    if isinstance(value, str):
        return ascii(str.__str__(value))
    if isinstance(value, torch.dtype | torch.device | torch.memory_format | torch.layout):
        return str(value).removeprefix("torch.")
    if isinstance(value, slice):
        ends = [value.start, value.stop] + ([] if value.step is None else [value.step])
        return ":".join("" if end is None else _plain_text(end, depth) for end in ends)
    if isinstance(value, Tensor):
        return "tensor"
    if isinstance(value, tuple | list):
        if depth == 0:
            return "..."
        parts = [_plain_text(item, depth - 1) for item in value[:MOST]] + (["..."] if len(value) > MOST else [])
        inside = ", ".join(parts)
        return f"[{inside}]" if isinstance(value, list) else f"({inside}{',' if len(parts) == 1 else ''})"
    return _name_of(value)


def _name_of(value: object) -> str:
    name = getattr(value, "__name__", None) if inspect.isroutine(value) or inspect.isclass(value) else None
    return name if isinstance(name, str) else type(value).__name__


def _is_plain(value: object) -> bool:
    if type(value) in _USUAL:
        return True
    if isinstance(value, Tensor):
        return False
    if isinstance(
        value,
        bool | int | float | complex | str | enum.Enum | torch.dtype | torch.memory_format | torch.layout | slice,
    ):
        return True
    if value is None or value is Ellipsis:
        return True
    if isinstance(value, tuple | list):
        return any(not isinstance(item, Tensor) for item in value[:MOST]) and all(
            isinstance(item, Tensor) or _is_plain(item) for item in value[:MOST]
        )
    return inspect.isroutine(value)


def _printable(text: str) -> str:
    if len(text) <= LONGEST and text.isprintable():
        return text
    safe = "".join(
        character if character.isprintable() else character.encode("unicode_escape", "backslashreplace").decode()
        for character in text[: LONGEST + 1]
    )
    return safe if len(safe) <= LONGEST else safe[: LONGEST - 3] + "..."


@lru_cache(maxsize=4096)
def _names_of_settings(kind: type) -> tuple[str, ...]:
    return (*_constructor(kind), *_constants(kind))


def _constructor(kind: type) -> tuple[str, ...]:
    found: list[str] = []
    for base in kind.__mro__:
        own = vars(base).get("__init__")
        if base is torch.nn.Module or not inspect.isfunction(own):
            continue
        try:
            names = inspect.signature(own).parameters.values()
        except (ValueError, TypeError):
            continue
        found += [name.name for name in names if name.kind not in (name.VAR_POSITIONAL, name.VAR_KEYWORD)]
        if all(name.kind is not name.VAR_KEYWORD for name in names):
            break  # a constructor without **kwargs hands nothing on that it does not name
    return tuple(dict.fromkeys(found))


def _constants(kind: type) -> tuple[str, ...]:
    constants = getattr(kind, "__constants__", ())
    return tuple(str(name) for name in constants) if isinstance(constants, list | tuple) else ()


_FORMS = ("dtype", "device", "layout", "memory_format")  # parameters of operators, and types of torch


def _kind(value: object) -> str:
    """What kind of argument it is, as far as it tells the overloads of an operator apart."""
    if isinstance(value, Tensor):
        return "tensor"
    if isinstance(value, bool):
        return "bool"
    if isinstance(value, int | float | complex):
        return "number"
    if isinstance(value, tuple | list):
        return "tensors" if any(isinstance(item, Tensor) for item in value) else "list"
    if isinstance(value, torch.dtype | torch.device | torch.layout | torch.memory_format):
        return type(value).__name__
    return "text" if isinstance(value, str) else "none" if value is None else "other"


@lru_cache(maxsize=4096)
def _names(function: Callable[..., Any], kinds: tuple[str, ...]) -> tuple[str, ...] | None:
    """Names of a function's parameters in order; of one written in C++ those of the operator of that name."""
    if inspect.isfunction(function):
        with contextlib.suppress(ValueError, TypeError):  # a wrapper of something written in C++ has no signature
            parameters = inspect.signature(function).parameters.values()
            if all(parameter.kind is not parameter.VAR_POSITIONAL for parameter in parameters):
                return tuple(parameter.name for parameter in parameters)
    name = str(getattr(function, "__name__", "")).strip("_")
    packet = getattr(torch.ops.aten, name.removesuffix("_"), None) if name.isidentifier() else None
    if packet is None or name in ("getitem", "setitem"):
        return None
    for overload in packet.overloads():
        arguments = [one for one in getattr(packet, overload)._schema.arguments if not one.kwarg_only]
        if _fits([(one.name, str(one.type)) for one in arguments], kinds):
            return tuple(one.name for one in arguments)
    return None


def _fits(arguments: list[tuple[str, str]], kinds: tuple[str, ...]) -> bool:
    one_by_one = bool(arguments) and arguments[-1][1] in ("List[int]", "List[Optional[int]]", "List[SymInt]")
    if len(kinds) > len(arguments) and not (one_by_one and set(kinds[len(arguments) - 1 :]) == {"number"}):
        return False
    return all(_takes(*argument, kind) for argument, kind in zip(arguments, kinds, strict=False))


def _takes(name: str, wanted: str, kind: str) -> bool:
    if kind == "none":
        return "Optional" in wanted or wanted == "NoneType"
    if kind == "other":
        return False
    if name in _FORMS or kind in _FORMS:
        return name == kind
    return {
        "tensor": wanted in ("Tensor", "Optional[Tensor]"),
        "tensors": "List" in wanted and "Tensor" in wanted,
        "number": any(part in wanted for part in ("number", "int", "float", "Scalar")),
        "bool": "bool" in wanted,
        "list": "List" in wanted and "Tensor" not in wanted,
        "text": "str" in wanted,
    }[kind]
