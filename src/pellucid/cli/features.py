"""`pellucid features`: what each unit looks for, added to a record."""

from __future__ import annotations

from typing import Annotated

import typer

from pellucid.cli import options
from pellucid.cli.terminal import answer, answer_json, progress_bars, say

FeatureModel = Annotated[str, typer.Option("--model", metavar="MODEL", help="The inspected model, named as it was.")]
FeatureData = Annotated[str, typer.Option("--data", metavar="DATA", help="The inspected data.")]
Stimuli = Annotated[
    bool, typer.Option("--stimuli", help="Show gratings, hues, textures and shapes: tuning curves and a label a unit.")
]
Concepts = Annotated[
    str | None,
    typer.Option(
        "--concepts",
        metavar="generated|DIR",
        help="Show labelled pictures, drawn ones or a folder's: the concept that each channel agrees with best.",
    ),
]
ConceptPictures = Annotated[
    int | None,
    typer.Option("--concept-pictures", min=20, metavar="N", help="Draw so many pictures of concepts; 500 if left out."),
]
Layers = Annotated[
    list[str] | None, typer.Option("--layer", metavar="NAME", help="Of this layer; repeat for more. All if left out.")
]


def features(
    record: options.RecordPath,
    model: FeatureModel,
    data: FeatureData,
    stimuli: Stimuli = False,
    concepts: Concepts = None,
    concept_pictures: ConceptPictures = None,
    layer: Layers = None,
    weights: options.Weights = None,
    trust: options.Trust = False,
    device: options.DeviceChoice = "auto",
    seed: options.Seed = 0,
    as_json: options.Json = False,
    no_progress: options.NoProgress = False,
) -> None:
    """Add to a record what each unit looks for: crops of examples, and what else is asked for."""
    from pellucid.cli.opening import Preparation, device_named, opened_again
    from pellucid.inspection.features import Asked, add_features
    from pellucid.record import Record

    opened, source = opened_again(Record(record), model, data, weights, Preparation(), trust=trust)
    with progress_bars(shown=not no_progress) as hear:
        shown = add_features(
            record,
            opened.model,
            source,
            Asked(
                stimuli=stimuli,
                concepts=concepts or "",
                pictures=concept_pictures,
                layers=tuple(layer or ()),
                seed=seed,
            ),
            device=device_named(device),
            progress=hear,
        )
    stages = {stage.name: stage for stage in shown.manifest.stages}
    if as_json:
        answer_json([stages[name] for name in ("features", "stimuli", "concepts") if name in stages])
        return
    for name in ("features", "stimuli", "concepts"):
        if name in stages:
            one = stages[name]
            answer(
                f"{name}: {one.forward_examples:,} forward and {one.backward_examples:,} backward, {one.seconds:.1f} s"
            )
    say(f"Look at it: pellucid open {record}")
