"""Which node last wrote a tensor, through views, in-place operations and memory that is used again."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple
from weakref import ref

import torch
from torch import Tensor

from pellucid.graph.containers import parts_of, rebuilt
from pellucid.graph.fake import Fake
from pellucid.graph.guard import memory_of
from pellucid.graph.regions import Region, region_of


class Source(NamedTuple):
    """Output number `output` of a node, known since the moment `since`; `partly` where that is not all that a tensor holds."""

    node: int
    output: int
    since: int
    partly: bool = False


class Write(NamedTuple):
    """Who wrote to memory, to which of it, and since when the tensor was there that was written to."""

    source: Source
    region: Region
    known: int


class Place:
    """Memory that tensors look at.

    Attributes:
        flow: of which forward it was noted.
        owner: who made the first tensor over it.
        writes: who wrote to it, in order, without what was written over as a whole.
    """

    __slots__ = ("flow", "owner", "writes")

    def __init__(self, flow: Dataflow) -> None:
        self.flow = flow
        self.owner: Source | None = None
        self.writes: list[Write] = []

    def found(self, storage: torch.UntypedStorage) -> None:
        """The memory that this is has come to be."""
        self.flow.places[storage._cdata] = ref(storage), self


class Dataflow:
    """Remembers who made each tensor, and who last wrote to the memory it looks at.

    Args:
        memory: the memory that a tensor looks at; None where it has none of its own.

    Attributes:
        places: what is noted of memory, by its address.
        parted: whether any memory holds what several calls have written to it.
    """

    def __init__(self, memory: Callable[[Tensor], torch.UntypedStorage | None] = memory_of) -> None:
        # By identity; with the tensor, held weakly, since its id may already belong to another.
        self._makers: dict[int, tuple[ref[Tensor], Source]] = {}
        # With the memory's Python object, which lives as long as the memory itself.
        self.places: dict[int, tuple[ref[torch.UntypedStorage], Place]] = {}
        self._memory = memory
        self._clock = 0
        self._written = False
        self.parted = False

    def made(self, tensor: Tensor, node: int, output: int, inputs: Sequence[Tensor] = ()) -> Source:
        """A node has made this tensor, of these; unless it is a view of one of them, its memory is the node's too."""
        self._clock += 1
        tensor = bare(tensor)
        source = Source(node, output, self._clock)
        place = self.place(tensor)
        if type(tensor) is Fake:
            tensor.maker = self, source
        else:
            self._makers[id(tensor)] = ref(tensor), source
        if place is None or place.owner is not None:
            return source
        may_look = type(tensor) is Fake or tensor._base is not None
        if not may_look or not any(self.place(bare(given)) is place for given in inputs):
            place.owner = source
        return source

    def made_new(self, tensor: Fake, node: int, output: int) -> None:
        """The same of one over memory that nobody else looks at, or that somebody has made already."""
        self._clock += 1
        tensor.maker = self, Source(node, output, self._clock)

    def wrote(self, tensor: Tensor, node: int, output: int) -> None:
        """A node has changed this tensor in place, and with it all that share its memory."""
        tensor = bare(tensor)
        maker = self._maker(tensor)
        source = self.made(tensor, node, output)
        place = self.place(tensor)
        region = None if place is None else region_of(tensor)
        if place is None or region is None:
            return
        place.writes = [one for one in place.writes if not region.covers(one.region)]
        place.writes.append(Write(source, region, maker.since if maker is not None else 0))
        self._written = True
        self.parted = self.parted or len(place.writes) > 1

    def forget(self) -> None:
        """Lets go of everything: places know the flow that holds them, which only the garbage collector would notice."""
        self.places.clear()
        self._makers.clear()

    def knows(self, tensor: Tensor) -> bool:
        """Whether a node has made this very tensor."""
        return self._maker(bare(tensor)) is not None

    def place(self, tensor: Tensor, make: bool = True) -> Place | None:
        """What is noted of the memory that a tensor looks at; None where it has none of its own, or nothing is noted yet."""
        if type(tensor) is Fake:
            known: Place | None = tensor.place
            if known is not None and known.flow is self:
                return known
            if known is None and tensor.apart:
                place = tensor.place = Place(self)
                place.owner = self._maker(tensor)
                return place
        storage = self._memory(tensor)
        if storage is None:
            return None
        held = self.places.get(storage._cdata)
        if held is None or held[0]() is not storage:
            if not make:
                return None
            place = Place(self)
            place.found(storage)
        else:
            place = held[1]
        if type(tensor) is Fake:
            tensor.place = place
        return place

    def _maker(self, tensor: Tensor) -> Source | None:
        if type(tensor) is Fake:
            # One that another forward left somewhere was made by none of this one's nodes.
            return tensor.maker[1] if tensor.maker is not None and tensor.maker[0] is self else None
        known = self._makers.get(id(tensor))
        return known[1] if known is not None and known[0]() is tensor else None

    def source(self, tensor: Tensor) -> Source | None:
        """Who made what the tensor holds now; None for parameters and constants."""
        if type(tensor) is Fake:
            noted = tensor.maker
            maker: Source | None = noted[1] if noted is not None and noted[0] is self else None
            if maker is not None and (not self._written or (tensor.place is None and tensor.apart)):
                return maker
        else:
            tensor = bare(tensor)
            maker = self._maker(tensor)
            if maker is not None and not self._written:
                return maker
        place = self.place(tensor, make=False)
        if place is None:
            return maker
        # Without a maker it is another object over the same memory (`as_subclass`, `.data`), which no function returned.
        write = next(self._since(tensor, maker, place), None)
        return (maker or place.owner) if write is None else _seen(write, tensor)

    def further(self, tensor: Tensor) -> list[Source]:
        """Who else made a part of what it holds now, of which the one that `source` tells knows nothing: they wrote elsewhere."""
        tensor = bare(tensor)
        place = self.place(tensor, make=False)
        if place is None or len(place.writes) < 2:
            return []
        heard: list[Write] = []
        found: list[Source] = []
        known = 0
        for write in self._since(tensor, self._maker(tensor), place):
            if write.source.since < known:
                break  # and so are all before it
            if not any(one.region.overlaps(write.region) for one in heard):
                found.append(_seen(write, tensor))
            heard.append(write)
            known = max(known, write.known)
        return found[1:]

    def _since(self, tensor: Tensor, maker: Source | None, place: Place) -> Iterator[Write]:
        """What was written to any of a tensor's elements since it was made, the latest first."""
        region = region_of(tensor) if place.writes else None
        for write in reversed(place.writes):
            if maker is not None and write.source.since <= maker.since:
                return
            if region is not None and region.overlaps(write.region):
                yield write


def _seen(write: Write, tensor: Tensor) -> Source:
    """Who wrote, and whether all that a tensor holds."""
    many, first = write.region.number, write.region.first
    size = tensor.numel()
    whole = many > size or (many == size and first == tensor.storage_offset())
    return write.source if whole else write.source._replace(partly=True)


def bare(tensor: Tensor) -> Tensor:
    """The tensor inside the wrappers of torch.func, which come and go with every call."""
    if type(tensor) is Fake:
        return tensor
    while torch._C._functorch.is_functorch_wrapped_tensor(tensor):
        tensor = torch._C._functorch.get_unwrapped(tensor)
    return tensor


def tensors_in(tree: Any) -> Iterator[Tensor]:
    """The tensors of nested tuples, lists, mappings and dataclasses, in order."""
    return iter(gathered(tree))


def gathered(tree: Any) -> list[Tensor]:
    """The same as a list."""
    if type(tree) is tuple and len(tree) == 1 and type(tree[0]) is Fake:
        return [tree[0]]
    if type(tree) is Fake:
        return [tree]
    found: list[Tensor] = []
    _gather(tree, found)
    return found


def _gather(tree: Any, found: list[Tensor]) -> None:
    kind = type(tree)
    if kind in _TENSORS:
        found.append(tree)
    elif kind is tuple or kind is list:
        for item in tree:
            if type(item) not in _USUAL:
                _gather(item, found)
    elif kind in _USUAL:
        return
    elif isinstance(tree, Tensor):
        found.append(tree)
    elif isinstance(tree, tuple | list):
        for item in tree:
            _gather(item, found)
    elif isinstance(tree, _PLAIN):
        return
    elif isinstance(tree, Mapping):
        for item in tree.values():
            _gather(item, found)
    elif dataclasses.is_dataclass(tree) and not isinstance(tree, type):
        for place in dataclasses.fields(tree):
            _gather(getattr(tree, place.name, None), found)


_PLAIN = (int, float, str, bytes, complex, torch.dtype, torch.device)
# Types that nearly all arguments are of, told without walking over their bases.
_USUAL = frozenset({int, bool, float, str, type(None), slice, type(Ellipsis), *_PLAIN})
_TENSORS = frozenset({Tensor, Fake, torch.nn.Parameter})


def named_tensors(tree: Any, name: str = "") -> Iterator[tuple[str, Tensor]]:
    """The same with where each stands: "x", "x[0]", "x.mask"."""
    if isinstance(tree, Tensor):
        yield name, tree
    elif isinstance(tree, Mapping):
        for key, item in tree.items():
            yield from named_tensors(item, f"{name}.{key}" if name else str(key))
    elif isinstance(tree, tuple | list):
        for index, item in enumerate(tree):
            yield from named_tensors(item, f"{name}[{index}]")
    elif dataclasses.is_dataclass(tree) and not isinstance(tree, type):
        for place in dataclasses.fields(tree):
            yield from named_tensors(getattr(tree, place.name, None), f"{name}.{place.name}")


def mapped(tree: Any, change: Callable[[Tensor], Tensor]) -> Any:
    """The tree with every tensor changed; the very same tree where none was."""
    if isinstance(tree, Tensor):
        return change(tree)
    if isinstance(tree, tuple | list):
        items = [mapped(item, change) for item in tree]
        if all(new is old for new, old in zip(items, tree, strict=True)):
            return tree
        return type(tree)(*items) if hasattr(tree, "_fields") else type(tree)(items)
    parts = parts_of(tree)
    if parts is None:
        return tree
    changed = {key: new for key, old in parts.items() if (new := mapped(old, change)) is not old}
    return rebuilt(tree, parts | changed) if changed else tree


def versions(tensors: list[Tensor]) -> list[int]:
    """How often each has been written to; -1 where torch does not count."""
    return [tensor._version if type(tensor) is Fake or not tensor.is_inference() else -1 for tensor in tensors]


def alias(tensor: Tensor) -> Tensor:
    """Another tensor over the same memory."""
    if type(tensor) is Fake:
        return tensor.alias()
    return torch.ops.aten.alias.default(tensor)  # type: ignore[no-any-return]
