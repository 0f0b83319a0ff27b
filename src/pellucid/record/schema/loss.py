"""The loss, its benchmarks, and who contributes to it."""

from __future__ import annotations

import msgspec

from pellucid.record.schema.basis import Histogram, Interval, Panel


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
