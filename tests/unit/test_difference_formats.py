"""The difference of two graphs of different formats: nothing where the model is one, and what was planted where it is not."""

from __future__ import annotations

import warnings
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor, nn
from torch.nn import functional

from pellucid.graph import Graph, trace
from pellucid.graph.difference import Change, difference
from pellucid.graph.importers import read_graph
from pellucid.graph.importers.exported import graph_of_program

pytest.importorskip("onnxscript", reason="the package onnxscript is not installed")


class Reader(nn.Module):
    """Attention by hand: products, a division, a softmax, layers on three axes, one without a bias."""

    def __init__(self, outputs: int = 5) -> None:
        super().__init__()
        self.embed, self.norm = nn.Embedding(50, 16), nn.LayerNorm(16)
        self.query, self.key, self.value = (nn.Linear(16, 16) for _ in range(3))
        self.head = nn.Linear(16, outputs, bias=False)

    def forward(self, ids: Tensor) -> Tensor:
        states = self.norm(self.embed(ids))
        scores = self.query(states) @ self.key(states).transpose(1, 2) / 4.0
        return self.head(torch.relu(states + torch.softmax(scores, -1) @ self.value(states))).mean(1)


class Upscaled(nn.Module):
    """What formats write otherwise: enlarged maps, channels as places, a SiLU, a mean over places, one of several steps."""

    def __init__(self) -> None:
        super().__init__()
        self.conv, self.up, self.shuffle = (
            nn.Conv2d(3, 8, 3, padding=1),
            nn.Upsample(scale_factor=2),
            nn.PixelShuffle(2),
        )
        self.act, self.pool, self.head = nn.SiLU(), nn.AdaptiveAvgPool2d(1), nn.Linear(2, 3)

    def forward(self, images: Tensor) -> Tensor:
        maps = self.act(self.shuffle(self.up(self.conv(images))))
        return self.head(self.pool(functional.interpolate(functional.silu(maps), scale_factor=2)).flatten(1))[:, 0]


def images(width: int = 4, *, extra: bool = False) -> nn.Sequential:
    layers = [nn.Conv2d(3, width, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(), nn.Linear(width * 16, 8)]
    return nn.Sequential(*layers, *([nn.Tanh()] if extra else []), nn.GELU(), nn.Linear(8, 3), nn.Softmax(-1))


IMAGE, IDS = torch.zeros(1, 3, 8, 8), torch.zeros(1, 7, dtype=torch.long)


def exported(model: nn.Module, example: Tensor) -> Graph:
    return graph_of_program(torch.export.export(model.eval(), (example,)))


def onnx(model: nn.Module, example: Tensor, folder: Path) -> Graph:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of the exporter's own
        torch.onnx.export(model.eval(), (example,), folder / "m.onnx", verbose=False)
    return read_graph(folder / "m.onnx")


def weights_of(model: nn.Module, folder: Path) -> Graph:
    save_file(model.state_dict(), folder / "m.safetensors")
    return read_graph(folder / "m.safetensors")


@pytest.mark.parametrize(("model", "example"), [(images(), IMAGE), (Reader(), IDS), (Upscaled(), IMAGE)])
def test_one_model_in_three_formats_does_the_same(tmp_path: Path, model: nn.Module, example: Tensor) -> None:
    graphs = [trace(model.eval(), example), exported(model, example), onnx(model, example, tmp_path)]
    words = ["a traced model", "a program of torch.export", "ONNX"]
    for place, old in enumerate(graphs):
        for there, new in enumerate(graphs):
            found = difference(old, new)
            assert found.changes == (), (words[place], words[there])
            assert found.formats == (None if place == there else (words[place], words[there]))
            for one, other in found.matches:  # in the ids of the two graphs as they are
                assert old.nodes[one].outputs[:1] == new.nodes[other].outputs[:1]
                assert (old.nodes[one].kind == "input") == (new.nodes[other].kind == "input")


def test_planted_edits_are_told_across_formats(tmp_path: Path) -> None:
    old = exported(images(), IMAGE)
    new = onnx(images(extra=True), IMAGE, tmp_path)
    (added,) = difference(old, new).changes
    assert (added.kind, new.nodes[added.new or 0].operation) == ("added", "Tanh")
    (removed,) = difference(new, old).changes
    assert removed == Change("removed", added.new, None)
    wider = onnx(images(width=6), IMAGE, tmp_path)
    changes = {old.nodes[change.old or 0].path: change.what for change in difference(old, wider).changes}
    assert changes["0"] == ("parameters", "shape")
    assert changes["4"] == ("parameters",)
    assert {path: what for path, what in changes.items() if what != ("shape",)}.keys() == {"0", "4"}


@pytest.mark.parametrize(("model", "example"), [(images(), IMAGE), (Reader(), IDS)])
def test_weights_alone_hold_what_the_model_holds(tmp_path: Path, model: nn.Module, example: Tensor) -> None:
    weights = weights_of(model, tmp_path)
    for graph in (trace(model.eval(), example), exported(model, example), onnx(model, example, tmp_path)):
        for found in (difference(weights, graph), difference(graph, weights)):
            assert found.changes == ()
            assert len(found.matches) >= len(weights.nodes) - 1  # all but the module without a name that holds the rest


def test_weights_alone_tell_what_a_model_has_more_and_less(tmp_path: Path) -> None:
    class Net(nn.Module):
        def __init__(self, *, later: bool) -> None:
            super().__init__()
            self.body, self.spare = nn.Linear(4, 6 if later else 4), nn.Linear(3, 3)
            self.mix = nn.MultiheadAttention(6 if later else 4, 2)  # never calls the layer in it that it reads
            self.block = nn.Sequential(nn.Linear(6, 6), nn.Linear(6, 6)) if later else nn.Sequential()
            self.head = nn.Sequential() if later else nn.Linear(4, 2)
            if not later:
                self.last = nn.Linear(2, 2)

        def forward(self, values: Tensor) -> Tensor:
            states = self.body(values)
            return self.head(self.block(self.mix(states, states, states)[0]))

    weights, graph = weights_of(Net(later=False), tmp_path), trace(Net(later=True).eval(), torch.zeros(1, 4))
    found = difference(weights, graph)
    told = {
        (change.kind, (graph.nodes[change.new] if change.old is None else weights.nodes[change.old]).path): change.what
        for change in found.changes
    }
    assert told == {
        ("added", "block"): (),
        ("changed", "head"): ("parameters",),
        ("changed", "body"): ("parameters",),
        ("changed", "mix"): ("parameters",),
        ("removed", "last"): (),
    }
    mirrored = {(change.kind, change.new, change.old) for change in difference(graph, weights).changes}
    kinds = {"added": "removed", "removed": "added", "changed": "changed"}
    assert mirrored == {(kinds[change.kind], change.old, change.new) for change in found.changes}


def test_what_the_exporter_takes_in_is_told(tmp_path: Path) -> None:
    model = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.ReLU())
    old, new = trace(model.eval(), IMAGE), onnx(model, IMAGE, tmp_path)
    (gone,) = [change for change in difference(old, new).changes if change.kind == "removed"]
    assert old.nodes[gone.old or 0].operation == "BatchNorm2d"


def test_a_module_of_several_layers_is_not_taken_for_one_operation(tmp_path: Path) -> None:
    class Net(nn.Module):
        def __init__(self, head: nn.Module) -> None:
            super().__init__()
            self.body, self.head = nn.Linear(4, 4), head

        def forward(self, values: Tensor) -> Tensor:
            return self.head(torch.relu(self.body(values)))

    example = torch.zeros(1, 4)
    old = exported(Net(nn.Linear(4, 2)), example)
    new = onnx(Net(nn.Sequential(nn.Linear(4, 4), nn.ReLU(), nn.Linear(4, 2))), example, tmp_path)
    assert {change.kind for change in difference(old, new).changes} >= {"added"}
