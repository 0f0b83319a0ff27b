"""The same examples under two or more models: what differs, by how much, and what it costs."""

from __future__ import annotations

from typing import Literal

import msgspec
from msgspec import field

from pellucid.record.schema.accuracy import CalibrationBin
from pellucid.record.schema.basis import Interval, Panel

ComparedMeasure = Literal["accuracy", "loss", "ece", "confidence"]


class LearningPoint(msgspec.Struct, frozen=True):
    """A training step at which the validation accuracy (else the training accuracy) rose above all before it."""

    step: int
    seconds: float
    accuracy: float


class ComparedModel(msgspec.Struct, frozen=True):
    """One of the models that are compared.

    Attributes:
        name: short and unique; the columns of its answers are called by it ("<name>.prediction").
        record: folder of its record; title: of that record.
        fingerprint: of its weights, "" where the record does not know them.
        parameters, flops, seconds, bytes: what it costs; flops and seconds of one forward of one example; None where not known.
        device: where the seconds were measured.
        count: examples with a label that all records have and a model answers; the numbers below rest on them, means of losses
            and of confidences on those of them on which every model that has any has one.
        calibration: bins of the reliability diagram.
        factors: numbers in its name ("width8-depth2-seed0"); models that differ in the seed alone are replicates.
        learned: how its accuracy rose in training, empty where no Watch saw it.
        accuracy_of: what `learned` counts: "validation_accuracy", "accuracy" of training batches, or "".
        training_steps, training_seconds: of the whole training.
        unmatched: its examples that the compared data does not have; unanswered: the reverse.
        repeated: its examples whose id or picture is there more than once, which are left out.
        relabelled: matched examples whose label differs between the records, which are left out.
        matched_by: how its examples were found again.
        infinite: losses that are infinite among its examples that were found; there is no mean loss then.
    """

    name: str
    record: str
    title: str
    fingerprint: str
    parameters: int | None
    flops: int | None
    seconds: float | None
    bytes: int | None
    device: str
    count: int
    correct: int
    accuracy: float | None
    accuracy_interval: Interval | None
    loss: float | None
    loss_interval: Interval | None
    ece: float | None
    confidence: float | None
    calibration: list[CalibrationBin]
    factors: dict[str, float]
    learned: list[LearningPoint]
    accuracy_of: str
    training_steps: int | None
    training_seconds: float | None
    matched: int
    unmatched: int
    unanswered: int
    repeated: int
    relabelled: int
    matched_by: Literal["itself", "id", "content", "id and content", "none"]
    infinite: int = 0


class MeasureDifference(msgspec.Struct, frozen=True):
    """A measure under the old and the new model over the same examples; `difference` is new minus old.

    `why` says why a number is not defined, "" where it is.
    """

    measure: ComparedMeasure
    unit: str
    count: int
    old: float | None
    new: float | None
    difference: float | None
    interval: Interval | None
    why: str = ""


class GroupDifference(msgspec.Struct, frozen=True):
    """Accuracy over the examples of one true class, or of one value of a column.

    `fixed` were wrong and are right, `broken` the reverse. `p_value` is McNemar's exact one, `adjusted` that of Benjamini
    and Hochberg over all groups of the same kind: below 0.05, at most one in twenty of such groups is a false alarm.
    """

    group: str
    index: int | None
    count: int
    old_correct: int
    new_correct: int
    fixed: int
    broken: int
    difference: float | None
    interval: Interval | None
    p_value: float | None
    adjusted: float | None


class SliceDifference(msgspec.Struct, frozen=True):
    """The values of a column that came along, each as a group."""

    column: str
    groups: list[GroupDifference]


class LayerLikeness(msgspec.Struct, frozen=True):
    """How alike the layers of both models see the same examples: debiased linear CKA, an array of the comparison.

    `array` names float32[old layer, new layer] among the arrays of "comparison"; "" where there is none, and `why` says what
    is needed.
    """

    array: str
    examples: int
    old: list[str]
    new: list[str]
    why: str = ""


class ComparedPair(msgspec.Struct, frozen=True):
    """The first model, the old one, against one of the others.

    Attributes:
        old, new: places in `models`.
        count: examples with a label that either answers; the other, where it does not, is not right.
        flip: the column of the examples table that says what became of each example.
        both_right, both_wrong, fixed, broken: what became of them; they add up to `count`.
        p_value: McNemar's exact test of fixed against broken.
        answered: examples that either answers, with a label or without.
        agreed: of those, how many got the same prediction.
        churn: share of those that got another prediction, or one of one model only, with Wilson's interval.
        kappa: Cohen's kappa of the two models' predictions, no answer being a class of its own, with its asymptotic interval; None
            where both say one class only.
    """

    old: int
    new: int
    count: int
    flip: str
    both_right: int
    both_wrong: int
    fixed: int
    broken: int
    p_value: float | None
    answered: int
    agreed: int
    churn: float | None
    churn_interval: Interval | None
    kappa: float | None
    kappa_interval: Interval | None
    measures: list[MeasureDifference]
    by_class: list[GroupDifference]
    by_slice: list[SliceDifference]
    likeness: LayerLikeness


class GateResult(msgspec.Struct, frozen=True):
    """A rule of --fail-if and whether it failed: `value` is the end of the interval that was held against `limit`."""

    rule: str
    model: str
    failed: bool
    difference: float
    value: float
    limit: float
    sentence: str


class SizedModel(msgspec.Struct, frozen=True):
    """One model, or replicates that differ in the seed alone, on the picture of cost and accuracy.

    `members` are places in `models`. The interval is Wilson's for one model, Student's t over the replicates for more.
    `front`: "on" where no cheaper one has a higher accuracy, "maybe" where one has but its interval of the difference holds
    0, "off" else; by cost ("parameters", "flops", "seconds", "training_steps", "training_seconds"), where that is known.
    """

    name: str
    members: list[int]
    factors: dict[str, float]
    accuracy: float | None
    interval: Interval | None
    front: dict[str, Literal["on", "maybe", "off"]]


class Trend(msgspec.Struct, frozen=True):
    """What a doubling of `factor` does to `measure`, over the runs: a slope by least squares with Student's t interval.

    Steps and seconds are in doublings themselves: -0.5 means 2^-0.5 of them. `others` are held fixed beside it.
    """

    factor: str
    measure: str
    slope: float
    interval: Interval | None
    runs: int
    others: list[str] = field(default_factory=list)


class ComparisonPanel(Panel, tag="comparison"):
    """Two or more models on the same examples; the first is the old one, the record's own answers are the second's.

    Attributes:
        models: in the order given.
        pairs: the first against each of the others.
        notes: what a reader has to know of how examples were matched and of what was not answered, one sentence each.
        gates: what --fail-if said.
        target_accuracy: the accuracy to which steps and seconds are counted; None where no training was watched.
    """

    models: list[ComparedModel]
    pairs: list[ComparedPair]
    notes: list[str]
    gates: list[GateResult]
    sizes: list[SizedModel]
    trends: list[Trend]
    target_accuracy: float | None
