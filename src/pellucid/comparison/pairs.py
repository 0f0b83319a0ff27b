"""Two of the models against each other: what differs, what flipped, where."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from pellucid.comparison.together import BASE, Together
from pellucid.measures.calibration_errors import SOFT_LABELS
from pellucid.measures.intervals import LEVEL, benjamini_hochberg, wilson
from pellucid.measures.paired import (
    calibration_difference,
    kappa,
    mcnemar,
    mean_difference,
    share_difference,
)
from pellucid.measures.words import counted
from pellucid.record import schema
from pellucid.record.schema import GroupDifference, Interval, MeasureDifference, SliceDifference

FLIPS = ("fixed", "broken", "both right", "both wrong")
MOST_SLICE_VALUES = 50
NO_LABELS = "no example has a label and an answer"
NO_LOSSES = "no example has a loss under both models"
NO_CONFIDENCES = "no example has a confidence by both models: only the predicted classes were saved"
NEITHER_RIGHT_NOR_WRONG = {
    "regression": "the models predict numbers, which are neither right nor wrong; compare their losses",
    "multilabel": "an example may have several classes; compare the losses",
}
NUMBERS_ALONE = "the models predict numbers, which come without a confidence"


@dataclass(frozen=True)
class Pair:
    """Two models over the examples, or over some of them.

    Attributes:
        labels: int64[example], -1 where unknown.
        old, new: int64[example] predictions; -1 where there is none.
        losses, confidences: of both, float64[2 example], NaN where there is none; losses may be infinite.
        names: of both.
        task: of both.
        soft: whether labels are soft.
    """

    labels: NDArray[np.int64]
    old: NDArray[np.int64]
    new: NDArray[np.int64]
    losses: NDArray[np.float64]
    confidences: NDArray[np.float64]
    names: tuple[str, str] = ("the old model", "the new model")
    task: str = "classification"
    soft: bool = False

    @property
    def answered(self) -> NDArray[np.bool_]:
        """bool[example]: one of them answers, or both."""
        return (self.old >= 0) | (self.new >= 0)

    @property
    def judged(self) -> NDArray[np.bool_]:
        """bool[example]: there is a label, and one of them answers; the other is not right if it does not."""
        return (self.labels >= 0) & self.answered

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
        return replace(
            self,
            labels=self.labels[rows],
            old=self.old[rows],
            new=self.new[rows],
            losses=self.losses[:, rows],
            confidences=self.confidences[:, rows],
        )


def pair_of(all_: Together, old: int, new: int) -> Pair:
    """Two of the models. What one of their records lacks is no example of the pair: nothing is known of it."""
    both = [old, new]
    shared = all_.there[both].all(axis=0)
    return Pair(
        np.where(shared, all_.labels, -1),
        np.where(shared, all_.predictions[old], -1),
        np.where(shared, all_.predictions[new], -1),
        np.where(shared, all_.losses[both], np.nan),
        np.where(shared, all_.confidences[both], np.nan),
        (all_.names[old], all_.names[new]),
        all_.task,
        all_.soft,
    )


def flips_of(pair: Pair) -> NDArray[np.int64]:
    """int64[example] place in FLIPS, -1 where the label or both answers are missing; who does not answer is wrong."""
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
        return _undefined("accuracy", "share", NEITHER_RIGHT_NOR_WRONG.get(pair.task, NO_LABELS))
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
    """How the mean loss changed, with Student's paired interval; not defined where a loss is infinite."""
    infinite = infinite_losses(pair)
    if infinite:
        return _undefined("loss", unit, infinite)
    old, new = pair.losses
    both = np.isfinite(old) & np.isfinite(new)
    difference, interval = mean_difference(old, new, level)
    count = int(np.count_nonzero(both))
    if difference is None:
        return _undefined("loss", unit, NO_LOSSES)
    return MeasureDifference(
        "loss", unit, count, float(old[both].mean()), float(new[both].mean()), difference, interval
    )


def ece_difference(pair: Pair, level: float = LEVEL) -> MeasureDifference:
    """How the expected calibration error changed, over the answers of both."""
    if pair.soft:
        return _undefined("ece", "share", SOFT_LABELS)
    kept = pair.judged & np.isfinite(pair.confidences).all(axis=0)
    old, new = pair.confidences[:, kept]
    found = calibration_difference(old, pair.old_right[kept], new, pair.new_right[kept], level)
    if found is None:
        unlabelled = NEITHER_RIGHT_NOR_WRONG.get(pair.task, NO_LABELS)
        return _undefined("ece", "share", NO_CONFIDENCES if pair.judged.any() else unlabelled)
    return MeasureDifference("ece", "share", len(old), found.old, found.new, found.new - found.old, found.interval)


def confidence_difference(pair: Pair, level: float = LEVEL) -> MeasureDifference:
    """How the mean confidence changed, with Student's paired interval."""
    old, new = pair.confidences
    both = np.isfinite(old) & np.isfinite(new)
    difference, interval = mean_difference(old, new, level)
    if difference is None:
        return _undefined("confidence", "share", NUMBERS_ALONE if pair.task == "regression" else NO_CONFIDENCES)
    count = int(np.count_nonzero(both))
    return MeasureDifference(
        "confidence", "share", count, float(old[both].mean()), float(new[both].mean()), difference, interval
    )


def churn_difference(pair: Pair, level: float = LEVEL) -> MeasureDifference:
    """The share of answers that changed, with Wilson's interval; to answer no more, or for the first time, is a change."""
    count, changed = int(np.count_nonzero(pair.answered)), int(np.count_nonzero(pair.old != pair.new))
    if not count:
        return _undefined("accuracy", "share", "no example was answered")
    share = changed / count
    return MeasureDifference("accuracy", "share", count, 0.0, share, share, wilson(changed, count, level))


def infinite_losses(pair: Pair) -> str:
    """Which of the models have infinite losses, and how many; "" where neither has."""
    counts = np.isinf(pair.losses).sum(axis=1)
    said = [
        f"{name} has an infinite loss on {counted(number, 'example')}"
        for name, number in zip(pair.names, counts, strict=True)
        if number
    ]
    reason = "" if pair.task == "regression" else ", whose labels were given no probability at all"
    return f"{' and '.join(said)}{reason}" if said else ""


def sides_of(pair: Pair, measure: str) -> tuple[int, int, int]:
    """On how many examples both, only the old and only the new have a loss; else a confidence, with a label for "ece"."""
    old, new = ~np.isnan(pair.losses if measure == "loss" else pair.confidences)
    counted = pair.labels >= 0 if measure == "ece" else np.ones(len(old), np.bool_)
    both, only_old, only_new = (int(np.count_nonzero(one & counted)) for one in (old & new, old & ~new, new & ~old))
    return both, only_old, only_new


def _undefined(measure: schema.ComparedMeasure, unit: str, why: str) -> MeasureDifference:
    return MeasureDifference(measure, unit, 0, None, None, None, None, why)


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
    from pellucid.record.tables import optional_fields, standard_fields

    table = all_.answers[BASE].record.examples()
    for name in table.column_names:
        if name in standard_fields() or table[name].type == optional_fields().get(name):
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
    answered, churn = pair.answered, churn_difference(pair)
    # No answer is a class of its own.
    value, interval = kappa(pair.old[answered] + 1, pair.new[answered] + 1)
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
        answered=churn.count,
        agreed=int(np.count_nonzero(answered & (pair.old == pair.new))),
        churn=churn.difference,
        churn_interval=churn.interval,
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
