"""What is read from tensors while training: samples, norms, histograms. Nothing here waits for a GPU."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from pellucid.measures import histogram
from pellucid.measures.histogram import ExponentHistogram

SAMPLE = 16_384


def local(tensor: Tensor) -> Tensor:
    """The part of a tensor that this process holds, where several share it (DTensor)."""
    to_local = getattr(tensor, "to_local", None)
    if to_local is None:
        return tensor
    part: Tensor = to_local()
    return part


def flat(tensor: Tensor) -> Tensor:
    """All values in one row, without copying where memory has no gaps; in the order of memory."""
    values = local(tensor.detach())
    if values.is_sparse:
        values = values.coalesce().values()
    if values.is_contiguous():
        return values.view(-1)
    if values.ndim == 4 and values.is_contiguous(memory_format=torch.channels_last):
        return values.permute(0, 2, 3, 1).reshape(-1)
    return values.reshape(-1)


def sampled(tensor: Tensor, limit: int | None) -> Tensor:
    """Values at equal distances, at most `limit` of them or all where None; a view where it can be one."""
    values = flat(tensor)
    if limit is None or values.numel() <= limit:
        return values
    # An odd distance does not fall in step with the powers of two that tensors are made of.
    distance = -(-values.numel() // limit) | 1
    return values[::distance]


def norms(tensors: Sequence[Tensor]) -> Tensor:
    """L2 norm of each, float32[tensor] (float64 where one of them is), on the device of the first."""
    if not tensors:
        return torch.zeros(0)
    dense = [_real(flat(tensor) if tensor.is_sparse else local(tensor.detach())) for tensor in tensors]
    wide = any(tensor.dtype == torch.float64 for tensor in dense)
    each = torch._foreach_norm(dense, 2, dtype=torch.float64 if wide else torch.float32)
    place = each[0].device
    return torch.stack([norm if norm.device == place else norm.to(place) for norm in each])


def _real(tensor: Tensor) -> Tensor:
    """The tensor, or both parts of complex numbers, whose norm is the same."""
    return torch.view_as_real(tensor.resolve_conj()) if tensor.is_complex() else tensor


class Counted:
    """A histogram that is counted now on the CPU, and later elsewhere, from a copy of the values.

    Attributes:
        waiting: how many values are held.
    """

    def __init__(self) -> None:
        """Begins empty."""
        self._histogram = ExponentHistogram()
        self._copies: list[Tensor] = []
        self.waiting = 0

    def add(self, tensor: Tensor, limit: int | None, scale: Tensor | None = None) -> None:
        """Counts values in: of a sample, or all where `limit` is None; each times `scale`."""
        values = sampled(tensor, limit)
        if not values.is_floating_point():
            return
        if scale is not None:
            values = values.to(torch.float32) * scale.to(values.device)
        if values.device.type == "cpu" or limit is None:
            self._histogram.merge(histogram.of_tensor(values))
            return
        self._copies.append(values.to(torch.float32, copy=True))
        self.waiting += values.numel()

    def finish(self) -> ExponentHistogram:
        """The counts; what waited is brought over at once."""
        if self._copies:
            self._histogram.merge(histogram.of(torch.cat(self._copies).cpu().numpy()))
            self._copies.clear()
            self.waiting = 0
        return self._histogram
