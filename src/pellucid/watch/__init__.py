"""Watching a model learn.

    with pellucid.watch(model, optimizer, out="run.pellucid") as w:
        for inputs, targets in loader:
            outputs = model(inputs)
            loss = criterion(outputs, targets)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            w.observe(outputs, targets, loss)

`pellucid.watch` is this package and can be called, like `pellucid.graph`.
"""

from __future__ import annotations

import sys
from types import ModuleType
from typing import Any

from pellucid.watch.findings import training_findings
from pellucid.watch.watcher import Watch, watch

__all__ = ["Watch", "training_findings", "watch"]


class _CallablePackage(ModuleType):
    """This package, called like the function `watch`."""

    def __call__(self, *args: Any, **kwargs: Any) -> Watch:
        return watch(*args, **kwargs)


sys.modules[__name__].__class__ = _CallablePackage
