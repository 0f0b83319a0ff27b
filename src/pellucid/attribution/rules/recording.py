"""What ran in the explained forward, operator by operator, and which node of the gradient graph stands for each."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode

if TYPE_CHECKING:
    from types import FrameType

_TORCH = str(Path(torch.__file__).parent)
_HERE = str(Path(__file__).resolve().parents[2])


@dataclass(frozen=True, slots=True)
class Part:
    """Where in a tensor a view of it lies.

    Attributes:
        whole: strides of the tensor.
        size, stride, offset: of the view in it.
    """

    whole: tuple[int, ...]
    size: tuple[int, ...]
    stride: tuple[int, ...]
    offset: int

    @classmethod
    def of(cls, view: Tensor) -> Part | None:
        """The place of a view in its base; None for what is no view."""
        base = view._base
        if base is None:
            return None
        offset = int(view.storage_offset() - base.storage_offset())
        return cls(tuple(base.stride()), tuple(view.shape), tuple(view.stride()), offset)

    def within(self, values: Tensor) -> tuple[Tensor, Tensor]:
        """A copy of what has the tensor's shape, and the view's part of that copy."""
        copy = values.new_empty_strided(values.shape, self.whole).copy_(values)
        return copy, copy.as_strided(self.size, self.stride, self.offset)


@dataclass(slots=True)
class Call:
    """One operator of the forward; its tensors are detached and stay as they were at the call.

    Attributes:
        operator: its name without namespace and without the trailing underscore of its in-place form: "add".
        arguments: in the order of its schema; empty where the recorder was not asked to keep them.
        named: keyword arguments.
        output: what it gave; None where the recorder was not asked to keep it.
        part: where it wrote in place into a view of another tensor; None where it did not.
        where: "encoder.block at net.py:12"; empty where the recorder was not asked for it.
        source: of a copy, the memory that it was made of.
    """

    operator: str
    arguments: tuple[Any, ...] = ()
    named: Mapping[str, Any] | None = None
    output: Any = None
    part: Part | None = None
    where: str = ""
    source: int | None = None

    def argument(self, position: int, name: str, default: Any = None) -> Any:
        """An argument by position, by name, or its default."""
        if position < len(self.arguments):
            return self.arguments[position]
        return (self.named or {}).get(name, default)


class Recorder(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Notes operators by the number that the gradient graph gives to the node it makes for each.

    It sees what runs below autograd: functional, module, in-place and reused operators alike, and what composite functions
    such as attention and recurrent layers are made of. It changes nothing, so that the forward is the plain one, bit by bit.

    Args:
        keeps: for an operator, whether its arguments and its output are needed later.
        locates: for an operator, whether to note where it was called.
    """

    def __init__(
        self, model: nn.Module, keeps: Callable[[str], tuple[bool, bool]], locates: Callable[[str], bool]
    ) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.calls: dict[int, Call] = {}
        self.written: list[Call] = []
        self._keeps = keeps
        self._locates = locates
        self._paths = {id(module): path for path, module in model.named_modules()}
        self._kept: dict[int, list[Call]] = {}
        self._known: dict[Any, tuple[str, tuple[bool, bool], bool, tuple[int, ...]]] = {}

    def clear(self) -> None:
        """Forgets the last forward."""
        self.calls.clear()
        self.written.clear()
        self._kept.clear()

    def __torch_dispatch__(
        self, function: Any, types: Any, arguments: tuple[Any, ...] = (), named: dict[str, Any] | None = None
    ) -> Any:
        # The node was made just before the operator came here, and took the number before the next one. An operator
        # without a node comes here under the number of an earlier one, whose place is taken already.
        number = torch.autograd._get_sequence_nr() - 1  # type: ignore[attr-defined]
        known = self._known.get(function) or self._learn(function)
        operator, (keep_arguments, keep_output), locate, changes = known
        if changes and self._saved_before(number, arguments[changes[0]]):
            number -= 1
        call = None
        if torch.is_grad_enabled() and number not in self.calls and not _is_constant(operator, arguments):
            call = self.calls[number] = Call(operator)
            if operator == "clone":
                call.source = _storage(arguments[0])
            if locate:
                call.where = self._place(sys._getframe(1))
            if keep_arguments:
                call.arguments = tuple(_detached(one) for one in arguments)
                call.named = {name: _detached(one) for name, one in (named or {}).items()}
                self._remember(call, (call.arguments, call.named))
        for position in changes:
            if position < len(arguments) and isinstance(arguments[position], Tensor):
                written = arguments[position]
                if call is not None and written._is_view():
                    call.part = Part.of(written)
                    call.where = call.where or self._place(sys._getframe(1))
                    self.written.append(call)
                self._rescue(written)
        output = function(*arguments, **(named or {}))
        if call is not None and keep_output:
            call.output = _detached(output)
            self._remember(call, call.output)
        return output

    def _learn(self, function: Any) -> tuple[str, tuple[bool, bool], bool, tuple[int, ...]]:
        operator = function._schema.name.split("::")[-1]
        changes = tuple(
            position
            for position, argument in enumerate(function._schema.arguments)
            if argument.alias_info is not None and argument.alias_info.is_write and not argument.kwarg_only
        )
        if operator.endswith("_") and not operator.endswith("__"):
            operator = operator[:-1]
        self._known[function] = known = (operator, self._keeps(operator), self._locates(operator), changes)
        return known

    def _saved_before(self, number: int, written: Any) -> bool:
        """Whether the last operator is the copy that autograd makes of what is about to be written to.

        Where the backward of an operator in place needs what it overwrites (`silu_`, `relu6_`, `mul_` with a gate), a clone is
        made between its node and itself, and has taken the next number. (A copy of a constant has no node and takes none.)
        """
        last = self.calls.get(number)
        if last is None or last.operator != "clone" or number - 1 in self.calls or not isinstance(written, Tensor):
            return False
        return last.source == _storage(written)

    def _remember(self, call: Call, tree: Any) -> None:
        for tensor in _tensors(tree):
            self._kept.setdefault(_storage(tensor), []).append(call)

    def _rescue(self, written: Tensor) -> None:
        """Copies what was kept of memory that is about to be written to."""
        place = _storage(written)
        for call in self._kept.pop(place, ()):
            call.arguments = tuple(_copied(one, place) for one in call.arguments)
            call.named = {name: _copied(one, place) for name, one in (call.named or {}).items()}
            call.output = _copied(call.output, place)

    def _place(self, frame: FrameType | None) -> str:
        """The module that is running and the line of the caller's own code, for a message."""
        line, path = "", ""
        while frame is not None and not (line and path):
            file = frame.f_code.co_filename
            if not line and not file.startswith((_TORCH, _HERE)) and not file.startswith("<"):
                line = f"{Path(file).name}:{frame.f_lineno}"
            owner = frame.f_locals.get("self")
            if not path and isinstance(owner, nn.Module):
                path = self._paths.get(id(owner), "") or type(owner).__name__
            frame = frame.f_back
        return " at ".join(part for part in (path, line) if part)


def _is_constant(operator: str, arguments: tuple[Any, ...]) -> bool:
    """Whether an operator never has a node: it may run inside another one, whose number it would take."""
    return operator == "detach" or (operator == "clone" and not arguments[0].requires_grad)


def _storage(tensor: Tensor) -> int:
    return tensor.untyped_storage()._cdata  # type: ignore[no-any-return]


def _detached(value: Any) -> Any:
    if isinstance(value, Tensor):
        return value.detach()
    if isinstance(value, tuple | list):
        return tuple(_detached(one) for one in value)
    return value


def _tensors(tree: Any) -> list[Tensor]:
    if isinstance(tree, Tensor):
        return [tree]
    parts = tree.values() if isinstance(tree, dict) else tree if isinstance(tree, tuple) else ()
    return [tensor for part in parts for tensor in _tensors(part)]


def _copied(value: Any, place: int) -> Any:
    if isinstance(value, Tensor):
        return value.clone() if _storage(value) == place else value
    return tuple(_copied(one, place) for one in value) if isinstance(value, tuple) else value
