"""Answers as lines of text: a summary, a graph as an indented table."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pellucid.graph import Graph, Node
    from pellucid.record.schema import Summary

_WIDEST_NAME = 48


def summary_lines(summary: Summary) -> Iterator[str]:
    """What `pellucid show` prints: the main numbers, the passes spent, the findings worst first."""
    state = "" if summary.state == "complete" else f" ({summary.state})"
    yield f"{summary.title or summary.record}{state}"
    left_out = f", {summary.skipped:,} skipped" if summary.skipped else ""
    odd = f", {summary.nonfinite:,} with NaN or infinite logits" if summary.nonfinite else ""
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


def graph_lines(graph: Graph) -> Iterator[str]:
    """A graph's modules and functions, indented as they hold each other, with shapes, parameters and FLOPs."""
    rows = [("", "operation", "output", "parameters", "FLOPs")]
    depths: dict[int, int] = {}
    for node in graph.nodes:
        depth = 0 if node.parent is None else depths[node.parent] + 1
        depths[node.id] = depth
        if node.kind in ("module", "function"):
            rows.append(_row(node, depth))
    widths = [max(len(row[column]) for row in rows) for column in range(5)]
    for name, operation, output, parameters, flops in rows:
        yield (
            f"{name:<{widths[0]}}  {operation:<{widths[1]}}  {output:<{widths[2]}}  {parameters:>{widths[3]}}  "
            f"{flops:>{widths[4]}}"
        ).rstrip()
    flops = "" if graph.flops is None else f", {amount(graph.flops)} FLOPs"
    yield f"{graph.parameters:,} parameters ({graph.trainable:,} trainable){flops} for a batch of {graph.batch}"
    if graph.unused:
        yield f"Never used: {', '.join(graph.unused)}"


def _row(node: Node, depth: int) -> tuple[str, str, str, str, str]:
    name = "  " * depth + (node.name.rpartition(".")[2] or node.operation)
    if len(name) > _WIDEST_NAME:
        name = f"{name[: _WIDEST_NAME - 1]}…"
    output = ", ".join("x".join(map(str, shape)) for shape in node.outputs)
    parameters = f"{node.parameters:,}" if node.parameters else ""
    return name, node.operation, output, parameters, amount(node.flops) if node.flops else ""


def amount(number: float) -> str:
    """A count in short: 1.23 G."""
    for size, unit in ((1e12, "T"), (1e9, "G"), (1e6, "M"), (1e3, "k")):
        if number >= size:
            return f"{number / size:.3g} {unit}"
    return f"{number:.3g}"
