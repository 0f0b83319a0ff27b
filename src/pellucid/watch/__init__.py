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
from typing import TYPE_CHECKING, Any

from pellucid.watch.findings import training_findings
from pellucid.watch.watcher import Watch

if TYPE_CHECKING:
    from pathlib import Path

    from torch import nn
    from torch.optim import Optimizer

__all__ = ["Watch", "training_findings", "watch"]


def watch(
    model: nn.Module,
    optimizer: Optimizer,
    *,
    out: str | Path,
    every: int | None = None,
    histograms_every: int | None = None,
    title: str | None = None,
    exact: bool = False,
    overwrite: bool = False,
) -> Watch:
    """Keeps what a model's training looks like from inside: gradients, updates, weights, activations, loss.

        with pellucid.watch(model, optimizer, out="run.pellucid") as w:
            ...                                     # the training loop, as it is
            w.observe(outputs, targets, loss)

    Training goes exactly as it would without. `pellucid open run.pellucid` follows it live.

    Args:
        model: the module that is trained; wrappers of torch.compile and DataParallel are looked through.
        optimizer: any optimizer of torch; gradients are read when it steps, without a scaler's factor.
        out: folder of the record.
        every: look at the norms of layers at every so many steps; None: as often as 0.8% of the time allows.
        histograms_every: the same for histograms.
        title: of the record; the model's class where None.
        exact: count every value in histograms and updates, not a sample of 16,384 values of each tensor.
        overwrite: replace a record that is there.

    Returns: the Watch, to be entered with `with`, which raises RecordError where something is at `out` already.
    Raises: OptionError: a cadence below 1, no model or optimizer of torch, an optimizer of another model, or parameters that have
        no shape yet.
    """
    return Watch(
        model,
        optimizer,
        out=out,
        every=every,
        histograms_every=histograms_every,
        title=title,
        exact=exact,
        overwrite=overwrite,
    )


class _CallablePackage(ModuleType):
    """This package, called like the function `watch`."""

    def __call__(self, *args: Any, **kwargs: Any) -> Watch:
        return watch(*args, **kwargs)


sys.modules[__name__].__class__ = _CallablePackage
