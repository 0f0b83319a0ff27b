"""The model's graph: what it calls, in which order, and how tensors flow between the calls.

    graph = pellucid.graph(model, torch.zeros(1, 3, 224, 224))
    graph.nodes, graph.edges, graph.parameters, graph.unused

`pellucid.graph` is this package and can be called: importing a package binds it as an attribute of its parent, so a
function of the same name would vanish with the first `import pellucid.graph`.
"""

from __future__ import annotations

import sys
from types import ModuleType
from typing import Any

from pellucid.graph.structure import Edge, Graph, Loop, Node
from pellucid.graph.tracer import timed_forwards, trace, trace_timed

__all__ = ["Edge", "Graph", "Loop", "Node", "timed_forwards", "trace", "trace_timed"]


class _CallablePackage(ModuleType):
    """This package, called like `trace`."""

    def __call__(self, model: Any, *args: Any, **kwargs: Any) -> Graph:
        return trace(model, *args, **kwargs)


sys.modules[__name__].__class__ = _CallablePackage
