"""Which node last wrote a tensor, through views, in-place operations and memory that is used again."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.multiprocessing.reductions import StorageWeakRef
from torch.utils.weak import WeakTensorKeyDictionary

from pellucid.graph.guard import storage_of


class Source(NamedTuple):
    """Output number `output` of a node, known since the moment `since`."""

    node: int
    output: int
    since: int


class Dataflow:
    """Remembers who made each tensor, and who last wrote to the memory it looks at."""

    def __init__(self) -> None:
        # Weak keys: an id alone may already belong to another tensor.
        self._makers: WeakTensorKeyDictionary = WeakTensorKeyDictionary()
        self._writers: dict[int, tuple[StorageWeakRef, Source]] = {}
        self._clock = 0

    def made(self, tensor: Tensor, node: int, output: int) -> None:
        """A node has made this tensor."""
        self._clock += 1
        self._makers[tensor] = Source(node, output, self._clock)

    def wrote(self, tensor: Tensor, node: int, output: int) -> None:
        """A node has changed this tensor in place, and with it all that share its memory."""
        self.made(tensor, node, output)
        place = storage_of(tensor)
        if place is not None:
            self._writers[place] = StorageWeakRef(tensor.untyped_storage()), self._makers[tensor]  # type: ignore[no-untyped-call]

    def knows(self, tensor: Tensor) -> bool:
        """Whether a node has made this very tensor."""
        return tensor in self._makers

    def source(self, tensor: Tensor) -> Source | None:
        """Who made what the tensor holds now; None for parameters and constants."""
        maker: Source | None = self._makers.get(tensor)  # type: ignore[no-untyped-call]
        writer = None
        if self._writers:
            place = storage_of(tensor)
            held = self._writers.get(place) if place is not None else None
            if held is not None and not held[0].expired():  # type: ignore[no-untyped-call]
                writer = held[1]
        if maker is None or (writer is not None and writer.since > maker.since):
            return writer
        return maker


def tensors_in(tree: Any) -> Iterator[Tensor]:
    """The tensors of nested tuples, lists, dicts and dataclasses, in order."""
    for _, tensor in named_tensors(tree):
        yield tensor


def named_tensors(tree: Any, name: str = "") -> Iterator[tuple[str, Tensor]]:
    """The same with where each stands: "x", "x[0]", "x.mask"."""
    if isinstance(tree, Tensor):
        yield name, tree
    elif isinstance(tree, dict):
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
    if isinstance(tree, dict):
        entries = {key: mapped(item, change) for key, item in tree.items()}
        if all(entries[key] is tree[key] for key in tree):
            return tree
        try:
            return type(tree)(entries)
        except TypeError:  # a dict with a constructor of its own
            return tree
    if dataclasses.is_dataclass(tree) and not isinstance(tree, type):
        changed = {
            place.name: new
            for place in dataclasses.fields(tree)
            if place.init and (new := mapped(old := getattr(tree, place.name), change)) is not old
        }
        return dataclasses.replace(tree, **changed) if changed else tree
    return tree


def versions(tensors: list[Tensor]) -> list[int]:
    """How often each has been written to; -1 where torch does not count."""
    return [-1 if tensor.is_inference() else tensor._version for tensor in tensors]


def alias(tensor: Tensor) -> Tensor:
    """Another tensor over the same memory."""
    return torch.ops.aten.alias.default(tensor)  # type: ignore[no-any-return]
