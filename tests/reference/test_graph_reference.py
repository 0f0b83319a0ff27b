"""The graph against closed forms, torch.fx and torch.export."""

from __future__ import annotations

from collections import Counter

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


BUILDERS: dict[str, dict[str, object]] = {
    "alexnet": {}, "vgg11_bn": {}, "squeezenet1_0": {}, "densenet121": {}, "shufflenet_v2_x0_5": {}, "mnasnet0_5": {},
    "efficientnet_b0": {}, "wide_resnet50_2": {}, "resnet50": {}, "mobilenet_v3_small": {}, "convnext_tiny": {},
    "inception_v3": {"init_weights": False, "aux_logits": False}, "swin_t": {}, "vit_b_32": {"image_size": 64},
}  # fmt: skip


def built(name: str) -> nn.Module:
    with torch.device("meta"):
        return torchvision.models.get_model(name, **BUILDERS[name]).eval()


def images(name: str) -> Tensor:
    return torch.randn(1, 3, 96 if name == "inception_v3" else 64, 96 if name == "inception_v3" else 64)


class Leaves(fx.Tracer):
    """Also torchvision's own modules without insides are leaves, as they are where their functions do nothing."""

    def is_leaf_module(self, m: nn.Module, module_qualified_name: str) -> bool:
        own = isinstance(m, nn.LayerNorm | torchvision.ops.StochasticDepth)
        return own or super().is_leaf_module(m, module_qualified_name)


def between_modules(edges: set[tuple[object, object]], modules: set[object]) -> set[tuple[object, object]]:
    """Which modules read which, through whatever functions stand between them."""
    before: dict[object, set[object]] = {}
    for source, target in edges:
        before.setdefault(target, set()).add(source)
    found = set()
    for module in modules:
        seen: set[object] = set()
        waiting = list(before.get(module, ()))
        while waiting:
            place = waiting.pop()
            if place in seen:
                continue
            seen.add(place)
            if place in modules:
                found.add((place, module))
            else:
                waiting.extend(before.get(place, ()))
    return found


@pytest.mark.parametrize("name", [name for name in BUILDERS if name not in ("swin_t", "vit_b_32")])
def test_leaf_modules_are_called_in_the_order_of_a_symbolic_trace_and_read_each_other_alike(name: str) -> None:
    model = built(name)
    calls = [node for node in Leaves().trace(model).nodes if node.op == "call_module"]
    graph = trace(model, images(name))
    assert graph.error is None
    leaves = [node for node in graph.nodes if node.kind == "module" and node.origin == node.id]
    assert [node.path for node in leaves] == [str(node.target) for node in calls]
    ours = between_modules({(edge.source, edge.target) for edge in graph.edges}, {node.id for node in leaves})
    theirs = between_modules(
        {(source, node) for node in calls[0].graph.nodes for source in node.all_input_nodes}, set(calls)
    )
    order, place = (
        {node.id: index for index, node in enumerate(leaves)},
        {node: index for index, node in enumerate(calls)},
    )
    assert {(order[source], order[target]) for source, target in ours} == {
        (place[source], place[target]) for source, target in theirs
    }


@pytest.mark.parametrize(
    "name", ["resnet50", "mobilenet_v3_small", "densenet121", "swin_t", "vit_b_32", "convnext_tiny"]
)
def test_operators_run_in_the_modules_that_an_exported_program_names(name: str) -> None:
    model = built(name)
    exported = torch.export.export(model, (images(name).to("meta"),))
    theirs: list[str] = []
    for node in exported.graph.nodes:
        if node.op == "call_function" and "dropout" not in str(node.target) and node.meta.get("nn_module_stack"):
            theirs.append(list(node.meta["nn_module_stack"].values())[-1][0])
    graph = trace(model, images(name))
    ours = []
    for node in graph.nodes:
        if node.origin == node.id and node.operators and node.kind in ("module", "function"):
            inside = graph.nodes[node.parent].path if node.kind == "function" and node.parent is not None else ""
            ours.append(node.path if node.kind == "module" else inside)
    assert collapsed(ours) == collapsed(theirs)


@pytest.mark.parametrize("name", ["resnet50", "mobilenet_v3_small", "densenet121", "convnext_tiny"])
def test_convolutions_products_and_normalisations_are_as_many_as_in_an_exported_program(name: str) -> None:
    model = built(name)
    counted = Counter(
        str(node.target).split(".")[1]
        for node in torch.export.export(model, (images(name).to("meta"),)).graph.nodes
        if node.op == "call_function"
    )
    graph = trace(model, images(name))
    operations = Counter(
        node.operation.lower().removesuffix("2d").removesuffix("d2") for node in graph.nodes if node.kind == "module"
    )
    assert operations["conv"] == counted["conv2d"] > 10
    assert operations["linear"] == counted["linear"]
    assert operations["batchnorm"] == counted["batch_norm"]
    assert graph_functions(graph, "cat") == counted["cat"]


def graph_functions(graph: Graph, name: str) -> int:
    return sum(node.kind == "function" and node.operation == name for node in graph.nodes)


def collapsed(paths: list[str]) -> list[str]:
    return [path for place, path in enumerate(paths) if place == 0 or paths[place - 1] != path]


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
