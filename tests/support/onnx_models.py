"""Small ONNX models made for a test, read back, and what holds for any graph that was read."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import pytest

from pellucid.graph import Graph, Node
from pellucid.graph.importers import read_graph

pytest.importorskip("onnx", reason="the package onnx is not installed")

from onnx import TensorProto, helper

FLOAT, INT = TensorProto.FLOAT, TensorProto.INT64


def model(nodes: list[Any], inputs: list[Any], outputs: list[Any], weights: list[Any] = [], **more: Any) -> Any:  # noqa: B006
    opset = more.pop("opset", 21)
    graph = helper.make_graph(nodes, "g", inputs, outputs, weights)
    return helper.make_model(
        graph, opset_imports=[helper.make_opsetid("", opset), *more.pop("domains", [])], ir_version=10, **more
    )


def value(name: str, shape: list[Any] | None, kind: int = FLOAT) -> Any:
    return helper.make_tensor_value_info(name, kind, shape)


def weight(name: str, *shape: int, kind: int = FLOAT) -> Any:
    return helper.make_tensor(name, kind, shape, [1] * math.prod(shape))


def read(held: Any, folder: Path) -> Graph:
    path = folder / "m.onnx"
    path.write_bytes(held.SerializeToString())
    return read_graph(path)


def leaves(graph: Graph) -> list[Node]:
    holders = {node.parent for node in graph.nodes}
    return [node for node in graph.nodes if node.id not in holders and node.kind not in ("input", "output")]


def check_sound(graph: Graph) -> None:
    """What everything after it relies on."""
    assert [node.id for node in graph.nodes] == list(range(len(graph.nodes)))
    holders = {node.parent for node in graph.nodes}
    last: list[int] = []
    for node in graph.nodes:  # insides follow their holder without a gap
        while last and last[-1] != node.parent:
            last.pop()
        assert node.parent is None or last[-1:] == [node.parent]
        last.append(node.id)
    for edge in graph.edges:
        assert edge.source not in holders
        assert edge.target not in holders
        assert edge.output < len(graph.nodes[edge.source].outputs)
        assert edge.argument < len(graph.nodes[edge.target].inputs)
        assert edge.feeds_back or edge.source < edge.target
        assert edge.activation == graph.nodes[edge.source].activation
    named = [node.name for node in graph.nodes if node.kind in ("module", "function")]
    assert len(named) == len(set(named))
    graph.to_panel()
