"""How well an example fits what a model was trained on: scores, higher where it fits better."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
_AT_ONCE = 1 << 22  # distances of one block


def maximum_softmax(logits: NDArray[np.floating]) -> Floats:
    """Probability of the most probable class: float64[example].

    Source: Hendrycks & Gimpel 2017, arXiv:1610.02136.
    """
    wide = logits.astype(np.float64)
    shifted = wide - wide.max(axis=1, keepdims=True)
    return np.asarray(1.0 / np.exp(shifted).sum(axis=1))


def negative_energy(logits: NDArray[np.floating], temperature: float = 1.0) -> Floats:
    """T log sum exp(logit / T), the negative of the free energy: float64[example], in the unit of the logits.

    Source: Liu, Wang, Owens & Li 2020, arXiv:2010.03759, eq. 4.
    """
    wide = logits.astype(np.float64) / temperature
    most = wide.max(axis=1)
    return np.asarray(temperature * (most + np.log(np.exp(wide - most[:, None]).sum(axis=1))))


@dataclass(frozen=True)
class Gaussians:
    """One normal distribution a class, all of one covariance.

    Attributes:
        means: float64[class feature], of the classes that have examples.
        whitening: float64[feature feature], W with W W' the inverse covariance.
        shrinkage: share of the sphere that the covariance was mixed with.
    """

    means: Floats
    whitening: Floats
    shrinkage: float

    @classmethod
    def of(cls, features: NDArray[np.floating], classes: NDArray[np.integer]) -> Self:
        """Fits the means and the shared covariance, shrunk towards a sphere as its sampling error asks.

        Args:
            features: float[example feature], of reference examples.
            classes: int[example].

        Source: Lee, Lee, Lee & Shin 2018, arXiv:1807.03888, eq. 1; Ledoit & Wolf 2004, J. Multivariate Analysis 88:365.
        """
        wide = features.astype(np.float64)
        _, place = np.unique(classes, return_inverse=True)
        counts = np.bincount(place)
        means = np.stack([np.bincount(place, weights=column) / counts for column in wide.T], axis=1)
        centred = wide - means[place]
        covariance, shrinkage = shrunk_covariance(centred)
        values, vectors = np.linalg.eigh(covariance)
        floor = max(float(values[-1]), 1e-300) * len(values) * np.finfo(np.float64).eps
        return cls(means, vectors / np.sqrt(np.maximum(values, floor)), shrinkage)

    def scores(self, features: NDArray[np.floating]) -> Floats:
        """Minus the squared Mahalanobis distance to the nearest mean: float64[example]."""
        whitened, centres = features.astype(np.float64) @ self.whitening, self.means @ self.whitening
        squares = (whitened**2).sum(1)[:, None] - 2 * whitened @ centres.T + (centres**2).sum(1)
        return np.asarray(0.0 - np.maximum(squares.min(axis=1), 0.0))


def shrunk_covariance(centred: Floats) -> tuple[Floats, float]:
    """The covariance of float64[example feature], mixed with a sphere of the same trace; and the share of the sphere.

    Source: Ledoit & Wolf 2004, lemmas 3.2 to 3.4.
    """
    count, width = centred.shape
    sample = centred.T @ centred / count
    sphere = float(np.trace(sample)) / width
    away = float(((sample - sphere * np.eye(width)) ** 2).sum()) / width
    norms = float(((centred**2).sum(1) ** 2).sum())
    error = min(max((norms / count - float((sample**2).sum())) / width / count, 0.0), away)
    share = error / away if away > 0 else 1.0
    return (1 - share) * sample + share * sphere * np.eye(width), share


def neighbour_scores(
    features: NDArray[np.floating], reference: NDArray[np.floating], k: int, *, same: bool = False
) -> Floats:
    """Minus the distance to the k-th nearest reference example, on the unit sphere: float64[example].

    Args:
        features: float[example feature].
        reference: float[reference feature].
        k: >= 1, at most the number of reference examples.
        same: whether the examples are the reference itself: then each one's own copy does not count.

    Source: Sun, Ming, Zhu & Li 2022, arXiv:2204.06507, eq. 4.
    """
    ours, theirs = _unit(features), _unit(reference)
    rank = k if same else k - 1
    found = np.empty(len(ours))
    step = max(1, _AT_ONCE // max(1, len(theirs)))
    for start in range(0, len(ours), step):
        block = ours[start : start + step]
        squares = np.maximum(2.0 - 2.0 * block @ theirs.T, 0.0)
        if same:
            squares[np.arange(len(block)), start + np.arange(len(block))] = -1.0
        found[start : start + step] = np.partition(squares, rank, axis=1)[:, rank]
    return np.asarray(0.0 - np.sqrt(found))


def _unit(features: NDArray[np.floating]) -> Floats:
    wide = features.astype(np.float64)
    return np.asarray(wide / np.maximum(np.linalg.norm(wide, axis=1, keepdims=True), 1e-12))
