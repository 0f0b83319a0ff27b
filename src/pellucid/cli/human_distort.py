"""`pellucid human distort`: controlled series of distorted images, for people and models alike."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from pellucid.cli import options
from pellucid.cli.terminal import answer, answer_json, progress_bars, say
from pellucid.errors import OptionError
from pellucid.measures.words import counted

ImageData = Annotated[
    str, typer.Argument(metavar="DATA", help="Folder of class folders or Parquet file, of images to distort.")
]
SeriesFolder = Annotated[Path, typer.Option(metavar="FOLDER", help="Where to write the series.")]
SeriesOf = Annotated[
    list[str],
    typer.Option("--series", metavar="NAME=LEVELS", help="A distortion and its levels; repeat for more distortions."),
]
Before = Annotated[
    list[str] | None,
    typer.Option("--before", metavar="NAME=LEVEL", help="Done to all images first; repeat for more, in order."),
]
Coherence = Annotated[float, typer.Option(metavar="SHARE", help="Of eidolons: 1 keeps scales together, 0 parts them.")]
Grain = Annotated[float, typer.Option(metavar="PIXELS", help="Of eidolons: over which displacements are alike.")]
Patch = Annotated[int, typer.Option(metavar="PIXELS", help="Of occlusion: side of a square.")]
PatternSeed = Annotated[int, typer.Option("--seed", metavar="N", help="Of noise, displacements and squares.")]
ReplaceSeries = Annotated[bool, typer.Option("--overwrite", help="Replace a series that is already there.")]
# Clipping below this share is not printed; series.csv has all of it.
LEAST_TOLD = 0.001


def distort(
    data: ImageData,
    out: SeriesFolder,
    series: SeriesOf,
    before: Before = None,
    coherence: Coherence = 1.0,
    grain: Grain = 10.0,
    patch: Patch = 16,
    resize: options.Resize = None,
    crop: options.Crop = None,
    size: options.Size = None,
    seed: PatternSeed = 0,
    limit: options.Limit = None,
    skip_bad: options.SkipBad = False,
    overwrite: ReplaceSeries = False,
    as_json: options.Json = False,
    no_progress: options.NoProgress = False,
) -> None:
    """Make every image under every level of distortions: data for `inspect` and for `human serve`, with all parameters kept."""
    from pellucid.cli.opening import Preparation
    from pellucid.data import open_data
    from pellucid.data.listed import ListedImages
    from pellucid.distort import Settings, read_series, write_series

    wanted = read_series(series, before or [], Settings(coherence, grain, patch))
    source = open_data(data, recipe=Preparation(resize, crop, size).over(None), limit=limit, skip_bad=skip_bad)
    if not isinstance(source, ListedImages):
        raise OptionError(f"'{data}' holds no image files; a series is made of a folder or a Parquet file of images.")
    with progress_bars(shown=not no_progress) as hear:
        made = write_series(
            source,
            wanted,
            out,
            seed=seed,
            overwrite=overwrite,
            progress=lambda done, of: hear("Distorting", done, of),
        )
    if as_json:
        answer_json(
            {
                "out": str(made.out),
                "images": made.images,
                "pictures": made.pictures,
                "conditions": list(made.conditions),
                "clipped": made.clipped,
                "skipped": made.skipped,
            }
        )
        return
    answer(
        f"{counted(made.pictures, 'picture')}: {counted(made.images, 'image')} under "
        f"{counted(len(made.conditions), 'condition')}, in {out}"
    )
    for condition, share in made.clipped.items():
        if share >= LEAST_TOLD:
            say(f"{condition}: {share:.1%} of the values lie outside of what a picture can show and are clipped.")
    if made.skipped:
        say(f"Left out, not readable: {len(made.skipped):,} ({', '.join(made.skipped[:5])}).")
    say(f"Show it to the model: pellucid inspect MODEL --data {out} --out RECORD")
    say(
        f"Show it to people: pellucid human serve RECORD --images {out}/images --conditions condition --once-per original"
    )
