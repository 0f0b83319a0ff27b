"""What the counts of the accuracy lens answer: rows of its panel."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from msgspec.structs import replace
from numpy.typing import NDArray

from pellucid.measures.calibration import BINS
from pellucid.measures.calibration_classes import class_wise, class_wise_interval
from pellucid.measures.classification import Tallies
from pellucid.measures.curve_intervals import area_interval, average_precision_interval
from pellucid.measures.curves import Area, Ordered, average_precision, roc_area
from pellucid.measures.intervals import f1_interval, newcombe_auc, wilson
from pellucid.measures.score_cells import ScoreCells
from pellucid.record.schema import CalibrationError, ClassAccuracy, Interval, Score

UNKNOWN = "only the classes were saved, not their probabilities"


def class_rows(of: Tallies, cells: ScoreCells, scored: int, sampled: int) -> list[ClassAccuracy]:
    """One row a class.

    Args:
        of: counts by class.
        cells: the classes' probabilities.
        scored: examples whose probabilities are known.
        sampled: those of them whose every class is counted.
    """
    classes = len(of.support)
    rows = []
    counted = (counts.astype(np.int64).tolist() for counts in (of.support, of.predicted, of.right))
    for index, (support, predicted, right) in enumerate(zip(*counted, strict=True)):
        curve = cells.of_class(index, classes, scored, sampled) if scored else None
        area, precision = (roc_area(curve), average_precision(curve)) if curve else (None, None)
        rows.append(
            ClassAccuracy(
                index=index,
                support=support,
                predicted=predicted,
                true_positive=right,
                recall=right / support if support else None,
                recall_interval=wilson(right, support),
                precision=right / predicted if predicted else None,
                precision_interval=wilson(right, predicted),
                f1=2 * right / (support + predicted) if support + predicted else None,
                f1_interval=f1_interval(right, support, predicted),
                area=area.value if area else None,
                area_interval=_area_interval(area, curve),
                area_error=area.error if area else None,
                average_precision=precision.value if precision else None,
                average_precision_interval=_precision_interval(precision, curve),
                average_precision_error=precision.error if precision else None,
            )
        )
    return rows


def _area_interval(area: Area | None, curve: Ordered | None) -> Interval | None:
    if area is None or curve is None:
        return None
    return _widened(area_interval(curve, area.value), area.error)


def _precision_interval(precision: Area | None, curve: Ordered | None) -> Interval | None:
    if precision is None or curve is None:
        return None
    return _widened(average_precision_interval(curve, precision.value), precision.error)


def _widened(interval: Interval | None, error: float) -> Interval | None:
    """An interval of a value that may be `error` away."""
    if interval is None:
        return None
    return replace(interval, low=max(0.0, interval.low - error), high=min(1.0, interval.high + error))


def area_scores(rows: Sequence[ClassAccuracy], cells: ScoreCells, scored: int, sampled: int) -> list[Score]:
    """Areas over the classes, and over all pairs of example and class.

    The interval of a mean over classes is the mean of their intervals: right if all go up and down together, else too wide.
    That of the pairs takes half as many independent pairs as there are examples, which no dependence can undercut.
    """
    names = ("macro area under ROC", "macro average precision", "micro area under ROC", "micro average precision")
    if not scored:
        return [Score(name, None, None, 0, UNKNOWN if rows else "no example has a target") for name in names]
    areas = [(one.area, one.area_interval, one.area_error) for one in rows]
    precisions = [(one.average_precision, one.average_precision_interval, one.average_precision_error) for one in rows]
    pairs = cells.of_all(len(rows), scored, sampled)
    area, precision = roc_area(pairs), average_precision(pairs)
    found = [_mean_score(names[0], areas, scored), _mean_score(names[1], precisions, scored)]
    if area is None or precision is None:
        return [*found, *(Score(name, None, None, scored, "there is one class only") for name in names[2:])]
    drawn = max(sampled, 1) / 2
    of_area = _widened(newcombe_auc(area.value, scored / 2, drawn), area.error)
    of_precision = _widened(wilson(min(precision.value, 1.0) * drawn, drawn), precision.error)
    return [
        *found,
        Score(names[2], area.value, of_area, scored, error=area.error),
        Score(names[3], precision.value, of_precision, scored, error=precision.error),
    ]


def _mean_score(name: str, entries: Sequence[tuple[float | None, Interval | None, float | None]], count: int) -> Score:
    known = [
        (value, interval.low, interval.high, error)
        for value, interval, error in entries
        if value is not None and interval is not None and error is not None
    ]
    if not known:
        return Score(name, None, None, count, "no class has both examples of it and others")
    value, low, high, error = (float(np.mean(column)) for column in zip(*known, strict=True))
    return Score(name, value, Interval(low, high, 0.95, "at least"), count, error=error)


def macro_f1_score(rows: Sequence[ClassAccuracy], count: int) -> Score:
    """Mean F1 of the classes that are true or called somewhere; its interval the mean of theirs."""
    return _mean_score("macro F1", [(one.f1, one.f1_interval, 0.0) for one in rows], count)


def class_wise_error(
    cells: ScoreCells, classes: int, sampled: int, *, exclusive: bool, why: str = ""
) -> CalibrationError:
    """The class-wise calibration error; its chance level is not known without the classes' covariances.

    Args:
        cells: the classes' probabilities.
        classes: how many there are.
        sampled: examples whose every class is counted.
        exclusive: whether one class is true of an example, else any number.
        why: it is not defined; "" where it is, as far as probabilities are known.
    """
    if why or not sampled:
        return CalibrationError("class-wise", None, None, None, BINS, 0, why or UNKNOWN)
    bins = cells.reliability(classes, sampled)
    interval = class_wise_interval(*bins, exclusive=exclusive)
    return CalibrationError("class-wise", class_wise(*bins), None, None, BINS, sampled, "", interval)


def grown(counts: NDArray[np.int64], length: int) -> NDArray[np.int64]:
    """Counts with zeros behind, to at least `length`."""
    return counts if len(counts) >= length else np.concatenate([counts, np.zeros(length - len(counts), np.int64)])
