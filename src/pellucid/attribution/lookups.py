"""Which input each look-up of an embedding reads, told by where its ids come from and not by their values alone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, nullcontext
from dataclasses import dataclass
from types import TracebackType
from typing import Any

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from pellucid.capture import unwrapped
from pellucid.graph.dataflow import tensors_in, versions

_OF_SHAPE = frozenset(
    (
        *("empty_like", "expand_as", "full_like", "new_empty", "new_full", "new_ones", "new_zeros", "ones_like"),
        *("reshape_as", "view_as", "zeros_like"),
    )
)
"""Functions that read of their last tensor no more than its shape."""


@dataclass(frozen=True)
class LookUp:
    """One call of an nn.Embedding.

    Attributes:
        name: as a session captures it: the module's path, of later calls with "#2".
        table: the module.
        ids: int[...], what it was given.
        output: what it gave, float[... channel].
        sources: numbers of the inputs' leaves that the ids were made of.
    """

    name: str
    table: nn.Embedding
    ids: Tensor
    output: Tensor
    sources: frozenset[int]


@dataclass(frozen=True)
class Read:
    """The look-up of one leaf of token ids.

    Attributes:
        look_up: which reads the leaf word for word.
        extents: of the leaf past the batch: (token,), or (choice, token) of ids that are folded to (batch x choice, token).
        across: whether its ids lie (token, batch).
    """

    look_up: LookUp
    extents: tuple[int, ...]
    across: bool

    def upright(self, values: Tensor) -> Tensor:
        """What lies as the look-up's output does, as the leaf does: float[batch token ...]."""
        if self.across:
            return values.transpose(0, 1)
        return values.reshape(-1, *self.extents, *values.shape[self.look_up.ids.ndim :])

    def lying(self, values: Tensor) -> Tensor:
        """What lies as the leaf does, of these examples or copies of them, as the look-up's output does."""
        if self.across:
            return values.transpose(0, 1)
        return values.reshape(-1, *self.look_up.ids.shape[1:], *values.shape[1 + len(self.extents) :])


class LookUps(TorchFunctionMode):
    """Notes what the embeddings of a model look up in each forward that it is entered around.

    Two inputs of equal ids are told apart, for integers are followed from the inputs on: views by their memory, casts,
    copies and all else by the functions that made them.

    Args:
        model: whose embeddings.
        within: entered too.

    Attributes:
        tables: all embeddings by path.
        calls: in order, of the last forward.
    """

    def __init__(self, model: nn.Module, within: AbstractContextManager[object] | None = None) -> None:
        super().__init__()
        self._model = unwrapped(model)
        self._within = within or nullcontext()
        self.tables = {name: one for name, one in self._model.named_modules() if isinstance(one, nn.Embedding)}
        self.calls: list[LookUp] = []
        self._stack = ExitStack()
        self._sources: dict[int, frozenset[int]] = {}
        self._held: list[Tensor] = []  # so that no other tensor gets their memory

    def __enter__(self) -> LookUps:
        self.calls.clear()
        handles = [self._model.register_forward_pre_hook(self._begin, with_kwargs=True)]
        handles += [
            one.register_forward_hook(self._noting(name), with_kwargs=True) for name, one in self.tables.items()
        ]
        for handle in handles:
            self._stack.callback(handle.remove)
        super().__enter__()  # type: ignore[no-untyped-call]
        self._stack.enter_context(self._within)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stack.close()
        super().__exit__(kind, error, trace)  # type: ignore[no-untyped-call]
        self._sources.clear()
        self._held.clear()

    def __torch_function__(
        self, function: Any, types: Any, arguments: tuple[Any, ...] = (), named: dict[str, Any] | None = None
    ) -> Any:
        named = named or {}
        sources = frozenset[int]()
        if self._sources and getattr(function, "__name__", "") not in _OF_SHAPE:
            sources = sources.union(*map(self._sources_of, tensors_in((arguments, named))))
        if not sources:
            return function(*arguments, **named)
        first = [one for one in tensors_in(arguments[:1]) if _whole(one)]
        before = versions(first)
        made = function(*arguments, **named)
        self._follow((made, first if versions(first) != before else ()), sources)
        return made

    def reads(self, inputs: Any) -> dict[int, Read]:
        """By the leaf's number, the first look-up that reads it word for word and is no other leaf's."""
        found: dict[int, Read] = {}
        for number, leaf in enumerate(tensors_in(inputs)):
            for call in self.calls:
                taken = any(call is read.look_up for read in found.values())
                across = None if taken or number not in call.sources else _across(leaf, call.ids)
                if across is not None:
                    found[number] = Read(call, tuple(leaf.shape[1:]), across)
                    break
        return found

    def missed(self, inputs: Any, reads: Mapping[int, Read]) -> tuple[str, ...]:
        """A warning where what is looked up of the inputs' ids is not all in these look-ups."""
        leaves = list(tensors_in(inputs))
        explained = [read.look_up for read in reads.values()]
        names = [
            f"'{call.name}'"
            for call in self.calls
            if call.sources
            and all(call is not one for one in explained)
            and (
                any(call.table.weight is one.table.weight for one in explained)
                or any(_across(leaves[number], call.ids) is not None for number in call.sources)
            )
        ]
        if not names:
            return ()
        shown = ", ".join(names[:3]) + (" and more" if len(names) > 3 else "")
        return (
            f"The model looks up ids of its inputs again, as they are or changed (shifted, say), in {shown}: what reaches the "
            "score that way is not in this map.",
        )

    def _begin(self, module: nn.Module, arguments: tuple[Any, ...], named: dict[str, Any]) -> None:
        if not self._held:
            for number, leaf in enumerate(tensors_in((arguments, named))):
                self._follow(leaf, frozenset((number,)))

    def _noting(self, name: str) -> Any:
        def note(module: nn.Embedding, arguments: tuple[Any, ...], named: dict[str, Any], output: Tensor) -> None:
            ids = arguments[0] if arguments else named["input"]
            number = 1 + sum(call.table is module for call in self.calls)
            own = name if number == 1 else f"{name}#{number}"
            self.calls.append(LookUp(own, module, ids.clone(), output.detach().clone(), self._sources_of(ids)))

        return note

    def _sources_of(self, tensor: Tensor) -> frozenset[int]:
        return self._sources.get(tensor.untyped_storage()._cdata, frozenset()) if _whole(tensor) else frozenset()

    def _follow(self, made: Any, sources: frozenset[int]) -> None:
        for one in filter(_whole, tensors_in(made)):
            self._held.append(one)
            self._sources[one.untyped_storage()._cdata] = self._sources_of(one) | sources


def words(tables: Sequence[nn.Embedding]) -> int | None:
    """Which of these embeddings is that of the words: the one with ten times as many rows as any other, of segments say.

    None where none has: they may be two vocabularies.
    """
    sizes = [table.num_embeddings for table in tables]
    largest = max(range(len(sizes)), key=lambda at: sizes[at])
    return largest if all(sizes[largest] >= 10 * size for at, size in enumerate(sizes) if at != largest) else None


def _whole(tensor: Tensor) -> bool:
    """Whether it holds integers or truth values, in memory of its own."""
    return not tensor.is_floating_point() and not tensor.is_complex() and tensor.layout is torch.strided


def _across(leaf: Tensor, ids: Tensor) -> bool | None:
    """Whether ids are a leaf of ids (batch, token) turned to (token, batch), or as they are but for a fold of its axes.

    None where they are not these at all.
    """
    if leaf.is_floating_point() or leaf.dtype == torch.bool or not leaf.ndim or leaf.numel() != ids.numel():
        return None
    leaf, ids = leaf.to(ids.device, torch.int64), ids.long()
    if leaf.shape == ids.shape and torch.equal(ids, leaf):
        return False
    if leaf.ndim == ids.ndim == 2 and torch.equal(ids, leaf.t()):
        return True
    folded = ids.ndim > 0 and len(ids) % len(leaf) == 0 and torch.equal(ids.flatten(), leaf.flatten())
    return False if folded else None
