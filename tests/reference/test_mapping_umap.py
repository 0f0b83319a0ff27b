"""UMAP of examples in a layer's space: what it is asked, against a stand-in; and what it keeps, where umap-learn is installed."""

from __future__ import annotations

import sys
from types import ModuleType, SimpleNamespace

import numpy as np
import pytest
from sklearn.manifold import trustworthiness

from pellucid.errors import MissingExtraError
from pellucid.mapping import umap

FEATURES = np.concatenate([np.random.default_rng(at).normal(6 * at, 1.0, (20, 5)) for at in range(3)])


def stand_in(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, object]]:
    """A module of umap-learn's interface that remembers how it was asked."""
    asked: list[dict[str, object]] = []

    class UMAP:
        def __init__(self, *, n_neighbors: int, random_state: int, n_jobs: int) -> None:
            asked.append({"n_neighbors": n_neighbors, "random_state": random_state, "n_jobs": n_jobs})

        def fit_transform(self, features: np.ndarray) -> np.ndarray:
            asked[-1]["shape"] = features.shape
            return np.asarray(features[:, :2], np.float32)

    module = ModuleType("umap")
    module.__dict__.update(vars(SimpleNamespace(UMAP=UMAP)))
    monkeypatch.setitem(sys.modules, "umap", module)
    return asked


def test_it_is_asked_with_the_seed_in_one_thread_and_for_no_more_neighbours_than_there_are(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    asked = stand_in(monkeypatch)
    places = umap(FEATURES, seed=7, neighbours=12)
    assert places.dtype == np.float64
    np.testing.assert_allclose(places, FEATURES[:, :2], rtol=1e-6)
    umap(FEATURES[:5], neighbours=50)
    umap(FEATURES[:2])
    assert asked == [
        {"n_neighbors": 12, "random_state": 7, "n_jobs": 1, "shape": (60, 5)},
        {"n_neighbors": 4, "random_state": 0, "n_jobs": 1, "shape": (5, 5)},
        {"n_neighbors": 2, "random_state": 0, "n_jobs": 1, "shape": (2, 5)},
    ]


def test_without_it_the_answer_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "umap", None)
    with pytest.raises(MissingExtraError, match=r"pellucid\[umap\]"):
        umap(FEATURES)


@pytest.mark.filterwarnings("ignore")  # of umap-learn and numba, about seeds and threads
def test_neighbours_stay_neighbours() -> None:
    pytest.importorskip("umap", reason="umap-learn is an extra")
    places = umap(FEATURES, seed=1, neighbours=8)
    assert places.shape == (60, 2)
    np.testing.assert_array_equal(places, umap(FEATURES, seed=1, neighbours=8))
    assert trustworthiness(FEATURES, places, n_neighbors=8) > 0.85
    groups = places.reshape(3, 20, 2)
    middles = groups.mean(1)
    within = np.linalg.norm(groups - middles[:, None], axis=2).mean()
    between = np.linalg.norm(middles[:, None] - middles[None], axis=2)[np.triu_indices(3, 1)].min()
    assert between > 2 * within
