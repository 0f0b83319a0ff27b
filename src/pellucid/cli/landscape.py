"""`pellucid landscape`: the loss around a model's weights, added to a record."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal, TypeAlias

import typer

from pellucid.cli import options
from pellucid.cli.terminal import answer, answer_json, progress_bars, say

if TYPE_CHECKING:
    from pellucid.record.schema import LandscapeLine, LandscapePanel

Mode: TypeAlias = Literal["eval", "train", "recalculate"]
Scaled: TypeAlias = Literal["filter", "layer", "none"]

InspectedModel = Annotated[str, typer.Option("--model", metavar="MODEL", help="The inspected model, named as it was.")]
InspectedData = Annotated[str, typer.Option("--data", metavar="DATA", help="The inspected data.")]
To = Annotated[
    Path | None,
    typer.Option("--to", metavar="FILE", help="Weights of a second checkpoint: the loss on the line to it."),
]
Resolution = Annotated[
    int, typer.Option("--resolution", min=0, metavar="N", help="Points a side of the plane, odd; 0 leaves it out.")
]
Span = Annotated[
    float, typer.Option("--span", metavar="NUMBER", help="How far the plane reaches, in lengths of the weights.")
]
BatchNormMode = Annotated[
    Mode, typer.Option("--batch-norm", help="Statistics: the model's, of each batch, or recalculated at every point.")
]
Normalise = Annotated[
    Scaled, typer.Option("--normalise", help="A step of 1 is as long as each filter, each parameter, or neither.")
]
Sharpness = Annotated[
    bool, typer.Option("--sharpness", help="Eigenvalues, trace and spectral density of the Hessian too.")
]
GaussNewton = Annotated[bool, typer.Option("--ggn", help="The same of the generalised Gauss-Newton matrix.")]
Sample = Annotated[int, typer.Option("--limit", min=2, metavar="N", help="Examples, chosen at random.")]


def landscape(
    record: options.RecordPath,
    model: InspectedModel,
    data: InspectedData,
    weights: options.Weights = None,
    to: To = None,
    resolution: Resolution = 21,
    span: Span = 1.0,
    batch_norm: BatchNormMode = "eval",
    normalise: Normalise = "filter",
    sharpness: Sharpness = False,
    ggn: GaussNewton = False,
    loss: options.LossName = None,
    limit: Sample = 512,
    batch_size: options.BatchSize = 64,
    seed: options.Seed = 0,
    trust: options.Trust = False,
    device: options.DeviceChoice = "auto",
    as_json: options.Json = False,
    no_progress: options.NoProgress = False,
) -> None:
    """Add to a record the loss around the weights: a plane, a line to a second checkpoint, sharpness."""
    from pellucid.cli.opening import Preparation, device_named, opened_again
    from pellucid.inspection.landscape import Around, add_landscape
    from pellucid.models.weights import read_weights, unprefixed
    from pellucid.record import Record
    from pellucid.record.schema import LandscapePanel

    opened, source = opened_again(Record(record), model, data, weights, Preparation(), trust=trust)
    end = unprefixed(read_weights(to, trust=trust), set(opened.model.state_dict())) if to is not None else None
    with progress_bars(shown=not no_progress) as hear:
        shown = add_landscape(
            record,
            opened.model,
            source,
            Around(
                resolution=resolution,
                span=span,
                batch_norm=batch_norm,
                normalisation=normalise,
                end=end,
                end_source=to.name if to is not None else "",
                matrices=(*(("hessian",) if sharpness else ()), *(("ggn",) if ggn else ())),
                loss=loss,
                limit=limit,
                batch_size=batch_size,
                seed=seed,
            ),
            device=device_named(device),
            progress=hear,
        )
    panel = shown.panel("landscape")
    if as_json or not isinstance(panel, LandscapePanel):
        answer_json(panel)
        return
    for line in lines_of(panel):
        answer(line)
    for note in panel.notes:
        say(note)
    say(f"Look at it: pellucid open {record}")


def lines_of(panel: LandscapePanel) -> list[str]:
    """What was found, in a few lines."""
    unit = panel.unit
    found = [
        f"{panel.loss}: {_number(panel.centre)} {unit} at the weights, mean of {panel.count:,} examples "
        f"(batch normalisation: {panel.batch_norm})"
    ]
    if panel.plane is not None:
        values = [one for row in panel.plane.rows if row is not None for one in row.losses]
        known = [one for one in values if one is not None]
        found.append(
            f"plane: {len(panel.plane.steps)} x {len(panel.plane.steps)} points, "
            f"{_number(min(known, default=None))} to {_number(max(known, default=None))} {unit}"
        )
    if panel.line is not None:
        found.append(f"line to {panel.line.end}: {_barrier(panel.line, unit)}")
    for one in panel.sharpness:
        largest = ", ".join(_number(each.value) for each in one.eigenvalues[:3])
        error = f" ± {_number(one.trace_error)} (standard error)" if one.trace_error is not None else ""
        found.append(f"{one.matrix}: largest eigenvalues {largest}; trace {_number(one.trace)}{error}")
    return found


def _barrier(line: LandscapeLine, unit: str) -> str:
    if line.barrier is None:
        return "the barrier is not defined, because the loss of some example is not finite on the way"
    if line.barrier <= 0:
        return "no barrier, nowhere does the loss lie above the straight line between both ends"
    bounds = line.barrier_interval
    between = f" ({_number(bounds.low)} to {_number(bounds.high)} at 95%)" if bounds else ""
    doubt = "" if bounds and bounds.low > 0 else ", no more than the examples differ among themselves"
    return f"a barrier of {_number(line.barrier)} {unit}{between} at t = {_number(line.barrier_step)}{doubt}"


def _number(value: float | None) -> str:
    return "not defined" if value is None else f"{value:.4g}"
