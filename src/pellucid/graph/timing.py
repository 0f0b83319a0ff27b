"""How long each call takes: one forward with values, watched where modules and functions are called and nowhere else."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import torch
from torch import nn

from pellucid.graph.dataflow import gathered, versions
from pellucid.graph.names import CallNames, function_name, is_opaque, module_paths

Arguments = tuple[Any, ...]
Named = dict[str, Any]


class Stopwatch:
    """Measures the calls of one forward under the names that the graph gives them.

    What the watching itself takes is left out, also of the calls that enclose it. On a GPU every call waits until the
    device has done its work, so that it is counted where it was asked for.

    Attributes:
        seconds: by name.
    """

    def __init__(self, model: nn.Module, device: torch.device) -> None:
        self.seconds: dict[str, float] = {}
        self._paths = module_paths(model)
        self._names = CallNames()
        self._inside: list[str] = []
        self._opaque = 0
        self._counting = False
        self._watching = 0.0
        self._finish: Callable[[], object] = torch.cuda.synchronize if device.type == "cuda" else lambda: None

    def called(self, module: nn.Module, call: Callable[..., Any], args: Arguments, kwargs: Named) -> Any:
        """Runs and measures a module's call."""
        began = time.perf_counter()
        path = self._paths.get(id(module))
        if path is None or self._opaque or (path == "" and not self._inside and not is_opaque(module)):
            return call(module, *args, **kwargs)
        opaque = is_opaque(module)
        name, _ = self._names.module(path)
        self._inside.append(path)
        self._opaque += opaque
        try:
            result, self.seconds[name] = self._measured(began, lambda: call(module, *args, **kwargs))
            return result
        finally:
            self._opaque -= opaque
            self._inside.pop()

    def function(self, func: Callable[..., Any], args: Arguments, kwargs: Named) -> Any:
        """Runs and measures a function that a module calls itself."""
        if self._opaque and not self._counting:
            return func(*args, **kwargs)
        return self._function(function_name(func), func, args, kwargs)

    def differentiable(self, cls: type, call: Callable[..., Any], args: Arguments, kwargs: Named) -> Any:
        """The same of a custom `torch.autograd.Function`."""
        if self._opaque or cls.__module__ == "torch.utils.checkpoint":
            return call(*args, **kwargs)
        counting, self._counting = self._counting, True
        try:
            return self._function(cls.__name__, call, args, kwargs)
        finally:
            self._counting = counting

    def _function(self, name: str, func: Callable[..., Any], args: Arguments, kwargs: Named) -> Any:
        began = time.perf_counter()
        inputs = gathered((args, kwargs) if kwargs else args)
        before = versions(inputs)
        hidden = bool(self._opaque)
        self._opaque += 1
        try:
            result, seconds = self._measured(began, lambda: func(*args, **kwargs))
        finally:
            self._opaque -= 1
        ended = time.perf_counter()
        # The graph's own rule: a question, or a conversion that had nothing to convert, is no node and not counted.
        outputs = gathered(result)
        changed = versions(inputs) != before
        if changed or any(all(output is not given for given in inputs) for output in outputs):
            numbered, _ = self._names.function(self._inside[-1] if self._inside else "", name)
            if not hidden:
                self.seconds[numbered] = seconds
        self._watching += time.perf_counter() - ended
        return result

    def _measured(self, began: float, call: Callable[[], Any]) -> tuple[Any, float]:
        """What the call returns, and how long it takes without the watching inside it."""
        self._finish()
        start = time.perf_counter()
        self._watching += start - began
        watching = self._watching
        result = call()
        self._finish()
        ended = time.perf_counter()
        return result, max(0.0, ended - start - (self._watching - watching))
