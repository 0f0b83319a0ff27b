"""`pellucid human thresholds`, `human maps` and `human learning`: what is measured on people's answers in a record."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from pellucid.cli import options
from pellucid.cli.terminal import answer, answer_json, say
from pellucid.measures.words import counted

Categories = Annotated[
    Path | None,
    typer.Option(metavar="FILE", help="JSON: of each category, the classes that stand for it, by index or name."),
]
Hierarchy = Annotated[
    Path | None,
    typer.Option(metavar="FILE", help="Tree of classes; a category stands for all below the concept of its name."),
]
Ids = Annotated[Path | None, typer.Option(metavar="FILE", help="What the tree calls the classes, in order of index.")]
Combine = Annotated[
    Literal["sum", "mean"],
    typer.Option(metavar="sum|mean", help="How probabilities of several classes become that of their category."),
]
Exclude = Annotated[
    list[str] | None, typer.Option("--exclude", metavar="OBSERVER", help="Leave this observer out; repeat for more.")
]
ScaleOf = Annotated[
    Literal["linear", "log"] | None,
    typer.Option(metavar="linear|log", help="Of the levels; told from the distortion if left out."),
]
Tables = Annotated[list[Path], typer.Argument(metavar="FILES", help="Tables of clicks or of bubbles, as CSV.")]
Bandwidth = Annotated[
    float, typer.Option(metavar="SHARE", help="Spread around a click, as a share of the picture's longer side.")
]
Checkpoints = Annotated[
    list[Path], typer.Argument(metavar="RECORDS", help="Records of the model at other steps, of the same examples.")
]
WithPeople = Annotated[
    Path,
    typer.Option("--record", metavar="RECORD", help="The record that holds people's answers, and gets the course."),
]
Steps = Annotated[
    str | None,
    typer.Option(metavar="N,N,...", help="Steps of the records, in order; taken from their names if left out."),
]


def thresholds(
    record: options.RecordPath,
    scale: ScaleOf = None,
    hierarchy: Hierarchy = None,
    ids: Ids = None,
    categories: Categories = None,
    combine: Combine = "sum",
    exclude: Exclude = None,
    as_json: options.Json = False,
) -> None:
    """Fit psychometric curves: how much of each distortion people stand, and how much the model."""
    from pellucid.human.thresholds import add_thresholds

    panel = add_thresholds(
        record,
        scale=scale,
        hierarchy=hierarchy,
        ids=ids,
        categories=categories,
        combine=combine,
        exclude=exclude or (),
    )
    if as_json:
        answer_json(panel)
        return
    for one in panel.series:
        answer(one.answer)
    if panel.left_out:
        say(
            "No level of a distortion: "
            + ", ".join(f"'{one}' ({counted(n, 'answer')})" for one, n in panel.left_out.items())
        )


def maps(record: options.RecordPath, files: Tables, bandwidth: Bandwidth = 0.05, as_json: options.Json = False) -> None:
    """Compare where people look, from clicks or bubbles, with the model's attribution maps."""
    from pellucid.human.looking import add_maps

    panel = add_maps(record, files, bandwidth=bandwidth)
    if as_json:
        answer_json(panel)
        return
    answer(panel.answer)
    if panel.agreement is not None:
        answer(f"People's own maps agree with {panel.agreement:.2f} (two halves, raised to all people).")
    if panel.unmatched:
        say(f"On images that are no examples of the record: {counted(panel.unmatched, 'place')}.")
    if panel.outside:
        say(f"Outside of their image, left out: {counted(panel.outside, 'place')}.")
    if panel.without_maps:
        say(f"Without attribution maps: {counted(panel.without_maps, 'image')}; inspect with more --chosen.")


def learning(
    checkpoints: Checkpoints,
    record: WithPeople,
    steps: Steps = None,
    hierarchy: Hierarchy = None,
    ids: Ids = None,
    categories: Categories = None,
    combine: Combine = "sum",
    exclude: Exclude = None,
    as_json: options.Json = False,
) -> None:
    """Compare people with a training's checkpoints: when does the model start to make people's mistakes?"""
    from pellucid.human.learning import add_learning

    panel = add_learning(
        record,
        checkpoints,
        steps=None if steps is None else [_step(one) for one in steps.split(",")],
        hierarchy=hierarchy,
        ids=ids,
        categories=categories,
        combine=combine,
        exclude=exclude or (),
    )
    if as_json:
        answer_json(panel)
        return
    answer(panel.answer)
    for point in panel.points:
        kappa = f"kappa {point.kappa:.3f}" if point.kappa is not None else f"no kappa: {point.why}"
        ends = "" if point.interval is None else f" ({point.interval.low:.3f} to {point.interval.high:.3f})"
        right = "" if point.accuracy is None else f", {point.accuracy:.1%} right of {point.count:,}"
        answer(f"step {point.step:,}: {kappa}{ends}{right}")


def _step(text: str) -> int:
    """A step. Raises: OptionError."""
    from pellucid.errors import OptionError

    if not text.strip().isdigit():
        raise OptionError(f"--steps takes whole numbers, as in 100,200,400; got '{text.strip()}'.")
    return int(text)
