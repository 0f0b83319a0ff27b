"""How far from one the sum of probabilities may be by rounding, told by the precision that the numbers themselves show."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

# Of half floats, or of numbers written with four digits.
SUM_TOLERANCE = 2e-3
# However few digits the numbers have: sums beyond it are no rounding that one would trust.
MOST_OFF = 0.05
# Half the distance of neighbouring bfloat16 numbers, relative to them; and the bits of float32 that they leave 0.
_BFLOAT16 = 2.0**-8
_BITS_BELOW = np.uint32(0xFFFF)
# More digits than this float32 does not tell from any number.
_MOST_DIGITS = 5


def is_rounding(rows: NDArray[np.floating], off: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Whether sums that are not one are so by the rounding of the numbers, bool[example].

    Each of K numbers that are written with d digits is at most half a unit of its last digit off, their sum K times that; numbers
    of bfloat16 are off by 2^-8 of themselves.

    Args:
        rows: float[example class], each number between 0 and 1.
        off: float64[example], how far their sums are from one, more than 0.
    """
    return _of_bfloat16(rows, off) | _of_few_digits(rows, off)


def _of_bfloat16(rows: NDArray[np.floating], off: NDArray[np.float64]) -> NDArray[np.bool_]:
    with np.errstate(over="ignore"):
        single = np.ascontiguousarray(rows, np.float32)
    exact = (single == rows) & ((single.view(np.uint32) & _BITS_BELOW) == 0)
    return np.asarray(exact.all(axis=1) & (off <= _BFLOAT16))


def _of_few_digits(rows: NDArray[np.floating], off: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Whether all numbers have so few digits that rounding them explains how far their sum is off."""
    # The most digits with which K halves of the last one are as much.
    digits = np.minimum(np.floor(np.log10(rows.shape[1] / (2 * off))), _MOST_DIGITS)
    scaled = rows.astype(np.float64) * 10.0 ** digits[:, None]
    slack = float(np.finfo(rows.dtype).eps) * 10.0 ** np.maximum(digits, 0)
    return np.asarray((digits >= 1) & (np.abs(scaled - np.round(scaled)).max(axis=1) <= slack))
