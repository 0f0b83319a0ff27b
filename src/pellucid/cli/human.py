"""`pellucid human`: people beside the model. `import` reads their answers; the other commands have files of their own."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from pellucid.cli import options
from pellucid.cli.human_distort import distort
from pellucid.cli.human_measured import learning, maps, thresholds
from pellucid.cli.human_power import power
from pellucid.cli.human_serve import export, serve
from pellucid.cli.terminal import answer, answer_json, say
from pellucid.measures.words import counted

if TYPE_CHECKING:
    from pellucid.record import schema

human = typer.Typer(
    name="human",
    help="Set people beside the model: their answers, trials with them, what both see of distorted images.",
    no_args_is_help=True,
    rich_markup_mode=None,
)

Files = Annotated[
    list[Path] | None,
    typer.Argument(
        metavar="FILES", help="Answers (.csv, .tsv, .parquet, .npy) or folders of them; the record's own if left out."
    ),
]
RecordOption = Annotated[
    Path, typer.Option("--record", metavar="RECORD", help="Folder of the record; made where there is none.")
]
Hierarchy = Annotated[
    Path | None,
    typer.Option(
        metavar="FILE", help="Tree of classes; a category stands for all classes below the concept of its name."
    ),
]
Ids = Annotated[
    Path | None,
    typer.Option(metavar="FILE", help="What the tree calls the classes, in order of index: WordNet ids, say."),
]
Categories = Annotated[
    Path | None,
    typer.Option(metavar="FILE", help="JSON: of each category, the classes that stand for it, by index or name."),
]
Combine = Annotated[
    Literal["sum", "mean"],
    typer.Option(metavar="sum|mean", help="How probabilities of several classes become that of their category."),
]
Probabilities = Annotated[
    Path | None,
    typer.Option(
        metavar="FILE", help="The model's probabilities of all classes: .npy, or Parquet with a column of lists."
    ),
]
Exclude = Annotated[
    list[str] | None,
    typer.Option(
        "--exclude", metavar="OBSERVER", help="Leave this observer out; repeat for more. 'flagged': all with a flag."
    ),
]


@human.command(name="import")
def import_(
    record: RecordOption,
    files: Files = None,
    hierarchy: Hierarchy = None,
    ids: Ids = None,
    categories: Categories = None,
    combine: Combine = "sum",
    classes: options.Classes = None,
    probabilities: Probabilities = None,
    exclude: Exclude = None,
    title: options.Title = None,
    as_json: options.Json = False,
) -> None:
    """Take people's answers into a record and compare them with each other and with its model."""
    from pellucid.human import import_people
    from pellucid.models.classes import read_classes

    panel = import_people(
        files or [],
        record,
        hierarchy=hierarchy,
        ids=ids,
        categories=categories,
        combine=combine,
        classes=None if classes is None else read_classes(classes),
        probabilities=probabilities,
        exclude=exclude or (),
        title=title,
    )
    if as_json:
        answer_json(answer_of(panel))
        return
    _say(panel)
    say(f"Look at it: pellucid open {record}")


def answer_of(panel: schema.HumanPanel) -> dict[str, object]:
    """The JSON answer: mean kappa over pairs of people with its interval, shape bias, what was matched, and the model's part."""
    biases = {
        panel.observers[one.observer].name if one.observer >= 0 else "people": one
        for one in panel.shape
        if one.category == ""
    }
    return {
        "answer": panel.answer,
        "kappa": panel.people.kappa,
        "kappa_interval": panel.people.interval,
        "kappa_pairs": panel.people.pairs,
        "kappa_why": panel.people.why,
        "kappa_with_model": panel.with_model.kappa if panel.with_model is not None else None,
        "kappa_with_model_interval": panel.with_model.interval if panel.with_model is not None else None,
        "shape_bias": biases or None,
        "match": panel.match,
        "observers": panel.observers,
        "soft": panel.soft,
        "findings": panel.findings,
        "notes": panel.notes,
    }


def _say(panel: schema.HumanPanel) -> None:
    match, people = panel.match, panel.people
    answer(panel.answer)
    answer(
        f"{match.counted:,} of {counted(match.judgements, 'answer')} count, to {counted(match.images, 'image')}; {match.matched:,} "
        f"{'is an example' if match.matched == 1 else 'are examples'} of the record"
        f"{f', {match.unmatched:,} not' if match.unmatched else ''}."
    )
    if people.kappa is not None and people.interval is not None:
        answer(
            f"kappa among people: {people.kappa:.3f}, {people.interval.level:.0%} interval {people.interval.low:.3f} to "
            f"{people.interval.high:.3f}, over {counted(people.pairs, 'pair')}"
        )
    for one in panel.shape:
        if one.category == "" and one.bias is not None:
            name = panel.observers[one.observer].name if one.observer >= 0 else "all people"
            answer(
                f"shape bias of {name}: {one.bias:.3f}, of {counted(one.shape + one.texture, 'decision')} for shape or texture"
            )
    for finding in panel.findings:
        answer(f"[{finding.severity}] {finding.sentence}")
    for name, number in match.unmapped.items():
        say(f"No class of the model stands for the category {name}: {counted(number, 'answer')} not held against it.")
    if match.unmatched_names:
        more = ", ..." if match.unmatched > len(match.unmatched_names) else ""
        say(f"No examples of the record: {', '.join(match.unmatched_names)}{more}.")
    for note in panel.notes:
        say(note)


human.command()(serve)
human.command()(export)
human.command()(distort)
human.command()(power)
human.command()(thresholds)
human.command()(maps)
human.command()(learning)
