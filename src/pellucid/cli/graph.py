"""The command `graph`: a model's graph as text, JSON, a drawing or the app in one file, and what became of another's."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import typer

from pellucid.cli import options
from pellucid.cli.terminal import REFUSED, answer, answer_json, answering, say
from pellucid.errors import ForwardError, OptionError

if TYPE_CHECKING:
    from pellucid.cli.opening import Traced
    from pellucid.graph.difference import Difference

_STDOUT = Path("-")


def graph(
    model: options.GraphModel,
    against: options.Against = None,
    inputs: options.GraphInputs = None,
    weights: options.Weights = None,
    trust: options.TrustGraph = False,
    depth: options.Depth = None,
    svg: options.Svg = None,
    html: options.Html = None,
    as_json: options.Json = False,
) -> None:
    """Show a model's graph: modules in order, shapes, parameters, FLOPs; with --against what differs from another's."""
    from pellucid.cli.opening import traced_model

    _check(svg, html, depth, as_json=as_json)
    shown = traced_model(model, inputs, weights, trust=trust)
    for note in shown.notes:
        say(note)
    if against is None:
        _show(shown, svg, html, depth, as_json=as_json)
        return
    before = traced_model(against, inputs, None, trust=trust)
    for one in (before, shown):
        if one.stopped:
            raise ForwardError(f"There is no difference of graphs that end half-way. {one.name}: {one.stopped}")
    _show_difference(before, shown, svg, html, depth, as_json=as_json)


def _check(svg: Path | None, html: Path | None, depth: int | None, *, as_json: bool) -> None:
    """Refuses options that ask for two answers at once. Raises: OptionError."""
    asked = [name for name, given in (("--json", as_json), ("--svg", svg), ("--html", html)) if given]
    if len(asked) > 1:
        raise OptionError(f"{' and '.join(asked)} are answers of their own: give one of them.")
    if depth is not None and asked and asked != ["--svg"]:
        raise OptionError(f"--depth folds the text and the drawing of --svg; {asked[0]} holds the whole graph.")
    if html == _STDOUT:
        raise OptionError("--html writes a file of a megabyte or more; name it: --html graph.html.")


def _show(shown: Traced, svg: Path | None, html: Path | None, depth: int | None, *, as_json: bool) -> None:
    """One graph; where it ends half-way what there is of it, and then the reason as an error: as JSON both in one."""
    if svg is not None:
        from pellucid.graph.drawing import svg as drawn

        _put(svg, drawn(shown.graph, title=shown.name, depth=depth))
    elif html is not None:
        _put_app(html, shown, None, title=shown.name)
    elif not as_json:
        from pellucid.cli.drawing import graph_lines

        for line in graph_lines(shown.graph, depth):
            answer(line)
    if svg is not None or html is not None:
        _say_reason(shown)
    if not shown.stopped:
        if as_json:
            answer_json(shown.graph.to_panel())
        return
    if as_json:
        said = f"The forward stopped half-way: {shown.stopped}"
        answer_json({"kind": ForwardError.__name__, "message": said, "graph": shown.graph.to_panel()})
        raise typer.Exit(REFUSED)
    what = "graph above" if svg is html is None else "drawing"
    raise ForwardError(f"The forward stopped half-way, the {what} ends there: {shown.stopped}")


def _show_difference(
    before: Traced, shown: Traced, svg: Path | None, html: Path | None, depth: int | None, *, as_json: bool
) -> None:
    from pellucid.cli.changes import difference_lines, formats
    from pellucid.graph.difference import difference

    found = difference(before.graph, shown.graph)
    if told := formats(found):
        say(told)
    old, new = before.name, shown.name
    if old == new:
        old, new = before.source, shown.source
    if svg is not None:
        from pellucid.graph.drawing import difference_svg

        _put(svg, difference_svg(found, names=(old, new), depth=depth))
    elif html is not None:
        _put_app(html, shown, found, title=f"{old} → {new}", old=old)
    elif as_json:
        answer_json({"graph": shown.graph.to_panel(), "difference": found.to_panel(old)})
    else:
        for line in difference_lines(found, old, new):
            answer(line)


def _say_reason(shown: Traced) -> None:
    """What a file did not tell, or why a model was not traced without values: text has it among its last lines."""
    if shown.graph.backend_reason:
        say(shown.graph.backend_reason)


def _put(path: Path, drawing: str) -> None:
    """Writes a drawing, whole or not at all; to stdout where the path is "-"."""
    from pellucid.record.files import put

    content = drawing.encode()
    if path == _STDOUT:
        stdout = answering()
        stdout.flush()
        stdout.buffer.write(content)
        stdout.buffer.flush()
        return
    put(path, content)
    say(f"{path}: {len(content) / 1e3:.0f} kB")


def _put_app(path: Path, shown: Traced, found: Difference | None, *, title: str, old: str = "") -> None:
    """Writes the app with a record of the graph alone."""
    import tempfile

    import msgspec

    from pellucid import __version__
    from pellucid.export import export
    from pellucid.lenses.graph import GraphLens
    from pellucid.record import Writer, schema

    of = shown.graph
    model = schema.ModelInfo(shown.name, shown.source, "", of.parameters, of.trainable, 0)
    manifest = schema.Manifest(pellucid_version=__version__, title=title, model=model)
    with tempfile.TemporaryDirectory(prefix="pellucid-") as folder:
        with Writer.create(folder, manifest) as writer, writer.sealing():
            writer.write_panel(GraphLens(panel=msgspec.json.encode(of.to_panel()).decode()).report())
            if found is not None:
                writer.write_panel(found.to_panel(old))
        report = export(folder, path, page="graph")
    say(f"{report.path}: {report.bytes / 1e6:.2f} MB")
