"""Graph: how does the signal flow?"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, ClassVar, Self

import msgspec

from pellucid.lenses import LensContext
from pellucid.record.schema import Finding, GraphPanel
from pellucid.types import Needs, Observation

if TYPE_CHECKING:
    from pellucid.graph import Graph, Node

_NAMED = 3
_TRACED = "for the traced example, on a path that others need not take"


@dataclass
class GraphLens:
    """The traced graph; parameters that the forward never reads are a finding.

    Attributes:
        panel: the graph as JSON, "" before it was traced.
    """

    name: ClassVar[str] = "graph"
    needs: ClassVar[Needs] = Needs(stages=frozenset({"trace"}))

    context: LensContext = field(default_factory=LensContext)
    panel: str = ""

    def observe(self, seen: Observation) -> None:
        """Takes the traced graph."""
        if seen.graph is not None:
            panel = seen.graph.to_panel()
            panel.findings += [*_left_out(seen.graph), *_too_large(seen.graph), *_without_layers(seen.graph)]
            self.panel = msgspec.json.encode(panel).decode()

    def merge(self, other: Self) -> None:
        """One model has one graph: whichever was traced; of two, in any order, the same one."""
        self.panel = max(self.panel, other.panel)

    def report(self) -> GraphPanel:
        """The graph with its findings; an empty one where nothing was traced."""
        if not self.panel:
            return GraphPanel(
                nodes=[], edges=[], layers=[], parameters=0, trainable=0, flops=None, unused=[], backend="none"
            )
        panel = msgspec.json.decode(self.panel, type=GraphPanel)
        if panel.unused and panel.error is None:
            panel.findings.append(_unused(panel.unused, panel.data_dependent))
        return panel


def _left_out(graph: Graph) -> list[Finding]:
    """Layers of which no lens sees anything."""
    total = len(graph.left_out) + len(graph.layers)
    batch = f"{graph.batch} example{'' if graph.batch == 1 else 's'}"
    why = "because the first axis of the output is not that of the examples"
    return _not_shown(graph, graph.left_out, f"of {total:,} layers", f", {why}", f" for {batch}.")


def _too_large(graph: Graph) -> list[Finding]:
    """Layers that are looked at on request only."""
    layers = f"layer{'' if len(graph.too_large) == 1 else 's'}"
    why = "no layout tells which axes of the output are channels, and it is large"
    return _not_shown(graph, graph.too_large, layers, f": {why}", ". By name a model at hand shows any.")


def _not_shown(graph: Graph, nodes: Sequence[Node], layers: str, why: str, end: str) -> list[Finding]:
    """That some layers are not shown.

    Args:
        graph: that holds them.
        nodes: the layers.
        layers: what they are called, behind their number.
        why: they are not, with what leads to it.
        end: of the sentence, behind what the first of them gives.
    """
    if not nodes or graph.error is not None:
        return []
    return [
        Finding(
            kind="layers-left-out",
            severity="low",
            sentence=(
                f"{len(nodes):,} {layers} {'is' if len(nodes) == 1 else 'are'} not shown on Activations and Gradients{why}: "
                f"{_some([node.name for node in nodes])}. {nodes[0].name} gives {nodes[0].outputs[0]}{end}"
            ),
            count=len(nodes),
            page="activations",
            evidence={"layers": len(nodes), "first": nodes[0].name},
        )
    ]


def _without_layers(graph: Graph) -> list[Finding]:
    """Why no lens sees anything inside a model."""
    if graph.layers or graph.left_out or graph.too_large or graph.error is not None or graph.backend == "file":
        return []
    calls = [node for node in graph.nodes if node.kind in ("module", "function")]
    if len(calls) == 1 and calls[0].kind == "module":
        why = f"it is one call of {calls[0].operation}, which cannot be looked into: look at the model that it was made from"
    elif any(node.role in ("compute", "activation", "pool") and not node.floating for node in calls):
        why = "its layers give no numbers of floating point: look at the model as it was before it was quantised"
    else:
        why = "it calls no convolution, linear layer, activation, pool or the like that gives a batch of numbers"
    return [
        Finding(
            kind="no-layers",
            severity="medium",
            sentence=f"No layer of this model is shown on Activations and Gradients, because {why}.",
            count=len(calls),
            page="graph",
            evidence={"calls": len(calls)},
        )
    ]


def _unused(names: list[str], data_dependent: list[str]) -> Finding:
    one = len(names) == 1
    return Finding(
        kind="unused-parameters",
        severity="low",
        sentence=(
            f"{len(names):,} parameter{'' if one else 's'} {'is' if one else 'are'} never read "
            f"{_TRACED if data_dependent else 'when the model answers'}: {_some(names)}."
        ),
        count=len(names),
        page="graph",
        evidence={"parameters": len(names), "first": names[0]},
    )


def _some(names: list[str]) -> str:
    return ", ".join(names[:_NAMED]) + (f" and {len(names) - _NAMED:,} more" if len(names) > _NAMED else "")
