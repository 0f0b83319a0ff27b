"""`pellucid import`: a record of predictions that were saved, without the model."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from pellucid.cli import options
from pellucid.cli.terminal import answer, answer_json, progress_bars, say

Predictions = Annotated[Path, typer.Argument(metavar="PREDICTIONS", help=".parquet, .csv, .tsv or .npy file.")]
Labels = Annotated[
    str | None,
    typer.Option(
        metavar="FILE|COLUMN", help="True classes: a file in the same order or with ids, or a column of PREDICTIONS."
    ),
]
KindOption = Annotated[
    Literal["classes", "probabilities", "logits"] | None,
    typer.Option(help="What the predictions are. Told apart if left out, and refused where that is not safe."),
]
Column = Annotated[
    str | None, typer.Option(metavar="COLUMN", help="The column of predictions, where several could be it.")
]
LabelKindOption = Annotated[
    Literal["class", "soft", "sets"] | None,
    typer.Option(help="What lists and columns of labels are. Told by their form if left out; 'class' splits no text."),
]
NumbersOption = Annotated[
    Literal["names", "indices"] | None,
    typer.Option(
        help="What whole numbers are where classes are called by numbers. Told if left out, and refused where unsafe."
    ),
]
IdColumn = Annotated[
    str | None,
    typer.Option(metavar="COLUMN", help="The column of ids; 'row' numbers the examples. 'id' if there is one."),
]


def import_(
    predictions: Predictions,
    out: options.Out,
    labels: Labels = None,
    classes: options.Classes = None,
    kind: KindOption = None,
    column: Column = None,
    id_column: IdColumn = None,
    label_kind: LabelKindOption = None,
    numbers: NumbersOption = None,
    loss: options.LossName = None,
    target_loss: options.TargetLoss = None,
    title: options.Title = None,
    overwrite: options.Overwrite = False,
    as_json: options.Json = False,
    no_progress: options.NoProgress = False,
) -> None:
    """Make a record of saved predictions, without the model: everything that they alone can answer."""
    from pellucid.models.classes import read_classes
    from pellucid.predictions import import_predictions

    with progress_bars(shown=not no_progress) as hear:
        record = import_predictions(
            predictions,
            labels,
            out=out,
            classes=None if classes is None else read_classes(classes),
            kind=kind,
            column=column,
            id_column=id_column,
            label_kind=label_kind,
            numbers=numbers,
            loss=loss,
            target_loss=target_loss,
            title=title,
            overwrite=overwrite,
            progress=hear,
        )
    summary = record.summary()
    if as_json:
        answer_json(summary)
        return
    from pellucid.cli.drawing import summary_lines

    for line in summary_lines(summary):
        answer(line)
    _say_what_was_odd(record.manifest.saved)
    say(f"Look at it: pellucid open {out}")


def _say_what_was_odd(saved: object) -> None:
    from pellucid.record.schema import SavedPredictions

    if not isinstance(saved, SavedPredictions):
        return
    say(f"Read as {saved.kind}: {', '.join(saved.columns)} of {saved.source}.")
    if saved.matched_by:
        say(
            f"Labels were found by '{saved.matched_by}'. Predictions without a label: {saved.unlabelled:,}; labels without a "
            f"prediction, left out: {saved.unmatched:,}."
        )
    if saved.unnormalised:
        say(f"{saved.unnormalised:,} rows did not add up to one and were divided by their sum.")
    if saved.trimmed:
        say(f"{saved.trimmed:,} names of classes have spaces around them, which were left out.")
    if saved.numbers == "names":
        say("Whole numbers were read as names of classes, not as indices (--numbers).")
    if saved.ignored:
        say(f"{saved.ignored:,} labels are -100, which stands for a label that is not known.")
    if saved.alike:
        say(f"Names of classes that differ by case alone are kept apart: {', '.join(saved.alike)}.")
    if saved.undecodable:
        say(f"{saved.undecodable:,} pictures could not be read and are left out.")
    if saved.left_out:
        say(f"Left out, for they hold lists: {', '.join(saved.left_out)}.")
