"""How well classes are told apart, from the cells of a confusion matrix: one number for all classes together.

Every function takes counts with any leading axes. What is not defined is NaN here and None once it leaves `scores`.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pellucid.measures.class_intervals import (
    agreement_intervals,
    macro_f1_interval,
    mean_of_shares,
    weighted_f1_interval,
)
from pellucid.measures.confusion import SparseCounts
from pellucid.record.schema import Score

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Tallies:
    """Counts by class, float64[... class].

    Attributes:
        right: examples of the class that are called it (true positives).
        support: examples of the class.
        predicted: examples that are called the class.
    """

    right: Floats
    support: Floats
    predicted: Floats

    @property
    def total(self) -> Floats:
        """Examples in all, float64[...]."""
        total: Floats = self.support.sum(axis=-1)
        return total


def tallies(rows: NDArray[np.int64], columns: NDArray[np.int64], counts: Floats, classes: int) -> Tallies:
    """Sums by class of the cells (rows true, columns predicted) with counts float64[... cell]."""
    same = rows == columns
    return Tallies(
        _by_class(counts[..., same], rows[same], classes),
        _by_class(counts, rows, classes),
        _by_class(counts, columns, classes),
    )


def _by_class(counts: Floats, classes_of: NDArray[np.int64], classes: int) -> Floats:
    flat = counts.reshape(math.prod(counts.shape[:-1]), counts.shape[-1])
    order = np.argsort(classes_of, kind="stable")
    present, starts = np.unique(classes_of[order], return_index=True)
    sums = np.zeros((len(flat), classes))
    if len(present):
        sums[:, present] = np.add.reduceat(flat[:, order], starts, axis=1)
    return sums.reshape(*counts.shape[:-1], classes)


def _divided(numerator: Floats, denominator: Floats) -> Floats:
    with np.errstate(invalid="ignore", divide="ignore"):
        ratio: Floats = np.where(denominator > 0, numerator / denominator, np.nan)
    return ratio


def _mean_of_defined(values: Floats) -> Floats:
    defined = ~np.isnan(values)
    return _divided(np.where(defined, values, 0.0).sum(axis=-1), defined.sum(axis=-1).astype(np.float64))


def f_beta(of: Tallies, beta: float = 1.0) -> Floats:
    """(1 + b^2) right / (b^2 support + predicted) of each class; NaN where it neither occurs nor is predicted.

    Source: van Rijsbergen 1979, Information Retrieval, chapter 7. Recall counts `beta` times as much as precision.
    """
    return _divided((1 + beta**2) * of.right, beta**2 * of.support + of.predicted)


def balanced_accuracy(of: Tallies) -> Floats:
    """Mean recall of the classes that occur. Source: Brodersen et al. 2010, ICPR."""
    return _mean_of_defined(_divided(of.right, of.support))


def macro_precision(of: Tallies) -> Floats:
    """Mean precision of the classes that are predicted at least once; scikit-learn counts the others as 0."""
    return _mean_of_defined(_divided(of.right, of.predicted))


def macro_f1(of: Tallies) -> Floats:
    """Mean F1 of the classes that occur or are predicted."""
    return _mean_of_defined(f_beta(of))


def weighted_f1(of: Tallies) -> Floats:
    """Mean F1 weighted by the support of the classes."""
    return _divided((np.nan_to_num(f_beta(of)) * of.support).sum(axis=-1), of.total)


def mcc(of: Tallies) -> Floats:
    """Matthews' correlation of true and predicted classes; NaN where either takes one value only (scikit-learn says 0).

    Source: Matthews 1975; for many classes Gorodkin 2004, Computational Biology and Chemistry 28:367, eq. 8.
    """
    total = of.total
    covariance = of.right.sum(axis=-1) * total - (of.support * of.predicted).sum(axis=-1)
    true, called = (total**2 - (counts**2).sum(axis=-1) for counts in (of.support, of.predicted))
    return _divided(covariance, np.sqrt(true * called))


def kappa(of: Tallies) -> Floats:
    """Cohen's kappa: agreement beyond what the two distributions of classes give by chance.

    NaN where the targets or the predictions are of one class: then it is 0 by construction, however many are right, or 0 / 0.

    Source: Cohen 1960, Educational and Psychological Measurement 20:37.
    """
    total = of.total
    chance = (of.support * of.predicted).sum(axis=-1)
    one_class = (of.support.max(axis=-1) == total) | (of.predicted.max(axis=-1) == total)
    return _divided(of.right.sum(axis=-1) * total - chance, np.where(one_class, 0.0, total**2 - chance))


STATISTICS: Mapping[str, Callable[[Tallies], Floats]] = {
    "balanced accuracy": balanced_accuracy,
    "macro precision": macro_precision,
    "macro F1": macro_f1,
    "weighted F1": weighted_f1,
    "Matthews correlation": mcc,
    "Cohen's kappa": kappa,
}

_WHY = {
    "balanced accuracy": "no example has a target",
    "macro precision": "no class is predicted",
    "macro F1": "no class occurs",
    "weighted F1": "no class occurs",
    "Matthews correlation": "the targets or the predictions are all of one class",
    "Cohen's kappa": "the targets or the predictions are all of one class",
}


def scores(cells: SparseCounts) -> list[Score]:
    """Every statistic with its 95% interval in closed form; classes that do not occur cost nothing.

    Args:
        cells: true class by predicted class.
    """
    held, classes = cells.occurring()
    of = tallies(held.rows, held.columns, held.counts.astype(np.float64), max(classes, 1))
    values = {name: float(statistic(of)) for name, statistic in STATISTICS.items()}
    kappa_interval, mcc_interval = agreement_intervals(held, values["Cohen's kappa"], values["Matthews correlation"])
    intervals = {
        "balanced accuracy": mean_of_shares(of.right, of.support),
        "macro precision": mean_of_shares(of.right, of.predicted),
        "macro F1": macro_f1_interval(held, values["macro F1"]),
        "weighted F1": weighted_f1_interval(held, values["weighted F1"]),
        "Matthews correlation": mcc_interval,
        "Cohen's kappa": kappa_interval,
    }
    count = int(cells.counts.sum())
    return [
        Score(name, None, None, count, _WHY[name]) if np.isnan(value) else Score(name, value, intervals[name], count)
        for name, value in values.items()
    ]
