"""Tensors without values: they say what they look like and on which device they would be, and hold no numbers."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from pellucid.graph.remembered import META, Look, look_of

_wrapper = Tensor._make_wrapper_subclass


class ValuesNeededError(BaseException):
    """The forward asked for values that nobody has computed.

    No Exception: a model that catches those would take a path that it does not take with values.
    """


class Fake(Tensor):
    """A tensor without values.

    Attributes:
        meta: has its shape, and the memory that it would share with its views; made when it is first asked for.
        maker: what the recording of its forward notes of where it comes from.
        place: what the same notes of its memory.
        look: how it looks, once somebody has asked.
    """

    _meta: Tensor | None = None
    _of: tuple[Fake, int] | None = None
    look: Look | None = None
    maker: tuple[object, Any] | None = None
    place: Any = None

    @staticmethod
    def __new__(cls, meta: Tensor, device: torch.device) -> Fake:
        """A tensor like `meta` that says it is on a device."""
        fake: Fake = Tensor._make_wrapper_subclass(
            cls,
            meta.size(),
            strides=meta.stride(),
            storage_offset=meta.storage_offset(),
            dtype=meta.dtype,
            layout=meta.layout,
            device=device,
        )
        fake._meta = meta
        return fake

    @staticmethod
    def fresh(look: Look) -> Fake:
        """A tensor over memory of its own."""
        fake: Fake = _wrapper(Fake, look.size, strides=look.stride, dtype=look.dtype, device=look.device)
        fake.look = look
        return fake

    @staticmethod
    def onto(of: Fake, look: Look, after: int) -> Fake:
        """A tensor over another's memory that begins so many elements after that one does."""
        offset = of.storage_offset() + after
        fake: Fake = _wrapper(
            Fake, look.size, strides=look.stride, storage_offset=offset, dtype=look.dtype, device=look.device
        )
        fake.look, fake._of = look, (of, after)
        return fake

    @property
    def meta(self) -> Tensor:
        """The tensor of the meta device behind it."""
        meta = self._meta
        if meta is None:
            look: Look = self.look  # type: ignore[assignment]  # it was made of one
            with torch._C.DisableTorchFunction(), torch._C._DisableTorchDispatch():
                if self._of is None:
                    meta = torch.empty_strided(look.size, look.stride, dtype=look.dtype, device=META)
                else:
                    of, after = self._of[0].meta, self._of[1]
                    meta = of.as_strided(look.size, look.stride, of.storage_offset() + after)
            self._meta, self._of = meta, None
            if self.place is not None:
                self.place.found(meta.untyped_storage())
        return meta

    @property
    def apart(self) -> bool:
        """Whether its memory is its own, and nobody has asked for it yet."""
        return self._meta is None and self._of is None

    @property
    def made_here(self) -> bool:
        """Whether its memory came to be with a tensor without values, and nobody has asked for it yet."""
        one = self
        while one._meta is None:
            if one._of is None:
                return True
            one = one._of[0]
        return False

    def looks(self) -> Look | None:
        """How it looks; None of one that no look describes (sparse, of complex numbers)."""
        look = self.look
        if look is None and self.layout is torch.strided and not self.dtype.is_complex:
            look = self.look = look_of(self.size(), self.stride(), self.dtype, self.device)
        return look

    def forget(self) -> None:
        """Its shape or memory is about to be changed in place: what was noted of them holds no more."""
        _ = self.meta
        self.look, self.place = None, None

    def alias(self) -> Fake:
        """Another one over the same memory, made without an operator that the trace would see."""
        with torch._C.DisableTorchFunction(), torch._C._DisableTorchDispatch():
            return Fake(self.meta.detach(), self.device)

    def __repr__(self, *, tensor_contents: None = None) -> str:  # type: ignore[override]
        return f"Fake({tuple(self.shape)}, {self.dtype})"

    __torch_function__ = torch._C._disabled_torch_function_impl  # type: ignore[assignment]

    @classmethod
    def __torch_dispatch__(cls, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:  # type: ignore[override]
        """Only the trace knows how to run an operator on it."""
        raise ValuesNeededError(f"{func} ran out of the trace's sight")
