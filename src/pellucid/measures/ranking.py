"""Top-k accuracy for every k, from how many examples have their target at each rank."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from pellucid.measures.binned import binned
from pellucid.measures.intervals import wilson
from pellucid.record.schema import TopK


def rank_counts(ranks: NDArray[np.integer], classes: int) -> NDArray[np.int64]:
    """Examples by the rank of their target, int64[rank]; rank 0 is right, a negative rank is not known and does not count."""
    known = ranks if ranks.min(initial=0) >= 0 else ranks[ranks >= 0]
    return binned(known, max(classes, int(known.max(initial=-1)) + 1))


def top_k(counts: NDArray[np.int64], k: int) -> TopK | None:
    """Share of the examples whose target is among the k most probable classes; None where no rank is known.

    Args:
        counts: int64[rank], as `rank_counts` gives them.
        k: how many classes count, at least 1.
    """
    right, count = int(counts[:k].sum()), int(counts.sum())
    interval = wilson(right, count)
    return None if interval is None else TopK(k, right, right / count, interval)


def mean_reciprocal_rank(counts: NDArray[np.int64]) -> float | None:
    """Mean of 1 / (rank + 1); None where no rank is known. 1 is always first."""
    count = int(counts.sum())
    return float((counts / np.arange(1, len(counts) + 1)).sum()) / count if count else None
