"""`pellucid fit`: does this model suit this data?"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from pellucid.cli import options
from pellucid.cli.terminal import answer, answer_json, progress_bars, say

TrainedOn = Annotated[
    str | None,
    typer.Option(metavar="DATA", help="Some of what the model was trained on, prepared in the same way."),
]
OutIf = Annotated[
    Path | None,
    typer.Option("--out", metavar="RECORD", help="Keep the sample, its scores and the verdict in a record."),
]
Outputs = Annotated[
    Literal["auto", "logits", "probabilities"],
    typer.Option(help="What the outputs are; told by their values and by the graph if auto."),
]
SampleLimit = Annotated[int, typer.Option("--limit", metavar="N", help="Examples in the sample of each data.")]


def fit(
    model: options.Model,
    data: options.Data,
    trained_on: TrainedOn = None,
    out: OutIf = None,
    weights: options.Weights = None,
    classes: options.Classes = None,
    trust: options.Trust = False,
    resize: options.Resize = None,
    crop: options.Crop = None,
    size: options.Size = None,
    mean: options.Mean = None,
    std: options.Std = None,
    grayscale: options.Grayscale = False,
    device: options.DeviceChoice = "auto",
    batch_size: options.BatchSize = 32,
    limit: SampleLimit = 1000,
    seed: options.Seed = 0,
    outputs: Outputs = "auto",
    skip_bad: options.SkipBad = False,
    overwrite: options.Overwrite = False,
    as_json: options.Json = False,
    no_progress: options.NoProgress = False,
) -> None:
    """Ask whether a model suits data that it was not trained on: labels, likeness, features, preparation, a verdict."""
    from pellucid.cli.opening import Preparation, device_named
    from pellucid.data import open_data
    from pellucid.fitting import fit as asked
    from pellucid.models import open_model

    if out is not None:
        from pellucid.fitting.writing import check_out

        check_out(out, overwrite=overwrite)
    opened = open_model(model, weights=weights, trust=trust, classes=classes)
    recipe = Preparation(resize, crop, size, mean, std, grayscale).over(opened.recipe)
    source = open_data(data, recipe=recipe, skip_bad=skip_bad)
    reference = open_data(trained_on, recipe=recipe, skip_bad=skip_bad) if trained_on is not None else None
    with progress_bars(shown=not no_progress) as hear:
        found = asked(
            opened.model,
            source,
            trained_on=reference,
            classes=opened.classes,
            limit=limit,
            batch_size=batch_size,
            seed=seed,
            device=device_named(device),
            model_source=opened.source,
            weights_source=str(weights or ""),
            outputs=outputs,
            progress=hear,
        )
    if out is not None:
        from pellucid.fitting.writing import write_fit

        write_fit(found, out, overwrite=overwrite)
    if as_json:
        answer_json(found.panel)
        return
    answer(f"{found.panel.verdict}: {found.panel.sentence}")
    for reason in found.panel.reasons:
        answer(f"  - {reason.sentence}")
    for note in found.panel.notes:
        say(note)
    if out is not None:
        say(f"Look at it: pellucid open {out}")
