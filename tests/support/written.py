"""Models whose forward a test writes, and what it asks of their graphs."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable

import torch
from torch import nn
from torch.utils._python_dispatch import TorchDispatchMode

from pellucid.graph import Graph


class Functional(nn.Module):
    """Everything in forward is written by hand."""

    def __init__(self, forward: Callable[..., object], **modules: nn.Module) -> None:
        super().__init__()
        self.written = forward
        for name, module in modules.items():
            self.add_module(name, module)

    def forward(self, *args: object, **kwargs: object) -> object:
        return self.written(self, *args, **kwargs)


def flows(graph: Graph) -> set[tuple[str, str]]:
    """Names of both ends of every edge."""
    return {(graph.nodes[edge.source].name, graph.nodes[edge.target].name) for edge in graph.edges}


def ports(graph: Graph) -> set[tuple[str, int, str, int]]:
    """The same with the numbers of the output and the argument."""
    return {
        (graph.nodes[edge.source].name, edge.output, graph.nodes[edge.target].name, edge.argument)
        for edge in graph.edges
    }


def operators_of(model: nn.Module, *args: object, **kwargs: object) -> Counter[str]:
    """Operators of one plain forward with values, counted by nothing but a dispatch mode."""
    counted: Counter[str] = Counter()

    class Count(TorchDispatchMode):
        def __torch_dispatch__(self, func, types, args=(), kwargs=None):  # type: ignore[no-untyped-def]
            counted[str(func)] += 1
            return func(*args, **(kwargs or {}))

    fast = torch.backends.mha.get_fastpath_enabled()
    torch.backends.mha.set_fastpath_enabled(False)
    try:
        with torch.no_grad(), Count():
            model.eval()(*args, **kwargs)
    finally:
        torch.backends.mha.set_fastpath_enabled(fast)
    return counted


def dead_ends(graph: Graph) -> set[str]:
    """Inputs that some call reads and from which no way leads to the output."""
    after: dict[int, set[int]] = {}
    for edge in graph.edges:
        after.setdefault(edge.source, set()).add(edge.target)
    lost = set()
    for node in graph.nodes:
        if node.kind != "input" or node.id not in after:
            continue
        seen, waiting = {node.id}, [node.id]
        while waiting:
            for target in after.get(waiting.pop(), ()):
                if target not in seen:
                    seen.add(target)
                    waiting.append(target)
        if not any(graph.nodes[place].kind == "output" for place in seen):
            lost.add(node.name)
    return lost
