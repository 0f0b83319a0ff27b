"""Linear models of a score by the features that are there, and how far their coefficients may be off."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

GROUPS = 10
"""Of samples, each of which is left out once."""

_ENDS = 1e6
"""How much the whole input and the empty one count, as Captum has it: as good as infinitely."""

Fit = Callable[[NDArray[np.float64], NDArray[np.float64]], NDArray[np.float64]]
"""From float64[sample feature], 1 where a feature is there, and float64[sample] scores to float64[feature]."""


@dataclass
class Taken:
    """What was asked of the model about one example so far.

    Attributes:
        there: which features were there: parts of float[sample feature].
        scores: what the score was: parts of float64[sample].
        orders: what each feature added in each whole order of them: float64[feature].
    """

    there: list[Tensor] = field(default_factory=list)
    scores: list[Tensor] = field(default_factory=list)
    orders: list[Tensor] = field(default_factory=list)

    @property
    def count(self) -> int:
        """Samples."""
        return sum(map(len, self.scores))


def shapley_regression(there: NDArray[np.float64], scores: NDArray[np.float64]) -> NDArray[np.float64]:
    """KernelSHAP's fit: samples are drawn by the Shapley kernel, so all count alike but the whole and the empty input.

    Source: Lundberg & Lee 2017, arXiv:1705.07874, theorem 2.
    """
    from sklearn.linear_model import LinearRegression

    present = there.sum(1)
    weights = np.where((present == 0) | (present == there.shape[1]), _ENDS, 1.0)
    found: NDArray[np.float64] = LinearRegression().fit(there, scores, weights).coef_
    return found


def lime_regression(penalty: float) -> Fit:
    """LIME's fit: a lasso, its samples weighed by their cosine similarity to the input through a kernel of width 1."""

    def fit(there: NDArray[np.float64], scores: NDArray[np.float64]) -> NDArray[np.float64]:
        from sklearn.linear_model import Lasso

        distance = 1 - np.sqrt(there.mean(1))  # the cosine between 0s and 1s and all 1s
        found: NDArray[np.float64] = Lasso(penalty).fit(there, scores, np.exp(-(distance**2) / 2)).coef_
        return found

    return fit


def regressed(fit: Fit, taken: Taken, count: int, fixed: int, least: int) -> tuple[Tensor, Tensor]:
    """Coefficients from what was taken so far, and their standard error by the jackknife that leaves out groups of samples.

    Args:
        fit: the linear model.
        taken: samples and scores.
        count: features.
        fixed: the first samples, which are not drawn and never left out.
        least: so many drawn samples must be left for a fit.

    Returns: float64[feature] each, NaN where there are too few samples.
    Source: Shao & Wu 1989, doi:10.1214/aos/1176347263.
    """
    unknown = torch.full((count,), torch.nan, dtype=torch.float64)
    drawn = taken.count - fixed
    if drawn < max(least, 1):
        return unknown, unknown
    there, scores = torch.cat(taken.there).double().numpy(), torch.cat(taken.scores).double().numpy()
    found = torch.from_numpy(fit(there, scores))
    if drawn < 2 * GROUPS or drawn - -(-drawn // GROUPS) < least:
        return found, unknown
    group = (np.arange(len(scores)) - fixed) % GROUPS
    group[:fixed] = -1
    others = np.stack([fit(there[group != one], scores[group != one]) for one in range(GROUPS)])
    spread = np.square(others - others.mean(0)).sum(0) * (GROUPS - 1) / GROUPS
    return found, torch.from_numpy(np.sqrt(spread))


def averaged(taken: Taken, count: int) -> tuple[Tensor, Tensor]:
    """What the features add, the mean over whole orders of them, and its standard error; NaN of a single order.

    Returns: float64[feature] each.
    """
    unknown = torch.full((count,), torch.nan, dtype=torch.float64)
    if not taken.orders:
        return unknown, unknown
    orders = torch.stack(taken.orders)
    if len(orders) < 2:
        return orders[0], unknown
    return orders.mean(0), orders.std(0) / len(orders) ** 0.5
