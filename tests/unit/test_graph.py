"""The tracer: names, capture points, what is counted, and asking for layers."""

from __future__ import annotations

import msgspec
import pytest
import torch
import torchvision
from torch import Tensor, nn
from torch.nn import functional

import pellucid
from pellucid.errors import LayerError
from pellucid.graph import Graph, trace
from pellucid.lenses.graph import GraphLens
from pellucid.record.schema import GraphPanel
from pellucid.types import Observation
from support.written import Functional, flows


@pytest.fixture(autouse=True)
def _seed() -> None:
    torch.manual_seed(0)


def names(graph: Graph) -> list[str]:
    return [layer.name for layer in graph.layers]


# --- capture points of real networks -------------------------------------------------------------------------


def test_a_residual_network_is_captured_after_its_activations_and_sums() -> None:
    graph = trace(torchvision.models.resnet18(num_classes=5), torch.randn(1, 3, 32, 32))
    assert names(graph)[:6] == [
        "relu", "maxpool", "layer1.0.relu", "layer1.0.bn2", "layer1.0.relu#2", "layer1.1.relu",
    ]  # fmt: skip
    assert names(graph)[-2:] == ["avgpool", "fc"]
    assert not {"conv1", "bn1", "layer1.0.add()"} & set(names(graph))
    second = graph.layer("layer2.0.relu#2")
    assert (second.operation, second.shape, second.layout, second.activation) == ("ReLU", (128, 4, 4), "maps", "relu")
    assert [layer.index for layer in graph.layers] == list(range(len(graph.layers)))
    assert ("maxpool", "layer1.0.add()") in flows(graph), "the skip connection"
    assert ("layer2.0.downsample.1", "layer2.0.add()") in flows(graph)


def test_a_plain_network_with_in_place_activations_and_dropout() -> None:
    graph = trace(torchvision.models.vgg11(num_classes=5), torch.randn(1, 3, 32, 32))
    operations = [layer.operation for layer in graph.layers]
    assert operations == (
        ["ReLU", "MaxPool2d"] * 2 + ["ReLU", "ReLU", "MaxPool2d"] * 3 + ["AdaptiveAvgPool2d", "ReLU", "ReLU", "Linear"]
    )
    # In place: what follows reads the activation, not the convolution that made the memory.
    assert {("features.0", "features.1"), ("features.1", "features.2")} <= flows(graph)
    assert ("features.0", "features.2") not in flows(graph)
    assert ("classifier.2", "classifier.3") in flows(graph), "dropout returns its own input and is still on the way"


def test_blocks_that_end_in_a_sum_are_layers_themselves() -> None:
    graph = trace(torchvision.models.mobilenet_v2(width_mult=0.25, num_classes=5), torch.randn(1, 3, 32, 32))
    found = {layer.name: layer for layer in graph.layers}
    assert found["features.0.2"].activation == "relu6"
    assert found["features.3"].operation == "InvertedResidual"
    assert "features.2" not in found, "a block without a sum adds nothing to its last normalisation"
    assert "features.2.conv.3" in found


def test_a_vision_transformer_is_captured_as_tokens() -> None:
    model = torchvision.models.VisionTransformer(16, 4, 2, 2, 8, 16, num_classes=3)
    graph = trace(model, torch.randn(2, 3, 16, 16))
    block = graph.layer("encoder.layers.encoder_layer_1")
    assert block in graph.layers
    assert (block.operation, block.shape, block.layout) == ("EncoderBlock", (17, 8), "tokens")
    assert graph.layer("encoder.layers.encoder_layer_0.self_attention").shape == (17, 8)
    assert graph.layer("encoder.layers.encoder_layer_0.mlp.1").activation == "gelu"
    assert graph.layer("conv_proj").layout == "maps"
    assert "encoder.add()" not in names(graph), "adding a positional embedding is not a meeting of two signals"
    assert graph.unused == ()
    skip = ("encoder.dropout", "encoder.layers.encoder_layer_0.add()")
    assert skip in flows(graph)


def test_channels_on_the_last_axis_are_not_taken_for_maps() -> None:
    def forward(self: nn.Module, x: Tensor) -> Tensor:
        last = self.conv(x).permute(0, 2, 3, 1)
        return functional.gelu(self.linear(last))

    graph = trace(Functional(forward, conv=nn.Conv2d(3, 4, 1), linear=nn.Linear(4, 6)), torch.randn(1, 3, 5, 5))
    assert [(layer.name, layer.layout, layer.units) for layer in graph.layers] == [
        ("conv", "maps", 4),
        ("gelu()", "other", 6),
    ]


def test_a_recurrent_network_with_dicts_in_and_out() -> None:
    class Tagger(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.embedding = nn.Embedding(10, 4)
            self.lstm = nn.LSTM(4, 5, batch_first=True)
            self.head = nn.Linear(5, 2)

        def forward(self, batch: dict[str, Tensor], *, scale: Tensor) -> dict[str, Tensor]:
            states, (hidden, _) = self.lstm(self.embedding(batch["tokens"]))
            return {"tags": self.head(states) * scale, "state": hidden[-1]}

    tokens = torch.zeros(2, 3, dtype=torch.long)
    graph = trace(Tagger(), {"tokens": tokens}, scale=torch.ones(2, 1, 1))
    assert [node.name for node in graph.nodes if node.kind == "input"] == ["batch.tokens", "scale"]
    assert [(layer.name, layer.layout, layer.shape) for layer in graph.layers] == [
        ("embedding", "tokens", (3, 4)),
        ("lstm", "tokens", (3, 5)),
        ("head", "tokens", (3, 2)),
    ]
    outputs = {
        (graph.nodes[edge.source].name, edge.argument) for edge in graph.edges if edge.target == graph.nodes[-1].id
    }
    assert outputs == {("mul()", 0), ("getitem()", 1)}
    hidden = next(edge for edge in graph.edges if graph.nodes[edge.target].name == "getitem()")
    assert (graph.nodes[hidden.source].name, hidden.output) == ("lstm", 1)


# --- what is counted -----------------------------------------------------------------------------------------


def test_parameters_that_are_never_read_are_named_and_found() -> None:
    def forward(self: nn.Module, x: Tensor) -> Tensor:
        assert self.idle.weight.shape == (2, 2)  # looking at a shape is no use
        return self.busy(x)

    model = Functional(forward, busy=nn.Linear(2, 2), idle=nn.Linear(2, 2))
    graph = trace(model, torch.randn(1, 2))
    assert graph.unused == ("idle.weight", "idle.bias")
    lens = GraphLens()
    lens.observe(Observation("trace", graph=graph))
    findings = lens.report().findings
    assert [(finding.kind, finding.count) for finding in findings] == [("unused-parameters", 2)]
    clean = GraphLens()
    clean.observe(Observation("trace", graph=trace(model.busy, torch.randn(1, 2))))
    assert clean.report().findings == []


def test_attention_reads_all_its_parameters() -> None:
    layer = nn.TransformerEncoderLayer(8, 2, 16, batch_first=True)
    graph = trace(layer, torch.randn(2, 3, 8))
    assert graph.unused == ()
    assert {"self_attn", "relu()", "linear2", "norm2"} <= set(names(graph))


def test_a_model_without_values_is_traced_without_computing() -> None:
    with torch.device("meta"):
        model = torchvision.models.resnet18()
    graph = trace(model, torch.randn(1, 3, 64, 64))
    assert graph.backend == "meta"
    real = trace(torchvision.models.resnet18(), torch.randn(1, 3, 64, 64))
    assert real.backend == "fake"
    assert (graph.layers, graph.edges, graph.flops) == (real.layers, real.edges, real.flops)


# --- asking ---------------------------------------------------------------------------------------------------


def test_any_call_can_be_named_as_a_layer_and_others_are_refused_with_the_nearest() -> None:
    graph = trace(torchvision.models.resnet18(num_classes=5), torch.randn(1, 3, 32, 32))
    block = graph.layer("layer3.1")
    assert (block.shape, block.activation, block.layout) == ((256, 2, 2), "relu", "maps")
    assert graph.layer("conv1").shape == (64, 16, 16)
    assert block.index >= len(graph.layers)
    with pytest.raises(LayerError, match=r"'layer9\.1'.*layer[1-4]\.1"):
        graph.layer("layer9.1")
    sequence = nn.LSTM(3, 4)
    with pytest.raises(LayerError, match=r"no batch axis of 2"):
        trace(Functional(lambda self, x: self.rnn(x.transpose(0, 1))[0], rnn=sequence), torch.randn(2, 5, 3)).layer(
            "rnn"
        )


def test_the_package_can_be_called_and_the_panel_survives_json() -> None:
    graph = pellucid.graph(nn.Sequential(nn.Conv2d(1, 2, 3), nn.ReLU()), torch.randn(1, 1, 5, 5))
    panel = graph.to_panel()
    assert msgspec.json.decode(msgspec.json.encode(panel), type=GraphPanel) == panel
    assert [node.layer for node in panel.nodes] == [None, None, 0, None]
    assert panel.layers[0].node == 2
    assert [node.path for node in panel.nodes] == ["input", "0", "1", "output"]
    assert panel.nodes[1].outputs == [[1, 2, 3, 3]]
    assert panel.nodes[1].memory == 4 * 18


def test_a_compiled_model_is_traced_uncompiled() -> None:
    model = nn.Sequential(nn.Linear(2, 2), nn.ReLU())
    model[0].compile(backend="eager")
    graph = trace(torch.compile(model, backend="eager"), torch.randn(1, 2))
    assert graph.error is None
    assert names(graph) == ["1"]
    assert [node.name for node in graph.nodes] == ["input", "0", "1", "output"]
