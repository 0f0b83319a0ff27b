"""What the forward of a model takes, by name: it says which entries of an item are inputs."""

from __future__ import annotations

import inspect
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import nn

# Types of one value for a whole batch; a number of each example is a tensor in a batch.
_PLAIN = {"bool", "int", "float", "str"}
_NO_TYPES = {"typing", "Optional", "Union", "None", "NoneType"}


@dataclass(frozen=True)
class Signature:
    """The parameters of a forward.

    Attributes:
        positional: those that can be given by position, in order.
        named: all that can be given by name.
        settings: those whose default or annotation is a plain number, flag or word: one value for the whole batch.
        any_number, any_name: whether it takes `*args`, `**kwargs`.
    """

    positional: tuple[str, ...]
    named: frozenset[str]
    settings: frozenset[str]
    any_number: bool
    any_name: bool


def signature_of(model: nn.Module) -> Signature | None:
    """The signature of a model's forward; None where it has none that can be read."""
    from pellucid.capture import unwrapped

    try:
        found = inspect.signature(unwrapped(model).forward)
    except (AttributeError, TypeError, ValueError):
        return None
    parameters = found.parameters.values()
    by_position = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
    by_name = (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY)
    return Signature(
        positional=tuple(one.name for one in parameters if one.kind in by_position),
        named=frozenset(one.name for one in parameters if one.kind in by_name),
        settings=frozenset(one.name for one in parameters if _is_setting(one)),
        any_number=any(one.kind is inspect.Parameter.VAR_POSITIONAL for one in parameters),
        any_name=any(one.kind is inspect.Parameter.VAR_KEYWORD for one in parameters),
    )


def _is_setting(parameter: inspect.Parameter) -> bool:
    if isinstance(parameter.default, bool | int | float | str):
        return True
    if parameter.annotation is inspect.Parameter.empty:
        return False
    words = set(re.findall(r"\w+", _written(parameter.annotation))) - _NO_TYPES
    return bool(words) and words <= _PLAIN


def _written(annotation: object) -> str:
    return annotation if isinstance(annotation, str) else inspect.formatannotation(annotation)
