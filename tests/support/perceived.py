"""What a record may hold beside people's answers: curves over a distortion, places where people look, a training's checkpoints."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from pellucid.measures.intervals import wilson
from pellucid.record import schema

SIDE = 7


def interval(low: float, high: float) -> schema.Interval:
    """An interval that is rough."""
    return schema.Interval(low, high, 0.95, "rough")


def curves(
    right: NDArray[np.bool_], condition: NDArray[np.int64], conditions: Sequence[str], people: Sequence[str]
) -> schema.PsychometricsPanel:
    """Curves of each person, of all people and of a model, whose answers come last."""
    levels = [float(one) for one in conditions]
    drawn = [float(one) for one in np.geomspace(levels[0], levels[-1], 60)]

    def curve(name: str, kind: str, right: NDArray[np.bool_], threshold: float | None) -> schema.PsychometricCurve:
        points = []
        for place, level in enumerate(levels):
            some = right[:, condition == place]
            hits, count = int(some.sum()), some.size
            points.append(
                schema.PsychometricPoint(level, conditions[place], count, hits, hits / count, wilson(hits, count))
            )
        shape = [] if threshold is None else [0.1 + 0.85 / (1 + (threshold / one) ** 2) for one in drawn]
        return schema.PsychometricCurve(
            name,
            kind,
            points,
            False,
            0.1,
            0.05,
            interval(0.01, 0.1),
            threshold,
            None if threshold is None else interval(threshold * 0.8, threshold * 1.25),
            0.525,
            1.3,
            interval(1.0, 1.8),
            0.1,
            drawn,
            shape,
            "" if threshold is not None else "it is right as often at every level",
        )

    series = schema.PsychometricSeries(
        distortion="contrast",
        answer="People stand less contrast than the network: their threshold is at 0.08, its own at 0.22.",
        scale="log",
        curves=[
            *(
                curve(name, "person", right[place : place + 1], None if place == 1 else 0.08 + 0.004 * place)
                for place, name in enumerate(people)
            ),
            curve("people", "people", right[:-1], 0.08),
            curve("the network", "model", right[-1:], 0.22),
        ],
        ratio=2.75,
        ratio_interval=interval(1.9, 3.6),
        count=right[:-1].size,
    )
    return schema.PsychometricsPanel(series=[series], left_out={"colour": 12})


def gaze(images: int, rng: np.random.Generator) -> tuple[schema.GazePanel, dict[str, NDArray[np.generic]]]:
    marked = min(6, images)
    maps = rng.random((marked, SIDE, SIDE)).astype(np.float32) ** 4
    maps /= maps.sum((1, 2), keepdims=True)
    methods = ["saliency", "grad-cam"]
    panel = schema.GazePanel(
        answer="Partly: Grad-CAM's maps agree with where people look more than with other images' places.",
        layout="clicks",
        bandwidth=0.05,
        height=SIDE,
        width=SIDE,
        images=[schema.GazeImage(row, 4, 19, [0.1 + 0.05 * row, None if row == 2 else 0.4]) for row in range(marked)],
        methods=[
            schema.GazeMethod(methods[0], marked, 0.22, interval(0.1, 0.34), 0.18, 0.04, interval(-0.05, 0.13), 0.21),
            schema.GazeMethod(methods[1], marked - 1, 0.4, interval(0.3, 0.5), 0.2, 0.2, interval(0.1, 0.3), 0.001),
            schema.GazeMethod("occlusion", 0, None, None, None, None, None, None, "the record keeps no maps of it"),
        ],
        agreement=0.62,
        agreement_interval=interval(0.5, 0.72),
        unmatched=1,
        outside=2,
        without_maps=1,
    )
    return panel, {"maps": maps}


def learning() -> schema.PerceptualLearningPanel:
    def point(step: int) -> schema.PerceptualPoint:
        kappa = 0.3 * (1 - math.exp(-step / 400))
        if step == 0:
            return schema.PerceptualPoint(
                0, "step-0", 240, 0.1, wilson(24, 240), None, None, None, "it gives one answer throughout"
            )
        return schema.PerceptualPoint(
            step,
            f"step-{step}",
            240,
            0.1 + kappa,
            interval(0.05 + kappa, 0.15 + kappa),
            kappa,
            interval(kappa - 0.06, kappa + 0.06),
            interval(-0.05, 0.05),
        )

    return schema.PerceptualLearningPanel(
        answer="From step 200 on the network errs more like people than by chance.",
        points=[point(step) for step in range(0, 1001, 100)],
        people=0.48,
        people_interval=interval(0.42, 0.54),
        onset=200,
    )
