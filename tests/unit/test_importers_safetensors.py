"""Files of weights alone: their modules; and headers that lie."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import save_file

from pellucid.errors import ModelError
from pellucid.graph import Graph
from pellucid.graph.importers import read_graph

TENSORS = {
    f"model.layers.{layer}.{part}.weight": np.zeros((4, 8), np.float32) for layer in range(12) for part in ("q", "k")
} | {"model.embed.weight": np.zeros((10, 4), np.float16), "scale": np.zeros((), np.int64)}


def written(folder: Path, header: Any, body: int = 0, length: int | None = None) -> Path:
    path = folder / "net.safetensors"
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    path.write_bytes((len(text) if length is None else length).to_bytes(8, "little") + text + bytes(body))
    return path


def entry(shape: list[int], begin: int, end: int, dtype: str = "F32") -> dict[str, Any]:
    return {"dtype": dtype, "shape": shape, "data_offsets": [begin, end]}


def test_modules_follow_the_names_and_repeats_fold(tmp_path: Path) -> None:
    path = tmp_path / "net.safetensors"
    save_file(TENSORS, path)
    graph = read_graph(path)
    assert (graph.backend, graph.edges, graph.flops) == ("file", (), None)
    assert graph.backend_reason == (
        "Weights alone: no file says how they are connected. Whole numbers and running statistics (1 in all) count as buffers, "
        "not as parameters."
    )
    assert graph.parameters == graph.trainable == sum(one.size for name, one in TENSORS.items() if name != "scale")
    assert {node.kind for node in graph.nodes} == {"module"}
    layer = graph.by_name["model.layers.3"]
    assert (layer.parameters, layer.own_parameters) == (64, 0)
    query = graph.by_name["model.layers.3.q"]
    assert (query.own_parameters, query.outputs, query.output_dtypes) == (32, ((4, 8),), ("float32",))
    assert query.arguments == {"weight": "float32 (4, 8)"}
    assert graph.nodes[query.parent or 0] is layer
    [layers] = graph.to_panel().repeats
    assert [graph.nodes[id_].name for id_ in layers] == [f"model.layers.{number}" for number in range(12)]


def test_a_checkpoint_in_several_files_is_one(tmp_path: Path) -> None:
    names = sorted(TENSORS)
    places = {name: f"model-{place % 2}.safetensors" for place, name in enumerate(names)}
    for file in set(places.values()):
        save_file({name: TENSORS[name] for name in names if places[name] == file}, tmp_path / file)
    index = tmp_path / "model.safetensors.index.json"
    index.write_text(json.dumps({"weight_map": places}))
    save_file(TENSORS, tmp_path / "whole.safetensors")
    assert read_graph(index) == read_graph(tmp_path / "whole.safetensors")
    (tmp_path / "model-1.safetensors").unlink()
    with pytest.raises(ModelError, match=r"1 of them are not beside it: model-1\.safetensors"):
        read_graph(index)


@pytest.mark.parametrize(
    ("held", "said"),
    [
        ("[]", "no 'weight_map'"),
        ('{"weight_map": {}}', "no 'weight_map'"),
        ('{"weight_map": {"a": "../b.safetensors"}}', "outside its own folder"),
        ('{"weight_map": {"a": "/etc/passwd"}}', "outside its own folder"),
        ("{", "cannot be read as an index"),
    ],
)
def test_an_index_that_lies_is_refused(tmp_path: Path, held: str, said: str) -> None:
    index = tmp_path / "model.safetensors.index.json"
    index.write_text(held)
    with pytest.raises(ModelError, match=said):
        read_graph(index)


@pytest.mark.parametrize(
    ("header", "body", "said"),
    [
        ({"a": entry([2], 0, 8), "b": entry([2], 4, 12)}, 12, "'a' and 'b' in .* overlap"),
        ({"a": entry([2], 0, 8)}, 4, "cut short"),
        ({"a": entry([3], 0, 8)}, 8, r"should have 12 bytes \(F32 \(3,\)\), and has 8"),
        ({"a": entry([2], 0, 8, "F31")}, 8, "type 'F31'"),
        ({"a": entry([-2], 0, 8)}, 8, "the file is damaged"),
        ({"a": {"dtype": "F32", "shape": [2]}}, 8, "the file is damaged"),
        ({"a": [1, 2]}, 0, "the file is damaged"),
        ([1, 2], 0, "expected an object"),
        (b'{"a": {', 0, "no JSON"),
        (b"\xff\xfe{}", 0, "no JSON"),
        (b"[" * 100_000, 0, "no JSON"),
        (b'{"a": 1, "a": 2}', 0, "'a' twice"),
    ],
)
def test_a_header_that_lies_is_refused(tmp_path: Path, header: Any, body: int, said: str) -> None:
    with pytest.raises(ModelError, match=said):
        read_graph(written(tmp_path, header, body))


@pytest.mark.parametrize("length", [3, 10**6, 2**63, 2**64 - 1])
def test_a_header_of_another_length_is_refused(tmp_path: Path, length: int) -> None:
    with pytest.raises(ModelError, match="Was it downloaded whole"):
        read_graph(written(tmp_path, {"a": entry([2], 0, 8)}, 8, length))


def test_every_truncation_is_refused(tmp_path: Path) -> None:
    path = written(tmp_path, {"a": entry([2], 0, 8)}, 8)
    whole = path.read_bytes()
    for length in range(len(whole)):
        path.write_bytes(whole[:length])
        with pytest.raises(ModelError):
            read_graph(path)


def test_hostile_names_are_bounded_lines_of_text(tmp_path: Path) -> None:
    names = ["a\x1b[0m\nb.weight", ".".join("d" * 5_000), "x" * 200_000, "..", "", "<b>.weight"]
    path = written(tmp_path, {name: entry([1], 4 * place, 4 * place + 4) for place, name in enumerate(names)}, 24)
    graph = read_graph(path)
    assert graph.parameters == len(names)
    assert all(len(node.name) <= 1_000 and "\x1b" not in node.name and "\n" not in node.name for node in graph.nodes)
    assert all(len(name) <= 200 for node in graph.nodes for name in node.arguments)
    assert max(_depths(graph)) < 80


def _depths(graph: Graph) -> list[int]:
    depths: list[int] = []
    for node in graph.nodes:
        depths.append(0 if node.parent is None else depths[node.parent] + 1)
    return depths


def test_two_hundred_thousand_tensors_are_all_there(tmp_path: Path) -> None:
    header = {
        f"layers.{number // 4}.{'qkvo'[number % 4]}.weight": entry([1], 4 * number, 4 * number + 4)
        for number in range(200_000)
    }
    path = written(tmp_path, header, 800_000)
    graph = read_graph(path)
    assert graph.parameters == 200_000


def test_running_statistics_and_whole_numbers_are_no_parameters(tmp_path: Path) -> None:
    torch = pytest.importorskip("torch")
    net = torch.nn.Sequential(torch.nn.Conv2d(3, 4, 3), torch.nn.BatchNorm2d(4))
    save_file({name: tensor.numpy() for name, tensor in net.state_dict().items()}, tmp_path / "net.safetensors")
    graph = read_graph(tmp_path / "net.safetensors")
    assert graph.parameters == graph.trainable == sum(one.numel() for one in net.parameters())
    assert graph.by_name["1"].own_parameters == graph.by_name["1"].trainable == 8
    assert graph.by_name["1"].arguments["running_mean"] == "float32 (4,)"  # it is shown all the same
    assert f"({4 + 4 + 1} in all)" in graph.backend_reason
