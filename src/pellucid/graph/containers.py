"""Containers of tensors, of whatever class: what one holds, and one like it that holds other things."""

from __future__ import annotations

import copy
import dataclasses
from collections.abc import Mapping, MutableMapping
from typing import Any

from torch import Tensor


def parts_of(tree: Any) -> dict[Any, Any] | None:
    """What a container holds, by key, place or name of the field, in the order of `tensors_in`; None for a leaf."""
    if isinstance(tree, Tensor):
        return None
    if isinstance(tree, tuple | list):
        return dict(enumerate(tree))
    if isinstance(tree, Mapping):
        return dict(tree.items())
    if dataclasses.is_dataclass(tree) and not isinstance(tree, type):
        return {field.name: getattr(tree, field.name, None) for field in dataclasses.fields(tree)}
    return None


def rebuilt(tree: Any, parts: Mapping[Any, Any]) -> Any:
    """A new container like this one, of its class as far as that is made to hold other things, with these parts."""
    if isinstance(tree, tuple):
        return tree._make(parts.values()) if hasattr(tree, "_make") else tuple(parts.values())
    if isinstance(tree, list):
        return list(parts.values())
    if isinstance(tree, Mapping) and not isinstance(tree, MutableMapping):
        return dict(parts)
    made = copy.copy(tree)
    for name, part in parts.items():
        if isinstance(tree, Mapping):
            made[name] = part
        else:
            object.__setattr__(made, name, part)  # of frozen ones too, and without their checks of what they are given
    return made
