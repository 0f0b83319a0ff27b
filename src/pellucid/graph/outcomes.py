"""What a call did, and what of it tells the next one like it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

import torch
from torch import Tensor

from pellucid.graph.dataflow import gathered
from pellucid.graph.fake import Fake
from pellucid.graph.guard import memory_of
from pellucid.graph.looks import Looks, looks_of
from pellucid.graph.names import Role
from pellucid.graph.remembered import Look
from pellucid.record.schema import Pool

# What asks for values only to know how many there will be: the operators that run are the same whatever it hears.
_HOW_MANY = frozenset({"__getitem__", "nonzero", "where", "masked_select"})
_TRUTH = (torch.bool, torch.uint8)


class New(NamedTuple):
    """A tensor over memory of its own."""

    look: Look


class View(NamedTuple):
    """A view of an input: which input, and where in its memory it begins, from where that one does."""

    look: Look
    place: int
    after: int


class Part(NamedTuple):
    """What a layer is: its class, the role that it plays, the activation that it is, where its channels are, its steps."""

    operation: str
    role: Role
    activation: str | None
    channel_last: bool | None
    steps: int | None


@dataclass(slots=True, eq=False, kw_only=True)
class Ran:
    """What a call runs.

    Attributes:
        operators: how many; flops: what they count.
        read: names of its own parameters that go into a tensor.
        given: what its node notes of what goes in; looks: of what it returns, unless values decide that.
        same: whether it returns what it is given, unchanged, or no tensor.
        part: of a layer, what it is, once somebody has asked.
        arguments: its settings as text, once they were asked for; pool: what it keeps, if it is a function that pools.
    """

    operators: int
    flops: int | None
    read: tuple[str, ...]
    given: Looks
    looks: Looks | None
    same: bool
    part: Part | None = None
    arguments: Mapping[str, str] | None = None
    pool: Pool | None = None


@dataclass(slots=True, eq=False, kw_only=True)
class Recalled(Ran):
    """What a call does, as far as it can be told without running it.

    Attributes:
        outputs: how every tensor that it returns looks; of one that it is given, its place among the inputs.
        container: what it returns them in, None for a tensor alone.
        wrote: whether it writes to its first input.
        single: how the one new tensor looks, where that is all that it returns.
    """

    outputs: tuple[New | View | int, ...]
    container: type[list[Any]] | type[tuple[Any, ...]] | None
    wrote: bool
    looks: Looks
    single: Look | None


class Did(NamedTuple):
    """What was seen of a call while it ran.

    Attributes:
        operators: how many ran; flops: what they counted.
        writes: how many operators wrote to an argument.
        asked: whether one asked for values.
        uncounted: whether one multiplied matrices whose cost is not known, which is said of every graph.
        read: names of its own parameters that went into a tensor.
    """

    operators: int
    flops: int | None
    writes: int
    asked: bool
    uncounted: bool
    read: tuple[str, ...]


def ran(called: Any, given: list[Tensor], written: list[int], result: Any, did: Did) -> Ran | None:
    """What the next such call runs, with values; None where that is more than its forms decide."""
    if written or did.writes or did.uncounted or (did.asked and called.__name__ not in _HOW_MANY):
        return None
    if called.__name__ == "__getitem__" and any(one.ndim == 0 and one.dtype in _TRUTH for one in given[1:]):
        return None  # whether a single truth value is true decides which operators run
    made = gathered(result)
    return Ran(
        operators=did.operators, flops=did.flops, read=did.read, given=looks_of(given),
        looks=None if did.asked else looks_of(made), same=all(any(one is old for old in given) for one in made),
    )  # fmt: skip


def recalled(given: list[Tensor], inside: list[Tensor], written: list[int], result: Any, did: Did) -> Recalled | None:
    """What the next such call does, without values; None where it has to be run to know."""
    items = [result] if isinstance(result, Tensor) else result
    if did.asked or did.uncounted or type(items) not in (list, tuple) or not items:
        return None
    wrote = written == [0] and did.writes == did.operators == 1 and len(items) == 1 and items[0] is given[0]
    if wrote and getattr(given[0], "look", None) is None:
        return None  # its shape was changed
    if not wrote and (written or did.writes):
        return None
    places = {id(tensor): place for place, tensor in enumerate(given)}
    if len(places) < len(given) and any(id(one) in places for one in items):
        return None  # given twice, returned once: nobody can tell which
    memories = {memory._cdata: -1 for tensor in inside if (memory := _memory(tensor)) is not None}
    for place, tensor in enumerate(given):
        if (memory := _memory(tensor)) is not None:
            memories[memory._cdata] = place if memory._cdata not in memories and type(tensor) is Fake else -1
    device = next((tensor.device for tensor in given if type(tensor) is Fake), None)
    outputs: list[New | View | int] = []
    for one in items:
        if id(one) in places:
            outputs.append(places[id(one)])
            continue
        memory = _memory(one) if type(one) is Fake else None
        look = one.looks() if type(one) is Fake else None
        if memory is None or look is None or one.device != device:
            return None  # a number, something on another device: told by running it
        of = memories.get(memory._cdata)
        if of is None:
            if one.storage_offset():
                return None
            memories[memory._cdata] = -1
            outputs.append(New(look))
        elif of >= 0 and one.dtype == given[of].dtype:
            outputs.append(View(look, of, int(one.storage_offset() - given[of].storage_offset())))
        else:
            return None
    container = None if items is not result else type(items)
    same = not wrote and all(type(one) is int for one in outputs)
    first = outputs[0]
    single = first.look if isinstance(first, New) and container is None else None
    return Recalled(
        operators=did.operators, flops=did.flops, read=did.read, outputs=tuple(outputs), container=container, wrote=wrote,
        given=looks_of(given), looks=looks_of(items), same=same, single=single,
    )  # fmt: skip


def _memory(tensor: Tensor) -> torch.UntypedStorage | None:
    return tensor.meta.untyped_storage() if type(tensor) is Fake else memory_of(tensor)
