"""How well an example fits what a model was trained on: scores, higher where it fits better."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

from pellucid.measures.directions import directions

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
        axes: float64[feature axis], orthonormal: in which the features of the classes spread.
        variances: float64[axis], along them; never 0.
        outside: variance along every direction that is orthogonal to the axes.
        shrinkage: share of the sphere that the covariance was mixed with.
    """

    means: Floats
    axes: Floats
    variances: Floats
    outside: float
    shrinkage: float

    @classmethod
    def of(cls, features: NDArray[np.floating], classes: NDArray[np.integer]) -> Self:
        """Fits the means and the shared covariance, shrunk towards a sphere as its sampling error asks.

        Features may be far more than examples: nothing is as large as their square.

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
        count, width = centred.shape
        _, squares, axes = directions(centred)
        values = squares / count
        sphere = float(values.sum()) / width
        shrinkage = _share_of_sphere(centred, values, sphere)
        floor = max(float(values.max(initial=0.0)), 1e-300) * width * np.finfo(np.float64).eps
        variances = np.maximum((1 - shrinkage) * values + shrinkage * sphere, floor)
        return cls(means, axes, variances, max(shrinkage * sphere, floor), shrinkage)

    def scores(self, features: NDArray[np.floating]) -> Floats:
        """Minus the squared Mahalanobis distance to the nearest mean: float64[example]."""
        wide, origin = features.astype(np.float64), self.means.mean(axis=0)
        squares = self._along(wide - origin, self.means - origin)
        return np.asarray(0.0 - np.maximum(squares.min(axis=1), 0.0))

    def _along(self, given: Floats, means: Floats) -> Floats:
        """float64[example class]: squared distances, along the axes and outside of them."""
        inner, centres = given @ self.axes, means @ self.axes
        scaled = 1 / np.sqrt(self.variances)
        # What of an example, and of a mean, lies outside of the axes.
        rest, beyond = given - inner @ self.axes.T, means - centres @ self.axes.T
        return _squares(inner * scaled, centres * scaled) + _squares(rest, beyond) / self.outside


def _squares(ours: Floats, theirs: Floats) -> Floats:
    """float64[row column]: squared distances between rows of both."""
    found = (ours**2).sum(1)[:, None] - 2 * ours @ theirs.T + (theirs**2).sum(1)
    return np.asarray(np.maximum(found, 0.0))


def _share_of_sphere(centred: Floats, values: Floats, sphere: float) -> float:
    """Of Ledoit & Wolf's mixture, lemmas 3.2 to 3.4, from the eigenvalues of the covariance that are not 0 and the mean of all."""
    count, width = centred.shape
    squares = float((values**2).sum())
    away = max(squares / width - sphere**2, 0.0)
    norms = float(((centred**2).sum(1) ** 2).sum())
    error = min(max((norms / count - squares) / width / count, 0.0), away)
    return error / away if away > 0 else 1.0


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
