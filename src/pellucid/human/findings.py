"""What the comparison found, as sentences: does it see what we see, and where do the two part?"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from pellucid.human.agreeing import Agreement
from pellucid.human.matching import Found
from pellucid.human.people import People
from pellucid.human.view import EVERYBODY
from pellucid.measures.intervals import wilson
from pellucid.measures.words import counted
from pellucid.record.schema import (
    Finding,
    HumanAgreement,
    HumanClass,
    HumanObserver,
    HumanOutcomes,
    HumanShape,
    HumanSoft,
    Interval,
)

PAGE = "human"
FALSE_ALARMS = 0.05
MOST_CLASSES = 5
MOST_ROWS = 200


@dataclass(frozen=True)
class Told:
    """What the sentences rest on.

    `rows` are the examples that only people get right, `index` the record's classes by category, `without` why no model is held
    against people, "" where one is.
    """

    people: People
    found: Found
    observers: list[HumanObserver]
    agreement: Agreement
    classes: list[HumanClass]
    shape: list[HumanShape]
    outcomes: HumanOutcomes | None
    soft: HumanSoft | None
    rows: list[int]
    index: dict[str, int]
    has_model: bool
    without: str


def answer_of(told: Told) -> str:
    """The answer to "does it see what we see?", with its interval."""
    people, model = told.agreement.people, told.agreement.with_model
    if model is not None and model.kappa is not None:
        return _by_errors(told, people, model)
    if told.soft is not None and told.soft.with_model is not None:
        return _by_answers(told.soft)
    if people.kappa is not None:
        start = "People err on the same images as each other"
        if people.interval is None or people.interval.low <= 0:
            start = "People are not shown to err on the same images as each other"
        return (
            f"{start}: {_kappa(people)}, over {counted(people.pairs, 'pair')} and {counted(people.images, 'image')}. There is no "
            f"model to hold against them: {told.without}."
        )
    if told.has_model:
        return f"Not defined, because {model.why if model is not None and model.why else 'too few answers are known'}."
    if told.soft is not None and told.soft.pairwise is not None:
        return (
            f"Two people who answer the same image agree on {told.soft.pairwise:.1%}{_shares(told.soft.pairwise_interval)} of "
            f"answers, over {counted(told.soft.images, 'image')}. There is no model to hold against them: {told.without}."
        )
    return f"Not defined, because no image has answers of two people, and there is no model to hold against them: {told.without}."


def _by_errors(told: Told, people: HumanAgreement, model: HumanAgreement) -> str:
    difference = told.agreement.difference_interval
    alone = model.interval is None or model.interval.low <= 0
    start = f"its errors agree with people's at {_kappa(model)}"
    if people.kappa is None:
        return (
            f"The model sees some of what people see: {start}; how far people agree with each other is not defined, "
            f"because {people.why}."
        )
    against = f"people's with each other at {_kappa(people)}, over {counted(model.images, 'image')}"
    if alone:
        return f"Not shown to: {start}, which may be chance; {against}."
    if difference is not None and difference.high < 0:
        return f"Only in part: {start}, less than {against}."
    if difference is not None and difference.low > 0:
        return f"Yes, and errs more as people do than they do among themselves: {start}; {against}."
    return f"Not shown to differ from people: {start}; {against}."


def _by_answers(soft: HumanSoft) -> str:
    interval, other = _shares(soft.with_model_interval), _shares(soft.pairwise_interval)
    there = f" of {counted(soft.answered, 'image')}" if soft.answered != soft.images else ""
    return (
        f"A person's answer is the model's on {soft.with_model or 0.0:.1%}{interval} of answers{there}, and another person's on "
        f"{soft.pairwise or 0.0:.1%}{other}, over {counted(soft.images, 'image')}."
    )


def _kappa(one: HumanAgreement) -> str:
    interval = one.interval
    shown = "" if interval is None else f" ({interval.level:.0%} interval {interval.low:z.2f} to {interval.high:z.2f})"
    return f"kappa = {one.kappa or 0.0:z.2f}{shown}"


def _shares(interval: Interval | None) -> str:
    return "" if interval is None else f" ({interval.level:.0%} interval {interval.low:.1%} to {interval.high:.1%})"


def findings_of(told: Told) -> list[Finding]:
    """All of them."""
    return [
        *_agreement(told),
        *_classes(told),
        *_shape(told),
        *_only_people(told),
        *_observers(told),
        *_unmatched(told),
    ]


def _agreement(told: Told) -> Iterator[Finding]:
    model, people = told.agreement.with_model, told.agreement.people
    if model is None or model.kappa is None or people.kappa is None:
        return
    difference = told.agreement.difference_interval
    apart = difference is not None and (difference.high < 0 or difference.low > 0)
    unlike = difference is not None and difference.high < 0
    yield Finding(
        kind="errors-unlike-people" if unlike else "errors-like-people",
        severity="medium" if unlike else "info",
        sentence=(
            f"The model and people err on the same images at {_kappa(model)}; people among themselves at {_kappa(people)}"
            f"{'' if apart else ', not shown to differ'}."
        ),
        count=model.images,
        interval=model.interval,
        page=PAGE,
        weight=min(1.0, abs(told.agreement.difference or 0.0)),
        evidence={"with_model": model.kappa, "people": people.kappa, "difference": told.agreement.difference},
    )


def _classes(told: Told) -> Iterator[Finding]:
    apart = [one for one in told.classes if one.adjusted is not None and one.adjusted < FALSE_ALARMS and one.difference]
    for one in sorted(apart, key=lambda found: -abs(found.difference or 0.0))[:MOST_CLASSES]:
        worse = (one.difference or 0.0) < 0
        yield Finding(
            kind="class-apart",
            severity="medium" if worse else "low",
            sentence=(
                f"People and model part at {one.category}: people are right on {one.people or 0.0:.0%} of their answers, the "
                f"model on {one.model or 0.0:.0%} of the same {counted(one.images, 'image')} (beyond chance, corrected for "
                f"{counted(len(told.classes), 'class', 'classes')})."
            ),
            count=one.images,
            interval=one.interval,
            page=PAGE,
            weight=min(1.0, abs(one.difference or 0.0)),
            evidence={"people": one.people, "model": one.model, "adjusted": one.adjusted},
            selection={"true": str(told.index[one.category])} if one.category in told.index else {},
        )


def _shape(told: Told) -> Iterator[Finding]:
    whole = {one.observer: one for one in told.shape if one.category == ""}
    people = whole.get(EVERYBODY)
    models = [whole[place] for place, one in enumerate(told.observers) if one.kind == "model" and place in whole]
    for model in models:
        if (
            people is None
            or people.interval is None
            or model.interval is None
            or people.bias is None
            or model.bias is None
        ):
            continue
        if model.interval.high >= people.interval.low and people.interval.high >= model.interval.low:
            continue
        yield Finding(
            kind="shape-bias",
            severity="medium",
            sentence=(
                f"Where shape and texture differ the model follows the shape in {model.bias:.0%} of its decisions for one of them"
                f"{_shares(model.interval)}, people in {people.bias:.0%}{_shares(people.interval)}."
            ),
            count=model.shape + model.texture,
            interval=model.interval,
            page=PAGE,
            weight=min(1.0, abs(model.bias - people.bias)),
            evidence={"model": model.bias, "people": people.bias},
        )


def _only_people(told: Told) -> Iterator[Finding]:
    one = told.outcomes
    if one is None or not one.only_people:
        return
    yield Finding(
        kind="only-people",
        severity="info",
        sentence=(
            f"Most people get {one.only_people:,} of {counted(one.count, 'image')} right that the model gets wrong; it gets "
            f"{one.only_model:,} right that most people get wrong, and {one.neither:,} {'is' if one.neither == 1 else 'are'} right "
            "for neither."
        ),
        count=one.count,
        interval=wilson(one.only_people, one.count),
        page=PAGE,
        weight=one.only_people / one.count,
        evidence={
            "only_people": one.only_people,
            "only_model": one.only_model,
            "neither": one.neither,
            "both": one.both,
        },
        selection={"rows": ",".join(map(str, told.rows))} if 0 < len(told.rows) <= MOST_ROWS else {},
    )


def _observers(told: Told) -> Iterator[Finding]:
    words = {"same answer": "gave one and the same answer throughout", "too fast": "answered faster than people can"}
    for one in told.observers:
        if not one.flags:
            continue
        yield Finding(
            kind="odd-observer",
            severity="medium",
            sentence=(
                f"{one.name} {' and '.join(words[flag] for flag in one.flags)} ({counted(one.count, 'answer')}): "
                f"{'left out.' if one.excluded else 'kept; --exclude leaves them out.'}"
            ),
            count=one.count,
            page=PAGE,
            evidence={"seconds": one.seconds, "excluded": str(one.excluded)},
        )


def _unmatched(told: Told) -> Iterator[Finding]:
    missing = int(np.count_nonzero(told.found.rows < 0))
    if not missing:
        return
    number = len(told.found.rows)
    words = "is no example of the record" if missing == 1 else "are no examples of the record"
    yield Finding(
        kind="unmatched-images",
        severity="medium",
        sentence=(
            f"{missing:,} of {counted(number, 'image')} that people answered {words}, and not held against the model."
        ),
        count=number,
        page=PAGE,
        weight=missing / number,
        evidence={"unmatched": missing},
    )
