"""How well it answered: predictions, loss, accuracy and confusion."""

from __future__ import annotations

import msgspec

from pellucid.record.schema.basis import Histogram, Interval, Panel


class PredictionsPanel(Panel, tag="predictions"):
    """What the examples table holds."""

    classes: list[str]
    outputs: int
    top_k: int
    nonfinite: int
    without_target: int
    columns: list[str]


class Benchmark(msgspec.Struct, frozen=True):
    """A loss to compare with: what it is and its value in the loss's unit."""

    name: str
    value: float
    explanation: str


class ClassLoss(msgspec.Struct, frozen=True):
    """Loss of the examples of one true class; `share` is its part of the total loss."""

    index: int
    count: int
    mean: float | None
    share: float | None
    interval: Interval | None = None


class LabelIssue(msgspec.Struct, frozen=True):
    """An example whose given label the model confidently disputes."""

    row: int
    example: str
    given: int
    suggested: int
    given_probability: float
    suggested_probability: float


class LossPanel(Panel, tag="loss"):
    """The loss, named and defined, over the examples that have a target."""

    name: str
    definition: str
    unit: str
    mean: float | None
    interval: Interval | None
    nonfinite: int
    benchmarks: list[Benchmark]
    by_class: list[ClassLoss]
    histogram: Histogram
    label_issues: list[LabelIssue]


class TopK(msgspec.Struct, frozen=True):
    """Share of examples whose target is among the k most probable classes."""

    k: int
    correct: int
    accuracy: float
    interval: Interval


class ClassAccuracy(msgspec.Struct, frozen=True):
    """One class: support (true), predicted, true positives; rates are None where their denominator is 0."""

    index: int
    support: int
    predicted: int
    true_positive: int
    recall: float | None
    recall_interval: Interval | None
    precision: float | None
    precision_interval: Interval | None
    f1: float | None


class CalibrationBin(msgspec.Struct, frozen=True):
    """Examples whose confidence lies in (low, high], the first bin closed below; None where empty."""

    low: float
    high: float
    count: int
    confidence: float | None
    accuracy: float | None
    interval: Interval | None


class AccuracyPanel(Panel, tag="accuracy"):
    """How often the most probable class is the target. `ece` is the expected calibration error, equal-width bins."""

    correct: int
    accuracy: float | None
    interval: Interval | None
    balanced_accuracy: float | None
    top_k: list[TopK]
    by_class: list[ClassAccuracy]
    calibration: list[CalibrationBin]
    ece: float | None
    mean_confidence: float | None


class ConfusedPair(msgspec.Struct, frozen=True):
    """Examples of class `true` called `predicted`: `count` of `support`.

    `expected` is the count if the errors of that true class fell on the other classes in proportion to how often each
    is wrongly predicted for the classes beside the two, one added to each; `p_value` is that of Fisher's exact test
    against those classes, one-sided, after Holm's correction over all pairs.
    """

    true: int
    predicted: int
    count: int
    support: int
    rate: float
    interval: Interval
    expected: float
    p_value: float


class ConfusionPanel(Panel, tag="confusion"):
    """Sparse counts: rows are true classes, columns are predicted classes; three parallel lists."""

    classes: list[str]
    rows: list[int]
    columns: list[int]
    counts: list[int]
    pairs: list[ConfusedPair]
