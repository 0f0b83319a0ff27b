"""The command `compare`: is the new model better than the old one, what did it break, and may it pass?"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from pellucid.cli import options
from pellucid.cli.terminal import answer, answer_json, say
from pellucid.errors import OptionError
from pellucid.measures.words import counted

if TYPE_CHECKING:
    from pellucid.comparison import Comparison
    from pellucid.record.schema import ComparedPair, ComparisonPanel, GroupDifference, MeasureDifference, SizedModel

FAILED = 1
"""Exit code where a rule of --fail-if failed."""

_FALSE_ALARMS = 0.05
_NAMED = 5
_WHOLE = 3
_MEASURES = {"accuracy": "accuracy", "loss": "mean loss", "ece": "calibration error", "confidence": "confidence"}

Old = Annotated[Path, typer.Argument(metavar="OLD", help="Record to compare with, the one before.")]
New = Annotated[list[Path], typer.Argument(metavar="NEW...", help="Record that is judged, and more if you like.")]
OutRecord = Annotated[
    Path | None, typer.Option("--out", metavar="RECORD", help="Write the comparison as a record that the app shows.")
]
FailIf = Annotated[
    list[str] | None,
    typer.Option("--fail-if", metavar="RULE", help="End with 1 if so: 'accuracy drops by 1% at 95%'; repeat for more."),
]
ToAccuracy = Annotated[
    float | None,
    typer.Option("--to-accuracy", metavar="SHARE", help="Count training steps and seconds up to this accuracy."),
]
Html = Annotated[Path | None, typer.Option("--html", metavar="FILE", help="Write the app with it as one HTML file.")]
Open = Annotated[bool, typer.Option("--open", help="Then open the app on it; needs --out.")]


def compare(
    old: Old,
    new: New,
    out: OutRecord = None,
    fail_if: FailIf = None,
    to_accuracy: ToAccuracy = None,
    html: Html = None,
    overwrite: options.Overwrite = False,
    open_app: Open = False,
    as_json: options.Json = False,
) -> None:
    """Compare models on the same examples: differences with intervals, what flipped, a gate for CI, size against accuracy."""
    from pellucid.comparison import compare as run

    if open_app and out is None:
        raise OptionError("--open shows the record of --out, which is missing.")
    found = run(old, *new, out=out, fail_if=fail_if or (), to_accuracy=to_accuracy, overwrite=overwrite)
    show(found, as_json=as_json)
    if html is not None:
        write_html(found, html)
    if open_app and out is not None:
        open_comparison(out)
    elif out is not None and not as_json:
        say(f"Look at it: pellucid open {out}")
    if found.failed:
        raise typer.Exit(FAILED)


def show(found: Comparison, *, as_json: bool) -> None:
    """Prints a comparison."""
    if as_json:
        answer_json(found.panel)
        return
    for line in comparison_lines(found.panel, found.title):
        answer(line)


def write_html(found: Comparison, path: Path) -> None:
    """Writes the app with a comparison as one HTML file."""
    import tempfile

    from pellucid.export import export

    with tempfile.TemporaryDirectory(prefix="pellucid-") as folder:
        record = found.write(Path(folder) / "comparison.pellucid")
        report = export(record.path, path, page="compare")
    say(f"{report.path}: {report.bytes / 1e6:.2f} MB")
    for sentence in report.left_out:
        say(f"Left out: {sentence}")


def open_comparison(out: Path) -> None:
    """Serves it until Ctrl-C."""
    from pellucid.server import serve

    with suppress(KeyboardInterrupt):
        serve(out, announce=say)


def comparison_lines(panel: ComparisonPanel, title: str) -> Iterator[str]:
    """What `pellucid compare` prints."""
    yield title
    for pair in panel.pairs[:_WHOLE]:
        yield from _pair_lines(panel, pair)
    if len(panel.pairs) > 1:
        yield from size_lines(panel)
    for finding in panel.findings:
        if finding.kind in ("size", "factors"):
            yield f"  {finding.sentence}"
    yield from (f"  {note}" for note in panel.notes)
    yield from (f"  {gate.sentence}" for gate in panel.gates)
    if len(panel.pairs) > _WHOLE:
        yield f"  {len(panel.pairs) - _WHOLE} more are compared with {panel.models[0].name}: --json has all"


def size_lines(panel: ComparisonPanel) -> Iterator[str]:
    """A line a size, the cheapest first: accuracy with its interval, costs, whether it is on the front of parameters."""
    from pellucid.cli.drawing import amount
    from pellucid.comparison.costs import reached

    def cost(size: SizedModel) -> float:
        return panel.models[size.members[0]].parameters or 0

    target = panel.target_accuracy
    columns = ["size", "accuracy", "95% interval", "parameters", "FLOPs"]
    rows = [
        columns + ([f"steps to {target:.0%}", f"seconds to {target:.0%}"] if target is not None else []) + ["front"]
    ]
    for size in sorted(panel.sizes, key=cost):
        models = [panel.models[one] for one in size.members]
        ends = size.interval
        row = [
            size.name,
            "" if size.accuracy is None else f"{size.accuracy:.2%}",
            "" if ends is None else f"{ends.low:.2%} to {ends.high:.2%}",
            "" if models[0].parameters is None else f"{models[0].parameters:,}",
            "" if models[0].flops is None else amount(models[0].flops),
        ]
        if target is not None:
            points = [reached(model.learned, target) for model in models]
            known = [point for point in points if point is not None]
            whole = len(known) == len(points)
            row.append(f"{sum(one.step for one in known) / len(known):.0f}" if whole else "not reached")
            row.append(f"{sum(one.seconds for one in known) / len(known):.2f}" if whole else "not reached")
        rows.append([*row, size.front.get("parameters", "")])
    widths = [max(len(row[place]) for row in rows) for place in range(len(rows[0]))]
    for row in rows:
        yield "  " + "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()


def _pair_lines(panel: ComparisonPanel, pair: ComparedPair) -> Iterator[str]:
    from pellucid.measures.intervals import p_words

    old, new = panel.models[pair.old].name, panel.models[pair.new].name
    if len(panel.pairs) > 1:
        yield f"  {old} → {new}"
    for one in pair.measures:
        yield f"  {_MEASURES[one.measure]:<18}{_measure(one)}"
    if pair.count:
        yield (
            f"  {'flips':<18}{pair.fixed:,} fixed, {pair.broken:,} broken, {pair.both_right:,} right and {pair.both_wrong:,} "
            f"wrong both times (McNemar's exact {p_words(pair.p_value)})"
        )
    if pair.churn is not None:
        interval = pair.churn_interval
        ends = f" ({interval.low:.1%} to {interval.high:.1%})" if interval else ""
        kappa = "" if pair.kappa is None else f"; agreement beyond chance: kappa {pair.kappa:.3f}"
        yield f"  {'churn':<18}{pair.churn:.1%}{ends} of {pair.answered:,} answers changed{kappa}"
    yield from _group_lines("class", pair.by_class)
    for slice_ in pair.by_slice:
        yield from _group_lines(slice_.column, slice_.groups)


def _measure(one: MeasureDifference) -> str:
    if one.old is None or one.new is None or one.difference is None:
        return f"not defined: {one.why}"
    if one.unit == "share":
        said = f"{one.old:.2%} → {one.new:.2%}, {100 * one.difference:+.2f} points"
        ends = f" [{100 * one.interval.low:+.2f}, {100 * one.interval.high:+.2f}]" if one.interval else ""
    else:
        said = f"{one.old:.4g} → {one.new:.4g}, {one.difference:+.4g} {one.unit}".rstrip()
        ends = f" [{one.interval.low:+.4g}, {one.interval.high:+.4g}]" if one.interval else ""
    level = f" at {one.interval.level:.0%}" if one.interval else ""
    return f"{said}{ends}{level}, {counted(one.count, 'example')}"


def _group_lines(what: str, groups: list[GroupDifference]) -> Iterator[str]:
    """Groups that changed beyond chance, most broken first."""
    from pellucid.measures.intervals import p_words

    told = [one for one in groups if one.adjusted is not None and one.adjusted < _FALSE_ALARMS]
    told.sort(key=lambda one: one.difference or 0.0)
    for one in told[:_NAMED]:
        if one.difference is not None and one.interval is not None:
            yield (
                f"  {what} {one.group}: {100 * one.difference:+.1f} points "
                f"[{100 * one.interval.low:+.1f}, {100 * one.interval.high:+.1f}], {one.fixed:,} fixed, {one.broken:,} broken "
                f"of {one.count:,} ({p_words(one.adjusted)}, corrected for {len(groups):,})"
            )
    if len(told) > _NAMED:
        yield f"  and {len(told) - _NAMED:,} more by {what} that changed beyond chance: --json has all"
