"""The program: its commands, what they print, and how it ends.

Exit codes: 0 done; 1 a rule of `compare --fail-if` failed; 2 refused, with the reason; 130 interrupted. Anything else is a defect
of ours and shows its traceback.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
import typer.core

from pellucid import __version__
from pellucid.cli import options
from pellucid.cli.compare import compare
from pellucid.cli.features import features
from pellucid.cli.fit import fit
from pellucid.cli.graph import graph
from pellucid.cli.hierarchy import hierarchy
from pellucid.cli.human import human
from pellucid.cli.importing import import_
from pellucid.cli.landscape import landscape
from pellucid.cli.sweep import sweep
from pellucid.cli.terminal import REFUSED as REFUSED
from pellucid.cli.terminal import answer, answer_json, answers_alone, fail, progress_bars, say, stage_progress
from pellucid.errors import ModelError, OptionError, PellucidError

if TYPE_CHECKING:
    from pellucid.inspection import Explains
    from pellucid.record import Record

INTERRUPTED = 130

application = typer.Typer(
    name="pellucid",
    help="See inside a deep-learning model: graph, loss, accuracy, confusion, gradients, activations, training.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)


# What is raised for a command line that cannot be read: the root of typer's own, whose home moves between releases.
_CommandLineError: type[Exception] = next(
    kind for kind in typer.BadParameter.__mro__ if issubclass(kind, Exception) and kind.__name__ == "ClickException"
)


# What an interrupted command leaves, and how to go on from there; of others nothing is left.
_KEPT = {
    "inspect": "What was finished is kept; `inspect` goes on with it where it is given --resume.",
    "sweep": "Networks that were finished are kept; the same sweep goes on where it was cut short.",
}


def main() -> None:
    """Runs the program `pellucid`."""
    as_json = "--json" in sys.argv[1:]
    try:
        code = application(prog_name="pellucid", standalone_mode=False)
    except PellucidError as error:
        fail(type(error).__name__, str(error), as_json=as_json)
        sys.exit(REFUSED)
    except _CommandLineError as error:
        fail("OptionError", _told(error), as_json=as_json)
        sys.exit(REFUSED)
    # The way in which typer reports an interrupt.
    if code == INTERRUPTED:
        command = next(iter(sys.argv[1:]), "")
        fail("Interrupted", f"Interrupted. {_KEPT.get(command, '')}".rstrip(), as_json=as_json)
    sys.exit(code)


def _told(error: Any) -> str:
    """What was wrong with the command line, and where to read more; the whole help where nothing was asked for."""
    message, context = str(error.format_message()).rstrip("."), error.ctx
    if context is None:
        return f"{message}."
    if type(error).__name__ == "NoArgsIsHelpError":
        return f"No command was given.\n{context.get_help()}"
    return f"{message}. See: {context.command_path} --help"


def _print_version(asked: bool) -> None:
    if asked:
        answer(f"pellucid {__version__}")
        raise typer.Exit


@application.callback()
def _program(
    version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    """Options before the command."""


@application.command()
def inspect(
    model: options.Model,
    data: options.Data,
    out: options.Out,
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
    limit: options.Limit = None,
    seed: options.Seed = 0,
    lens: options.Lens = None,
    chosen: options.Chosen = 48,
    learned: options.Learned = None,
    target: options.Target = "prediction",
    loss: options.LossName = None,
    target_loss: options.TargetLoss = None,
    outputs: options.Outputs = "auto",
    labels: options.Labels = None,
    title: options.Title = None,
    skip_bad: options.SkipBad = False,
    resume: options.Resume = False,
    overwrite: options.Overwrite = False,
    open_app: options.OpenAfter = False,
    as_json: options.Json = False,
    no_progress: options.NoProgress = False,
) -> None:
    """Run a model on data and keep what every lens saw in a record."""
    from pellucid.cli.opening import Preparation, device_named
    from pellucid.data import open_data
    from pellucid.inspection import inspect as run
    from pellucid.models import open_model

    opened = open_model(model, weights=weights, trust=trust, classes=classes)
    recipe = Preparation(resize, crop, size, mean, std, grayscale).over(opened.recipe)
    source = open_data(data, recipe=recipe, limit=limit, skip_bad=skip_bad, labels=labels)
    with progress_bars(shown=not no_progress) as hear:
        record = run(
            opened.model,
            source,
            out=out,
            target=_target(target),
            lenses=lens,
            classes=opened.classes,
            batch_size=batch_size,
            limit=limit,
            seed=seed,
            chosen=chosen,
            learned=learned,
            loss=loss,
            target_loss=target_loss,
            outputs=outputs,
            device=device_named(device),
            title=title or opened.name,
            model_source=opened.source,
            weights_source=str(weights or ""),
            resume=resume,
            overwrite=overwrite,
            progress=stage_progress(hear),
        )
    _summarise(record, as_json)
    if open_app:
        with _until_interrupted():
            record.show()
    elif not as_json:
        say(f"Look at it: pellucid open {out}")


@application.command(name="open")
def open_record(
    record: options.RecordPath,
    model: options.LiveModel = None,
    data: options.LiveData = None,
    weights: options.Weights = None,
    trust: options.Trust = False,
    resize: options.Resize = None,
    crop: options.Crop = None,
    size: options.Size = None,
    mean: options.Mean = None,
    std: options.Std = None,
    grayscale: options.Grayscale = False,
    device: options.DeviceChoice = "auto",
    no_open: options.NoOpen = False,
    port: options.Port = 0,
    host: options.Host = "127.0.0.1",
    token: options.Token = None,
    as_json: options.Json = False,
) -> None:
    """Show a record in the browser; with --model and --data any example is computed on demand."""
    from pellucid.cli.opening import Preparation, live_model
    from pellucid.record import Record
    from pellucid.server import serve

    live = None
    if model is not None:
        preparation = Preparation(resize, crop, size, mean, std, grayscale)
        live = live_model(Record(record), model, data, weights, preparation, device, trust=trust)
        if live.reason:
            raise OptionError(f"--model does not go with this record: {live.reason}")
    elif data is not None or weights is not None:
        raise OptionError("--data and --weights belong to --model, which is missing.")
    with _until_interrupted():
        serve(
            record,
            host=host,
            port=port,
            token=token,
            open_browser=not no_open,
            live=live,
            announce=lambda url: answer_json({"url": url}) if as_json else answer(url),
        )


@application.command()
def show(record: options.RecordPath, verify: options.Verify = False, as_json: options.Json = False) -> None:
    """Print what a record found: examples, accuracy with its interval, mean loss, passes, findings."""
    from pellucid.errors import DamagedError
    from pellucid.record import Record

    held = Record(record)
    problems = held.verify() if verify else []
    if problems:
        raise DamagedError("\n".join(problems))
    _summarise(held, as_json)


@application.command()
def export(
    record: options.RecordPath,
    output: options.Output,
    limit_mb: options.LimitMb = 20.0,
    as_json: options.Json = False,
) -> None:
    """Write a record as one HTML file that opens from disk with no network."""
    from pellucid.export import export as write

    report = write(record, output, limit_bytes=round(limit_mb * 1e6))
    if as_json:
        answer_json({"path": str(report.path), "bytes": report.bytes, "left_out": report.left_out})
        return
    answer(f"{report.path}: {report.bytes / 1e6:.2f} MB")
    for sentence in report.left_out:
        say(f"Left out: {sentence}")


application.command(name="import")(import_)
application.command()(graph)
application.command()(features)
application.command()(hierarchy)
application.command()(fit)
application.command()(landscape)
application.command()(compare)


@application.command()
def demo(
    out: Annotated[Path, typer.Option(metavar="RECORD", help="Folder of the record to write.")] = Path(
        "digits.pellucid"
    ),
    seed: options.Seed = 0,
    export_to: options.ExportTo = None,
    no_open: options.NoOpen = False,
    port: options.Port = 0,
    as_json: options.Json = False,
    no_progress: options.NoProgress = False,
) -> None:
    """Train a small network on handwritten digits under a Watch, inspect it on held-out digits, show it."""
    from pellucid.demo import run

    with progress_bars(shown=not no_progress) as hear:
        shown = run(
            out, seed=seed, on_epoch=lambda done, total: hear("train", done, total), progress=stage_progress(hear)
        )
    _summarise(shown.record, as_json)
    if export_to is not None:
        from pellucid.export import export as write

        report = write(out, export_to)
        say(f"The report is {report.path} ({report.bytes / 1e6:.2f} MB).")
    if no_open and export_to is not None:
        return
    from pellucid.server import serve

    # --no-open with nothing else to leave: the address is printed and answered, as `open --no-open` does.
    with _until_interrupted():
        serve(out, port=port, open_browser=not no_open, live=shown.live, announce=say if as_json else answer)


application.command()(sweep)
application.add_typer(human)


class _Command(typer.core.TyperCommand):
    """A command: its answers alone go to stdout, and only it ends the program."""

    def invoke(self, ctx: Any) -> Any:
        try:
            with answers_alone():
                return super().invoke(ctx)
        except SystemExit as ended:
            raise ModelError(
                f"The code of the model or of the data ended the program: sys.exit({ended.code!r}). Take that out, or have it "
                "raise an error that says what is wrong."
            ) from ended


for _group in (application, human):
    for _registered in _group.registered_commands:
        _registered.cls = _Command


@contextmanager
def _until_interrupted() -> Iterator[None]:
    """Serving ends with an interrupt: that is its end, no failure."""
    with suppress(KeyboardInterrupt):
        yield


def _target(text: str) -> Explains:
    if text in ("prediction", "label"):
        return "prediction" if text == "prediction" else "label"
    if text.isdigit():
        return int(text)
    raise OptionError(f"--target is 'prediction', 'label' or a class index; got {text!r}.")


def _summarise(record: Record, as_json: bool) -> None:
    from pellucid.cli.drawing import summary_lines

    summary = record.summary()
    if as_json:
        answer_json(summary)
        return
    for line in summary_lines(summary):
        answer(line)
