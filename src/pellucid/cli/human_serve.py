"""`pellucid human serve` and `pellucid human export`: trials with people, and what they answered as files."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from pellucid.cli import options
from pellucid.cli.terminal import answer, answer_json, say
from pellucid.measures.words import counted

if TYPE_CHECKING:
    from pellucid.server.trials import Invitation

Images = Annotated[
    Path | None,
    typer.Option(
        metavar="DIR", help="Pictures in full size, named by the examples' ids; the record's own if left out."
    ),
]
Conditions = Annotated[
    str | None,
    typer.Option(metavar="COLUMN", help="Column of the examples that says under which condition each is shown."),
]
OncePer = Annotated[
    str | None,
    typer.Option(
        "--once-per", metavar="COLUMN", help="Show each observer one of the examples that share this column's value."
    ),
]
Categories = Annotated[
    Path | None,
    typer.Option(metavar="FILE", help="JSON: of each category, its classes; every class is one if left out."),
]
Observers = Annotated[
    int, typer.Option(min=1, max=999, metavar="N", help="People to invite, each with an address of their own.")
]
StudyName = Annotated[
    str, typer.Option("--study", metavar="NAME", help="Name of the study; a record may hold several.")
]
Label = Annotated[bool, typer.Option("--label", help="Plain labelling: the picture stays, no mask, no hurry.")]
Fixation = Annotated[int, typer.Option(metavar="MS", help="How long the cross is shown before the picture.")]
Presentation = Annotated[int, typer.Option(metavar="MS", help="How long the picture is shown.")]
Mask = Annotated[int, typer.Option(metavar="MS", help="How long noise is shown after the picture.")]
Choice = Annotated[int, typer.Option(metavar="MS", help="How long there is to choose.")]
Size = Annotated[int, typer.Option(metavar="N", help="Side of the square in which a picture is shown, in CSS pixels.")]
Trials = Annotated[
    int | None, typer.Option(metavar="N", help="Trials for each observer that count; all pictures if left out.")
]
Block = Annotated[int, typer.Option(metavar="N", help="Trials between two breaks.")]
Practice = Annotated[int, typer.Option(metavar="N", help="Trials with feedback before the first block.")]
Checks = Annotated[int, typer.Option(metavar="N", help="Attention checks in each block.")]
StudySeed = Annotated[int, typer.Option("--seed", metavar="N", help="Of who sees what in which order.")]
Out = Annotated[Path, typer.Argument(metavar="OUT", help="Folder for the files, one an observer.")]


def serve(
    context: typer.Context,
    record: options.RecordPath,
    images: Images = None,
    conditions: Conditions = None,
    once_per: OncePer = None,
    categories: Categories = None,
    observers: Observers = 1,
    study: StudyName = "trials",
    label: Label = False,
    fixation: Fixation = 300,
    presentation: Presentation = 200,
    mask: Mask = 200,
    choice: Choice = 1500,
    size: Size = 256,
    trials: Trials = None,
    block: Block = 64,
    practice: Practice = 8,
    checks: Checks = 1,
    seed: StudySeed = 0,
    port: options.Port = 0,
    host: options.Host = "127.0.0.1",
    as_json: options.Json = False,
) -> None:
    """Show people the pictures that the model saw and keep what they answer; go on with a study that has begun."""
    from pellucid.record import Record
    from pellucid.server.trials import Design, Study, Timing, serve_trials, without_page
    from pellucid.server.trials.pictures import choose
    from pellucid.server.trials.study import refuse_changes, studies

    held = Record(record)
    timing = Timing(fixation, presentation, mask, choice)
    design = Design(label, timing, size, block, practice, checks, trials, seed)
    if study in studies(held):
        running = Study(held, study)
        refuse_changes(running, design, _given(context))
    else:
        chosen = choose(held, images=images, conditions=conditions, origins=once_per, categories=categories)
        for reason, count in chosen.left_out.items():
            say(f"Not shown: {count:,} ({reason}).")
        running = Study.begin(held, study, chosen, design)
    running.invite(observers)
    if missing := without_page():
        say(missing)

    def announce(invitations: Sequence[Invitation]) -> None:
        if as_json:
            answer_json({"study": study, "invitations": invitations})
            return
        for one in invitations:
            answer(f"{one.code}  {one.url}  {one.done:,} of {counted(one.trials, 'trial')} done")
        say(f"Each address is for one person. When they are done: pellucid human export {record} OUT --study {study}")

    with suppress(KeyboardInterrupt):
        serve_trials(running, host=host, port=port, announce=announce)


def export(record: options.RecordPath, out: Out, study: StudyName = "trials", as_json: options.Json = False) -> None:
    """Write what people answered as CSV files in the layout of model-vs-human."""
    from pellucid.record import Record
    from pellucid.server.trials import Study, export_trials

    held = Study(Record(record), study)
    report = export_trials(held, out)
    if as_json:
        answer_json(
            {
                "files": [str(path) for path in report.files],
                "trials": report.trials,
                "no_response": report.no_response,
                "practice": report.practice,
                "checks": {code: {"passed": passed, "asked": asked} for code, (passed, asked) in report.checks.items()},
                "left": report.left,
            }
        )
        return
    for path in report.files:
        answer(str(path))
    say(
        f"{counted(report.trials, 'trial')}, {report.no_response:,} of them without a response; {report.left:,} with the window "
        "left."
    )
    for code, (passed, asked) in report.checks.items():
        say(f"{code} passed {passed:,} of {counted(asked, 'attention check')}.")
    classes = held.record.manifest.data.classes if held.record.manifest.data else []
    grouped = "" if list(held.plan.categories) == classes else " --categories FILE (the one that people chose among)"
    say(f"Compare with the model: pellucid human import {out} --record {record}{grouped}")


def _given(context: typer.Context) -> list[str]:
    """Names of the options that were written on the command line."""
    return [name for name in context.params if getattr(context.get_parameter_source(name), "name", "") == "COMMANDLINE"]
