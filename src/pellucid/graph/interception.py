"""The places from which a forward is watched: module calls, functions, operators. Each hands on what it sees."""

from __future__ import annotations

import functools
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FunctionType, MethodType
from typing import Any, TypeAlias

import torch
from torch import Tensor, nn
from torch._ops import OpOverload
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode

Arguments: TypeAlias = tuple[Any, ...]
Named: TypeAlias = dict[str, Any]

_PROPERTIES = (
    "shape",
    "dtype",
    "device",
    "ndim",
    "layout",
    "is_cuda",
    "is_meta",
    "requires_grad",
    "is_sparse",
    "is_quantized",
)
# What only asks a tensor about its form: nothing is made, and models ask often.
_QUESTIONS = frozenset(
    [getattr(Tensor, name).__get__ for name in _PROPERTIES]
    + [
        getattr(Tensor, name)
        for name in ("size", "dim", "stride", "numel", "is_contiguous", "is_floating_point", "element_size", "ndimension",
                     "is_complex", "storage_offset", "get_device", "is_inference")
    ]
)  # fmt: skip


@contextmanager
def module_calls(
    through: Callable[[nn.Module, Callable[..., Any], Arguments, Named], Any],
    elsewhere: Callable[[nn.Module], None] = lambda module: None,
) -> Iterator[None]:
    """Sends every module call of this thread through a function; calls of other threads go their way.

    The function gets the module, what really calls it, and the arguments; `elsewhere` hears of the other threads' calls.
    """
    function = nn.Module.__call__
    thread = threading.get_ident()

    if not isinstance(function, FunctionType) or function.__code__.co_freevars:
        # Somebody else stands there already.
        nn.Module.__call__ = functools.partialmethod(  # type: ignore[method-assign, assignment]
            _sent, _pellucid=(threading.get_ident, thread, elsewhere, through, function)
        )
        try:
            yield
        finally:
            nn.Module.__call__ = function  # type: ignore[method-assign]
        return
    # Another function in its place would make Python look through every class of modules there is, which takes longer than
    # a small network: it is the same function, with other code.
    code, named = function.__code__, function.__kwdefaults__
    original = FunctionType(code, function.__globals__, function.__name__, function.__defaults__)
    original.__kwdefaults__ = named
    function.__kwdefaults__ = {"_pellucid": (threading.get_ident, thread, elsewhere, through, original)}
    function.__code__ = _sent.__code__
    try:
        yield
    finally:
        function.__code__ = code
        function.__kwdefaults__ = named


def _sent(module: nn.Module, /, *args: Any, _pellucid: Any, **kwargs: Any) -> Any:
    """What calling a module does meanwhile; it stands among torch's own functions and knows no names but its arguments'."""
    asked, thread, elsewhere, through, original = _pellucid
    if asked() != thread:
        elsewhere(module)
        return original(module, *args, **kwargs)
    return through(module, original, args, kwargs)


@contextmanager
def differentiable_functions(through: Callable[[type, Callable[..., Any], Arguments, Named], Any]) -> Iterator[None]:
    """Sends every call of a custom `torch.autograd.Function` of this thread through a function.

    Models bind `apply` to a name when they are imported, where it cannot be replaced any more: of classes that exist, their
    `forward` is; of those that are made on the way, `apply`. What is seen of one call twice is the function's to tell.
    """
    base: Any = torch.autograd.function._SingleLevelFunction
    thread = threading.get_ident()
    replaced: list[tuple[Any, str, Any]] = []

    def replace(cls: Any, name: str, kind: Any, call: Callable[..., Any]) -> None:
        replaced.append((cls, name, vars(cls).get(name)))
        setattr(cls, name, kind(call))

    def watched(cls: Any, forward: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(forward)
        def call(*args: Any, **kwargs: Any) -> Any:
            if threading.get_ident() != thread:
                return forward(*args, **kwargs)
            return through(cls, forward, args, kwargs)

        return call

    before = vars(base).get("apply")

    def apply(cls: Any, *args: Any, **kwargs: Any) -> Any:
        original = before.__get__(None, cls) if before is not None else super(base, cls).apply
        if threading.get_ident() != thread:
            return original(*args, **kwargs)
        return through(cls, original, args, kwargs)

    try:
        replace(base, "apply", classmethod, apply)
        for cls in _custom_functions(torch.autograd.Function):
            replace(cls, "forward", staticmethod, watched(cls, cls.forward))
        yield
    finally:
        for cls, name, old in reversed(replaced):
            if old is None:
                delattr(cls, name)
            else:
                setattr(cls, name, old)


@contextmanager
def counted_tensors() -> Iterator[None]:
    """Inside, torch.inference_mode is torch.no_grad, also if it was on before.

    What is computed is the same; but in inference mode torch hands on operators that are made of others whole, and does not
    count how often a tensor is written to, and from both it is told what a model does.
    """
    thread, before = threading.get_ident(), torch.inference_mode.__enter__

    def enter(mode: Any) -> None:
        if mode.mode and threading.get_ident() == thread:
            mode._inference_mode_context = torch.no_grad()  # which leaving the mode leaves
            mode._inference_mode_context.__enter__()
        else:
            before(mode)

    with torch.inference_mode(False), torch.no_grad():
        torch.inference_mode.__enter__ = enter  # type: ignore[method-assign]
        try:
            yield
        finally:
            torch.inference_mode.__enter__ = before  # type: ignore[method-assign]


# Functions of torch's own, of which there are many and which stay.
_TORCH_S: set[Any] = set()


def _custom_functions(base: Any) -> list[Any]:
    found: list[Any] = []
    waiting = base.__subclasses__()
    for cls in waiting:  # grows while it is walked
        if cls in _TORCH_S:
            pass
        elif cls.__module__.startswith("torch."):
            _TORCH_S.add(cls)
        elif isinstance(vars(cls).get("forward"), staticmethod):
            found.append(cls)
        waiting += cls.__subclasses__()
    return found


class Functions(TorchFunctionMode):
    """Sends every function on tensors that is called from Python through another."""

    def __init__(self, through: Callable[[Callable[..., Any], Arguments, Named], Any]) -> None:
        super().__init__()
        self._through = through

    def __torch_function__(self, func: Any, types: Any, args: Arguments = (), kwargs: Named | None = None) -> Any:
        named = kwargs or {}
        if func in _QUESTIONS or (func is torch._assert and not isinstance(args[0], Tensor)):
            return func(*args, **named)
        for kind in types:
            if kind is not Tensor and not issubclass(kind, Tensor):
                # An object that is no tensor and takes functions apart by itself: what it calls is seen again.
                with self:
                    return kind.__torch_function__(func, types, args, named)
        return self._through(func, args, named)


class Operators(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Tells of every aten operator, before and after it runs; `run` runs it."""

    supports_higher_order_operators = True

    def __init__(
        self,
        before: Callable[[Any, Arguments, Named], None],
        after: Callable[[Any, Arguments, Named, Any], None],
        run: Callable[[Any, Arguments, Named], Any] | None = None,
    ) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self._before = before
        self._after = after
        self._run = run

    @classmethod
    def _should_skip_dynamo(cls) -> bool:
        """No: nothing is compiled meanwhile, and to keep the compiler from looking would load it, which takes seconds."""
        return False

    def __torch_dispatch__(self, func: Any, types: Any, args: Arguments = (), kwargs: Named | None = None) -> Any:
        named = kwargs or {}
        # An operator may be asked for past every function (by a scripted module), and have a kernel in Python: what that
        # calls is none of the model's functions.
        with torch._C.DisableTorchFunction():
            self._before(func, args, named)
            if not isinstance(func, OpOverload):
                args, named = self._heard(args), {name: self._heard(one) for name, one in named.items()}
            result = func(*args, **named) if self._run is None else self._run(func, args, named)
            self._after(func, args, named, result)
        return result

    def _heard(self, given: Any) -> Any:
        """What an operator that takes functions is given: of what these call it is told too, for they are the model's."""
        if type(given) in (tuple, list):
            return type(given)([self._heard(one) for one in given])
        if not isinstance(given, FunctionType | MethodType | functools.partial):
            return given

        @functools.wraps(given)
        def called(*args: Any, **kwargs: Any) -> Any:
            with self:
                return given(*args, **kwargs)

        return called
