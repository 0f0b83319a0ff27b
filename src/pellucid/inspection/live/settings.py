"""Options of methods as words set them: what each takes and means, read off the method's own class."""

from __future__ import annotations

import inspect
import json
import re
import types
import typing
from collections.abc import Callable
from dataclasses import Field, fields
from typing import TYPE_CHECKING, Any, Literal

import msgspec

from pellucid.errors import OptionError
from pellucid.inspection.live.filling import FILLS, filling
from pellucid.inspection.live.questions import nearest
from pellucid.record.schema import MethodOption

if TYPE_CHECKING:
    from pellucid.attribution import Method

Kind = Literal["flag", "choice", "integer", "number", "extents"]

_WORDED = {("integrated_gradients", "baseline"): tuple(FILLS)}
"""Options that are tensors or functions, which a page names in words."""

_MEANINGS = {
    (
        "integrated_gradients",
        "baseline",
    ): "Where the way begins: at 0 of the prepared input, its channels' means, or a blurred copy.",
    ("lime", "penalty"): "Weight of the lasso's penalty.",
}
"""Of options whose docstring speaks of more than words can set."""

_UNITS = {
    "noise": "of the input's range",
    "tolerance": "of the difference",
    "window": "positions",
    "stride": "positions",
    "cells": "a side",
    "batch_size": "rows",
}


def settable(kind: type[Method]) -> dict[str, Field[Any]]:
    """The options that words can set, by name: not those that are tensors or functions and have no words."""
    hints = typing.get_type_hints(kind)
    listed: dict[str, Field[Any]] = {each.name: each for each in fields(kind)}  # type: ignore[arg-type]
    return {
        name: each
        for name, each in listed.items()
        if (kind.name, name) in _WORDED or _accepted(hints[name]) not in ((), (types.NoneType,))
    }


def described(kind: type[Method]) -> list[MethodOption]:
    """The options of a method, for whoever makes controls of them."""
    hints = typing.get_type_hints(kind)
    meanings = _meanings(kind)
    return [
        _option(kind, name, _accepted(hints[name]), each.default, meanings.get(name, ""))
        for name, each in settable(kind).items()
    ]


def converted(kind: type[Method], given: dict[str, Any]) -> dict[str, Any]:
    """Options as the method takes them. Raises: OptionError: one does not exist, or its value does not fit."""
    hints = typing.get_type_hints(kind)
    known = settable(kind)
    values: dict[str, Any] = {}
    for word, value in given.items():
        if word not in known:
            raise OptionError(f"The method '{kind.name}' has no option {word[:40]!r}.{nearest(word, known)}")
        worded = _WORDED.get((kind.name, word))
        accepted: Any = Literal[worded] if worded else typing.Union[_accepted(hints[word])]  # noqa: UP007 - of a tuple
        try:
            made = msgspec.convert(value, accepted)
        except msgspec.ValidationError as error:
            offered = worded or _choices(_accepted(hints[word]))
            words = f" Words that it takes: {', '.join(offered)}." if offered and isinstance(value, str) else ""
            raise OptionError(f"The option '{word}' of '{kind.name}' does not fit: {error}.{words}") from error
        values[word] = _filled(made) if worded else made
    return values


def _filled(fill: str) -> Callable[[Any], Any] | None:
    """A baseline of that name: a function from the inputs; None for zeros."""
    if fill == "zero":
        return None

    def baseline(inputs: Any) -> Any:
        from pellucid.graph.dataflow import mapped

        return mapped(inputs, lambda leaf: filling(fill, leaf))

    return baseline


def _accepted(hint: Any) -> tuple[Any, ...]:
    """The parts of a type that JSON can hold."""
    parts = typing.get_args(hint) if typing.get_origin(hint) in (typing.Union, types.UnionType) else (hint,)
    return tuple(part for part in parts if part in _PLAIN or typing.get_origin(part) in (Literal, tuple))


_PLAIN = (bool, int, float, str, types.NoneType)


def _option(kind: type[Method], name: str, accepted: tuple[Any, ...], default: Any, meaning: str) -> MethodOption:
    does, unset = _without_unset(meaning)
    does = _MEANINGS.get((kind.name, name), does[:1].upper() + does[1:])
    if (kind.name, name) in _WORDED:
        return MethodOption(name, json.dumps("zero"), "choice", list(_WORDED[kind.name, name]), "", "", does)
    return MethodOption(
        name=name,
        default=json.dumps(default),
        kind=_kind(accepted),
        choices=_choices(accepted),
        unset=(unset or "chosen for you") if types.NoneType in accepted else "",
        unit=_UNITS.get(name, ""),
        does=does,
    )


def _choices(accepted: tuple[Any, ...]) -> list[str]:
    return [str(one) for part in accepted if typing.get_origin(part) is Literal for one in typing.get_args(part)]


def _kind(accepted: tuple[Any, ...]) -> Kind:
    if bool in accepted:
        return "flag"
    if any(typing.get_origin(part) is tuple for part in accepted):
        return "extents"
    if int in accepted:
        return "integer"
    return "number" if float in accepted else "choice"


def _without_unset(meaning: str) -> tuple[str, str]:
    """What an option means, and what stands there where it is None, said apart."""
    found = re.search(r"(?:[.;] )?None for (.+?)(?=[.;]|$)", meaning)
    if found is None:
        return meaning, ""
    rest = (meaning[: found.start()] + meaning[found.end() :]).strip(" ;")
    return rest if rest.endswith(".") or not rest else f"{rest.rstrip(',;')}.", found[1]


def _meanings(kind: type[Method]) -> dict[str, str]:
    """What the docstrings of a class and of those above it say of each option."""
    found: dict[str, str] = {}
    for each in reversed(kind.__mro__):
        text = inspect.cleandoc(each.__doc__ or "")
        for part in re.findall(r"^Attributes:\n((?:    .*\n?|\n(?=    ))+)", text, re.MULTILINE):
            for names, words in re.findall(r"^    ([\w, ]+): ((?:.*)(?:\n        .*)*)", part, re.MULTILINE):
                found.update(dict.fromkeys(names.split(", "), " ".join(words.split())))
    return found
