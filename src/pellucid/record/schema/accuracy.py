"""How often the answers are right, by class, rank, confidence, slice, and distance for numbers."""

from __future__ import annotations

import msgspec
from msgspec import field

from pellucid.record.schema.basis import Interval, Panel


class Score(msgspec.Struct, frozen=True):
    """One number for all examples together; where it is None, `why` says why it is not defined.

    Attributes:
        error: how far the value may be from the exact one because it was counted in bins and, of many classes, in a sample; 0
            where it is exact.
    """

    name: str
    value: float | None
    interval: Interval | None
    count: int
    why: str = ""
    error: float = 0.0


class TopK(msgspec.Struct, frozen=True):
    """Share of examples whose target is among the k most probable classes."""

    k: int
    correct: int
    accuracy: float
    interval: Interval


class ClassAccuracy(msgspec.Struct, frozen=True):
    """One class: support (true), predicted, true positives; rates are None where their denominator is 0.

    Attributes:
        area, average_precision: of the class against all others, from its probabilities in bins; `*_error` bounds what
            the bins may change.
    """

    index: int
    support: int
    predicted: int
    true_positive: int
    recall: float | None
    recall_interval: Interval | None
    precision: float | None
    precision_interval: Interval | None
    f1: float | None
    f1_interval: Interval | None = None
    area: float | None = None
    area_interval: Interval | None = None
    area_error: float | None = None
    average_precision: float | None = None
    average_precision_interval: Interval | None = None
    average_precision_error: float | None = None


class CalibrationBin(msgspec.Struct, frozen=True):
    """Examples whose confidence lies in (low, high], the first bin closed below; None where empty."""

    low: float
    high: float
    count: int
    confidence: float | None
    accuracy: float | None
    interval: Interval | None


class CalibrationError(msgspec.Struct, frozen=True):
    """One way to say how far confidence is from accuracy.

    Attributes:
        expected: what a perfectly calibrated model of the same confidences would show on as many examples, on average.
        limit: what it would exceed once in twenty times.
        bins: how many were used; 0 for the kernel.
        why: why it is not defined.
        interval: of the model's own error; `value` has more than that by what chance adds, and may lie above it. Of the class-wise
            error one that is rather too wide ("at least").
    """

    name: str
    value: float | None
    expected: float | None
    limit: float | None
    bins: int
    count: int
    why: str = ""
    interval: Interval | None = None


class Temperature(msgspec.Struct, frozen=True):
    """What dividing all logits by one number, fitted on one half of the examples, does on the other half.

    Attributes:
        temperature: the one of least loss on the first half; above 1 the model is too sure.
        interval: of that temperature, from the spread of the examples' derivatives.
        error: how far interpolation between the kept temperatures may have moved it.
        applied: the kept temperature nearest to it; the numbers below are exact for this one.
        fitted, tested: examples of the two halves.
        loss_before, loss_after: mean cross-entropy on the second half, nats.
        gain: mean reduction of the loss on the second half, with its t interval.
        ece_before, ece_after: expected calibration error on the second half, equal-width bins.
        calibration: bins of the second half at the applied temperature.
        temperatures, losses: mean cross-entropy on the second half at every kept temperature.
        share: share of the examples that were looked at; below 1 where there are many classes.
    """

    temperature: float
    interval: Interval | None
    error: float
    applied: float
    fitted: int
    tested: int
    loss_before: float
    loss_after: float
    gain: float
    gain_interval: Interval | None
    ece_before: float | None
    ece_after: float | None
    calibration: list[CalibrationBin]
    temperatures: list[float]
    losses: list[float]
    share: float = 1.0


class SliceAccuracy(msgspec.Struct, frozen=True):
    """Examples with one value of a column that came along, against all others.

    Attributes:
        rest: accuracy of the others; None where there are none.
        p_value: Fisher's exact test, two-sided; adjusted: after Benjamini and Hochberg over all slices that were tested.
    """

    column: str
    value: str
    count: int
    correct: int
    accuracy: float
    interval: Interval
    rest: float | None
    p_value: float
    adjusted: float


class AccuracyPanel(Panel, tag="accuracy"):
    """How often the most probable class is the target. `ece` is the expected calibration error, equal-width bins.

    Attributes:
        ranks: examples by the rank of their target; the sum of the first k over the sum of all is the top-k accuracy.
        scores: one number for all classes together each; for a regression R2, errors and bias.
        areas: under the ROC curve and average precision, over the classes (macro) and over all pairs (micro).
        equal_mass: bins of about as many examples each.
        calibration_errors: every way to say it.
        without_probabilities: examples whose prediction is known and whose probabilities are not.
        slices: worst first.
        columns_left_out: columns with too many values to be slices.
        classes: how many there are; above 2,000 they are arrays and `by_class` is empty.
    """

    correct: int
    accuracy: float | None
    interval: Interval | None
    balanced_accuracy: float | None
    top_k: list[TopK]
    by_class: list[ClassAccuracy]
    calibration: list[CalibrationBin]
    ece: float | None
    mean_confidence: float | None
    ranks: list[int] = field(default_factory=list)
    scores: list[Score] = field(default_factory=list)
    areas: list[Score] = field(default_factory=list)
    equal_mass: list[CalibrationBin] = field(default_factory=list)
    calibration_errors: list[CalibrationError] = field(default_factory=list)
    temperature: Temperature | None = None
    without_probabilities: int = 0
    slices: list[SliceAccuracy] = field(default_factory=list)
    columns_left_out: list[str] = field(default_factory=list)
    classes: int = 0
