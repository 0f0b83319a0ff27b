"""Which line of the model's code a call stands on."""

from __future__ import annotations

import os
import sys
import sysconfig
from functools import lru_cache
from pathlib import Path, PurePath
from types import CodeType, FrameType
from typing import Literal, NamedTuple

import torch
from torch import nn

from pellucid.graph.parts import Parts

_TORCH = str(Path(torch.__file__).parent) + os.sep
_PELLUCID = str(Path(__file__).parent.parent) + os.sep
_STANDARD = tuple(sysconfig.get_paths()[name] + os.sep for name in ("stdlib", "platstdlib"))
_NOBODY_S = (_TORCH, _PELLUCID, "<frozen ", *_STANDARD)
_INSTALLED = ("site-packages", "dist-packages")
# Of the packages that these classes are from, not all is a model's own: they hold whatever models are made of.
_FOUNDATIONS = frozenset({"builtins", "torch", "pellucid"})


class _File(NamedTuple):
    """How a file counts: as the model's, as another library's, or as none that a reader would look for."""

    name: str
    of: Literal["model", "library", "none"]


class CallSites:
    """Tells file and line of the innermost frame that belongs to a model's code.

    The packages that the classes of its modules are from belong to it, and so does every file that is not installed: the
    user's own. Frames of torch (a Sequential calls what it holds, checkpointing calls what it wraps), of pellucid and of the
    standard library never count; of other libraries only where nothing of the model's is found (`einops.rearrange` is
    named by the line that calls it).

    Args:
        parts: of what runs.
        until: where the forward was begun; what lies beyond called the tracer, and is none of the model's.

    Attributes:
        files: how many different files were looked at; each is judged once.
    """

    def __init__(self, parts: Parts, until: CodeType) -> None:
        self._until = until
        kinds = {type(module) for module in parts.modules}
        modules = {base.__module__ for kind in kinds for base in kind.__mro__}
        self._packages = {name.partition(".")[0] for name in modules} - _FOUNDATIONS
        # A network that comes with pellucid is a model as well.
        self._own = {
            getattr(sys.modules.get(name), "__file__", None) for name in modules if name.startswith("pellucid.")
        }
        self._known: dict[str, _File] = {}

    @property
    def files(self) -> int:
        """How many files were judged."""
        return len(self._known)

    def here(self, module: nn.Module | None = None, skip: int = 1) -> str | None:
        """File, without folders, and line of the call that is being made; None where no line of the model's makes it.

        Args:
            module: what is called: a `__call__` of its own is part of it, and not where it is called.
            skip: how many frames up there is nothing but the tracer.
        """
        frame: FrameType | None = sys._getframe(skip)
        elsewhere: str | None = None
        known = self._known
        while frame is not None:
            code = frame.f_code
            name = code.co_filename
            file = known.get(name)
            if file is None:
                file = known[name] = self._judged(name)
            if file.of == "none":
                if code is self._until:
                    break
            elif module is None or code.co_name != "__call__" or not _is_call_of(code, type(module)):
                if file.of == "model":
                    return _line(file.name, code, frame)
                elsewhere = elsewhere or _line(file.name, code, frame)
            frame = frame.f_back
        return elsewhere

    def _judged(self, name: str) -> _File:
        shown, package = _shown(name)
        if name in self._own:
            return _File(shown, "model")
        if package is not None:
            return _File(shown, "model" if package in self._packages else "library")
        return _File(shown, "none" if name.startswith(_NOBODY_S) else "model")


@lru_cache(maxsize=4096)
def _shown(name: str) -> tuple[str, str | None]:
    """What a file is called without its folders, and the installed package that it is from, if it is from one."""
    # Code that torch.fx writes has a name that is no path, and where it was made behind it.
    shown = name.partition(" from ")[0] if name.startswith("<") else PurePath(name).name
    if name.startswith((_TORCH, _PELLUCID)):
        return shown, None
    parts = PurePath(name).parts
    places = [place for place, part in enumerate(parts) if part in _INSTALLED]
    return shown, parts[places[-1] + 1].removesuffix(".py") if places else None


# Of code that has run in this process, by its identity: itself, and the lines where it calls something.
_LINES: dict[int, tuple[CodeType, dict[int, str]]] = {}
_MOST = 16384


def _line(name: str, code: CodeType, frame: FrameType) -> str:
    """File and line where a frame is; to work out a line from where its code has come to takes longer than to know it."""
    known = _LINES.get(id(code))
    if known is None or known[0] is not code:
        if len(_LINES) >= _MOST:
            _LINES.clear()
        known = _LINES[id(code)] = code, {}
    lines = known[1]
    line = lines.get(frame.f_lasti)
    if line is None:
        line = lines[frame.f_lasti] = f"{name}:{frame.f_lineno}"
    return line


def _is_call_of(code: CodeType, kind: type) -> bool:
    return any(getattr(vars(base).get("__call__"), "__code__", None) is code for base in kind.__mro__)
