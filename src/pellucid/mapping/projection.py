"""Examples in the space of a layer, drawn on a plane."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pellucid.errors import MissingExtraError, OptionError
from pellucid.measures.directions import spectrum


@dataclass(frozen=True)
class Principal:
    """Examples along their principal components.

    Attributes:
        places: float64[example component], largest variance first; each component points where its largest entry does.
        explained: share of the variance that each component holds; all 0 where there is none.
    """

    places: NDArray[np.float64]
    explained: NDArray[np.float64]


def principal(features: NDArray[np.floating], components: int = 2) -> Principal:
    """Principal components of examples by features. Raises: OptionError: it is no matrix of finite numbers.

    Source: Pearson 1901.
    """
    features = np.asarray(features, np.float64)
    if features.ndim != 2 or not len(features) or not np.isfinite(features).all():
        raise OptionError(f"Principal components need finite features (example, feature); got shape {features.shape}.")
    moved = features - features.mean(0)
    squares, axes, of_examples = spectrum(moved)
    kept = min(components, len(squares))
    squares, axes = squares[::-1][:kept], axes[:, ::-1][:, :kept]
    if of_examples:
        axes = moved.T @ axes / np.sqrt(squares)
    most = np.take_along_axis(axes, np.abs(axes).argmax(0)[None], 0)[0]
    places = np.zeros((len(features), components))
    places[:, :kept] = moved @ (axes * np.where(most < 0, -1.0, 1.0))
    explained = np.zeros(components)
    total = float((moved**2).sum())
    if total > 0:
        explained[:kept] = squares / total
    return Principal(places, explained)


def random_projection(features: int, kept: int, seed: int) -> NDArray[np.float32]:
    """float32[feature kept]: normal numbers that keep squared distances and inner products on average.

    A squared distance comes out with a relative standard deviation of sqrt(2 / kept), whatever the number of features.

    Source: Johnson & Lindenstrauss 1984; Dasgupta & Gupta 2003.
    """
    generator = np.random.default_rng([seed, features, kept])
    drawn: NDArray[np.float32] = (generator.standard_normal((features, kept)) / np.sqrt(kept)).astype(np.float32)
    return drawn


def umap(features: NDArray[np.floating], seed: int = 0, neighbours: int = 15) -> NDArray[np.float64]:
    """Examples on a plane where neighbours stay neighbours: float64[example 2]; distances afar mean little.

    Raises: MissingExtraError: umap-learn is not installed.
    Source: McInnes, Healy & Melville 2018, arXiv:1802.03426.
    """
    try:
        import umap as learned
    except ImportError as error:
        raise MissingExtraError("umap-learn", "umap", "UMAP") from error
    neighbours = max(2, min(neighbours, len(features) - 1))
    found = learned.UMAP(n_neighbors=neighbours, random_state=seed, n_jobs=1).fit_transform(np.asarray(features))
    return np.asarray(found, np.float64)
