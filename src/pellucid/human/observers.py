"""Who answered, how often rightly, and what they confused."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from pellucid.human.view import EVERYBODY, View
from pellucid.measures.agreement import MISSING
from pellucid.measures.clustered import clustered_share, swap_test
from pellucid.measures.intervals import benjamini_hochberg, mean_interval, wilson
from pellucid.record import schema

Grouping: TypeAlias = Literal["all", "class", "condition"]

# Beyond so many observers each one's own tables say less than they weigh.
MOST_SHOWN = 60


def observers_of(view: View) -> list[schema.HumanObserver]:
    """People in the order in which they came, then the model."""
    people = view.people
    right = people.right(view.category)
    found = [
        _observer(
            name, "person", people.answers[place], right[place], people.seconds[place], len(people.categories),
            list(people.flags[place]), excluded=bool(people.excluded[place]),
        )
        for place, name in enumerate(people.observers)
    ]  # fmt: skip
    if view.has_model:
        nothing = np.full(len(view.category), np.nan)
        answers = np.maximum(view.model_answers, MISSING).astype(np.int32)
        name = view.title
        while name in people.observers:
            name += " (model)"
        found.append(
            _observer(name, "model", answers, view.model_right, nothing, len(people.categories), [], excluded=False)
        )
    return found


def _observer(
    name: str,
    kind: str,
    answers: NDArray[np.int32],
    right: NDArray[np.int8],
    seconds: NDArray[np.float64],
    categories: int,
    flags: list[schema.HumanFlag],
    *,
    excluded: bool,
) -> schema.HumanObserver:
    judged, correct = int((right != MISSING).sum()), int((right == 1).sum())
    timed = seconds[np.isfinite(seconds)]
    return schema.HumanObserver(
        name=name,
        kind="model" if kind == "model" else "person",
        count=int((answers != MISSING).sum()),
        correct=correct,
        accuracy=correct / judged if judged else None,
        interval=wilson(correct, judged),
        no_answer=int((answers == categories).sum()),
        seconds=float(np.median(timed)) if len(timed) else None,
        flags=flags,
        excluded=excluded,
    )


def accuracies_of(view: View, observers: list[schema.HumanObserver]) -> list[schema.HumanAccuracy]:
    """Of all people together and of each observer: in all, by true category, by condition."""
    people = view.people
    counts = people.counts()
    groups: list[tuple[Grouping, str, NDArray[np.bool_]]] = [("all", "", np.ones(len(view.category), np.bool_))]
    groups += [("class", name, view.category == place) for place, name in enumerate(people.categories)]
    if len(people.conditions) > 1:
        groups += [("condition", name, people.condition == place) for place, name in enumerate(people.conditions)]
    known = view.category >= 0
    hits = np.where(known, counts[np.arange(len(counts)), np.maximum(view.category, 0)], 0)
    totals = np.where(known, counts.sum(axis=1), 0)
    found = []
    for by, group, among in groups:
        share, interval = clustered_share(hits[among], totals[among])
        found.append(
            schema.HumanAccuracy(
                EVERYBODY, by, group, int(totals[among].sum()), int(hits[among].sum()), share, interval
            )
        )
    right = people.right(view.category)
    for place in shown_of(observers):
        one = view.model_right if observers[place].kind == "model" else right[place]
        for by, group, among in groups:
            count, correct = int((one[among] != MISSING).sum()), int((one[among] == 1).sum())
            found.append(
                schema.HumanAccuracy(
                    place, by, group, count, correct, correct / count if count else None, wilson(correct, count)
                )
            )
    return [one for one in found if one.count]


def shown_of(observers: list[schema.HumanObserver]) -> list[int]:
    """Places of those with tables of their own: all that count, models alone where there are too many."""
    kept = [place for place, one in enumerate(observers) if not one.excluded]
    return kept if len(kept) <= MOST_SHOWN else [place for place in kept if observers[place].kind == "model"]


def confusions_of(view: View, observers: list[schema.HumanObserver]) -> Iterator[schema.HumanConfusion]:
    """Of all people together, then of each observer; beside a model over the images that both answered."""
    everybody = view.people.counts()
    answers = view.model_answers
    both = (everybody.sum(axis=1) > 0) & (answers >= 0)
    if not (both & (view.category >= 0)).any():
        both[:] = True
    yield _confusion(EVERYBODY, everybody, view, both)
    for place in shown_of(observers):
        if observers[place].kind == "model":
            counts = np.zeros((len(answers), len(view.people.categories) + 1), np.int64)
            given = np.flatnonzero(answers >= 0)
            counts[given, answers[given]] = 1
        else:
            counts = view.people.counts([place])
        yield _confusion(place, counts, view, both)


def _confusion(observer: int, counts: NDArray[np.int64], view: View, among: NDArray[np.bool_]) -> schema.HumanConfusion:
    known = np.flatnonzero((view.category >= 0) & among)
    cells = np.zeros((len(view.people.categories), counts.shape[1]), np.int64)
    np.add.at(cells, view.category[known], counts[known])
    rows, columns = np.nonzero(cells)
    return schema.HumanConfusion(
        observer, int(cells.sum()), rows.tolist(), columns.tolist(), cells[rows, columns].tolist()
    )


def people_shares(view: View) -> NDArray[np.float64]:
    """float64[image]: the share of people's answers that are right; NaN where none or the category is not known."""
    counts = view.people.counts()
    total = counts.sum(axis=1)
    hits = counts[np.arange(len(counts)), np.maximum(view.category, 0)]
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.where((view.category >= 0) & (total > 0), hits / total, np.nan)


def classes_of(view: View) -> list[schema.HumanClass]:
    """People against the model, true category by true category, over the images that both answered."""
    people, model = people_shares(view), view.model_right
    both = np.isfinite(people) & (model != MISSING)
    rows = []
    for place, name in enumerate(view.people.categories):
        among = both & (view.category == place)
        differences = model[among] - people[among]
        number = len(differences)
        mean = float(differences.mean()) if number else None
        spread = float(((differences - differences.mean()) ** 2).sum()) if number else 0.0
        rows.append((name, number, people[among], model[among], mean, spread, swap_test(differences)))
    adjusted = benjamini_hochberg(np.array([np.nan if row[6] is None else row[6] for row in rows]))
    return [
        schema.HumanClass(
            category=name,
            images=number,
            people=float(shares.mean()) if number else None,
            model=float(rights.mean()) if number else None,
            difference=mean,
            interval=_difference_interval(number, mean or 0.0, spread),
            p_value=p_value,
            adjusted=None if p_value is None else float(corrected),
        )
        for (name, number, shares, rights, mean, spread, p_value), corrected in zip(rows, adjusted, strict=True)
        if number
    ]


def _difference_interval(number: int, mean: float, spread: float) -> schema.Interval | None:
    """Student's, of shares' mean difference, within -1 and 1; None where nothing varies: how it would vary is not known."""
    found = mean_interval(number, mean * number, spread) if spread > 0 else None
    return found and schema.Interval(max(-1.0, found.low), min(1.0, found.high), found.level, found.method)


def outcomes_of(view: View) -> tuple[NDArray[np.int8], schema.HumanOutcomes | None]:
    """int8[image] 0 both, 1 only people, 2 only the model, 3 neither, -1 not known; and how many there are of each."""
    shares, model = people_shares(view), view.model_right
    known = np.isfinite(shares) & (model != MISSING)
    outcome = np.where(known, 2 * ~(shares > 0.5) + (model != 1), -1).astype(np.int8)
    if not known.any():
        return outcome, None
    both, only_people, only_model, neither = np.bincount(outcome[known], minlength=4).tolist()
    return outcome, schema.HumanOutcomes(both, only_people, only_model, neither, int(known.sum()))
