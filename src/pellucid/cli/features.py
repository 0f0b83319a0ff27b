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
        metavar="generated|DIR|TABLE",
        help="Show labelled pictures, drawn ones or your own: the concept that each channel detects best.",
    ),
]
ConceptPictures = Annotated[
    int | None,
    typer.Option("--concept-pictures", min=20, metavar="N", help="Draw so many pictures of concepts; 500 if left out."),
]
Optimise = Annotated[bool, typer.Option("--optimise", help="Make pictures that excite units most, by gradient ascent.")]
Way = Annotated[
    str,
    typer.Option(
        "--method", metavar="METHOD", help="Of --optimise: fourier moves the whole spectrum, maco phases alone."
    ),
]
Channels = Annotated[
    list[int] | None,
    typer.Option(
        "--channel", metavar="N", help="Of --optimise: this channel; repeat for more. 12 a layer if left out."
    ),
]
Steps = Annotated[int, typer.Option("--steps", metavar="N", help="Of --optimise: steps of the ascent.")]
Variants = Annotated[
    int, typer.Option("--variants", metavar="N", help="Of --optimise: unlike pictures of each channel.")
]
Layers = Annotated[
    list[str] | None, typer.Option("--layer", metavar="NAME", help="Of this layer; repeat for more. All if left out.")
]

STAGES = ("features", "stimuli", "concepts", "separation", "optimise")


def features(
    record: options.RecordPath,
    model: FeatureModel,
    data: FeatureData,
    stimuli: Stimuli = False,
    concepts: Concepts = None,
    concept_pictures: ConceptPictures = None,
    optimise: Optimise = False,
    method: Way = "fourier",
    channel: Channels = None,
    steps: Steps = 96,
    variants: Variants = 1,
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
    from pellucid.features import Ascent
    from pellucid.features.parameterisation import way_named
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
                ascent=Ascent(way_named(method), steps, variants, seed=seed) if optimise else None,
                channels=tuple(channel or ()),
                layers=tuple(layer or ()),
                seed=seed,
            ),
            device=device_named(device),
            progress=hear,
        )
    stages = {stage.name: stage for stage in shown.manifest.stages}
    if as_json:
        answer_json([stages[name] for name in STAGES if name in stages])
        return
    for name in STAGES:
        if name in stages:
            one = stages[name]
            answer(
                f"{name}: {one.forward_examples:,} forward and {one.backward_examples:,} backward of an example each, "
                f"{one.seconds:.1f} s"
            )
    say(f"Look at it: pellucid open {record}")
