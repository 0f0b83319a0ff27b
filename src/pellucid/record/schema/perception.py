"""Perception measured: thresholds under distortions, where people look, and when a model's mistakes become people's."""

from __future__ import annotations

from typing import Literal

import msgspec
from msgspec import field

from pellucid.record.schema.basis import Interval, Panel


class PsychometricPoint(msgspec.Struct, frozen=True):
    """Answers at one level of a distortion; the interval is Wilson's."""

    level: float
    condition: str
    count: int
    correct: int
    accuracy: float | None
    interval: Interval | None


class PsychometricCurve(msgspec.Struct, frozen=True):
    """How often an observer is right against the level of a distortion.

    accuracy(level) = guess + (1 - guess - lapse) F(level), F from 0 to 1 (or from 1 to 0 where the distortion makes it harder).

    Attributes:
        kind: "people" is all people together, "model" the model.
        falling: whether accuracy falls with the level.
        guess: accuracy by guessing, one over the number of categories.
        lapse: one minus the accuracy that is reached where the level makes it easiest, with its interval.
        threshold: the level where F is one half; None where there is none, see `why`. `at` is the accuracy there.
        width: what lies between F = 0.05 and F = 0.95: levels where `scale` is "linear", decades where it is "log".
        overdispersion: 0 where answers at a level vary as independent ones do, up to 1.
        levels, accuracies: the curve, to be drawn.
    """

    observer: str
    kind: Literal["person", "people", "model"]
    points: list[PsychometricPoint]
    falling: bool
    guess: float
    lapse: float | None
    lapse_interval: Interval | None
    threshold: float | None
    threshold_interval: Interval | None
    at: float | None
    width: float | None
    width_interval: Interval | None
    overdispersion: float | None
    levels: list[float]
    accuracies: list[float]
    why: str = ""


class PsychometricSeries(msgspec.Struct, frozen=True):
    """Psychometric curves of people and of the model under one distortion.

    Attributes:
        distortion: what was varied ("contrast"), "" where the answers do not say.
        answer: who stands more of it, in one sentence.
        scale: on which the levels are fitted and drawn.
        curves: of each person, of all people together, of the model.
        ratio: the model's threshold divided by people's where the scale is "log", else the model's minus people's; None where
            one of them has none.
        count: answers of people.
    """

    distortion: str
    answer: str
    scale: Literal["linear", "log"]
    curves: list[PsychometricCurve]
    ratio: float | None
    ratio_interval: Interval | None
    count: int


class PsychometricsPanel(Panel, tag="psychometrics"):
    """Psychometric curves under every distortion that was shown.

    `left_out` are conditions that are no level of anything, and how many answers they hold.
    """

    series: list[PsychometricSeries]
    left_out: dict[str, int] = field(default_factory=dict)


class GazeMethod(msgspec.Struct, frozen=True):
    """How the maps of one attribution method correlate with where people look.

    Attributes:
        images: with both maps.
        correlation: Spearman's over the places of an image, mean over images; its interval is over images.
        other: the same with the people's map of each other image; `difference` is correlation minus this, image by image.
        p_value: share of random assignments of people's maps to images that correlate at least as much.
    """

    method: str
    images: int
    correlation: float | None
    interval: Interval | None
    other: float | None
    difference: float | None
    difference_interval: Interval | None
    p_value: float | None
    why: str = ""


class GazeImage(msgspec.Struct, frozen=True):
    """One image: how many people marked it, how many places, and the correlation of each method, in the panel's order."""

    row: int
    observers: int
    places: int
    correlations: list[float | None]


class GazePanel(Panel, tag="gaze"):
    """Where people look, from clicks or bubbles, beside the model's attribution maps.

    `maps` float32[image height width] in `arrays/gaze.safetensors` are people's maps of `images`, each summing to 1.

    Attributes:
        answer: whether the model looks where people do, in one sentence.
        layout: what was read: places that were clicked, or bubbles through which an image was seen.
        bandwidth: standard deviation of the Gaussian around each place, as a share of the image's longer side.
        height, width: of the maps.
        agreement: Spearman's correlation of the maps of two halves of the people, mean over images and raised to all people by
            Spearman and Brown; None where no image was marked by two.
        unmatched: places on images that are no examples of the record.
        outside: places that lie outside their image.
        without_maps: images that people marked and for which the record keeps no attribution maps.
    """

    answer: str
    layout: Literal["clicks", "bubbles"]
    bandwidth: float
    height: int
    width: int
    images: list[GazeImage]
    methods: list[GazeMethod]
    agreement: float | None
    agreement_interval: Interval | None
    unmatched: int
    outside: int
    without_maps: int


class PerceptualPoint(msgspec.Struct, frozen=True):
    """One checkpoint: how often it is right on what people answered, and its error consistency with them.

    `null` is the band in which the mean kappa lies where its errors are independent of people's.
    """

    step: int
    record: str
    count: int
    accuracy: float | None
    accuracy_interval: Interval | None
    kappa: float | None
    interval: Interval | None
    null: Interval | None
    why: str = ""


class PerceptualLearningPanel(Panel, tag="perceptual_learning"):
    """The comparison with people along the checkpoints of a training.

    Attributes:
        answer: when the model starts to make people's mistakes, in one sentence.
        points: in order of step.
        people: mean kappa among people, the ceiling, with its interval.
        onset: the first step from which on every kappa lies above its band of independent errors; None where there is none.
    """

    answer: str
    points: list[PerceptualPoint]
    people: float | None
    people_interval: Interval | None
    onset: int | None
