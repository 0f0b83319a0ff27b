"""What became of a graph as lines of text: added, removed, changed and moved calls, a sentence each."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from pellucid.cli.drawing import shapes
from pellucid.graph.meaning import WEIGHTS

if TYPE_CHECKING:
    from pellucid.graph import Graph, Node
    from pellucid.graph.difference import Change, Difference

_SETTINGS = 4  # told of one call; more are counted
_FOLLOWING = ("shape",)  # what changes by itself where something further up did


def difference_lines(difference: Difference, old_name: str, new_name: str) -> Iterator[str]:
    """The counts, then a line for each change; calls that only have another shape are counted, the first of them named."""
    old, new = difference.old, difference.new
    if not difference.changes and difference.formats:
        do = "hold the same" if WEIGHTS in difference.formats else "do the same"
        yield f"{old_name} and {new_name} {do}: {old.parameters:,} and {new.parameters:,} parameters."
        return
    if not difference.changes:
        yield f"{old_name} and {new_name} have the same graph: {len(new.nodes):,} calls, {new.parameters:,} parameters."
        return
    following = [change for change in difference.changes if change.what == _FOLLOWING]
    told = [change for change in difference.changes if change.what != _FOLLOWING]
    counts = [f"{number} {kind}" for kind in difference.counts if (number := sum(one.kind == kind for one in told))]
    counts += [f"{len(following):,} of another shape"] if following else []
    yield f"{old_name} → {new_name}: {', '.join(counts)}"
    if old.parameters != new.parameters:
        yield f"  parameters {old.parameters:,} → {new.parameters:,}"
    for change in told:
        yield f"  {change.kind:<8} {_sentence(difference, change)}"
    if following:
        one = old.nodes[following[0].old or 0]
        other = new.nodes[following[0].new or 0]
        many = f"{len(following):,} calls have another shape" if len(following) > 1 else "1 call has another shape"
        yield f"  shapes   {many}, the first {other.name}: {_shape(one)} → {_shape(other)}"


def formats(difference: Difference) -> str:
    """How two graphs of different formats are compared; "" where they are of one."""
    if difference.formats is None:
        return ""
    old, new = difference.formats
    if WEIGHTS in difference.formats:
        return (
            f"They are from different formats ({old}; {new}): modules are matched by their names, and compared by how many "
            "parameters they hold; weights alone say no more."
        )
    return (
        f"They are from different formats ({old}; {new}): operations are compared by what they do; names, settings and "
        "constants, which each format has its own of, are not."
    )


def _sentence(difference: Difference, change: Change) -> str:
    old = None if change.old is None else difference.old.nodes[change.old]
    new = None if change.new is None else difference.new.nodes[change.new]
    if old is None or new is None:
        graph, node = (difference.new, new) if new is not None else (difference.old, old)
        return "" if node is None else _alone(graph, node)
    name = old.name if old.name == new.name else f"{old.name} → {new.name}"
    if change.kind == "moved":
        return f"{name} ({new.operation})"
    return f"{name} ({new.operation}): {', '.join(_what(old, new, change.what))}"


def _alone(graph: Graph, node: Node) -> str:
    """A call that only one graph has, with all it holds."""
    inside = 0
    above = {node.id}
    for other in graph.nodes[node.id + 1 :]:
        if other.parent not in above:
            break
        above.add(other.id)
        inside += 1
    parts = [node.operation]
    if inside:
        parts.append(f"with {inside:,} call{'s' if inside > 1 else ''} inside")
    if node.parameters:
        parts.append(f"{node.parameters:,} parameters")
    return f"{node.name} ({', '.join(parts)})"


def _what(old: Node, new: Node, what: tuple[str, ...]) -> Iterator[str]:
    for one in what:
        if one == "operation":
            yield f"{old.operation} → {new.operation}"
        elif one == "arguments":
            yield from _settings(old, new)
        elif one == "parameters" and old.parameters != new.parameters:
            yield f"parameters {old.parameters:,} → {new.parameters:,}"
        elif one == "parameters":
            yield "its parameters are shared with other calls than before"
        elif one == "trainable":
            yield f"trainable parameters {old.trainable:,} → {new.trainable:,}"
        elif one == "shape":
            yield f"shape {_shape(old)} → {_shape(new)}"
        elif one == "type":
            yield f"type {', '.join(old.output_dtypes)} → {', '.join(new.output_dtypes)}"
        elif one == "name":
            yield "renamed"
        else:
            yield "reads from other calls than before"


def _settings(old: Node, new: Node) -> Iterator[str]:
    changed = [
        name for name in {**old.arguments, **new.arguments} if old.arguments.get(name) != new.arguments.get(name)
    ]
    for name in changed[:_SETTINGS]:
        yield f"{name} {old.arguments.get(name, 'not given')} → {new.arguments.get(name, 'not given')}"
    if len(changed) > _SETTINGS:
        yield f"{len(changed) - _SETTINGS} more settings"


def _shape(node: Node) -> str:
    return shapes(node.inputs if node.kind == "output" else node.outputs)
