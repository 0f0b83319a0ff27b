"""The tracer: names, data flow, capture points, and what it leaves behind."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import msgspec
import pytest
import torch
import torchvision
from torch import Tensor, nn
from torch.nn import functional

import pellucid
from pellucid.errors import LayerError, ModelError
from pellucid.graph import Graph, trace
from pellucid.lenses.graph import GraphLens
from pellucid.record.schema import GraphPanel
from pellucid.types import Observation


@pytest.fixture(autouse=True)
def _seed() -> None:
    torch.manual_seed(0)


class Functional(nn.Module):
    """Everything in forward is written by hand; `forward` is replaced by the tests."""

    def __init__(self, forward: Callable[..., object], **modules: nn.Module) -> None:
        super().__init__()
        self.written = forward
        for name, module in modules.items():
            self.add_module(name, module)

    def forward(self, *args: object, **kwargs: object) -> object:
        return self.written(self, *args, **kwargs)


def flows(graph: Graph) -> set[tuple[str, str]]:
    return {(graph.nodes[edge.source].name, graph.nodes[edge.target].name) for edge in graph.edges}


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
        ("gelu()", "other", 150),
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


# --- data flow ------------------------------------------------------------------------------------------------


def test_functions_called_by_modules_are_named_after_them() -> None:
    class Block(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.conv = nn.Conv2d(3, 3, 1)

        def forward(self, x: Tensor) -> Tensor:
            return functional.max_pool2d(torch.relu_(self.conv(functional.relu(x))), 2)

    graph = trace(nn.Sequential(Block(), nn.ReLU(inplace=True)), torch.randn(1, 3, 4, 4))
    assert names(graph) == ["0.relu()", "0.relu()#2", "0.max_pool2d()", "1"]
    assert graph.layer("0.relu()#2").activation == "relu"
    assert flows(graph) == {
        ("input", "0.relu()"),
        ("0.relu()", "0.conv"),
        ("0.conv", "0.relu()#2"),
        ("0.relu()#2", "0.max_pool2d()"),
        ("0.max_pool2d()", "1"),
        ("1", "output"),
    }
    node = graph.by_name["0.relu()"]
    assert graph.nodes[node.parent or 0].name == "0"
    assert node.source is not None
    assert node.source.startswith("test_graph.py:")


def test_writing_through_a_view_flows_to_whoever_reads_the_whole() -> None:
    def forward(self: nn.Module, x: Tensor) -> Tensor:
        whole = self.first(x)
        part = whole[:, :2]
        part.mul_(2)
        whole[:, 2:] = self.second(x)
        return self.third(whole)

    graph = trace(
        Functional(forward, first=nn.Linear(3, 4), second=nn.Linear(3, 2), third=nn.Linear(4, 1)), torch.randn(1, 3)
    )
    assert {("first", "getitem()"), ("getitem()", "mul()"), ("mul()", "setitem()"), ("second", "setitem()")} <= flows(
        graph
    )
    assert {source for source, target in flows(graph) if target == "third"} == {"setitem()"}


def test_a_skip_around_modules_that_return_their_own_input_is_kept() -> None:
    class Nothing(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return x

    def forward(self: nn.Module, x: Tensor) -> Tensor:
        start = self.start(x)
        return self.nothing(self.dropout(start)) + start

    graph = trace(
        Functional(forward, start=nn.Linear(3, 3), dropout=nn.Dropout(), nothing=Nothing()), torch.randn(2, 3)
    )
    assert flows(graph) == {
        ("args[0]", "start"),
        ("start", "dropout"),
        ("dropout", "nothing"),
        ("nothing", "add()"),
        ("start", "add()"),
        ("add()", "output"),
    }


def test_memory_that_is_used_again_makes_no_edges() -> None:
    def forward(self: nn.Module, x: Tensor) -> Tensor:
        total = torch.zeros(len(x), 3)
        for _ in range(20):  # each intermediate dies at once and its id and memory come back
            total = total + self.linear(x)
        return total

    graph = trace(Functional(forward, linear=nn.Linear(3, 3)), torch.randn(2, 3))
    for edge in graph.edges:
        if graph.nodes[edge.target].path == "linear":
            assert graph.nodes[edge.source].kind == "input"
    assert sum(node.path == "linear" for node in graph.nodes) == 20
    assert len(graph.edges) == 20 + 40 + 1


def test_shared_modules_have_one_name_and_numbered_calls() -> None:
    shared = nn.Linear(4, 4)
    model = nn.Sequential()
    model.add_module("first", shared)
    model.add_module("act", nn.Tanh())
    model.add_module("second", shared)
    graph = trace(model, torch.randn(1, 4))
    assert [node.name for node in graph.nodes if node.kind == "module"] == ["first", "act", "first#2"]
    assert names(graph) == ["act", "first#2"]
    assert graph.parameters == 20, "counted once"
    assert graph.unused == ()


def test_dataclasses_and_numpy_in_the_middle_of_the_way() -> None:
    @dataclass
    class Pair:
        left: Tensor
        right: Tensor

    class Maker(nn.Module):
        def forward(self, x: Tensor) -> Pair:
            return Pair(x + 1, x * 2)

    class Outside(nn.Module):
        def forward(self, pair: Pair) -> Tensor:
            return torch.from_numpy(pair.left.numpy() + pair.right.numpy())

    graph = trace(nn.Sequential(Maker(), Outside()), torch.randn(1, 3))
    assert flows(graph) == {
        ("input", "0.add()"),
        ("input", "0.mul()"),
        ("0.add()", "1"),
        ("0.mul()", "1"),
        ("1", "output"),
    }


def test_a_forward_that_raises_leaves_the_graph_until_there() -> None:
    model = nn.Sequential(nn.Linear(3, 4), nn.ReLU(), nn.Sequential(nn.Linear(5, 2)), nn.ReLU())
    model.train()
    graph = trace(model, torch.randn(2, 3))
    assert graph.error is not None
    assert "2.0" in graph.error
    assert "RuntimeError" in graph.error
    assert names(graph) == ["1"]
    assert model[0].training


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


# --- what is left behind -------------------------------------------------------------------------------------


class Restless(nn.Module):
    """Writes to its buffers, parameters, inputs and random state."""

    def __init__(self) -> None:
        super().__init__()
        self.linear = nn.Linear(3, 3)
        self.norm = nn.BatchNorm1d(3)
        self.act = nn.ReLU(inplace=True)
        self.register_buffer("calls", torch.zeros(()))
        self.fails = False

    def forward(self, x: Tensor) -> Tensor:
        self.calls += 1
        self.norm.running_mean = self.norm.running_mean + 1
        self.linear.weight.clamp_(-0.01, 0.01)
        self.linear.bias.data.add_(1)
        x.mul_(2)
        noise = torch.rand(3)
        if self.fails:
            raise ValueError("half-way")
        return self.act(self.norm(self.linear(x) + noise))


@pytest.mark.parametrize("fails", [False, True])
def test_the_model_is_left_as_it_was(fails: bool) -> None:
    model = Restless().train()
    model.norm.eval()
    model.linear.weight.requires_grad_(False)
    model(torch.randn(4, 3)).sum().backward()
    model.fails = fails
    inputs, before = torch.randn(4, 3), {key: value.clone() for key, value in model.state_dict().items()}
    kept, places = inputs.clone(), {key: id(value) for key, value in model.state_dict(keep_vars=True).items()}
    gradient, random_state = model.linear.bias.grad, torch.get_rng_state()
    held = gradient.clone()
    call, fast_path = nn.Module.__call__, torch.backends.mha.get_fastpath_enabled()
    graph = trace(model, inputs)
    assert (graph.error is not None) == fails
    assert all(torch.equal(before[key], value) for key, value in model.state_dict().items())
    assert {key: id(value) for key, value in model.state_dict(keep_vars=True).items()} == places
    assert torch.equal(inputs, kept)
    assert torch.equal(torch.get_rng_state(), random_state)
    assert (model.training, model.norm.training, model.linear.training) == (True, False, True)
    assert (model.linear.weight.requires_grad, model.linear.bias.requires_grad) == (False, True)
    assert model.linear.bias.grad is gradient
    assert torch.equal(gradient, held)
    assert model.act.inplace
    assert not any(module._forward_hooks or module._forward_pre_hooks for module in model.modules())
    assert nn.Module.__call__ is call
    assert torch.backends.mha.get_fastpath_enabled() == fast_path
    assert torch.is_grad_enabled()


def test_a_lazy_model_is_refused_rather_than_given_a_shape() -> None:
    model = nn.LazyLinear(3)
    with pytest.raises(ModelError, match="lazy"):
        trace(model, torch.randn(1, 2))
    assert model.has_uninitialized_params()


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
