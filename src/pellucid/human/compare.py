"""From answers and a record to the panel that the Human page shows."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from pellucid.human.agreeing import agreement_of
from pellucid.human.findings import Told, answer_of, findings_of
from pellucid.human.gravity import gravity_of
from pellucid.human.observers import MOST_SHOWN, accuracies_of, classes_of, confusions_of, observers_of, outcomes_of
from pellucid.human.people import People
from pellucid.human.perceiving import median_seconds, shape_of, soft_of, times_of
from pellucid.human.reading import LONGEST
from pellucid.human.view import View
from pellucid.measures.agreement import MISSING
from pellucid.measures.soft_labels import entropies, most_frequent
from pellucid.measures.words import counted
from pellucid.record import schema

NAMED = 20


def panel_of(
    view: View,
    sources: Sequence[schema.HumanSource],
    examples: int,
    classes: Sequence[str],
    *,
    itself: bool = False,
    again: Collection[str] = (),
) -> tuple[schema.HumanPanel, dict[str, NDArray[np.generic]]]:
    """The panel and its arrays.

    Args:
        view: people and model on the same images.
        sources: the files.
        examples: how many the record has.
        classes: the record's own.
        itself: the record was made of these answers.
        again: files that were imported before, and are not taken twice.
    """
    people = view.people
    observers = observers_of(view)
    agreement = agreement_of(view, observers)
    shape, soft = list(shape_of(view, observers)), soft_of(view)
    outcome, outcomes = outcomes_of(view)
    of_classes = classes_of(view) if view.has_model else []
    told = Told(
        people, view.found, observers, agreement, of_classes, shape, outcomes, soft,
        view.found.rows[outcome == 1].tolist(), _index(view, classes), view.has_model, _without(view, itself=itself),
    )  # fmt: skip
    panel = schema.HumanPanel(
        count=int(people.counts().sum()),
        findings=findings_of(told),
        answer=answer_of(told),
        sources=list(sources),
        match=match_of(view, examples, itself=itself),
        observers=observers,
        model=len(observers) - 1 if view.has_model else None,
        categories=list(people.categories),
        conditions=list(people.conditions),
        mapping=[list(one) for one in view.kinds.classes],
        combined=view.kinds.combined,
        accuracies=accuracies_of(view, observers),
        pairs=agreement.pairs,
        people=agreement.people,
        with_model=agreement.with_model,
        difference=agreement.difference,
        difference_interval=agreement.difference_interval,
        confusions=list(confusions_of(view, observers)),
        classes=of_classes,
        shape=shape,
        outcomes=outcomes,
        times=times_of(view),
        soft=soft,
        notes=list(_notes(view, again)),
        gravity=gravity_of(view, len(observers) - 1 if view.has_model else None),
    )
    return panel, arrays_of(view, outcome)


def match_of(view: View, examples: int, *, itself: bool) -> schema.HumanMatch:
    """What was read and what became of it."""
    people, counts = view.people, view.people.counts()
    matched = view.matched
    left = people.answers[people.excluded] != MISSING
    mapped = set(view.kinds.mapped)
    unmapped = {} if itself else {
        name: int(counts[:, place].sum()) for place, name in enumerate(people.categories) if place not in mapped
    }  # fmt: skip
    return schema.HumanMatch(
        judgements=people.judgements,
        counted=int(counts.sum()),
        repeated=people.repeated,
        no_answer=int(counts[:, -1].sum()),
        excluded=int(left.sum()),
        images=len(people.names),
        matched=int(matched.sum()),
        unmatched=int((~matched).sum()),
        unmatched_names=[people.names[place] for place in np.flatnonzero(~matched)[:NAMED]],
        unanswered=examples - int(matched.sum()),
        matched_by="itself" if itself else view.found.by,
        unmapped={name: number for name, number in unmapped.items() if number},
        merged=[list(one) for one in people.merged],
        relabelled=view.relabelled,
        undecided=int((view.model_answers < -1).sum()),
    )


def arrays_of(view: View, outcome: NDArray[np.int8]) -> dict[str, NDArray[np.generic]]:
    """What the page needs of each image that is an example of the record; see docs/format.md."""
    counts = view.people.counts()
    kept = np.flatnonzero(view.matched)
    if not len(kept):
        return {}
    category = view.category
    right = np.where(category >= 0, counts[np.arange(len(counts)), np.maximum(category, 0)], 0)
    entropy = view.numbers_of_examples(view.model.entropy if view.model is not None else None)
    return {
        "row": view.found.rows[kept],
        "judgements": counts.sum(axis=1)[kept].astype(np.int32),
        "right": right[kept].astype(np.int32),
        "outcome": outcome[kept],
        "category": category[kept].astype(np.int32),
        "answer": most_frequent(counts[:, :-1])[kept].astype(np.int32),
        "model": np.maximum(view.model_answers, -1)[kept].astype(np.int32),
        "people_entropy": entropies(counts[:, :-1])[kept].astype(np.float32),
        "model_entropy": entropy[kept].astype(np.float32),
        "seconds": median_seconds(view)[kept].astype(np.float32),
    }


def _without(view: View, *, itself: bool) -> str:
    """Why no model is held against people; "" where one is."""
    if view.has_model:
        return ""
    if itself:
        return "the record is made of their answers alone"
    if not view.kinds.mapped:
        named = ", ".join(view.people.categories[:3])
        return (
            f"no class of the model stands for any of their categories ({named}, ...); say which do, by --categories FILE or "
            "--hierarchy FILE"
        )
    if not view.matched.any():
        return "none of the images that they answered is an example of the record"
    return "the record holds no answers of a model to these images, or none that settles a category"


def _index(view: View, classes: Sequence[str]) -> dict[str, int]:
    """The record's class of each category that is one class of it."""
    return {
        name: one[0]
        for name, one in zip(view.people.categories, view.kinds.classes, strict=True)
        if len(one) == 1 and one[0] < len(classes)
    }


def _notes(view: View, again: Collection[str]) -> Iterator[str]:
    """What a reader has to know, a sentence each."""
    people = view.people
    if again:
        yield f"Imported before, and not taken twice: {', '.join(sorted(again))}."
    if view.found.conditions_apart:
        yield (
            f"People saw images under {len(people.conditions)} conditions and the record does not say under which the model "
            "did, so that no image is held against it. A column 'condition' of its examples says so."
        )
    for spelled in people.merged:
        yield f"The condition {spelled[0]!r} is also written {', '.join(map(repr, spelled[1:]))}; they are one."
    yield from _of_times(people)
    if people.repeated:
        yield (
            f"Answers to an image and condition that the observer answered before, of which the first counts: {people.repeated:,}."
        )
    if people.disputed:
        yield f"Images with several true categories in the files, of which the first one counts: {people.disputed:,}."
    if view.relabelled:
        yield (
            f"Images with another category in the files than their label in the record; the files' counts: {view.relabelled:,}."
        )
    unknown = int((view.category < 0).sum())
    if unknown:
        yield f"Images without a known category, whose answers are neither right nor wrong: {unknown:,}."
    if view.model is not None and (view.model_answers < -1).any():
        yield (
            f"On {counted(int((view.model_answers < -1).sum()), 'image')} the classes that the record stores do not settle the "
            "model's category; give the probabilities of all classes (--probabilities FILE)."
        )
    kept = len(people.kept) + view.has_model
    if kept > MOST_SHOWN:
        yield f"With {kept:,} observers only the means over pairs are kept, not each pair and each observer's own tables."
    for place in np.flatnonzero(people.excluded):
        yield f"{people.observers[place]} is left out of everything but the list of observers."


def _of_times(people: People) -> Iterator[str]:
    """In which unit files give response times, where it is not plain."""
    milliseconds = [name for name, unit in people.units if unit == "milliseconds"]
    doubtful = [name for name, unit in people.units if unit == "long seconds"]
    if milliseconds:
        yield f"Response times were read as milliseconds: {_listed(milliseconds)}."
    if doubtful:
        yield (
            f"Half of the response times that are said to be seconds are longer than {LONGEST:.0f} s: {_listed(doubtful)}. If they "
            "are milliseconds, call their column 'milliseconds'."
        )


def _listed(names: Sequence[str]) -> str:
    return ", ".join(names[:NAMED]) + (", ..." if len(names) > NAMED else "")
