"""`pellucid human power`: how many images and people it takes to tell a difference apart."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

import typer

from pellucid.cli import options
from pellucid.cli.terminal import answer, answer_json, say
from pellucid.errors import OptionError
from pellucid.measures.words import counted

if TYPE_CHECKING:
    from pellucid.measures.power import Plan
    from pellucid.record.schema import Interval

AccuracyDifference = Annotated[
    float | None, typer.Option(metavar="SHARE", help="Tell apart: the model's accuracy minus people's.")
]
KappaDifference = Annotated[
    float | None, typer.Option(metavar="KAPPA", help="Tell apart: one model's kappa with people minus another's.")
]
KappaAboveChance = Annotated[
    float | None, typer.Option(metavar="KAPPA", help="Tell apart: a model's kappa with people, from 0.")
]
Images = Annotated[int | None, typer.Option(min=2, metavar="N", help="Images that all see; how many, if left out.")]
Observers = Annotated[int | None, typer.Option(min=1, metavar="M", help="People; several numbers, if left out.")]
PeopleAccuracy = Annotated[float, typer.Option(metavar="SHARE", help="People's share of right answers.")]
ModelAccuracy = Annotated[float, typer.Option(metavar="SHARE", help="The model's share of right answers, for kappas.")]
PeopleKappa = Annotated[float, typer.Option(metavar="KAPPA", help="Error consistency among people.")]
ModelKappa = Annotated[
    float, typer.Option("--kappa", metavar="KAPPA", help="The model's, or first model's, with people.")
]
Level = Annotated[float, typer.Option(metavar="SHARE", help="Of the two-sided test.")]
Wanted = Annotated[float, typer.Option("--power", metavar="SHARE", help="How sure to find the difference.")]
Simulations = Annotated[
    int, typer.Option(min=0, metavar="N", help="Simulated studies that check the formula; 0 for none.")
]
SimulationSeed = Annotated[int, typer.Option("--seed", metavar="N", help="Of the simulated studies.")]
SEVERAL = (1, 2, 5, 10, 20, 50)
LEAST_DRAWS = 100
MOST_ANSWERS = 200_000_000
MANY = 10**9
"""People, so many that one more tells nothing."""


def power(
    accuracy_difference: AccuracyDifference = None,
    kappa_difference: KappaDifference = None,
    kappa_above_chance: KappaAboveChance = None,
    images: Images = None,
    observers: Observers = None,
    accuracy: PeopleAccuracy = 0.8,
    model_accuracy: ModelAccuracy = 0.8,
    people_kappa: PeopleKappa = 0.4,
    kappa: ModelKappa = 0.2,
    level: Level = 0.05,
    wanted: Wanted = 0.8,
    simulations: Simulations = 1000,
    seed: SimulationSeed = 0,
    as_json: options.Json = False,
) -> None:
    """Say how many images and people it takes to tell a difference from people, or between models, apart."""
    from pellucid.measures.power import Plan, check_power

    named = {"accuracy": accuracy_difference, "kappa": kappa_difference, "chance": kappa_above_chance}
    asked = [(question, value) for question, value in named.items() if value is not None]
    if len(asked) != 1:
        raise OptionError(
            "Give the difference to tell apart: one of --accuracy-difference, --kappa-difference, --kappa-above-chance."
        )
    question, difference = asked[0]
    plan = Plan(
        question,  # type: ignore[arg-type]
        difference,
        accuracy,
        model_accuracy,
        people_kappa,
        kappa,
        level,
    )
    check_power(plan, wanted)
    rows = [_row(plan, images, people, wanted, simulations, seed) for people in ([observers] if observers else SEVERAL)]
    if as_json:
        answer_json({"question": question, "difference": difference, "level": level, "power": wanted, "rows": rows})
        return
    for row in rows:
        people = f"{counted(row.observers, 'person', 'people'):>10}"
        checked = ""
        if row.simulated is not None and row.interval is not None:
            checked = f"; simulated {row.simulated:.1%} ({row.interval.low:.1%} to {row.interval.high:.1%})"
        answer(f"{people}, {counted(row.images, 'image')}: found with a probability of {row.power:.1%}{checked}")
    if images is not None and rows[-1].power < wanted:
        say(_more(plan, images, wanted))


def _more(plan: Plan, images: int, wanted: float) -> str:
    """What finds the difference more surely than given numbers do: people's answers average out, the images do not."""
    from pellucid.measures import power as measure

    most = measure.power(plan, images, MANY)
    if most < wanted:
        return (
            f"With {counted(images, 'image')} no number of people finds it with a probability of {wanted:.0%}: with any number it "
            f"stays below {most:.1%}. More images do; leave --images out to be told how many."
        )
    return "More images or people find it more surely; leave --images out to be told how many."


@dataclass(frozen=True)
class _Row:
    """One line of the answer."""

    observers: int
    images: int
    power: float
    simulated: float | None
    simulations: int
    interval: Interval | None


def _row(plan: Plan, images: int | None, observers: int, wanted: float, simulations: int, seed: int) -> _Row:
    from pellucid.measures import power as measure

    number = images or measure.images_needed(plan, observers, wanted)
    found = measure.power(plan, number, observers)
    # Long simulations of very many answers tell nothing that the formula does not.
    draws = min(simulations, MOST_ANSWERS // (number * (observers + 2)))
    if draws < max(1, min(simulations, LEAST_DRAWS)):
        return _Row(observers, number, found, None, 0, None)
    simulated, interval = measure.simulate(plan, number, observers, draws=draws, seed=seed)
    return _Row(observers, number, found, simulated, draws, interval)
