"""Running a model's operators without values: shapes and types of what depends on its inputs or parameters, no numbers.

A FakeTensorMode would do the same at twenty times the price of a forward of a small network the first time it sees a
shape. Here an operator runs on tensors of the meta device, whose kernels know shapes only, and what it returns is
wrapped in a tensor that keeps saying which device it would be on, so that models and torch's own choices of kernels
take the path that they take with values.

What depends on neither inputs nor parameters (masks, positions, constants made in forward) is computed as always: it is
small, and models ask for its values.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable
from functools import cache, cached_property
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from pellucid.graph.fake import Fake, ValuesNeededError
from pellucid.graph.guard import memory_of
from pellucid.graph.parts import Parts
from pellucid.graph.remembered import Forms, is_pure
from pellucid.graph.shapes import META, shortcut

# A tensor made on the meta device inside forward gets values up to this many of them.
_LARGEST_CONSTANT = 1 << 20

_aten = torch.ops.aten
_PRODUCTS = frozenset({_aten.addmm, _aten.mm, _aten.bmm, _aten.baddbmm, _aten.mv, _aten.addmv})
_SOFTMAX = frozenset({_aten._softmax, _aten._log_softmax})


class _Plan(NamedTuple):
    """What is to be known of an operator before it runs."""

    asks: bool
    changes_shape: bool
    writes: tuple[tuple[int, str], ...]
    checks: bool
    pure: bool


class Valueless:
    """Runs the operators of one forward; those that depend on inputs or parameters without values.

    Args:
        parts: of the model; its parameters count as values that nobody knows, unless a single one is asked for.
        device: what tensors say they are on.

    Attributes:
        writes: whether an operator wrote to a parameter's memory.
    """

    def __init__(self, parts: Parts, device: torch.device) -> None:
        self.device = torch.device("cpu") if device == META else device
        # By identity, and by the memory that views and `.data` share with them.
        self._learned = list(parts.parameters.values())
        self._parameters: dict[int, Tensor | None] = dict.fromkeys(map(id, self._learned))
        self._real: dict[int, torch.UntypedStorage] = {}
        self._held: list[torch.UntypedStorage] = []
        self._forms = Forms()
        self.writes = False
        self._modules = parts.modules

    @property
    def parameters(self) -> Collection[int]:
        """Ids of the parameters, whose values nobody knows."""
        return self._parameters.keys()

    @cached_property
    def _own(self) -> dict[int, bool]:
        """Memory of the parameters, and whether it holds values; looked up when an operator runs for the first time."""
        found = [(memory_of(parameter), parameter.is_meta) for parameter in self._learned]
        return {storage._cdata: not meta for storage, meta in found if storage is not None}

    @cached_property
    def _places(self) -> dict[int, torch.UntypedStorage | None]:
        return {place: None for place, holds in self._own.items() if holds}

    def put_on_device(self) -> None:
        """Puts wrappers in the place of buffers without values, so that those claim to be on the device too.

        Whoever calls this puts the buffers back.
        """
        for module in self._modules:
            for name, buffer in module._buffers.items():
                if buffer is not None and buffer.is_meta and type(buffer) is not Fake:
                    module._buffers[name] = Fake(buffer, self.device)

    def fake(self, tensor: Tensor) -> Tensor:
        """What stands for an input: whole numbers and truth values keep theirs, since models ask for them."""
        if tensor.is_meta:
            return Fake(tensor, self.device)
        if tensor.is_floating_point() or tensor.is_complex():
            return Fake(self._twin(tensor), self.device)
        return tensor.clone().to(self.device)  # a copy: the forward may write to its inputs

    def memory(self, tensor: Tensor) -> torch.UntypedStorage | None:
        """The memory that a tensor looks at, the same for all that share it; None where it has none of its own."""
        if type(tensor) is Fake:
            storage = tensor.meta.untyped_storage()
            return self._real.get(storage._cdata, storage)
        return memory_of(tensor)

    def run(self, operator: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """What the operator returns.

        Raises: ValuesNeededError: it cannot be run without values.
        """
        tensors: list[Tensor] = []
        _gather(args, tensors)
        if kwargs:
            _gather(kwargs.values(), tensors)
        unknown = [tensor for tensor in tensors if self._unknown(tensor)]
        if not unknown:
            return self._constant(operator, args, kwargs)
        if not isinstance(operator, torch._ops.OpOverload):
            raise ValuesNeededError(str(operator))
        plan = _plan(operator)
        if plan.asks and _asks(operator, args, kwargs):
            if all(id(tensor) in self._parameters and not tensor.is_meta for tensor in unknown):
                return operator(*args, **kwargs)  # a learned number: known, and small to look at
            raise ValuesNeededError(operator_name(operator))
        if operator is _aten._fused_sdp_choice.default:
            return operator(
                *_mapped(args, _stand_in), **{name: _mapped(item, _stand_in) for name, item in kwargs.items()}
            )
        if plan.checks:
            _check(operator, args, tensors)
        for place, name in plan.writes:
            written = args[place] if place < len(args) else kwargs.get(name)
            for tensor in written if isinstance(written, list | tuple) else (written,):
                if isinstance(tensor, Tensor):
                    self.written(tensor)
        return self._without_values(operator, plan, args, kwargs, unknown)

    # --- how --------------------------------------------------------------------------------------------------

    def _without_values(
        self, operator: Any, plan: _Plan, args: tuple[Any, ...], kwargs: dict[str, Any], unknown: list[Tensor]
    ) -> Any:
        key = None
        if plan.pure and not kwargs:
            key = self._forms.key(operator, args)
            known = self._forms.made(key)
            if known is not None:
                device = self._device_of(unknown)
                if type(known) is Tensor:
                    return Fake(known, device)
                return type(known)([one if one is None else Fake(one, device) for one in known])
        given: dict[int, Tensor] = {}
        metas: list[Tensor] = []

        def lower(tensor: Tensor) -> Tensor:
            meta = self._lowered(tensor)
            given[id(meta)] = tensor
            metas.append(meta)
            return meta

        wanted = kwargs.get("device")
        low = {name: _mapped(item, lower) for name, item in kwargs.items()}
        if wanted is not None:
            low["device"] = META
        lowered = _mapped(args, lower)
        result = shortcut(operator, lowered, low)
        if result is NotImplemented:
            result = operator(*lowered, **low)
        if plan.changes_shape:
            self._reshape(operator, args, kwargs)
        if key is not None:
            self._forms.keep(key, result, metas)
        device = torch.device(wanted) if wanted is not None else self._device_of(unknown)
        if device.type == "meta":
            device = self.device
        if type(result) is Tensor:
            return given[id(result)] if id(result) in given else Fake(result, device)
        return _mapped(result, lambda meta: given.get(id(meta)) if id(meta) in given else Fake(meta, device))

    def _constant(self, operator: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """Runs it as always; what a model without values makes beside its parameters gets some."""
        if str(kwargs.get("device")) == "meta":
            shape = operator(*args, **kwargs)
            if isinstance(shape, Tensor) and shape.numel() > _LARGEST_CONSTANT:
                return Fake(shape, self.device)
            kwargs = {**kwargs, "device": self.device}
        return operator(*args, **kwargs)

    def _unknown(self, tensor: Tensor) -> bool:
        kind = type(tensor)
        if kind is Fake or id(tensor) in self._parameters or tensor.is_meta:
            return True
        storage = memory_of(tensor)
        return storage is not None and storage._cdata in self._places

    def _lowered(self, tensor: Tensor) -> Tensor:
        if type(tensor) is Fake:
            return tensor.meta
        if tensor.is_meta:
            return tensor
        if id(tensor) in self._parameters:
            known = self._parameters[id(tensor)]
            if known is None:
                known = self._parameters[id(tensor)] = self._twin(tensor)
            return known
        return self._twin(tensor)

    def _twin(self, tensor: Tensor) -> Tensor:
        """A tensor on the meta device with its shape; over memory of its own, but where the real one was written to."""
        if tensor.is_nested:
            raise ValuesNeededError("a nested tensor")
        if type(tensor) not in (Tensor, nn.Parameter) or tensor.layout != torch.strided or tensor.is_quantized:
            kind = type(tensor).__name__ if tensor.layout == torch.strided else f"tensor of layout {tensor.layout}"
            raise ValuesNeededError(f"a {kind}")
        storage = memory_of(tensor)
        if storage is None or storage._cdata not in self._places:
            return torch.empty_strided(tensor.size(), tensor.stride(), dtype=tensor.dtype, device=META)
        twin = torch.empty(0, dtype=tensor.dtype, device=META)
        return twin.set_(self._shared(storage), tensor.storage_offset(), tensor.size(), tensor.stride())

    def written(self, tensor: Tensor) -> None:
        """Something unknown is written to a tensor: from here on, nobody knows what its memory holds."""
        if type(tensor) is Fake and tensor.made_here:
            return
        storage = self.memory(tensor)
        if storage is None:
            raise ValuesNeededError(f"a {type(tensor).__name__}")
        self.writes = self.writes or storage._cdata in self._own
        if type(tensor) is not Fake and not tensor.is_meta:
            self._shared(storage)

    def _shared(self, storage: torch.UntypedStorage) -> torch.UntypedStorage:
        """Memory without values that stands for a real tensor's, the same for all its views."""
        shared = self._places.get(storage._cdata)
        if shared is None:
            shared = torch.empty(storage.nbytes(), dtype=torch.uint8, device=META).untyped_storage()
            self._places[storage._cdata] = shared
            self._real[shared._cdata] = storage
            self._held.append(storage)  # its identity must not be given to another
        return shared

    def _device_of(self, unknown: list[Tensor]) -> torch.device:
        scalar = None
        for tensor in unknown:
            if not tensor.is_meta:
                if tensor.ndim:
                    return tensor.device
                scalar = tensor if scalar is None else scalar
        return self.device if scalar is None else scalar.device

    def _reshape(self, operator: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        """An operator such as `unsqueeze_` changed a shape in place: the wrapper's changes alike."""
        for tensor in (*args, *kwargs.values()):
            if type(tensor) is Fake:
                tensor.forget()
        with torch._C._DisableTorchDispatch():
            before = torch._C._meta_in_tls_dispatch_include()
            torch._C._set_meta_in_tls_dispatch_include(True)
            try:
                operator(*args, **kwargs)
            finally:
                torch._C._set_meta_in_tls_dispatch_include(before)


def operator_name(operator: Any) -> str:
    """The plain name of an operator: "nonzero" of aten.nonzero.default."""
    name = str(operator._schema.name).partition("::")[2].strip("_")
    return "item" if name == "local_scalar_dense" else name


@cache
def asks_for_values(operator: Any) -> bool:
    """Whether an operator may need values to know what it returns, or returns a value to Python."""
    if not isinstance(operator, torch._ops.OpOverload):
        return False
    tags = operator.tags
    return torch.Tag.data_dependent_output in tags or torch.Tag.dynamic_output_shape in tags


def _asks(operator: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> bool:
    packet = operator._overloadpacket
    if packet is _aten.index:
        indices = args[1] if len(args) > 1 else kwargs.get("indices", ())
        return any(isinstance(index, Tensor) and index.dtype in (torch.bool, torch.uint8) for index in indices)
    if packet is _aten.repeat_interleave:
        return kwargs.get("output_size") is None
    return True


def really_asks(operator: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> bool:
    """Whether this call of an operator needs values: an index of numbers does not, one of truth values does."""
    return asks_for_values(operator) and _asks(operator, args, kwargs)


@cache
def _plan(operator: Any) -> _Plan:
    arguments = operator._schema.arguments
    writes = tuple(
        (place, argument.name)
        for place, argument in enumerate(arguments)
        if argument.alias_info is not None and argument.alias_info.is_write
    )
    packet = operator._overloadpacket
    return _Plan(
        asks_for_values(operator),
        torch.Tag.inplace_view in operator.tags,
        writes,
        packet in _PRODUCTS or packet in _SOFTMAX or packet is _aten.convolution,
        is_pure(operator),
    )


def _check(operator: Any, args: tuple[Any, ...], tensors: list[Tensor]) -> None:
    """What kernels with values refuse and those without let pass."""
    packet = operator._overloadpacket
    if packet in _SOFTMAX:
        if not tensors[0].is_floating_point():
            raise NotImplementedError(f'"softmax" not implemented for {tensors[0].dtype}')
        return
    types = {tensor.dtype for tensor in tensors}
    if len(types) > 1:
        found = " and ".join(sorted(str(dtype).removeprefix("torch.") for dtype in types))
        raise RuntimeError(f"{operator_name(operator)} needs tensors of one type, got {found}")
    if packet is _aten.convolution and tensors[0].ndim != tensors[1].ndim:
        raise RuntimeError(f"the convolution needs an input of {tensors[1].ndim} axes, got {tuple(tensors[0].shape)}")
    if packet is _aten.convolution and args[6] and tensors[0].shape[1] != tensors[1].shape[0]:
        raise RuntimeError(f"the convolution needs {tensors[1].shape[0]} channels, got {tensors[0].shape[1]}")


def _stand_in(tensor: Tensor) -> Tensor:
    """Memory that nobody has touched, for a question that only looks at shapes and devices."""
    return torch.empty_strided(tensor.size(), tensor.stride(), dtype=tensor.dtype, device=tensor.device)


def _gather(items: Iterable[Any], into: list[Tensor]) -> None:
    for item in items:
        if isinstance(item, Tensor):
            into.append(item)
        elif type(item) in (list, tuple):
            _gather(item, into)


def _mapped(item: Any, change: Callable[[Tensor], Any]) -> Any:
    if isinstance(item, Tensor):
        return change(item)
    kind = type(item)
    if kind is list or kind is tuple:
        return kind([_mapped(one, change) for one in item])
    return item
