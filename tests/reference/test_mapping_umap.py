"""UMAP of examples in a layer's space: what it is asked, against a stand-in; and what umap-learn itself makes of it."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path
from types import ModuleType, SimpleNamespace

import numpy as np
import pytest
from sklearn.manifold import trustworthiness

from pellucid.errors import MissingExtraError
from pellucid.mapping import umap

FEATURES = np.concatenate([np.random.default_rng(at).normal(6 * at, 1.0, (12, 5)) for at in range(3)])


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
        {"n_neighbors": 12, "random_state": 7, "n_jobs": 1, "shape": (36, 5)},
        {"n_neighbors": 4, "random_state": 0, "n_jobs": 1, "shape": (5, 5)},
        {"n_neighbors": 2, "random_state": 0, "n_jobs": 1, "shape": (2, 5)},
    ]


def test_without_it_the_answer_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "umap", None)
    with pytest.raises(MissingExtraError, match=re.escape("pip install 'pellucid[umap]'")):
        umap(FEATURES)


def test_what_umap_learn_makes_of_planted_clusters(tmp_path: Path) -> None:
    """umap-learn itself, in a process of its own that does not compile it: compiling takes a minute, 36 examples twice 14 s."""
    np.save(tmp_path / "features.npy", FEATURES)
    code = (
        "import sys, numpy as np; from pellucid.mapping import umap\n"
        "features = np.load(sys.argv[1])\n"
        "np.save(sys.argv[2], [umap(features, seed=seed, neighbours=8) for seed in (1, 1)])"
    )
    subprocess.run(
        [sys.executable, "-W", "ignore", "-c", code, tmp_path / "features.npy", tmp_path / "places.npy"],
        check=True, env={**os.environ, "NUMBA_DISABLE_JIT": "1"},
    )  # fmt: skip
    places, again = np.load(tmp_path / "places.npy")
    assert places.shape == (len(FEATURES), 2)
    np.testing.assert_array_equal(places, again)
    assert trustworthiness(FEATURES, places, n_neighbors=8) > 0.85
    groups = places.reshape(3, -1, 2)
    middles = groups.mean(1)
    within = np.linalg.norm(groups - middles[:, None], axis=2).mean()
    between = np.linalg.norm(middles[:, None] - middles[None], axis=2)[np.triu_indices(3, 1)].min()
    assert between > 5 * within
