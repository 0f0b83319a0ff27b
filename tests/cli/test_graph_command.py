"""`pellucid graph`: text, JSON, drawings and the app in one file; two models compared; what it refuses."""

from __future__ import annotations

import base64
import gzip
import json
import re
import struct
from pathlib import Path
from xml.etree import ElementTree

import msgspec
import pytest
import torch
from torch import nn

from pellucid.record import schema
from support.program import Program

EDITED = """
import torch
from torch import nn


class Net(nn.Module):
    def __init__(self, kernel=3, rate=0.1, norm=False, named="head"):
        super().__init__()
        self.features = nn.Sequential(nn.Conv2d(1, 4, kernel, padding=kernel // 2), nn.ReLU(), nn.Dropout(rate))
        if norm:
            self.features.insert(1, nn.BatchNorm2d(4))
        self.named = named
        self.add_module(named, nn.Linear(256, 10))

    def forward(self, images):
        return self.get_submodule(self.named)(self.features(images).flatten(1))


class Stops(nn.Module):
    def __init__(self):
        super().__init__()
        self.first, self.second = nn.Linear(4, 4), nn.Linear(5, 2)

    def forward(self, values):
        return self.second(self.first(values))


def before():
    return Net()


def after():
    return Net(kernel=5, rate=0.5, norm=True, named="classify")


def program():
    return torch.export.export(Net().eval(), (torch.zeros(1, 1, 8, 8),))
"""
SHAPE = ("--input", "1,1,8,8")


@pytest.fixture
def edited(workplace: Path) -> Path:
    (workplace / "edited.py").write_text(EDITED, encoding="utf-8")
    return workplace


def drawn(text: str) -> list[str]:
    """The texts of a drawing, which must be XML without script."""
    root = ElementTree.fromstring(text)  # noqa: S314 - our own
    assert root.tag == "{http://www.w3.org/2000/svg}svg"
    names = {element.tag.rpartition("}")[2] for element in root.iter()}
    assert names <= {"svg", "title", "style", "rect", "line", "path", "g", "text", "tspan"}
    assert not any(name.startswith("on") or "href" in name for element in root.iter() for name in element.attrib)
    return ["".join(element.itertext()) for element in root.iter() if element.tag.endswith("}text")]


def held(page: str, path: str) -> bytes:
    """What an exported file holds under a path of the HTTP API."""
    (packed,) = re.findall(rf'<script type="[^"]*" data-path="{path}">([^<]*)</script>', page)
    return gzip.decompress(base64.b64decode(packed))


# --- one graph ------------------------------------------------------------------------------------------------


def test_depth_folds_what_modules_hold(pellucid: Program, edited: Path) -> None:
    whole = pellucid("graph", "edited.py:before", *SHAPE).out
    folded = pellucid("graph", "edited.py:before", *SHAPE, "--depth", 1).out
    assert "Conv2d" in whole
    assert "Conv2d" not in folded
    assert [line.split()[0] for line in folded.splitlines()[1:-1]] == ["features", "flatten()", "head"]


def test_svg_writes_a_drawing_and_prints_it_for_a_dash(pellucid: Program, edited: Path) -> None:
    answered = pellucid("graph", "edited.py:before", *SHAPE, "--svg", "net.svg")
    assert (answered.code, answered.out) == (0, "")
    assert answered.err.startswith("net.svg: ")
    text = (edited / "net.svg").read_text(encoding="utf-8")
    assert any("Conv2d" in said for said in drawn(text))
    printed = pellucid("graph", "edited.py:before", *SHAPE, "--svg", "-")
    assert (printed.code, printed.out, printed.err) == (0, text, "")


def test_a_drawing_has_hostile_names_as_text(pellucid: Program, workplace: Path) -> None:
    answered = pellucid("graph", "net.py:Hostile", "--input", "1,4", "--svg", "-")
    assert answered.code == 0
    said = drawn(answered.out)
    assert any(text.startswith("</script><img src=x onerror=alert(1)>"[:20]) for text in said)
    assert any("\\x1b[31mred\\u202e" in text for text in said)


@pytest.mark.usefixtures("edited")
def test_html_writes_the_app_with_the_graph_alone_and_lands_on_it(pellucid: Program, workplace: Path) -> None:
    answered = pellucid("graph", "edited.py:before", *SHAPE, "--html", "net.html")
    assert (answered.code, answered.out) == (0, "")
    page = (workplace / "net.html").read_text(encoding="utf-8")
    assert page.startswith('<!doctype html>\n<html lang="en" data-page="graph">')
    manifest = msgspec.json.decode(held(page, "manifest"), type=schema.Manifest)
    assert (manifest.title, manifest.state, manifest.examples) == ("Net", "complete", 0)
    panel = msgspec.json.decode(held(page, "panels/graph"), type=schema.GraphPanel)
    assert any(node.operation == "Conv2d" for node in panel.nodes)
    assert set(re.findall(r'data-path="panels/(\w+)"', page)) == {"graph"}


def test_a_configuration_by_its_path_needs_no_weights(pellucid: Program, workplace: Path) -> None:
    pytest.importorskip("transformers")
    sizes = {
        "hidden_size": 32,
        "num_hidden_layers": 2,
        "num_attention_heads": 2,
        "intermediate_size": 64,
        "vocab_size": 99,
    }
    (workplace / "config.json").write_text(json.dumps({"model_type": "bert", "architectures": ["BertModel"], **sizes}))
    answered = pellucid("graph", "config.json", "--depth", 2)
    assert answered.code == 0, answered.err
    assert "BertEncoder" in answered.out


# --- two graphs -----------------------------------------------------------------------------------------------


@pytest.mark.usefixtures("edited")
def test_against_says_in_sentences_what_became_of_the_other_model(pellucid: Program) -> None:
    answered = pellucid("graph", "edited.py:after", "--against", "edited.py:before", *SHAPE)
    assert (answered.code, answered.err) == (0, "")
    first, *lines = answered.out.splitlines()
    assert first == "edited.py:before → edited.py:after: 1 added, 3 changed"
    assert lines[:2] == ["  parameters 2,610 → 2,682", "  added    features.1 (BatchNorm2d, 8 parameters)"]
    assert lines[2].startswith("  changed  features.0 (Conv2d): kernel_size (3, 3) → (5, 5), padding (1, 1) → (2, 2)")
    assert lines[3:] == [
        "  changed  features.2 → features.3 (Dropout): p 0.1 → 0.5",
        "  changed  head → classify (Linear): renamed",
    ]


@pytest.mark.usefixtures("edited")
def test_against_itself_says_that_nothing_differs(pellucid: Program) -> None:
    answered = pellucid("graph", "edited.py:before", "--against", "edited.py:before", *SHAPE)
    assert answered.out == "edited.py:before and edited.py:before have the same graph: 8 calls, 2,610 parameters.\n"


@pytest.mark.usefixtures("edited")
def test_a_difference_as_json_drawing_and_app(pellucid: Program, workplace: Path) -> None:
    arguments = ("graph", "edited.py:after", "--against", "edited.py:before", *SHAPE)
    document = pellucid(*arguments, "--json").json
    assert list(document) == ["graph", "difference"]
    changes = [(change["kind"], change["what"]) for change in document["difference"]["changes"]]
    assert changes == [
        ("added", []), ("changed", ["arguments", "parameters"]), ("changed", ["arguments"]), ("changed", ["name"]),
    ]  # fmt: skip
    assert document["difference"]["name"] == "edited.py:before"
    said = drawn(pellucid(*arguments, "--svg", "-").out)
    assert said[0] == "edited.py:before → edited.py:after: 1 added, 3 changed"
    assert {"edited.py:before", "edited.py:after", "+ added", "≠ changed"} <= set(said)
    assert pellucid(*arguments, "--html", "both.html").code == 0
    page = (workplace / "both.html").read_text(encoding="utf-8")
    panel = msgspec.json.decode(held(page, "panels/graph_difference"), type=schema.GraphDifferencePanel)
    assert [change.kind for change in panel.changes] == ["added", "changed", "changed", "changed"]


@pytest.mark.usefixtures("edited")
def test_graphs_of_different_formats_are_compared_by_what_they_do(pellucid: Program, workplace: Path) -> None:
    onnx = pytest.importorskip("onnx")
    module = nn.Sequential(nn.Linear(4, 4), nn.ReLU()).eval()
    torch.export.save(torch.export.export(module, (torch.zeros(1, 4),)), workplace / "net.pt2")
    helper, kind = onnx.helper, onnx.TensorProto.FLOAT
    ends = [helper.make_tensor_value_info(name, kind, [1, 4]) for name in ("x", "y")]
    weights = [helper.make_tensor(name, kind, [4] * axes, [0.0] * 4**axes) for name, axes in (("w", 2), ("b", 1))]
    nodes = [
        helper.make_node("Gemm", ["x", "w", "b"], ["h"], "/0/Gemm", transB=1),
        helper.make_node("Relu", ["h"], ["y"]),
    ]
    graph = helper.make_graph(nodes, "net", ends[:1], ends[1:], weights)
    held = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)])
    (workplace / "net.onnx").write_bytes(held.SerializeToString())
    asked = ("graph", "net.onnx", "--against", "net.pt2", "--trust")
    answered = pellucid(*asked)
    assert (answered.code, answered.out) == (0, "net.pt2 and net.onnx do the same: 20 and 20 parameters.\n")
    assert answered.err.startswith("They are from different formats (a program of torch.export; ONNX): ")
    assert pellucid(*asked, "--json").json["difference"]["changes"] == []


# --- refused --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        (("--json", "--svg", "a.svg"), "--json and --svg are answers of their own: give one of them."),
        (("--svg", "a.svg", "--html", "a.html"), "--svg and --html are answers of their own: give one of them."),
        (
            ("--depth", "2", "--html", "a.html"),
            "--depth folds the text and the drawing of --svg; --html holds the whole graph.",
        ),
        (("--html", "-"), "--html writes a file of a megabyte or more; name it: --html graph.html."),
    ],
)
def test_answers_that_exclude_each_other(pellucid: Program, edited: Path, asked: tuple[str, ...], said: str) -> None:
    answered = pellucid("graph", "edited.py:before", *SHAPE, *asked)
    assert answered.code == 2
    assert said in (answered.json["message"] if "--json" in asked else answered.refusal)
    assert not list(edited.glob("a.*"))


def test_a_forward_that_stops_is_drawn_up_to_there(pellucid: Program, edited: Path) -> None:
    answered = pellucid("graph", "edited.py:Stops", "--input", "1,4", "--svg", "half.svg")
    assert answered.code == 2
    assert "The forward stopped half-way, the drawing ends there: " in answered.err
    assert "second (Linear) takes (..., 5)" in answered.err
    assert any("stopped half-way" in said for said in drawn((edited / "half.svg").read_text(encoding="utf-8")))
    printed = pellucid("graph", "edited.py:Stops", "--input", "1,4", "--depth", 1)
    assert re.search(r"^second +Linear +raised: ", printed.out, re.MULTILINE)


@pytest.mark.usefixtures("edited")
def test_a_forward_that_stops_is_json_up_to_there_with_the_error(pellucid: Program) -> None:
    answered = pellucid("graph", "edited.py:Stops", "--input", "1,4", "--json")
    assert (answered.code, answered.err) == (2, "")
    assert list(answered.json) == ["kind", "message", "graph"]
    error = msgspec.convert(answered.json, schema.ErrorAnswer)
    assert error.kind == "ForwardError"
    assert error.message.startswith("The forward stopped half-way: RuntimeError: ")
    panel = msgspec.convert(answered.json["graph"], schema.GraphPanel)
    calls = [(node.path, bool(node.error)) for node in panel.nodes if node.kind == "module"]
    assert calls == [("first", False), ("second", True)]
    assert panel.error is not None
    assert panel.error.startswith("RuntimeError: ")


def test_an_input_that_does_not_fit_is_told_what_the_first_layers_take(pellucid: Program, edited: Path) -> None:
    refused = pellucid("graph", "edited.py:before", "--input", "1,3,8,8", "--json")
    assert refused.code == 2
    assert refused.json["kind"] == "ForwardError"
    assert "features.0 (Conv2d) takes (batch, 1, height, width)" in refused.json["message"]
    assert "zeros of shape (1, 3, 8, 8); --input gives another" in refused.json["message"]


def test_graphs_that_end_half_way_are_not_compared(pellucid: Program, edited: Path) -> None:
    arguments = ("graph", "edited.py:Stops", "--against", "edited.py:Stops", "--input", "1,4", "--svg", "a.svg")
    assert pellucid(*arguments).refusal.startswith("There is no difference of graphs that end half-way. Stops: ")
    assert not (edited / "a.svg").exists()


def test_weights_and_input_are_for_models_that_run(pellucid: Program, workplace: Path) -> None:
    (workplace / "net.onnx").write_bytes(b"")
    for option, value in (("--input", "1,3,8,8"), ("--weights", "w.pt")):
        said = pellucid("graph", "net.onnx", option, value).refusal
        assert said == f"{option} is for a model that runs; net.onnx is a file, whose graph is read as it is."


def _damaged(folder: Path) -> None:
    (folder / "net.safetensors").write_bytes(struct.pack("<Q", 1 << 40) + b"{}")
    (folder / "nothing.onnx").write_bytes(b"\x00\xff no protobuf")
    (folder / "config.json").write_text('{"hidden_size": 3}', encoding="utf-8")
    torch.save(nn.Linear(2, 2).state_dict(), folder / "weights.pt")


@pytest.mark.parametrize(
    ("model", "kind"),
    [
        ("nowhere", "ModelError"),
        ("nowhere.onnx", "ModelError"),
        ("nowhere.py:make", "ModelError"),
        ("torchvision:no_such", "ModelError"),
        ("net.safetensors", "ModelError"),
        ("nothing.onnx", "ModelError"),
        ("config.json", "ModelError"),
        ("weights.pt", "ModelError"),
    ],
)
@pytest.mark.parametrize("answer", ["--json", "--svg", "--html"])
def test_what_cannot_be_opened_is_refused_and_nothing_is_written(
    pellucid: Program, workplace: Path, model: str, kind: str, answer: str
) -> None:
    for extra in {"nothing.onnx": "onnx", "config.json": "transformers", "torchvision:no_such": "torchvision"}.items():
        if model == extra[0]:
            pytest.importorskip(extra[1])
    _damaged(workplace)
    before = sorted(workplace.iterdir())
    answered = pellucid("graph", model, *([answer] if answer == "--json" else [answer, "out"]))
    if answer == "--json":
        assert (answered.code, answered.json["kind"]) == (2, kind)
    else:
        assert "Traceback" not in answered.refusal
    assert [path for path in sorted(workplace.iterdir()) if path.name != "__pycache__"] == before


def _onnx(folder: Path, **changes: int) -> None:
    """A file whose weights lie in another that is not there, or whose operator set nobody knows."""
    onnx = pytest.importorskip("onnx")
    helper = onnx.helper
    kinds = onnx.TensorProto.FLOAT
    weight = onnx.TensorProto(name="w", data_type=kinds, dims=[4, 4], data_location=onnx.TensorProto.EXTERNAL)
    for key, value in (("location", "gone.bin"), ("offset", "0"), ("length", "64")):
        weight.external_data.append(onnx.StringStringEntryProto(key=key, value=value))
    if changes:
        weight = helper.make_tensor("w", kinds, [4, 4], [0.0] * 16)
    value = [helper.make_tensor_value_info(name, kinds, [1, 4]) for name in ("x", "y")]
    graph = helper.make_graph([helper.make_node("MatMul", ["x", "w"], ["y"])], "net", value[:1], value[1:], [weight])
    opsets = [helper.make_opsetid("", changes.get("version", 17))]
    (folder / "net.onnx").write_bytes(helper.make_model(graph, opset_imports=opsets).SerializeToString())


def test_onnx_whose_weights_are_missing_or_whose_operators_are_unknown_is_refused(
    pellucid: Program, workplace: Path
) -> None:
    _onnx(workplace)
    assert "gone.bin" in pellucid("graph", "net.onnx").refusal
    assert "gone.bin" in pellucid("graph", "net.onnx", "--svg", "a.svg").refusal
    assert not (workplace / "a.svg").exists()
    _onnx(workplace, version=9999)
    assert "9999" in pellucid("graph", "net.onnx").refusal


def test_a_program_of_torch_export_is_refused_without_trust(pellucid: Program, edited: Path) -> None:
    module = torch.export.export(nn.Sequential(nn.Linear(4, 4), nn.ReLU()).eval(), (torch.zeros(1, 4),))
    torch.export.save(module, edited / "net.pt2")
    refused = pellucid("graph", "net.pt2", "--json")
    assert (refused.code, refused.json["kind"]) == (2, "TrustError")
    assert "--trust" in refused.json["message"]
    answered = pellucid("graph", "net.pt2", "--trust")
    assert answered.code == 0, answered.err
    assert "20 parameters" in answered.out


def test_a_disk_that_refuses_leaves_nothing_behind(pellucid: Program, edited: Path) -> None:
    (edited / "taken.svg").mkdir()
    for answer, refusal in (("--svg", "Could not write taken.svg"), ("--html", "taken.svg is a folder")):
        assert pellucid("graph", "edited.py:before", *SHAPE, answer, "taken.svg").refusal.startswith(refusal)
    assert not list((edited / "taken.svg").iterdir())
    assert not list(edited.glob(".*"))
