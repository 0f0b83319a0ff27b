"""Tensors without values that a forward keeps outside of the model: in a global, a closure, a cache of functools."""

from __future__ import annotations

import collections
import gc
import sys
import types
from collections.abc import Iterable
from typing import Any

from pellucid.errors import ModelError
from pellucid.graph.fake import Fake


def alive() -> int:
    """A number that grows with every tensor without values: each holds its type, as all instances do."""
    return sys.getrefcount(Fake)


def take_back(before: int) -> None:
    """Takes tensors without values out of whatever holds them, as if they had never been computed, where `alive` was less.

    An entry of a dictionary, list or set goes; a name of a module, a closure or an object is None again, which is what code
    that computes something once asks for.

    Raises: ModelError: something holds one that is not to be found.
    """
    if alive() <= before:
        return
    gc.collect()
    found = _found()
    for one in found:
        _emptied(one, {id(found)}, 0)
    held = [one for one in found if _holders(one, {id(found)})]
    if held:
        raise ModelError(
            "The forward keeps what it computes outside of the model, in a place that cannot be emptied again. A trace "
            "would leave tensors without values there: keep it in an attribute of the model."
        )


def _found() -> list[Fake]:
    return [one for one in gc.get_objects() if type(one) is Fake]


def _emptied(item: Any, ours: set[int], depth: int) -> None:
    """Takes an item out of what holds it; out of what holds a tuple around it too."""
    holders = _holders(item, ours)
    for holder in holders:
        if isinstance(holder, tuple) and depth < 8:
            _emptied(holder, {*ours, id(holders)}, depth + 1)
        else:
            _without(holder, item)


def _holders(item: Any, ours: set[int]) -> list[Any]:
    """What holds an item: neither what is looking for it, nor another of its kind, nor torch itself, which nobody can ask."""
    return [
        holder
        for holder in gc.get_referrers(item)
        if id(holder) not in ours and not isinstance(holder, types.FrameType) and type(holder) is not Fake
    ]


def _without(holder: Any, item: Any) -> None:
    if isinstance(holder, dict):
        classes = [one for one in gc.get_referrers(holder) if isinstance(one, type)] if "__module__" in holder else []
        for key in _keys(holder.items(), item):
            if classes:
                setattr(classes[0], key, None)  # a class remembers what it looked up: its dictionary is not written to
            elif "__name__" in holder:  # a module's
                holder[key] = None
            else:
                del holder[key]
    elif isinstance(holder, list | collections.deque):
        kept = [one for one in holder if one is not item]
        holder.clear()
        holder.extend(kept)
    elif isinstance(holder, set):
        holder.discard(item)
    elif isinstance(holder, types.CellType):
        holder.cell_contents = None
    elif hasattr(holder, "cache_clear"):
        holder.cache_clear()
    elif hasattr(holder, "__dict__"):
        for name in _keys(vars(holder).items(), item):
            setattr(holder, name, None)


def _keys(items: Iterable[tuple[Any, Any]], item: Any) -> list[Any]:
    return [key for key, value in list(items) if value is item]
