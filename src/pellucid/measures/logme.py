"""LogME: how probable labels are under a linear model of features, all of its weights averaged out."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from pellucid.measures.directions import directions

_ROUNDS = 200
_NEAR = 1e-10


def logme(features: NDArray[np.floating], classes: NDArray[np.integer]) -> float:
    """Mean over classes of the largest log evidence an example, of one-against-the-others labels: in nats.

    Higher is better; it can be compared between features of the same examples alone. It needs no held-out data, since the
    weights are integrated over rather than fitted.

    Args:
        features: float[example feature].
        classes: int[example], two different ones at least.

    Source: You, Liu, Wang & Long 2021, arXiv:2102.11005, algorithm 1.
    """
    wide = features.astype(np.float64)
    left, squares, _ = directions(wide)
    found = [
        log_evidence(squares, left.T @ target, float((target**2).sum()), wide.shape)
        for target in ((classes == one).astype(np.float64) for one in np.unique(classes))
    ]
    return float(np.mean(found))


def log_evidence(
    squares: NDArray[np.float64], projected: NDArray[np.float64], total: float, shape: tuple[int, int]
) -> float:
    """The largest log evidence of a target, divided by the number of examples, over both precisions of the linear model.

    Args:
        squares: float64[rank], squared singular values of the features.
        projected: float64[rank], the target along the left singular vectors.
        total: sum of the target's squares.
        shape: examples, features.

    Source: MacKay 1992, Neural Computation 4:415, the fixed point of eqs. 4.7 to 4.9.
    """
    count, width = shape
    alpha, beta = 1.0, 1.0
    outside = max(total - float((projected**2).sum()), 0.0)
    evidence = -np.inf
    for _ in range(_ROUNDS):
        inner = alpha + beta * squares
        effective = float((beta * squares / inner).sum())
        weights = float((beta**2 * squares * projected**2 / inner**2).sum())
        residual = float((alpha**2 * projected**2 / inner**2).sum()) + outside
        before = evidence
        evidence = 0.5 * (
            width * np.log(alpha)
            + count * np.log(beta)
            - float(np.log(inner).sum())
            - (width - len(squares)) * np.log(alpha)
            - beta * residual
            - alpha * weights
            - count * np.log(2 * np.pi)
        )
        if abs(evidence - before) <= _NEAR * count:
            break
        alpha = effective / max(weights, 1e-300)
        beta = (count - effective) / max(residual, 1e-300)
        # Labels that the features say nothing of drive alpha to infinity, ones that they tell exactly drive beta there.
        alpha, beta = min(max(alpha, 1e-12), 1e12), min(max(beta, 1e-12), 1e12)
    return float(evidence) / count
