"""Every option of the command line, once: the same name means the same everywhere."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal, TypeAlias

import typer

from pellucid.errors import OptionError

Device: TypeAlias = Literal["auto", "cpu", "cuda"]

Model = Annotated[
    str,
    typer.Argument(
        metavar="MODEL",
        help="file.py:function, package.module:function, torchvision:NAME, timm:NAME, transformers:CONFIG or keras:FILE.",
    ),
]
RecordPath = Annotated[Path, typer.Argument(metavar="RECORD", help="Folder of the record.")]

Data = Annotated[
    str,
    typer.Option(
        metavar="DATA", help="Folder of class folders, Parquet file, digits[:train|:test], or file.py:function."
    ),
]
Out = Annotated[Path, typer.Option(metavar="RECORD", help="Folder of the record to write.")]
Weights = Annotated[
    Path | None, typer.Option(metavar="FILE", help="State dict (.pt, .pth) or .safetensors to load into the model.")
]
Classes = Annotated[
    Path | None, typer.Option(metavar="FILE", help="Class names: one a line, or JSON (a list, or index to name).")
]
Trust = Annotated[
    bool, typer.Option("--trust", help="Open weights that hold pickled code. It can do anything that you can.")
]

Resize = Annotated[
    int | None, typer.Option(min=1, metavar="N", help="Resize the shorter side to N pixels, proportions kept.")
]
Crop = Annotated[str | None, typer.Option(metavar="N|H,W", help="Cut the centre.")]
Size = Annotated[str | None, typer.Option(metavar="N|H,W", help="Resize to exactly this, proportions not kept.")]
Mean = Annotated[str | None, typer.Option(metavar="R,G,B", help="Subtracted from each channel, after scaling to 0..1.")]
Std = Annotated[str | None, typer.Option(metavar="R,G,B", help="Divides each channel, after the mean.")]
Grayscale = Annotated[bool, typer.Option("--grayscale", help="One channel of luminance instead of three colours.")]

DeviceChoice = Annotated[Device, typer.Option(help="Where the model runs; auto takes a GPU where there is one.")]
BatchSize = Annotated[int, typer.Option(metavar="N", help="Examples in one forward.")]
Limit = Annotated[int | None, typer.Option(min=1, metavar="N", help="Inspect at most N examples.")]
Seed = Annotated[int, typer.Option(metavar="N", help="Of the random choice of examples.")]
SkipBad = Annotated[
    bool, typer.Option("--skip-bad", help="Leave unreadable examples out, named and counted, instead of stopping.")
]
Resume = Annotated[bool, typer.Option("--resume", help="Go on with a record that was cut short.")]
Overwrite = Annotated[bool, typer.Option("--overwrite", help="Replace a record that is already there.")]
Lens = Annotated[
    list[str] | None, typer.Option("--lens", metavar="NAME", help="Use this lens; repeat for more. All if left out.")
]
Chosen = Annotated[int, typer.Option(metavar="N", help="Examples to look at closely.")]
Learned = Annotated[
    int | None,
    typer.Option(metavar="N", help="Examples for gradients by the parameters. As many as cost a tenth if left out."),
]
Target = Annotated[str, typer.Option(metavar="prediction|label|INDEX", help="The output whose score is explained.")]
LossName = Annotated[
    str | None,
    typer.Option(
        "--loss",
        metavar="NAME[:SETTING=VALUE]",
        help="The loss to look at, or file.py:function; the task's own if left out.",
    ),
]
TargetLoss = Annotated[
    float | None,
    typer.Option("--target-loss", metavar="NUMBER", help="A loss that you want to reach, to compare with."),
]
Outputs = Annotated[
    Literal["auto", "logits", "probabilities", "numbers"],
    typer.Option(help="What the outputs are, numbers of a regression; told by values, targets and the graph if auto."),
]
Labels = Annotated[
    str | None,
    typer.Option(
        metavar="COLUMN", help="Column of a Parquet file that holds the labels; lists are soft labels or sets."
    ),
]
Title = Annotated[str | None, typer.Option(help="Title of the record.")]
OpenAfter = Annotated[bool, typer.Option("--open", help="Then open the app, with the model at hand.")]

NoOpen = Annotated[bool, typer.Option("--no-open", help="Print the address; open no browser.")]
Port = Annotated[int, typer.Option(min=0, max=65535, metavar="N", help="Port to serve on; 0 takes a free one.")]
Host = Annotated[str, typer.Option(metavar="NAME", help="Address to serve on; others than you need the token too.")]
Token = Annotated[
    str | None, typer.Option(metavar="TEXT", help="Token that opens the app, at least 16 letters; made if left out.")
]
LiveModel = Annotated[
    str | None, typer.Option("--model", metavar="MODEL", help="The inspected model, to compute any example on demand.")
]
LiveData = Annotated[
    str | None, typer.Option("--data", metavar="DATA", help="The inspected data; needed with --model.")
]

Verify = Annotated[bool, typer.Option("--verify", help="Read every file and compare it with its SHA-256.")]
Output = Annotated[Path, typer.Option("--output", "-o", metavar="FILE", help="The HTML file to write.")]
LimitMb = Annotated[float, typer.Option(min=0.1, metavar="MB", help="Size to stay under; what is left out is said.")]
GraphInputs = Annotated[
    list[str] | None,
    typer.Option(
        "--input",
        metavar="[NAME=]SHAPE[:TYPE]",
        help="Shape of an argument, the batch first: 1,3,224,224; whole numbers: 1,16:int; by name: mask=1,16:bool. "
        "Repeat for more arguments. What the model says it takes if left out.",
    ),
]
GraphModel = Annotated[
    str,
    typer.Argument(
        metavar="MODEL",
        help="As for inspect, or a file: .onnx, .pt2, .safetensors, .keras, a config.json of transformers.",
    ),
]
Against = Annotated[
    str | None, typer.Option("--against", metavar="MODEL", help="Say what differs from this model: the one before.")
]
TrustGraph = Annotated[
    bool, typer.Option("--trust", help="Open files that hold pickled code (.pt2 too). It can do anything that you can.")
]
Depth = Annotated[
    int | None,
    typer.Option("--depth", min=1, metavar="N", help="Fold what modules at this depth hold, 1 the outermost."),
]
Svg = Annotated[Path | None, typer.Option("--svg", metavar="FILE", help="Write a drawing; - is stdout.")]
Html = Annotated[
    Path | None, typer.Option("--html", metavar="FILE", help="Write the app with the graph as one HTML file.")
]
ExportTo = Annotated[Path | None, typer.Option("--export", metavar="FILE", help="Write the record as one HTML file.")]

Json = Annotated[bool, typer.Option("--json", help="Print the answer as one JSON document, errors included.")]
NoProgress = Annotated[bool, typer.Option("--no-progress", help="Show no progress bars.")]


def numbers(text: str | None, option: str) -> tuple[float, ...] | None:
    """Numbers from "0.485,0.456,0.406". Raises: OptionError: it is something else."""
    if text is None:
        return None
    try:
        return tuple(float(piece) for piece in text.split(","))
    except ValueError as error:
        raise OptionError(f"{option} takes numbers with commas between, like 0.5,0.5,0.5; got {text!r}.") from error


def whole_numbers(text: str | None, option: str, counts: tuple[int, ...] = ()) -> tuple[int, ...] | None:
    """Positive whole numbers from "224,224", as many as `counts` allows. Raises: OptionError: it is something else."""
    if text is None:
        return None
    try:
        values = tuple(int(piece) for piece in text.split(","))
    except ValueError as error:
        raise OptionError(f"{option} takes whole numbers with commas between; got {text!r}.") from error
    if min(values) < 1 or (counts and len(values) not in counts):
        many = f"{' or '.join(map(str, counts))} " if counts else ""
        raise OptionError(f"{option} takes {many}whole numbers of at least 1; got {text!r}.")
    return values


def square(text: str | None, option: str) -> tuple[int, int] | None:
    """The (height, width) of "224" or "224,256". Raises: OptionError."""
    values = whole_numbers(text, option, (1, 2))
    return None if values is None else (values[0], values[-1])
