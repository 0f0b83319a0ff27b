"""Graphs from ONNX files, against a brute-force reading of the same protobuf; and files that lie."""

from __future__ import annotations

import math
from collections import Counter
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

from pellucid.errors import ModelError
from pellucid.graph import Graph, Node
from pellucid.graph.importers import is_graph_file, read_graph

onnx = pytest.importorskip("onnx", reason="the package onnx is not installed")

from onnx import TensorProto, helper  # noqa: E402

FLOAT, INT = TensorProto.FLOAT, TensorProto.INT64
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
    initial = sum(math.prod(one.dims) for one in held.graph.initializer)
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
    lengths = [one for one in onnx.load(path).graph.initializer if one.data_type == INT]  # of a Reshape, say
    assert graph.parameters - sum(math.prod(one.dims) for one in lengths) == traced.parameters
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


# --- files that lie ---------------------------------------------------------------------------------------------


def plain(nodes: list[Any] | None = None) -> Any:
    return model(
        nodes or [helper.make_node("MatMul", ["x", "w"], ["y"])],
        [value("x", [1, 4])],
        [value("y", None)],
        [weight("w", 4, 4)],
    )


def external(held: Any, location: str, offset: int = 0) -> Any:
    tensor = held.graph.initializer[0]
    tensor.ClearField("float_data")
    tensor.data_location = TensorProto.EXTERNAL
    for key, text in (("location", location), ("offset", str(offset)), ("length", "64")):
        tensor.external_data.add(key=key, value=text)
    return held


def test_missing_or_short_external_data_is_refused_by_name(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"'weights\.bin', which is not beside it"):
        read(external(plain(), "weights.bin"), tmp_path)
    (tmp_path / "weights.bin").write_bytes(b"damaged" * 3)
    with pytest.raises(ModelError, match="up to byte 64, but that file ends at 21"):
        read(external(plain(), "weights.bin"), tmp_path)
    (tmp_path / "weights.bin").write_bytes(bytes(64))
    graph = read(external(plain(), "weights.bin"), tmp_path)
    assert (graph.parameters, graph.flops, graph.backend_reason) == (16, 32, "")


@pytest.mark.parametrize(
    "location", ["../secret", "/etc/passwd", "..\\secret", "C:\\secret", "a/../../secret", "", "a\0b"]
)
def test_external_data_outside_the_folder_is_never_asked_for(
    tmp_path: Path, location: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "inner"
    folder.mkdir()
    (tmp_path / "secret").write_bytes(bytes(64))
    asked: list[Path] = []
    monkeypatch.setattr("pellucid.graph.importers.onnx._length", lambda path: asked.append(path))
    with pytest.raises(ModelError, match="never opened"):
        read(external(plain(), location), folder)
    assert asked == []


def test_a_link_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "elsewhere").write_bytes(bytes(64))
    (tmp_path / "weights.bin").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(ModelError, match="not beside it"):
        read(external(plain(), "weights.bin"), tmp_path)


def test_a_newer_opset_is_refused_with_what_is_known(tmp_path: Path) -> None:
    held = plain()
    held.opset_import[0].version = 9999
    with pytest.raises(ModelError, match=r"version 9999 .* knows up to \d+"):
        read(held, tmp_path)


def test_operators_of_other_domains_are_shown_as_such(tmp_path: Path) -> None:
    nodes = [
        helper.make_node("Magic", ["x"], ["m"], domain="com.example"),
        helper.make_node("MatMul", ["m", "w"], ["y"]),
    ]
    graph = read(plain(nodes), tmp_path)
    assert [node.operation for node in leaves(graph)] == ["com.example::Magic", "MatMul"]
    assert "'com.example'" in graph.backend_reason


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "names no graph"),
        (b"\x08\x0a\x3a\xff\xff\xff\xff", "cut short"),
        (b"<!DOCTYPE html><html>not a model</html>", "no ONNX model"),
        (b"version https://git-lfs.github.com/spec/v1\n", "no ONNX model"),
    ],
)
def test_what_is_no_onnx_is_refused(tmp_path: Path, content: bytes, said: str) -> None:
    path = tmp_path / "m.onnx"
    path.write_bytes(content)
    with pytest.raises(ModelError, match=said):
        read_graph(path)


def test_every_truncation_is_refused_or_sound(tmp_path: Path) -> None:
    whole = plain().SerializeToString()
    path = tmp_path / "m.onnx"
    refused = 0
    for length in range(len(whole)):
        path.write_bytes(whole[:length])
        try:
            check_sound(read_graph(path))
        except ModelError:
            refused += 1
    assert refused > len(whole) // 2


def test_a_circle_and_a_function_that_calls_itself_are_refused(tmp_path: Path) -> None:
    circle = [helper.make_node("Add", ["x", "b"], ["a"], "first"), helper.make_node("Relu", ["a"], ["b"])]
    with pytest.raises(ModelError, match=r"'first'.*its own output"):
        read(plain(circle), tmp_path)
    function = helper.make_function(
        "mine", "Again", ["a"], ["b"], [helper.make_node("Again", ["a"], ["b"], domain="mine")],
        [helper.make_opsetid("mine", 1)],
    )  # fmt: skip
    held = plain([helper.make_node("Again", ["x"], ["y"], domain="mine")])
    held.functions.append(function)
    with pytest.raises(ModelError, match="calls itself"):
        read(held, tmp_path)


def test_functions_that_would_grow_without_bound_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pellucid.graph.importers.building.MOST_NODES", 2_000)
    held = plain([helper.make_node("f0", ["x"], ["y"], domain="m")])
    for depth in range(30):
        inner = [helper.make_node(f"f{depth + 1}" if depth < 29 else "Relu", ["a"], [name], domain="m" if depth < 29 else "")
                 for name in ("b", "c")]  # fmt: skip
        held.functions.append(
            helper.make_function("m", f"f{depth}", ["a"], ["b"], inner, [helper.make_opsetid("", 21)])
        )
    with pytest.raises(ModelError, match=r"more than 2,000"):
        read(held, tmp_path)


def test_operators_out_of_order_and_names_that_nothing_makes(tmp_path: Path) -> None:
    nodes = [helper.make_node("Relu", ["m"], ["y"]), helper.make_node("MatMul", ["x", "ghost"], ["m"])]
    graph = read(plain(nodes), tmp_path)
    check_sound(graph)
    assert [node.operation for node in leaves(graph)] == ["MatMul", "Relu"]
    assert "'ghost'" in graph.backend_reason


def test_hostile_names_are_bounded_lines_of_text(tmp_path: Path) -> None:
    names = [
        "a\x1b[31m\nb",
        "<script>alert(1)</script>",
        "x" * 100_000,
        "/".join("d" * 3_000),
        "../../etc/passwd",
        "\u202eevil",
    ]
    nodes, last = [], "x"
    for place, name in enumerate(names):
        nodes.append(helper.make_node("Relu", [last], [f"v{place}"], name))
        last = f"v{place}"
    nodes.append(helper.make_node("Relu", [last], ["y"], "x" * 100_001))
    graph = read(plain(nodes), tmp_path)
    check_sound(graph)
    for node in graph.nodes:
        assert len(node.name) < 30_000
        assert node.name.isprintable() or "\ufffd" in node.name
        assert not set(node.name) & set("\x1b\n\u202e")
    assert max(len(node.name) for node in graph.nodes if node.operation == "Relu" and "d" not in node.name) <= 300
    assert "<script>alert(1)" in "".join(node.name for node in graph.nodes)


def test_files_are_known_by_suffix_and_by_content(tmp_path: Path) -> None:
    unnamed = tmp_path / "model"
    unnamed.write_bytes(plain().SerializeToString())
    assert read_graph(unnamed).operators == 1
    assert is_graph_file(str(unnamed))
    assert is_graph_file("missing.onnx")
    assert not is_graph_file("net.py:make")
    assert not is_graph_file("torchvision:resnet18")
    with pytest.raises(ModelError, match="does not exist"):
        read_graph(tmp_path / "missing.onnx")
    with pytest.raises(ModelError, match="is a folder"):
        read_graph(tmp_path)
    (tmp_path / "notes.txt").write_text("hello")
    with pytest.raises(ModelError, match="no format that is known"):
        read_graph(tmp_path / "notes.txt")
