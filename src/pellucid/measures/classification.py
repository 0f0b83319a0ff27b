"""How well classes are told apart, from the cells of a confusion matrix: one number for all classes together.

Every function takes counts with any leading axes, so that a thousand bootstrap draws cost one call. What is not defined is
NaN here and None once it leaves `scores`.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pellucid.measures.bootstrap import bootstrap
from pellucid.measures.confusion import SparseCounts
from pellucid.measures.intervals import delta_interval, mover, wilson
from pellucid.record.schema import Interval, Score

Floats = NDArray[np.float64]

# A bootstrap of more cells takes minutes.
MOST_CELLS = 20_000


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
    """Cohen's kappa: agreement beyond what the two distributions of classes give by chance; NaN where chance alone gives 1.

    Source: Cohen 1960, Educational and Psychological Measurement 20:37.
    """
    total = of.total
    chance = (of.support * of.predicted).sum(axis=-1)
    return _divided(of.right.sum(axis=-1) * total - chance, total**2 - chance)


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
    "Cohen's kappa": "targets and predictions are all of one class, so that chance alone agrees always",
}


def scores(cells: SparseCounts, classes: int, seed: int = 0) -> list[Score]:
    """Every statistic with its 95% interval: the outer of two closed forms for balanced accuracy, bootstrap for the others.

    Of more than 20,000 cells, where a bootstrap takes minutes and there are examples enough for it, the delta method.

    Args:
        cells: true class by predicted class.
        classes: how many there are.
        seed: of the draws.
    """
    counts = cells.counts.astype(np.float64)
    whole = tallies(cells.rows, cells.columns, counts, classes)
    count = int(cells.counts.sum())
    listed = []
    names = [name for name in STATISTICS if name != "balanced accuracy"]

    def all_of(drawn: Floats) -> Floats:
        of = tallies(cells.rows, cells.columns, drawn, classes)
        return np.stack([STATISTICS[name](of) for name in names], axis=-1)

    drawn: Mapping[str, Interval | None] = dict.fromkeys(names)
    if len(cells.counts) > MOST_CELLS:
        drawn = {**delta_scores(cells, classes), **delta_means(cells, classes)}
    elif count:
        drawn = dict(zip(names, bootstrap(cells.counts, all_of, seed=seed), strict=True))
    for name, statistic in STATISTICS.items():
        value = float(statistic(whole))
        defined = not np.isnan(value)
        interval = balanced_interval(whole) if name == "balanced accuracy" else drawn[name]
        listed.append(
            Score(name, value if defined else None, interval if defined else None, count, "" if defined else _WHY[name])
        )
    return listed


# Examples of a common recall that are lent to each class, so that a class of one example has a spread.
LENT = 3.0


def balanced_interval(of: Tallies) -> Interval | None:
    """Interval of the balanced accuracy, the outer ends of two: either alone is too narrow somewhere.

    MOVER over the recalls' own intervals holds few classes of any size, but not hundreds of one or two examples; a score interval
    whose variance is that of recalls drawn towards their mean holds these, but not one small class among few.
    """
    held = of.support > 0
    if not held.any():
        return None
    right, support = of.right[held], of.support[held]
    shares = [wilson(int(hits), int(count)) for hits, count in zip(right, support, strict=True)]
    recalls = right / support
    one = mover(
        recalls, np.array([share.low for share in shares if share]), np.array([share.high for share in shares if share])
    )
    common = (recalls.sum() + 0.5) / (len(recalls) + 1)
    drawn = (right + LENT * common) / (support + LENT)
    variance = float((drawn * (1 - drawn) / support).sum()) / len(drawn) ** 2
    # As many independent trials as would have that variance.
    trials = float(drawn.mean() * (1 - drawn.mean())) / variance
    other = wilson(float(recalls.mean()) * trials, trials)
    if one is None or other is None:
        return None
    return Interval(min(one.low, other.low), max(one.high, other.high), one.level, "outer")


def delta_scores(cells: SparseCounts, classes: int) -> dict[str, Interval | None]:
    """Intervals of kappa, MCC and macro F1 without a draw, from the influence of each cell: what the app shows of a selection.

    Source: the delta method; for kappa it is Fleiss, Cohen & Everitt 1969, Psychological Bulletin 72:323.
    """
    rows, columns = cells.rows, cells.columns
    total = float(cells.counts.sum())
    if total == 0:
        return {"Cohen's kappa": None, "Matthews correlation": None, "macro F1": None}
    shares = cells.counts / total
    of = tallies(rows, columns, shares, classes)
    same = (rows == columns).astype(np.float64)
    agreed, chance = float(of.right.sum()), float((of.support * of.predicted).sum())
    by_chance = of.predicted[rows] + of.support[columns]
    found: dict[str, Interval | None] = dict.fromkeys(("Cohen's kappa", "Matthews correlation", "macro F1"))
    if chance < 1:
        influence = (same * (1 - chance) - by_chance * (1 - agreed)) / (1 - chance) ** 2
        found["Cohen's kappa"] = _delta((agreed - chance) / (1 - chance), influence, shares, total, correlation=True)
    called, true = 1 - float((of.predicted**2).sum()), 1 - float((of.support**2).sum())
    if called > 0 and true > 0:
        size = np.sqrt(called * true)
        shrink = (agreed - chance) / 2 * (2 * of.predicted[columns] * true + 2 * of.support[rows] * called) / size**3
        influence = (same - by_chance) / size + shrink
        found["Matthews correlation"] = _delta((agreed - chance) / size, influence, shares, total, correlation=True)
    sums = of.support + of.predicted
    pull = np.where(sums > 0, 2 * of.right / np.where(sums > 0, sums, 1.0) ** 2, 0.0)
    gain = np.where(sums > 0, 2 / np.where(sums > 0, sums, 1.0), 0.0)
    influence = (same * gain[rows] - pull[rows] - pull[columns]) / max(1, int((sums > 0).sum()))
    found["macro F1"] = _delta(float(macro_f1(of)), influence, shares, total, correlation=False)
    return found


def delta_means(cells: SparseCounts, classes: int) -> dict[str, Interval | None]:
    """Intervals of macro precision and weighted F1 without a draw, from the influence of each cell; see `delta_scores`."""
    rows, columns = cells.rows, cells.columns
    total = float(cells.counts.sum())
    shares = cells.counts / max(total, 1.0)
    of = tallies(rows, columns, shares, classes)
    same = (rows == columns).astype(np.float64)
    called = of.predicted > 0
    gain = np.where(called, 1 / np.where(called, of.predicted, 1.0), 0.0)
    precise = (same * gain[columns] - (of.right * gain**2)[columns]) / max(1, int(called.sum()))
    sums = of.support + of.predicted
    f1, weight = np.nan_to_num(f_beta(of)), of.support / np.where(sums > 0, sums, 1.0)
    weighted = same * 2 * weight[rows] + f1[rows] - (f1 * weight)[rows] - (f1 * weight)[columns]
    return {
        "macro precision": _delta(float(macro_precision(of)), precise, shares, total, correlation=False),
        "weighted F1": _delta(float(weighted_f1(of)), weighted, shares, total, correlation=False),
    }


def _delta(value: float, influence: Floats, shares: Floats, total: float, *, correlation: bool) -> Interval | None:
    variance = float((shares * influence**2).sum()) - float((shares * influence).sum()) ** 2
    return delta_interval(value, float(np.sqrt(max(variance, 0.0) / total)), "correlation" if correlation else "share")
