"""Whether people and model err on the same images: every pair, and the means over pairs."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pellucid.human.observers import MOST_SHOWN
from pellucid.human.view import View
from pellucid.measures.agreement import MISSING, Tallies, pair_kappa, tallies
from pellucid.measures.consistency import MeanKappa, independent, influence_interval, mean_kappa, resampled
from pellucid.record import schema


@dataclass(frozen=True)
class Agreement:
    """Pairs and means; `difference` is that of people with the model minus that among people, over the model's images."""

    pairs: list[schema.HumanPair]
    people: schema.HumanAgreement
    with_model: schema.HumanAgreement | None
    difference: float | None
    difference_interval: schema.Interval | None


def agreement_of(view: View, observers: list[schema.HumanObserver]) -> Agreement:
    """Everything about error consistency; observers who are left out take no part."""
    kept = np.array([place for place, one in enumerate(observers) if not one.excluded], np.int64)
    right = _rights(view, observers)[kept]
    person = np.array([observers[place].kind == "person" for place in kept], np.bool_)
    condition = view.people.condition
    among = np.outer(person, person)
    across = np.outer(person, ~person) | np.outer(~person, person)
    people = mean_kappa(right, condition, among)
    found = _said(view, "people", right, condition, among, people)
    if not view.has_model:
        return Agreement(_pairs(right, condition, kept), found, None, None, None)
    model = mean_kappa(right, condition, across)
    shared = np.where(view.model_right != MISSING, right, MISSING)
    ceiling = people if np.array_equal(shared, right) else mean_kappa(shared, condition, among)
    difference, interval = None, None
    if model.kappa is not None and ceiling.kappa is not None:
        difference = model.kappa - ceiling.kappa
        interval = influence_interval(
            difference, model.influence - ceiling.influence, max(model.images, ceiling.images)
        )
    return Agreement(
        _pairs(right, condition, kept),
        found,
        _said(view, "people and model", right, condition, across, model),
        difference,
        interval,
    )


def _rights(view: View, observers: list[schema.HumanObserver]) -> NDArray[np.int8]:
    right = view.people.right(view.category)
    if any(one.kind == "model" for one in observers):
        right = np.concatenate([right, view.model_right[None]])
    return right


def _pairs(right: NDArray[np.int8], condition: NDArray[np.int64], kept: NDArray[np.int64]) -> list[schema.HumanPair]:
    if len(right) > MOST_SHOWN:
        return []
    strata = [tallies(right[:, condition == place]) for place in range(int(condition.max(initial=0)) + 1)]
    found = []
    for first in range(len(right)):
        for second in range(first + 1, len(right)):
            one = pair_kappa(_of_pair(strata, first, second))
            found.append(
                schema.HumanPair(
                    int(kept[first]), int(kept[second]), one.count, one.observed, one.expected, one.kappa, one.interval,
                    one.bootstrap, one.null, one.least, one.most, one.p_value, one.why,
                )
            )  # fmt: skip
    return found


def _of_pair(strata: list[Tallies], first: int, second: int) -> Tallies:
    def at(name: str) -> NDArray[np.float64]:
        return np.array([getattr(one, name)[first, second] for one in strata])

    return Tallies(at("count"), at("first"), at("second"), at("both"))


def _said(
    view: View,
    between: str,
    right: NDArray[np.int8],
    condition: NDArray[np.int64],
    chosen: NDArray[np.bool_],
    found: MeanKappa,
) -> schema.HumanAgreement:
    why = ""
    if found.kappa is None:
        one = "two people are needed" if between == "people" else "a person and the model are needed"
        if not len(view.people.observers):
            one = "only counts of answers are known, not who gave which"
        why = (
            "each pair gets every image right, or every one wrong" if found.undefined and found.observed is not None
            else "no image with a known category was answered by both of a pair" if found.undefined else one
        )  # fmt: skip
    return schema.HumanAgreement(
        between="people" if between == "people" else "people and model",
        pairs=found.pairs,
        undefined=found.undefined,
        images=found.images,
        observed=found.observed,
        kappa=found.kappa,
        interval=found.interval,
        bootstrap=resampled(right, condition, chosen, found),
        null=independent(right, condition, chosen) if found.kappa is not None else None,
        low=found.low,
        high=found.high,
        why=why,
    )
