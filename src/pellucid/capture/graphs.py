"""Graphs to look at a model by: whole ones, or the model's own error in their place."""

from __future__ import annotations

from torch import nn

from pellucid.capture.call import as_arguments
from pellucid.capture.session import Session
from pellucid.errors import ForwardError
from pellucid.graph import Graph, trace
from pellucid.types import Tree


def whole_graph(model: nn.Module, inputs: Tree) -> Graph:
    """The model's graph of these inputs, from the first call to the answer.

    Raises: ForwardError: the model raised in its own forward, where the graph ends; a layer behind that would seem not to be.
    """
    positional, named = as_arguments(inputs, model)
    graph = trace(model, *positional, **named)
    if graph.error is not None:
        with Session(model, ()) as session:
            session.forward(inputs)  # once more, so that its own error is the cause of ours
        raise ForwardError(f"The model raised in its own forward, once and not a second time: {graph.error}.")
    return graph
