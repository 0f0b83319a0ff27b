"""Histograms over the bits of a float32: sign, octave, sub-octave. Fixed bins, so that they merge exactly.

A bin's id is the top 1 + 8 + 2 bits of the value's float32 pattern: four bins an octave, 2,048 in all. Infinities, NaN
and zeros are counted apart.
"""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import cache
from typing import TYPE_CHECKING, Self

import numpy as np

from pellucid.record import schema
from pellucid.record.schema import MANTISSA_BITS

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from torch import Tensor

SHIFT = 23 - MANTISSA_BITS
BINS = 1 << (9 + MANTISSA_BITS)
_SIGN = BINS // 2
_INFINITE = 255 << MANTISSA_BITS  # the first id whose exponent bits are all set
_NEGATIVE_ZERO = -(1 << 31)  # its pattern, read as int32
_ZERO, _NAN, _POSITIVE, _NEGATIVE = range(4)
_PIECE = 1 << 18
_FEW = 1 << 13  # values that NumPy counts in less time than it takes to call PyTorch


def _empty() -> NDArray[np.int64]:
    return np.zeros(BINS, np.int64)


def _nothing() -> NDArray[np.int64]:
    return np.zeros(4, np.int64)


@dataclass
class ExponentHistogram:
    """Counts by bin.

    Attributes:
        counts: int64[2048] by bin id; the ids of zeros, infinities and NaN stay 0.
        special: int64[4]: zeros, NaN, positive and negative infinities.
    """

    counts: NDArray[np.int64] = field(default_factory=_empty)
    special: NDArray[np.int64] = field(default_factory=_nothing)

    @property
    def total(self) -> int:
        """All values counted, special ones included."""
        return int(self.counts.sum() + self.special.sum())

    @property
    def negative(self) -> bool:
        """Whether any value is below 0."""
        return bool(self.counts[_SIGN:].any() or self.special[_NEGATIVE])

    def merge(self, other: Self) -> None:
        """Counts another's values in; exact."""
        self.counts += other.counts
        self.special += other.special

    def to_schema(self) -> schema.Histogram:
        """The bins that hold something, lowest values first."""
        filled = np.flatnonzero(self.counts)
        negative = filled[filled >= _SIGN][::-1]
        bins = np.concatenate([negative, filled[filled < _SIGN]])
        special = [int(count) for count in self.special]
        return schema.Histogram(
            bins=bins.tolist(),
            counts=self.counts[bins].tolist(),
            zero=special[_ZERO],
            nan=special[_NAN],
            positive_infinite=special[_POSITIVE],
            negative_infinite=special[_NEGATIVE],
        )


def of(values: NDArray[np.generic]) -> ExponentHistogram:
    """Counts an array of any shape; wider types are rounded to float32 first, beyond its range to infinity."""
    with np.errstate(over="ignore"):
        flat = np.ascontiguousarray(values, dtype=np.float32).reshape(-1)
    raw = np.bincount(flat.view(np.uint32) >> SHIFT, minlength=BINS).astype(np.int64)
    zero = flat == 0
    special = _Special(
        zero=int(np.count_nonzero(zero)),
        negative_zero=int(np.count_nonzero(np.signbit(flat[zero]))),
        nan=int(np.count_nonzero(np.isnan(flat))),
        positive_infinite=int(np.count_nonzero(np.isposinf(flat))),
        negative_infinite=int(np.count_nonzero(np.isneginf(flat))),
    )
    return _sorted_out(raw, special)


def of_tensor(values: Tensor) -> ExponentHistogram:
    """Counts a tensor of any shape, type and device; the counting happens on its device."""
    import torch

    flat = values.detach().to(torch.float32).contiguous().view(-1)
    raw = _counted_here(flat) if flat.device.type == "cpu" else _counted_there(flat)
    special = _Special()
    if raw[0] or raw[_SIGN]:
        special.zero = flat.numel() - int(torch.count_nonzero(flat))
        special.negative_zero = int((flat.view(torch.int32) == _NEGATIVE_ZERO).sum()) if raw[_SIGN] else 0
    if raw[_INFINITE:_SIGN].any() or raw[_SIGN + _INFINITE :].any():
        special.nan = int(torch.isnan(flat).sum())
        special.positive_infinite = int(torch.isposinf(flat).sum())
        special.negative_infinite = int(torch.isneginf(flat).sum())
    return _sorted_out(raw, special)


def _counted_here(flat: Tensor) -> NDArray[np.int64]:
    """Counts by code on the CPU, on as many threads as torch uses."""
    import torch

    codes = flat.numpy().view(np.uint32)
    if len(codes) <= _FEW:
        return np.bincount(codes >> np.uint32(SHIFT), minlength=BINS)
    workers = min(torch.get_num_threads(), len(codes) // _PIECE)
    if workers <= 1:
        return _counted_pieces(codes)
    total = np.zeros(BINS, np.int64)
    for counted in _pool(workers, os.getpid()).map(_counted_pieces, np.array_split(codes, workers)):
        total += counted
    return total


def _counted_pieces(codes: NDArray[np.uint32]) -> NDArray[np.int64]:
    """Counts by code, piece after piece in one buffer that stays in the cache."""
    import torch

    total = np.zeros(BINS, np.int64)
    buffer = np.empty(min(len(codes), _PIECE), np.uint32)
    for start in range(0, len(codes), _PIECE):
        piece = codes[start : start + _PIECE]
        # NumPy shifts faster, torch counts faster: it takes 32-bit codes as they are.
        shifted = np.right_shift(piece, np.uint32(SHIFT), out=buffer[: len(piece)]).view(np.int32)
        total += torch.bincount(torch.from_numpy(shifted), minlength=BINS).numpy()
    return total


def _counted_there(flat: Tensor) -> NDArray[np.int64]:
    """Counts by code on the tensor's device."""
    import torch

    # An arithmetic shift repeats the sign bit: the mask leaves the same 11 bits as a logical one.
    codes = (flat.view(torch.int32) >> SHIFT).bitwise_and_(BINS - 1)
    counted: NDArray[np.int64] = torch.bincount(codes, minlength=BINS).cpu().numpy()
    return counted


@cache
def _pool(workers: int, process: int) -> ThreadPoolExecutor:
    """Threads of this process: a forked data loader worker inherits the object, not the threads."""
    return ThreadPoolExecutor(workers, thread_name_prefix="pellucid-histogram")


@dataclass
class _Special:
    """Counts of the values that have no bin."""

    zero: int = 0
    negative_zero: int = 0
    nan: int = 0
    positive_infinite: int = 0
    negative_infinite: int = 0


_NONE = _Special()


def _sorted_out(raw: NDArray[np.int64], special: _Special) -> ExponentHistogram:
    """Takes the special values out of the bins; subnormals keep the lowest bins of their sign."""
    if special == _NONE:
        return ExponentHistogram(raw)
    counts = raw.copy()
    counts[_INFINITE:_SIGN] = 0
    counts[_SIGN + _INFINITE :] = 0
    counts[0] -= special.zero - special.negative_zero
    counts[_SIGN] -= special.negative_zero
    apart = [special.zero, special.nan, special.positive_infinite, special.negative_infinite]
    return ExponentHistogram(counts, np.array(apart, np.int64))


def edges(bin_id: int) -> tuple[float, float]:
    """Bounds of the values that fall into a bin, low < high; the bound nearer to zero belongs to it."""
    magnitude = bin_id & (_SIGN - 1)
    near, far = (
        float(np.array(min(code << SHIFT, 0x7F800000), np.uint32).view(np.float32))
        for code in (magnitude, magnitude + 1)
    )
    return (-far, -near) if bin_id >= _SIGN else (near, far)
