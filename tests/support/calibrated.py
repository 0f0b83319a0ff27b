"""Confidences and right answers in fine bins, counted as the accuracy lens counts them."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from pellucid.measures.binned import sure_counts
from pellucid.measures.calibration import FINE, Reliability


def fine(confidences: NDArray[np.floating], right: NDArray[np.bool_]) -> Reliability:
    """The finest bins that are kept: FINE of equal width."""
    found = sure_counts(confidences, right, FINE)
    return Reliability(np.arange(FINE + 1) / FINE, found.counts, found.confidences, found.correct)
