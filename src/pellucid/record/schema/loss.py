"""The loss, its benchmarks, its parts, who contributes to it, and the labels it disputes."""

from __future__ import annotations

from typing import Literal

import msgspec
from msgspec import field

from pellucid.record.schema.basis import Histogram, Interval, Panel


class Benchmark(msgspec.Struct, frozen=True):
    """A loss to compare with: what it is and its value in the loss's unit; None where it is not defined, and then `why`."""

    name: str
    value: float | None
    explanation: str
    why: str = ""


class ClassLoss(msgspec.Struct, frozen=True):
    """Loss of the examples of one true class; `share` is its part of the total loss."""

    index: int
    count: int
    mean: float | None
    share: float | None
    interval: Interval | None = None


class ClassParts(msgspec.Struct, frozen=True):
    """What one true class adds to each part of a score, for each example of all: over the classes they add up to the parts."""

    index: int
    count: int
    total: float
    calibration: float
    refinement: float
    within: float
    naming: float


class ScoreParts(msgspec.Struct, frozen=True):
    """A proper score taken apart: total = calibration + refinement + within + naming; refinement = uncertainty - resolution.

    `irreducible` is known of soft labels only; `irreducible_answer` is the part of it within the refinement, the rest is within
    the naming. `bias` is what chance alone is expected to add to the calibration, and to take from the refinement.
    """

    score: Literal["log", "brier"]
    unit: str
    count: int
    total: float
    calibration: float
    refinement: float
    within: float
    naming: float
    uncertainty: float
    resolution: float
    bias: float
    bins: int
    irreducible: float | None
    irreducible_answer: float | None
    by_class: list[ClassParts]
    total_interval: Interval | None = None
    calibration_interval: Interval | None = None
    refinement_interval: Interval | None = None
    within_interval: Interval | None = None
    naming_interval: Interval | None = None


class LabelIssue(msgspec.Struct, frozen=True):
    """An example whose given label the model confidently disputes."""

    row: int
    example: str
    given: int
    suggested: int
    given_probability: float
    suggested_probability: float
    margin: float = 0.0


class LabelPair(msgspec.Struct, frozen=True):
    """How many examples with one label confidently belong to another class."""

    given: int
    suggested: int
    count: int


class LabelErrors(msgspec.Struct, frozen=True):
    """Confident learning over all examples with a label and a finite log loss.

    `thresholds` are one a class, None for a class that labels no example; `disputed` examples are probable errors, `estimated` is
    how many labels are wrong by the joint scaled to the labels; no class claims the `unplaced`, and the `undecided` cannot be
    told from the few probabilities that are kept.
    """

    count: int
    thresholds: list[float | None]
    disputed: int
    estimated: float | None
    unplaced: int
    undecided: int
    pairs: list[LabelPair]


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
    spec: str = ""
    source: str = ""
    infinite: int = 0
    why: str = ""
    soft: bool = False
    parts: list[ScoreParts] = field(default_factory=list)
    label_errors: LabelErrors | None = None
