"""Where a model runs: moved to a device and back, and its recurrent layers without the kernels that explain nothing."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from typing import Any

import torch
from torch import Tensor, nn

from pellucid.errors import OptionError

HELD_TWICE = ("_flat_weights", "_flat_weight_refs")
"""Recurrent layers hold their parameters a second time, in lists of these names."""


def place_of(parameters: Iterable[Tensor], device: str | None = None) -> torch.device:
    """The device that was asked for; where the parameters are if None.

    Raises: OptionError: there is no such device here, or none that numbers can be right on.
    """
    first = next(iter(parameters), None)
    home = first.device if first is not None else torch.device("cpu")
    try:
        place = home if device is None else torch.device(device)
    except RuntimeError as error:
        raise OptionError(f"There is no device '{device}'; expected cpu, cuda or cuda:N.") from error
    if place.type == "meta":
        raise OptionError("The device 'meta' has no numbers to inspect; use cpu, cuda or cuda:N.")
    if place.type == "mps":
        raise OptionError(
            "The device 'mps' has no float64, in which sums are taken here. Move the model to the processor (model.cpu()), or give "
            "device='cpu' where a device can be given."
        )
    if place.type == "cuda" and not torch.cuda.is_available():
        raise OptionError("The device 'cuda' was asked for, but PyTorch sees no GPU here. Use --device cpu.")
    return place


@contextmanager
def on_device(model: nn.Module, device: str | None) -> Iterator[str]:
    """The model where it was asked to run; afterwards its parameters, gradients and buffers are the very tensors of before.

    Gives the device's name. Raises: OptionError: there is no such device here, none that numbers can be right on, or the model is
        spread over several, from which it could not be moved and back.
    """
    place = place_of(model.parameters(), device)
    homes = {tensor.device for tensor in (*model.parameters(), *model.buffers())}
    if device is None or homes <= {place}:
        yield str(place)
        return
    if len(homes) > 1:
        names = ", ".join(sorted(map(str, homes)))
        raise OptionError(f"The model is spread over {names}: it runs there as it is. Leave the device out.")
    tables: list[tuple[dict[str, Any], dict[str, Any]]] = []
    for module in model.modules():
        own = vars(module)
        tables += [(own[name], dict(own[name])) for name in ("_parameters", "_buffers")]
        tables.append((own, {name: own[name] for name in HELD_TWICE if name in own}))
    held = [_Held(tensor) for tensor in model.parameters()]
    try:
        model.to(place)
        yield str(place)
    finally:
        for table, before in tables:
            table.update(before)
        for one in held:
            one.put_back()


class _Held:
    """What a parameter consists of, which moving it replaces."""

    def __init__(self, parameter: nn.Parameter) -> None:
        self._parameter, self._values, self._gradient = parameter, parameter.data, parameter.grad
        self._slopes = self._gradient.data if self._gradient is not None else torch.empty(0)

    def put_back(self) -> None:
        self._parameter.data = self._values
        if self._gradient is not None:
            self._gradient.data = self._slopes
        self._parameter.grad = self._gradient


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
