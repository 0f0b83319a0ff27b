"""The comparison with people along a training: at which checkpoint does the model start to make people's mistakes?"""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from pellucid.errors import OptionError
from pellucid.human.answers import Answers, kept_answers
from pellucid.human.findings import PAGE
from pellucid.human.run import seen_by_both
from pellucid.measures.agreement import MISSING
from pellucid.measures.consistency import independent, mean_kappa
from pellucid.measures.intervals import wilson
from pellucid.record import Record, Writer, schema

_STEP = re.compile(r"\d+")


def add_learning(
    record: str | Path,
    checkpoints: Sequence[str | Path],
    *,
    steps: Sequence[int] | None = None,
    **asked: Any,
) -> schema.PerceptualLearningPanel:
    """Compares the people of a record with records of earlier checkpoints, and adds the course to the record.

    Args:
        record: its folder; people's answers were imported into it before.
        checkpoints: records of the same examples, each of the model at another step.
        steps: of the checkpoints, in their order; the last number in each record's name where None.
        asked: how people and model are set side by side, as `pellucid.human.import_people` takes it (categories, exclude, ...).

    Raises: OptionError: no answers, no steps, or a step twice.
    """
    held = Record(record)
    answers = kept_answers(held)
    if not answers:
        raise OptionError(
            f"{record} holds no answers of people. Import them first: pellucid human import FILES --record {record}"
        )
    paths = [Path(one) for one in checkpoints]
    numbers = list(steps) if steps is not None else [step_of(path) for path in paths]
    if len(numbers) != len(paths):
        raise OptionError(f"--steps names {len(numbers)} steps for {len(paths)} checkpoints; give one for each.")
    twice = next((step for step in numbers if numbers.count(step) > 1), None)
    if twice is not None:
        same = ", ".join(path.name for path, step in zip(paths, numbers, strict=True) if step == twice)
        raise OptionError(f"Several checkpoints are of step {twice}: {same}. Name their steps with --steps.")
    panel = course_of(answers, sorted(zip(numbers, paths, strict=True)), **asked)
    with Writer.open(Path(record)) as writer:
        writer.write_panel(panel)
        writer.update()
    return panel


def step_of(path: Path) -> int:
    """The last number in a record's name. Raises: OptionError: there is none.

    >>> step_of(Path("vgg16-step0400.pellucid"))
    400
    """
    found = _STEP.findall(path.name)
    if not found:
        raise OptionError(f"The name {path.name} holds no number to take as the step; name the steps with --steps.")
    return int(found[-1])


def course_of(
    answers: Sequence[Answers], checkpoints: Sequence[tuple[int, Path]], **asked: Any
) -> schema.PerceptualLearningPanel:
    """The panel; see `add_learning`."""
    points: list[schema.PerceptualPoint] = []
    ceiling = None
    for step, path in checkpoints:
        view = seen_by_both(Record(path), answers, **asked)
        kept = view.people.kept
        right = np.concatenate([view.people.right(view.category)[kept], view.model_right[None]])
        person = np.arange(len(right)) < len(kept)
        across = np.outer(person, ~person) | np.outer(~person, person)
        strata = view.people.condition
        found = mean_kappa(right, strata, across)
        # The ceiling is over the images that the model saw too.
        shared = np.where(view.model_right != MISSING, right, MISSING)
        if ceiling is None and view.has_model:
            ceiling = mean_kappa(shared, strata, np.outer(person, person))
        count, correct = int((view.model_right != MISSING).sum()), int((view.model_right == 1).sum())
        points.append(
            schema.PerceptualPoint(
                step=step,
                record=path.name,
                count=count,
                accuracy=correct / count if count else None,
                accuracy_interval=wilson(correct, count),
                kappa=found.kappa,
                interval=found.interval,
                null=independent(right, strata, across) if found.kappa is not None else None,
                why=_why(view.has_model, found.kappa, found.undefined),
            )
        )
    onset = onset_of(points)
    people = None if ceiling is None else ceiling.kappa
    return schema.PerceptualLearningPanel(
        answer=_answer(points, onset, people),
        points=points,
        people=people,
        people_interval=None if ceiling is None else ceiling.interval,
        onset=onset,
        count=max((point.count for point in points), default=0),
        findings=_findings(points, onset),
    )


def onset_of(points: Sequence[schema.PerceptualPoint]) -> int | None:
    """The first step from which on every kappa lies above the band of independent errors; None where the last does not."""
    onset = None
    for point in reversed(points):
        if point.kappa is None or point.null is None or point.kappa <= point.null.high:
            break
        onset = point.step
    return onset


def _why(has_model: bool, kappa: float | None, undefined: int) -> str:
    if kappa is not None:
        return ""
    if not has_model:
        return "the record holds no answers of a model to images that people answered"
    return (
        "it and each person get every shared image right, or every one wrong"
        if undefined
        else "no person with a known code answered its images"
    )


def _answer(points: Sequence[schema.PerceptualPoint], onset: int | None, people: float | None) -> str:
    last = points[-1]
    if last.kappa is None:
        return f"Whether the model makes people's mistakes is not defined at step {last.step:,}: {last.why}."
    ends = "" if last.interval is None else f" ({last.interval.low:.2f} to {last.interval.high:.2f})"
    among = "" if people is None else f", {people:.2f} among people"
    now = f"kappa is {last.kappa:.2f}{ends} at step {last.step:,}{among}"
    if onset is None:
        return f"The model's mistakes are not people's beyond chance at the end: {now}."
    if onset == points[0].step:
        return f"The model makes people's mistakes from the first checkpoint on, step {onset:,}: {now}."
    return f"The model makes people's mistakes from step {onset:,} on: {now}."


def _findings(points: Sequence[schema.PerceptualPoint], onset: int | None) -> list[schema.Finding]:
    if onset is None:
        return []
    at = next(point for point in points if point.step == onset)
    return [
        schema.Finding(
            kind="perceptual-learning",
            severity="info",
            sentence=f"The model makes people's mistakes beyond chance from step {onset:,} on.",
            count=at.count,
            page=PAGE,
            interval=at.interval,
            evidence={"step": onset, "kappa": at.kappa, "checkpoints": len(points)},
            selection={"step": str(onset)},
        )
    ]
