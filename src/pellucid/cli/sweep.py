"""The command `sweep`: a family of networks of every width and depth, trained, inspected, and drawn by what they cost."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from pellucid.cli import options
from pellucid.cli.compare import Html, ToAccuracy, open_comparison, size_lines, write_html
from pellucid.cli.terminal import answer, answer_json, progress_bars, say
from pellucid.errors import OptionError

OutFolder = Annotated[Path, typer.Option("--out", metavar="FOLDER", help="Folder for the records.")]
Widths = Annotated[str, typer.Option(metavar="8,16,32", help="Channels of every layer.")]
Depths = Annotated[str, typer.Option(metavar="1,2,3", help="Layers after the first.")]
Seeds = Annotated[int, typer.Option(min=1, metavar="N", help="Networks of each size, which differ in the seed alone.")]
Epochs = Annotated[int, typer.Option(min=1, metavar="N", help="Times that every digit is seen in a training.")]
Open = Annotated[bool, typer.Option("--open", help="Then open the app on it.")]


def sweep(
    out: OutFolder = Path("digits-sweep"),
    widths: Widths = "8,16,32",
    depths: Depths = "1,2,3",
    seeds: Seeds = 3,
    epochs: Epochs = 10,
    to_accuracy: ToAccuracy = None,
    html: Html = None,
    open_app: Open = False,
    as_json: options.Json = False,
    no_progress: options.NoProgress = False,
) -> None:
    """Train networks of every width and depth on handwritten digits: are bigger ones more efficient than thinner ones?"""
    from pellucid.demo.sweep import COMPARED
    from pellucid.demo.sweep import sweep as run

    if html is not None and not html.parent.is_dir():
        raise OptionError(f"--html is written after all trainings, and {html.parent} is no folder. Make it first.")
    with progress_bars(shown=not no_progress) as hear:
        found = run(
            out,
            widths=options.whole_numbers(widths, "--widths") or (),
            depths=options.whole_numbers(depths, "--depths") or (),
            seeds=seeds,
            epochs=epochs,
            to_accuracy=to_accuracy,
            progress=lambda done, total: hear("networks", done, total),
        )
    if as_json:
        answer_json(found.panel)
    else:
        for line in size_lines(found.panel):
            answer(line)
        for finding in found.panel.findings:
            if finding.kind in ("size", "factors"):
                answer(f"  {finding.sentence}")
    if html is not None:
        write_html(found, html)
    if open_app:
        open_comparison(out / COMPARED)
    elif not as_json:
        say(f"Look at it: pellucid open {out / COMPARED}")
