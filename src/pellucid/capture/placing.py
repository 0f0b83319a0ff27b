"""Where a model runs: moved to a device and back, and its recurrent layers without the kernels that explain nothing."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from typing import Any

import torch
from torch import nn

from pellucid.errors import OptionError


@contextmanager
def on_device(model: nn.Module, device: str | None) -> Iterator[str]:
    """Moves the model where it was asked to run, and back; gives the device's name. Raises: OptionError: there is none such."""
    first = next(model.parameters(), None)
    home = first.device if first is not None else torch.device("cpu")
    try:
        place = home if device is None else torch.device(device)
    except RuntimeError as error:
        raise OptionError(f"There is no device '{device}'; expected cpu, cuda or cuda:N.") from error
    if place.type == "meta":
        raise OptionError("The device 'meta' has no numbers to inspect; use cpu, cuda or cuda:N.")
    if place.type == "cuda" and not torch.cuda.is_available():
        raise OptionError("The device 'cuda' was asked for, but PyTorch sees no GPU here. Use --device cpu.")
    if place == home:
        yield str(home)
        return
    model.to(place)
    try:
        yield str(place)
    finally:
        model.to(home)


@contextmanager
def unfused(modules: Iterable[nn.Module], backends: Sequence[Any] = (torch.backends.cudnn,)) -> Iterator[None]:
    """Inside, recurrent layers run without the fused kernels of these backends.

    cuDNN's have no backward in evaluation mode, and all of them hide what they are made of.
    """
    with ExitStack() as stack:
        if any(isinstance(module, nn.RNNBase) for module in modules):
            for backend in backends:
                before = backend.set_flags(_enabled=False)[0]
                stack.callback(backend.set_flags, _enabled=before)
        yield
