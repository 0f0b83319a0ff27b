"""Whether a model suits the data that it is to be put to."""

from __future__ import annotations

from typing import Literal

import msgspec
from msgspec import field

from pellucid.record.schema.basis import Interval, Panel

ProbedOn = Literal["features", "pixels", "majority", "model"]
FitVerdict = Literal["fits", "preprocess differently", "retrain the head", "wrong task", "cannot tell"]


class LabelPlace(msgspec.Struct, frozen=True):
    """A class of the data and the class of the model that it is: by the same name, by a synonym, by its number, or by its answers.

    `index` is the model's class, None where it has none; `examples` are those of the data that were looked at. `how` is "unknown"
    where one side has numbers alone, so that it cannot be told, and "answers" where names or numbers say otherwise, and the model's
    own answers are one to one with the classes.
    """

    name: str
    index: int | None
    how: Literal["name", "synonym", "order", "answers", "none", "unknown"]
    examples: int


class ScoreDistribution(msgspec.Struct, frozen=True):
    """A score of how well examples fit what the model was trained on, higher where they fit better.

    Attributes:
        column: of the examples table, where a record was written.
        edges: of the bins, one more than there are bins; the same for both.
        data, reference: examples in each bin.
        auroc: how often an example of the reference scores higher than one of the data; 0.5 where they look alike.
        why: why there is no area, "" where there is.
    """

    name: str
    column: str
    definition: str
    source: str
    edges: list[float]
    data: list[int]
    reference: list[int]
    count: int
    reference_count: int
    auroc: float | None
    interval: Interval | None
    why: str = ""


class ProbeAccuracy(msgspec.Struct, frozen=True):
    """How often a linear classifier names the data's classes, of what it is given, over held-out folds.

    `on` is "features" (of the model), "pixels" (the inputs themselves, made small), "majority" (always the commonest class) or
    "model" (its own answers, where the classes are the same).
    `logme` is the log evidence an example in nats, for features that are compared on the same examples. `gain` is how much more
    accurate it is than the one named `over`, on the same examples, with Tango's interval of a paired difference.
    """

    on: ProbedOn
    width: int
    correct: int
    count: int
    accuracy: float
    interval: Interval | None
    logme: float | None = None
    over: str = ""
    gain: float | None = None
    gain_interval: Interval | None = None


class InputVariant(msgspec.Struct, frozen=True):
    """What the model makes of the same examples prepared in another way.

    Attributes:
        strangeness: mean over the channels of the first batch normalisations of the divergence, in nats, between what arrives
            and what the model remembers from its training; None where it has none.
        confidence: mean probability of the most probable class.
        correct: right answers, where the data's classes are the model's; fixed, broken: against the examples as they are.
        p_value: McNemar's exact test of these two, times the number of variants.
        suspected: whether the evidence says that the examples should have been prepared so.
        why: why it could not be tried, "" where it could.
    """

    name: str
    description: str
    count: int
    strangeness: float | None = None
    confidence: float | None = None
    correct: int | None = None
    fixed: int | None = None
    broken: int | None = None
    p_value: float | None = None
    suspected: bool = False
    why: str = ""


class FitReason(msgspec.Struct, frozen=True):
    """One piece of evidence in words, what it speaks for, and what it rests on."""

    sentence: str
    speaks_for: FitVerdict | Literal["nothing"]
    count: int
    interval: Interval | None = None


class FitPanel(Panel, tag="fit"):
    """The verdict, and everything that it rests on.

    Attributes:
        model, data, reference: as they were named; reference is "" where no data of the training was given.
        layer: the linear layer whose input the features are, "" where there is none; width: of the features.
        features: why there are none, "" where there are.
        own: right answers of the model itself on the data, where the classes are the same.
        normalisations: the batch normalisations that strangeness was measured at.
        notes: what else a reader has to know, one sentence each.
    """

    model: str
    data: str
    reference: str
    verdict: FitVerdict
    sentence: str
    reasons: list[FitReason]
    labels: list[LabelPlace]
    classes: list[str]
    layer: str
    width: int
    features: str
    own: ProbeAccuracy | None
    scores: list[ScoreDistribution]
    probes: list[ProbeAccuracy]
    folds: int
    variants: list[InputVariant]
    normalisations: list[str]
    notes: list[str] = field(default_factory=list)
