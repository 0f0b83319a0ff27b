"""Calibration: does a confidence of 90% mean nine right answers in ten?"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from pellucid.measures.intervals import wilson
from pellucid.record.schema import CalibrationBin

BINS = 15


def bin_of(confidences: NDArray[np.floating], bins: int = BINS) -> NDArray[np.int64]:
    """Equal-width bin of each confidence: bin i holds (i/bins, (i+1)/bins], the first one 0 too.

    A confidence of exactly 1.0 falls in the last bin, never beyond it.
    """
    index = np.ceil(confidences.astype(np.float64) * bins).astype(np.int64) - 1
    return np.clip(index, 0, bins - 1)


def reliability(
    counts: NDArray[np.int64], confidence_sums: NDArray[np.float64], correct: NDArray[np.int64]
) -> tuple[list[CalibrationBin], float | None]:
    """Bins of the reliability diagram and the expected calibration error.

    Args:
        counts: int64[bin] examples.
        confidence_sums: float64[bin] sums of their confidences.
        correct: int64[bin] right answers among them.

    Returns: the bins, and sum over bins of count/total * |accuracy - mean confidence|; None without examples.
    Source: Naeini, Cooper & Hauskrecht 2015, AAAI; Guo et al. 2017, arXiv:1706.04599, eq. 3.
    """
    number = len(counts)
    listed = []
    error = 0.0
    for index in range(number):
        count, right = int(counts[index]), int(correct[index])
        confidence = float(confidence_sums[index]) / count if count else None
        if confidence is not None:
            error += abs(right - float(confidence_sums[index]))
        listed.append(
            CalibrationBin(
                low=index / number,
                high=(index + 1) / number,
                count=count,
                confidence=confidence,
                accuracy=right / count if count else None,
                interval=wilson(right, count),
            )
        )
    total = int(counts.sum())
    return listed, (error / total if total else None)
