"""Answers as lines of text: a summary, a graph as an indented table."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pellucid.graph import Graph, Node
    from pellucid.record.schema import Summary

_WIDEST_NAME = 48
_NAMED = 12


def summary_lines(summary: Summary) -> Iterator[str]:
    """What `pellucid show` prints: the main numbers, the passes spent, the findings worst first."""
    state = "" if summary.state == "complete" else f" ({summary.state})"
    yield f"{summary.title or summary.record}{state}"
    left_out = f", {summary.skipped:,} skipped" if summary.skipped else ""
    unanswered = any(finding.kind == "unanswered" for finding in summary.findings)
    words = "without an answer" if unanswered else "with NaN or infinite logits"
    odd = f", {summary.nonfinite:,} {words}" if summary.nonfinite else ""
    if summary.examples or not summary.watched:
        yield f"  examples   {summary.examples:,}{left_out}{odd}"
    if summary.accuracy is not None:
        interval = summary.accuracy_interval
        bounds = f"  [{interval.low:.1%}, {interval.high:.1%}] at {interval.level:.0%}" if interval else ""
        yield f"  accuracy   {summary.accuracy:.1%}{bounds}"
    if summary.mean_loss is not None:
        yield f"  mean loss  {summary.mean_loss:.4f} ({summary.loss})"
    for stage in summary.passes:
        backward = f", {stage.backward:,} backward" if stage.backward else ""
        yield f"  {stage.name:<10} {stage.forward:,} forward{backward} in {stage.seconds:.1f} s ({stage.state})"
    for finding in summary.findings:
        yield f"  {finding.severity:<7}{finding.sentence}"


def graph_lines(graph: Graph, depth: int | None = None) -> Iterator[str]:
    """A graph's modules and functions, indented as they hold each other, with shapes, parameters and FLOPs.

    Args:
        graph: what is printed; below it, what it says of the model as a whole.
        depth: what modules at this depth hold is left out, 1 being what the model itself calls; all of it where not given.
    """
    rows = [("", "operation", "output", "parameters", "FLOPs")]
    depths: dict[int, int] = {}
    for node in graph.nodes:
        level = 0 if node.parent is None else depths[node.parent] + 1
        depths[node.id] = level
        if node.kind in ("module", "function") and (depth is None or level < depth or node.error is not None):
            rows.append(_row(node, level))
    widths = [max(len(row[column]) for row in rows) for column in range(5)]
    for name, operation, output, parameters, flops in rows:
        yield (
            f"{name:<{widths[0]}}  {operation:<{widths[1]}}  {output:<{widths[2]}}  {parameters:>{widths[3]}}  "
            f"{flops:>{widths[4]}}"
        ).rstrip()
    flops = "" if graph.flops is None else f", {amount(graph.flops)} FLOPs for a batch of {graph.batch}"
    yield f"{graph.parameters:,} parameters ({graph.trainable:,} trainable){flops}"
    yield from _notes(graph)


def _notes(graph: Graph) -> Iterator[str]:
    for loop in graph.loops:
        if loop.feeds_back:
            names = _first(tuple(graph.nodes[id_].name for id_ in loop.calls[0]))
            yield f"A loop of {loop.steps:,} steps, each fed into the next: {names}"
    if graph.unused and graph.error is None:
        yield f"Never used: {_first(graph.unused)}"
    if graph.uncalled and graph.error is None:
        yield f"Never called: {_first(graph.uncalled)}"
    if graph.data_dependent:
        yield f"The path depends on the values of the inputs: {_first(graph.data_dependent)}"
    if graph.backend_reason:
        yield graph.backend_reason


def _row(node: Node, depth: int) -> tuple[str, str, str, str, str]:
    name = "  " * depth + (node.name.rpartition(".")[2] or node.operation)
    if len(name) > _WIDEST_NAME:
        name = f"{name[: _WIDEST_NAME - 1]}…"
    output = shapes(node.outputs)
    if node.error is not None:
        output = f"raised: {cut(node.error)}"
    parameters = f"{node.parameters:,}" if node.parameters else ""
    return name, node.operation, output, parameters, amount(node.flops) if node.flops else ""


def _first(names: tuple[str, ...]) -> str:
    more = f" and {len(names) - _NAMED:,} more" if len(names) > _NAMED else ""
    return ", ".join(names[:_NAMED]) + more


def shapes(all_: tuple[tuple[int, ...], ...]) -> str:
    """Shapes as text; a length that is not known is a question mark."""
    return ", ".join("x".join("?" if length < 0 else str(length) for length in shape) for shape in all_)


def cut(text: str, longest: int = 60) -> str:
    """A text on one line that is no longer than that."""
    line = " ".join(text.split())
    return line if len(line) <= longest else f"{line[: longest - 1]}…"


def amount(number: float) -> str:
    """A count in short: 1.23 G."""
    for size, unit in ((1e12, "T"), (1e9, "G"), (1e6, "M"), (1e3, "k")):
        if number >= size:
            return f"{number / size:.3g} {unit}"
    return f"{number:.3g}"
