"""Graph: how does the signal flow?"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar, Self

import msgspec

from pellucid.lenses import LensContext
from pellucid.record.schema import Finding, GraphPanel
from pellucid.types import Needs, Observation

_NAMED = 3


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
            self.panel = msgspec.json.encode(seen.graph.to_panel()).decode()

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
            panel.findings.append(_unused(panel.unused))
        return panel


def _unused(names: list[str]) -> Finding:
    one = len(names) == 1
    shown = ", ".join(names[:_NAMED]) + (f" and {len(names) - _NAMED:,} more" if len(names) > _NAMED else "")
    return Finding(
        kind="unused-parameters",
        severity="low",
        sentence=(
            f"{len(names):,} parameter{'' if one else 's'} {'is' if one else 'are'} never read when the model answers: "
            f"{shown}."
        ),
        count=len(names),
        page="graph",
        evidence={"parameters": len(names), "first": names[0]},
    )
