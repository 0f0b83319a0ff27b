"""How often the answers are right, by class, rank and confidence."""

from __future__ import annotations

import msgspec

from pellucid.record.schema.basis import Interval, Panel


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
