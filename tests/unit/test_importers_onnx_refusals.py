"""ONNX files that lie, miss something or are no ONNX: refused by name, bounded, and nothing outside their folder asked for."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from pellucid.errors import ModelError
from pellucid.graph.importers import is_graph_file, read_graph

onnx = pytest.importorskip("onnx", reason="the package onnx is not installed")

from onnx import TensorProto, helper  # noqa: E402

from support.onnx_models import check_sound, leaves, model, read, value, weight  # noqa: E402


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


@pytest.mark.parametrize("domain", ["", "ai.onnx"])
def test_operators_that_onnx_does_not_have_are_told_whatever_they_claim(tmp_path: Path, domain: str) -> None:
    nodes = [
        helper.make_node("NoSuchOp", ["x"], ["m"], domain=domain),
        helper.make_node("Gelu", ["m"], ["g"], domain=domain),  # ONNX has it from version 20 on
        helper.make_node("NoSuchOp", ["g"], ["y"], domain=domain),
    ]
    held = plain(nodes)
    held.opset_import[0].version, held.opset_import[0].domain = 17, domain
    graph = read(held, tmp_path)
    check_sound(graph)
    assert [node.operation for node in leaves(graph)] == ["NoSuchOp", "Gelu", "NoSuchOp"]
    assert graph.backend_reason.startswith("Version 17 of ONNX's operators, which it uses, has no 'NoSuchOp', 'Gelu': ")
    held.opset_import[0].version = 20
    assert "has no 'NoSuchOp': " in read(held, tmp_path).backend_reason


def test_operators_of_a_function_are_of_the_version_that_the_function_uses(tmp_path: Path) -> None:
    inner = [helper.make_node("Gelu", ["a"], ["b"])]
    held = plain([helper.make_node("Mine", ["x"], ["y"], domain="mine")])
    held.functions.append(helper.make_function("mine", "Mine", ["a"], ["b"], inner, [helper.make_opsetid("", 20)]))
    held.opset_import[0].version = 17
    held.opset_import.add(domain="mine", version=1)
    assert read(held, tmp_path).backend_reason == ""
    held.functions[0].opset_import[0].version = 17
    assert "Version 17 of ONNX's operators, which it uses, has no 'Gelu'" in read(held, tmp_path).backend_reason


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
    branch = helper.make_graph(list(function.node), "inside", [], [])
    choice = helper.make_node("If", ["a"], ["b"], then_branch=branch, else_branch=branch)
    held = plain()  # which does not call it
    held.functions.append(helper.make_function("mine", "Again", ["a"], ["b"], [choice], [helper.make_opsetid("", 21)]))
    with pytest.raises(ModelError, match=r"'Again'.*calls itself"):
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
