"""The three places from which a forward is watched: module calls, functions, operators. Each hands on what it sees."""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Any, TypeAlias

import torch
from torch import nn
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode

Arguments: TypeAlias = tuple[Any, ...]
Named: TypeAlias = dict[str, Any]

_LIBRARY = (str(Path(torch.__file__).parent), str(Path(__file__).parent))


@contextmanager
def module_calls(through: Callable[[nn.Module, Callable[..., Any], Arguments, Named], Any]) -> Iterator[None]:
    """Sends every module call of this thread through a function; calls of other threads go their way.

    The function gets the module, what really calls it, and the arguments.
    """
    original = nn.Module.__call__
    thread = threading.get_ident()

    def call(module: nn.Module, *args: Any, **kwargs: Any) -> Any:
        if threading.get_ident() != thread:
            return original(module, *args, **kwargs)
        return through(module, original, args, kwargs)

    nn.Module.__call__ = call  # type: ignore[method-assign]
    try:
        yield
    finally:
        nn.Module.__call__ = original  # type: ignore[method-assign]


class Functions(TorchFunctionMode):
    """Sends every function on tensors that is called from Python through another."""

    def __init__(self, through: Callable[[Callable[..., Any], Arguments, Named], Any]) -> None:
        super().__init__()
        self._through = through

    def __torch_function__(self, func: Any, types: Any, args: Arguments = (), kwargs: Named | None = None) -> Any:
        return self._through(func, args, kwargs or {})


class Operators(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Tells of every aten operator, before and after it runs."""

    def __init__(
        self, before: Callable[[Any, Arguments, Named], None], after: Callable[[Any, Arguments, Named, Any], None]
    ) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self._before = before
        self._after = after

    def __torch_dispatch__(self, func: Any, types: Any, args: Arguments = (), kwargs: Named | None = None) -> Any:
        named = kwargs or {}
        self._before(func, args, named)
        result = func(*args, **named)
        self._after(func, args, named, result)
        return result


def call_site() -> str | None:
    """File and line, without folders, of the nearest caller that is neither torch's nor this package's."""
    frame: FrameType | None = sys._getframe(1)
    while frame is not None:
        name = frame.f_code.co_filename
        if not name.startswith(_LIBRARY):
            return f"{Path(name).name}:{frame.f_lineno}"
        frame = frame.f_back
    return None
