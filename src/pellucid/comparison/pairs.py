"""Two of the models against each other: what differs, what flipped, where."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pellucid.comparison.together import BASE, Together
from pellucid.measures.intervals import LEVEL, benjamini_hochberg, wilson
from pellucid.measures.paired import (
    calibration_difference,
    kappa,
    mcnemar,
    mean_difference,
    share_difference,
)
from pellucid.record import schema
from pellucid.record.schema import GroupDifference, Interval, MeasureDifference, SliceDifference

FLIPS = ("fixed", "broken", "both right", "both wrong")
MOST_SLICE_VALUES = 50
NO_LABELS = "no example has a label and an answer by both models"
NO_LOSSES = "no example has a loss under both models"
NO_CONFIDENCES = "no example has a label and a confidence by both models: only the predicted classes were saved"


@dataclass(frozen=True)
class Pair:
    """Two models over the examples, or over some of them.

    Attributes:
        labels: int64[example], -1 where unknown.
        old, new: int64[example] predictions; -1 where there is none.
        losses, confidences: of both, float64[2 example].
    """

    labels: NDArray[np.int64]
    old: NDArray[np.int64]
    new: NDArray[np.int64]
    losses: NDArray[np.float64]
    confidences: NDArray[np.float64]

    @property
    def judged(self) -> NDArray[np.bool_]:
        """bool[example]: both can be judged."""
        return (self.labels >= 0) & (self.old >= 0) & (self.new >= 0)

    @property
    def old_right(self) -> NDArray[np.bool_]:
        """bool[example]: judged, and the old one is right."""
        right: NDArray[np.bool_] = self.judged & (self.old == self.labels)
        return right

    @property
    def new_right(self) -> NDArray[np.bool_]:
        """bool[example]: judged, and the new one is right."""
        right: NDArray[np.bool_] = self.judged & (self.new == self.labels)
        return right

    def of(self, rows: NDArray[np.bool_]) -> Pair:
        """The same over some of the examples."""
        return Pair(self.labels[rows], self.old[rows], self.new[rows], self.losses[:, rows], self.confidences[:, rows])


def pair_of(all_: Together, old: int, new: int) -> Pair:
    """Two of the models."""
    both = [old, new]
    return Pair(all_.labels, all_.predictions[old], all_.predictions[new], all_.losses[both], all_.confidences[both])


def flips_of(pair: Pair) -> NDArray[np.int64]:
    """int64[example] place in FLIPS, -1 where an answer or the label is missing."""
    kind = np.select(
        [~pair.old_right & pair.new_right, pair.old_right & ~pair.new_right, pair.old_right & pair.new_right],
        [0, 1, 2],
        3,
    )
    return np.where(pair.judged, kind, -1)


def flip_column(names: list[str], new: int) -> str:
    """The column of the examples table that says what became of each example from the first model to another."""
    return "flip" if new == BASE else f"flip.{names[new]}"


# --- differences ----------------------------------------------------------------------------------------------


def accuracy_difference(pair: Pair, level: float = LEVEL) -> MeasureDifference:
    """How many more are right, as a share, with Tango's interval."""
    count, counts = _counts(pair)
    if not count:
        return MeasureDifference("accuracy", "share", 0, None, None, None, None, NO_LABELS)
    fixed, broken, right, _ = counts
    low, high = share_difference(fixed, broken, count, level)
    return MeasureDifference(
        "accuracy",
        "share",
        count,
        (right + broken) / count,
        (right + fixed) / count,
        (fixed - broken) / count,
        Interval(float(low), float(high), level, "tango"),
    )


def loss_difference(pair: Pair, unit: str, level: float = LEVEL) -> MeasureDifference:
    """How the mean loss changed, with Student's paired interval."""
    old, new = pair.losses
    both = np.isfinite(old) & np.isfinite(new)
    difference, interval = mean_difference(old, new, level)
    count = int(np.count_nonzero(both))
    if difference is None:
        return MeasureDifference("loss", unit, 0, None, None, None, None, NO_LOSSES)
    return MeasureDifference(
        "loss", unit, count, float(old[both].mean()), float(new[both].mean()), difference, interval
    )


def ece_difference(pair: Pair, level: float = LEVEL) -> MeasureDifference:
    """How the expected calibration error changed."""
    kept = pair.judged & np.isfinite(pair.confidences).all(axis=0)
    old, new = pair.confidences[:, kept]
    found = calibration_difference(old, pair.old_right[kept], new, pair.new_right[kept], level)
    if found is None:
        return MeasureDifference("ece", "share", 0, None, None, None, None, NO_CONFIDENCES)
    return MeasureDifference("ece", "share", len(old), found.old, found.new, found.new - found.old, found.interval)


def confidence_difference(pair: Pair, level: float = LEVEL) -> MeasureDifference:
    """How the mean confidence changed, with Student's paired interval."""
    old, new = pair.confidences
    both = np.isfinite(old) & np.isfinite(new)
    difference, interval = mean_difference(old, new, level)
    if difference is None:
        why = "no example has a confidence by both models: only the predicted classes were saved"
        return MeasureDifference("confidence", "share", 0, None, None, None, None, why)
    count = int(np.count_nonzero(both))
    return MeasureDifference(
        "confidence", "share", count, float(old[both].mean()), float(new[both].mean()), difference, interval
    )


def _counts(pair: Pair) -> tuple[int, tuple[int, int, int, int]]:
    flips = flips_of(pair)
    numbers = np.bincount(flips[flips >= 0], minlength=4)
    return int(numbers.sum()), (int(numbers[0]), int(numbers[1]), int(numbers[2]), int(numbers[3]))


# --- groups ---------------------------------------------------------------------------------------------------


def by_class(pair: Pair, classes: list[str]) -> list[GroupDifference]:
    """Recall of every true class that has examples, in order of index."""
    return _groups(pair, np.where(pair.judged, pair.labels, -1), classes, indexed=True)


def by_slice(pair: Pair, column: str, values: list[str], codes: NDArray[np.int64]) -> SliceDifference:
    """Accuracy of every value of a column. `codes` is int64[example], the place of its value, -1 where there is none."""
    return SliceDifference(column, _groups(pair, np.where(pair.judged, codes, -1), values, indexed=False))


def _groups(pair: Pair, codes: NDArray[np.int64], names: list[str], *, indexed: bool) -> list[GroupDifference]:
    number = len(names)
    old, new = pair.old_right, pair.new_right

    def counted(rows: NDArray[np.bool_]) -> NDArray[np.int64]:
        return np.bincount(codes[rows & (codes >= 0)], minlength=number)

    count, was, now = counted(pair.judged), counted(old), counted(new)
    fixed, broken = counted(new & ~old), counted(old & ~new)
    there = np.flatnonzero(count)
    p_values = mcnemar(fixed[there], broken[there])
    adjusted = benjamini_hochberg(p_values)
    low, high = share_difference(fixed[there], broken[there], count[there])
    return [
        GroupDifference(
            group=names[index],
            index=int(index) if indexed else None,
            count=int(count[index]),
            old_correct=int(was[index]),
            new_correct=int(now[index]),
            fixed=int(fixed[index]),
            broken=int(broken[index]),
            difference=float(fixed[index] - broken[index]) / int(count[index]),
            interval=Interval(float(low[place]), float(high[place]), LEVEL, "tango"),
            p_value=float(p_values[place]),
            adjusted=float(adjusted[place]),
        )
        for place, index in enumerate(there)
    ]


def slices_of(all_: Together) -> Iterator[tuple[str, list[str], NDArray[np.int64]]]:
    """Columns that came along with the examples and have few values: name, values as text, int64[example] codes."""
    from pellucid.record.tables import standard_fields

    table = all_.answers[BASE].record.examples()
    for name in table.column_names:
        if name in standard_fields():
            continue
        try:
            encoded = table[name].combine_chunks().dictionary_encode()
        except NotImplementedError:  # lists and the like, which have no few values
            continue
        values = [_text(one) for one in encoded.dictionary.to_pylist()]
        if 2 <= len(values) <= MOST_SLICE_VALUES:
            yield name, values, np.asarray(encoded.indices.fill_null(-1).to_numpy(zero_copy_only=False), np.int64)


def _text(value: object) -> str:
    """A value as the app's URL writes it."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return str(value)


# --- the whole ------------------------------------------------------------------------------------------------


def compared(all_: Together, old: int, new: int, unit: str, likeness: schema.LayerLikeness) -> schema.ComparedPair:
    """Everything that is said of two of the models."""
    pair = pair_of(all_, old, new)
    count, (fixed, broken, right, wrong) = _counts(pair)
    answered = (pair.old >= 0) & (pair.new >= 0)
    number = int(np.count_nonzero(answered))
    agreed = int(np.count_nonzero(answered & (pair.old == pair.new)))
    value, interval = kappa(pair.old[answered], pair.new[answered])
    return schema.ComparedPair(
        old=old,
        new=new,
        count=count,
        flip=flip_column(all_.names, new),
        both_right=right,
        both_wrong=wrong,
        fixed=fixed,
        broken=broken,
        p_value=float(mcnemar(fixed, broken)) if count else None,
        answered=number,
        agreed=agreed,
        churn=(number - agreed) / number if number else None,
        churn_interval=wilson(number - agreed, number),
        kappa=value,
        kappa_interval=interval,
        measures=[
            accuracy_difference(pair),
            loss_difference(pair, unit),
            ece_difference(pair),
            confidence_difference(pair),
        ],
        by_class=by_class(pair, all_.classes),
        by_slice=[by_slice(pair, *one) for one in slices_of(all_)],
        likeness=likeness,
    )
