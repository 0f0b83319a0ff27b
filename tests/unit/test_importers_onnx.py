"""Graphs from ONNX files, against a brute-force reading of the same protobuf; branches, loops, functions, sizes."""

from __future__ import annotations

import math
from collections import Counter
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

from pellucid.graph.importers import read_graph

onnx = pytest.importorskip("onnx", reason="the package onnx is not installed")

from onnx import TensorProto, helper  # noqa: E402

from support.onnx_models import INT, check_sound, leaves, model, read, value, weight  # noqa: E402

LIGHT = sorted((Path(onnx.__file__).parent / "backend/test/data/light").glob("*.onnx"))


def shipped(package: str, pattern: str) -> list[Any]:
    """ONNX files inside an installed package; a skipped case where it is not installed."""
    found = find_spec(package)
    if found is None or found.origin is None:
        return [
            pytest.param(None, marks=pytest.mark.skip(reason=f"the package {package} is not installed"), id=package)
        ]
    return [pytest.param(path, id=path.stem) for path in sorted(Path(found.origin).parent.glob(pattern))]


REAL = [
    *(pytest.param(path, id=path.stem) for path in LIGHT),
    *shipped("silero_vad", "data/*.onnx"),
    *shipped("magika", "models/**/*.onnx"),
]


# --- real files against a brute-force reading -------------------------------------------------------------------


def operators(graph: Any) -> int:
    """Every NodeProto, those inside branches and loops included."""
    return sum(
        1
        + sum(
            operators(inner) for held in node.attribute for inner in ([held.g] if held.HasField("g") else held.graphs)
        )
        for node in graph.node
    )


def flat_edges(graph: Any) -> Counter[tuple[str, str]]:
    """Who reads whom, by operator, in a model without branches: the output's maker, the reader."""
    weights = {held.name for held in graph.initializer}
    maker = {held.name: "input" for held in graph.input if held.name not in weights}
    found: Counter[tuple[str, str]] = Counter()
    for node in graph.node:
        found.update((maker[name], node.op_type) for name in node.input if name in maker)
        maker |= dict.fromkeys(node.output, node.op_type)
    found.update((maker[held.name], "output") for held in graph.output)
    return found


@pytest.mark.parametrize("path", REAL)
def test_real_files_are_read_whole(path: Path) -> None:
    held = onnx.load(path, load_external_data=False)
    graph = read_graph(path)
    check_sound(graph)
    assert graph.backend == "file"
    assert graph.operators == operators(held.graph) == len(leaves(graph))
    statistics = {name for node in held.graph.node if node.op_type == "BatchNormalization" for name in node.input[3:5]}
    learned = [one for one in held.graph.initializer if one.data_type != INT and one.name not in statistics]
    initial = sum(math.prod(one.dims) for one in learned)
    assert graph.parameters >= initial
    if not any(node.op_type == "Constant" for node in held.graph.node):
        assert graph.parameters == initial
    if all(not inner.HasField("g") for node in held.graph.node for inner in node.attribute):
        seen = Counter((graph.nodes[edge.source].operation, graph.nodes[edge.target].operation) for edge in graph.edges)
        assert seen == flat_edges(held.graph)


def test_the_light_files_are_there() -> None:
    assert len(LIGHT) >= 9


# --- what it says -----------------------------------------------------------------------------------------------


def test_names_of_an_exporter_become_nested_modules(tmp_path: Path) -> None:
    nodes = [
        helper.make_node("Conv", ["x", "w1"], ["a"], "/layer1/layer1.0/conv1/Conv", kernel_shape=[3, 3], pads=[1] * 4),
        helper.make_node("Relu", ["a"], ["b"], "/layer1/layer1.0/relu/Relu"),
        helper.make_node("Add", ["b", "x8"], ["c"], "/layer1/layer1.0/Add"),
        helper.make_node("Conv", ["c", "w2"], ["d"], "/layer1/layer1.1/conv1/Conv", kernel_shape=[1, 1]),
        helper.make_node("MaxPool", ["d"], ["e"], "/MaxPool", kernel_shape=[2, 2], strides=[2, 2]),
    ]
    graph = read(
        model(
            nodes,
            [value("x", ["batch", 8, 6, 6]), value("x8", ["batch", 8, 6, 6])],
            [value("e", None)],
            [weight("w1", 8, 8, 3, 3), weight("w2", 4, 8, 1, 1), weight("spare", 5)],
        ),
        tmp_path,
    )
    check_sound(graph)
    by_name = graph.by_name
    assert list(by_name) == [
        "layer1", "layer1.0", "layer1.0.conv1", "layer1.0.relu", "layer1.0.Add()", "layer1.1", "layer1.1.conv1", "MaxPool()",
    ]  # fmt: skip
    conv = by_name["layer1.0.conv1"]
    assert (conv.operation, conv.kind, conv.role, conv.own_parameters) == ("Conv", "module", "compute", 576)
    assert conv.outputs == ((-1, 8, 6, 6),)
    assert conv.output_dtypes == ("float32",)
    assert conv.flops == 2 * 8 * 6 * 6 * 8 * 9
    assert conv.memory == 8 * 36 * 4
    assert conv.arguments["kernel_shape"] == "(3, 3)"
    assert by_name["layer1"].parameters == 576 + 32
    assert by_name["layer1"].inputs == ((-1, 8, 6, 6), (-1, 8, 6, 6))
    assert by_name["layer1"].outputs == ((-1, 4, 6, 6),)
    assert by_name["layer1.0.relu"].activation == "relu"
    assert [edge.activation for edge in graph.edges if edge.source == by_name["layer1.0.relu"].id] == ["relu"]
    pool = by_name["MaxPool()"].pool
    assert pool is not None
    assert (pool.kind, pool.window, pool.stride, pool.kept, pool.seen) == ("max", [2, 2], [2, 2], 0.25, 1.0)
    assert graph.parameters == 576 + 32 + 5
    assert graph.unused == ("spare",)


@pytest.mark.parametrize("dynamo", [True, False])
def test_an_exported_network_has_the_modules_of_the_network(tmp_path: Path, dynamo: bool) -> None:
    torch = pytest.importorskip("torch")
    pytest.importorskip("onnxscript", reason="torch.onnx needs the package onnxscript")
    from pellucid.graph import trace

    net = torch.nn.Sequential(
        torch.nn.Conv2d(3, 4, 3), torch.nn.ReLU(), torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(144, 5))
    ).eval()
    inputs = torch.zeros(1, 3, 8, 8)
    path = tmp_path / "net.onnx"
    with pytest.warns() if not dynamo else _nothing():
        torch.onnx.export(net, (inputs,), path, dynamo=dynamo, verbose=False)
    graph, traced = read_graph(path), trace(net, inputs)
    check_sound(graph)
    assert graph.parameters == traced.parameters  # the shape of a Reshape is none
    assert graph.flops == traced.flops
    assert {"0", "1", "2.1"} <= set(graph.by_name)
    assert graph.by_name["1"].activation == "relu"


def _nothing() -> Any:
    import contextlib
    import warnings

    @contextlib.contextmanager
    def quiet() -> Any:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield

    return quiet()


def test_a_loop_says_its_steps_and_what_is_fed_back(tmp_path: Path) -> None:
    body = helper.make_graph(
        [
            helper.make_node("Identity", ["go"], ["go_on"]),
            helper.make_node("MatMul", ["state", "w"], ["next"], "step"),
            helper.make_node("Add", ["next", "outer"], ["each"]),
        ],
        "body",
        [value("i", [], INT), value("go", [], TensorProto.BOOL), value("state", [1, 4])],
        [value("go_on", [], TensorProto.BOOL), value("next", [1, 4]), value("each", [1, 4])],
    )
    nodes = [
        helper.make_node("Relu", ["x"], ["start"]),
        helper.make_node("Loop", ["count", "yes", "start"], ["last", "all"], "/rnn/Loop", body=body),
    ]
    count = helper.make_tensor("count", INT, [], [7])
    yes = helper.make_tensor("yes", TensorProto.BOOL, [], [True])
    graph = read(
        model(
            nodes,
            [value("x", [1, 4]), value("outer", [1, 4])],
            [value("last", [1, 4]), value("all", None)],
            [count, yes, weight("w", 4, 4)],
        ),
        tmp_path,
    )
    check_sound(graph)
    loop = graph.by_name["rnn.Loop()"] if "rnn.Loop()" in graph.by_name else graph.by_name["rnn"]
    assert loop.steps == 7
    assert graph.operators == 5 == len(leaves(graph))
    step = next(node for node in graph.nodes if node.operation == "MatMul")
    assert step.parent == loop.id
    into = [edge for edge in graph.edges if edge.target == step.id]
    assert [(graph.nodes[edge.source].operation, edge.feeds_back) for edge in into] == [
        ("Relu", False),
        ("MatMul", True),
    ]
    assert [edge for edge in graph.edges if edge.feeds_back and edge not in into and edge.target != step.id] == [
        edge for edge in graph.edges if edge.feeds_back and graph.nodes[edge.target].operation == "Identity"
    ]


def test_a_scan_runs_over_its_input_and_feeds_back(tmp_path: Path) -> None:
    body = helper.make_graph(
        [helper.make_node("Add", ["s", "x"], ["t"], "sum")],
        "body", [value("s", [4]), value("x", [4])], [value("t", [4])],
    )  # fmt: skip
    nodes = [helper.make_node("Scan", ["s0", "xs"], ["end"], "scan", body=body, num_scan_inputs=1)]
    graph = read(model(nodes, [value("s0", [4]), value("xs", [9, 4])], [value("end", [4])]), tmp_path)
    check_sound(graph)
    scan = next(node for node in graph.nodes if node.operation == "Scan" and node.kind == "module")
    assert scan.steps == 9
    total = next(node for node in graph.nodes if node.operation == "Add")
    into = [
        (graph.nodes[edge.source].name, edge.argument, edge.feeds_back)
        for edge in graph.edges
        if edge.target == total.id
    ]
    assert into == [("s0", 0, False), (total.name, 0, True), ("xs", 1, False)]


def test_both_branches_of_an_if_are_nested(tmp_path: Path) -> None:
    then = helper.make_graph([helper.make_node("Relu", ["x"], ["y"])], "t", [], [value("y", [2])])
    other = helper.make_graph(
        [helper.make_node("Mul", ["x", "k"], ["z"])], "e", [], [value("z", [2])], [weight("k", 2)]
    )  # fmt: skip
    nodes = [helper.make_node("If", ["c"], ["out"], "choice", then_branch=then, else_branch=other)]
    graph = read(model(nodes, [value("c", [], TensorProto.BOOL), value("x", [2])], [value("out", [2])]), tmp_path)
    check_sound(graph)
    assert [node.name for node in graph.nodes if node.kind != "input"] == [
        "choice", "choice.then_branch", "choice.then_branch.Relu()", "choice.else_branch", "choice.else_branch.Mul()",
        "choice.result()", "output",
    ]  # fmt: skip
    assert graph.operators == 3
    assert graph.parameters == 2
    result = graph.by_name["choice.result()"]
    assert [graph.nodes[edge.source].name for edge in graph.edges if edge.target == result.id] == [
        "c", "choice.then_branch.Relu()", "choice.else_branch.Mul()",
    ]  # fmt: skip


def test_functions_of_the_model_are_modules_with_shapes_inside(tmp_path: Path) -> None:
    inside = [
        helper.make_node("MatMul", ["a", "b"], ["m"]),
        helper.make_node("LeakyRelu", ["m"], ["r"]),
    ]
    inside[1].attribute.add(name="alpha", ref_attr_name="slope", type=onnx.AttributeProto.FLOAT)
    function = helper.make_function(
        "mine", "Dense", ["a", "b"], ["r"], inside, [helper.make_opsetid("", 21)], attributes=["slope"]
    )
    nodes = [
        helper.make_node("Dense", ["x", "w"], ["y"], "/mlp/first/Dense", domain="mine", slope=0.5),
        helper.make_node("Dense", ["y", "w"], ["z"], "/mlp/second/Dense", domain="mine", slope=0.25),
    ]
    graph = read(
        model(
            nodes,
            [value("x", [3, 4])],
            [value("z", [3, 4])],
            [weight("w", 4, 4)],
            functions=[function],
            domains=[helper.make_opsetid("mine", 1)],
        ),
        tmp_path,
    )
    check_sound(graph)
    assert graph.operators == 4
    assert graph.parameters == 16  # shared by both calls
    products = [node for node in graph.nodes if node.operation == "MatMul"]
    assert [node.flops for node in products] == [2 * 3 * 4 * 4] * 2
    assert [node.arguments["alpha"] for node in graph.nodes if node.operation == "LeakyRelu"] == ["0.5", "0.25"]
    first = graph.nodes[products[0].parent or 0]
    assert (first.operation, first.outputs, first.kind) == ("Dense", ((3, 4),), "module")
    assert graph.backend_reason == ""


def test_flops_of_products(tmp_path: Path) -> None:
    nodes = [
        helper.make_node("ConvTranspose", ["x", "wt"], ["a"], "up"),
        helper.make_node("Gemm", ["y", "wg", "bias"], ["b"], "product", transA=1),
        helper.make_node("Einsum", ["p", "q"], ["c"], "ein", equation="bij,bjk->bik"),
        helper.make_node("LSTM", ["s", "wl", "rl"], ["d"], "rnn", hidden_size=4),
        helper.make_node("MatMul", ["p", "unknown"], ["e"], "open"),
    ]
    graph = read(
        model(
            nodes,
            [
                value("x", [1, 3, 5, 5]),
                value("y", [6, 2]),
                value("p", [2, 3, 4]),
                value("q", [2, 4, 5]),
                value("s", [7, 2, 3]),
                value("unknown", [2, 4, "any"]),
            ],
            [value(name, None) for name in "abcde"],
            [
                weight("wt", 3, 2, 3, 3),
                weight("wg", 6, 5),
                weight("bias", 5),
                weight("wl", 1, 16, 3),
                weight("rl", 1, 16, 4),
            ],
        ),
        tmp_path,
    )
    flops = {name: node.flops for name, node in graph.by_name.items()}
    assert flops == {
        "up": 2 * 75 * 2 * 9, "product": 2 * 2 * 5 * 6, "ein": 2 * 2 * 3 * 4 * 5, "rnn": 2 * 7 * 2 * 16 * (3 + 4), "open": None,
    }  # fmt: skip
    assert graph.by_name["rnn"].steps == 7


def test_a_model_of_twenty_thousand_operators_is_whole(tmp_path: Path) -> None:
    nodes, last = [], "x"
    for block in range(5_000):
        for place, kind in enumerate(("MatMul", "Relu", "Add", "Sigmoid")):
            reads = {"MatMul": [last, "w"], "Add": [last, "x"]}.get(kind, [last])
            last = f"v{block}_{place}"
            nodes.append(helper.make_node(kind, reads, [last], f"/blocks.{block}/part/{kind}"))
    held = model(nodes, [value("x", [1, 8])], [value(last, None)], [weight("w", 8, 8)])
    path = tmp_path / "m.onnx"
    path.write_bytes(held.SerializeToString())
    graph = read_graph(path)
    assert graph.operators == 20_000
    assert graph.parameters == 64


def _looping(shape: list[int] | None, made: list[int] | None, *, stops: bool = False) -> Any:
    """Three products of a state, and a product of what is left."""
    on = (
        helper.make_node("Less", ["step", "limit"], ["more"])
        if stops
        else helper.make_node("Identity", ["on"], ["more"])
    )
    body = helper.make_graph(
        [helper.make_node("MatMul", ["state", "w"], ["next"]), on],
        "body",
        [value("step", [], INT), value("on", [], TensorProto.BOOL), value("state", shape)],
        [value("more", [], TensorProto.BOOL), value("next", made)],
        [helper.make_tensor("limit", INT, [], [2])],
    )
    loop = helper.make_node("Loop", ["count", "", "x"], ["last"], "loop", body=body)
    return model(
        [loop, helper.make_node("MatMul", ["last", "w"], ["y"], "after")], [value("x", [2, 4])], [value("y", None)],
        [weight("w", 4, 4), helper.make_tensor("count", INT, [], [3])],
    )  # fmt: skip


@pytest.mark.parametrize(("shape", "made"), [([2, 4], [2, 4]), (None, [2, 4]), ([2, 4], None)])
def test_what_a_loop_begins_with_and_hands_on_alike_has_that_shape_after_it(
    shape: list[int] | None, made: list[int] | None, tmp_path: Path
) -> None:
    graph = read(_looping(shape, made), tmp_path)
    assert graph.by_name["after"].inputs[0] == graph.by_name["after"].outputs[0] == (2, 4)
    assert (graph.flops, graph.backend_reason) == (4 * 2 * 2 * 4 * 4, "")


def test_a_tensor_of_unknown_rank_is_no_scalar(tmp_path: Path) -> None:
    graph = read(_looping(None, None), tmp_path)
    assert graph.by_name["after"].outputs == ((-1,),)


def test_of_a_loop_that_may_stop_early_all_steps_are_counted_and_it_is_said(tmp_path: Path) -> None:
    graph = read(_looping([2, 4], [2, 4], stops=True), tmp_path)
    assert graph.flops == 4 * 2 * 2 * 4 * 4
    assert "Loop() may stop before its last step: FLOPs are those of all its steps" in graph.backend_reason


def test_scales_bounds_and_first_states_are_no_parameters(tmp_path: Path) -> None:
    nodes = [
        helper.make_node("Clip", ["x", "low", "high"], ["clipped"]),
        helper.make_node("Pad", ["clipped", "pads", "low"], ["padded"]),
        helper.make_node("QuantizeLinear", ["padded", "scale"], ["whole"]),
        helper.make_node("DequantizeLinear", ["whole", "scale"], ["again"]),
        helper.make_node("Resize", ["again", "", "scales"], ["large"]),
        helper.make_node("GRU", ["large", "w", "r", "", "", "state"], ["y"], hidden_size=2),
    ]
    kept = [weight("low"), weight("high"), weight("scale"), weight("scales", 3), weight("state", 1, 1, 2),
            weight("w", 1, 6, 4), weight("r", 1, 6, 2), helper.make_tensor("pads", INT, [6], [0] * 6)]  # fmt: skip
    graph = read(model(nodes, [value("x", [5, 1, 4])], [value("y", None)], kept), tmp_path)
    assert graph.parameters == 6 * 4 + 6 * 2
    assert [node.operation for node in graph.nodes if node.parameters] == ["GRU"]
