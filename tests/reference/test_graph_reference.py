"""The graph against closed forms and against torch.fx."""

from __future__ import annotations

import pytest
import torch
import torchvision
from torch import Tensor, fx, nn

from pellucid.graph import Graph, trace


@pytest.mark.parametrize(
    "build", [torchvision.models.resnet18, torchvision.models.mobilenet_v2, torchvision.models.googlenet]
)
def test_edges_are_those_of_a_symbolic_trace(build: object) -> None:
    torch.manual_seed(0)
    options = {"init_weights": False, "aux_logits": False} if build is torchvision.models.googlenet else {}
    model = build(num_classes=3, **options).eval()
    symbolic = fx.symbolic_trace(model)
    place = {node: index for index, node in enumerate(symbolic.graph.nodes) if node.op != "get_attr"}
    expected = {(place[source], place[node]) for node in place for source in node.all_input_nodes}
    graph = trace(model, torch.randn(1, 3, 64, 64))
    leaves = [node for node in graph.nodes if node.origin == node.id or node.kind == "output"]
    assert [node.kind for node in leaves if node.kind != "function"] == [
        {"placeholder": "input", "call_module": "module", "output": "output"}[node.op]
        for node in place
        if node.op in ("placeholder", "call_module", "output")
    ]
    assert [node.path for node in leaves if node.kind == "module"] == [
        str(node.target) for node in place if node.op == "call_module"
    ]
    number = {node.id: index for index, node in enumerate(leaves)}
    assert {(number[edge.source], number[edge.target]) for edge in graph.edges} == expected


@pytest.mark.parametrize("build", [torchvision.models.resnet18, torchvision.models.shufflenet_v2_x0_5])
def test_parameters_are_unique_sums(build: object) -> None:
    model = build(num_classes=3)
    for parameter in model.fc.parameters():
        parameter.requires_grad_(False)
    graph = trace(model, torch.randn(1, 3, 64, 64))
    assert graph.parameters == sum(parameter.numel() for parameter in model.parameters())
    assert graph.trainable == graph.parameters - sum(parameter.numel() for parameter in model.fc.parameters())
    # Leaf modules are called once here, so that their own parameters add up to the whole.
    assert sum(node.own_parameters for node in graph.nodes) == graph.parameters
    top = [node for node in graph.nodes if node.kind == "module" and node.parent is None]
    assert sum(node.parameters for node in top) == graph.parameters


def flops(model: nn.Module, *inputs: Tensor) -> int | None:
    graph: Graph = trace(model, *inputs)
    assert graph.error is None
    return graph.flops


def test_flops_of_convolutions_and_products_follow_their_closed_forms() -> None:
    convolution = nn.Conv2d(6, 8, (3, 5), stride=2, padding=1, groups=2)
    assert flops(convolution, torch.randn(2, 6, 9, 11)) == 2 * 2 * 8 * (6 // 2) * 3 * 5 * 5 * 5
    transposed = nn.ConvTranspose2d(4, 6, 3, stride=2)
    assert flops(transposed, torch.randn(1, 4, 5, 5)) == 2 * 4 * 6 * 3 * 3 * 5 * 5
    assert flops(nn.Linear(7, 3), torch.randn(4, 5, 7)) == 2 * 4 * 5 * 7 * 3
    assert flops(nn.Sequential(nn.ReLU(), nn.BatchNorm2d(3)), torch.randn(1, 3, 4, 4)) is None


def test_flops_of_attention_include_its_projections_and_both_products() -> None:
    batch, tokens, width, heads = 2, 5, 8, 2
    projections = 4 * 2 * batch * tokens * width * width
    products = 2 * 2 * batch * heads * tokens * tokens * (width // heads)

    class Attention(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.attention = nn.MultiheadAttention(width, heads, batch_first=True)

        def forward(self, x: Tensor) -> Tensor:
            output: Tensor = self.attention(x, x, x, need_weights=False)[0]
            return output

    assert flops(Attention(), torch.randn(batch, tokens, width)) == projections + products


@pytest.mark.parametrize(("layer", "gates"), [(nn.LSTM, 4), (nn.GRU, 3)])
def test_flops_of_recurrent_layers_count_every_step(layer: type[nn.Module], gates: int) -> None:
    model = layer(3, 5, num_layers=2, bidirectional=True, batch_first=True)
    first = gates * 5 * (3 + 5)
    second = gates * 5 * (2 * 5 + 5)
    assert flops(model, torch.randn(2, 7, 3)) == 2 * 2 * 7 * 2 * (first + second)


def test_flops_of_a_module_are_those_of_what_it_holds() -> None:
    graph = trace(torchvision.models.resnet18(num_classes=3), torch.randn(1, 3, 32, 32))
    for node in graph.nodes:
        inside = [child for child in graph.nodes if child.parent == node.id]
        if inside:
            assert node.flops == sum(child.flops or 0 for child in inside)
    assert graph.flops == sum(node.flops or 0 for node in graph.nodes if node.parent is None)
