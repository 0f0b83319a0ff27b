"""Histograms over the bits of floating-point numbers, against plain loops."""

from __future__ import annotations

import math
from itertools import pairwise

import numpy as np
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from numpy.typing import NDArray

from pellucid.measures import histogram
from pellucid.measures.histogram import ExponentHistogram, edges
from support.counted import quick

anything = arrays.arrays(
    np.float32,
    st.integers(0, 60),
    elements=st.floats(width=32)
    | st.sampled_from([0.0, -0.0, 1.0, -1.0, 1e-45, -1e-45, 3.4028235e38, np.inf, -np.inf]),
)


def plain_bins(values: NDArray[np.float32]) -> tuple[dict[int, int], list[int]]:
    """Sign, octave and quarter of the octave from the value itself, not from its bits."""
    bins: dict[int, int] = {}
    special = [0, 0, 0, 0]
    for value in map(float, values):
        if value == 0 or not math.isfinite(value):
            special[0 if value == 0 else 1 if math.isnan(value) else 2 if value > 0 else 3] += 1
            continue
        mantissa, exponent = math.frexp(abs(value))  # abs(value) = mantissa * 2**exponent, 0.5 <= mantissa < 1
        octave = exponent + 126  # the exponent bits of a float32
        quarter = int((mantissa - 0.5) * 8)
        if octave <= 0:  # subnormal: no leading one, quarters of the lowest octave
            octave, quarter = 0, int(abs(value) / 2.0**-126 * 4)
        number = (1024 if value < 0 else 0) + octave * 4 + quarter
        bins[number] = bins.get(number, 0) + 1
    return bins, special


def as_plain(counted: ExponentHistogram) -> tuple[dict[int, int], list[int]]:
    return {int(one): int(counted.counts[one]) for one in np.flatnonzero(counted.counts)}, counted.special.tolist()


@quick
@given(values=anything)
def test_a_value_is_in_the_bin_of_its_sign_octave_and_quarter(values: NDArray[np.float32]) -> None:
    expected = plain_bins(values)
    assert as_plain(histogram.of(values)) == expected
    assert as_plain(histogram.of_tensor(torch.from_numpy(values))) == expected


@quick
@given(values=anything, cut=st.integers(0, 60))
def test_histograms_merge_exactly_and_hold_every_value(values: NDArray[np.float32], cut: int) -> None:
    merged = histogram.of(values[:cut])
    merged.merge(histogram.of_tensor(torch.from_numpy(values[cut:].copy())))
    whole = histogram.of(values)
    assert as_plain(merged) == as_plain(whole)
    assert whole.total == len(values)
    stored = whole.to_schema()
    assert sum(stored.counts) + stored.zero + stored.nan + stored.positive_infinite + stored.negative_infinite == len(
        values
    )


@quick
@given(values=anything)
def test_the_bounds_of_a_bin_contain_its_values_in_order_and_bound_their_moments(values: NDArray[np.float32]) -> None:
    finite = values[np.isfinite(values)]
    stored = histogram.of(finite).to_schema()
    bounds = [edges(one) for one in stored.bins]
    assert all(low < high for low, high in bounds)
    assert bounds == sorted(bounds)
    for value in map(float, finite[finite != 0]):
        inside = [low <= value < high if value > 0 else low < value <= high for low, high in bounds]
        assert inside.count(True) == 1
    for power in (1, 2):
        total = math.fsum(float(value) ** power for value in finite)
        ends = [sorted((low**power, high**power)) for low, high in bounds if max(abs(low), abs(high)) < math.inf]
        if len(ends) == len(bounds):
            lowest = math.fsum(count * low for count, (low, _) in zip(stored.counts, ends, strict=True))
            highest = math.fsum(count * high for count, (_, high) in zip(stored.counts, ends, strict=True))
            assert lowest <= total <= highest


def test_all_bins_together_are_the_floats_without_gap_or_overlap() -> None:
    positive = [edges(one) for one in range(255 * 4)]
    assert positive[0][0] == 0.0
    assert positive[-1][1] == math.inf
    assert all(one[1] == other[0] for one, other in pairwise(positive))
    assert [edges(1024 + one) for one in range(255 * 4)] == [(-high, -low) for low, high in positive]
    # Four bins an octave, equally wide.
    assert [edges(4 * 127 + quarter)[0] for quarter in range(5)] == [1.0, 1.25, 1.5, 1.75, 2.0]


def test_a_large_tensor_is_counted_on_several_threads_as_by_one() -> None:
    values = torch.randn(700_001, generator=torch.Generator().manual_seed(0))
    values[::1000] = 0
    threads = torch.get_num_threads()
    counted = []
    try:
        for number in (1, 2):
            torch.set_num_threads(number)
            counted.append(as_plain(histogram.of_tensor(values)))
    finally:
        torch.set_num_threads(threads)
    assert counted == [as_plain(histogram.of(values.numpy()))] * 2


def test_few_values_and_many_are_counted_alike_whatever_their_bits() -> None:
    bits = np.random.default_rng(0).integers(0, 1 << 32, 300_000, np.uint64).astype(np.uint32)
    bits[:4] = 0x80000000, 0xFF800000, 0x7F800000, 0x00000000
    for number in (1, 8192, 8193, 300_000):
        values = bits[:number].view(np.float32)
        assert as_plain(histogram.of_tensor(torch.from_numpy(values))) == as_plain(histogram.of(values))


def test_negative_nan_and_strided_and_wide_values_are_counted_as_what_they_are() -> None:
    nan = np.array([0xFFC00001, 0x7F800001], np.uint32).view(np.float32)
    assert as_plain(histogram.of(nan)) == ({}, [0, 2, 0, 0])
    assert as_plain(histogram.of_tensor(torch.from_numpy(nan))) == ({}, [0, 2, 0, 0])
    grid = torch.arange(12, dtype=torch.float64).reshape(3, 4)
    assert as_plain(histogram.of_tensor(grid.T[1:])) == plain_bins(grid.numpy().T[1:].reshape(-1).astype(np.float32))
    # Beyond float32 is infinite in it.
    assert as_plain(histogram.of(np.array([1e300, -1e300, 1e-300]))) == ({}, [1, 0, 1, 1])
    assert as_plain(histogram.of_tensor(torch.tensor([1e300, -1e300, 1e-300]).double())) == ({}, [1, 0, 1, 1])
    assert as_plain(histogram.of_tensor(torch.tensor([True, False]))) == plain_bins(np.array([1, 0], np.float32))
    half = torch.tensor([1.5, -6e4, 6e-8], dtype=torch.float16)
    assert as_plain(histogram.of_tensor(half)) == plain_bins(half.float().numpy())
