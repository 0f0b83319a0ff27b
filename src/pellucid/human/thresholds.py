"""How much of a distortion people stand and how much the model: psychometric curves of a record's people and model."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

import msgspec
import numpy as np
from numpy.typing import NDArray

from pellucid.errors import OptionError
from pellucid.human.answers import kept_answers
from pellucid.human.findings import PAGE
from pellucid.human.levels import Level, by_distortion, falls, scale_of
from pellucid.human.run import seen_by_both
from pellucid.human.view import View
from pellucid.measures.intervals import wilson
from pellucid.measures.psychometric import LEAST_LEVELS, Fit, Scale, fit_curve, threshold_difference
from pellucid.record import Record, Writer, schema

Kind = Literal["person", "people", "model"]
# Curves of single people beyond so many are not fitted: each takes a second, and no reader tells them apart.
MOST_PEOPLE = 50
# Answers of one person that a curve of their own needs.
LEAST_ANSWERS = 30


def add_thresholds(record: str | Path, *, scale: Scale | None = None, **asked: Any) -> schema.PsychometricsPanel:
    """Fits psychometric curves to a record's people and model, and adds them as a panel.

    Args:
        record: its folder; people's answers were imported into it before.
        scale: of all levels; told from the distortion and its levels where None.
        asked: how people and model are set side by side, as `pellucid.human.import_people` takes it (categories, exclude, ...).

    Raises: OptionError: no answers, or no conditions that are levels. MissingExtraError: psignifit is not installed.
    """
    held = Record(record)
    answers = kept_answers(held)
    if not answers:
        raise OptionError(
            f"{record} holds no answers of people. Import them first: pellucid human import FILES --record {record}"
        )
    names = {one.experiment for one in answers if one.experiment}
    panel = panel_of(seen_by_both(held, answers, **asked), names.pop() if len(names) == 1 else "", scale)
    with Writer.open(Path(record)) as writer:
        writer.write_panel(panel)
        writer.update()
    return panel


def panel_of(view: View, experiment: str = "", scale: Scale | None = None) -> schema.PsychometricsPanel:
    """The panel; see `add_thresholds`."""
    conditions = view.people.conditions
    named, rest = by_distortion(conditions, experiment)
    asked = view.people.counts().sum(axis=1)
    number = np.bincount(view.people.condition, asked, len(conditions)).astype(np.int64)
    few = [level.place for levels in named.values() if len(levels) < LEAST_LEVELS for level in levels]
    found = {name: levels for name, levels in named.items() if len(levels) >= LEAST_LEVELS}
    if not found:
        raise OptionError(
            f"A psychometric curve needs answers at {LEAST_LEVELS} levels of a distortion at least, named as in contrast=0.3; the "
            f"conditions are: {', '.join(repr(one) for one in conditions[:12]) or 'none'}."
        )
    series = [_series(view, name, levels, scale or scale_of(name, levels)) for name, levels in found.items()]
    return schema.PsychometricsPanel(
        series=series,
        left_out={conditions[place]: int(number[place]) for place in sorted([*rest, *few])},
        count=sum(one.count for one in series),
        findings=[finding for one in series if (finding := _finding(one)) is not None],
    )


def _series(view: View, name: str, levels: Sequence[Level], scale: Scale) -> schema.PsychometricSeries:
    if scale == "log" and min(level.value for level in levels) < 0:
        raise OptionError(
            f"The levels of {name or 'the distortion'} go below 0, where there is no logarithm. Use --scale linear."
        )
    people = view.people
    known = view.category >= 0
    counts = people.counts()
    together = np.where(known, counts[np.arange(len(known)), np.maximum(view.category, 0)], 0)
    told: list[tuple[str, Kind, NDArray[np.int64], NDArray[np.int64]]] = []
    for place in people.kept[:MOST_PEOPLE] if len(people.kept) > 1 else ():
        right = people.right(view.category)[place]
        shown = np.isin(people.condition, [level.place for level in levels])
        if np.count_nonzero((right >= 0) & shown) >= LEAST_ANSWERS:
            told.append(
                (people.observers[place], "person", (right == 1).astype(np.int64), (right >= 0).astype(np.int64))
            )
    told.append(("people", "people", together, np.where(known, counts.sum(axis=1), 0)))
    if view.has_model:
        model = view.model_right
        told.append((view.title, "model", (model == 1).astype(np.int64), (model >= 0).astype(np.int64)))
    choices = max(2, len(people.categories))
    direction = falls(name)
    fits: dict[Kind, Fit] = {}
    curves = []
    # All people together first: where the distortion does not say in which direction accuracy goes, they do.
    for observer, kind, right, answered in sorted(told, key=lambda one: one[1] != "people"):
        points = _points(view, levels, right, answered)
        fit = fit_curve(
            [point.level for point in points],
            [point.correct for point in points],
            [point.count for point in points],
            choices=choices,
            scale=scale,
            falling=direction,
            overdispersed=kind == "people",
        )
        direction = fit.falling if direction is None else direction
        fits[kind] = fit
        curves.append(_curve(observer, kind, points, fit))
    order = {"person": 0, "people": 1, "model": 2}
    curves.sort(key=lambda curve: order[curve.kind])
    ratio, interval = (None, None)
    if "model" in fits:
        ratio, interval = threshold_difference(fits["model"], fits["people"], scale)
    count = sum(point.count for curve in curves if curve.kind == "people" for point in curve.points)
    series = schema.PsychometricSeries(name, "", scale, curves, ratio, interval, count)
    return msgspec.structs.replace(series, answer=_answer(series, fits))


def _points(
    view: View, levels: Sequence[Level], right: NDArray[np.int64], answered: NDArray[np.int64]
) -> list[schema.PsychometricPoint]:
    conditions = view.people.conditions
    correct = np.bincount(view.people.condition, right, len(conditions)).astype(np.int64)
    number = np.bincount(view.people.condition, answered, len(conditions)).astype(np.int64)
    points: list[schema.PsychometricPoint] = []
    for level in levels:
        hits, count = int(correct[level.place]), int(number[level.place])
        if points and points[-1].level == level.value:
            # One level under two names.
            hits, count = hits + points[-1].correct, count + points[-1].count
            points.pop()
        points.append(
            schema.PsychometricPoint(
                level.value, conditions[level.place], count, hits, hits / count if count else None, wilson(hits, count)
            )
        )
    return points


def _curve(observer: str, kind: Kind, points: list[schema.PsychometricPoint], fit: Fit) -> schema.PsychometricCurve:
    return schema.PsychometricCurve(
        observer=observer,
        kind=kind,
        points=points,
        falling=fit.falling,
        guess=fit.guess,
        lapse=fit.lapse,
        lapse_interval=fit.lapse_interval,
        threshold=fit.threshold,
        threshold_interval=fit.threshold_interval,
        at=fit.at,
        width=fit.width,
        width_interval=fit.width_interval,
        overdispersion=fit.overdispersion,
        levels=list(fit.levels),
        accuracies=list(fit.accuracies),
        why=fit.why,
    )


def _answer(series: schema.PsychometricSeries, fits: dict[Kind, Fit]) -> str:
    """Who stands more, as a sentence."""
    what = series.distortion or "the distortion"
    people, model = fits["people"], fits.get("model")
    if model is None:
        if people.threshold is None:
            return f"People have no threshold for {what}: {people.why}."
        return (
            f"People's threshold for {what} is {_said(people)}. The record holds no answers of a model to these images."
        )
    if people.threshold is None or model.threshold is None:
        missing, why = ("People have", people.why) if people.threshold is None else ("The model has", model.why)
        other = model if people.threshold is None else people
        rest = "" if other.threshold is None else f"; {'the model' if other is model else 'people'}'s is {_said(other)}"
        return f"{missing} no threshold for {what}: {why}{rest}."
    return f"{_verdict(series)} {what}: thresholds are {_said(model)} for the model and {_said(people)} for people."


def _verdict(series: schema.PsychometricSeries) -> str:
    worse = _worse(series)
    return {
        None: "It cannot be told apart who stands more",
        True: "People stand more",
        False: "The model stands more",
    }[worse]


def _worse(series: schema.PsychometricSeries) -> bool | None:
    """Whether the model is right at fewer levels than people; None where the interval holds equality."""
    same = 1.0 if series.scale == "log" else 0.0
    interval = series.ratio_interval
    if interval is None or interval.low <= same <= interval.high:
        return None
    falling = next(curve.falling for curve in series.curves if curve.kind == "people")
    return interval.high < same if falling else interval.low > same


def _said(fit: Fit) -> str:
    one = fit.threshold_interval
    return f"{fit.threshold:.3g}" + ("" if one is None else f" ({one.low:.3g} to {one.high:.3g})")


def _finding(series: schema.PsychometricSeries) -> schema.Finding | None:
    """A distortion that people stand and the model does not."""
    if _worse(series) is not True:
        return None
    people, model = (next(one for one in series.curves if one.kind == kind) for kind in ("people", "model"))
    return schema.Finding(
        kind="distortion-threshold",
        severity="medium",
        sentence=series.answer,
        count=series.count,
        page=PAGE,
        weight=0.5,
        interval=series.ratio_interval,
        evidence={
            "distortion": series.distortion,
            "people": people.threshold,
            "model": model.threshold,
            "ratio" if series.scale == "log" else "difference": series.ratio,
        },
    )
