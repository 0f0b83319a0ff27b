"""Whether maps of trained and of random weights are alike: rank correlations, how sure they are, what chance alone gives."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from pellucid.graph.dataflow import tensors_in

Floats = NDArray[np.float64]
Verdict = Literal["fails", "passes", "undecided", "undefined"]

FAILS_ABOVE = 0.5
_CONFIDENCE = 0.95
_MOVES = 99


@dataclass(frozen=True)
class Judged:
    """What the maps of wholly random models say of a method.

    Attributes:
        mean: |correlation| over random models and examples; None where it is never defined.
        low, high: its 95% interval over random models (Student's t); None of fewer than two.
        chance: what unrelated maps of the same form stay below 19 times in 20: the same maps against each other, moved.
        verdict: "fails" where the whole interval lies above both 0.5 and chance, "passes" where it lies below 0.5,
            "undecided" else: the map has too few places, or the models differ too much.
    """

    mean: float | None
    low: float | None
    high: float | None
    chance: float | None
    verdict: Verdict


class Ranks:
    """The ranks of a map's numbers, of one example after the other, so that a product of two is their correlation.

    Args:
        maps: a tree of float[example ...]; the leaves are ranked together.
    """

    def __init__(self, maps: Any) -> None:
        leaves = [leaf.detach().double().cpu().numpy() for leaf in tensors_in(maps)]
        self._shapes = [leaf.shape for leaf in leaves]
        joined = np.concatenate([leaf.reshape(len(leaf), -1) for leaf in leaves], axis=1)
        self.values = np.stack([_standard(row) for row in joined])

    def correlations(self, other: Ranks) -> Floats:
        """Spearman's, float64[example]; NaN where one of the maps is constant or not finite."""
        found: Floats = np.einsum("ep,ep->e", self.values, other.values)
        return found

    def moved(self, generator: np.random.Generator) -> Ranks:
        """The same maps at other places: planes and series are turned around their edges, columns and tokens exchanged."""
        moved = object.__new__(Ranks)
        moved._shapes = self._shapes
        parts, start = [], 0
        for shape in self._shapes:
            size = math.prod(shape[1:])
            part = self.values[:, start : start + size].reshape(shape)
            parts.append(_moved(part, generator).reshape(shape[0], -1))
            start += size
        moved.values = np.concatenate(parts, axis=1)
        return moved


def judged(before: Ranks, after: Sequence[Ranks], seed: int = 0) -> Judged:
    """Compares the maps of a trained model with those of several random ones.

    Args:
        before: of the trained model.
        after: of the random models.
        seed: of the moves that say what chance gives.

    Moves keep how smooth maps are (toroidal shifts: Fortin & Dale 2005, Spatial Analysis), which shuffling pixels would not.
    """
    each = np.array([_mean(np.abs(before.correlations(one))) for one in after])
    each = each[np.isfinite(each)]
    if not len(each):
        return Judged(None, None, None, None, "undefined")
    mean = float(each.mean())
    chance = _chance(before, after, seed)
    if len(each) < 2:
        return Judged(mean, None, None, chance, "undecided")
    from scipy.stats import t

    half = float(t.ppf((1 + _CONFIDENCE) / 2, len(each) - 1) * each.std(ddof=1) / len(each) ** 0.5)
    low, high = max(mean - half, 0.0), min(mean + half, 1.0)
    verdict: Verdict = "undecided"
    if low > max(FAILS_ABOVE, chance):
        verdict = "fails"
    elif high < FAILS_ABOVE:
        verdict = "passes"
    return Judged(mean, low, high, chance, verdict)


def _chance(before: Ranks, after: Sequence[Ranks], seed: int) -> float:
    generator = np.random.default_rng(seed)
    found = []
    for _ in range(_MOVES):
        moved = before.moved(generator)
        found.append(_mean(np.array([_mean(np.abs(moved.correlations(one))) for one in after])))
    return float(np.quantile(found, _CONFIDENCE))


def _standard(row: Floats) -> Floats:
    """Ranks less their mean, of length 1; NaN where they are all the same or some number is not finite."""
    from scipy.stats import rankdata

    if not (np.isfinite(row).all() and np.ptp(row) > 0):
        return np.full(row.shape, np.nan)
    ranks: Floats = rankdata(row)
    ranks -= ranks.mean()
    ranks /= np.linalg.norm(ranks)
    return ranks


def _moved(leaf: Floats, generator: np.random.Generator) -> Floats:
    if leaf.ndim < 3:
        return leaf[:, generator.permutation(leaf.shape[1])] if leaf.ndim == 2 else leaf
    axes = (1,) if leaf.ndim == 3 else tuple(range(2, leaf.ndim))
    by = tuple(int(generator.integers(leaf.shape[axis])) for axis in axes)
    return np.roll(leaf, by, axes)


def _mean(values: Floats) -> float:
    """Of those that are finite; NaN of none."""
    known = values[np.isfinite(values)]
    return float(known.mean()) if len(known) else math.nan
